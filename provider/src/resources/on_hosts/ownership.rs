//! Whose host it is: before anything is written to any host, its records, the authorities on it and its data directories must be this
//! resource's, or nobody's. Pure: the inventories come in.

use super::absence::Why;
use super::expiry;
use super::fleet::Fleet;
use super::foreign::{self, Cluster, Finding};
use super::hardway_cluster::LASTING;
use super::lives;
use super::node_group::whose::CLUSTER_UID;
use crate::spelling;
use bundle::{Bundle, Digest, HostName, HostPath, IfFilled, Manifest};
use machines::{Incarnation, Inventory, Owner, Question, Record, Uid};
use render::{control_plane, load_balancer, node};
use rollout::{EtcdData, History};
use schema::{Diagnostic, Diagnostics};
use std::collections::{BTreeMap, BTreeSet};

/// The last line of a certificate.
const END: &str = "-----END CERTIFICATE-----\n";
const API_SERVER: &str = "kube-apiserver.service";

/// Where others keep a cluster, and who.
pub(super) const INSTALLATIONS: [(&str, &str); 6] = [
    ("/etc/kubernetes/manifests", "kubeadm"),
    ("/etc/kubernetes/admin.conf", "kubeadm"),
    ("/etc/kubernetes/kubelet.conf", "kubeadm"),
    ("/var/lib/rancher", "k3s or RKE2"),
    ("/var/lib/k0s", "k0s"),
    ("/var/snap/microk8s", "MicroK8s"),
];

/// What a resource is about to do to a host.
pub struct Claim<'a> {
    pub host: &'a HostName,
    pub owner: &'a Incarnation,
    pub bundle: &'a Bundle,
    /// The state has the host already.
    pub in_state: bool,
}

/// What to ask each host of an apply: those that are to have something, and those that leave.
pub fn questions(desired: &BTreeMap<HostName, Bundle>, recorded: &BTreeMap<HostName, Manifest>) -> BTreeMap<HostName, Question> {
    let leaving = recorded.iter().map(|(host, manifest)| (host.clone(), question_of_removal(manifest)));
    leaving.chain(desired.iter().map(|(host, bundle)| (host.clone(), question(bundle)))).collect()
}

/// What to ask a host for that is to lose everything.
fn question_of_removal(manifest: &Manifest) -> Question {
    let certificates = authorities().map(|(_, path)| path).filter(|path| manifest.files.contains_key(path)).collect();
    Question { certificates, ..Question::default() }
}

/// What to ask a host for that is to have this bundle.
fn question(bundle: &Bundle) -> Question {
    let refused = bundle.data_directories.iter().filter(|(_, directory)| directory.if_filled == IfFilled::Refuse);
    let installations = INSTALLATIONS.iter().map(|(path, _)| HostPath::literal(path));
    let etcd = wal(bundle).into_iter().chain([HostPath::literal(control_plane::JOIN_ENVIRONMENT)]);
    Question {
        filled: refused.map(|(path, _)| path.clone()).chain(installations).chain(etcd).collect(),
        certificates: authorities().map(|(_, path)| path).collect(),
        expiring: expiry::asked(bundle),
    }
}

/// The host as which the machine was set up for this owner, if it is another one.
pub fn other_host<'a>(owner: &Owner, host: &HostName, found: &'a Inventory) -> Option<&'a str> {
    found.records.get(owner)?.host().filter(|name| *name != host.as_str())
}

/// Machines that were set up as another of the hosts that are to be written or cleaned, in another life of the owner, or that another
/// state took over.
pub fn refuse_other_hosts<'a>(fleet: &'a Fleet, hosts: impl Iterator<Item = &'a HostName>) -> Diagnostics {
    let absent = fleet.absent_of(hosts);
    let others = absent.hosts.iter().filter(|(_, absence)| absence.why == Why::OtherHost);
    let others = others.map(|(host, absence)| foreign::other_host(host, absence, &fleet.owner.name));
    let lives = absent.other_lives(&fleet.owner).map(foreign::other_life);
    let taken = absent.taken_over(&fleet.owner).map(lives::refusal_of_taken_over);
    others.chain(lives).chain(taken).collect()
}

/// Hosts that are to be cleaned by a state and carry another cluster than this state knows.
pub fn refuse_other_clusters(
    owner: &Owner,
    recorded: &BTreeMap<HostName, Manifest>,
    found: &BTreeMap<HostName, Inventory>,
) -> BTreeMap<HostName, Diagnostic> {
    let other = |(host, manifest): (&HostName, &Manifest)| {
        let (name, fingerprint) = unknown_authority(manifest, found.get(host)?)?;
        let records = records_of_clusters(found.get(host)?);
        Some((host.clone(), foreign::newer_cluster(host, owner, &records, (name, &fingerprint))))
    };
    recorded.iter().filter_map(other).collect()
}

