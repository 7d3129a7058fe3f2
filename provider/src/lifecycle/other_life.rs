//! What was created again under the same name while an older state was kept: a copy of it, a backup, a colleague's workspace. That state
//! reads nothing from it, changes nothing and removes nothing; and what is there can be gone on with on purpose.

use super::rows::{ROWS, row};
use super::{Stage, difference, without_steps};
use bundle::{HostName, HostPath};
use machines::Uid;
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const NODES: &str = "k8s_node_group";

/// Each resource on hosts: created, destroyed and created again from the same configuration, with the first state and the second.
async fn created_again() -> Vec<(Stage, Value, Value)> {
    let mut all = Vec::new();
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if stage.is_on_hosts() {
            let first = stage.create().await;
            stage.destroy(&first, "before it is created again").await;
            stage.world.draw_again();
            let second = stage.create().await;
            assert_ne!(first.get("uid"), second.get("uid"), "{}", row.name);
            all.push((stage, first, second));
        }
    }
    assert!(all.len() >= 3);
    all
}

fn hosts(stage: &Stage) -> Vec<HostName> {
    stage.config.get("hosts").as_map().unwrap().keys().map(|host| HostName::literal(host)).collect()
}

fn change_records(stage: &Stage, change: impl Fn(&mut crate::fakes::Record)) {
    for host in hosts(stage) {
        stage.world.change_host(host.as_str(), |memory| {
            let own = memory.records.iter_mut().filter(|(owner, _)| owner.as_str().starts_with(stage.row.name));
            own.for_each(|(_, record)| change(record));
        });
    }
}

