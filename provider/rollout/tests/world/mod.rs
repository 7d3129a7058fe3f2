//! Simulated hosts: they run the steps of a plan, may be cut off after any of them, and say when a promise is broken.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // each test file uses its own part

use bundle::{
    Bundle, Digest, Disruption, File, Health, HostName, HostPath, Manifest, Observed, ObservedUnit, OnChange, Sysctl, Unit,
    UnitName, UnitTraits,
};
use rollout::control_plane::{self, Objects, Snapshots};
use rollout::{CordonedBy, Gate, HostState, Proof, Refusal, Step};
use std::collections::{BTreeMap, BTreeSet};

mod nodes;

/// As a cluster is planned whose user says nothing of snapshots. A new one has no objects yet.
pub fn plan_cluster(hosts: &[HostState]) -> Result<Vec<Step>, Refusal> {
    let is_new = hosts.iter().any(|host| !host.in_state);
    plan_with_objects(hosts, if is_new { Objects::Due } else { Objects::AsDeclared })
}

pub fn plan_with_objects(hosts: &[HostState], objects: Objects) -> Result<Vec<Step>, Refusal> {
    control_plane::plan(hosts, Snapshots { before_restarts: true, is_requested: false }, objects)
}

pub fn host(name: &str) -> HostName {
    HostName::literal(name)
}

pub fn unit(name: &str) -> UnitName {
    UnitName::literal(name)
}

pub fn traits(tier: u8, restart: Disruption, health: Health) -> UnitTraits {
    UnitTraits { tier, restart, health }
}

/// As the table of crate `render` has them.
pub fn control_plane_units() -> Vec<(UnitName, OnChange, UnitTraits)> {
    let rows = [
        ("etcd.service", 0, Health::EtcdMember),
        ("kube-apiserver.service", 1, Health::ApiServer),
        ("kube-controller-manager.service", 2, Health::StaysUp),
        ("kube-scheduler.service", 2, Health::StaysUp),
        ("k8s-csr-approver.service", 2, Health::StaysUp),
    ];
    let described =
        |(name, tier, health)| (unit(name), OnChange::Restart, traits(tier, Disruption::RestartsControlPlaneComponent, health));
    rows.map(described).into()
}

pub fn node_units() -> Vec<(UnitName, OnChange, UnitTraits)> {
    let rows = [
        ("containerd.service", 0, Health::StaysUp),
        ("kubelet.service", 1, Health::Node),
        ("kube-proxy.service", 1, Health::StaysUp),
        ("pod-network.service", 1, Health::StaysUp),
    ];
    rows.map(|(name, tier, health)| (unit(name), OnChange::Restart, traits(tier, Disruption::RestartsNodeComponent, health)))
        .into()
}

pub fn load_balancer_units() -> Vec<(UnitName, OnChange, UnitTraits)> {
    let rows = [
        ("nginx", OnChange::Reload, Disruption::MovesVirtualAddress),
        ("health", OnChange::Restart, Disruption::None),
        ("keepalived", OnChange::Reload, Disruption::MovesVirtualAddress),
    ];
    let described = |(tier, (name, on_change, restart)): (u8, (&str, OnChange, Disruption))| {
        (unit(&format!("k8s-lb-api-{name}.service")), on_change, traits(tier, restart, Health::StaysUp))
    };
    (0..).zip(rows).map(described).collect()
}

/// A bundle whose units each read `/etc/<unit>.conf`, with one sysctl and one file that nothing reads.
pub fn bundle(units: &[(UnitName, OnChange, UnitTraits)], version: &str) -> Bundle {
    let mut bundle = Bundle::default();
    for (unit, on_change, traits) in units {
        let config = config_of(unit);
        bundle.files.insert(config.clone(), File::public(version));
        let reads = [(config, *on_change)].into();
        let described = Unit { reads, traits: *traits, serves: BTreeMap::new(), health_check: None, check: None };
        bundle.add_unit(unit.clone(), "[Service]\n".into(), described);
    }
    bundle.files.insert(HostPath::literal("/etc/motd"), File::public("kept by hand"));
    bundle.sysctls.insert(Sysctl::literal("net.ipv4.ip_forward"), "1".into());
    bundle
}

