//! Waiting for systemd units on a host.

use super::execute::StepError;
use super::fleet::Fleet;
use bundle::{HostName, UnitName};
use std::time::{Duration, Instant};

const UNITS_LIMIT: Duration = Duration::from_secs(30);

pub async fn wait_units_active(fleet: &Fleet, host: &HostName, units: &[UnitName]) -> Result<(), StepError> {
    let Some(machine) = fleet.machines.get(host) else { return Ok(()) };
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    let command = format!("systemctl is-active {}", names.join(" "));
    let began = Instant::now();
    loop {
        let output = machine.run(&command).await?;
        if output.status == 0 {
            return Ok(());
        }
        if began.elapsed() > UNITS_LIMIT {
            let states = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
            return Err(StepError::Gate {
                summary: format!("{} on {host} did not become active within {} s", names.join(", "), UNITS_LIMIT.as_secs()),
                detail: format!(
                    "systemd says: {states}\n\nLook at `journalctl -u {}` there. Running apply again is safe.",
                    names.first().unwrap_or(&"")
                ),
            });
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
