//! What was found on a host that somebody else uses, in words: what it is, whose, and the ways out.

use super::absence::Absence;
use super::lives;
use super::ownership::Claim;
use bundle::{HostName, HostPath};
use machines::{Incarnation, Owner, REMOVE_PROGRAM, Record};
use schema::{AttributePath, Diagnostic};
use time::OffsetDateTime;

pub(super) enum Finding {
    OtherCluster(Cluster),
    OtherOwner(Owner, Record),
    /// A load balancer of the same name on other hosts.
    OtherHosts {
        declared: String,
        recorded: String,
    },
    /// What was created with another value of a setting that only a new one can have.
    OtherSetting {
        what: &'static str,
        declared: String,
        recorded: String,
    },
    /// Its kubelet has credentials of a cluster that had the same name. Both are uids.
    NodeOfAnotherCluster {
        declared: String,
        recorded: String,
    },
    /// A directory, and who keeps a cluster there.
    Installation(&'static str, &'static str),
    Filled(Vec<HostPath>),
    DataWithoutAuthority(HostPath),
}

/// A cluster with other authorities than those that are declared.
pub(super) struct Cluster {
    /// By its name in `k8s_pki`.
    pub authority: &'static str,
    /// SHA-256 fingerprints.
    pub declared: String,
    pub found: String,
    pub records: Vec<(Owner, Record)>,
}

impl Finding {
    pub fn diagnostic(&self, claim: &Claim) -> Diagnostic {
        let (host, owner) = (claim.host, claim.owner);
        let (summary, detail) = match self {
            Finding::OtherCluster(cluster) => (format!("{host} carries another cluster"), cluster.detail(claim)),
            Finding::OtherOwner(other, record) => (format!("{host} belongs to {other}"), other_owner(other, record)),
            Finding::OtherHosts { declared, recorded } => (
                format!("{host} carries another {owner}"),
                format!(
                    "Its record says that {owner} is on {recorded}, and this configuration declares {declared}. If it is this one, \
                     restore its state or declare those hosts first and change them in a second apply; else give this one another name."
                ),
            ),
            Finding::OtherSetting { what, declared, recorded } => (
                format!("{host} carries {owner} with other {what}"),
                format!(
                    "Its record says that it was created with {recorded}, and this configuration declares {declared}. A create goes on with \
                     what is there, and only a new one can have others. In a replacement, create_before_destroy stands in the way: take it \
                     off this resource and off what depends on it, so that the old one is destroyed first. If its state is lost, \
                     declare what it was created with; or clean the host as root there:\n\n{}",
                    cleaning(&owner.name)
                ),
            ),
            Finding::NodeOfAnotherCluster { declared, recorded } => (
                format!("{host} is a node of another cluster"),
                format!(
                    "Its record says that {owner} joined the cluster with uid {recorded}, and this configuration declares that with {declared}: \
                     the kubelet there would go on with what it has from the other. Destroy it with the state that made it, or clean the host \
                     as root there:\n\n{}",
                    cleaning(&owner.name)
                ),
            ),
            Finding::Installation(path, who) => (
                format!("{host} carries a cluster of {who}"),
                format!(
                    "{path} is there, with content. Remove that cluster as the documentation of {who} says, or declare another host."
                ),
            ),
            Finding::Filled(paths) => (
                format!("{host} has data that no record of this provider covers"),
                filled(&paths.iter().map(HostPath::as_str).collect::<Vec<_>>(), owner),
            ),
            Finding::DataWithoutAuthority(path) => (
                format!("{host} has etcd data of a cluster whose authorities are gone"),
                format!(
                    "{path} is there, but no certificate of an authority, so that nobody can tell whose data it is: a removal was cut \
                     off. Restore the state that knows this host and destroy with it, or clean the host as root there:\n\n{}",
                    cleaning(&owner.name)
                ),
            ),
        };
        Diagnostic::error(summary).detail(format!("{detail}\n\nNothing was changed on any host."))
    }
}

/// SSH to the host leads to the machine of another one.
pub(super) fn other_host(host: &HostName, absence: &Absence, owner: &Owner) -> Diagnostic {
    Diagnostic::error(&absence.summary)
        .detail(format!(
            "{}.\n\nNothing was changed on any host. If {host} is gone and another host has its address now, take {host} out of hosts and \
             apply. If this machine is to be {host} from now on, declare it under the name in its record, take that out of hosts and \
             apply; or clean it as root there:\n\n{}",
            absence.reason,
            cleaning(owner)
        ))
        .at(AttributePath::attribute("hosts").key(host.as_str()))
}

