//! Applies are interrupted at random moments, again and again: the provider is killed while it makes a cluster and while it destroys
//! it; changes of a running cluster meet hosts that lose their power, their network or their disk, and programs that hang. What follows
//! must end what was begun, and no write that a client had acknowledged may be lost.
//! Variables: `LAB_KILLS` (how often a create and a destroy are killed, 3), `LAB_ROUNDS` (changes, 2) or `LAB_MINUTES` (as many changes
//! as fit), `LAB_SEED` (the moments of an earlier run), `ENGINE`, `LAB_KEEP`.

#![allow(clippy::unwrap_used)] // a test may panic

mod faults;
mod rounds;

use acceptance_tests::lab::CONTROL_PLANE;
use acceptance_tests::secrets::Secrets;
use acceptance_tests::suite::{Shared, main as run};
use acceptance_tests::workspace::signal;
use acceptance_tests::{Cluster, Engine, Ledger, assert_same, scenarios};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rounds::Rounds;
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

struct Interrupted(Cluster);

impl Shared for Interrupted {
    fn begin() -> Self {
        Interrupted(Cluster::prepare(&Engine::last(), "interrupted"))
    }
}

fn main() -> ExitCode {
    let scenarios = scenarios![
        what_others_run_on_the_hosts_is_named_at_once_and_left_alone,
        ctrl_c_ends_an_apply_at_a_safe_point_with_what_was_done_in_the_state,
        apply_converges_after_kills_at_random_moments,
        nothing_is_there_twice_and_nothing_unfinished,
        a_change_converges_whatever_fails_and_no_acknowledged_write_is_lost,
        no_secret_is_seen_in_what_the_killed_left,
        a_destroy_that_was_killed_is_ended_by_the_next_and_leaves_the_hosts_as_they_were,
    ];
    run::<Interrupted>(None, &scenarios)
}

fn what_others_run_on_the_hosts_is_named_at_once_and_left_alone(Interrupted(cluster): &mut Interrupted) {
    let strangers = [("cp-2", "stranger", "socat TCP-LISTEN:6443,fork PIPE"), ("cp-3", "k3s", "sleep infinity")];
    for (host, unit, program) in strangers {
        cluster.on(host, &format!("systemd-run --quiet --unit={unit} {program}"));
    }
    let before = CONTROL_PLANE.map(|host| cluster.lab.snapshot(host));
    let refused = cluster.workspace.try_apply(&cluster.lab);
    for part in ["6443 is in use by socat (stranger.service) on cp-2", "k3s runs on cp-3", "Nothing was changed on any host"] {
        assert!(refused.stderr.contains(part), "{part:?} is not in: {}", refused.stderr);
    }
    CONTROL_PLANE.iter().zip(&before).for_each(|(host, before)| assert_same(&cluster.lab.snapshot(host), before));
    for (host, unit, _) in strangers {
        assert_eq!(cluster.on(host, &format!("systemctl is-active {unit}")).trim(), "active", "{unit} on {host}");
        // A program that ends by the signal leaves a unit that has failed.
        cluster.on(host, &format!("systemctl stop {unit}; systemctl reset-failed {unit} 2>/dev/null; true"));
    }
}

fn ctrl_c_ends_an_apply_at_a_safe_point_with_what_was_done_in_the_state(Interrupted(cluster): &mut Interrupted) {
    let progress = cluster.workspace.folder.join("progress.log");
    let _ = std::fs::remove_file(&progress); // of an earlier run, where it was kept
    let has_begun = || std::fs::read_to_string(&progress).is_ok_and(|lines| lines.contains("k8s_hardway_cluster.demo"));
    let asked = interrupt(start_apply(cluster, "stopped"), |apply, _| has_begun() && signal("-INT", &engine_of(apply)));
    assert!(asked, "the apply ended before it reached the cluster");
    let state = cluster.workspace.state().to_string();
    ["k8s_pki", "k8s_lb_vrrp"].iter().for_each(|done| assert!(state.contains(done), "{done} is not in the state"));
    assert!(
        !std::fs::read_to_string(&progress).unwrap().contains("wait until the API server is ready: done"),
        "it was not ended"
    );
}

/// Longer than this nothing of a create takes that a later one does not go on with.
const LATEST: Duration = Duration::from_secs(15);

fn apply_converges_after_kills_at_random_moments(Interrupted(cluster): &mut Interrupted) {
    kill_at_random_moments(cluster, "apply");
    cluster.apply();
    cluster.wait_until_ready(&CONTROL_PLANE);
    cluster.plan().is_empty();
}

fn kill_at_random_moments(cluster: &Cluster, subcommand: &str) {
    let mut moments = random();
    for _ in 0..number("LAB_KILLS").unwrap_or(3) {
        let moment = LATEST.mul_f64(moments.random());
        // Engines start a provider for each phase: the moment may fall between two, then the next is meant.
        let killed =
            interrupt(start(cluster, subcommand, "killed"), |_, since| since >= moment && cluster.workspace.kill_provider());
        let progress = std::fs::read_to_string(cluster.workspace.folder.join("progress.log")).unwrap_or_default();
        let phase = if killed { progress.lines().last().unwrap_or("planning") } else { "it had ended" };
        println!("    after {:.1} s: {phase}", moment.as_secs_f64());
    }
}

