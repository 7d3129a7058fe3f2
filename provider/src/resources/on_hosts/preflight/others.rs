//! What others run or have left on the host, and what ours would take from them. Clusters of other installers that only left
//! directories are refused by `ownership`.

use super::{Finding, Look, Newcomer, Rule, each_of};
use bundle::{HostPath, UnitName};
use machines::FoundUnit;
use render::component::CONTAINERD;
use render::node::{CNI_CONFIGURATION, OWN_CNI_CONFIGURATIONS};
use schema::Severity::{Error, Warning};

/// Where containerd looks for the network of pods.
pub const CNI_FOLDER: &str = "/etc/cni/net.d";

pub static RULES: [Rule; 7] = [
    Rule {
        says: "No unit runs that has the name of one of the cluster's, such as a distribution's `containerd.service`.",
        hosts: "all",
        severity: Error,
        check: units_that_run,
    },
    Rule { says: "No such unit is installed.", hosts: "all", severity: Warning, check: units_that_are_idle },
    Rule {
        says: "No drop-in of somebody else changes what such a unit runs, as the one of the package kubeadm does.",
        hosts: "all",
        severity: Error,
        check: drop_ins,
    },
    Rule {
        says: "k3s, RKE2, k0s and MicroK8s do not run; on nodes, neither do Docker and CRI-O.",
        hosts: "control plane, nodes",
        severity: Error,
        check: rivals_that_run,
    },
    Rule { says: "None of them is installed.", hosts: "control plane, nodes", severity: Warning, check: rivals_that_are_idle },
    Rule {
        says: "No file in `/etc/cni/net.d` comes before the one of the routed pod network.",
        hosts: "nodes",
        severity: Error,
        check: networks_that_win,
    },
    Rule {
        says: "There is no other file in `/etc/cni/net.d`.",
        hosts: "nodes",
        severity: Warning,
        check: networks_that_are_idle,
    },
];

/// A program that wants the host for its own containers, or for its own cluster.
pub struct Rival {
    pub unit: &'static str,
    name: &'static str,
    is_cluster: bool,
}

const fn cluster(unit: &'static str, name: &'static str) -> Rival {
    Rival { unit, name, is_cluster: true }
}

const fn runtime(unit: &'static str, name: &'static str) -> Rival {
    Rival { unit, name, is_cluster: false }
}

/// As their installers name them: https://docs.k3s.io/installation/uninstall, https://docs.rke2.io/install/quickstart,
/// https://docs.k0sproject.io/stable/install/, https://microk8s.io/docs/configuring-services,
/// https://docs.docker.com/engine/daemon/start/, https://github.com/cri-o/packaging.
pub static RIVALS: [Rival; 10] = [
    cluster("k3s.service", "k3s"),
    cluster("k3s-agent.service", "k3s"),
    cluster("rke2-server.service", "RKE2"),
    cluster("rke2-agent.service", "RKE2"),
    cluster("k0scontroller.service", "k0s"),
    cluster("k0sworker.service", "k0s"),
    cluster("snap.microk8s.daemon-kubelite.service", "MicroK8s"),
    runtime("docker.service", "Docker"),
    runtime("snap.docker.dockerd.service", "Docker"),
    runtime("crio.service", "CRI-O"),
];

/// Units under the names of ours that somebody else put there.
fn units_of_others<'a>(new: &'a Newcomer) -> impl Iterator<Item = (&'a UnitName, &'a FoundUnit)> {
    new.facts.units.iter().filter(|(unit, _)| new.bundle.units.contains_key(*unit) && !new.is_ours(unit))
}

fn place(unit: &FoundUnit) -> String {
    unit.file.as_ref().map_or_else(|| "Its file is none on a disk".to_string(), |file| format!("Its file is {file}"))
}

fn units_that_run(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let running = units_of_others(new).filter(|(_, found)| found.is_running);
        let said = running.map(|(unit, found)| {
            let detail = format!(
                "{}, and no record of this provider names it. A unit of this name would take its place, and what it runs would end. Stop it \
                 and remove it as its installer says, or declare another host.",
                place(found)
            );
            (format!("{unit} of somebody else runs"), detail)
        });
        said.collect()
    })
}

