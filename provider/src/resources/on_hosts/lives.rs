//! Which life of a resource it is: its name says whose a host is, its `uid` tells it from those that had the name before and after, its
//! `holder` which entry of a state has it. Why stands in docs/adr/0029-uid-of-what-is-created-again.md and
//! docs/adr/0053-a-create-that-goes-on-takes-over.md. Pure.

use bundle::{HostList, HostName};
use machines::{Incarnation, Inventory, Owner, Record, Uid};
use schema::{Attribute, AttributePath, Diagnostic, Value};
use std::collections::{BTreeMap, BTreeSet};

pub const UID: &str = "uid";
pub const HOLDER: &str = "holder";

pub fn attributes() -> [Attribute; 2] {
    [uid_attribute(), holder_attribute()]
}

fn holder_attribute() -> Attribute {
    Attribute::string(HOLDER).computed().never_null().describe(format!(
        "Drawn by each create, also by one that goes on with what an earlier one left, and kept on each host: a state that had it before \
         changes and removes nothing any more. `{}` is of states from before there were any.",
        Uid::NIL
    ))
}

fn uid_attribute() -> Attribute {
    Attribute::string(UID).computed().never_null().describe(format!(
        "Drawn when the resource is created and written into its record on each host: what is created again under the same name has \
         another, so that no older state changes or removes it. `{}` is what was created before there were any.",
        Uid::NIL
    ))
}

/// Of a state: `UID` or `HOLDER`.
pub fn of(state: &Value, attribute: &str) -> Uid {
    state.get(attribute).as_str().and_then(|text| Uid::parse(text).ok()).unwrap_or_default()
}

/// What a create goes on with: the uid in records that an earlier one left, such as one that was cut off or whose state is lost.
///
/// # Errors
/// When hosts have records of several lives.
pub fn adopted(owner: &Owner, found: &BTreeMap<HostName, Inventory>) -> Result<Option<Uid>, Diagnostic> {
    let mut hosts: BTreeMap<Uid, BTreeSet<HostName>> = BTreeMap::new();
    for (host, inventory) in found {
        if let Some(record) = inventory.records.get(owner) {
            hosts.entry(record.uid()).or_default().insert(host.clone());
        }
    }
    if hosts.len() > 1 {
        return Err(several(owner, &hosts));
    }
    Ok(hosts.into_keys().next())
}

/// A create found it on its hosts, and this state has it now.
pub fn adoption(owner: &Incarnation) -> Diagnostic {
    Diagnostic::warning(format!("{owner} was on its hosts already, and is in this state now")).detail(format!(
        "A create goes on with what is there (uid {}), as after one that was cut off or when a state is lost. Nothing that it stored was \
         replaced. A state that had it before can no longer change or destroy it. If this was to be a replacement, \
         create_before_destroy stands in its way, here or on what depends on this: take it off, and replace again.",
        owner.uid
    ))
}

/// Another entry of a state has what is on these hosts.
pub fn taken_over(owner: &Incarnation, hosts: &[&HostName]) -> (String, String) {
    let summary = format!("{owner} on {} was taken over from this state", names(hosts.iter().copied()));
    let detail = format!(
        "Another entry of a state has it: a create went on with what it found there, as after a lost state, or in a replacement with \
         create_before_destroy, where an engine creates the new object on the hosts of the old one. Since then this one (holder {}) \
         changes and removes nothing there.",
        owner.holder
    );
    (summary, detail)
}

/// Of an apply.
pub fn refusal_of_taken_over((summary, detail): (String, String)) -> Diagnostic {
    Diagnostic::error(summary)
        .detail(format!(
            "{detail} Nothing was changed on any host.\n\n\
             If the other state is to keep it, take the resource out of this one (`terraform state rm` or `tofu state rm`). If this one is \
             to have it, take it out of both, and apply it here by itself (`-target`): a create goes on with what it finds."
        ))
        .at(AttributePath::attribute(HOLDER))
}

/// Of a destroy, which is done with that: what this entry of a state had is another's.
///
/// `rest` are hosts of this entry that do not say so.
pub fn nothing_removed(owner: &Owner, (summary, detail): (String, String), rest: &[&HostName]) -> Diagnostic {
    let also = match rest {
        [] => String::new(),
        rest => format!(
            "\n\nNothing was removed from {} either. If the other one does not have that, clean it as root there:\n\n{}",
            names(rest.iter().copied()),
            super::foreign::cleaning(owner)
        ),
    };
    Diagnostic::warning(format!("nothing was removed: {summary}")).detail(format!(
        "{detail} It runs on, and is gone from this state only. To destroy it, use the state that has it. To replace it, take \
         create_before_destroy off it and off what depends on it, and replace again: the old one is destroyed first then.{also}"
    ))
}

