//! Certificates that programs read again by themselves: a new one is one file on each host, no unit restarts for it, and the apply waits
//! until it is served.

use super::engine::Plan;
use super::host_versions::as_version_0;
use super::rows::{ROWS, row};
use super::{Stage, complete, contents};
use crate::fakes::{FakeUnit, Fault, Moment};
use bundle::{Digest, HostName, HostPath, UnitName};
use render::component::{API_SERVER, ETCD};
use schema::Value;
use std::collections::{BTreeMap, BTreeSet};

const CLUSTER: &str = "k8s_hardway_cluster";
const CERTIFICATE: &str = "/etc/kubernetes/pki/apiserver.crt";
const HOSTS: [&str; 3] = ["cp-1", "cp-2", "cp-3"];

impl Stage {
    /// The configuration of the cluster with the `bundle` of a pki that has one more name among its endpoints: as the plan of the
    /// pki has it, and as its apply leaves it.
    pub(super) async fn with_one_more_name(&mut self) -> (Value, Value) {
        let mut pki = complete(self.engine.schema("k8s_pki"), &(ROWS[0].config)(&self.states));
        pki.set("endpoints", vec!["api.demo.internal", "192.0.2.100", "api.example.net"].into());
        self.with_pki(&pki).await
    }

    pub(super) async fn with_pki(&mut self, pki: &Value) -> (Value, Value) {
        let prior = self.states["k8s_pki"].clone();
        let prior = self.engine.refresh("k8s_pki", &prior).await.state;
        let planned = self.engine.plan("k8s_pki", &prior, pki).await.planned;
        let applied = self.engine.apply("k8s_pki", &prior, pki, &planned).await;
        assert_eq!(applied.errors, Vec::<String>::new());
        let with = |bundle: &Value| {
            let mut config = self.config.clone();
            config.set("pki", bundle.clone());
            config
        };
        (with(planned.get("bundle")), with(applied.state.get("bundle")))
    }

    fn unit(&self, host: &str, unit: &UnitName) -> FakeUnit {
        self.world.change_host(host, |memory| memory.units[unit].clone())
    }

    /// Whether the API server of the host serves what its file holds.
    fn serves(&self, host: &str) -> bool {
        let path = HostPath::literal(CERTIFICATE);
        let file = self.world.change_host(host, |memory| memory.files[&path].content.clone());
        self.unit(host, &API_SERVER.unit()).holds[&path] == file
    }
}

async fn cluster() -> (Stage, Value) {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let state = stage.engine.refresh(CLUSTER, &state).await.state;
    stage.world.arm(None);
    (stage, state)
}

fn steps(value: &Value) -> Vec<&str> {
    value.get("rollout").as_list().unwrap().iter().filter_map(Value::as_str).collect()
}

fn lines(value: &Value) -> BTreeMap<(String, String), Value> {
    let of_host = |(host, lines): (String, BTreeMap<String, Value>)| {
        lines.into_iter().map(|(item, line)| ((host.clone(), item), line)).collect::<Vec<_>>()
    };
    contents(value).into_iter().flat_map(of_host).collect()
}

/// The certificate of each API server, three waits, and nothing else.
#[track_caller]
fn is_one_file_on_each_host(state: &Value, plan: &Plan) {
    let (before, after) = (lines(state), lines(&plan.planned));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let changed: Vec<_> = after.iter().filter(|(key, line)| before[*key] != **line).map(|(key, _)| key.clone()).collect();
    assert_eq!(changed, HOSTS.map(|host| (host.to_string(), CERTIFICATE.to_string())));
    let (write, wait) =
        (format!("write {CERTIFICATE} (content differs)"), "wait until kube-apiserver.service serves its new certificate");
    let turns = "cp-1, cp-2, cp-3, one at a time";
    assert_eq!(steps(&plan.planned), [format!("{turns} (1 of 2): {write}"), format!("{turns} (2 of 2): {wait}")]);
    assert_eq!(plan.warnings, Vec::<String>::new(), "it disrupts nothing");
    let others = |value: &Value| {
        let mut value = value.clone();
        ["host_contents", "rollout", "steps", "pki"].into_iter().for_each(|name| value.set(name, Value::Null));
        value
    };
    assert_eq!(others(state), others(&plan.planned), "join, and with it every node group, stays");
}