/// An authority on the host that is not the recorded one, by its name and the fingerprint of its first certificate. While authorities are
/// rotated, both stand in one file: one in common is enough.
fn unknown_authority(recorded: &Manifest, found: &Inventory) -> Option<(&'static str, String)> {
    authorities().find_map(|(name, path)| {
        let recorded = recorded.files.get(&path)?.sha256.as_ref()?;
        let text = found.certificates.get(&path)?;
        let mut texts = text.split_inclusive(END).chain([text.as_str()]);
        let fingerprint = text.split_inclusive(END).find_map(|pem| pki::fingerprint(pem).ok())?;
        texts.all(|text| Digest::of(text.as_bytes()) != *recorded).then_some((name, fingerprint))
    })
}

/// Empty when the host may get the bundle.
pub fn check(claim: &Claim, found: &Inventory) -> Diagnostics {
    let findings = match other_authority(claim, found).map(Finding::OtherCluster) {
        Some(finding) => vec![finding],
        None if claim.in_state && found.records.contains_key(&claim.owner.name) => Vec::new(),
        // Nobody says that it is still the one that the state means.
        None if claim.in_state => taken_by_others(claim, found),
        None => unknown_to_the_state(claim, found),
    };
    findings.iter().map(|finding| finding.diagnostic(claim)).collect()
}

/// What the inventory says of the etcd member that the bundle brings.
pub fn etcd_of(owner: &Owner, bundle: &Bundle, found: &Inventory) -> (EtcdData, History) {
    let is_filled = |path: &HostPath| found.filled.contains(path);
    let data = match wal(bundle) {
        None => EtcdData::Unknown,
        Some(wal) if is_filled(&wal) => EtcdData::Present,
        Some(_) if is_filled(&HostPath::literal(control_plane::JOIN_ENVIRONMENT)) => EtcdData::Joining,
        Some(_) => EtcdData::Absent,
    };
    let history = match found.records.get(owner) {
        None => History::Missing,
        Some(record) if record.started.iter().any(|unit| unit.as_str() == API_SERVER) => History::Served,
        Some(record) if !record.knows_what_started() => History::Unrecorded,
        Some(_) => History::Begun,
    };
    (data, history)
}

fn wal(bundle: &Bundle) -> Option<HostPath> {
    HostPath::parse(bundle.identity.get(control_plane::WAL)?.as_str()).ok()
}

/// Of both roles, because a host may have either: by name in `k8s_pki`.
fn authorities() -> impl Iterator<Item = (&'static str, HostPath)> {
    let all = control_plane::AUTHORITIES.into_iter().chain(node::AUTHORITIES);
    all.map(|(name, path)| (name, HostPath::literal(path)))
}

/// The fingerprints of authorities by name. What is no certificate is damage, and repaired like any other file.
fn fingerprints(text_of: impl Fn(&HostPath) -> Option<String>) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut all: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for (name, path) in authorities() {
        let text = text_of(&path).unwrap_or_default();
        all.entry(name).or_default().extend(fingerprints_in(&text));
    }
    all.retain(|_, fingerprints| !fingerprints.is_empty());
    all
}

/// Whether two texts of certificates have some each, and none in common.
pub fn are_other_authorities(ours: &str, theirs: &str) -> bool {
    let [ours, theirs] = [ours, theirs].map(fingerprints_in);
    !ours.is_empty() && !theirs.is_empty() && ours.is_disjoint(&theirs)
}

fn fingerprints_in(text: &str) -> BTreeSet<String> {
    text.split_inclusive(END).filter_map(|pem| pki::fingerprint(pem).ok()).collect()
}

/// An authority on the host that shares no certificate with the declared one of that name.
fn other_authority(claim: &Claim, found: &Inventory) -> Option<Cluster> {
    let content =
        |path: &HostPath| claim.bundle.files.get(path)?.content.bytes().map(|bytes| String::from_utf8_lossy(bytes).into());
    let declared = fingerprints(content);
    let there = fingerprints(|path| found.certificates.get(path).cloned());
    let (name, ours, theirs) = authorities().find_map(|(name, _)| {
        let (ours, theirs) = declared.get(name).zip(there.get(name))?;
        ours.is_disjoint(theirs).then_some((name, ours, theirs))
    })?;
    Some(Cluster {
        authority: name,
        declared: ours.first().cloned()?,
        found: theirs.first().cloned()?,
        records: records_of_clusters(found),
    })
}