fn units_that_are_idle(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let idle = units_of_others(new).filter(|(_, found)| !found.is_running);
        let said = idle.map(|(unit, found)| {
            let detail = format!("{}. It does not run; a unit of this name takes its place until a destroy.", place(found));
            (format!("{unit} of somebody else is installed"), detail)
        });
        said.collect()
    })
}

/// https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubelet-integration/ (10-kubeadm.conf).
fn drop_ins(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let of_ours = new.facts.drop_ins.iter().filter(|(unit, _)| new.bundle.units.contains_key(*unit) && !new.is_ours(unit));
        let said = of_ours.flat_map(|(unit, paths)| {
            paths.iter().map(move |path| {
                let detail = format!("It says another ExecStart, which would run in place of what the unit of this cluster runs. Remove {path}, with the package that brought it.");
                (format!("a drop-in of somebody else for {unit}"), detail)
            })
        });
        said.collect()
    })
}

fn rivals<'a>(new: &'a Newcomer, is_running: bool) -> impl Iterator<Item = (UnitName, &'static Rival)> + use<'a> {
    let (containers, kubernetes) = (new.bundle.needs.runs_containers, new.runs_kubernetes());
    let here = RIVALS.iter().filter(move |rival| if rival.is_cluster { kubernetes } else { containers });
    let found = here.map(|rival| (UnitName::literal(rival.unit), rival));
    found.filter(move |(unit, _)| new.facts.units.get(unit).is_some_and(|found| found.is_running == is_running))
}

fn rivals_that_run(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let said = rivals(new, true).map(|(unit, rival)| {
            let name = rival.name;
            let why = if rival.is_cluster {
                "It keeps a cluster of its own, with ports, routes and rules of its own."
            } else {
                "It has its own containerd or CNI configuration, and rules for packets that are forwarded: pods would lose their network."
            };
            let detail = format!("{why} Remove {name} as its documentation says ({unit}), or declare another host.");
            (format!("{name} runs"), detail)
        });
        said.collect()
    })
}

fn rivals_that_are_idle(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let said = rivals(new, false).map(|(unit, rival)| {
            let detail = format!("{unit} is there and does not run. Once it does, it fights with this cluster's components: remove it, or mask it (systemctl mask {unit}).");
            (format!("{} is installed", rival.name), detail)
        });
        said.collect()
    })
}

/// Configurations of other networks of pods. Where a node of this provider runs already, they are of what was installed since.
fn networks<'a>(new: &'a Newcomer) -> impl Iterator<Item = &'a HostPath> {
    let is_looked_at = new.bundle.needs.runs_containers && !new.is_ours(&CONTAINERD.unit());
    let is_read = |path: &HostPath| {
        path.as_str().starts_with(CNI_FOLDER) && [".conf", ".conflist", ".json"].iter().any(|end| path.as_str().ends_with(end))
    };
    new.facts.entries.iter().filter(move |path| is_looked_at && is_read(path) && !OWN_CNI_CONFIGURATIONS.contains(&path.as_str()))
}

/// containerd takes the first by name (https://github.com/containerd/go-cni, `loadFromConfDir`).
fn wins(new: &Newcomer, path: &HostPath) -> bool {
    !new.bundle.needs.routed.is_empty() && path.as_str() < CNI_CONFIGURATION
}

fn networks_that_win(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let said = networks(new).filter(|path| wins(new, path)).map(|path| {
            let detail = format!(
                "containerd takes the first file in {CNI_FOLDER} by name, and this one comes before {CNI_CONFIGURATION}: pods would get \
                 another network than the one that is routed. Remove it, with what it belongs to."
            );
            (format!("{path} of another pod network"), detail)
        });
        said.collect()
    })
}

fn networks_that_are_idle(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let said = networks(new).filter(|path| !wins(new, path)).map(|path| {
            let detail = format!(
                "It was left by another network. containerd takes the first file in {CNI_FOLDER} by name: remove it, unless it belongs to \
                 the network that you install."
            );
            (format!("{path} of another pod network"), detail)
        });
        said.collect()
    })
}
