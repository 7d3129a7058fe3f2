//! A running cluster is changed again and again while something goes wrong. Each round: one change, one apply with a fault or two, the
//! faults end, and applies without faults bring the cluster to what is declared. A client writes all the while.

use crate::faults::{Fault, Moment};
use crate::{engine_of, start_apply};
use acceptance_tests::lab::{CONTROL_PLANE, WORKER, WORKER_ADDRESSES};
use acceptance_tests::{Cluster, Ledger};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A leader is elected and the load balancers have noticed within a few seconds; what lasts longer is no fault of one host.
const LONGEST_GAP: Duration = Duration::from_secs(30);
/// Applies without a fault until nothing is left to do.
const ATTEMPTS: usize = 2;

pub struct Rounds<'a> {
    pub cluster: &'a mut Cluster,
    pub ledger: &'a Ledger,
    pub random: StdRng,
    has_worker: bool,
}

impl<'a> Rounds<'a> {
    pub fn new(cluster: &'a mut Cluster, ledger: &'a Ledger, random: StdRng) -> Rounds<'a> {
        Rounds { cluster, ledger, random, has_worker: false }
    }

    pub fn one(&mut self) {
        let began = milliseconds();
        let change = self.change();
        let faults = self.faults();
        println!("    {change} and {faults:?}");
        let outcome = self.apply_with(&faults);
        println!("    {outcome}");
        let applies = self.converge();
        let gap = self.ledger.so_far().longest_gap_since(began);
        println!("    converged by {applies}; longest time without an acknowledged write: {:.1} s", gap.as_secs_f64());
        assert!(gap < LONGEST_GAP, "one host was disturbed, and nothing was written for {gap:?}");
    }

    /// Declares something else, and says what.
    fn change(&mut self) -> String {
        let workspace = &self.cluster.workspace;
        let number: u32 = self.random.random_range(401..10_000);
        match self.random.random_range(0..5) {
            0 => {
                workspace.set("api_server_flags", json!({ "max-requests-inflight": number.to_string() }));
                "a flag of API servers".into()
            }
            1 => {
                set_etcd_flag(workspace, number);
                "a flag of etcd".into()
            }
            2 => {
                let variables: Value = serde_json::from_str(&workspace.read("lab.auto.tfvars.json")).unwrap();
                let mut settings: Value = serde_json::from_str(variables["kubelet_config"].as_str().unwrap()).unwrap();
                settings["maxPods"] = (number % 100 + 60).into();
                workspace.set("kubelet_config", settings.to_string().into());
                "a setting of kubelets".into()
            }
            3 => {
                self.has_worker = !self.has_worker;
                let worker = json!({ WORKER: { "address": WORKER_ADDRESSES[0], "secondary_address": WORKER_ADDRESSES[1] } });
                workspace.set("workers", if self.has_worker { worker } else { json!({}) });
                format!("{} worker", if self.has_worker { "a" } else { "no" })
            }
            _ => {
                let host = CONTROL_PLANE[self.random.random_range(0..CONTROL_PLANE.len())];
                self.cluster.on(host, "echo '# edited' >>/etc/containerd/config.toml; systemctl stop kube-scheduler kubelet");
                format!("drift on {host}")
            }
        }
    }

    /// One, or that and a kill.
    fn faults(&mut self) -> Vec<(Moment, Fault)> {
        let mut faults = vec![(Moment::any(&mut self.random), Fault::any(&mut self.random))];
        if self.random.random_bool(0.3) {
            faults.push((Moment::any(&mut self.random), Fault::ProviderKilled));
        }
        faults
    }

    /// What came of an apply with the faults, which are over when this returns.
    fn apply_with(&self, faults: &[(Moment, Fault)]) -> String {
        let mut apply = start_apply(self.cluster, "faults");
        let began = Instant::now();
        let (mut waiting, mut active): (Vec<_>, Vec<_>) = (faults.iter().collect(), Vec::new());
        let status = loop {
            if let Some(status) = apply.try_wait().unwrap() {
                break status;
            }
            let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(moment, _)| began.elapsed() >= moment.begins);
            due.iter().for_each(|(_, fault)| fault.begin(self.cluster, &engine_of(&apply)));
            active.extend(due);
            waiting = later;
            let is_over = |moment: &Moment| began.elapsed() >= moment.begins + moment.lasts;
            let (over, on): (Vec<_>, Vec<_>) = active.into_iter().partition(|(moment, _)| is_over(moment));
            over.iter().for_each(|(_, fault)| fault.end(self.cluster));
            active = on;
            std::thread::sleep(Duration::from_millis(20));
        };
        active.iter().for_each(|(_, fault)| fault.end(self.cluster));
        let missed = if waiting.is_empty() { String::new() } else { format!("; it was quicker than {waiting:?}") };
        format!("the apply ended after {:.1} s with {status}{missed}", began.elapsed().as_secs_f64())
    }

    fn converge(&mut self) -> usize {
        for attempt in 1..=ATTEMPTS {
            let output = self.cluster.workspace.try_apply(&self.cluster.lab);
            if output.is_success() {
                let nodes = [CONTROL_PLANE.as_slice(), if self.has_worker { &[WORKER] } else { &[] }].concat();
                self.cluster.wait_until_ready(&nodes);
                self.cluster.plan().is_empty();
                return attempt;
            }
            println!("    apply {attempt} failed:\n{}", output.stderr);
        }
        panic!("{ATTEMPTS} applies without a fault did not make what is declared");
    }
}

fn set_etcd_flag(workspace: &acceptance_tests::Workspace, number: u32) {
    let text = workspace.read("main.tf");
    let kept = text.lines().filter(|line| !line.starts_with("  etcd = "));
    let with_flag = kept.flat_map(|line| {
        let flag = line
            .starts_with("  endpoint           = ")
            .then(|| format!("  etcd = {{ flags = {{ max-txn-ops = \"{number}\" }} }}"));
        [Some(line.to_string()), flag].into_iter().flatten()
    });
    workspace.write("main.tf", &with_flag.map(|line| line + "\n").collect::<String>());
    assert!(workspace.read("main.tf").contains("max-txn-ops"));
}

fn milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
