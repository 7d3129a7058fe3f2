//! Which machine a host is, by its addresses and by where SSH goes, in the last apply and in this one: a machine has one name, and a
//! host keeps its machine. Why stands in docs/adr/0022-a-host-keeps-its-machine.md. Pure, but for the look at a machine that moved
//! and has no record.

use super::Place;
use super::errors::machine_error;
use super::fleet::Fleet;
use super::moves::{Move, Way, look_first};
use crate::ssh::{self, Endpoint, Ssh};
use bundle::{HostName, Manifest};
use machines::{Inventory, Wanted};
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Severity, Value, decode};
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
pub struct Addresses {
    before: BTreeMap<String, Machine>,
    declared: BTreeMap<String, Machine>,
}

/// What is known of where a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Machine {
    primary: Option<IpAddr>,
    secondary: Option<IpAddr>,
    ssh: Option<Endpoint>,
}

/// By what two hosts are known to be one machine.
enum Same<'a> {
    Address,
    Ssh(&'a Endpoint),
}

impl Addresses {
    /// `recorded` is what the state says that hosts have; `provider` is how the provider block reaches hosts, now: what it said at the
    /// last apply no state knows.
    pub fn of(
        prior: Option<&Value>,
        recorded: &BTreeMap<HostName, Manifest>,
        planned: &Value,
        provider: &Field<Ssh>,
    ) -> Result<Addresses, Diagnostic> {
        let mut before = prior.map(|prior| machines(prior, provider)).transpose()?.unwrap_or_default();
        before.retain(|name, _| recorded.keys().any(|host| host.as_str() == name));
        Ok(Addresses { before, declared: machines(planned, provider)? })
    }

    /// Refuses what mixes machines up, and says what a move takes for granted.
    pub fn check(&self, moves: Moves) -> Diagnostics {
        let mut refused: Diagnostics = match moves {
            Moves::Never => self.moves().filter_map(|moved| moved.refusal_of_member()).collect(),
            Moves::WithTheirMachine => Diagnostics::default(),
        };
        for find in [Addresses::reached_twice, Addresses::mixed_up] {
            refused = if refused.is_empty() { find(self) } else { refused };
        }
        if refused.is_empty() { look_first(self.moves()) } else { refused }
    }

    /// The same at apply, of what was unknown at plan.
    pub fn refuse(&self, moves: Moves) -> Result<(), Diagnostic> {
        let found = self.check(moves).into_iter().find(|found| found.severity == Severity::Error);
        found.map_or(Ok(()), Err)
    }

    /// Two declared hosts that SSH reaches at the same place.
    fn reached_twice(&self) -> Diagnostics {
        let (mut seen, mut diagnostics) = (BTreeMap::new(), Diagnostics::default());
        for (name, endpoint) in self.declared.iter().filter_map(|(name, machine)| Some((name, machine.ssh.as_ref()?))) {
            if let Some(other) = seen.insert(endpoint, name) {
                diagnostics.push(
                    Diagnostic::error(format!("SSH reaches {other} and {name} at the same place, {endpoint}"))
                        .detail("Both would be written onto one machine. Give each host the ssh.address, or the ssh.port, of its own machine.")
                        .at(path_of_ssh(name)),
                );
            }
        }
        diagnostics
    }

    /// One machine under two names: it would leave and join in the same apply, or one host would be written onto the machine of another.
    fn mixed_up(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for (name, machine) in &self.declared {
            let mut others = self.before.iter().filter(|(other, _)| *other != name);
            if let Some((other, same)) = others.find_map(|(other, before)| Some((other, before.is(machine)?))) {
                diagnostics.push(two_names(other, name, &same, self.declared.contains_key(other)));
            }
        }
        diagnostics
    }

    fn moves(&self) -> impl Iterator<Item = Move<'_>> {
        self.declared.iter().filter_map(|(host, now)| {
            let before = self.before.get(host)?;
            let addresses = before.primary.zip(now.primary).filter(|(before, now)| before != now);
            let ways = || before.ssh.as_ref().zip(now.ssh.as_ref()).filter(|(before, now)| before != now);
            let way = addresses.map(|(before, now)| Way::Address(before, now));
            Some(Move { host, way: way.or_else(|| ways().map(|(before, now)| Way::Ssh(before, now)))? })
        })
    }

    /// Before anything is changed: each host that moved has what the last apply left on it. A machine without a record was set up
    /// again, where it has the same address; else it is another one.
    pub async fn refuse_other_machines(&self, fleet: &Fleet, found: &BTreeMap<HostName, Inventory>) -> Result<(), Diagnostic> {
        for moved in self.moves() {
            let Some((name, inventory)) = found.iter().find(|(name, _)| name.as_str() == moved.host) else { continue };
            if inventory.records.contains_key(&fleet.owner.name) {
                continue;
            }
            let Some(machine) = fleet.machines.get(name) else { continue };
            let primary = self.declared.get(moved.host).and_then(|machine| machine.primary);
            let facts = machine.facts(&Wanted::default()).await.map_err(|error| machine_error(&error))?;
            let is_at_its_address = primary.is_some_and(|address| facts.interface_of(address).is_some());
            if !(moved.keeps_its_address() && is_at_its_address) {
                return Err(moved.refusal_of_other_machine());
            }
        }
        Ok(())
    }
}

