//! Hosts that are seen for the first time: all that is wrong with all of them is said at once, before anything is written to any.

use super::rows::row;
use super::{Stage, complete};
use machines::Facts;
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";

fn trouble(stage: &Stage, host: &str, trouble: fn(&mut Facts)) {
    stage.world.change_host(host, |memory| memory.trouble = trouble);
}

/// Errors and warnings of an apply.
async fn attempt(stage: &mut Stage, prior: &Value) -> (Value, Vec<String>, Vec<String>) {
    let (name, config) = (stage.row.name, complete(stage.engine.schema(stage.row.name), &stage.config));
    stage.world.arm(None);
    let planned = stage.engine.plan(name, prior, &config).await.planned;
    let applied = stage.engine.apply(name, prior, &config, &planned).await;
    (applied.state, applied.errors, applied.warnings)
}

fn says(all: &[String], parts: &[&str]) {
    let text = all.join("\n");
    parts.iter().for_each(|part| assert!(text.contains(part), "{part:?} is not in: {text}"));
}

#[tokio::test]
async fn all_that_is_wrong_with_all_hosts_is_said_before_anything_is_written() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    trouble(&stage, "cp-1", |facts| {
        facts.systemd_version = None;
        facts.architecture = "arm64".into();
    });
    trouble(&stage, "cp-2", |facts| facts.refuses_tunnel = true);
    trouble(&stage, "cp-3", |facts| facts.firewalls = ["ufw".to_string()].into());
    let before = stage.world.memory();
    let (state, errors, warnings) = attempt(&mut stage, &Value::Null).await;
    assert_eq!((state, errors.len(), warnings.len(), stage.world.calls()), (Value::Null, 3, 1, vec![]), "{errors:#?}");
    let parts =
        ["arm64, not amd64, on cp-1", "does not run on cp-1", "forwards nothing on cp-2", "Nothing was changed on any host"];
    says(&errors, &parts);
    says(&warnings, &["The firewall ufw filters packets on cp-3", "TCP 2379, 2380, 6443"]);
    stage.world_is(&before, "after a first look");
    for host in ["cp-1", "cp-2", "cp-3"] {
        trouble(&stage, host, |_| {});
    }
    let state = stage.create().await;
    stage.destroy(&state, "after a first look").await;
}

/// Who does not answer is named as well, so that one more apply will do.
#[tokio::test]
async fn a_host_that_does_not_answer_is_said_beside_what_is_wrong_with_the_others() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    trouble(&stage, "cp-1", |facts| facts.systemd_version = None);
    stage.world.change_host("cp-2", |memory| memory.answers = false);
    let (_, errors, _) = attempt(&mut stage, &Value::Null).await;
    says(&errors, &["does not run on cp-1", "cp-2 could not be reached"]);
    assert_eq!((errors.len(), stage.world.calls()), (2, vec![]), "{errors:#?}");
}

#[tokio::test]
async fn what_works_worse_is_a_warning_once_and_the_apply_goes_on() {
    for name in ["k8s_lb_vrrp", CLUSTER, "k8s_node_group"] {
        let mut stage = Stage::of(row(name)).await;
        let hosts: Vec<String> = stage.config.get("hosts").as_map().unwrap().keys().cloned().collect();
        hosts.iter().for_each(|host| trouble(&stage, host, |facts| facts.firewalls = ["ufw".to_string()].into()));
        let (state, errors, warnings) = attempt(&mut stage, &Value::Null).await;
        assert_eq!((errors, warnings.len()), (vec![], 1), "{name}: {warnings:#?}");
        says(&warnings, &["The firewall ufw filters packets on", &hosts[0], hosts.last().unwrap()]);
        // They have their records now.
        let config = stage.config.clone();
        stage.settled(&state, &config, "with a warning at its create").await;
        let (attribute, value) = stage.row.updates[0];
        stage.config.set(attribute, value());
        let (state, errors, warnings) = attempt(&mut stage, &state).await;
        assert_eq!((errors, warnings), (vec![], vec![]), "{name}");
        stage.destroy(&state, "with a warning at its create").await;
    }
}

/// Its disk was cloned, or set up again.
#[tokio::test]
async fn a_host_on_another_machine_or_without_its_record_is_looked_at_again() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    let state = stage.create().await;
    for host in ["worker-1", "worker-2"] {
        trouble(&stage, host, |facts| facts.kernel = "5.4.0".into());
        stage.world.change_host(host, |memory| {
            memory.machine_id = Some("b".into());
            memory.records.values_mut().for_each(|record| drop(record.identity.insert("machine-id".into(), "b".into())));
        });
    }
    let (attribute, value) = stage.row.updates[0];
    let before = stage.world.memory();
    stage.config.set(attribute, value());
    stage.world.change_host("worker-1", |memory| memory.machine_id = Some("c".into()));
    let (_, errors, _) = attempt(&mut stage, &state).await;
    says(&errors, &["Kernel 5.4.0 is too old on worker-1"]);
    assert!(!errors.join("\n").contains("worker-2"), "{errors:#?}");
    stage.world.restore(&before);
    stage.world.change_host("worker-2", |memory| {
        *memory = crate::fakes::HostMemory { trouble: memory.trouble, ..Default::default() };
    });
    let (_, errors, _) = attempt(&mut stage, &state).await;
    says(&errors, &["Kernel 5.4.0 is too old on worker-2"]);
    assert!(!errors.join("\n").contains("worker-1"), "{errors:#?}");
    stage.world.restore(&before);
    let (_, errors, warnings) = attempt(&mut stage, &state).await;
    assert_eq!((errors, warnings), (vec![], vec![]));
}

/// A distribution's containerd, and a k3s.
#[tokio::test]
async fn what_others_run_is_not_replaced() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    for (host, unit) in [("worker-1", "containerd.service"), ("worker-2", "k3s-agent.service")] {
        let running = crate::fakes::FakeUnit { active_state: "active".into(), ..Default::default() };
        stage.world.change_host(host, |memory| memory.units.insert(bundle::UnitName::literal(unit), running));
    }
    let before = stage.world.memory();
    let (state, errors, _) = attempt(&mut stage, &Value::Null).await;
    says(&errors, &["containerd.service of somebody else runs on worker-1", "k3s runs on worker-2"]);
    assert!(state.is_null() && errors.len() == 2, "{errors:#?}");
    stage.world_is(&before, "after a first look");
}
