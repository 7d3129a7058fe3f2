//! Nodes as the API server knows them: their labels and taints follow what is declared, and what happened to a node is seen and repaired.

use super::rows::{Change, row, taints};
use super::{Stage, complete, texts};
use crate::fakes::{CLIENT_CERTIFICATE_EXPIRES, Node};
use bundle::{HostName, HostPath, NodeObject, TaintKey, UnitName};
use rollout::CordonedBy;
use schema::Value;

const NODES: &str = "k8s_node_group";
const AMEND: &str = "cluster: amend worker-1";

async fn created() -> (Stage, Value) {
    let mut stage = Stage::of(row(NODES)).await;
    stage.config.set("max_unavailable", 1.into());
    let state = stage.create().await;
    stage.world.arm(None);
    (stage, state)
}

fn changed(stage: &Stage, changes: &[Change]) -> Value {
    let config = changes.iter().fold(stage.config.clone(), |config, change| stage.row.changed(&config, change));
    complete(stage.engine.schema(NODES), &config)
}

fn taint(text: &str) -> TaintKey {
    text.parse().unwrap()
}

const LABELS: Change = ("labels", || Value::object([("node.example/tier", "gold".into())]));
const TAINTS: Change = ("taints", || taints(&[("dedicated", "NoSchedule"), ("dedicated", "NoExecute")]));

#[tokio::test]
async fn changed_labels_and_taints_are_set_on_running_nodes_and_restart_nothing() {
    let (mut stage, state) = created().await;
    for name in ["cp-1", "worker-1", "worker-2"] {
        stage.change_node(name, |node| {
            node.object.labels.insert("of/others".into(), "stays".into());
            node.object.taints.insert(taint("node.kubernetes.io/memory-pressure:NoSchedule"), String::new());
        });
    }
    let config = changed(&stage, &[LABELS, TAINTS]);
    let plan = stage.engine.plan(NODES, &state, &config).await;
    let rollout = texts(plan.planned.get("rollout"));
    let expect = "cp-1, worker-1, worker-2: set labels and taints of the node (label node.example/pool: no longer declared, label \
                  node.example/tier: missing, taint dedicated:NoExecute: missing, taint dedicated:NoSchedule: missing)";
    assert!(rollout.contains(&expect.to_string()), "{rollout:#?}");
    assert!(rollout.iter().all(|line| !line.contains("start ")), "{rollout:#?}");
    assert!(plan.warnings.len() == 1 && plan.warnings[0].contains(expect), "a taint that evicts: {:?}", plan.warnings);

    let applied = stage.attempt(&state, &config).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
    for name in ["cp-1", "worker-1", "worker-2"] {
        let found = stage.node_object(name);
        let labels: Vec<&str> = found.labels.keys().map(String::as_str).collect();
        assert!(labels.ends_with(&["node.example/tier", "of/others"]) && !labels.contains(&"node.example/pool"), "{labels:?}");
        let taints: Vec<String> = found.taints.keys().map(ToString::to_string).collect();
        assert_eq!(taints, ["dedicated:NoExecute", "dedicated:NoSchedule", "node.kubernetes.io/memory-pressure:NoSchedule"]);
    }
    stage.settled(&applied.state, &config, "after a change of labels and taints").await;
    // A node that registers now has them too.
    let registration = stage.world.host("worker-1").read_file(&HostPath::literal("/etc/kubernetes/node/registration.env")).await;
    let text = String::from_utf8(registration.unwrap()).unwrap();
    assert_eq!(text, "NODE_LABELS=node.example/tier=gold\nNODE_TAINTS=dedicated=:NoExecute,dedicated=:NoSchedule\n");

    let config = stage.config.clone();
    let applied = stage.attempt(&applied.state, &config).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
    assert_eq!(stage.node_object("worker-1").taints.len(), 1);
}

#[tokio::test]
async fn what_happens_to_a_node_is_drift_of_its_host_and_is_repaired() {
    let mut stage = Stage::of(row(NODES)).await;
    let config = changed(&stage, &[TAINTS]);
    let state = stage.apply(&Value::Null, &config).await;
    let whole = stage.world.memory();
    type Damage = fn(&mut NodeObject);
    let damages: [(Damage, &str); 4] = [
        (|node| drop(node.labels.remove("node.example/pool")), "label node.example/pool: missing"),
        (
            |node| drop(node.labels.insert("node.example/pool".into(), "gpu".into())),
            "label node.example/pool: not the declared value",
        ),
        (|node| drop(node.taints.remove(&taint("dedicated:NoExecute"))), "taint dedicated:NoExecute: missing"),
        (
            |node| drop(node.taints.insert(taint("dedicated:NoSchedule"), "x".into())),
            "taint dedicated:NoSchedule: not the declared value",
        ),
    ];
    for (damage, expect) in damages {
        stage.change_node("worker-1", |node| damage(&mut node.object));
        let refreshed = stage.engine.refresh(NODES, &state).await;
        assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]));
        let drift = refreshed.state.get("drift").as_map().unwrap();
        assert_eq!((drift.len(), texts(drift.get("worker-1").unwrap())), (1, vec![expect.to_string()]));
        let plan = stage.engine.plan(NODES, &refreshed.state, &config).await.planned;
        let rollout = texts(plan.get("rollout"));
        assert!(rollout.len() == 1 && rollout[0].starts_with("worker-1: set ") && rollout[0].contains(expect), "{rollout:?}");
        let applied = stage.attempt(&refreshed.state, &config).await;
        assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
        stage.world_is(&whole, &format!("after the repair of {expect}"));
        stage.settled(&applied.state, &config, &format!("after the repair of {expect}")).await;
    }
}