fn records_of_clusters(found: &Inventory) -> Vec<(Owner, Record)> {
    found
        .records
        .iter()
        .filter(|(owner, _)| owner.is_one_per_host())
        .map(|(owner, record)| (owner.clone(), record.clone()))
        .collect()
}

/// Who has the host, where only one may. The push looks again, under the host's lock.
fn taken_by_others(claim: &Claim, found: &Inventory) -> Vec<Finding> {
    if !claim.owner.name.is_one_per_host() {
        return Vec::new();
    }
    let is_other = |owner: &Owner| *owner != claim.owner.name && owner.kind() == claim.owner.name.kind();
    let others = found.records.iter().filter(|(owner, _)| is_other(owner));
    let others = others.map(|(owner, record)| Finding::OtherOwner(owner.clone(), record.clone()));
    let installations = INSTALLATIONS.iter().filter(|(path, _)| found.filled.contains(&HostPath::literal(path)));
    others.chain(installations.map(|(path, who)| Finding::Installation(path, who))).collect()
}

/// Of a host that only the host itself can tell about.
fn unknown_to_the_state(claim: &Claim, found: &Inventory) -> Vec<Finding> {
    let mut findings = taken_by_others(claim, found);
    let ours = found.records.get(&claim.owner.name);
    let hosts = claim.bundle.identity.get(load_balancer::HOSTS);
    if let Some((hosts, recorded)) = hosts.zip(ours.and_then(|record| record.identity.get(load_balancer::HOSTS)))
        && hosts != recorded
    {
        findings.push(Finding::OtherHosts { declared: hosts.clone(), recorded: recorded.clone() });
    }
    let made_with = |key: &str| ours.and_then(|record| record.identity.get(key));
    for (key, what) in LASTING {
        if let Some((declared, recorded)) = claim.bundle.identity.get(key).zip(made_with(key))
            && spelling::of_network(declared) != spelling::of_network(recorded)
        {
            findings.push(Finding::OtherSetting { what, declared: declared.clone(), recorded: recorded.clone() });
        }
    }
    if let Some((declared, record)) = claim.bundle.identity.get(CLUSTER_UID).zip(ours) {
        let recorded = record.identity.get(CLUSTER_UID).map_or(Uid::NIL, String::as_str);
        if declared != recorded {
            findings.push(Finding::NodeOfAnotherCluster { declared: declared.clone(), recorded: recorded.into() });
        }
    }
    if findings.is_empty() {
        findings.extend(filled(claim, found).map(Finding::Filled));
        findings.extend(data_without_authority(claim, found).map(Finding::DataWithoutAuthority));
    }
    findings
}

/// Directories with content that no record covers.
fn filled(claim: &Claim, found: &Inventory) -> Option<Vec<HostPath>> {
    let is_covered = |path: &HostPath| found.records.values().any(|record| record.directories.contains(path));
    let refused = claim.bundle.data_directories.iter().filter(|(_, directory)| directory.if_filled == IfFilled::Refuse);
    let paths: Vec<HostPath> =
        refused.map(|(path, _)| path.clone()).filter(|path| found.filled.contains(path) && !is_covered(path)).collect();
    (!paths.is_empty()).then_some(paths)
}