fn nothing_is_there_twice_and_nothing_unfinished(Interrupted(cluster): &mut Interrupted) {
    let members = cluster.on(
        "cp-1",
        "etcdctl --cacert=/etc/etcd/pki/ca.crt --cert=/etc/etcd/pki/client.crt --key=/etc/etcd/pki/client.key member list",
    );
    assert_eq!(members.lines().count(), CONTROL_PLANE.len(), "{members}");
    let tokens = cluster.get(&["secrets", "-n", "kube-system", "--field-selector=type=bootstrap.kubernetes.io/token"]);
    // A run that is killed between a token and its join leaves it behind: within the hour Kubernetes deletes it.
    let is_mortal = |token: &serde_json::Value| token["data"]["expiration"].is_string();
    assert!(tokens["items"].as_array().unwrap().iter().all(is_mortal), "a bootstrap token is left for ever");
    // The same files on all three, less what carries a host's name and what the lab writes in the moment in which it names a host:
    // half-written ones would be more.
    let newer = "find /etc /usr/local /opt -newer /etc/hostname ! -type d ! -path /etc/hosts ! -path /etc/resolv.conf | sort";
    let files = |host: &str| cluster.on(host, newer).replace(host, "HOST");
    let first = files("cp-1");
    assert!(!first.contains(".tmp") && !first.contains(".part"), "{first}");
    ["cp-2", "cp-3"].iter().for_each(|host| assert_eq!(files(host), first, "{host} has other files than cp-1"));
}

fn a_change_converges_whatever_fails_and_no_acknowledged_write_is_lost(Interrupted(cluster): &mut Interrupted) {
    let minutes = number("LAB_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    let rounds = if minutes.is_some() { u64::MAX } else { number("LAB_ROUNDS").unwrap_or(2) };
    let (random, began) = (random(), Instant::now());
    let ledger = Ledger::start(&cluster.lab, &cluster.workspace.folder.join("kubeconfig"));
    let mut all = Rounds::new(cluster, &ledger, random);
    for round in (1..=rounds).take_while(|_| minutes.is_none_or(|minutes| began.elapsed() < minutes)) {
        println!("    round {round}, {} s:", began.elapsed().as_secs());
        all.one();
    }
    let written = ledger.finish();
    println!(
        "    {} writes were acknowledged, {} were not",
        written.acknowledged(),
        written.writes.len() - written.acknowledged()
    );
    assert_eq!(written.lost, Vec::<String>::new(), "acknowledged writes are lost");
}

fn no_secret_is_seen_in_what_the_killed_left(Interrupted(cluster): &mut Interrupted) {
    let secrets = Secrets::of(&cluster.workspace.attribute("k8s_pki.main", "bundle"));
    assert_eq!(secrets.found_below(&cluster.workspace.folder.join("logs"), &[".out", ".trace"]), Vec::<String>::new());
    assert_eq!(secrets.found_below(&cluster.workspace.folder, &["progress.log"]), Vec::<String>::new());
}

fn a_destroy_that_was_killed_is_ended_by_the_next_and_leaves_the_hosts_as_they_were(Interrupted(cluster): &mut Interrupted) {
    kill_at_random_moments(cluster, "destroy");
    cluster.destroy();
    cluster.assert_hosts_are_as_before();
}

fn start_apply(cluster: &Cluster, name: &str) -> Child {
    start(cluster, "apply", name)
}

fn start(cluster: &Cluster, subcommand: &str, name: &str) -> Child {
    let mut command = cluster.workspace.command(Some(&cluster.lab), subcommand);
    command.args(["-auto-approve", "-input=false", "-no-color"]).stdout(Stdio::null()).stderr(Stdio::null());
    cluster.workspace.traced(&mut command, name);
    command.spawn().unwrap()
}

/// Interrupts a run of an engine once, as soon as `interrupt` did. False when the run was quicker.
fn interrupt(mut engine: Child, interrupt: impl Fn(&Child, Duration) -> bool) -> bool {
    let began = Instant::now();
    let mut interrupted = false;
    while engine.try_wait().unwrap().is_none() {
        interrupted = interrupted || interrupt(&engine, began.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    interrupted
}

/// What stands behind `timeout`, which would make an end of it by itself.
fn engine_of(apply: &Child) -> Vec<String> {
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", apply.id())).unwrap_or_default();
    children.split_whitespace().map(str::to_string).collect()
}

/// The same for every scenario, so that one that runs by itself does what it did among the others.
fn random() -> StdRng {
    let seed = number("LAB_SEED").unwrap_or_else(rand::random);
    println!("    LAB_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
