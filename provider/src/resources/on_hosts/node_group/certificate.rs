//! Whether the kubelet of a host can still identify itself. One whose certificate has expired ends by itself within minutes, and does not
//! start without a token (`isClientConfigStillValid` in pkg/kubelet/certificate/bootstrap/bootstrap.go of Kubernetes).

use crate::ports::Host;
use machines::MachineError;
use render::node::CLIENT_CERTIFICATE;

/// By the clock of its host. False where there is none, or one that cannot be read. Its key stands in the same file and stays there.
pub async fn has_expired(machine: &dyn Host) -> Result<bool, MachineError> {
    let print = format!("sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' {CLIENT_CERTIFICATE} 2>/dev/null");
    let output = machine.run(&format!("{print}; date -u +%s")).await?;
    Ok(is_over(&output.stdout_text()))
}

/// The certificate in PEM, then the time.
fn is_over(text: &str) -> bool {
    let now = text.lines().last().and_then(|line| line.trim().parse::<i64>().ok());
    now.zip(pki::fit::expires(text).ok()).is_some_and(|(now, expires)| expires <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{CLIENT_CERTIFICATE_EXPIRES as EXPIRES, CLIENT_CERTIFICATE_PEM as PEM};

    #[test]
    fn a_certificate_is_over_at_its_end_and_one_that_cannot_be_read_is_not() {
        assert!(is_over(&format!("{PEM}{EXPIRES}\n")));
        assert!(!is_over(&format!("{PEM}{}\n", EXPIRES - 1)));
        assert!(!is_over(&format!("{EXPIRES}\n")) && !is_over(PEM) && !is_over(""));
    }
}