#[tokio::test]
async fn one_more_name_is_one_file_on_each_host_and_nothing_restarts() {
    let (mut stage, state) = cluster().await;
    let (planned, applied) = stage.with_one_more_name().await;
    let since = |stage: &Stage| HOSTS.map(|host| stage.unit(host, &API_SERVER.unit()).since);
    let (before, started) = (lines(&state), since(&stage));
    // The certificate is unknown at plan, and known in a plan after the apply of the pki alone.
    let plan = stage.engine.plan(CLUSTER, &state, &planned).await;
    is_one_file_on_each_host(&state, &plan);
    let known = stage.engine.plan(CLUSTER, &state, &applied).await;
    is_one_file_on_each_host(&state, &known);
    let unknown = lines(&plan.planned).values().filter(|line| line.is_unknown()).count();
    assert_eq!((unknown, lines(&known.planned).values().filter(|line| line.is_unknown()).count()), (3, 0));

    stage.world.arm(None);
    let done = stage.engine.apply(CLUSTER, &state, &applied, &plan.planned).await;
    assert_eq!(done.errors, Vec::<String>::new());
    let calls = HOSTS.map(|host| ["push", "check", "prune", "note stamps"].map(|call| format!("{host}: {call}"))).concat();
    assert_eq!(stage.world.calls(), calls);
    assert_eq!((HOSTS.map(|host| stage.serves(host)), since(&stage)), ([true; 3], started));
    let certificate = ("cp-1".to_string(), CERTIFICATE.to_string());
    assert_ne!(lines(&done.state)[&certificate], before[&certificate]);
    stage.settled(&done.state, &applied, "with one more name").await;
}

#[tokio::test]
async fn a_certificate_that_is_not_read_again_stops_at_the_first_host_and_the_next_apply_restarts_its_unit() {
    let (mut stage, state) = cluster().await;
    let (_, config) = stage.with_one_more_name().await;
    stage.world.change_host("cp-1", |host| host.is_blind = true);
    stage.world.arm(None);
    let planned = stage.engine.plan(CLUSTER, &state, &config).await.planned;
    let failed = stage.engine.apply(CLUSTER, &state, &config, &planned).await;
    let error = failed.errors.join("\n");
    for text in [
        "kube-apiserver.service on cp-1 does not serve its new certificate after 120 s",
        "/etc/kubernetes/pki/apiserver.crt is in place, and it still serves another one",
        "the next plan restarts it",
        "0 of 3 hosts are done; cp-2, cp-3 were not touched.",
    ] {
        assert!(error.contains(text), "{text:?} is not in: {error}");
    }
    assert!(!stage.serves("cp-1"));
    assert!(stage.world.calls().iter().all(|call| call.starts_with("cp-1: ")), "{:?}", stage.world.calls());

    let refreshed = stage.engine.refresh(CLUSTER, &failed.state).await.state;
    let plan = stage.engine.plan(CLUSTER, &refreshed, &config).await;
    let restarts: Vec<_> = steps(&plan.planned).into_iter().filter(|step| step.contains(": restart ")).collect();
    assert_eq!(restarts, ["cp-1: restart kube-apiserver.service (not seen healthy with its configuration)"]);
    let mended = stage.engine.apply(CLUSTER, &refreshed, &config, &plan.planned).await;
    assert_eq!(mended.errors, Vec::<String>::new());
    assert_eq!(HOSTS.map(|host| stage.serves(host)), [true; 3]);
    stage.settled(&mended.state, &config, "after a restart").await;
}

/// As a kill leaves it, with the state from before; and as an error leaves it.
#[tokio::test]
async fn what_is_cut_off_between_the_file_and_its_gate_is_in_the_next_plan() {
    for fault in [Fault::Die(Moment::After), Fault::Fail(Moment::Before)] {
        let (mut stage, state) = cluster().await;
        let (_, config) = stage.with_one_more_name().await;
        let planned = stage.engine.plan(CLUSTER, &state, &config).await.planned;
        let is_killed = matches!(fault, Fault::Die(_));
        // The push of cp-1, or the first call after its gate.
        stage.world.arm(Some((fault, if is_killed { 1 } else { 3 })));
        let cut_off = stage.engine.apply(CLUSTER, &state, &config, &planned).await;
        assert_ne!(cut_off.errors, Vec::<String>::new());
        let left = if is_killed { state } else { cut_off.state };
        stage.world.arm(None);
        stage.engine.configure().await;
        let refreshed = stage.engine.refresh(CLUSTER, &left).await.state;
        let drift = refreshed.get("drift").get("cp-1").as_list().unwrap();
        let is_unread = |line: &Value| line.as_str() == Some("kube-apiserver.service: not yet seen to read its new files");
        assert!(drift.iter().any(is_unread), "{drift:?}");
        let plan = stage.engine.plan(CLUSTER, &refreshed, &config).await;
        let of_first: Vec<_> = steps(&plan.planned).into_iter().filter(|step| step.starts_with("cp-1")).collect();
        let wait = ": wait until kube-apiserver.service serves its new certificate";
        assert!(of_first.last().is_some_and(|step| step.ends_with(wait)), "{of_first:?}");
        assert!(is_killed || of_first.len() == 1, "{of_first:?}");
        let done = stage.engine.apply(CLUSTER, &refreshed, &config, &plan.planned).await;
        assert_eq!(done.errors, Vec::<String>::new());
        let calls = stage.world.calls();
        assert!(!calls.iter().any(|call| call.contains("Restart")), "{calls:?}");
        assert_eq!(calls.first().map(String::as_str), Some("cp-1: note stamps"), "{calls:?}");
        stage.settled(&done.state, &config, "after a cut-off").await;
    }
}