#[tokio::test]
async fn a_cordon_and_what_others_set_are_no_drift() {
    let (mut stage, state) = created().await;
    stage.change_node("worker-1", |node| {
        node.cordoned_by = Some(CordonedBy::SomebodyElse);
        node.object.taints.insert(taint("node.kubernetes.io/unschedulable:NoSchedule"), String::new());
        node.object.labels.insert("of/others".into(), String::new());
    });
    let config = stage.config.clone();
    stage.settled(&state, &config, "with a cordoned node").await;
}

#[tokio::test]
async fn a_node_that_somebody_deleted_registers_again() {
    let (mut stage, state) = created().await;
    let whole = stage.world.memory();
    stage.world.change(|memory| memory.cluster.nodes.remove("worker-2"));
    let refreshed = stage.engine.refresh(NODES, &state).await;
    assert_eq!(texts(refreshed.state.get("drift").get("worker-2")), ["node: not registered"]);
    let config = stage.config.clone();
    let plan = stage.engine.plan(NODES, &refreshed.state, &config).await.planned;
    assert_eq!(texts(plan.get("rollout"))[0], "worker-2: restart kubelet.service (its node is not registered)");
    let applied = stage.attempt(&refreshed.state, &config).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec!["worker-2: Restart kubelet.service".to_string()]));
    stage.world_is(&whole, "after it registered again");
    stage.settled(&applied.state, &config, "after it registered again").await;
}

/// A plan that it made nothing of, such as one with another change, sees it at apply.
#[tokio::test]
async fn an_apply_sees_by_itself_what_no_refresh_said() {
    let (mut stage, state) = created().await;
    stage.world.change(|memory| memory.cluster.nodes.remove("worker-2"));
    let config = changed(&stage, &[("labels", || Value::object([("node.example/tier", "gold".into())]))]);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec!["worker-2: Restart kubelet.service".to_string()]));
    assert_eq!(stage.node_object("worker-2").labels.keys().collect::<Vec<_>>(), ["node.example/tier"]);
    stage.settled(&applied.state, &config, "after it").await;
}

#[tokio::test]
async fn a_kubelet_whose_certificate_has_expired_gets_a_token_and_joins_again() {
    for is_running in [true, false] {
        let (mut stage, state) = created().await;
        stage.world.change(|memory| memory.ticks += CLIENT_CERTIFICATE_EXPIRES - memory.now());
        if !is_running {
            for host in ["cp-1", "worker-1", "worker-2"] {
                stage.world.change_host(host, |memory| {
                    let kubelet = memory.units.get_mut(&UnitName::literal("kubelet.service")).unwrap();
                    kubelet.active_state = "failed".into();
                });
            }
        }
        let tokens = stage.world.memory().cluster.tokens_made.len();
        let refreshed = stage.engine.refresh(NODES, &state).await.state;
        let config = changed(&stage, &[LABELS]);
        let applied = stage.attempt(&refreshed, &config).await;
        assert_eq!(applied.errors, Vec::<String>::new(), "{is_running}");
        let memory = stage.world.memory();
        assert_eq!((memory.cluster.tokens_made.len(), memory.cluster.tokens.len()), (tokens + 1, 0));
        stage.settled(&applied.state, &config, "after they joined again").await;
    }
}

#[tokio::test]
async fn a_kubelet_that_the_api_server_does_not_work_with_is_refused_before_anything_is_changed() {
    for (host, version, expect) in [
        ("cp-1", "v1.35.4", "is newer than the API server of cp-1"),
        ("cp-3", "v1.35.4", "is newer than the API server of cp-3"),
        ("cp-2", "v1.40.0", "is too old for the API server of cp-2"),
    ] {
        let mut stage = Stage::of(row(NODES)).await;
        stage.world.change(|memory| memory.api_server_versions.insert(HostName::literal(host), version.into()));
        let before = stage.world.memory();
        let config = stage.config.clone();
        let refused = stage.attempt(&Value::Null, &config).await;
        assert!(refused.errors.len() == 1 && refused.errors[0].contains(expect), "{:?}", refused.errors);
        assert!(refused.state.is_null());
        stage.world_is(&before, "after the refusal");
    }
}