/// The same, in which each unit also reads `/etc/<unit>.crt`, again by itself when it changes.
pub fn with_certificates(mut bundle: Bundle) -> Bundle {
    for (name, unit) in &mut bundle.units {
        unit.reads.insert(certificate_of(name), OnChange::ReadAgain);
        bundle.files.insert(certificate_of(name), File::public("certificate"));
    }
    bundle
}

pub fn certificate_of(unit: &UnitName) -> HostPath {
    HostPath::literal(&format!("/etc/{unit}.crt"))
}

pub fn config_of(unit: &UnitName) -> HostPath {
    HostPath::literal(&format!("/etc/{unit}.conf"))
}

/// How a unit is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    AsDeclared,
    /// Runs with an older configuration.
    Older,
    NotEnabled,
    Failed,
    FailedWithOlder,
    /// Still on its way up with an older configuration.
    ComingUp,
    Never,
}

impl Found {
    pub const ALL: [Found; 7] = [
        Found::AsDeclared,
        Found::Older,
        Found::NotEnabled,
        Found::Failed,
        Found::FailedWithOlder,
        Found::ComingUp,
        Found::Never,
    ];

    fn observed(self, current: &Digest) -> Option<ObservedUnit> {
        let (active_state, enabled, is_current) = match self {
            Found::AsDeclared => ("active", true, true),
            Found::Older => ("active", true, false),
            Found::NotEnabled => ("active", false, true),
            Found::Failed => ("failed", true, true),
            Found::FailedWithOlder => ("failed", true, false),
            Found::ComingUp => ("activating", true, false),
            Found::Never => return None,
        };
        let stamp = Some(if is_current { current.clone() } else { Digest::of(b"older") });
        Some(ObservedUnit { active_state: active_state.into(), enabled, stamp, unread: false })
    }
}

#[derive(Clone)]
pub struct Machine {
    pub answers: bool,
    pub in_state: bool,
    pub leaves: bool,
    /// With what it should have, digested once.
    declared: HostState,
    pub observed: Observed,
    /// Started, but not yet known to be healthy.
    pub settling: BTreeSet<UnitName>,
    /// Of units that were started or reloaded: the stamp of what they read then.
    took_up: BTreeMap<UnitName, Option<Digest>>,
    pub drained: bool,
    pub cordoned_by: Option<CordonedBy>,
    /// Its kubelet is of the minor version before.
    pub older_minor: bool,
    pub joined: bool,
    /// A bootstrap kubeconfig that its kubelet has not used yet.
    pub has_token: bool,
    /// The client certificate of its kubelet.
    pub expired: bool,
    /// Its node is not Ready, whatever is done.
    pub sick: bool,
    pub is_labelled: bool,
}

impl Machine {
    pub fn new(bundle: Bundle) -> Self {
        let declared = HostState::new(host("any"), Some(&bundle), None, |_| None);
        let observed = declared.desired.as_ref().unwrap().as_observed();
        Machine {
            answers: true,
            in_state: true,
            leaves: false,
            declared,
            observed,
            settling: BTreeSet::new(),
            took_up: BTreeMap::new(),
            drained: false,
            cordoned_by: None,
            older_minor: false,
            joined: true,
            has_token: false,
            expired: false,
            sick: false,
            is_labelled: true,
        }
    }

    pub fn empty(bundle: Bundle) -> Self {
        let machine = Machine::new(bundle);
        Machine { in_state: false, joined: false, observed: Observed::default(), ..machine }
    }

    fn manifest(&self) -> &Manifest {
        self.declared.desired.as_ref().unwrap()
    }

    pub fn find(&mut self, unit: &UnitName, found: Found) {
        let stamp = self.manifest().units[unit].clone();
        match found.observed(stamp.as_ref().unwrap()) {
            Some(observed) => drop(self.observed.units.insert(unit.clone(), observed)),
            None => drop(self.observed.units.remove(unit)),
        }
    }

