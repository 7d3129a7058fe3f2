//! Hosts that somebody else uses: a state that was lost, another cluster, another owner, data that nobody recorded. Each is refused
//! before anything is written to any host, and with the right state all goes on.

use super::rows::row;
use super::{Stage, complete};
use crate::fakes::{Fault, Moment};
use bundle::{HostName, HostPath};
use machines::Owner;
use schema::Value;

/// What a create from an empty state answers; it must change nothing.
async fn refused(stage: &mut Stage, config: &Value) -> String {
    let before = stage.world.memory();
    let errors = attempt(stage, &Value::Null, config).await;
    stage.world_is(&before, "after a create that was refused");
    errors
}

/// The errors of an apply that must fail without a state, or with the prior one.
async fn attempt(stage: &mut Stage, prior: &Value, config: &Value) -> String {
    let name = stage.row.name;
    let config = complete(stage.engine.schema(name), config);
    stage.world.arm(None);
    let plan = match stage.engine.try_plan(name, prior, &config).await {
        Ok(plan) => plan,
        Err(errors) => panic!("refused at plan already: {errors:#?}"),
    };
    let applied = stage.engine.apply(name, prior, &config, &plan.planned).await;
    assert!(!applied.errors.is_empty(), "it was not refused");
    // A node group names its nodes to the approver of its cluster, again and without effect, before it looks at any host.
    let calls: Vec<String> = stage.world.calls().into_iter().filter(|call| call != "cluster: declare nodes").collect();
    assert_eq!(calls, [""; 0], "something was changed");
    if prior.is_null() {
        assert!(applied.state.is_null());
    }
    applied.errors.join("\n")
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

fn file(stage: &Stage, host: &str, path: &str) {
    let file = crate::fakes::FakeFile { mode: 0o600, owner: "root:root".into(), content: b"somebody's".to_vec() };
    stage.world.change_host(host, |memory| memory.files.insert(HostPath::literal(path), file));
}

fn without(stage: &Stage, host: &str, folder: &str) {
    stage.world.change_host(host, |memory| memory.files.retain(|path, _| !path.as_str().starts_with(folder)));
}

/// The same configuration in a workspace that has no state: authorities and encryption keys are issued again.
async fn other_credentials(stage: &mut Stage) -> Value {
    let pki = row("k8s_pki");
    let config = (pki.config)(&stage.states);
    let planned = stage.engine.plan(pki.name, &Value::Null, &config).await.planned;
    stage.engine.apply(pki.name, &Value::Null, &config, &planned).await.state
}

#[tokio::test]
async fn a_cluster_whose_state_was_lost_is_not_overwritten_with_other_authorities() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let credentials = other_credentials(&mut stage).await;
    let mut other = config.clone();
    other.set("pki", credentials.get("bundle").clone());
    let errors = refused(&mut stage, &other).await;
    let ours = pki::fingerprint(stage.states["k8s_pki"].get("certificates").get("cluster-ca").as_str().unwrap_or_default());
    let parts =
        ["cp-1 carries another cluster", "cp-3 carries another cluster", "k8s_hardway_cluster.demo", "restore it from a backup"];
    says(&errors, &parts);
    says(
        &errors,
        &[
            "workspace",
            "destroy it with the state",
            "sh /var/lib/k8s-hardway/remove k8s_hardway_cluster.demo",
            "Nothing was changed",
        ],
    );
    if let Ok(ours) = ours {
        says(&errors, &[&ours]);
    }
    // A state that knows the hosts does not help: its cluster would lose everything just as well. The plan says so already.
    let before = stage.world.memory();
    let name = stage.row.name;
    let other = complete(stage.engine.schema(name), &other);
    stage.world.arm(None);
    let Err(errors) = stage.engine.try_plan(name, &state, &other).await else { panic!("another pki was planned") };
    says(&errors.join("\n"), &["Cluster demo runs with another pki", "cluster-ca: another one than the hosts have"]);
    stage.world_is(&before, "after a plan that was refused");
    stage.settled(&state, &config, "after two refusals").await;
    stage.destroy(&state, "after two refusals").await;
}