fn machines(value: &Value, provider: &Field<Ssh>) -> Result<BTreeMap<String, Machine>, Diagnostic> {
    let Place { hosts, ssh } = decode(value)?;
    let address = |field: &Field<String>| field.known().and_then(|text| text.parse().ok());
    let machine = |(name, host): (&String, &Field<crate::hosts::HostConfig>)| {
        let machine = host.known().map(|host| Machine {
            primary: address(&host.address),
            secondary: address(&host.secondary_address),
            ssh: ssh::endpoint(&host.address, &host.ssh, &[&ssh, provider]),
        });
        (name.clone(), machine.unwrap_or_default())
    };
    Ok(hosts.known().into_iter().flatten().map(machine).collect())
}

impl Machine {
    /// SSH goes to the same place, or the primary address of one is an address of the other; a secondary address may move alone.
    fn is<'a>(&self, other: &'a Machine) -> Option<Same<'a>> {
        if self.has(other.primary) || other.has(self.primary) {
            return Some(Same::Address);
        }
        other.ssh.as_ref().filter(|ssh| self.ssh.as_ref() == Some(*ssh)).map(Same::Ssh)
    }

    fn has(&self, address: Option<IpAddr>) -> bool {
        address.is_some() && [self.primary, self.secondary].contains(&address)
    }
}

fn path_of_ssh(host: &str) -> AttributePath {
    AttributePath::attribute("hosts").key(host).then("ssh").then("address")
}