/// etcd is started after its authorities are written: data without them is what a removal left that was cut off, and may be anybody's.
fn data_without_authority(claim: &Claim, found: &Inventory) -> Option<HostPath> {
    let has_authority =
        control_plane::AUTHORITIES.iter().any(|(_, path)| found.certificates.contains_key(&HostPath::literal(path)));
    wal(claim.bundle).filter(|path| found.filled.contains(path) && !has_authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::{Directory, UnitName};

    fn path(text: &str) -> HostPath {
        HostPath::literal(text)
    }

    fn owner(text: &str) -> Owner {
        Owner::parse(text).unwrap()
    }

    fn incarnation(text: &str) -> Incarnation {
        Incarnation { name: owner(text), uid: Uid::of_random([1; 16]), holder: Uid::default() }
    }

    /// Of a control-plane host.
    fn bundle() -> Bundle {
        let mut bundle = Bundle::default();
        bundle.data_directories.insert(path("/var/lib/etcd"), Directory::data(0o700));
        bundle.data_directories.insert(path("/var/log/kubernetes"), Directory::shared(0o700));
        bundle.identity.insert(control_plane::WAL.into(), "/var/lib/etcd/member/wal".into());
        bundle
    }

    fn found(filled: &[&str], records: &[(&str, &str)]) -> Inventory {
        let record = |directory: &str| Record { directories: [path(directory)].into(), ..Record::default() };
        Inventory {
            filled: filled.iter().map(|text| path(text)).collect(),
            records: records.iter().map(|(name, directory)| (owner(name), record(directory))).collect(),
            ..Inventory::default()
        }
    }

    #[track_caller]
    fn check_host(in_state: bool, found: &Inventory, expect: &[&str]) {
        let (host, owner, bundle) = (HostName::literal("cp-1"), incarnation("k8s_hardway_cluster.demo"), bundle());
        let claim = Claim { host: &host, owner: &owner, bundle: &bundle, in_state };
        let summaries: Vec<String> = check(&claim, found).iter().map(|diagnostic| diagnostic.summary.clone()).collect();
        assert_eq!(summaries, expect);
    }

    #[test]
    fn a_host_is_taken_when_it_is_nobodys_or_the_owners_own() {
        check_host(false, &Inventory::default(), &[]);
        check_host(false, &found(&["/var/lib/etcd"], &[("k8s_hardway_cluster.demo", "/var/lib/etcd")]), &[]);
        check_host(false, &found(&["/var/lib/etcd"], &[("k8s_node_group.demo.x", "/var/lib/etcd")]), &[]);
        check_host(false, &found(&["/var/log/kubernetes"], &[]), &[]);
        check_host(false, &found(&["/var/lib/etcd"], &[]), &["cp-1 has data that no record of this provider covers"]);
        check_host(false, &found(&[], &[("k8s_hardway_cluster.b", "/x")]), &["cp-1 belongs to k8s_hardway_cluster.b"]);
        check_host(false, &found(&["/var/lib/rancher"], &[]), &["cp-1 carries a cluster of k3s or RKE2"]);
        let (ours, theirs) = (("k8s_hardway_cluster.demo", "/var/lib/etcd"), ("k8s_hardway_cluster.b", "/x"));
        check_host(true, &found(&["/var/lib/etcd", "/var/lib/rancher"], &[ours]), &[]);
        check_host(true, &found(&["/var/lib/etcd"], &[]), &[]);
        check_host(true, &found(&["/var/lib/etcd"], &[theirs]), &["cp-1 belongs to k8s_hardway_cluster.b"]);
    }

    #[test]
    fn etcd_data_without_an_authority_is_nobodys() {
        let mut inventory =
            found(&["/var/lib/etcd", "/var/lib/etcd/member/wal"], &[("k8s_hardway_cluster.demo", "/var/lib/etcd")]);
        check_host(false, &inventory, &["cp-1 has etcd data of a cluster whose authorities are gone"]);
        check_host(true, &inventory, &[]);
        inventory.certificates.insert(path("/etc/etcd/pki/ca.crt"), "-----BEGIN CERTIFICATE-----\n".into());
        check_host(false, &inventory, &[]);
    }

    #[test]
    fn the_log_of_etcd_and_the_record_tell_its_member() {
        let demo = owner("k8s_hardway_cluster.demo");
        let record = ("k8s_hardway_cluster.demo", "/var/lib/etcd");
        // A member that was refused by its peers leaves a directory without a log.
        let mut inventory = found(&["/var/lib/etcd"], &[record]);
        assert_eq!(etcd_of(&demo, &bundle(), &inventory), (EtcdData::Absent, History::Unrecorded));
        inventory.records.values_mut().for_each(|record| drop(record.identity.insert("version".into(), "2".into())));
        assert_eq!(etcd_of(&demo, &bundle(), &inventory), (EtcdData::Absent, History::Begun));
        inventory.filled.insert(path(control_plane::JOIN_ENVIRONMENT));
        assert_eq!(etcd_of(&demo, &bundle(), &inventory).0, EtcdData::Joining);
        inventory.filled.insert(path("/var/lib/etcd/member/wal"));
        let started = &mut inventory.records.values_mut().next().unwrap().started;
        started.insert(UnitName::literal("etcd.service"));
        assert_eq!(etcd_of(&demo, &bundle(), &inventory), (EtcdData::Present, History::Begun));
        inventory.records.values_mut().next().unwrap().started.insert(UnitName::literal(API_SERVER));
        assert_eq!(etcd_of(&demo, &bundle(), &inventory).1, History::Served);
        assert_eq!(etcd_of(&demo, &Bundle::default(), &Inventory::default()), (EtcdData::Unknown, History::Missing));
    }
}