#[track_caller]
fn says(texts: &[String], parts: &[&str]) {
    let text = texts.join("\n");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn a_refresh_by_the_older_state_takes_nothing_from_it() {
    for (mut stage, first, second) in created_again().await {
        let refreshed = stage.engine.refresh(stage.row.name, &first).await;
        assert_eq!(refreshed.errors, [""; 0]);
        assert_eq!(refreshed.warnings.len(), 1, "{:#?}", refreshed.warnings);
        let uids = [&first, &second].map(|state| state.get("uid").as_str().unwrap());
        says(
            &refreshed.warnings,
            &["carry another k8s_", "than this state knows", "What this state last knew", uids[0], uids[1]],
        );
        let mut expect = without_steps(&first);
        expect.set("unreachable", refreshed.state.get("unreachable").clone());
        assert_eq!(difference(&expect, &refreshed.state), [""; 0]);
    }
}

#[tokio::test]
async fn an_apply_by_the_older_state_changes_nothing() {
    for (mut stage, first, second) in created_again().await {
        let (name, before, config) = (stage.row.name, stage.world.memory(), stage.config.clone());
        let changed = stage.row.changed(&config, &stage.row.updates[0]);
        let changed = super::complete(stage.engine.schema(name), &changed);
        let planned = stage.engine.plan(name, &first, &changed).await.planned;
        stage.world.arm(None);
        let refused = stage.engine.apply(name, &first, &changed, &planned).await;
        says(&refused.errors, &["than this state knows", "Nothing was changed on any host", "state rm"]);
        let calls: Vec<String> = stage.world.calls().into_iter().filter(|call| call != "cluster: declare nodes").collect();
        assert_eq!((calls, &refused.state), (vec![], &first), "{name}");
        stage.world_is(&before, "after an apply that was refused");
        stage.settled(&second, &config, "after an apply by another state").await;
    }
}

#[tokio::test]
async fn a_destroy_by_the_older_state_removes_nothing() {
    for (mut stage, first, second) in created_again().await {
        let (name, before, config) = (stage.row.name, stage.world.memory(), stage.config.clone());
        stage.world.arm(None);
        let refused = stage.engine.destroy(name, &first).await;
        says(&refused.errors, &["than this state knows", "Nothing was changed on any host"]);
        assert_eq!((stage.world.calls(), refused.state), (vec![], first), "{name}");
        stage.world_is(&before, "after a destroy that was refused");
        stage.settled(&second, &config, "after a destroy by another state").await;
        stage.destroy(&second, "by its own state").await;
    }
}

/// A host that leaves is forgotten, and nothing is removed from it.
#[tokio::test]
async fn a_host_that_leaves_the_older_state_keeps_what_it_has() {
    for (mut stage, first, second) in created_again().await {
        if stage.row.name == CLUSTER {
            continue;
        }
        let last = hosts(&stage).pop().unwrap();
        // Of the other hosts, the older state is right.
        let uid = first.get("uid").as_str().unwrap().to_string();
        for host in hosts(&stage).into_iter().filter(|host| *host != last) {
            stage.world.change_host(host.as_str(), |memory| {
                let own = memory.records.iter_mut().filter(|(owner, _)| owner.as_str().starts_with(stage.row.name));
                own.for_each(|(_, record)| drop(record.identity.insert("uid".into(), uid.clone())));
            });
        }
        let mut config = stage.config.clone();
        let mut kept = config.get("hosts").as_map().unwrap().clone();
        kept.remove(last.as_str());
        config.set("hosts", Value::Map(kept));
        let planned = stage.engine.plan(stage.row.name, &first, &config).await.planned;
        stage.world.arm(None);
        let applied = stage.engine.apply(stage.row.name, &first, &config, &planned).await;
        assert_eq!(applied.errors, [""; 0]);
        says(&applied.warnings, &[&format!("{last} carries another"), "so nothing was removed from it"]);
        assert!(!stage.world.calls().iter().any(|call| call.contains(&format!("{last}: "))), "{:?}", stage.world.calls());
        let deletes = format!("cluster: delete node {last}");
        assert!(!stage.world.calls().iter().any(|call| call.starts_with(&deletes)), "{:?}", stage.world.calls());
        drop(second);
    }
}

/// As the error says: out of the state, then apply. Also after a create that was killed.
#[tokio::test]
async fn a_create_goes_on_with_what_it_finds_and_says_so() {
    for (mut stage, _, second) in created_again().await {
        let (name, before, config) = (stage.row.name, stage.world.memory(), stage.config.clone());
        stage.world.draw_again();
        let plan = stage.engine.plan(name, &Value::Null, &config).await;
        assert!(plan.planned.get("uid").is_unknown());
        let applied = stage.engine.apply(name, &Value::Null, &config, &plan.planned).await;
        assert_eq!(applied.errors, [""; 0]);
        assert_eq!(applied.state.get("uid"), second.get("uid"), "{name}");
        stage.world_is(&before, "after it was gone on with");
        stage.settled(&applied.state, &config, "after it was gone on with").await;
        stage.destroy(&applied.state, "after it was gone on with").await;
    }
}

#[tokio::test]
async fn a_create_does_not_go_on_with_two_lives_at_once() {
    for (mut stage, first, _) in created_again().await {
        let uid = first.get("uid").as_str().unwrap().to_string();
        let last = hosts(&stage).pop().unwrap();
        stage.world.change_host(last.as_str(), |memory| {
            let own = memory.records.iter_mut().filter(|(owner, _)| owner.as_str().starts_with(stage.row.name));
            own.for_each(|(_, record)| drop(record.identity.insert("uid".into(), uid.clone())));
        });
        let (name, before, config) = (stage.row.name, stage.world.memory(), stage.config.clone());
        let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
        let refused = stage.engine.apply(name, &Value::Null, &config, &planned).await;
        says(&refused.errors, &["osts carry different ones that are called", &uid, "Nothing was changed"]);
        assert!(refused.state.is_null());
        stage.world_is(&before, "after a create that was refused");
    }
}

/// As commit 29eb745 left them, records and state have no uid: they are of one life. What is created from now on is of another.
#[tokio::test]
async fn what_an_older_version_created_goes_on_and_its_states_do_not_remove_what_comes_after() {
    for (mut stage, first, _) in created_again().await {
        let name = stage.row.name;
        let mut json = first.to_json(&stage.engine.schema(name).value_type()).unwrap();
        let attributes = json.as_object_mut().unwrap();
        attributes.remove("uid");
        for join in ["join", "cluster"] {
            attributes
                .get_mut(join)
                .and_then(|join| join.as_object_mut())
                .into_iter()
                .for_each(|join| drop(join.remove("cluster_uid")));
        }
        let old = stage.engine.upgrade(name, 1, json.to_string()).await;
        assert_eq!(old.get("uid").as_str(), Some(Uid::NIL));
        let refused = stage.engine.destroy(name, &old).await;
        says(&refused.errors, &["than this state knows", "from before there were any"]);
        assert_eq!(refused.state, old);
    }
}

#[tokio::test]
async fn records_of_an_older_version_are_taken_on_by_the_next_change_on_all_hosts_without_a_restart() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let mut config = stage.config.clone();
        if row.name == NODES {
            // Its cluster is from that time as well.
            let mut join = config.get("cluster").clone();
            join.set("cluster_uid", Uid::NIL.into());
            config.set("cluster", join);
            stage.world.change(|memory| {
                let records = memory.hosts.values_mut().flat_map(|host| &mut host.records);
                records.filter(|(owner, _)| owner.as_str().starts_with(CLUSTER)).for_each(|(_, record)| record.identity.clear());
            });
        }
        let created = stage.apply(&Value::Null, &config).await;
        let mut state = created.clone();
        state.set("uid", Uid::NIL.into());
        if row.name == CLUSTER {
            let mut join = state.get("join").clone();
            join.set("cluster_uid", Uid::NIL.into());
            state.set("join", join);
        }
        change_records(&stage, |record| record.identity.clear());
        stage.settled(&state, &config, "of an older version").await;
        let before = stage.world.memory();
        // Nothing on a host follows from it.
        let mut same = state.clone();
        same.set("drift", Value::object([]));
        stage.world.arm(None);
        let applied = stage.engine.apply(row.name, &state, &config, &same).await;
        assert_eq!(applied.errors, [""; 0]);
        let calls = stage.world.calls();
        let pushes = hosts(&stage).iter().map(|host| format!("{host}: push")).collect::<Vec<_>>();
        let mut made: Vec<String> = calls.into_iter().filter(|call| !call.starts_with("cluster: ")).collect();
        made.sort();
        assert_eq!(made, pushes, "{}", row.name);
        for host in hosts(&stage) {
            let [before, after] = [&before, &stage.world.memory()].map(|memory| memory.hosts[&host].clone());
            let since = |host: &crate::fakes::HostMemory| {
                host.units.iter().map(|(unit, state)| (unit.clone(), state.since)).collect::<Vec<_>>()
            };
            assert_eq!(since(&before), since(&after));
            let record = after.records.iter().find(|(owner, _)| owner.as_str().starts_with(row.name)).unwrap().1;
            assert_eq!((record.identity["host"].as_str(), record.identity["uid"].as_str()), (host.as_str(), Uid::NIL));
        }
        stage.world.arm(None);
        stage.settled(&applied.state, &config, "taken on").await;
        let again = stage.engine.apply(row.name, &applied.state, &config, &applied.state).await;
        assert_eq!(again.errors, [""; 0]);
        assert!(!stage.world.calls().iter().any(|call| call.contains("push")), "pushed again");
    }
}

