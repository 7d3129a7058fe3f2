//! How long the plans of many hosts are, how large their state is and how often it calls: in step with the number of hosts, and not
//! with it where hosts are alike. `make bench-plan` runs the last test with other numbers of hosts, and prints what it measures.

use super::rows::{Change, row};
use super::{Stage, complete, without_steps};
use schema::Value;
use std::time::{Duration, Instant};

const NODES: &str = "k8s_node_group";
const SETTING: Change = ("kubelet_config", || "{\"maxPods\":200}".into());

/// The node group of the row with so many hosts.
fn config(stage: &Stage, hosts: usize) -> Value {
    let host = |number: usize| {
        let address = format!("10.{}.{}.10", number / 250, number % 250);
        (format!("worker-{number:04}"), Value::object([("address", address.into())]))
    };
    let mut config = stage.config.clone();
    config.set("hosts", Value::Map((1..=hosts).map(host).collect()));
    complete(stage.engine.schema(NODES), &config)
}

/// The lines by which an engine shows the change of one resource. Unchanged neighbours are one comment. The rules are those of
/// Terraform's `jsonformat`, which hides attributes that are null before and after.
fn plan_lines(prior: &Value, planned: &Value) -> usize {
    const HEADER_AND_FOOTER: usize = 4;
    HEADER_AND_FOOTER + lines(prior, planned)
}

fn lines(before: &Value, after: &Value) -> usize {
    match (before, after) {
        (before, after) if before == after => 0,
        (Value::Map(_), Value::Map(_) | Value::Null) | (Value::Null, Value::Map(_)) => lines_of_map(before, after),
        (Value::List(_), Value::List(_) | Value::Null) | (Value::Null, Value::List(_)) => lines_of_list(before, after),
        (before, after) => lines_of_text(before).max(lines_of_text(after)),
    }
}

fn lines_of_map(before: &Value, after: &Value) -> usize {
    let keys = |value: &Value| value.as_map().into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let all: std::collections::BTreeSet<String> = keys(before).into_iter().chain(keys(after)).collect();
    let is_hidden = |key: &String| before.get(key) == after.get(key) && !after.get(key).is_null();
    let changed: usize = all.iter().map(|key| lines(before.get(key), after.get(key))).sum();
    2 + changed + usize::from(all.iter().any(is_hidden))
}

fn lines_of_list(before: &Value, after: &Value) -> usize {
    let (before, after) = (before.as_list().unwrap_or_default(), after.as_list().unwrap_or_default());
    let same = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let changed = before[same..].iter().chain(&after[same..]).map(|item| lines(&Value::Null, item)).sum::<usize>();
    2 + changed + usize::from(same > 0)
}

fn lines_of_text(value: &Value) -> usize {
    match value.as_str().map(|text| text.lines().count()) {
        Some(count) if count > 1 => count + 2,
        _ => 1,
    }
}

/// Of a group that does not exist yet: its plan, and the state that it leads to.
async fn planned(stage: &mut Stage, hosts: usize) -> Value {
    let config = config(stage, hosts);
    stage.engine.plan(NODES, &Value::Null, &config).await.planned
}

fn state_bytes(stage: &Stage, state: &Value) -> usize {
    super::as_applied(state).to_json(&stage.engine.schema(NODES).value_type()).unwrap().to_string().len()
}

#[tokio::test]
async fn plans_and_states_grow_with_the_hosts_and_by_little() {
    let mut stage = Stage::of(row(NODES)).await;
    let mut figures = Vec::new();
    for hosts in [100, 200, 300] {
        let planned = planned(&mut stage, hosts).await;
        figures.push((plan_lines(&Value::Null, &planned), state_bytes(&stage, &planned)));
    }
    let [(lines_100, bytes_100), (lines_200, bytes_200), (lines_300, bytes_300)] = figures[..] else { panic!("three sizes") };
    assert!(lines_300 < 1_500, "the create of 300 hosts is {lines_300} lines");
    assert_eq!(lines_300 - lines_200, lines_200 - lines_100, "lines");
    let (second, third) = (bytes_200 - bytes_100, bytes_300 - bytes_200);
    assert!(second.abs_diff(third) < second / 20 && bytes_300 < 200_000, "bytes of state: {figures:?}");
}

