//! Nodes are drained before a kubelet of another minor version takes over, what an apply cordoned does not stay cordoned, and no host is
//! cleaned without a drain because a question was lost.

use super::rows::row;
use super::{Stage, complete, texts};
use crate::fakes::HostMemory;
use crate::kubernetes::KubernetesError;
use bundle::HostName;
use machines::MachineError;
use rollout::CordonedBy;
use schema::Value;

const NODES: &str = "k8s_node_group";
const BEFORE: &str = "1.35.4";
const AFTER: &str = "1.36.2";

fn of_version(stage: &Stage, version: &str) -> Value {
    let mut config = stage.config.clone();
    let mut join = config.get("cluster").clone();
    join.set("kubernetes_version", version.into());
    config.set("cluster", join);
    config.set("max_unavailable", 1.into());
    complete(stage.engine.schema(NODES), &config)
}

async fn created(version: &str) -> (Stage, Value) {
    let mut stage = Stage::of(row(NODES)).await;
    let config = of_version(&stage, version);
    let state = stage.apply(&Value::Null, &config).await;
    stage.world.arm(None);
    (stage, state)
}

fn cordoned(stage: &Stage) -> Vec<String> {
    let nodes = stage.world.memory().cluster.nodes;
    nodes.into_iter().filter(|(_, node)| node.cordoned_by.is_some()).map(|(name, _)| name).collect()
}

/// The places of calls that begin so, in their order.
fn places(stage: &Stage, prefix: &str) -> Vec<usize> {
    let calls = stage.world.calls();
    calls.iter().enumerate().filter(|(_, call)| call.starts_with(prefix)).map(|(place, _)| place).collect()
}

