//! What goes wrong while an apply runs, and how it ends. One fault hits at most one host, so that what the cluster loses beyond it was
//! lost by the provider.

use acceptance_tests::Cluster;
use acceptance_tests::lab::{CONTROL_PLANE, HOSTS};
use acceptance_tests::workspace::signal;
use rand::{Rng, rngs::StdRng};
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum Fault {
    ProviderKilled,
    /// The engine and its provider: nothing is written to the state any more.
    EngineKilled,
    PowerCut(&'static str),
    Unplugged(&'static str),
    SlowLink(&'static str),
    /// Takes connections and does not answer.
    Hangs(&'static str, &'static str),
    /// Nothing more can be written below a folder.
    DiskFull(&'static str, &'static str),
}

/// How soon after the begin of an apply, and how long it lasts where it lasts.
#[derive(Clone, Debug)]
pub struct Moment {
    pub begins: Duration,
    pub lasts: Duration,
}

const LATEST_SECONDS: f64 = 12.0;
const LASTS_SECONDS: std::ops::Range<f64> = 2.0..40.0;
const SLOW: &str = "256kbit";
const UNITS: [&str; 4] = ["etcd.service", "kube-apiserver.service", "kubelet.service", "containerd.service"];
const FOLDERS: [&str; 3] = ["/etc/systemd/system", "/etc/kubernetes", "/var/lib/k8s-hardway"];

impl Fault {
    pub fn any(random: &mut StdRng) -> Fault {
        let host = pick(random, &HOSTS);
        let with_control_plane = pick(random, &CONTROL_PLANE);
        match random.random_range(0..7) {
            0 => Fault::ProviderKilled,
            1 => Fault::EngineKilled,
            2 => Fault::PowerCut(host),
            3 => Fault::Unplugged(host),
            4 => Fault::SlowLink(host),
            5 => Fault::Hangs(with_control_plane, pick(random, &UNITS)),
            _ => Fault::DiskFull(with_control_plane, pick(random, &FOLDERS)),
        }
    }

    pub fn begin(&self, cluster: &Cluster, engine: &[String]) {
        match self {
            Fault::ProviderKilled => drop(cluster.workspace.kill_provider()),
            Fault::EngineKilled => {
                signal("-KILL", engine);
                cluster.workspace.kill_provider();
            }
            Fault::PowerCut(host) => cluster.lab.kill(host),
            Fault::Unplugged(host) => cluster.lab.unplug(host),
            Fault::SlowLink(host) => cluster.lab.slow(host, SLOW),
            Fault::Hangs(host, unit) => drop(cluster.on(host, &format!("systemctl kill --signal=STOP {unit}; true"))),
            Fault::DiskFull(host, folder) => drop(cluster.on(host, &FILL.replace("FOLDER", folder))),
        }
    }

    pub fn end(&self, cluster: &Cluster) {
        match self {
            Fault::ProviderKilled | Fault::EngineKilled => {}
            Fault::PowerCut(host) => cluster.lab.boot(host),
            Fault::Unplugged(host) | Fault::SlowLink(host) => cluster.lab.plug(host),
            Fault::Hangs(host, unit) => drop(cluster.on(host, &format!("systemctl kill --signal=CONT {unit}; true"))),
            Fault::DiskFull(host, folder) => drop(cluster.on(host, &EMPTY.replace("FOLDER", folder))),
        }
    }
}

/// A disk of its own over the folder, with what it holds now and no room for more. It is there from one moment to the next.
const FILL: &str = r"set -e
used=$(du -sk FOLDER | cut -f1)
mkdir -p /run/full
mount -t tmpfs -o mode=755,size=$((used + 64))k full /run/full
cp -a FOLDER/. /run/full/
dd if=/dev/zero of=/run/full/.filled bs=4k 2>/dev/null || true
[ -s /run/full/.filled ]
mount --bind /run/full FOLDER";

/// Back on the disk that it lies on, which is not that of / for all of them, with what it holds now.
const EMPTY: &str = r"set -e
rm -f FOLDER/.filled
disk=$(stat -c %m $(dirname FOLDER))
mkdir -p /run/below
mount --bind $disk /run/below
below=/run/below/$(realpath --relative-to=$disk FOLDER)
find $below -mindepth 1 -delete
cp -a FOLDER/. $below/
umount -l FOLDER /run/full
umount /run/below
rmdir /run/below /run/full
systemctl daemon-reload";

impl Moment {
    pub fn any(random: &mut StdRng) -> Moment {
        Moment {
            begins: Duration::from_secs_f64(LATEST_SECONDS * random.random::<f64>()),
            lasts: Duration::from_secs_f64(random.random_range(LASTS_SECONDS)),
        }
    }
}

fn pick<T: Copy>(random: &mut StdRng, all: &[T]) -> T {
    all[random.random_range(0..all.len())]
}