/// A state that was restored or kept by a colleague, while the cluster of this name was made again.
#[tokio::test]
async fn a_destroy_by_a_state_that_is_older_than_the_cluster_removes_nothing() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let old = stage.create().await;
    stage.destroy(&old, "before the cluster is made again").await;
    let credentials = other_credentials(&mut stage).await;
    stage.config.set("pki", credentials.get("bundle").clone());
    let (state, config) = (stage.create().await, stage.config.clone());
    let before = stage.world.memory();
    stage.world.arm(None);
    let refused = stage.engine.destroy(stage.row.name, &old).await;
    let parts = ["cp-1 carries another cluster than this state knows", "cp-3 carries", "k8s_hardway_cluster.demo", "state rm"];
    says(&refused.errors.join("\n"), &parts);
    assert_eq!((stage.world.calls(), refused.state), (vec![], old));
    stage.world_is(&before, "after a destroy that was refused");
    stage.settled(&state, &config, "after a destroy that was refused").await;
    stage.destroy(&state, "by its own state").await;
}

#[tokio::test]
async fn nodes_of_another_cluster_are_not_cleaned() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let pem =
        other_credentials(&mut stage).await.get("bundle").get("certificates").get("apiserver-ca").as_str().unwrap().to_string();
    let (_, path) = render::node::AUTHORITIES.iter().find(|(name, _)| *name == "apiserver-ca").unwrap();
    let path = HostPath::literal(path);
    let authority = |stage: &Stage, content: Vec<u8>| {
        stage
            .world
            .change_host("worker-2", |memory| std::mem::replace(&mut memory.files.get_mut(&path).unwrap().content, content))
    };
    let ours = authority(&stage, pem.into_bytes());
    let before = stage.world.memory();
    stage.world.arm(None);
    let refused = stage.engine.destroy(stage.row.name, &state).await;
    says(&refused.errors.join("\n"), &["worker-2 carries another cluster than this state knows", "apiserver-ca"]);
    assert_eq!((stage.world.calls(), &refused.state), (vec![], &state));
    stage.world_is(&before, "after a destroy that was refused");
    // A host that leaves is let go as it is.
    let mut hosts = config.get("hosts").as_map().unwrap().clone();
    hosts.remove("worker-2");
    let mut without = config.clone();
    without.set("hosts", Value::Map(hosts));
    let planned = stage.engine.plan(stage.row.name, &state, &without).await.planned;
    let applied = stage.engine.apply(stage.row.name, &state, &without, &planned).await;
    assert_eq!(applied.errors, [""; 0]);
    says(&applied.warnings.join("\n"), &["so nothing was removed from it"]);
    stage.world.restore(&before);
    authority(&stage, ours);
    stage.destroy(&state, "with its own authority").await;
}

#[tokio::test]
async fn a_cluster_with_the_same_authorities_is_gone_on_with_also_by_an_older_record() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    stage.create().await;
    let mut taken_on = stage.world.memory();
    for host in ["cp-1", "cp-2", "cp-3"] {
        stage.world.change_host(host, |memory| memory.records.values_mut().for_each(|record| record.identity.clear()));
        let records = taken_on.hosts.get_mut(&bundle::HostName::literal(host)).unwrap().records.values_mut();
        records.for_each(|record| drop(record.identity.insert("uid".into(), machines::Uid::NIL.into())));
    }
    let state = stage.create().await;
    assert_eq!(state.get("uid").as_str(), Some(machines::Uid::NIL));
    stage.world_is(&taken_on, "after an adoption");
    let config = stage.config.clone();
    stage.settled(&state, &config, "after an adoption").await;
}

#[tokio::test]
async fn a_host_takes_one_cluster_and_one_node_group() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    stage.create().await;
    let mut other = stage.config.clone();
    other.set("name", "other".into());
    other.set("pki", issued_for(&other, "other"));
    says(&refused(&mut stage, &other).await, &["cp-1 belongs to k8s_hardway_cluster.demo", "Take the host out of that one"]);

    let mut stage = Stage::of(row("k8s_node_group")).await;
    let state = stage.create().await;
    let mut other = stage.config.clone();
    other.set("name", "other".into());
    says(&refused(&mut stage, &other).await, &["worker-1 belongs to k8s_node_group.demo"]);
    stage.destroy(&state, "after a refusal").await;
}

#[tokio::test]
async fn a_node_of_another_cluster_is_not_taken_over() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let credentials = other_credentials(&mut stage).await;
    let mut join = config.get("cluster").clone();
    join.set("apiserver_authority", credentials.get("bundle").get("certificates").get("apiserver-ca").clone());
    let mut other = config.clone();
    other.set("cluster", join);
    says(&refused(&mut stage, &other).await, &["worker-1 carries another cluster", "apiserver-ca"]);
    let before = stage.world.memory();
    let errors = attempt(&mut stage, &state, &other).await;
    says(&errors, &["worker-2 carries another cluster", "The state has the host"]);
    stage.world_is(&before, "after an update that was refused");
    stage.settled(&state, &config, "after two refusals").await;
}

