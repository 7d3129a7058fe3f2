//! Digests of downloads at plan: looked up once for what is new, never for what stays; and no password of a mirror is printed.

use super::rows::{Change, row};
use super::{Stage, complete, texts};
use crate::fakes::{Fault, Moment};
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const NODES: &str = "k8s_node_group";
const MIRROR: Change = ("mirror", || "https://user:canary@nobody.example.net/x".into());
const SHOWN: &str = "https://nobody.example.net/x/SHA256SUMS";

/// The configuration of the stage with the newest release.
fn upgraded(stage: &Stage, config: &Value) -> Value {
    let mut config = config.clone();
    let version = || Value::from("1.36.3");
    if stage.row.name == CLUSTER {
        config.set("kubernetes_version", version());
    } else {
        let mut join = config.get("cluster").clone();
        join.set("kubernetes_version", version());
        config.set("cluster", join);
    }
    config
}

/// The configuration of the stage with the last of its hosts of another architecture.
fn of_two_architectures(stage: &Stage) -> Value {
    let (mut config, mut hosts) = (stage.config.clone(), stage.config.get("hosts").clone());
    let last = hosts.as_map().unwrap().keys().next_back().unwrap().clone();
    let mut host = hosts.get(&last).clone();
    host.set("architecture", "arm64".into());
    stage.world.change_host(&last, |memory| memory.trouble = |facts| facts.architecture = "arm64".into());
    hosts.set(&last, host);
    config.set("hosts", hosts);
    complete(stage.engine.schema(stage.row.name), &config)
}

/// Every program is written where nothing is, whatever its digest.
#[tokio::test]
async fn what_is_new_lists_every_step_without_its_digests_and_is_applied_with_them() {
    for name in [CLUSTER, NODES] {
        let mut stage = Stage::of(row(name)).await;
        let config = of_two_architectures(&stage);
        let known = stage.engine.plan(name, &Value::Null, &config).await.planned;
        stage.world.publish(false);
        let plan = stage.engine.plan(name, &Value::Null, &config).await;
        assert!(plan.warnings.iter().any(|warning| warning.contains("404 Not Found")), "{:?}", plan.warnings);
        assert!(!texts(known.get("rollout")).is_empty());
        for attribute in ["rollout", "steps"] {
            assert_eq!(plan.planned.get(attribute), known.get(attribute), "{name}");
        }
        let [lines, all] = [&plan.planned, &known].map(|planned| planned.get("host_contents").as_map().unwrap());
        assert_eq!(lines.keys().collect::<Vec<_>>(), all.keys().collect::<Vec<_>>(), "{name}");
        let is_program = |line: &Value| line.as_str().is_some_and(|line| line.starts_with("binary sha256:"));
        let programs: Vec<&String> = all.iter().filter(|(_, line)| is_program(line)).map(|(key, _)| key).collect();
        assert!(programs.iter().any(|key| key.contains(": ")), "{programs:?}");
        let unknown: Vec<&String> =
            lines.iter().filter(|(key, line)| line.is_unknown() && !all[*key].is_unknown()).map(|(key, _)| key).collect();
        assert_eq!(unknown, programs, "{name}");
        // While nobody can say what is downloaded, nothing is changed.
        stage.world.arm(None);
        let refused = stage.engine.apply(name, &Value::Null, &config, &plan.planned).await;
        assert_eq!((refused.errors.len(), stage.world.calls()), (1, vec![]), "{:?}", refused.errors);
        assert!(refused.errors[0].starts_with("The digests of some downloads are not known"), "{:?}", refused.errors);
        stage.world.publish(true);
        let applied = stage.engine.apply(name, &Value::Null, &config, &plan.planned).await;
        assert_eq!(applied.errors, Vec::<String>::new());
        stage.settled(&applied.state, &config, "whose digests were not known at first").await;
    }
}

#[tokio::test]
async fn a_checksum_file_that_cannot_be_read_is_named_without_the_password_of_its_mirror() {
    for name in [CLUSTER, NODES] {
        let mut stage = Stage::of(row(name)).await;
        let config = stage.row.changed(&stage.config, &MIRROR);
        let plan = stage.engine.plan(name, &Value::Null, &config).await;
        let warning = plan.warnings.iter().find(|warning| warning.starts_with("The digests of some downloads are not known yet"));
        assert!(warning.is_some_and(|text| text.contains(SHOWN)), "{name}: {:?}", plan.warnings);
        let checksums = plan.planned.get("checksums").as_map().unwrap();
        assert!(checksums.len() >= 4 && checksums.values().all(Value::is_unknown), "{checksums:?}");
        let printed = format!("{:?} {:?}", plan.warnings, checksums.keys());
        assert!(printed.contains("https://dl.k8s.io/") && !printed.contains("canary"), "{printed}");
    }
}

