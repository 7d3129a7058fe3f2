//! A host that is declared at another place than the last apply knew, in words: what a plan takes for granted, and what is refused.
//! Pure.

use crate::ssh::Endpoint;
use schema::{AttributePath, Diagnostic, Diagnostics};
use std::net::IpAddr;

/// So many hosts are named one by one.
const MOST_NAMED: usize = 10;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move<'a> {
    pub host: &'a str,
    pub way: Way<'a>,
}

/// From where the last apply knew it, to where it is declared.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// The primary address.
    Address(IpAddr, IpAddr),
    /// The primary address stays, and SSH goes elsewhere.
    Ssh(&'a Endpoint, &'a Endpoint),
}

/// What a plan says of hosts that move: each address by itself, and at once the way of SSH, which may be that of a whole resource.
pub(super) fn look_first<'a>(moves: impl Iterator<Item = Move<'a>>) -> Diagnostics {
    let (mut diagnostics, mut ways) = (Diagnostics::default(), Vec::new());
    for moved in moves {
        match moved.way {
            Way::Address(before, now) => diagnostics.push(moved.warning(before, now)),
            Way::Ssh(before, now) => ways.push((moved.host, before, now)),
        }
    }
    diagnostics.extend(other_ways(&ways));
    diagnostics
}

fn other_ways(ways: &[(&str, &Endpoint, &Endpoint)]) -> Option<Diagnostic> {
    let names: Vec<&str> = ways.iter().map(|(host, ..)| *host).collect();
    let who = match names.as_slice() {
        [] => return None,
        [one] => (*one).to_string(),
        [first @ .., last] if names.len() <= MOST_NAMED => format!("{} and {last}", first.join(", ")),
        _ => format!("{} hosts", names.len()),
    };
    let lines = ways.iter().take(MOST_NAMED).map(|(host, before, now)| format!("{host}: {now} instead of {before}"));
    let more = names.len().checked_sub(MOST_NAMED).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    let lines: Vec<String> = lines.chain(more).collect();
    Some(
        Diagnostic::warning(format!("SSH takes another way to {who}"))
            .detail(format!(
                "{}\n\nThis is for the same machines; apply asks each of them which host it is, and changes nothing if one is another machine.",
                lines.join("\n")
            ))
            .at(AttributePath::attribute("hosts")),
    )
}

impl Move<'_> {
    pub fn keeps_its_address(&self) -> bool {
        matches!(self.way, Way::Ssh(..))
    }

    fn path(&self) -> AttributePath {
        AttributePath::attribute("hosts").key(self.host).then("address")
    }

    fn warning(&self, before: IpAddr, now: IpAddr) -> Diagnostic {
        let host = self.host;
        Diagnostic::warning(format!("{host} moves from {before} to {now}"))
            .detail(format!(
                "This is for the same machine with a new address; apply looks first and changes nothing if {now} is another machine. A \
                 machine that takes the place of {host} gets a name of its own: then {host} leaves and the new one joins in one apply."
            ))
            .at(self.path())
    }

    /// `None` where only SSH takes another way.
    pub fn refusal_of_member(&self) -> Option<Diagnostic> {
        let Move { host, way: Way::Address(before, now) } = self else { return None };
        Some(
            Diagnostic::error(format!("{host} cannot move from {before} to {now}"))
                .detail(format!(
                    "The members of etcd know each other by their addresses, and a member of an existing cluster does not change its own \
                     yet. Keep {before}; where only SSH takes another way, set ssh.address."
                ))
                .at(self.path()),
        )
    }

    pub fn refusal_of_other_machine(&self) -> Diagnostic {
        let host = self.host;
        match self.way {
            Way::Address(before, now) => Diagnostic::error(format!("{now} is not the machine that was set up as {host} at {before}"))
                .detail(format!(
                    "Nothing of {host} is on it, and the machine at {before} may still run under this name. Nothing was changed. Give the \
                     new machine a name of its own, so that {host} leaves and it joins in one apply, or take {host} out of hosts, apply, \
                     and then add it with its new address."
                ))
                .at(self.path()),
            Way::Ssh(before, now) => {
                Diagnostic::error(format!("SSH reaches another machine than {host} at {now}"))
                    .detail(format!(
                        "Nothing of {host} is on it, nor does it have the address of {host}; the last apply reached {host} at {before}. \
                         Nothing was changed. Give {host} the ssh.address of its own machine."
                    ))
                    .at(AttributePath::attribute("hosts").key(host).then("ssh").then("address"))
            }
        }
    }
}