fn two_names(before: &str, now: &str, same: &Same<'_>, before_stays: bool) -> Diagnostic {
    let path = match same {
        Same::Address => AttributePath::attribute("hosts").key(now).then("address"),
        Same::Ssh(_) => path_of_ssh(now),
    };
    let (summary, detail) = match (same, before_stays) {
        (Same::Address, true) => (
            format!("{now} takes the address of {before}"),
            format!(
                "The last apply set this machine up as {before}, and a machine keeps its name. Give {now} its own address; if the machines \
                 did change places, take both out of hosts, apply, then add them again."
            ),
        ),
        (Same::Ssh(endpoint), true) => (
            format!("SSH would reach {now} at {endpoint}, where the last apply reached {before}"),
            format!(
                "{now} would be written onto the machine of {before}. Give {now} the ssh.address of its own machine. If the machines did \
                 change their SSH addresses, write them in another way, such as by their DNS names: apply asks each machine which host it \
                 is before it changes anything."
            ),
        ),
        (_, false) => (
            format!("{before} and {now} are the same machine"),
            format!(
                "The last apply set this machine up as {before}: it cannot leave under one name and join under another in the same apply. \
                 Keep the name {before}, or take it out of hosts, apply, and then add {now}."
            ),
        ),
    };
    Diagnostic::error(summary).detail(detail).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `address`, `secondary_address`, `ssh.address`: an empty one is null, `?` is unknown.
    type Host<'a> = (&'a str, &'a str, &'a str, &'a str);

    fn hosts(all: &[Host]) -> Value {
        let value = |text: &str| match text {
            "" => Value::Null,
            "?" => Value::Unknown,
            text => text.into(),
        };
        let host = |(name, address, secondary, ssh): &Host| {
            let ssh = Value::object([("address", value(ssh)), ("port", Value::Null), ("user", Value::Null)]);
            let host = [
                ("address", value(address)),
                ("secondary_address", value(secondary)),
                ("architecture", Value::Null),
                ("ssh", ssh),
            ];
            (name.to_string(), Value::object(host))
        };
        Value::object([("hosts", Value::Map(all.iter().map(host).collect())), ("ssh", Value::Null)])
    }

    const BEFORE: [Host; 3] =
        [("a", "192.0.2.1", "", "s1.example"), ("b", "192.0.2.2", "2001:db8::2", ""), ("gone", "192.0.2.9", "", "s9.example")];

    #[track_caller]
    fn check_values(prior: &Value, declared: &Value, provider: &Field<Ssh>, expect: [&[&str]; 2]) {
        let recorded = ["a", "b"].map(|name| (HostName::literal(name), Manifest::default())).into();
        let addresses = Addresses::of(Some(prior), &recorded, declared, provider).unwrap();
        for (moves, expect) in [Moves::WithTheirMachine, Moves::Never].into_iter().zip(expect) {
            let found: Vec<String> = addresses
                .check(moves)
                .iter()
                .map(|found| format!("{}: {}", found.path.clone().unwrap_or_default(), found.summary))
                .collect();
            assert_eq!(found, expect);
        }
    }

    /// What a node group says, and what a cluster does.
    #[track_caller]
    fn check(declared: &[Host], expect: [&[&str]; 2]) {
        check_values(&hosts(&BEFORE), &hosts(declared), &Field::Null, expect);
    }

    #[test]
    fn a_host_keeps_its_machine() {
        check(&BEFORE[..2], [&[], &[]]);
        check(&[("a", "192.0.2.1", "2001:db8::1", "S1.example."), ("b", "192.0.2.2", "", "")], [&[], &[]]);
        check(&[("a", "192.0.2.1", "", "s1.example"), ("c", "192.0.2.3", "", "")], [&[], &[]]);
        check(&[("a", "?", "", "?"), ("b", "192.0.2.2", "?", "?")], [&[], &[]]);
        check(
            &[("a", "192.0.2.7", "", "")],
            [
                &["hosts[\"a\"].address: a moves from 192.0.2.1 to 192.0.2.7"],
                &["hosts[\"a\"].address: a cannot move from 192.0.2.1 to 192.0.2.7"],
            ],
        );
    }

    #[test]
    fn a_machine_keeps_its_name() {
        let renamed: &[&str] = &["hosts[\"c\"].address: b and c are the same machine"];
        check(&[BEFORE[0], ("c", "192.0.2.2", "", "")], [renamed, renamed]);
        check(&[BEFORE[0], ("c", "2001:db8::2", "192.0.2.77", "")], [renamed, renamed]);
        check(&[BEFORE[0], ("c", "192.0.2.77", "2001:db8::2", "")], [&[], &[]]);
        check(
            &[("a", "192.0.2.2", "", ""), ("b", "192.0.2.1", "", "")],
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
    fn a_machine_is_where_ssh_goes() {
        let swapped: &[&str] = &[
            "hosts[\"a\"].ssh.address: SSH would reach a at 192.0.2.2, where the last apply reached b",
            "hosts[\"b\"].ssh.address: SSH would reach b at s1.example, where the last apply reached a",
        ];
        check(&[("a", "192.0.2.1", "", "192.0.2.2"), ("b", "192.0.2.2", "", "s1.example")], [swapped, swapped]);
        let renamed: &[&str] = &["hosts[\"c\"].ssh.address: a and c are the same machine"];
        check(&[BEFORE[1], ("c", "192.0.2.3", "", "S1.EXAMPLE")], [renamed, renamed]);
        let twice: &[&str] = &["hosts[\"d\"].ssh.address: SSH reaches c and d at the same place, s3.example"];
        check(&[("c", "192.0.2.3", "", "s3.example"), ("d", "192.0.2.4", "", "s3.example")], [twice, twice]);
        let moved: &[&str] = &["hosts: SSH takes another way to a and b"];
        check(&[("a", "192.0.2.1", "", ""), ("b", "192.0.2.2", "", "s2.example")], [moved, moved]);
    }

    #[test]
    fn the_way_of_a_whole_resource_counts_and_that_of_the_provider_block_too() {
        let ssh = |port: u16, jump: &str| Ssh {
            port: Field::Known(port),
            jump_host: Field::Known(crate::ssh::JumpHost { address: Field::Known(jump.into()), ..Default::default() }),
            ..Ssh::default()
        };
        let with = |hosts: &Value, ssh: Ssh| {
            let mut value = hosts.clone();
            value.set("ssh", schema::encode(&ssh));
            value
        };
        let same = hosts(&BEFORE[..2]);
        let moved: &[&str] = &["hosts: SSH takes another way to a and b"];
        check_values(&hosts(&BEFORE), &with(&same, ssh(22, "bastion.example")), &Field::Null, [moved, moved]);
        let before = with(&hosts(&BEFORE), ssh(22, "bastion.example"));
        check_values(&before, &same, &Field::Known(ssh(22, "bastion.example")), [&[], &[]]);
        check_values(&before, &same, &Field::Known(ssh(2022, "bastion.example")), [moved, moved]);
        check_values(&before, &same, &Field::Unknown, [&[], &[]]);
    }

    #[test]
    fn a_host_with_nothing_on_it_holds_no_address() {
        check(&[BEFORE[0], ("c", "192.0.2.9", "", "s9.example")], [&[], &[]]);
    }
}