#[tokio::test]
async fn pods_leave_a_node_while_its_kubelet_becomes_another_minor_version() {
    let (mut stage, state) = created(BEFORE).await;
    let config = of_version(&stage, AFTER);
    let lines = stage.rollout(&state, &config).await;
    let drain = "cp-1, worker-1, worker-2, one at a time (2 of 6): drain the node (kubelet 1.35.4 instead of 1.36.2)";
    assert!(lines.iter().any(|line| line == drain), "{lines:#?}");
    let applied = stage.attempt(&state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let mut last = 0;
    for name in ["cp-1", "worker-1", "worker-2"] {
        let one = |prefix: String| {
            let all = places(&stage, &prefix);
            assert_eq!(all.len(), 1, "{prefix}: {:#?}", stage.world.calls());
            all[0]
        };
        let (cordon, uncordon) = (one(format!("cluster: cordon {name}")), one(format!("cluster: uncordon {name}")));
        let restart = places(&stage, &format!("{name}: Restart ")).pop().unwrap();
        assert!(last < cordon && cordon < restart && restart < uncordon, "{:#?}", stage.world.calls());
        last = uncordon;
    }
    assert_eq!(cordoned(&stage), Vec::<String>::new());
    stage.settled(&applied.state, &config, "of another minor version").await;
}

#[tokio::test]
async fn another_patch_drains_nobody() {
    let (mut stage, state) = created("1.36.1").await;
    let config = of_version(&stage, AFTER);
    let lines = stage.rollout(&state, &config).await;
    assert!(lines.iter().any(|line| line.contains("restart")) && !lines.iter().any(|line| line.contains("drain")), "{lines:#?}");
}

#[tokio::test]
async fn an_upgrade_that_a_disruption_budget_holds_up_goes_on_where_it_stopped() {
    let (mut stage, state) = created(BEFORE).await;
    let config = of_version(&stage, AFTER);
    stage.change_node("worker-1", |node| node.has_pod = true);
    let applied = stage.attempt(&state, &config).await;
    assert!(applied.errors[0].contains("ode worker-1 still has pods after 300 s"), "{:?}", applied.errors);
    assert!(places(&stage, "worker-1: Restart ").is_empty() && places(&stage, "worker-2: ").is_empty());
    assert_eq!(cordoned(&stage), ["worker-1"]);

    let refreshed = stage.engine.refresh(NODES, &applied.state).await.state;
    let drift = |name: &str| texts(refreshed.get("drift").get(name));
    let older = "kubelet: 1.35.4 instead of 1.36.2";
    assert!(drift("worker-2").contains(&older.to_string()), "{:?}", drift("worker-2"));
    let on_worker = drift("worker-1");
    assert!(
        on_worker.contains(&"node: left cordoned by an apply that ended early".into()) && on_worker.contains(&older.into()),
        "{on_worker:?}"
    );
    let lines = stage.rollout(&refreshed, &config).await;
    assert!(
        lines.iter().any(|line| line.starts_with("worker-1, worker-2, one at a time (2 of 6): drain the node (kubelet ")),
        "{lines:#?}"
    );

    stage.change_node("worker-1", |node| node.has_pod = false);
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!((applied.errors, cordoned(&stage)), (vec![], vec![]));
    let refreshed = stage.engine.refresh(NODES, &applied.state).await.state;
    stage.settled(&refreshed, &config, "after the second apply").await;

    // The way back, too.
    let before = of_version(&stage, BEFORE);
    let back = stage.rollout(&refreshed, &before).await;
    assert!(back.iter().any(|line| line.ends_with("drain the node (kubelet 1.36.2 instead of 1.35.4)")), "{back:#?}");
}

/// The other node leaves in the same apply. It is cordoned first, and never takes pods again.
#[tokio::test]
async fn a_node_that_leaves_is_not_waited_for_to_take_pods() {
    let mut stage = Stage::of(row(NODES)).await;
    let of = |stage: &Stage, version: &str, names: &[&str]| {
        let mut config = of_version(stage, version);
        config.set("hosts", with_workers(stage, names).get("hosts").clone());
        complete(stage.engine.schema(NODES), &config)
    };
    let both = of(&stage, BEFORE, &["worker-1", "worker-2"]);
    let state = stage.apply(&Value::Null, &both).await;
    stage.change_node("worker-1", |node| node.has_pod = true);
    let one = of(&stage, AFTER, &["worker-1"]);
    let applied = stage.attempt(&state, &one).await;
    assert_eq!(applied.errors, [""; 0]);
    let [cordoned, restarted, deleted] = ["cluster: cordon worker-2", "worker-1: Restart ", "cluster: delete node worker-2"]
        .map(|call| places(&stage, call).first().copied());
    assert!(cordoned < restarted && restarted < deleted && cordoned.is_some(), "{:#?}", stage.world.calls());
}

#[tokio::test]
async fn a_node_that_an_apply_left_cordoned_takes_pods_again() {
    let (mut stage, state) = created(AFTER).await;
    let config = of_version(&stage, AFTER);
    stage.change_node("worker-1", |node| node.cordoned_by = Some(CordonedBy::Provider));
    stage.change_node("worker-2", |node| node.cordoned_by = Some(CordonedBy::SomebodyElse));
    let refreshed = stage.engine.refresh(NODES, &state).await.state;
    assert_eq!(refreshed.get("drift").as_map().unwrap().len(), 1);
    let lines = stage.rollout(&refreshed, &config).await;
    assert_eq!(lines, ["worker-1: let pods be scheduled on the node again"]);
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!((applied.errors, cordoned(&stage)), (vec![], vec!["worker-2".to_string()]));
    stage.settled(&applied.state, &config, "uncordoned").await;
}

#[tokio::test]
async fn a_kubelet_that_says_it_is_another_version_is_not_taken_for_the_declared_one() {
    let (mut stage, state) = created(AFTER).await;
    let mut config = of_version(&stage, AFTER);
    config.set("kubelet_config", "{\"maxPods\":200}".into());
    stage.world.change(|memory| memory.host(&HostName::literal("cp-1")).kubelet_version = Some("v1.35.9".into()));
    let applied = stage.attempt(&state, &config).await;
    assert!(applied.errors[0].contains("ode cp-1 is not Ready after 180 s"), "{:?}", applied.errors);
    assert!(applied.errors[0].contains("says that it is version 1.35.9 instead of 1.36.2"), "{:?}", applied.errors);
    assert!(places(&stage, "worker-1: Restart ").is_empty(), "the roll went on");
}

/// The budget of a pod lets it go only later. Meanwhile the other group has come to its drain, and waits.
#[tokio::test]
async fn a_node_group_drains_no_node_while_another_has_its_turn() {
    let mut stage = Stage::of(row(NODES)).await;
    let group = |stage: &Stage, version: &str, name: &str, host: &str| {
        let mut config = of_version(stage, version);
        config.set("name", name.into());
        config.set("drain_timeout_seconds", 86_400.into());
        let hosts = [(host.to_string(), stage.config.get("hosts").get(host).clone())];
        config.set("hosts", Value::Map(hosts.into()));
        complete(stage.engine.schema(NODES), &config)
    };
    let mut groups = Vec::new();
    for (name, host) in [("a", "worker-1"), ("b", "worker-2")] {
        let before = group(&stage, BEFORE, name, host);
        let state = stage.apply(&Value::Null, &before).await;
        let config = group(&stage, AFTER, name, host);
        let planned = stage.engine.plan(NODES, &state, &config).await.planned;
        groups.push((state, config, planned));
    }
    stage.change_node("worker-1", |node| node.has_pod = true);
    stage.world.arm(None);
    let (world, progress) = (stage.world.clone(), stage.engine.progress_file());
    let lets_go = async {
        let waits =
            || std::fs::read_to_string(&progress).unwrap_or_default().contains("another node group of the cluster drains");
        while !waits() {
            let is_drained = world.calls().iter().any(|call| call == "cluster: cordon worker-2");
            assert!(!is_drained, "both drain at once: {:#?}", world.calls());
            tokio::task::yield_now().await;
        }
        assert!(!world.calls().iter().any(|call| call == "cluster: cordon worker-2"), "{:#?}", world.calls());
        world.change(|memory| memory.cluster.nodes.get_mut("worker-1").unwrap().has_pod = false);
    };
    let of = |at: usize| (&groups[at].0, &groups[at].1, &groups[at].2);
    let (applied, ()) = futures::join!(stage.engine.apply_both(NODES, [of(0), of(1)]), lets_go);
    for outcome in &applied {
        assert_eq!(outcome.errors, [""; 0]);
    }
    let place = |call: &str| stage.world.calls().iter().position(|made| made == call).unwrap();
    assert!(place("cluster: uncordon worker-1") < place("cluster: cordon worker-2"), "{:#?}", stage.world.calls());
}

/// In one apply both groups change at the same time. The record on the host goes last, when its node is deleted.
#[tokio::test]
async fn a_host_that_moves_between_node_groups_is_refused_by_one_until_the_other_has_let_it_go() {
    let mut stage = Stage::of(row(NODES)).await;
    let group = |stage: &Stage, name: &str, hosts: &[&str]| {
        let mut config = stage.config.clone();
        config.set("name", name.into());
        let hosts = hosts.iter().map(|host| (host.to_string(), stage.config.get("hosts").get(host).clone()));
        config.set("hosts", Value::Map(hosts.collect()));
        complete(stage.engine.schema(NODES), &config)
    };
    let (from, to) = (group(&stage, "a", &["worker-1", "worker-2"]), group(&stage, "b", &["cp-1"]));
    let (from, to) = (stage.apply(&Value::Null, &from).await, stage.apply(&Value::Null, &to).await);
    let (without, with) = (group(&stage, "a", &["worker-1"]), group(&stage, "b", &["cp-1", "worker-2"]));
    let before = stage.world.memory();
    let refused = stage.attempt(&to, &with).await;
    assert!(refused.errors[0].contains("orker-2 belongs to k8s_node_group.demo.a"), "{:?}", refused.errors);
    stage.world_is(&before, "after an apply that was refused");
    stage.world.arm(None);
    let from = stage.apply(&from, &without).await;
    let (deleted, removed) = (places(&stage, "cluster: delete node worker-2"), places(&stage, "worker-2: remove"));
    assert!(deleted.len() == 1 && removed.len() == 1 && deleted < removed, "{:#?}", stage.world.calls());
    let to = stage.apply(&refused.state, &with).await;
    stage.settled(&from, &without, "which let a host go").await;
    stage.settled(&to, &with, "which has a host more").await;
}

type Failure<E> = fn(String) -> E;

/// What a question to a host may end with when nothing was read.
const FAILURES: [Failure<MachineError>; 4] = [
    |host| MachineError::Lost { host, operation: "looking".into(), reason: "the connection was cut".into() },
    |host| MachineError::Timeout { host, operation: "looking".into(), seconds: 60 },
    |host| MachineError::Sudo { host, user: "admin".into(), reason: "a password is required".into() },
    |host| MachineError::Answer { host, operation: "looking".into(), answer: "no end".into() },
];

/// The same of the API server there, when SSH let us in.
const SILENCES: [Failure<KubernetesError>; 7] = [
    |host| KubernetesError::Machine(MachineError::File { host, path: "admin.conf".into(), reason: "Input/output error".into() }),
    |host| KubernetesError::Kubeconfig { host, path: "admin.conf".into(), reason: "it is not a kubeconfig".into() },
    |host| KubernetesError::Machine(MachineError::Connect { host, reason: "no route".into(), may_pass: true }),
    |host| KubernetesError::Machine(MachineError::Sudo { host, user: "admin".into(), reason: "a password is required".into() }),
    |host| {
        KubernetesError::Machine(MachineError::Forward {
            host,
            destination: "127.0.0.1 port 6443".into(),
            reason: "closed".into(),
        })
    },
    |host| of_api(host, kube::Error::Service("the time is over".into())),
    |host| of_api(host, kube::Error::Api(Box::new(kube::core::Status::failure("Unauthorized", "Unauthorized")))),
];

const NOBODY_LISTENS: Failure<KubernetesError> =
    |host| MachineError::NobodyListens { host, destination: "127.0.0.1 port 6443".into() }.into();

fn of_api(host: String, source: kube::Error) -> KubernetesError {
    KubernetesError::Api { host, operation: "answer".into(), source: Box::new(source) }
}

fn with_workers(stage: &Stage, names: &[&str]) -> Value {
    let mut config = stage.config.clone();
    let hosts = config.get("hosts").as_map().unwrap().clone();
    let kept = hosts.into_iter().filter(|(name, _)| names.contains(&name.as_str()));
    config.set("hosts", Value::Map(kept.collect()));
    config
}

/// Of a destroy, and of an apply that takes a host out.
async fn refused(stage: &mut Stage, state: &Value, smaller: &Value) -> String {
    let before = stage.world.memory();
    let destroyed = stage.engine.destroy(NODES, state).await;
    assert_eq!((destroyed.warnings, destroyed.state == *state), (vec![], true));
    let left = stage.attempt(state, smaller).await;
    assert!(left.errors.join("\n").contains("cp-1"), "{:?}", left.errors);
    stage.world_is(&before, "after a question was lost");
    destroyed.errors.join("\n")
}

/// Only a record that was read says that the cluster of nodes is gone. Where its hosts are off, the destroy says just that.
#[tokio::test]
async fn a_lost_question_at_a_destroy_is_not_taken_for_a_cluster_that_is_gone() {
    let mut stage = Stage::of(row(NODES)).await;
    let (both, one) = (with_workers(&stage, &["worker-1", "worker-2"]), with_workers(&stage, &["worker-1"]));
    let state = stage.apply(&Value::Null, &both).await;
    let control_plane = |stage: &Stage, change: fn(&mut HostMemory)| {
        stage.world.change(|memory| {
            let hosts = memory.hosts.iter_mut().filter(|(name, _)| name.as_str().starts_with("cp-"));
            hosts.for_each(|(_, host)| change(host));
        });
    };
    let cannot_say = |stage: &Stage, hosts: &[&str], failure| {
        hosts.iter().for_each(|host| stage.world.change_host(host, |memory| memory.no_inventory = failure));
    };
    let all = ["cp-1", "cp-2", "cp-3"];
    for failure in FAILURES {
        cannot_say(&stage, &all, Some(failure));
        let error = refused(&mut stage, &state, &one).await;
        assert!(error.contains("cp-1") && error.contains("no host was cleaned. Run destroy again."), "{error}");
    }
    // Another host says it.
    cannot_say(&stage, &all[1..], None);
    let before = stage.world.memory();
    let destroyed = stage.engine.destroy(NODES, &state).await;
    assert_eq!((destroyed.errors, destroyed.warnings, destroyed.state), (vec![], vec![], Value::Null));
    stage.world.restore(&before);
    cannot_say(&stage, &all, None);
    for silence in SILENCES {
        // Of one host, while another says that it has none.
        control_plane(&stage, |host| host.no_api = Some(NOBODY_LISTENS));
        stage.world.change_host("cp-1", |memory| memory.no_api = Some(silence));
        let error = refused(&mut stage, &state, &one).await;
        assert!(error.contains("no host was cleaned. Run destroy again."), "{error}");
    }
    control_plane(&stage, |host| host.no_api = None);
    control_plane(&stage, |host| host.is_cut_off = true);
    let error = refused(&mut stage, &state, &one).await;
    assert!(error.contains("the connection was cut") && error.contains("no host was cleaned. Run destroy again."), "{error}");

    control_plane(&stage, |host| host.is_cut_off = false);
    let gone: [fn(&mut HostMemory); 2] = [|host| host.answers = false, |host| host.no_api = Some(NOBODY_LISTENS)];
    let before = stage.world.memory();
    for gone in gone {
        stage.world.restore(&before);
        control_plane(&stage, gone);
        let destroyed = stage.engine.destroy(NODES, &state).await;
        assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null));
        assert!(destroyed.warnings.join("\n").starts_with("The cluster does not answer"), "{:?}", destroyed.warnings);
    }
}
