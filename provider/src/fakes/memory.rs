//! What a fake world remembers: per host its files, programs, units, sysctls and the provider's record of each owner; and the
//! objects of the cluster. Contents stand here in the clear: tests compare digests, never print them.

use super::cloud::CloudMemory;
use super::inventory;
use crate::kubernetes::KubernetesError;
use bundle::{Digest, HostName, HostPath, NodeObject, OnChange, Sysctl, UnitName};
use ipnet::IpNet;
use machines::{Facts, MachineError, Owner, Uid};
use render::component::{API_SERVER, Component, ETCD};
use render::node::BOOTSTRAP_KUBECONFIG;
use rollout::CordonedBy;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// 2026-11-21 12:00 UTC
const START: i64 = 1_795_262_400;
/// Of every sysctl that nobody has set.
const SYSCTL_DEFAULT: &str = "0";

#[derive(Clone, Default)]
pub struct Memory {
    pub hosts: BTreeMap<HostName, HostMemory>,
    /// Where SSH to an address really ends, if not at the host of the declared name.
    pub routes: BTreeMap<String, HostName>,
    pub cluster: Cluster,
    pub cloud: CloudMemory,
    /// Seconds that have passed. A start of a unit takes one.
    pub ticks: i64,
    /// The host whose etcd member leads while it runs.
    pub leader: Option<HostName>,
    /// By host, where a test cares.
    pub api_server_versions: BTreeMap<HostName, String>,
    /// The load-balancer host that has the virtual addresses.
    pub holder: Option<HostName>,
    /// Machines of others on the link, by what they have.
    pub strangers: BTreeMap<IpAddr, &'static str>,
    /// Advertisements of VRRP: all arrive, none does, or they get lost now and then, so that the addresses move all the time.
    pub vrrp: Vrrp,
    /// Looks at hosts count as calls, so that the user can stop at one.
    pub counts_looks: bool,
    /// Nothing connects the pods of any node.
    pub lacks_pod_network: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Vrrp {
    #[default]
    Arrives,
    Filtered,
    GetsLost,
}

#[derive(Clone)]
pub struct HostMemory {
    pub answers: bool,
    /// Beside the one at which SSH reaches it.
    pub addresses: BTreeSet<IpAddr>,
    /// What is wrong with it.
    pub trouble: fn(&mut Facts),
    pub machine_id: Option<String>,
    /// While it boots: how often it still refuses to be connected to, and says then that it is not done.
    pub refusals: u32,
    pub startings: u32,
    /// Connections to it are lost at the first question.
    pub is_cut_off: bool,
    /// What comes of asking who uses it.
    pub no_inventory: Option<fn(String) -> MachineError>,
    /// What comes of a question to the API server instead of an answer.
    pub no_api: Option<fn(String) -> KubernetesError>,
    /// Its kubelet runs and reaches no API server.
    pub is_mute: bool,
    /// Its disk is full.
    pub has_no_room: bool,
    /// Its etcd member was removed from the cluster.
    pub is_no_member: bool,
    /// Its programs do not read again by themselves what they should.
    pub is_blind: bool,
    pub files: BTreeMap<HostPath, FakeFile>,
    /// What is installed there, by `Binary::identity`.
    pub programs: BTreeMap<HostPath, Digest>,
    /// Of the kubelet among them: `v1.36.3`.
    pub kubelet_version: Option<String>,
    pub units: BTreeMap<UnitName, FakeUnit>,
    pub modules: BTreeSet<String>,
    pub sysctls: BTreeMap<Sysctl, String>,
    pub records: BTreeMap<Owner, Record>,
    /// What was undone there for units that went.
    pub retired: BTreeSet<&'static str>,
}

#[derive(Clone, Default)]
pub struct FakeFile {
    pub mode: u32,
    pub owner: String,
    pub content: Vec<u8>,
}

#[derive(Clone, Default)]
pub struct FakeUnit {
    pub active_state: String,
    pub enabled: bool,
    /// When it was last started, by `Memory::now`.
    pub since: i64,
    /// systemd starts it again and again.
    pub crash_loops: bool,
    /// Digest over what it really read when it last started or reloaded, as `Bundle::unit_stamp` counts it.
    pub runs_with: Option<Digest>,
    /// What it holds of the files that it reads again by itself.
    pub holds: BTreeMap<HostPath, Vec<u8>>,
    /// Of a keepalived: the virtual addresses in its configuration at that time.
    pub addresses: Vec<IpNet>,
}

/// `/var/lib/k8s-hardway/<owner>` on a host.
#[derive(Clone, Default)]
pub struct Record {
    /// Paths of files and programs that were installed.
    pub files: BTreeSet<HostPath>,
    pub installed: BTreeMap<HostPath, Digest>,
    pub units: BTreeMap<UnitName, Option<Digest>>,
    /// Units that ever came up.
    pub started: BTreeSet<UnitName>,
    /// Units that were not seen yet to read again what was written.
    pub unread: BTreeSet<UnitName>,
    /// Values of sysctls before the first change.
    pub sysctls: BTreeMap<Sysctl, String>,
    pub directories: BTreeSet<HostPath>,
    /// Directories with content from before, and that content.
    pub kept: BTreeMap<HostPath, BTreeSet<HostPath>>,
    /// Not in `lines`: a create that is run again after it was cut off supersedes the first one.
    pub holders: BTreeSet<Uid>,
    pub superseded: BTreeSet<Uid>,
    pub identity: BTreeMap<String, String>,
    pub cleanup: BTreeMap<&'static str, String>,
    /// Files that a push replaced, and programs, until they are checked; `None` where there was none.
    pub replaced: BTreeMap<HostPath, (Option<FakeFile>, Option<Digest>)>,
    /// Not in the real record: what each unit reads, from which the fake knows which files a unit runs with.
    pub reads: BTreeMap<UnitName, BTreeMap<HostPath, OnChange>>,
}

/// What etcd holds. It is gone when no host has etcd any more.
#[derive(Clone, Default)]
pub struct Cluster {
    pub nodes: BTreeMap<String, Node>,
    pub declared: BTreeMap<String, String>,
    /// Objects of any kind but nodes.
    pub manifests: BTreeMap<::objects::ObjectKey, serde_json::Value>,
    /// Keys of objects that do not become ready.
    pub never_ready: BTreeSet<String>,
    /// Keys of objects that the API server does not take as they would be with what others have set.
    pub unfit: BTreeSet<String>,
    /// Cloud controllers run and none of them leads.
    pub is_leaderless: bool,
    /// Tokens that may be used, with the end of their lives.
    pub tokens: BTreeMap<String, i64>,
    /// Every token that ever was.
    pub tokens_made: Vec<String>,
}

#[derive(Clone, Default)]
pub struct Node {
    pub object: NodeObject,
    pub cordoned_by: Option<CordonedBy>,
    /// As its kubelet said when it started.
    pub kubelet_version: Option<String>,
    /// As its kubelet says.
    pub addresses: BTreeSet<IpAddr>,
    /// It is not Ready, whatever its kubelet does.
    pub is_sick: bool,
    /// Something connects its pods where nothing does in general.
    pub has_network: bool,
    /// Of its kubelet, by `Memory::now`.
    pub heartbeat: i64,
    /// Whether it has a pod that a disruption budget keeps there.
    pub has_pod: bool,
}

impl Record {
    /// That the unit came up outlasts its stamp.
    pub fn withdraw(&mut self, unit: &UnitName) {
        if self.units.insert(unit.clone(), None).flatten().is_some() {
            self.started.insert(unit.clone());
        }
        self.unread.remove(unit);
    }
}

impl Default for HostMemory {
    fn default() -> Self {
        HostMemory {
            answers: true,
            addresses: BTreeSet::new(),
            trouble: |_| {},
            machine_id: None,
            refusals: 0,
            startings: 0,
            is_cut_off: false,
            no_inventory: None,
            no_api: None,
            is_mute: false,
            has_no_room: false,
            is_no_member: false,
            is_blind: false,
            files: BTreeMap::new(),
            programs: BTreeMap::new(),
            kubelet_version: None,
            units: BTreeMap::new(),
            modules: BTreeSet::new(),
            sysctls: BTreeMap::new(),
            records: BTreeMap::new(),
            retired: BTreeSet::new(),
        }
    }
}

impl Memory {
    pub fn host(&mut self, name: &HostName) -> &mut HostMemory {
        self.hosts.entry(name.clone()).or_default()
    }

