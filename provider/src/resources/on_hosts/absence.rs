//! Hosts that take no part in a call, and what is said of them: after a refresh, an apply, a destroy. Pure.

use super::addresses::Moves;
use super::lives;
use bundle::{HostList, HostName};
use machines::{Incarnation, MachineError, Uid};
use schema::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;

/// Why a host takes no part in a call.
pub struct Absence {
    /// Without a full stop.
    pub summary: String,
    pub reason: String,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    Silent,
    /// It answers, and is another host than it should be.
    OtherHost,
    /// It carries what was created under the same name before or later.
    OtherLife(Uid),
    /// Another entry of a state has what is on it.
    TakenOver,
    /// It carries a cluster with other authorities.
    OtherCluster,
}

impl Absence {
    pub fn of(host: &HostName, error: &MachineError) -> Absence {
        let (why, summary) = match error {
            MachineError::OtherHost { .. } => (Why::OtherHost, error.summary()),
            MachineError::OtherUid { found, .. } => (Why::OtherLife(found.clone()), error.summary()),
            MachineError::TakenOver { .. } => (Why::TakenOver, error.summary()),
            _ => (Why::Silent, format!("{host} does not answer")),
        };
        Absence { summary, reason: error.to_string(), why }
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
    /// Of a refresh: one warning for all hosts that do not answer, one for all that carry another life of the owner or were taken over,
    /// and one for each that is another host.
    pub fn read_warnings(&self, owner: &Incarnation) -> Diagnostics {
        let others = self.hosts.values().filter(|absence| absence.why == Why::OtherHost).map(|absence| {
            Diagnostic::warning(&absence.summary).detail(format!(
                "{}\n\nIts last known state is kept; every other host was read. Once it leads to its own machine, the next refresh reads it.",
                absence.reason
            ))
        });
        let silent = self.hosts.iter().filter(|(_, absence)| absence.why == Why::Silent).map(|(host, absence)| (*host, *absence));
        let lives = self.other_lives(owner).map(|(summary, detail)| {
            Diagnostic::warning(summary).detail(format!("{detail}\n\nWhat this state last knew of them is kept."))
        });
        let taken = self.taken_over(owner).map(|(summary, detail)| {
            Diagnostic::warning(summary).detail(format!(
                "{detail} An apply of this one is refused; a destroy takes it out of this state and removes nothing. What this state last knew \
                 is kept."
            ))
        });
        silent.collect::<Absent>().silence().into_iter().chain(lives).chain(taken).chain(others).collect()
    }

    /// Summary and detail.
    pub fn other_lives(&self, owner: &Incarnation) -> Option<(String, String)> {
        let hosts = self.hosts.iter().filter_map(|(host, absence)| match &absence.why {
            Why::OtherLife(uid) => Some((*host, uid)),
            _ => None,
        });
        let hosts: BTreeMap<&HostName, &Uid> = hosts.collect();
        (!hosts.is_empty()).then(|| lives::other_life(owner, &hosts))
    }

    /// Summary and detail.
    pub fn taken_over(&self, owner: &Incarnation) -> Option<(String, String)> {
        let hosts: Vec<&HostName> =
            self.in_order().filter(|(_, absence)| absence.why == Why::TakenOver).map(|(host, _)| host).collect();
        (!hosts.is_empty()).then(|| lives::taken_over(owner, &hosts))
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