#[tokio::test]
async fn a_load_balancer_of_the_same_name_is_gone_on_with_on_the_same_hosts_only() {
    let mut stage = Stage::of(row("k8s_lb_vrrp")).await;
    let state = stage.create().await;
    let mut other = stage.config.clone();
    let mut hosts = other.get("hosts").clone();
    hosts.set("lb-3", Value::object([("address", "192.0.2.4".into())]));
    other.set("hosts", hosts);
    let errors = refused(&mut stage, &other).await;
    says(&errors, &["lb-1 carries another k8s_lb_vrrp.api", "lb-1=192.0.2.2 lb-2=192.0.2.3", "another name"]);
    let before = stage.world.memory();
    assert_eq!(stage.create().await, state);
    stage.world_is(&before, "after an adoption");
    stage.apply(&state, &other).await;
}

#[tokio::test]
async fn data_that_nobody_recorded_is_refused_and_never_destroyed() {
    for (name, host, path) in [
        ("k8s_hardway_cluster", "cp-2", "/var/lib/etcd/member/snap/db"),
        ("k8s_node_group", "worker-1", "/var/lib/containerd/io.containerd.content/blob"),
        ("k8s_node_group", "worker-2", "/var/lib/kubelet/config.yaml"),
    ] {
        let mut stage = Stage::of(row(name)).await;
        file(&stage, host, path);
        let config = stage.config.clone();
        let errors = refused(&mut stage, &config).await;
        let folder = path.split('/').take(4).collect::<Vec<_>>().join("/");
        says(
            &errors,
            &[&format!("{host} has data that no record"), &format!("mv {folder} {folder}.before"), "Nothing was changed"],
        );
        without(&stage, host, &folder);
        let state = stage.create().await;
        stage.destroy(&state, "after a refusal").await;
    }
}

#[tokio::test]
async fn logs_of_others_stay_through_create_and_destroy() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    file(&stage, "worker-1", "/var/log/pods/of-others/0.log");
    stage.before = stage.world.memory();
    let state = stage.create().await;
    file(&stage, "worker-1", "/var/log/pods/ours/0.log");
    stage.destroy(&state, "with logs of others").await;
}

#[tokio::test]
async fn hosts_of_other_installers_are_refused() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    file(&stage, "cp-3", "/etc/kubernetes/manifests/etcd.yaml");
    let config = stage.config.clone();
    says(&refused(&mut stage, &config).await, &["cp-3 carries a cluster of kubeadm"]);
}

#[tokio::test]
async fn data_without_the_authorities_of_its_cluster_is_refused() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    stage.create().await;
    for host in ["cp-1", "cp-2", "cp-3"] {
        without(&stage, host, "/etc/");
    }
    let config = stage.config.clone();
    says(
        &refused(&mut stage, &config).await,
        &["cp-1 has etcd data of a cluster whose authorities are gone", "Restore the state"],
    );
}

/// A create that fails on hosts which carry this very cluster leaves no state: tainted, the next apply would delete its data.
#[tokio::test]
async fn an_adoption_that_fails_taints_nothing_and_the_next_apply_goes_on() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    stage.create().await;
    let end = stage.world.memory();
    stage.world.change_host("cp-2", |memory| {
        memory.files.remove(&HostPath::literal("/etc/etcd/bootstrap.env"));
    });
    stage.world.arm(Some((Fault::Fail(Moment::Before), 1)));
    let (name, config) = (stage.row.name, stage.config.clone());
    let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
    let applied = stage.engine.apply(name, &Value::Null, &config, &planned).await;
    assert!(stage.world.has_struck() && !applied.errors.is_empty());
    assert!(applied.state.is_null(), "it is tainted");
    says(&applied.warnings.join("\n"), &["Nothing of this resource is in the state yet"]);
    stage.world.arm(None);
    let state = stage.create().await;
    stage.world_is(&end, "after the second try");
    stage.settled(&state, &config, "after the second try").await;
}