/// The cluster of a node group: replaced, or the same.
async fn nodes_and_a_cluster_with(uid: impl Fn(&Value) -> Value) -> (Stage, Value, Value) {
    let mut stage = Stage::of(row(NODES)).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    let mut join = config.get("cluster").clone();
    join.set("cluster_uid", uid(join.get("cluster_uid")));
    config.set("cluster", join);
    (stage, state, config)
}

#[tokio::test]
async fn nodes_are_replaced_with_their_cluster_and_the_plan_says_so() {
    for uid in [Value::Unknown, Uid::of_random([9; 16]).as_str().into()] {
        let (mut stage, state, config) = nodes_and_a_cluster_with(|_| uid.clone()).await;
        let plan = stage.engine.plan(NODES, &state, &config).await;
        assert!(!plan.is_empty && plan.replaces.len() == 1 && plan.replaces[0].contains("cluster"), "{:?}", plan.replaces);
        says(&plan.warnings, &["Destroying node group demo.nodes takes its nodes out of the cluster"]);
        assert!(plan.planned.get("uid").is_unknown());
    }
    let (mut stage, state, config) = nodes_and_a_cluster_with(Clone::clone).await;
    assert!(stage.engine.plan(NODES, &without_steps(&state), &config).await.is_empty);
}

/// As behind a data source that is read during apply: it says nothing of a replacement.
#[tokio::test]
async fn a_cluster_of_which_nothing_is_known_replaces_no_node_and_another_one_is_refused_at_apply() {
    let (mut stage, state, other) = nodes_and_a_cluster_with(|_| Uid::of_random([9; 16]).as_str().into()).await;
    let mut unknown = stage.config.clone();
    unknown.set("cluster", Value::Unknown);
    let unknown = super::complete(stage.engine.schema(NODES), &unknown);
    let plan = stage.engine.plan(NODES, &state, &unknown).await;
    assert_eq!(plan.replaces, [""; 0]);
    let before = stage.world.memory();
    let mut planned = plan.planned.clone();
    planned.set("cluster", other.get("cluster").clone());
    // An engine stops before this: its second plan would replace what the first one updates.
    let refused = stage.engine.apply_planned(NODES, &state, &other, &planned).await;
    says(&refused.errors, &["cluster.cluster_uid is another one now", "Plan again"]);
    stage.world_is(&before, "after an apply that was refused");
}

/// The cluster of a node group is destroyed and created again under its control-plane addresses. What the node group does then, both ways.
async fn nodes_whose_cluster_is_another() -> (Stage, Value) {
    let mut stage = Stage::of(row(NODES)).await;
    let state = stage.create().await;
    create_cluster_again(&stage);
    (stage, state)
}

/// Its control-plane hosts carry another cluster of its name from now on, whose uid this is.
pub(super) fn create_cluster_again(stage: &Stage) -> String {
    create_cluster_again_on(stage, |_| true)
}