    /// As when an apply was cut off after it wrote something that the unit reads again by itself.
    pub fn forget_whether_it_was_read(&mut self, unit: &UnitName) {
        self.observed.units.get_mut(unit).into_iter().for_each(|unit| unit.unread = unit.stamp.is_some());
    }

    /// The file is not as declared.
    pub fn outdate(&mut self, path: &HostPath) {
        if let Some(file) = self.observed.files.get_mut(path) {
            file.sha256 = Digest::of(b"other content");
        }
    }

    pub fn runs(&self, unit: &UnitName) -> bool {
        self.observed.units.get(unit).is_some_and(|unit| unit.is_running())
    }

    pub fn serves(&self, unit: &UnitName) -> bool {
        self.answers && self.runs(unit) && !self.settling.contains(unit)
    }

    /// A host of a load balancer.
    pub fn carries_traffic(&self) -> bool {
        let carries = |unit: &Unit| unit.traits.restart == Disruption::MovesVirtualAddress;
        self.answers && self.declared.units.iter().filter(|(_, unit)| carries(unit)).all(|(name, _)| self.runs(name))
    }

    fn start(&mut self, unit: &UnitName, again: bool) {
        if self.runs(unit) && !again {
            self.observed.units.get_mut(unit).unwrap().enabled = true;
            return;
        }
        let state = ObservedUnit { active_state: "active".into(), enabled: true, stamp: None, unread: false };
        self.observed.units.insert(unit.clone(), state);
        self.settling.insert(unit.clone());
        self.take_up(unit);
    }

    /// Of units that were started before, those that read a file again which a push is about to write.
    fn mark_unread(&mut self) {
        let differs = |path: &HostPath| {
            self.observed.files.get(path).map(|file| &file.sha256) != self.manifest().files[path].sha256.as_ref()
        };
        let is_unread =
            |unit: &Unit| unit.reads.iter().any(|(path, on_change)| *on_change == OnChange::ReadAgain && differs(path));
        let unread: Vec<UnitName> =
            self.declared.units.iter().filter(|(_, unit)| is_unread(unit)).map(|(name, _)| name.clone()).collect();
        for unit in &unread {
            self.observed.units.get_mut(unit).into_iter().for_each(|unit| unit.unread |= unit.stamp.is_some());
        }
    }

    /// With what is on the host: a start before its push is found out.
    fn take_up(&mut self, unit: &UnitName) {
        let content = |path| self.observed.files.get(path).map(|file| &file.sha256);
        let is_pushed =
            self.declared.units[unit].reads.keys().all(|path| content(path) == self.manifest().files[path].sha256.as_ref());
        let stamp = if is_pushed { self.manifest().units[unit].clone() } else { Some(Digest::of(b"older")) };
        self.observed.units.get_mut(unit).unwrap().stamp = None;
        self.took_up.insert(unit.clone(), stamp);
    }

    /// Its stamp is written.
    fn prove(&mut self, unit: &UnitName) {
        self.observed.units.get_mut(unit).unwrap().stamp = self.took_up.remove(unit).flatten();
    }

    fn health_of(&self, unit: &UnitName) -> Health {
        self.declared.units[unit].traits.health
    }
}

#[derive(Clone, Default)]
pub struct World {
    pub machines: BTreeMap<HostName, Machine>,
    pub holder: Option<HostName>,
    pub nodes: BTreeSet<HostName>,
    pub objects: Objects,
    /// No running member may restart before the plan has taken a snapshot.
    pub owes_snapshot: bool,
    /// Whether what the API server says of nodes is known.
    pub asked: bool,
}

impl World {
    pub fn states(&self) -> Vec<HostState> {
        let state = |(name, machine): (&HostName, &Machine)| {
            let observed = machine.answers.then(|| machine.observed.clone());
            let mut state = HostState { name: name.clone(), observed, in_state: machine.in_state, ..machine.declared.clone() };
            if machine.leaves {
                (state.desired, state.units) = (None, BTreeMap::new());
            }
            state.with_node(self.node_of(name, machine))
        };
        self.machines.iter().map(state).collect()
    }