#[tokio::test]
async fn a_renewal_of_all_leaves_restarts_those_only_that_read_a_kubeconfig() {
    let (mut stage, state) = cluster().await;
    stage.world.advance(time::Duration::hours(8_760 - 600));
    let pki = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    let (planned, config) = stage.with_pki(&pki).await;
    let plan = stage.engine.plan(CLUSTER, &state, &planned).await.planned;
    let restarts: BTreeSet<&str> = steps(&plan)
        .into_iter()
        .filter_map(|step| step.split_once(": restart ")?.1.split_once(" (").map(|(units, _)| units))
        .flat_map(|units| units.split(", "))
        .collect();
    let controllers = ["k8s-csr-approver", "k8s-pod-routes", "k8s-pod-shares", "kube-controller-manager", "kube-scheduler"];
    assert_eq!(restarts, controllers.map(|name| format!("{name}.service")).iter().map(String::as_str).collect());
    for unit in ["etcd.service", "kube-apiserver.service"] {
        let wait = format!("wait until {unit} serves its new certificate");
        let is_on_all = |step: &str| step.starts_with("cp-1, cp-2, cp-3, one at a time ") && step.ends_with(&wait);
        assert!(steps(&plan).into_iter().any(is_on_all), "{wait}: {:#?}", steps(&plan));
    }
    let since = stage.unit("cp-1", &ETCD.unit()).since;
    let done = stage.engine.apply(CLUSTER, &state, &config, &plan).await;
    assert_eq!((done.errors, stage.unit("cp-1", &ETCD.unit()).since), (vec![], since));
    stage.settled(&done.state, &config, "after a renewal").await;
}

/// As earlier versions counted, on hosts: over everything that a unit reads.
fn count_everything(stage: &Stage, state: &Value) {
    for (host, lines) in contents(state) {
        let digest = |path: &HostPath| {
            let line = lines.get(path.as_str()).and_then(Value::as_str).and_then(|line| line.split(" read by ").next());
            line.and_then(|line| line.rsplit(':').next()).map_or_else(|| Digest::of(b"").to_string(), str::to_string)
        };
        stage.world.change_host(&host, |memory| {
            for record in memory.records.values_mut() {
                for (unit, reads) in record.reads.iter().filter(|(unit, _)| lines.contains_key(unit.as_str())) {
                    let text: String = reads.keys().map(|path| format!("{path} {}\n", digest(path))).collect();
                    record.units.insert(unit.clone(), Some(Digest::of(text.as_bytes())));
                }
            }
        });
    }
}

#[tokio::test]
async fn a_cluster_of_an_earlier_version_is_taken_on_without_a_restart() {
    let (mut stage, state) = cluster().await;
    let config = stage.config.clone();
    count_everything(&stage, &state);
    let old = as_version_0(&stage, &state).to_string();
    let taken_on = stage.engine.upgrade(CLUSTER, 0, old).await;
    let line = |state: &Value, unit: &UnitName| contents(state)["cp-1"][unit.as_str()].clone();
    for unit in [ETCD.unit(), API_SERVER.unit()] {
        assert_ne!(line(&taken_on, &unit), line(&state, &unit));
    }
    let plan = stage.engine.plan(CLUSTER, &taken_on, &config).await.planned;
    assert_eq!(steps(&plan), Vec::<&str>::new());
    let earlier = stage.apply(&taken_on, &config).await;
    stage.settled(&earlier, &config, "of an earlier version").await;

    let (planned, with_name) = stage.with_one_more_name().await;
    let plan = stage.engine.plan(CLUSTER, &earlier, &planned).await;
    is_one_file_on_each_host(&earlier, &plan);
    let done = stage.engine.apply(CLUSTER, &earlier, &with_name, &plan.planned).await;
    assert_eq!(done.errors, Vec::<String>::new());
    stage.settled(&done.state, &with_name, "of an earlier version with one more name").await;

    let mut changed = with_name;
    changed.set("api_server", Value::object([("flags", Value::object([("v", "4".into())]))]));
    let changed = complete(stage.engine.schema(CLUSTER), &changed);
    let done = stage.apply(&done.state, &changed).await;
    assert_eq!(line(&done, &ETCD.unit()), line(&earlier, &ETCD.unit()), "etcd was restarted");
    assert_ne!(line(&done, &API_SERVER.unit()), line(&earlier, &API_SERVER.unit()));
    stage.settled(&done, &changed, "after the first restart").await;
    let host = HostName::literal("cp-1");
    assert!(stage.world.memory().hosts[&host].units.values().all(|unit| unit.active_state == "active"));
}
