//! Equal steps are one run, whose line and facts are those of each of them.

use bundle::{Disruption, HostName, HostPath, UnitName};
use rollout::{Cause, Gate, Step, runs};

fn names(count: usize) -> Vec<HostName> {
    (1..=count).map(|number| HostName::literal(&format!("node-{number:03}"))).collect()
}

fn restart(host: &HostName, file: &str) -> Step {
    Step::Restart {
        host: host.clone(),
        units: vec![UnitName::literal("kubelet.service")],
        because: vec![Cause::Changed(HostPath::literal(file))],
        disrupts: Disruption::RestartsNodeComponent,
    }
}

fn ready(host: &HostName) -> Step {
    Step::Gate { host: Some(host.clone()), gate: Gate::NodeReady { host: host.clone() } }
}

fn parallel(hosts: &[HostName], step: impl Fn(&HostName) -> Step) -> Step {
    Step::Parallel(hosts.iter().map(step).collect())
}

fn lines(steps: &[Step]) -> Vec<String> {
    runs(steps).iter().map(ToString::to_string).collect()
}

#[test]
fn a_roll_is_as_long_as_that_of_one_host() {
    let roll = |host: &HostName| [restart(host, "/etc/x"), ready(host)];
    let steps: Vec<Step> = names(300).iter().flat_map(roll).collect();
    let expect = [
        "node-[001-300], one at a time (1 of 2): restart kubelet.service (/etc/x changed)",
        "node-[001-300], one at a time (2 of 2): wait until the node is Ready",
    ];
    assert_eq!(lines(&steps), expect);
    let runs = runs(&steps);
    assert_eq!(runs.iter().map(|run| (run.phase, run.at_a_time, run.count())).collect::<Vec<_>>(), [(1, 1, 300); 2]);
    assert_eq!(runs[0].unavailable(300), Some("kubelet.service on 1 of 300 hosts".into()));
    assert_eq!(
        lines(&roll(&names(1)[0])),
        ["node-001: restart kubelet.service (/etc/x changed)", "node-001: wait until the node is Ready"]
    );
}

#[test]
fn batches_are_one_run_also_if_the_last_is_smaller() {
    let all = names(25);
    let batch = |hosts: &[HostName]| [parallel(hosts, |host| restart(host, "/etc/x")), parallel(hosts, ready)];
    let mut steps = vec![Step::ApplyObjects { whose: "the cluster's own" }];
    steps.extend(all.chunks(10).flat_map(batch));
    steps.push(Step::Gate { host: None, gate: Gate::EtcdQuorum });
    let expect = [
        "apply the cluster's own objects",
        "node-[001-025], 10 at a time (1 of 2): restart kubelet.service (/etc/x changed)",
        "node-[001-025], 10 at a time (2 of 2): wait until the node is Ready",
        "wait until etcd has a quorum",
    ];
    assert_eq!(lines(&steps), expect);
    assert_eq!(runs(&steps).iter().map(|run| run.phase).collect::<Vec<_>>(), [1, 2, 2, 3]);
}

#[test]
fn what_differs_is_a_run_of_its_own() {
    let all = names(3);
    let steps = [restart(&all[0], "/etc/x"), restart(&all[1], "/etc/y"), restart(&all[2], "/etc/y")];
    let expect = [
        "node-001: restart kubelet.service (/etc/x changed)",
        "node-002, node-003, one at a time: restart kubelet.service (/etc/y changed)",
    ];
    assert_eq!(lines(&steps), expect);
    let at_once = Step::Parallel(steps.to_vec());
    let expect =
        ["node-001: restart kubelet.service (/etc/x changed)", "node-002, node-003: restart kubelet.service (/etc/y changed)"];
    assert_eq!(lines(&[at_once]), expect);
}

#[test]
fn the_same_host_again_is_no_turn_of_another() {
    let host = &names(1)[0];
    let steps = [ready(host), ready(host), ready(host)];
    assert_eq!(lines(&steps), ["node-001: wait until the node is Ready"; 3]);
}
