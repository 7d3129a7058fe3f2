//! Tokens by which AWS tells a repeated call from a new one.

use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// Those of one run of the plugin. AWS answers a token that it has seen with what it created then, even where that was deleted
/// meanwhile, so each is new: what an earlier run created is known by its tag.
pub struct Tokens {
    run: [u8; 16],
    given: AtomicU64,
}

impl Tokens {
    /// `run` is drawn at random: no other run has it.
    pub fn of_run(run: [u8; 16]) -> Self {
        Tokens { run, given: AtomicU64::new(0) }
    }

    /// 32 hexadecimal digits, for one object and all attempts to create it.
    pub fn next(&self, object: &str) -> String {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::digest([self.run.as_slice(), object.as_bytes(), &number.to_be_bytes()].concat());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_new_in_its_run_and_in_all_others() {
        let (one, other) = (Tokens::of_run([1; 16]), Tokens::of_run([2; 16]));
        let all = [one.next("k8s_vpc/demo vpc/main"), one.next("k8s_vpc/demo vpc/main"), other.next("k8s_vpc/demo vpc/main")];
        assert_eq!(std::collections::BTreeSet::from(all.clone()).len(), 3);
        assert!(all.iter().all(|token| token.len() == 32));
    }
}
