//! Which life of a resource it is: its name says whose a host is, its `uid` tells it from those that had the name before and after.
//! Why stands in docs/adr/0029-uid-of-what-is-created-again.md. Pure.

use bundle::{HostList, HostName};
use machines::{Incarnation, Inventory, Owner, Uid};
use schema::{Attribute, Diagnostic, Value};
use std::collections::{BTreeMap, BTreeSet};

pub const UID: &str = "uid";

pub fn attribute() -> Attribute {
    Attribute::string(UID).computed().never_null().describe(format!(
        "Drawn when the resource is created and written into its record on each host: what is created again under the same name has \
         another, so that no older state changes or removes it. `{}` is what was created before there were any.",
        Uid::NIL
    ))
}

/// Of a state.
pub fn uid(state: &Value) -> Uid {
    state.get(UID).as_str().and_then(|text| Uid::parse(text).ok()).unwrap_or_default()
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
        "A create goes on with what is there (uid {}), as after one that was cut off or when a state is lost. If another state has it as \
         well, each of the two can change and destroy it: take it out of the other one (`terraform state rm` or `tofu state rm`).",
        owner.uid
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
    use machines::Record;

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