/// While authorities are rotated, both stand in one file: one in common is enough.
#[tokio::test]
async fn an_authority_that_shares_a_certificate_is_the_same() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    stage.create().await;
    let end = stage.world.memory();
    let other = other_credentials(&mut stage).await;
    let pem = other.get("bundle").get("certificates").get("cluster-ca").as_str().unwrap().to_string();
    stage.world.change_host("cp-1", |memory| {
        let file = memory.files.get_mut(&HostPath::literal("/etc/kubernetes/pki/cluster-ca.crt")).unwrap();
        file.content = [pem.as_bytes(), &file.content].concat();
    });
    stage.create().await;
    stage.world_is(&end, "after an adoption");
}

/// The same credentials under the name of another cluster.
fn issued_for(config: &Value, cluster: &str) -> Value {
    let mut pki = config.get("pki").clone();
    pki.set("cluster_name", cluster.into());
    pki
}

/// The machine of a node was set up again for another group: what the state knows of it says nothing about what it is now.
#[tokio::test]
async fn a_host_of_the_state_that_another_group_took_is_not_taken_back() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    let state = stage.create().await;
    let gpu = Owner::parse("k8s_node_group.demo.gpu").unwrap();
    stage.world.change_host("worker-2", |host| {
        let (_, mut record) = host.records.pop_first().unwrap();
        record.identity.insert("uid".into(), "11111111-1111-4111-8111-111111111111".into());
        host.records.insert(gpu.clone(), record);
    });
    let before = stage.world.memory().lines();
    let config = stage.config.clone();
    let changed = stage.row.changed(&config, &("kubelet_config", || "{\"maxPods\":200}".into()));
    let applied = stage.attempt(&state, &complete(stage.engine.schema("k8s_node_group"), &changed)).await;
    assert!(applied.errors.iter().any(|error| error.contains("k8s_node_group.demo.gpu")), "{:?}", applied.errors);
    assert_eq!(stage.world.memory().lines(), before);
}

#[tokio::test]
async fn a_node_of_another_machine_is_not_joined_under_its_name() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    stage.create().await;
    stage.change_node("worker-1", |node| node.addresses = ["192.0.2.21".parse().unwrap()].into());
    let mut config = stage.config.clone();
    config.set("name", "gpu".into());
    config.set("hosts", Value::Map([("worker-1".to_string(), Value::object([("address", "192.0.2.99".into())]))].into()));
    let config = complete(stage.engine.schema("k8s_node_group"), &config);
    stage.world.change(|memory| drop(memory.routes.insert("192.0.2.99".into(), HostName::literal("box-9"))));
    let before = stage.world.memory();
    let applied = stage.attempt(&Value::Null, &config).await;
    assert!(applied.errors[0].contains("ode worker-1 of the cluster is another machine"), "{:?}", applied.errors);
    assert!(applied.state.is_null());
    assert_eq!(stage.world.memory().lines(), before.lines());
}

/// Ctrl-C while hosts are looked at.
#[tokio::test]
async fn a_create_that_was_stopped_before_its_first_push_leaves_nothing_in_the_state() {
    for name in ["k8s_hardway_cluster", "k8s_node_group", "k8s_lb_vrrp"] {
        let mut stage = Stage::of(row(name)).await;
        let config = stage.config.clone();
        let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
        stage.world.change(|memory| memory.counts_looks = true);
        stage.world.arm(Some((Fault::Cancel, 1)));
        let stopped = stage.engine.apply(name, &Value::Null, &config, &planned).await;
        assert!(stopped.state.is_null() && stopped.errors[0].contains("topped on request"), "{name}: {:?}", stopped.errors);
        stage.world.change(|memory| memory.counts_looks = false);
        stage.engine.configure().await;
        stage.create().await;
    }
}

#[tokio::test]
async fn a_create_whose_first_push_failed_leaves_nothing_in_the_state() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let one = Value::object([("address", "192.0.2.11".into())]);
    stage.config.set("hosts", Value::Map([("cp-1".to_string(), one)].into()));
    let config = complete(stage.engine.schema("k8s_hardway_cluster"), &stage.config);
    let planned = stage.engine.plan("k8s_hardway_cluster", &Value::Null, &config).await.planned;
    stage.world.arm(Some((Fault::Fail(Moment::Before), 1)));
    let failed = stage.engine.apply("k8s_hardway_cluster", &Value::Null, &config, &planned).await;
    assert!(failed.state.is_null() && !failed.errors.is_empty(), "{:?}", failed.errors);
    stage.apply(&Value::Null, &config).await;
}