/// Hosts carry what was created under the same name by somebody else, or after the state was written.
pub fn other_life(owner: &Incarnation, hosts: &BTreeMap<&HostName, &Uid>) -> (String, String) {
    let carry = if hosts.len() == 1 { "carries" } else { "carry" };
    let summary = format!("{} {carry} another {owner} than this state knows", names(hosts.keys().copied()));
    let found: BTreeSet<&&Uid> = hosts.values().collect();
    let found: Vec<String> = found.into_iter().map(|uid| described(uid)).collect();
    let detail = format!(
        "In this state {owner} has uid {}; the records there name {}. What is there was created after this state was written, or from \
         another state.\n\n\
         Where a state knows what is there, use that one: select its workspace or backend, or restore it from a backup.\n\
         If no state has it any more and this configuration is to go on with it, take the resource out of this state (`terraform state rm` \
         or `tofu state rm`) and apply that resource by itself (`-target`): a create goes on with what it finds.\n\
         If this state is of no use any more, take the resource out of it and leave the hosts as they are.",
        described(&owner.uid),
        found.join(", ")
    );
    (summary, detail)
}

/// Whether the host has data of this very resource, or units of it that came up, from before it was in this state.
pub fn ran(owner: &Owner, found: &Inventory) -> bool {
    let has_data = |record: &Record| record.directories.iter().any(|path| found.filled.contains(path));
    found.records.get(owner).is_some_and(|record| has_data(record) || !record.started.is_empty())
}

fn several(owner: &Owner, hosts: &BTreeMap<Uid, BTreeSet<HostName>>) -> Diagnostic {
    let lines: String = hosts.iter().map(|(uid, hosts)| format!("  {}: uid {}\n", names(hosts.iter()), described(uid))).collect();
    Diagnostic::error(format!("hosts carry different ones that are called {owner}")).detail(format!(
        "{lines}\nA create goes on with what it finds, and can only go on with one. Nothing was changed on any host. Destroy those that are not \
         wanted with the states that made them, or clean their hosts as root there:\n\n{}",
        super::foreign::cleaning(owner)
    ))
}

fn described(uid: &Uid) -> String {
    if uid.is_nil() { format!("{uid} (from before there were any)") } else { uid.to_string() }
}

fn names<'a>(hosts: impl Iterator<Item = &'a HostName>) -> HostList {
    HostList(hosts.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner::parse("k8s_lb_vrrp.api").unwrap()
    }

    fn found(hosts: &[(&str, &str)]) -> BTreeMap<HostName, Inventory> {
        let inventory = |uid: &str| {
            let identity = if uid.is_empty() { BTreeMap::new() } else { [(UID.to_string(), uid.to_string())].into() };
            let records = [(owner(), Record { identity, ..Record::default() })];
            Inventory { records: records.into(), ..Inventory::default() }
        };
        hosts.iter().map(|(host, uid)| (HostName::literal(host), inventory(uid))).collect()
    }

    #[test]
    fn only_what_has_data_or_ever_ran_makes_a_create_an_adoption() {
        let path = || bundle::HostPath::literal("/var/lib/etcd");
        let found = |record: Record, is_filled: bool| Inventory {
            records: [(owner(), record)].into(),
            filled: is_filled.then(path).into_iter().collect(),
            ..Inventory::default()
        };
        let with_directory = || Record { directories: [path()].into(), ..Record::default() };
        let with_unit = Record { started: [bundle::UnitName::literal("a.service")].into(), ..Record::default() };
        assert!(ran(&owner(), &found(with_directory(), true)) && ran(&owner(), &found(with_unit, false)));
        assert!(!ran(&owner(), &found(with_directory(), false)) && !ran(&owner(), &found(Record::default(), true)));
        assert!(!ran(&Owner::parse("k8s_lb_vrrp.b").unwrap(), &found(with_directory(), true)));
    }

    #[test]
    fn a_create_goes_on_with_the_one_uid_that_is_there() {
        let (a, b) = (Uid::of_random([1; 16]), Uid::of_random([2; 16]));
        assert_eq!(adopted(&owner(), &found(&[])), Ok(None));
        assert_eq!(adopted(&owner(), &found(&[("h1", a.as_str()), ("h2", a.as_str())])), Ok(Some(a.clone())));
        assert_eq!(adopted(&owner(), &found(&[("h1", "")])), Ok(Some(Uid::default())));
        assert_eq!(adopted(&Owner::parse("k8s_lb_vrrp.b").unwrap(), &found(&[("h1", a.as_str())])), Ok(None));
        let refused = adopted(&owner(), &found(&[("h1", a.as_str()), ("h2", b.as_str()), ("h3", "")])).unwrap_err();
        assert_eq!(refused.summary, "hosts carry different ones that are called k8s_lb_vrrp.api");
        for part in [
            format!("h1: uid {a}"),
            format!("h2: uid {b}"),
            "h3: uid 0000".into(),
            "sh /var/lib/k8s-hardway/remove k8s_lb_vrrp.api".into(),
        ] {
            assert!(refused.detail.contains(&part), "{part} is not in {}", refused.detail);
        }
    }
}
