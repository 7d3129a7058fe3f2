//! The provider is killed while it makes a cluster, at random moments, again and again; then one apply ends what was begun.
//! Variables: `LAB_KILLS` (how often, 3), `LAB_SEED` (the moments of an earlier run), `ENGINE`, `LAB_KEEP`.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::lab::CONTROL_PLANE;
use acceptance_tests::secrets::Secrets;
use acceptance_tests::suite::{Scenario, Shared, main as run};
use acceptance_tests::{Cluster, scenarios};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

struct Interrupted(Cluster);

impl Shared for Interrupted {
    fn begin() -> Self {
        Interrupted(Cluster::prepare("interrupted"))
    }
}

fn main() -> ExitCode {
    let first =
        Scenario { name: "apply_converges_after_kills_at_random_moments", run: apply_converges_after_kills_at_random_moments };
    let others = scenarios![
        nothing_is_there_twice_and_nothing_unfinished,
        no_secret_is_seen_in_what_the_killed_left,
        destroy_leaves_the_hosts_as_they_were
    ];
    run::<Interrupted>(Some(first), &others)
}

/// Longer than this nothing of a create takes that a later one does not go on with.
const LATEST: Duration = Duration::from_secs(15);

fn apply_converges_after_kills_at_random_moments(Interrupted(cluster): &mut Interrupted) {
    let kills = number("LAB_KILLS").unwrap_or(3);
    let seed = number("LAB_SEED").unwrap_or_else(rand::random);
    println!("    LAB_SEED={seed}");
    let mut moments = StdRng::seed_from_u64(seed);
    for _ in 0..kills {
        let moment = LATEST.mul_f64(moments.random());
        let killed = kill_provider_of_an_apply(cluster, moment);
        let progress = std::fs::read_to_string(cluster.workspace.folder.join("progress.log")).unwrap_or_default();
        let phase = if killed { progress.lines().last().unwrap_or("planning") } else { "the apply had ended" };
        println!("    after {:.1} s: {phase}", moment.as_secs_f64());
    }
    cluster.apply();
    cluster.wait_until_ready(&CONTROL_PLANE);
    cluster.plan().is_empty();
}

fn nothing_is_there_twice_and_nothing_unfinished(Interrupted(cluster): &mut Interrupted) {
    let members = cluster.on(
        "cp-1",
        "etcdctl --cacert=/etc/etcd/pki/ca.crt --cert=/etc/etcd/pki/client.crt --key=/etc/etcd/pki/client.key member list",
    );
    assert_eq!(members.lines().count(), CONTROL_PLANE.len(), "{members}");
    let tokens = cluster.get(&["secrets", "-n", "kube-system", "--field-selector=type=bootstrap.kubernetes.io/token"]);
    assert_eq!(tokens["items"].as_array().unwrap().len(), 0, "bootstrap tokens are left");
    // The same files on all three, less what carries a host's name: half-written ones would be more.
    let files =
        |host: &str| cluster.on(host, "find /etc /usr/local /opt -newer /etc/hostname ! -type d | sort").replace(host, "HOST");
    let first = files("cp-1");
    assert!(!first.contains(".tmp") && !first.contains(".part"), "{first}");
    ["cp-2", "cp-3"].iter().for_each(|host| assert_eq!(files(host), first, "{host} has other files than cp-1"));
}

fn no_secret_is_seen_in_what_the_killed_left(Interrupted(cluster): &mut Interrupted) {
    let secrets = Secrets::of(&cluster.workspace.attribute("k8s_pki.main", "bundle"));
    assert_eq!(secrets.found_below(&cluster.workspace.folder.join("logs"), &[".out", ".trace"]), Vec::<String>::new());
    assert_eq!(secrets.found_below(&cluster.workspace.folder, &["progress.log"]), Vec::<String>::new());
}

fn destroy_leaves_the_hosts_as_they_were(Interrupted(cluster): &mut Interrupted) {
    cluster.destroy();
    cluster.assert_hosts_are_as_before();
}

/// Begins an apply and kills the provider that serves it after a while. False when the apply was quicker.
fn kill_provider_of_an_apply(cluster: &Cluster, moment: Duration) -> bool {
    let workspace = &cluster.workspace;
    let mut command = workspace.command(Some(&cluster.lab), "apply");
    command.args(["-auto-approve", "-input=false", "-no-color"]).stdout(Stdio::null()).stderr(Stdio::null());
    workspace.traced(&mut command, "killed");
    let mut apply = command.spawn().unwrap();
    let began = Instant::now();
    let mut killed = false;
    while is_running(&mut apply) {
        // Engines start a provider for each phase; the moment may fall between two.
        if began.elapsed() >= moment && !killed {
            killed = kill_programs_in(&workspace.folder);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    killed
}

fn is_running(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_none()
}

/// `kill -9` for every process whose program lies below the folder: that is the provider.
fn kill_programs_in(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours =
        processes.filter(|process| std::fs::read_link(process.join("exe")).is_ok_and(|program| program.starts_with(folder)));
    let numbers: Vec<String> = ours.filter_map(|process| Some(process.file_name()?.to_string_lossy().into_owned())).collect();
    !numbers.is_empty() && std::process::Command::new("kill").arg("-KILL").args(&numbers).status().unwrap().success()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
