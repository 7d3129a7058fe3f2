//! Asks programs on a host whether they take their new settings, before their units are touched.

use crate::archive::Archive;
use crate::said::lines_that_matter;
use crate::script::Script;
use crate::units::lines_after;
use crate::{Incarnation, Machine, MachineError};
use bundle::{Check, UnitName};
use std::time::Duration;

/// All checks run at the same time, 20 s at most.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Machine {
    /// All of them at once. When one of the programs does not take its settings, the files that the last push replaced are put back; when
    /// all do, what was kept of these goes. A check that gets no answer in time counts as passed: the gate of its unit comes later.
    pub async fn check(&self, owner: &Incarnation, checks: &[(UnitName, Check)]) -> Result<(), MachineError> {
        let script = Script::new("checking settings", include_str!("scripts/check.sh"), &self.arguments(owner), TIMEOUT);
        self.succeed(&script, render_archive(checks).as_slice()).await.map(drop)
    }

    pub(crate) fn settings_refused(&self, unit: &str, answer: &str) -> MachineError {
        let said = lines_that_matter(&lines_after(answer, "said\t"));
        let said = if said.is_empty() { "(it gave no reason)".to_string() } else { said };
        MachineError::Settings { host: self.target.to_string(), unit: unit.into(), said }
    }
}

/// Flags may hold secrets, and a command line is seen by everyone on the host.
fn render_archive(checks: &[(UnitName, Check)]) -> Vec<u8> {
    let mut archive = Archive::new();
    for (number, (unit, check)) in checks.iter().enumerate() {
        let mut add = |name: &str, text: &str| archive.add(&format!("{number:03}/{name}"), 0o600, "root:root", text.as_bytes());
        add("unit", unit.as_str());
        add("command", &check.command);
        add("got_past", check.got_past.unwrap_or_default());
    }
    archive.add("end", 0o600, "root:root", b"");
    archive.finish()
}