    /// All that there is, one line each; what differs between two memories is what differs between their lines. Left out are
    /// modules, since nobody unloads them, commands for the removal, of which older ones are kept on purpose, and bootstrap
    /// kubeconfigs without a token that the cluster takes.
    pub fn lines(&self) -> BTreeMap<String, String> {
        let mut lines = self.cluster.lines();
        lines.extend(self.cloud.lines());
        for (name, host) in &self.hosts {
            let is_dead = |file: &FakeFile| {
                let text = String::from_utf8_lossy(&file.content);
                !self.cluster.tokens.keys().any(|token| text.contains(token.as_str()))
            };
            let dead = host.files.get(&HostPath::literal(BOOTSTRAP_KUBECONFIG)).is_some_and(is_dead);
            let items = host.lines().into_iter().filter(|(item, _)| !(dead && item == BOOTSTRAP_KUBECONFIG));
            lines.extend(items.map(|(item, value)| (format!("{name}: {item}"), value)));
        }
        lines
    }

    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        START + self.ticks
    }

    pub fn is_up(&self, host: &HostName, unit: &str) -> bool {
        self.hosts.get(host).is_some_and(|host| host.is_up(unit))
    }

    /// Most of the hosts that have an etcd run it.
    pub fn etcd_has_quorum(&self) -> bool {
        let members = self.hosts.values().filter(|host| host.files.contains_key(&ETCD.unit().path()));
        let (up, down): (Vec<_>, Vec<_>) = members.partition(|host| host.serves(&ETCD, self.now()));
        up.len() > down.len()
    }

