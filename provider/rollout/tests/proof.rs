//! When a unit that a plan starts counts as up to date.

use bundle::{Disruption, Health, HostName, UnitName};
use rollout::{Gate, Proof, Step};

fn host(name: &str) -> HostName {
    HostName::literal(name)
}

fn unit(name: &str) -> UnitName {
    UnitName::literal(name)
}

fn restart(at: &str, units: &[&str]) -> Step {
    let units = units.iter().map(|name| unit(name)).collect();
    Step::Restart { host: host(at), units, because: vec![], disrupts: Disruption::None }
}

fn gate(gate: &Gate, at: &str) -> Step {
    Step::Gate { host: Some(host(at)), gate: gate.clone() }
}

fn healthy(at: &str, units: &[&str]) -> Gate {
    Gate::UnitsHealthy { host: host(at), units: units.iter().map(|name| unit(name)).collect() }
}

#[test]
fn the_last_gate_about_a_unit_proves_it() {
    let (units, ready) = (healthy("n1", &["a.service", "b.service"]), Gate::NodeReady { host: host("n1") });
    let steps = [
        gate(&units, "n1"),
        restart("n1", &["a.service"]),
        Step::Parallel(vec![gate(&units, "n1"), gate(&ready, "n1"), gate(&healthy("n2", &["a.service"]), "n2")]),
    ];
    let mut proof = Proof::of(&steps, |_, _| Health::StaysUp);
    assert_eq!(proof.passed(&host("n1"), &units), [], "it was not started yet");
    assert_eq!(proof.started(&steps[1]), []);
    assert_eq!(proof.passed(&host("n2"), &healthy("n2", &["a.service"])), [], "of another host");
    assert_eq!(proof.passed(&host("n1"), &ready), [], "one of two");
    assert_eq!(proof.passed(&host("n1"), &units), [unit("a.service")]);
    assert_eq!(proof.passed(&host("n1"), &units), [], "only once");
}

#[test]
fn what_no_gate_is_about_is_proven_by_its_start() {
    let steps = [restart("cp-1", &["etcd.service", "x.service"]), gate(&Gate::EtcdMemberHealthy { host: host("cp-1") }, "cp-1")];
    let health = |_: &HostName, name: &UnitName| if *name == unit("etcd.service") { Health::EtcdMember } else { Health::StaysUp };
    let mut proof = Proof::of(&steps, health);
    assert_eq!(proof.started(&steps[0]), [unit("x.service")]);
    assert_eq!(proof.passed(&host("cp-1"), &Gate::EtcdMemberHealthy { host: host("cp-1") }), [unit("etcd.service")]);
}