/// Hosts carry another life of the owner.
pub(super) fn other_life((summary, detail): (String, String)) -> Diagnostic {
    Diagnostic::error(summary)
        .detail(format!("{detail}\n\nNothing was changed on any host."))
        .at(AttributePath::attribute(lives::UID))
}

/// The host carries a cluster that is younger than the state by which it is to be cleaned.
pub(super) fn newer_cluster(
    host: &HostName,
    owner: &Owner,
    records: &[(Owner, Record)],
    (authority, fingerprint): (&str, &str),
) -> Diagnostic {
    let records: Vec<String> = records.iter().map(|(owner, record)| format!("{owner}{}", since(record))).collect();
    Diagnostic::error(format!("{host} carries another cluster than this state knows"))
        .detail(format!(
            "Found there: {}; {authority} with SHA-256 fingerprint {fingerprint}. The state of {owner} recorded another {authority}: it is \
             older than what runs there now, or of another cluster of the same name, and a removal by it would delete that cluster. \
             Nothing was changed on any host. If what runs there is to go, destroy it with the state that made it; if only this state is \
             to go, take the resource out of it (`terraform state rm` or `tofu state rm`).",
            if records.is_empty() { "no record of this provider".into() } else { records.join(", ") },
        ))
        .at(AttributePath::attribute("hosts").key(host.as_str()))
}

impl Cluster {
    fn detail(&self, claim: &Claim) -> String {
        let records: Vec<String> = self.records.iter().map(|(owner, record)| format!("{owner}{}", since(record))).collect();
        let records = if records.is_empty() { "no record of this provider".into() } else { records.join(", ") };
        let (name, declared, found, owner) = (self.authority, &self.declared, &self.found, claim.owner);
        let facts = format!(
            "Found there: {records}; {name} with SHA-256 fingerprint {found}. This configuration has {owner} and {name} {declared}: \
             written over the other, they would make all that it stored unreadable and shut its nodes out."
        );
        if claim.in_state {
            return format!(
                "{facts} The state has the host, so either another state took it over, or this one got new authorities (`-replace`, \
                 another k8s_pki). Pass the k8s_pki that the host was set up with; to change it, destroy what is on the host first."
            );
        }
        let owners: Vec<String> = self.records.iter().map(|(owner, _)| cleaning(owner)).collect();
        let cleaning =
            if owners.is_empty() { "  kubeadm reset   # or as its own installer says".into() } else { owners.join("\n") };
        format!(
            "{facts}\n\nIf this is the cluster of this configuration, its state is not here: restore it from a backup, or select the \
             workspace or backend that has it. It cannot be imported, because the keys of its authorities stand in that state only.\n\
             If nobody needs that cluster any more: destroy it with the state that made it, or clean the host as root there:\n\n{cleaning}"
        )
    }
}

fn other_owner(owner: &Owner, record: &Record) -> String {
    format!(
        "Its record names {owner}{}. A host takes one of its kind. Take the host out of that one and apply before it is declared here; if \
         its state is lost, clean the host as root there:\n\n{}",
        since(record),
        cleaning(owner)
    )
}

fn filled(paths: &[&str], owner: &Incarnation) -> String {
    let moves: String = paths.iter().map(|path| format!("  mv {path} {path}.before\n")).collect();
    let record = format!("/var/lib/k8s-hardway/{owner}");
    let adopts: String = paths.iter().map(|path| format!("  echo {path} >>{record}/directories\n")).collect();
    format!(
        "{} not empty: a container runtime, an etcd or a cluster of somebody else may use it, and a destroy would delete it. Declare \
         another host; or, if nobody needs what is there, move it away as root there:\n\n{moves}\nIf it is of {owner} and only the \
         record was lost:\n\n  mkdir -p {record}\n  echo 'uid {}' >{record}/identity\n{adopts}",
        match paths {
            [one] => format!("{one} is"),
            several => format!("{} are", several.join(", ")),
        },
        owner.uid
    )
}

/// By what the record names, with all the care of a destroy: volumes are mounted in data directories, and others use some of the files.
pub(super) fn cleaning(owner: &Owner) -> String {
    format!("  sh {REMOVE_PROGRAM} {owner}   # if it is missing, a version from before set the host up: install the host again")
}

fn since(record: &Record) -> String {
    record.since.map_or_else(String::new, |time| format!(" since {}", OffsetDateTime::from(time).date()))
}
