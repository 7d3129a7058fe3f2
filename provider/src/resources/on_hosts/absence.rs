//! Hosts that take no part in a call, and what is said of them: after a refresh, an apply, a destroy. Pure.

use super::addresses::Moves;
use bundle::{HostList, HostName};
use machines::MachineError;
use schema::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;

/// Why a host takes no part in a call.
pub struct Absence {
    /// Without a full stop.
    pub summary: String,
    pub reason: String,
    /// It answers, and is another host than it should be.
    pub is_other: bool,
}

impl Absence {
    pub fn of(host: &HostName, error: &MachineError) -> Absence {
        let is_other = matches!(error, MachineError::OtherHost { .. });
        let summary = if is_other { error.summary() } else { format!("{host} does not answer") };
        Absence { summary, reason: error.to_string(), is_other }
    }
}

/// Hosts that took no part, of those that a call was about, and how the others fared.
#[derive(Default)]
pub struct Absent<'a> {
    pub hosts: BTreeMap<&'a HostName, &'a Absence>,
    /// Of the hosts that the call was about; there is at least one, and what had to be done on them is done.
    pub others_are_done: bool,
    pub nobody_answers: bool,
}

impl<'a> FromIterator<(&'a HostName, &'a Absence)> for Absent<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a HostName, &'a Absence)>>(all: I) -> Absent<'a> {
        Absent { hosts: all.into_iter().collect(), ..Absent::default() }
    }
}

impl Absent<'_> {
    /// Of a refresh: one warning for all hosts that do not answer, and one for each that is another.
    pub fn read_warnings(&self) -> Diagnostics {
        let others = self.hosts.values().filter(|absence| absence.is_other).map(|absence| {
            Diagnostic::warning(&absence.summary).detail(format!(
                "{}\n\nIts last known state is kept; every other host was read. Once it leads to its own machine, the next refresh reads it.",
                absence.reason
            ))
        });
        let silent = self.hosts.iter().filter(|(_, absence)| !absence.is_other).map(|(host, absence)| (*host, *absence));
        silent.collect::<Absent>().silence().into_iter().chain(others).collect()
    }

    fn silence(&self) -> Option<Diagnostic> {
        let does = if self.hosts.len() == 1 { "does" } else { "do" };
        (!self.hosts.is_empty()).then(|| {
            Diagnostic::warning(format!("{} {does} not answer", self.names())).detail(format!(
                "{}\n\nWhat was last known of a host that does not answer is kept; every other host was read. The next refresh reads it, \
                 once it answers again.",
                self.reasons()
            ))
        })
    }

    /// Of an apply that had something to change on them.
    pub fn unchanged(&self, moves: Moves) -> Option<Diagnostic> {
        let (has, it, answers) = self.grammar()?;
        let or_less = match moves {
            Moves::WithTheirMachine => format!(", or take {it} out of hosts"),
            Moves::Never => String::new(),
        };
        let summary = format!("{} could not be reached and still {has} to be changed", self.names());
        Some(Diagnostic::error(summary).detail(format!(
            "{}\n\n{}Running apply again once {answers} is safe{or_less}.",
            self.reasons(),
            self.rest("Nothing was changed.")
        )))
    }

    /// Of a destroy.
    pub fn unremoved(&self) -> Option<Diagnostic> {
        let (_, it, answers) = self.grammar()?;
        let is_gone = if self.hosts.len() == 1 { "it is" } else { "they are" };
        let summary = format!("{} could not be reached, so what is on {it} could not be removed", self.names());
        Some(Diagnostic::error(summary).detail(format!(
            "{}\n\n{}Destroy again once {answers}; if {is_gone} gone for good, remove this resource from the state.",
            self.reasons(),
            self.rest("Nothing was removed.")
        )))
    }

    /// What is refused because of them, with the reasons.
    pub fn explain(&self, refused: Diagnostic) -> Diagnostic {
        if self.hosts.is_empty() {
            return refused;
        }
        let rest = if self.nobody_answers { self.rest("Nothing was changed.") } else { String::new() };
        let detail = format!("{}\n\n{}\n\n{rest}", refused.detail, self.reasons());
        Diagnostic { detail: detail.trim_end().to_string(), ..refused }
    }

    fn rest(&self, nothing: &str) -> String {
        if self.nobody_answers {
            let among = "the user, the key and the jump host, here in ssh or in the provider block";
            return format!("{nothing} No host answers, so check the settings of SSH first: {among}. ");
        }
        if self.others_are_done { "Every other host is done. ".into() } else { String::new() }
    }

    fn grammar(&self) -> Option<(&'static str, &'static str, &'static str)> {
        match self.hosts.len() {
            0 => None,
            1 => Some(("has", "it", "it answers")),
            _ => Some(("have", "them", "they answer")),
        }
    }

    fn names(&self) -> HostList {
        HostList(self.in_order().map(|(host, _)| host.clone()).collect())
    }

    fn reasons(&self) -> String {
        self.in_order().map(|(host, absence)| format!("{host}: {}", absence.reason)).collect::<Vec<_>>().join("\n")
    }

    fn in_order(&self) -> impl Iterator<Item = (&HostName, &Absence)> {
        let mut hosts: Vec<(&HostName, &Absence)> = self.hosts.iter().map(|(host, absence)| (*host, *absence)).collect();
        hosts.sort_by(|(one, _), (other, _)| one.by_number(other));
        hosts.into_iter()
    }
}