    pub fn machine(&mut self, name: &str) -> &mut Machine {
        self.machines.get_mut(&host(name)).unwrap()
    }

    pub fn etcd_serving(&self) -> usize {
        self.machines.values().filter(|machine| machine.serves(&unit("etcd.service"))).count()
    }

    /// Runs at most `limit` single steps, with a look at the world after each; false when it was cut off, or a gate did not open.
    pub fn run(&mut self, steps: &[Step], limit: &mut usize, look: &mut dyn FnMut(&World, &Step)) -> bool {
        let mut proof = Proof::of(steps, |host, unit| self.machines[host].health_of(unit));
        single(steps).into_iter().all(|step| {
            if *limit == 0 || self.is_shut(step) {
                return false;
            }
            *limit -= 1;
            self.run_one(step);
            self.prove(step, &mut proof);
            look(self, step);
            true
        })
    }

    fn prove(&mut self, step: &Step, proof: &mut Proof) {
        let (host, proven) = match step {
            Step::Gate { host: Some(host), gate } => (host, proof.passed(host, gate)),
            Step::Start { host, .. } | Step::Restart { host, .. } | Step::Reload { host, .. } => (host, proof.started(step)),
            _ => return,
        };
        for unit in proven.iter().filter(|unit| self.machines[host].took_up.contains_key(*unit)).cloned().collect::<Vec<_>>() {
            self.at(host).prove(&unit);
        }
    }

    fn at(&mut self, name: &HostName) -> &mut Machine {
        let machine = self.machines.get_mut(name).unwrap();
        assert!(machine.answers, "{name} does not answer and got a step");
        machine
    }

    fn run_one(&mut self, step: &Step) {
        match step {
            Step::Parallel(_) => unreachable!("single steps only"),
            Step::Push { host, .. } => {
                let machine = self.at(host);
                machine.mark_unread();
                let units = std::mem::take(&mut machine.observed.units);
                machine.observed = Observed { units, ..machine.manifest().as_observed() };
            }
            Step::Start { host, units, .. } => units.iter().for_each(|unit| self.start(host, unit, false)),
            Step::Restart { host, units, .. } => {
                let restarts =
                    units.iter().any(|name| *name == unit("etcd.service")) && self.machines[host].runs(&unit("etcd.service"));
                assert!(!restarts || !self.owes_snapshot, "{host}: etcd restarts, and nobody took a snapshot");
                units.iter().for_each(|unit| self.start(host, unit, true));
            }
            Step::Reload { host, units, .. } => units.iter().for_each(|unit| self.at(host).take_up(unit)),
            Step::Stop { host, units } => {
                for unit in units {
                    let observed = self.at(host).observed.units.get_mut(unit).unwrap();
                    (observed.active_state, observed.enabled) = ("inactive".into(), false);
                }
            }
            Step::Gate { gate, .. } => self.pass(gate),
            Step::HandOver { host } => {
                let takes_over = |(name, machine): (&HostName, &Machine)| {
                    (name != host && !machine.leaves && machine.carries_traffic()).then(|| name.clone())
                };
                if self.holder.as_ref() == Some(host) {
                    self.holder = self.machines.iter().find_map(takes_over);
                    assert!(self.holder.is_some(), "nobody takes the addresses over from {host}");
                }
            }
            // The API server does it, whether the host answers or not.
            Step::AmendNode { host, .. } => {
                assert!(self.nodes.contains(host), "{host} is amended before it is registered");
                self.machines.get_mut(host).unwrap().is_labelled = true;
            }
            Step::Cordon { host } => self.machines.get_mut(host).unwrap().cordon(),
            Step::Drain { host, .. } => {
                let leaving = self.machines.iter().filter(|(name, machine)| machine.leaves && *name != host);
                assert!(
                    leaving.into_iter().all(|(_, machine)| machine.cordoned_by.is_some()),
                    "pods of {host} move to a node that leaves next"
                );
                assert!(self.is_ready(host) || self.machines[host].leaves, "the kubelet of {host} ends no pod");
                let machine = self.at(host);
                machine.cordon();
                machine.drained = true;
            }
            Step::Uncordon { host } => self.uncordon(host),
            Step::DeleteNode { host } => drop(self.nodes.remove(host)),
            Step::Join { host } => {
                let machine = self.at(host);
                (machine.joined, machine.has_token) = (true, true);
            }
            Step::SnapshotEtcd => {
                // One that an apply started that was cut off is waited for.
                assert!(self.settle_etcd(None) > 0, "no member gives a snapshot");
                self.owes_snapshot = false;
            }
            Step::ApplyObjects { .. } => {
                let server = unit("kube-apiserver.service");
                let is_elsewhere = !self.machines.values().any(|machine| machine.declared.units.contains_key(&server));
                assert!(is_elsewhere || self.machines.values().any(|machine| machine.serves(&server)), "no API server");
                self.objects = Objects::AsDeclared;
            }
            Step::Remove { host } => {
                let machine = self.at(host);
                assert!(!machine.observed.units.values().any(ObservedUnit::is_running), "{host} still runs units");
                self.machines.remove(host);
            }
        }
    }