    /// As `etcd_has_quorum`, whatever their certificates.
    pub fn most_members_run(&self) -> bool {
        let members = || self.hosts.values().filter(|host| host.files.contains_key(&ETCD.unit().path()));
        members().filter(|host| host.runs(&ETCD)).count() * 2 > members().count()
    }

    pub fn serves_api(&self, host: &HostName) -> bool {
        self.hosts.get(host).is_some_and(|host| host.serves(&API_SERVER, self.now())) && self.etcd_has_quorum()
    }

    pub fn any_api_serves(&self) -> bool {
        self.hosts.keys().any(|host| self.serves_api(host))
    }
}

impl HostMemory {
    pub fn is_up(&self, unit: &str) -> bool {
        self.units.get(&UnitName::literal(unit)).is_some_and(|unit| unit.active_state == "active")
    }

    pub fn runs(&self, component: &Component) -> bool {
        self.is_up(component.unit().as_str())
    }

    /// Whether it runs, with certificates that have not expired. `now` is in seconds since 1970.
    pub fn serves(&self, component: &Component, now: i64) -> bool {
        let holds = self.units.get(&component.unit()).into_iter().flat_map(|unit| unit.holds.values());
        self.runs(component) && holds.filter_map(|content| inventory::expiry(content)).all(|end| end > now)
    }

    pub fn sysctl(&self, key: &Sysctl) -> String {
        self.sysctls.get(key).cloned().unwrap_or_else(|| SYSCTL_DEFAULT.into())
    }

    pub fn set_sysctl(&mut self, key: &Sysctl, value: &str) {
        match value {
            SYSCTL_DEFAULT => drop(self.sysctls.remove(key)),
            value => drop(self.sysctls.insert(key.clone(), value.into())),
        }
    }

