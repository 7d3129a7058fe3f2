//! Which machine a host is, by the addresses of the last apply and of this one: a machine has one name, and a host keeps its machine.
//! Why stands in docs/adr/0022-a-host-keeps-its-machine.md. Pure, but for the one look at hosts that are declared under a new address.

use super::errors::machine_error;
use super::fleet::Fleet;
use bundle::{HostName, Manifest, Observed};
use schema::{AttributePath, Diagnostic, Diagnostics, Severity, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a changed address of a host means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// The same machine has another address now.
    WithTheirMachine,
    /// Members of etcd know each other by their addresses.
    Never,
}

/// The hosts on which the last apply left something, and those that are declared now.
pub struct Addresses<'a> {
    recorded: &'a BTreeMap<HostName, Manifest>,
    before: BTreeMap<&'a str, Machine>,
    declared: BTreeMap<&'a str, Machine>,
}

/// What is known of a host's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Machine {
    primary: Option<IpAddr>,
    secondary: Option<IpAddr>,
}

/// A host that is declared under another primary address than the last apply knew.
#[derive(Debug, PartialEq, Eq)]
struct Move<'a> {
    host: &'a str,
    before: IpAddr,
    now: IpAddr,
}

impl<'a> Addresses<'a> {
    /// `recorded` is what the state says that hosts have.
    pub fn of(prior: Option<&'a Value>, recorded: &'a BTreeMap<HostName, Manifest>, planned: &'a Value) -> Addresses<'a> {
        let mut before = prior.map(machines).unwrap_or_default();
        before.retain(|name, _| recorded.keys().any(|host| host.as_str() == *name));
        Addresses { recorded, before, declared: machines(planned) }
    }

    /// Refuses what mixes machines up, and says what a move takes for granted.
    pub fn check(&self, moves: Moves) -> Diagnostics {
        let refused: Diagnostics = match moves {
            Moves::Never => self.moves().map(|moved| moved.refusal_of_member()).collect(),
            Moves::WithTheirMachine => Diagnostics::default(),
        };
        let refused = if refused.is_empty() { self.mixed_up() } else { refused };
        if refused.is_empty() { self.moves().map(|moved| moved.warning()).collect() } else { refused }
    }

    /// The same at apply, of addresses that were unknown at plan.
    pub fn refuse(&self, moves: Moves) -> Result<(), Diagnostic> {
        let found = self.check(moves).into_iter().find(|found| found.severity == Severity::Error);
        found.map_or(Ok(()), Err)
    }

    /// One machine under two names: it would leave and join in the same apply.
    fn mixed_up(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for (name, machine) in &self.declared {
            let mut others = self.before.iter().filter(|(other, _)| *other != name);
            if let Some((other, _)) = others.find(|(_, before)| before.is(machine)) {
                let at = AttributePath::attribute("hosts").key(*name).then("address");
                diagnostics.push(two_names(other, name, self.declared.contains_key(other)).at(at));
            }
        }
        diagnostics
    }

    fn moves(&self) -> impl Iterator<Item = Move<'_>> {
        self.declared.iter().filter_map(|(host, machine)| {
            let (before, now) = (self.before.get(host)?.primary?, machine.primary?);
            (before != now).then_some(Move { host, before, now })
        })
    }

    /// Before anything is changed: at its new address each host that moved has what the last apply left on it.
    pub async fn refuse_other_machines(&self, fleet: &Fleet) -> Result<(), Diagnostic> {
        for moved in self.moves() {
            let Some((name, manifest)) = self.recorded.iter().find(|(name, _)| name.as_str() == moved.host) else { continue };
            let Some(machine) = fleet.machines.get(name) else { continue };
            let observed = machine.read(&fleet.owner, manifest).await.map_err(|error| machine_error(&error))?;
            if was_never_ours(&observed) {
                return Err(moved.refusal_of_other_machine());
            }
        }
        Ok(())
    }
}

fn machines(state: &Value) -> BTreeMap<&str, Machine> {
    let address = |host: &Value, attribute| host.get(attribute).as_str()?.parse().ok();
    let machine = |host| Machine { primary: address(host, "address"), secondary: address(host, "secondary_address") };
    state.get("hosts").as_map().into_iter().flatten().map(|(name, host)| (name.as_str(), machine(host))).collect()
}

impl Machine {
    /// The primary address of one is an address of the other; a secondary address may move alone.
    fn is(&self, other: &Machine) -> bool {
        self.has(other.primary) || other.has(self.primary)
    }

    fn has(&self, address: Option<IpAddr>) -> bool {
        address.is_some() && [self.primary, self.secondary].contains(&address)
    }
}

/// No unit of the last apply was ever started on it.
fn was_never_ours(observed: &Observed) -> bool {
    observed.units.values().all(|unit| unit.stamp.is_none())
}

fn two_names(before: &str, now: &str, before_stays: bool) -> Diagnostic {
    if before_stays {
        return Diagnostic::error(format!("{now} takes the address of {before}")).detail(format!(
            "The last apply set this machine up as {before}, and a machine keeps its name. Give {now} its own address; if the machines \
             did change places, take both out of hosts, apply, then add them again."
        ));
    }
    Diagnostic::error(format!("{before} and {now} are the same machine")).detail(format!(
        "The last apply set this machine up as {before}: it cannot leave under one name and join under another in the same apply. Keep \
         the name {before}, or take it out of hosts, apply, and then add {now}."
    ))
}