#[tokio::test]
async fn a_changed_setting_is_one_plan_whatever_the_number_of_hosts() {
    let mut stage = Stage::of(row(NODES)).await;
    let mut all = Vec::new();
    for hosts in [50, 300] {
        let state = without_steps(&planned(&mut stage, hosts).await);
        let changed = complete(stage.engine.schema(NODES), &stage.row.changed(&config(&stage, hosts), &SETTING));
        let plan = stage.engine.plan(NODES, &state, &changed).await;
        let warning: usize = plan.warnings.iter().map(|warning| warning.lines().count()).sum();
        let more = config(&stage, hosts + 1);
        let added = stage.engine.plan(NODES, &state, &more).await.planned;
        all.push((plan_lines(&state, &plan.planned) + warning, plan_lines(&state, &added)));
    }
    assert!(all[1].0 < 200 && all[1].1 < 200, "a changed setting, an added host: {all:?} lines");
    assert_eq!(all[0], all[1]);
}

#[tokio::test]
async fn an_apply_calls_each_host_equally_often() {
    let mut calls = Vec::new();
    for hosts in [10, 20, 30] {
        let mut stage = Stage::of(row(NODES)).await;
        let config = config(&stage, hosts);
        stage.apply(&Value::Null, &config).await;
        calls.push(stage.world.calls().len());
    }
    assert_eq!(calls[2] - calls[1], calls[1] - calls[0], "{calls:?}");
}

/// At most ten at once, for hours.
#[tokio::test]
async fn three_hundred_hosts_join_in_more_time_than_a_token_lives() {
    let mut stage = Stage::of(row(NODES)).await;
    let config = config(&stage, 300);
    stage.world.slow_down(Duration::from_secs(15));
    stage.apply(&Value::Null, &config).await;
    let cluster = stage.world.memory().cluster;
    assert!(cluster.tokens_made.len() > 2, "{} tokens", cluster.tokens_made.len());
    assert_eq!((cluster.tokens.len(), cluster.nodes.len()), (0, 300));
}

/// Of this process, simulated machines included.
fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    peak.unwrap_or(f64::NAN) / 1024.0
}

async fn measure(hosts: usize) {
    let mut stage = Stage::of(row(NODES)).await;
    let config = config(&stage, hosts);
    let report = |what: &str, began: Instant, lines: usize| {
        println!("{hosts:>6}  {what:<20} {:>8.3} s {lines:>7} lines", began.elapsed().as_secs_f64());
    };
    let began = Instant::now();
    let first = stage.engine.plan(NODES, &Value::Null, &config).await.planned;
    report("first plan", began, plan_lines(&Value::Null, &first));
    let applied = stage.engine.apply(NODES, &Value::Null, &config, &first).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let began = Instant::now();
    let state = stage.engine.refresh(NODES, &applied.state).await.state;
    report("refresh", began, 0);
    let began = Instant::now();
    assert!(stage.engine.plan(NODES, &state, &config).await.is_empty);
    report("plan without changes", began, 0);
    let changed = complete(stage.engine.schema(NODES), &stage.row.changed(&config, &SETTING));
    let began = Instant::now();
    let planned = stage.engine.plan(NODES, &state, &changed).await.planned;
    report("one changed setting", began, plan_lines(&state, &planned));
    let more = self::config(&stage, hosts + 1);
    let began = Instant::now();
    let planned = stage.engine.plan(NODES, &state, &more).await.planned;
    report("one added host", began, plan_lines(&state, &planned));
    let (bytes, memory) = (state_bytes(&stage, &state), peak_memory_mib());
    println!("{hosts:>6}  state {bytes} bytes; peak memory, simulated machines included: {memory:.0} MiB");
}

#[tokio::test]
async fn many_hosts_are_planned_applied_refreshed_and_changed() {
    let sizes = std::env::var("BENCH_PLAN_HOSTS").unwrap_or_else(|_| "5".into());
    for hosts in sizes.split_whitespace() {
        measure(hosts.parse().unwrap()).await;
    }
}
