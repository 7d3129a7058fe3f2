//! A cluster made of the quick start in the lab, and the questions that scenarios ask of it.

use crate::activity::Activity;
use crate::command::Output;
use crate::kubectl::Kubectl;
use crate::lab::{self, CONTROL_PLANE, HOSTS, LOAD_BALANCERS, Lab, VIRTUAL_ADDRESSES};
use crate::plan::Plan;
use crate::probe::{Answers, Probe};
use crate::{Engine, Workspace};
use crate::{assert_same, eventually};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub struct Cluster {
    pub workspace: Workspace,
    pub lab: Lab,
    /// The state of every host before anything was applied.
    pub before: BTreeMap<&'static str, Vec<String>>,
    kubectl: Option<Kubectl>,
}

/// How long a client waits for one answer where an outage is measured.
const IMPATIENT: Duration = Duration::from_millis(250);
/// ... and where there must be none.
const PATIENT: Duration = Duration::from_secs(5);

impl Cluster {
    /// Fresh hosts and a workspace; nothing is applied yet.
    pub fn prepare(engine: &Engine, name: &str) -> Cluster {
        let lab = Lab::up();
        let workspace = Workspace::of_example(engine, "quickstart", name);
        let before = if lab::kept() { BTreeMap::new() } else { HOSTS.map(|host| (host, lab.snapshot(host))).into() };
        Cluster { workspace, lab, before, kubectl: None }
    }

    #[track_caller]
    pub fn apply(&mut self) -> Output {
        let output = self.workspace.apply(&self.lab);
        self.connect();
        output
    }

    #[track_caller]
    pub fn plan(&self) -> Plan {
        self.workspace.plan(Some(&self.lab))
    }

    #[track_caller]
    pub fn destroy(&self) -> Output {
        self.workspace.destroy(&self.lab)
    }

    #[track_caller]
    fn connect(&mut self) {
        let kubeconfig = self.workspace.output("kubeconfig");
        let kubeconfig = kubeconfig.as_str().unwrap_or_else(|| panic!("the output kubeconfig is not a text"));
        self.kubectl = Some(Kubectl::new(&self.lab, &self.workspace.folder, kubeconfig));
        let certificates = self.workspace.attribute("k8s_pki.main", "certificates");
        self.workspace.write("apiserver-ca.crt", certificates["apiserver-ca"].as_str().unwrap_or_default());
    }

    // --- Kubernetes

    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.client().run(&self.lab, arguments)
    }

    #[track_caller]
    pub fn get(&self, arguments: &[&str]) -> Value {
        self.client().get(&self.lab, arguments)
    }

    #[track_caller]
    pub fn deploy(&self, manifest: &str, ready: &[&str]) {
        self.client().deploy(&self.lab, manifest, ready);
    }

    #[track_caller]
    pub fn wait_until_ready(&self, nodes: &[&str]) {
        self.client().wait_until_ready(&self.lab, nodes);
    }

    #[track_caller]
    fn client(&self) -> &Kubectl {
        self.kubectl.as_ref().unwrap_or_else(|| panic!("the cluster was not applied yet"))
    }

    // --- hosts

    pub fn activity(&self, hosts: &[&str]) -> Activity {
        Activity::of(&self.lab, hosts)
    }

    #[track_caller]
    pub fn on(&self, host: &str, command: &str) -> String {
        self.lab.ssh(host, command).success().stdout.trim().to_string()
    }

    /// Files, units, users, rules and routes of every host are those of before the first apply.
    #[track_caller]
    pub fn assert_hosts_are_as_before(&self) {
        let of_host = |host: &str, lines: &[String]| lines.iter().map(|line| format!("{host}: {line}")).collect::<Vec<_>>();
        let after = self.before.keys().flat_map(|host| of_host(host, &self.lab.snapshot(host)));
        let before = self.before.iter().flat_map(|(host, lines)| of_host(host, lines));
        assert_same(&after.collect::<Vec<_>>(), &before.collect::<Vec<_>>());
    }

    /// The load balancer that has the virtual addresses now.
    #[track_caller]
    pub fn holder(&self) -> &'static str {
        let holds = |host: &&str| {
            self.lab.ssh(host, &format!("ip -o address show to {}", VIRTUAL_ADDRESSES[0])).stdout.contains(VIRTUAL_ADDRESSES[0])
        };
        eventually("a load balancer has the virtual address", Duration::from_secs(15), || {
            LOAD_BALANCERS.into_iter().find(|host| holds(host))
        })
    }

    /// Both load balancers work again, so that another loss can be borne.
    #[track_caller]
    pub fn wait_for_both_load_balancers(&self) {
        let units = "systemctl is-active k8s-lb-api-nginx k8s-lb-api-health k8s-lb-api-keepalived";
        for host in LOAD_BALANCERS {
            eventually(&format!("{host} works"), Duration::from_secs(30), || {
                self.lab.ssh(host, units).is_success().then_some(())
            });
        }
        self.holder();
    }

    // --- clients outside

    /// Asks the API servers for `/livez`, with their certificate checked, on both families while `act` runs. Not for etcd's health: it
    /// is slow at times on the one disk that all hosts of the lab share.
    #[track_caller]
    pub fn while_asking_the_api(&self, act: impl FnOnce()) -> Vec<Answers> {
        self.while_asking(
            |address| format!("https://{address}:6443/livez?exclude=etcd"),
            PATIENT,
            Some(self.workspace.folder.join("apiserver-ca.crt")),
            act,
        )
    }

    /// Asks pods behind the virtual addresses on both families while `act` runs, and gives up each time after a moment.
    #[track_caller]
    pub fn while_asking_pods(&self, act: impl FnOnce()) -> Vec<Answers> {
        self.while_asking(|address| format!("http://{address}:80/"), IMPATIENT, None, act)
    }

    #[track_caller]
    fn while_asking(
        &self,
        url: fn(&str) -> String,
        patience: Duration,
        authority: Option<PathBuf>,
        act: impl FnOnce(),
    ) -> Vec<Answers> {
        let probes = VIRTUAL_ADDRESSES.map(|address| Probe::start(&self.lab, &url(address), patience, authority.as_deref()));
        std::thread::sleep(Duration::from_secs(1));
        act();
        std::thread::sleep(Duration::from_secs(1));
        probes.into_iter().map(Probe::finish).collect()
    }

    /// Every host is on, and what the configuration says is there.
    pub fn heal(&mut self) {
        HOSTS.iter().for_each(|host| self.lab.boot(host));
        self.apply();
        self.wait_until_ready(&CONTROL_PLANE);
    }
}