impl Move<'_> {
    fn path(&self) -> AttributePath {
        AttributePath::attribute("hosts").key(self.host).then("address")
    }

    fn warning(&self) -> Diagnostic {
        let Move { host, before, now } = self;
        Diagnostic::warning(format!("{host} moves from {before} to {now}"))
            .detail(format!(
                "This is for the same machine with a new address; apply looks first and changes nothing if {now} is another machine. A \
                 machine that takes the place of {host} gets a name of its own: then {host} leaves and the new one joins in one apply."
            ))
            .at(self.path())
    }

    fn refusal_of_member(&self) -> Diagnostic {
        let Move { host, before, now } = self;
        Diagnostic::error(format!("{host} cannot move from {before} to {now}"))
            .detail(format!(
                "The members of etcd know each other by their addresses, and a member of an existing cluster does not change its own yet. \
                 Keep {before}; where only SSH takes another way, set ssh.address."
            ))
            .at(self.path())
    }

    fn refusal_of_other_machine(&self) -> Diagnostic {
        let Move { host, before, now } = self;
        Diagnostic::error(format!("{now} is not the machine that was set up as {host} at {before}"))
            .detail(format!(
                "Nothing of {host} is on it, and the machine at {before} may still run under this name. Nothing was changed. Give the new \
                 machine a name of its own, so that {host} leaves and it joins in one apply, or take {host} out of hosts, apply, and then \
                 add it with its new address."
            ))
            .at(self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(all: &[(&str, &str, &str)]) -> Value {
        let host = |(name, address, secondary): &(&str, &str, &str)| {
            let value = |text: &str| match text {
                "" => Value::Null,
                "?" => Value::Unknown,
                text => text.into(),
            };
            (name.to_string(), Value::object([("address", value(address)), ("secondary_address", value(secondary))]))
        };
        Value::object([("hosts", Value::Map(all.iter().map(host).collect()))])
    }

    /// What a node group says, and what a cluster does.
    #[track_caller]
    fn check(declared: &[(&str, &str, &str)], expect: [&[&str]; 2]) {
        let prior = hosts(&[("a", "192.0.2.1", ""), ("b", "192.0.2.2", "2001:db8::2"), ("gone", "192.0.2.9", "")]);
        let recorded = ["a", "b"].map(|name| (HostName::literal(name), Manifest::default())).into();
        let declared = hosts(declared);
        let addresses = Addresses::of(Some(&prior), &recorded, &declared);
        for (moves, expect) in [Moves::WithTheirMachine, Moves::Never].into_iter().zip(expect) {
            let found: Vec<String> = addresses
                .check(moves)
                .iter()
                .map(|found| format!("{}: {}", found.path.clone().unwrap_or_default(), found.summary))
                .collect();
            assert_eq!(found, expect);
        }
    }

    #[test]
    fn a_host_keeps_its_machine() {
        check(&[("a", "192.0.2.1", ""), ("b", "192.0.2.2", "2001:db8::2")], [&[], &[]]);
        check(&[("a", "192.0.2.1", "2001:db8::1"), ("b", "192.0.2.2", "")], [&[], &[]]);
        check(&[("a", "192.0.2.1", ""), ("c", "192.0.2.3", "")], [&[], &[]]);
        check(&[("a", "?", ""), ("b", "192.0.2.2", "?")], [&[], &[]]);
        check(
            &[("a", "192.0.2.7", "")],
            [
                &["hosts[\"a\"].address: a moves from 192.0.2.1 to 192.0.2.7"],
                &["hosts[\"a\"].address: a cannot move from 192.0.2.1 to 192.0.2.7"],
            ],
        );
    }

    #[test]
    fn a_machine_keeps_its_name() {
        let renamed: &[&str] = &["hosts[\"c\"].address: b and c are the same machine"];
        check(&[("a", "192.0.2.1", ""), ("c", "192.0.2.2", "")], [renamed, renamed]);
        check(&[("a", "192.0.2.1", ""), ("c", "2001:db8::2", "192.0.2.77")], [renamed, renamed]);
        check(&[("a", "192.0.2.1", ""), ("c", "192.0.2.77", "2001:db8::2")], [&[], &[]]);
        check(
            &[("a", "192.0.2.2", ""), ("b", "192.0.2.1", "")],
            [
                &["hosts[\"a\"].address: a takes the address of b", "hosts[\"b\"].address: b takes the address of a"],
                &[
                    "hosts[\"a\"].address: a cannot move from 192.0.2.1 to 192.0.2.2",
                    "hosts[\"b\"].address: b cannot move from 192.0.2.2 to 192.0.2.1",
                ],
            ],
        );
    }

    #[test]
    fn a_host_with_nothing_on_it_holds_no_address() {
        check(&[("a", "192.0.2.1", ""), ("c", "192.0.2.9", "")], [&[], &[]]);
    }
}