#[tokio::test]
async fn what_stays_needs_no_digest_again_wherever_it_is_fetched_from() {
    for name in [CLUSTER, NODES] {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        let config = stage.row.changed(&stage.config, &MIRROR);
        let fetches = stage.world.fetches().len();
        let plan = stage.engine.plan(name, &state, &config).await;
        assert_eq!(plan.warnings, Vec::<String>::new(), "{name}");
        for attribute in ["host_contents", "checksums"] {
            assert_eq!(plan.planned.get(attribute), state.get(attribute), "{name}");
        }
        assert_eq!(plan.planned.get("rollout"), state.get("rollout"), "{name}");
        assert_eq!(stage.world.fetches().len(), fetches, "{name} looks digests up again");
    }
}

#[tokio::test]
async fn digests_that_an_earlier_version_pinned_under_a_mirror_stand_as_they_are() {
    for name in [CLUSTER, NODES] {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        let config = stage.config.clone();
        for (mirror, is_kept) in [("https://mirror.example.net", true), ("https://user:canary@mirror.example.net", false)] {
            let pinned = state.get("checksums").as_map().unwrap().iter();
            let pinned = pinned.map(|(url, digest)| (url.replace("https:/", mirror), digest.clone())).collect();
            let mut old = state.clone();
            old.set("checksums", Value::Map(pinned));
            let plan = stage.engine.plan(name, &old, &config).await;
            assert_eq!(plan.is_empty, is_kept, "{name} {mirror}");
            let expect = if is_kept { &old } else { &state };
            assert_eq!(plan.planned.get("checksums"), expect.get("checksums"), "{name} {mirror}");
        }
    }
}

#[tokio::test]
async fn a_change_of_what_exists_is_not_planned_without_its_digests() {
    for name in [CLUSTER, NODES] {
        let mut stage = Stage::of(row(name)).await;
        let mut config = stage.config.clone();
        if name == NODES {
            let mut join = config.get("cluster").clone();
            join.set("kubernetes_version", "1.36.2".into());
            config.set("cluster", join);
        }
        let state = stage.apply(&Value::Null, &config).await;
        let config = upgraded(&stage, &stage.row.changed(&config, &MIRROR));
        let errors = stage.engine.try_plan(name, &state, &config).await.err().unwrap();
        assert_eq!(errors.len(), 1, "{name}: {errors:?}");
        let error = &errors[0];
        assert!(error.starts_with("The digests of some downloads are not known") && error.contains(SHOWN), "{error}");
        assert!(error.contains("nor what restarts") && !error.contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn a_digest_of_nothing_is_refused_with_the_keys_that_would_do() {
    for name in [CLUSTER, NODES] {
        let mut stage = Stage::of(row(name)).await;
        let given: Change = ("checksums", || Value::object([("https://dl.example/x", "0".repeat(64).into())]));
        let config = stage.row.changed(&stage.config, &given);
        let errors = stage.engine.try_plan(name, &Value::Null, &config).await.err().unwrap();
        assert_eq!(errors.len(), 1, "{name}: {errors:?}");
        assert!(errors[0].starts_with("Nothing is downloaded from https://dl.example/x"), "{errors:?}");
        assert!(errors[0].contains("https://dl.k8s.io/release/v1.36."), "{errors:?}");
    }
}

/// Hosts on which old downloads were deleted, in the order of the calls.
fn pruned(stage: &Stage) -> Vec<String> {
    let calls = stage.world.calls().into_iter();
    calls.filter_map(|call| call.strip_suffix(": prune_downloads").map(str::to_string)).collect()
}

#[tokio::test]
async fn old_downloads_go_after_all_hosts_run_with_new_programs_and_not_before() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    assert_eq!(pruned(&stage), Vec::<String>::new());
    let config = upgraded(&stage, &stage.config.clone());
    let planned = stage.engine.plan(CLUSTER, &state, &config).await.planned;
    let before = stage.world.memory();
    for at in 1.. {
        stage.world.restore(&before);
        stage.engine.configure().await;
        stage.world.arm(Some((Fault::Fail(Moment::Before), at)));
        let applied = stage.engine.apply(CLUSTER, &state, &config, &planned).await;
        if applied.errors.is_empty() {
            break;
        }
        assert_eq!(pruned(&stage), Vec::<String>::new(), "at call {at}");
    }
    let calls = stage.world.calls();
    assert_eq!(pruned(&stage), ["cp-1", "cp-2", "cp-3"]);
    assert!(calls.iter().rev().take(3).all(|call| call.ends_with(": prune_downloads")), "{calls:?}");
}