#[tokio::test]
async fn an_apply_names_the_control_plane_host_that_does_not_say_its_version() {
    let (mut stage, state) = created().await;
    stage.world.change_host("cp-2", |host| host.answers = false);
    let config = changed(&stage, &[LABELS]);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let said: Vec<&String> = applied.warnings.iter().filter(|said| said.contains("did not say which version")).collect();
    assert!(
        said.len() == 1 && said[0].contains("p-2 did not say") && said[0].contains("cp-1 (v1.36.2), cp-3 (v1.36.2)"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_refresh_that_reaches_no_api_server_warns_and_keeps_what_it_knew() {
    let (mut stage, state) = created().await;
    let healthy = stage.world.memory();
    stage.change_node("worker-1", |node| node.object.labels.clear());
    let refreshed = stage.engine.refresh(NODES, &state).await.state;
    stage.world.change(|memory| {
        for name in ["cp-2", "cp-3"] {
            memory.host(&HostName::literal(name)).answers = false;
        }
        let server = render::component::API_SERVER.unit();
        memory.host(&HostName::literal("cp-1")).units.get_mut(&server).unwrap().active_state = "failed".into();
    });
    let again = stage.engine.refresh(NODES, &refreshed).await;
    assert_eq!(again.errors, Vec::<String>::new());
    let warning = "The nodes of demo.nodes were not looked at, for no API server of their cluster answers";
    assert!(again.warnings.len() == 1 && again.warnings[0].starts_with(warning), "{:?}", again.warnings);
    assert_eq!(again.state.get("drift"), refreshed.get("drift"));
    stage.world.restore(&healthy);
    let config = stage.config.clone();
    let back = stage.engine.refresh(NODES, &again.state).await.state;
    assert!(stage.engine.plan(NODES, &back, &config).await.is_empty);
}

#[tokio::test]
async fn a_create_whose_labels_fail_says_how_to_go_on() {
    let mut stage = Stage::of(row(NODES)).await;
    let config = stage.config.clone();
    // Of a machine that was installed again under its name.
    stage.world.change(|memory| drop(memory.cluster.nodes.insert("worker-1".into(), Node::default())));
    let (whole, failed) = stage.fail_at(AMEND, &Value::Null, &config).await;
    let labels = &whole.cluster.nodes["worker-1"].object.labels;
    assert_eq!(labels["node.example/pool"], "general", "a node that was there has the old labels");
    assert!(failed.state.is_null() || failed.warnings.iter().any(|warning| warning.contains("untaint")), "{:?}", failed.warnings);
}

#[tokio::test]
async fn labels_that_were_not_set_are_set_and_taken_away_by_the_next_apply() {
    let (mut stage, state) = created().await;
    let config = changed(&stage, &[LABELS, TAINTS]);
    let begin = stage.world.memory();
    let (_, failed) = stage.fail_at(AMEND, &state, &config).await;
    let both: Vec<&String> = failed.state.get("labels").as_map().unwrap().keys().collect();
    assert_eq!(both, ["node.example/pool", "node.example/tier"], "those of before and those that were to be set");

    // Whoever goes back to what was declared before takes away what the failed apply has set.
    let (left, without) = (stage.world.memory(), stage.config.clone());
    let back = stage.attempt(&failed.state, &without).await;
    assert_eq!(back.errors, Vec::<String>::new());
    for node in ["cp-1", "worker-1", "worker-2"] {
        assert_eq!(stage.node_object(node), begin.cluster.nodes[node].object, "{node}");
    }
    stage.settled(&back.state, &without, "after going back").await;
    stage.world.restore(&left);

    let applied = stage.attempt(&failed.state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert_eq!(stage.node_object("worker-1").labels.keys().collect::<Vec<_>>(), ["node.example/tier"]);
    stage.settled(&applied.state, &config, "after a second apply").await;
}

#[tokio::test]
async fn a_startup_taint_is_given_once() {
    let startup: Change = ("taints", || {
        let mut all = taints(&[("agent-not-ready", "NoExecute")]);
        let Value::List(items) = &mut all else { unreachable!() };
        items[0].set("startup", true.into());
        all
    });
    let mut stage = Stage::of(row(NODES)).await;
    let config = changed(&stage, &[startup]);
    let state = stage.apply(&Value::Null, &config).await;
    assert_eq!(stage.node_object("worker-1").taints.len(), 1);
    stage.change_node("worker-1", |node| node.object.taints.clear());
    stage.settled(&state, &config, "after its agent took the taint away").await;
    let without = stage.config.clone();
    let applied = stage.attempt(&state, &without).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
    assert_eq!(stage.node_object("worker-2").taints.len(), 1, "that is for the agent to do");
}

#[tokio::test]
async fn a_taint_that_becomes_a_startup_taint_stays_where_its_agent_is_not_ready() {
    let lasting: Change = ("taints", || taints(&[("agent-not-ready", "NoExecute")]));
    let mut stage = Stage::of(row(NODES)).await;
    let config = changed(&stage, &[lasting]);
    let state = stage.apply(&Value::Null, &config).await;
    let mut startup = config.clone();
    let Value::List(mut items) = config.get("taints").clone() else { unreachable!() };
    items[0].set("startup", true.into());
    startup.set("taints", Value::List(items));
    let applied = stage.attempt(&state, &startup).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
    assert_eq!(stage.node_object("worker-1").taints.len(), 1);
    stage.settled(&applied.state, &startup, "with a startup taint").await;
}

#[tokio::test]
async fn a_roll_takes_no_healthy_node_down_while_as_many_are_down_already() {
    let setting: Change = ("kubelet_config", || "{\"maxPods\":200}".into());
    let (mut stage, state) = created().await;
    stage.change_node("worker-2", |node| node.is_sick = true);
    let config = changed(&stage, &[setting]);
    let applied = stage.attempt(&state, &config).await;
    // It has something to do and so its turn first; it does not come up.
    assert!(applied.errors.len() == 1 && applied.errors[0].contains("worker-2 is not Ready"), "{:?}", applied.errors);
    assert!(stage.starts().iter().all(|call| call.starts_with("worker-2: ")), "{:?}", stage.starts());

    let (mut stage, state) = created().await;
    let config = changed(&stage, &[setting]);
    stage.change_node("worker-2", |node| node.is_sick = true);
    stage.world.change_host("worker-2", |host| host.answers = false);
    let applied = stage.attempt(&state, &config).await;
    let error = &applied.errors[0];
    for part in ["nothing is restarted on cp-1 while node worker-2 is not Ready", "worker-2: NotReady", "max_unavailable", "safe"]
    {
        assert!(error.to_lowercase().contains(&part.to_lowercase()), "{part} is not in {error}");
    }
    assert_eq!(stage.starts(), Vec::<String>::new());
    stage.change_node("worker-2", |node| node.is_sick = false);
    stage.world.change_host("worker-2", |host| host.answers = true);
    let applied = stage.attempt(&applied.state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let refreshed = stage.engine.refresh(NODES, &applied.state).await.state;
    stage.settled(&refreshed, &config, "once it is back").await;
}

#[tokio::test]
async fn pods_that_can_go_nowhere_are_not_waited_for() {
    let clock = |stage: &Stage| crate::ports::World::clock(&stage.world).instant();
    for is_destroy in [true, false] {
        let (mut stage, state) = created().await;
        for name in ["cp-1", "worker-1", "worker-2"] {
            stage.change_node(name, |node| node.has_pod = true);
        }
        let begin = clock(&stage);
        let none = changed(&stage, &[("hosts", || Value::Map(std::collections::BTreeMap::new()))]);
        let outcome = match is_destroy {
            true => stage.engine.destroy(NODES, &state).await,
            false => stage.attempt(&state, &none).await,
        };
        assert_eq!((outcome.errors, outcome.warnings), (vec![], vec![]), "{is_destroy}");
        assert!((clock(&stage) - begin).as_secs() < 60, "{is_destroy}: it waited for pods that nobody takes");
        let calls = stage.world.calls();
        let last_cordon = calls.iter().position(|call| call == "cluster: cordon worker-2").unwrap();
        let first_deletion = calls.iter().position(|call| call.starts_with("cluster: delete node")).unwrap();
        assert!(last_cordon < first_deletion, "{calls:?}");
    }
}

/// Another group has a node that is Ready.
#[tokio::test]
async fn pods_that_can_move_are_waited_for_until_the_limit() {
    for (is_cordoned, is_waited_for) in [(false, true), (true, false)] {
        let (mut stage, state) = created().await;
        stage.change_node("worker-1", |node| node.has_pod = true);
        stage.world.change(|memory| {
            let cordoned_by = is_cordoned.then_some(CordonedBy::SomebodyElse);
            let node = Node { cordoned_by, ..Node::default() };
            memory.cluster.nodes.insert("other-1".into(), node);
            let running = memory.hosts[&HostName::literal("worker-2")].units.clone();
            memory.host(&HostName::literal("other-1")).units = running;
        });
        let destroyed = stage.engine.destroy(NODES, &state).await;
        assert_eq!(destroyed.errors, Vec::<String>::new());
        let is_said = destroyed.warnings.iter().any(|warning| warning.starts_with("Node worker-1 was not drained"));
        assert_eq!(is_said, is_waited_for, "{:?}", destroyed.warnings);
    }
}
