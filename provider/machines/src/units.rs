//! Starts, restarts, reloads and stops systemd units, and notes with which configuration they run.

use crate::said::lines_that_matter;
use crate::script::{END, Script};
use crate::{Incarnation, Machine, MachineError};
use bundle::{Digest, UnitName};
use std::time::Duration;

/// systemd gives a unit 90 s to start; several start at once.
const TIMEOUT: Duration = Duration::from_secs(600);

impl Machine {
    /// Enables and starts units, all at once, in the order that their own dependencies want. Those that were down lose their stamps, until
    /// `note_stamps` says that they were seen healthy.
    pub async fn start(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act_on_units(owner, "start", "starting units", &render_names(units)).await
    }

    /// Like `start`; a unit that runs is stopped first, and loses its stamp too.
    pub async fn restart(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act_on_units(owner, "restart", "restarting units", &render_names(units)).await
    }

    /// Tells running units to read their configuration again, and starts the others; all lose their stamps.
    pub async fn reload(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act_on_units(owner, "reload", "reloading units", &render_names(units)).await
    }

    /// Stops units until the next boot; `remove` and `prune` disable them.
    pub async fn stop(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act_on_units(owner, "stop", "stopping units", &render_names(units)).await
    }

    /// Writes the stamps of running units that were seen healthy with what they read, or seen to have read it again by themselves; no unit
    /// is touched.
    pub async fn note_stamps(&self, owner: &Incarnation, units: &[(UnitName, Digest)]) -> Result<(), MachineError> {
        self.act_on_units(owner, "note", "writing the stamps of units", &render_units(units)).await
    }

    /// Empties the stamps of units that do not run with what they should, so that whoever looks next sees it.
    pub async fn withdraw_stamps(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act_on_units(owner, "withdraw", "withdrawing the stamps of units", &render_names(units)).await
    }

    async fn act_on_units(
        &self,
        owner: &Incarnation,
        verb: &'static str,
        operation: &'static str,
        lines: &str,
    ) -> Result<(), MachineError> {
        let script =
            Script::new(operation, include_str!("scripts/units.sh"), &[&self.arguments(owner)[..], &[verb]].concat(), TIMEOUT);
        match self.succeed(&script, lines.as_bytes()).await {
            Err(MachineError::Unit { host, unit, reason, journal, .. }) => {
                Err(MachineError::Unit { host, verb: verb.into(), unit, reason, journal })
            }
            other => other.map(drop),
        }
    }

    /// The script adds journal lines to its report of a unit that failed.
    pub(crate) fn unit_failure(&self, unit: &str, answer: &str, reason: String) -> MachineError {
        let journal = lines_that_matter(&lines_after(answer, "journal\t"));
        let journal = if journal.is_empty() { "(it has none)".to_string() } else { journal };
        MachineError::Unit { host: self.target.to_string(), verb: "handle".into(), unit: unit.into(), reason, journal }
    }
}

/// What a script reports of the words of a program, each line after a mark.
pub(crate) fn lines_after(answer: &str, mark: &str) -> String {
    answer.lines().filter_map(|line| line.strip_prefix(mark)).flat_map(|line| [line, "\n"]).collect()
}

fn render_names(units: &[UnitName]) -> String {
    units.iter().map(|unit| format!("{unit} -\n")).collect::<String>() + END
}

fn render_units(units: &[(UnitName, Digest)]) -> String {
    units.iter().map(|(unit, stamp)| format!("{unit} {stamp}\n")).collect::<String>() + END
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_named_with_its_stamp() {
        let stamp = Digest::of(b"x");
        assert_eq!(render_units(&[(UnitName::literal("a.service"), stamp.clone())]), format!("a.service {stamp}\nend\n"));
    }
}