    /// Waits, which is to say that what was started becomes healthy; what was not started never does.
    fn pass(&mut self, gate: &Gate) {
        match gate {
            Gate::UnitsHealthy { host, units } => self.settle(host, &units.iter().map(UnitName::as_str).collect::<Vec<_>>()),
            Gate::CertificatesServed { host, units } => {
                let machine = self.at(host);
                assert!(units.iter().all(|unit| machine.runs(unit)), "{host}: one of {units:?} does not run");
                units.iter().for_each(|unit| machine.observed.units.get_mut(unit).unwrap().unread = false);
            }
            Gate::EtcdMemberHealthy { host } => self.settle(host, &["etcd.service"]),
            Gate::ApiServerReady { host } => self.settle(host, &["kube-apiserver.service"]),
            Gate::NodeReady { host } => {
                let machine = self.at(host);
                assert!(machine.joined, "{host} never got a token");
                assert!(!machine.expired, "the kubelet of {host} cannot identify itself");
                machine.settling.remove(&unit("kubelet.service"));
                assert!(self.nodes.contains(host), "the kubelet of {host} registered before its node was deleted, and not again");
            }
            Gate::OthersReady { .. } => {}
            Gate::EtcdQuorum => assert!(self.settle_etcd(None) > self.machines.len() / 2, "etcd never gets a quorum"),
            Gate::QuorumWithout { host } => {
                assert!(self.settle_etcd(Some(host)) > self.machines.len() / 2, "etcd never gets a quorum without {host}");
            }
            Gate::VirtualAddressServed => {
                if self.holder.is_none() {
                    self.holder = self.machines.iter().find(|(_, m)| m.answers && !m.leaves).map(|(name, _)| name.clone());
                }
                assert!(self.holder.is_some(), "nobody serves the virtual addresses");
            }
            Gate::ControllerLeads { .. } => {
                let leads = |machine: &Machine| machine.declared.units.keys().any(|unit| machine.serves(unit));
                assert!(self.machines.values().any(leads), "no controller leads");
            }
        }
    }

    fn settle(&mut self, name: &HostName, units: &[&str]) {
        let machine = self.at(name);
        for unit in units.iter().map(|name| unit(name)) {
            assert!(machine.runs(&unit), "{name}: waits for {unit}, which nobody started");
            machine.settling.remove(&unit);
        }
    }

    fn settle_etcd(&mut self, without: Option<&HostName>) -> usize {
        let etcd = unit("etcd.service");
        let others =
            self.machines.iter_mut().filter(|(name, machine)| Some(*name) != without && machine.answers && machine.runs(&etcd));
        others.map(|(_, machine)| machine.settling.remove(&etcd)).count()
    }
}

/// Single steps, those at the same time one by one.
pub fn single(steps: &[Step]) -> Vec<&Step> {
    let mut all = Vec::new();
    for step in steps {
        match step {
            Step::Parallel(steps) => all.extend(single(steps)),
            step => all.push(step),
        }
    }
    all
}
