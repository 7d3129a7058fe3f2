//! What the last refresh found, as data: a plan takes it from there, and so can a policy. People read the lines of `drift`. Pure.

use bundle::{Difference, Finding, HostList, HostName};
use schema::{Attribute, Nesting, Value};
use serde::Deserialize;
use std::collections::BTreeMap;

pub const DIFFERENCES: &str = "differences";

/// Host by host. No host is in it on which nothing differs.
pub type Drift = BTreeMap<HostName, Vec<Difference>>;

pub fn attribute() -> Attribute {
    let attributes = vec![
        Attribute::string("hosts").computed().describe("The hosts on which it was found, four or more in a row as a range: `cp-1` or `node-[001-300]`."),
        Attribute::string("kind").computed().describe("`file`, `program`, `unit` (of systemd), `module` (of the kernel), `sysctl`, `node`, `kubelet`, `label`, `annotation`, `taint` or `provider_id` (of the node)."),
        Attribute::string("name").computed().describe("The path, name or key; of a taint with its effect, `dedicated:NoSchedule`. Null for `node` and `kubelet`."),
        Attribute::string("problem").computed().describe(
            "`missing`; `content`, `mode` or `owner` of a file, each an object of its own; `not_installed` or `replaced` for a program; `unknown_to_systemd`, \
             `not_running`, `not_enabled`, `older_configuration` (it runs with one), `unproven` (nobody has seen it healthy with its configuration) or \
             `unread` (new files that it reads by itself, and nobody has seen it do so) for a unit; `not_loaded` for a module; `value` for a sysctl or the version of \
             a kubelet; `other_value` or `no_longer_declared` for a label, annotation or taint; `not_registered` or `left_cordoned` (by an apply that ended early) for a node.",
        ),
        Attribute::string("found").computed().describe("What was found: a mode, an owner, a value, or of a unit that does not run its state. Null where it adds nothing, and for labels, annotations and taints, whose values may be sensitive."),
        Attribute::string("declared").computed().describe("What should be in its place. Null where `found` is, and for a unit."),
    ];
    Attribute::nested(DIFFERENCES, Nesting::List, attributes).computed().never_null().describe(
        "What `drift` says, as data: one object for each difference, with all the hosts that have it. A policy that reads the plan in JSON finds there what was \
         changed from outside. A plan sets it to empty; apply repairs it.",
    )
}

/// As the state has it.
#[derive(Clone, Deserialize)]
pub struct Row {
    hosts: String,
    kind: String,
    name: Option<String>,
    problem: String,
    found: Option<String>,
    declared: Option<String>,
}

/// Equal ones stand once.
pub fn to_value(drift: &Drift) -> Value {
    let mut hosts: BTreeMap<Finding, Vec<&HostName>> = BTreeMap::new();
    for (host, differences) in drift {
        differences.iter().flat_map(Difference::findings).for_each(|finding| hosts.entry(finding).or_default().push(host));
    }
    Value::List(hosts.into_iter().map(|(finding, hosts)| object(finding, hosts)).collect())
}

fn object(finding: Finding, mut hosts: Vec<&HostName>) -> Value {
    hosts.sort_by(|one, other| one.by_number(other));
    let hosts: HostList = hosts.into_iter().cloned().collect();
    let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
    Value::object([
        ("hosts", hosts.to_string().into()),
        ("kind", finding.kind.into()),
        ("name", text(finding.name)),
        ("problem", finding.problem.into()),
        ("found", text(finding.found)),
        ("declared", text(finding.declared)),
    ])
}

/// What rows say. `None` when one of them is none that [`to_value`] writes.
pub fn from_rows(rows: &[Row]) -> Option<Drift> {
    let mut findings: BTreeMap<HostName, Vec<Finding>> = BTreeMap::new();
    for row in rows {
        let HostList(hosts) = row.hosts.parse().ok()?;
        hosts.into_iter().for_each(|host| findings.entry(host).or_default().push(row.finding()));
    }
    findings.into_iter().map(|(host, findings)| Some((host, Finding::differences(&findings)?))).collect()
}

impl Row {
    fn finding(&self) -> Finding {
        let Row { kind, name, problem, found, declared, .. } = self.clone();
        Finding { kind, name, problem, found, declared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::{Instead, Item, What};

    #[test]
    fn what_several_hosts_have_alike_is_one_row_and_reads_back() {
        let kubelet = Instead { found: "1.35.4".into(), declared: "1.36.3".into() };
        let of_all = Difference { item: Item::Kubelet, what: What::Value(kubelet) };
        let of_one = Difference { item: Item::Label("pool".into()), what: What::OtherValue };
        let names: Vec<HostName> = (1..=12).map(|number| HostName::literal(&format!("worker-{number}"))).collect();
        let mut drift: Drift = names.iter().map(|name| (name.clone(), vec![of_all.clone()])).collect();
        drift.values_mut().last().unwrap().push(of_one);
        let value = to_value(&drift);
        let hosts: Vec<&str> = value.as_list().unwrap().iter().filter_map(|row| row.get("hosts").as_str()).collect();
        assert_eq!(hosts, ["worker-[1-12]", "worker-9"]);
        let rows: Vec<Row> = value.as_list().unwrap().iter().map(|row| schema::decode(row).unwrap()).collect();
        assert_eq!(from_rows(&rows), Some(drift));
        let mut wrong = rows;
        wrong[0].problem = "eaten".into();
        assert_eq!(from_rows(&wrong), None);
    }
}