    /// As `Bundle::unit_stamp`, from what is really there.
    pub fn stamp_of(&self, reads: &BTreeMap<HostPath, OnChange>) -> Digest {
        let digest = |path: &HostPath| match (self.files.get(path), self.programs.get(path)) {
            (Some(file), _) => Digest::of(&file.content),
            (None, Some(identity)) => identity.clone(),
            (None, None) => Digest::of(b""),
        };
        let stamped = reads.iter().filter(|(_, on_change)| **on_change != OnChange::ReadAgain);
        let text: String = stamped.map(|(path, _)| format!("{path} {}\n", digest(path))).collect();
        Digest::of(text.as_bytes())
    }

    /// What a program holds that has just read its files.
    pub fn read_again(&self, reads: &BTreeMap<HostPath, OnChange>) -> BTreeMap<HostPath, Vec<u8>> {
        let again = reads.iter().filter(|(_, on_change)| **on_change == OnChange::ReadAgain);
        again.filter_map(|(path, _)| Some((path.clone(), self.files.get(path)?.content.clone()))).collect()
    }

    /// Running programs notice that files have changed.
    pub fn notice_files(&mut self) {
        if self.is_blind {
            return;
        }
        for (unit, reads) in self.records.values().flat_map(|record| record.reads.clone()).collect::<Vec<_>>() {
            let holds = self.read_again(&reads);
            self.units.get_mut(&unit).into_iter().filter(|unit| unit.active_state == "active").for_each(|unit| {
                unit.holds.clone_from(&holds);
            });
        }
    }

    /// What is in a directory.
    pub fn content_of(&self, directory: &HostPath) -> BTreeSet<HostPath> {
        let inside = format!("{directory}/");
        self.files.keys().filter(|path| path.as_str().starts_with(&inside)).cloned().collect()
    }

    /// Whether an owner other than this one names the path.
    pub fn is_elsewhere(&self, owner: &Owner, path: &HostPath) -> bool {
        self.records.iter().any(|(other, record)| other != owner && record.files.contains(path))
    }

    fn lines(&self) -> BTreeMap<String, String> {
        let mut lines = BTreeMap::new();
        for (path, file) in &self.files {
            lines.insert(path.to_string(), format!("{:04o} {} {}", file.mode, file.owner, Digest::of(&file.content)));
        }
        lines.extend(self.programs.iter().map(|(path, identity)| (path.to_string(), identity.to_string())));
        for (unit, state) in &self.units {
            let holds: Vec<_> = state.holds.iter().map(|(path, content)| (path, Digest::of(content))).collect();
            let what = format!("{} enabled={} {:?} {holds:?}", state.active_state, state.enabled, state.runs_with);
            lines.insert(unit.to_string(), what);
        }
        lines.extend(self.sysctls.iter().map(|(key, value)| (key.to_string(), value.clone())));
        for (owner, record) in &self.records {
            let units: Vec<String> = record.units.iter().map(|(unit, stamp)| format!("{unit} {stamp:?}")).collect();
            let rest = (
                (&record.files, &record.installed, units, &record.unread),
                (&record.sysctls, &record.directories, &record.kept, &record.identity),
            );
            lines.insert(format!("record {owner}"), format!("{rest:?}"));
        }
        lines
    }
}

impl Cluster {
    fn lines(&self) -> BTreeMap<String, String> {
        let nodes = self.nodes.iter().map(|(name, node)| {
            (format!("node {name}"), format!("{:?} {:?} {:?}", node.cordoned_by, node.kubelet_version, node.object))
        });
        let declared = self.declared.iter().map(|(name, text)| (format!("declared {name}"), text.clone()));
        let objects = self.manifests.iter().map(|(key, object)| (format!("object {key}"), object.to_string()));
        let tokens = (!self.tokens.is_empty()).then(|| ("tokens".to_string(), self.tokens.len().to_string()));
        nodes.chain(declared).chain(objects).chain(tokens).collect()
    }
}