pub(super) fn create_cluster_again_on(stage: &Stage, is_one: impl Fn(&str) -> bool) -> String {
    let uid = Uid::of_random([9; 16]).to_string();
    stage.world.change(|memory| {
        let hosts = memory.hosts.iter_mut().filter(|(name, _)| is_one(name.as_str()));
        let records = hosts.flat_map(|(_, host)| &mut host.records);
        let of_cluster = records.filter(|(owner, _)| owner.as_str().starts_with(CLUSTER));
        of_cluster.for_each(|(_, record)| drop(record.identity.insert("uid".into(), uid.clone())));
    });
    uid
}

#[tokio::test]
async fn nodes_change_nothing_in_another_cluster_at_the_addresses_of_theirs() {
    let (mut stage, state) = nodes_whose_cluster_is_another().await;
    let before = stage.world.memory();
    let config = super::complete(stage.engine.schema(NODES), &stage.row.changed(&stage.config, &stage.row.updates[1]));
    let planned = stage.engine.plan(NODES, &state, &config).await.planned;
    let refused = stage.engine.apply(NODES, &state, &config, &planned).await;
    says(&refused.errors, &["cp-1 does not carry the cluster demo", "its record names"]);
    stage.world_is(&before, "after an apply that was refused");
}

#[tokio::test]
async fn a_destroy_of_nodes_leaves_nodes_of_another_cluster_and_cleans_their_own_hosts() {
    let (mut stage, state) = nodes_whose_cluster_is_another().await;
    let nodes = stage.world.memory().cluster.nodes.len();
    stage.world.arm(None);
    let destroyed = stage.engine.destroy(NODES, &state).await;
    assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null));
    says(&destroyed.warnings, &["No node was drained or deleted: their cluster is gone", "cleaned all the same"]);
    let calls = stage.world.calls();
    assert!(!calls.iter().any(|call| call.starts_with("cluster: ")), "{calls:?}");
    assert!(calls.iter().any(|call| call == "worker-2: remove"), "{calls:?}");
    assert_eq!(stage.world.memory().cluster.nodes.len(), nodes);
}

type Change = fn(&mut crate::fakes::HostMemory);

/// SSH to a control-plane host leads elsewhere, or clusters of one name come from an older version, which gave them no uid.
#[tokio::test]
async fn a_destroy_of_nodes_touches_no_cluster_without_their_record_or_with_another_authority() {
    let drop_record =
        |memory: &mut crate::fakes::HostMemory| memory.records.retain(|owner, _| !owner.as_str().starts_with(CLUSTER));
    let other_authority = |memory: &mut crate::fakes::HostMemory| {
        let path = |name: &str| {
            let all = render::control_plane::AUTHORITIES;
            HostPath::literal(all.iter().find(|(other, _)| *other == name).unwrap().1)
        };
        let [ours, others] = ["apiserver-ca", "etcd-ca"].map(path);
        let others = memory.files[&others].content.clone();
        memory.files.get_mut(&ours).unwrap().content = others;
    };
    let changes: [(Change, &str); 2] =
        [(drop_record, "there is no record of k8s_hardway_cluster.demo"), (other_authority, "it has another apiserver-ca")];
    for (change, reason) in changes {
        let mut stage = Stage::of(row(NODES)).await;
        let state = stage.create().await;
        ["cp-1", "cp-2", "cp-3"].iter().for_each(|host| stage.world.change_host(host, change));
        stage.world.arm(None);
        let destroyed = stage.engine.destroy(NODES, &state).await;
        assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null));
        says(&destroyed.warnings, &["No node was drained or deleted", reason]);
        assert!(!stage.world.calls().iter().any(|call| call.starts_with("cluster: ")));
    }
}

/// Without a state for the nodes: their kubelets would go on with credentials of the cluster that had the name before.
#[tokio::test]
async fn a_node_that_joined_the_cluster_before_is_not_taken_for_one_of_this() {
    let mut stage = Stage::of(row(NODES)).await;
    stage.create().await;
    let uid = Uid::of_random([9; 16]).to_string();
    change_records(&stage, |record| drop(record.identity.insert("cluster-uid".into(), uid.clone())));
    let (before, config) = (stage.world.memory(), stage.config.clone());
    let planned = stage.engine.plan(NODES, &Value::Null, &config).await.planned;
    let refused = stage.engine.apply(NODES, &Value::Null, &config, &planned).await;
    says(
        &refused.errors,
        &["worker-1 is a node of another cluster", &uid, "sh /var/lib/k8s-hardway/remove k8s_node_group.demo.nodes"],
    );
    assert!(refused.state.is_null());
    stage.world_is(&before, "after a create that was refused");
}
