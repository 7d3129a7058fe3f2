//! Settings that a program refuses reach no unit: it is asked first, and what it read before comes back.

use super::engine::Outcome;
use super::rows::row;
use super::{Stage, complete};
use crate::fakes::{Fault, Moment};
use bundle::{HostName, HostPath};
use render::component::CONTROLLER_MANAGER;
use schema::Value;

async fn change(stage: &mut Stage, state: &Value, flag: &str) -> Outcome {
    let mut config = stage.config.clone();
    config.set("controller_manager", Value::object([("flags", Value::object([(flag, "1".into())]))]));
    let config = complete(stage.engine.schema(stage.row.name), &config);
    let planned = stage.engine.plan(stage.row.name, state, &config).await.planned;
    stage.engine.apply(stage.row.name, state, &config, &planned).await
}

async fn created() -> (Stage, Value) {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let state = stage.create().await;
    stage.world.arm(None);
    (stage, state)
}

/// What was done to the host, without the names of units.
fn calls(stage: &Stage, host: &str) -> Vec<String> {
    let of_host = format!("{host}: ");
    let calls = stage.world.calls().into_iter().filter_map(|call| call.strip_prefix(&of_host).map(str::to_string));
    calls.map(|call| call.split(' ').next().unwrap_or_default().to_string()).collect()
}

fn unit_file(stage: &Stage, host: &str) -> Option<String> {
    let path: HostPath = CONTROLLER_MANAGER.unit().path();
    let memory = stage.world.memory();
    let file = memory.hosts.get(&HostName::literal(host))?.files.get(&path)?;
    Some(String::from_utf8_lossy(&file.content).into_owned())
}

#[track_caller]
fn assert_refused(outcome: &Outcome) {
    assert_eq!(outcome.errors.len(), 1, "{:?}", outcome.errors);
    for part in [
        "kube-controller-manager.service on cp-1",
        "would not start with its new settings",
        "unknown flag: --no-such-flag",
        "The unit was not touched",
        "0 of 3 hosts are done; cp-2, cp-3 were not touched.",
    ] {
        assert!(outcome.errors[0].contains(part), "{part} is not in {}", outcome.errors[0]);
    }
}

#[tokio::test]
async fn a_flag_that_a_program_refuses_restarts_nothing_and_what_was_there_comes_back() {
    let (mut stage, state) = created().await;
    let before = unit_file(&stage, "cp-1");
    let refused = change(&mut stage, &state, "no-such-flag").await;
    assert_refused(&refused);
    assert_eq!(calls(&stage, "cp-1"), ["push", "check"]);
    assert_eq!((calls(&stage, "cp-2"), calls(&stage, "cp-3")), (vec![], vec![]));
    assert_eq!(unit_file(&stage, "cp-1"), before);

    stage.world.arm(None);
    assert_refused(&change(&mut stage, &refused.state, "no-such-flag").await);
    assert_eq!(calls(&stage, "cp-1"), ["push", "check"]);
    let mended = change(&mut stage, &refused.state, "v").await;
    assert_eq!(mended.errors, Vec::<String>::new());
    assert!(unit_file(&stage, "cp-3").unwrap().contains("--v=1"));
}

/// The first call of a change is its push to the first host.
#[tokio::test]
async fn settings_whose_check_was_cut_off_are_checked_by_the_next_apply() {
    let (mut stage, state) = created().await;
    let before = unit_file(&stage, "cp-1");
    stage.world.arm(Some((Fault::Die(Moment::After), 1)));
    change(&mut stage, &state, "no-such-flag").await;
    assert!(stage.world.has_struck());
    assert_eq!(calls(&stage, "cp-1"), ["push"]);
    assert!(unit_file(&stage, "cp-1").unwrap().contains("no-such-flag"));

    stage.world.arm(None);
    stage.engine.configure().await;
    assert_refused(&change(&mut stage, &state, "no-such-flag").await);
    assert_eq!(calls(&stage, "cp-1"), ["check"]);
    assert_eq!(unit_file(&stage, "cp-1"), before);
}

#[tokio::test]
async fn units_of_new_hosts_are_checked_before_any_of_them_starts() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let flags = Value::object([("flags", Value::object([("no-such-flag", "1".into())]))]);
    stage.config.set("controller_manager", flags);
    stage.world.arm(None);
    let config = complete(stage.engine.schema(stage.row.name), &stage.config);
    let prior = Value::Null;
    let planned = stage.engine.plan(stage.row.name, &prior, &config).await.planned;
    let outcome = stage.engine.apply(stage.row.name, &prior, &config, &planned).await;
    assert!(outcome.errors.iter().any(|error| error.contains("would not start with its new settings")), "{:?}", outcome.errors);
    for host in ["cp-1", "cp-2", "cp-3"] {
        assert_eq!(calls(&stage, host), ["push", "check"]);
        assert_eq!(unit_file(&stage, host), None);
    }
}

#[tokio::test]
async fn a_kubelet_and_its_pods_stay_when_its_configuration_is_refused() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    stage.config.set("max_unavailable", 1.into());
    let state = stage.create().await;
    stage.world.arm(None);
    let mut config = stage.config.clone();
    config.set("kubelet_config", "{\"noSuchField\":1}".into());
    let config = complete(stage.engine.schema(stage.row.name), &config);
    let planned = stage.engine.plan(stage.row.name, &state, &config).await.planned;
    let outcome = stage.engine.apply(stage.row.name, &state, &config, &planned).await;
    assert!(outcome.errors.len() == 1 && outcome.errors[0].contains("kubelet.service on cp-1"), "{:?}", outcome.errors);
    assert_eq!(calls(&stage, "cp-1"), ["push", "check"]);
}
