//! etcd: one member per control-plane host, with an authority for its clients and one for its peers.

use super::files::{ETCD_PKI, Reader};
use super::{Context, SNAPSHOTS, joined, tls_address, url};
use crate::component::{ETCD, shown_at};
use crate::spec::{ClusterSpec, Host, RenderError};
use crate::systemd::{Flags, SANDBOX};
use bundle::{Bundle, Directory, File, HostPath, Unit};
use std::collections::BTreeMap;
use std::net::SocketAddr;

const DATA_DIRECTORY: &str = "/var/lib/etcd";
const PEER_PORT: u16 = 2380;
const METRICS_PORT: u16 = 2381;

/// Key of the identity of a control-plane host: the directory of etcd's write-ahead log. A member without one begins as a new member
/// (`wal.Exist` in etcd's server/etcdserver/bootstrap.go); other files may be there already.
pub const WAL: &str = "etcd-wal";

/// What etcd looks at only while its data directory is empty. It is not among what the unit reads: a host that joins later
/// changes this file everywhere, and no running member has to restart for that.
pub(crate) const BOOTSTRAP_ENVIRONMENT: &str = "/etc/etcd/bootstrap.env";

/// Written by whoever adds this member to a running cluster, with the members of that moment and
/// `ETCD_INITIAL_CLUSTER_STATE=existing`; gone after a reboot.
pub const JOIN_ENVIRONMENT: &str = "/run/k8s-hardway/etcd-join.env";

pub(super) fn render(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let name = context.name.as_str();
    let mut reader = Reader::new(context, bundle);
    let flags = etcd_flags(context)
        .set("cert-file", reader.certificate(ETCD_PKI, "server", &format!("etcd-server/{name}"))?)
        .set("key-file", reader.private_key(ETCD_PKI, "server", &format!("etcd-server/{name}"))?)
        .set("trusted-ca-file", reader.certificate(ETCD_PKI, "ca", "etcd-ca")?)
        .set("client-cert-auth", "true")
        .set("peer-cert-file", reader.certificate(ETCD_PKI, "peer", &format!("etcd-peer/{name}"))?)
        .set("peer-key-file", reader.private_key(ETCD_PKI, "peer", &format!("etcd-peer/{name}"))?)
        .set("peer-trusted-ca-file", reader.certificate(ETCD_PKI, "peer-ca", "etcd-peer-ca")?)
        .set("peer-client-cert-auth", "true")
        .overridden_by(&context.spec.etcd_flags);
    let unit_file = unit_file(&flags.command_line(&reader.program(ETCD.program)));
    let reads = reader.reads;
    let unit = ETCD.describe_with_flags(reads, &flags, &shown(context, &flags));
    ETCD.add_unit(bundle, unit_file, Unit { check: ETCD.check(&flags, &[]), ..unit });
    for urls in ["listen-peer-urls", "listen-client-urls", "listen-metrics-urls"].map(|flag| flags.get(flag).unwrap_or_default())
    {
        urls.split(',').for_each(|url| bundle.needs.listen(&ETCD.unit(), address_of(url)));
    }
    bundle.files.insert(HostPath::literal(BOOTSTRAP_ENVIRONMENT), File::public(bootstrap_environment(context)));
    add_etcdctl_credentials(context, bundle)?;
    bundle.data_directories.insert(HostPath::literal(DATA_DIRECTORY), Directory::data(0o700));
    bundle.data_directories.insert(HostPath::literal(SNAPSHOTS), Directory::shared(0o700));
    // Also of a directory that was there before the first push, as after a snapshot on a host that an earlier version set up.
    bundle.clean_up("snapshots", delete_snapshots(&context.spec.name));
    bundle.identity.insert(WAL.into(), wal_directory(&context.spec.etcd_flags));
    Ok(())
}

/// Those of this cluster: the name of another may begin with its name.
fn delete_snapshots(cluster: &str) -> String {
    let digits = |count| "[0-9]".repeat(count);
    let of_cluster = format!("{SNAPSHOTS}/{cluster}-{}T{}Z.db", digits(8), digits(6));
    format!("rm -f {of_cluster} {SNAPSHOTS}/.lock; rmdir {SNAPSHOTS} 2>/dev/null; true")
}

fn etcd_flags(context: &Context) -> Flags {
    let (address, loopback) = (context.host.address, context.loopback());
    let peer = peer_url(context.host);
    let client = url("https", address, ETCD.port);
    Flags::new()
        .set("name", context.name.as_str())
        .set("data-dir", DATA_DIRECTORY)
        .set("listen-peer-urls", &peer)
        .set("initial-advertise-peer-urls", &peer)
        .set("listen-client-urls", joined([&client, &url("https", loopback, ETCD.port)]))
        .set("advertise-client-urls", &client)
        .set("listen-metrics-urls", url("http", loopback, METRICS_PORT))
        // The largest that etcd's documentation suggests; the default of 2 GiB stops a busy cluster.
        .set("quota-backend-bytes", (8_u64 << 30).to_string())
        // The API server compacts every 5 minutes; this is for what else may write.
        .set("auto-compaction-mode", "periodic")
        .set("auto-compaction-retention", "8h")
        // Both as kubeadm sets them for etcd 3.6 (cmd/kubeadm/app/phases/etcd/local.go): compare with the peers before serving,
        // and tell the API server's watch cache early how far it is.
        .set("feature-gates", "InitialCorruptCheck=true")
        .set("watch-progress-notify-interval", "5s")
}

/// Where the other members reach it.
pub(super) fn peer_url(host: &Host) -> String {
    url("https", host.address, PEER_PORT)
}

/// Where the host asks its own member: of the addresses that the member listens on, the host's own rather than a loopback one.
pub(super) fn client_url(spec: &ClusterSpec, host: &Host) -> String {
    let own = url("https", host.address, ETCD.port);
    let Some(given) = spec.etcd_flags.get("listen-client-urls") else { return own };
    let listens: Vec<&str> = given.split(',').map(str::trim).collect();
    let first = listens.first().copied().unwrap_or_default();
    let every_address = ["//0.0.0.0:", "//[::]:"].into_iter().find(|every| first.contains(every));
    match every_address {
        _ if listens.contains(&own.as_str()) || first.is_empty() => own,
        Some(every) => {
            let host = own.trim_start_matches("https:").trim_end_matches(char::is_numeric);
            first.replace(every, host)
        }
        None => first.to_string(),
    }
}

/// Of an URL without a path.
fn address_of(url: &str) -> Option<SocketAddr> {
    let (_, address) = url.trim().split_once("://")?;
    address.trim_end_matches('/').parse().ok()
}

/// How to see the two certificates that a member serves. It wants one of whoever asks.
fn shown<'a>(context: &Context, flags: &Flags) -> [(&'a str, Option<String>); 2] {
    let client = tls_address(&client_url(context.spec, context.host));
    let peer = flags.get("listen-peer-urls").and_then(|urls| tls_address(urls.split(',').next()?.trim()));
    let pair = |name: &str| (format!("{ETCD_PKI}/{name}.crt"), format!("{ETCD_PKI}/{name}.key"));
    let shown = |address: Option<SocketAddr>, name: &str| {
        let (certificate, key) = pair(name);
        address.map(|address| shown_at(address, Some((&certificate, &key))))
    };
    [("cert-file", shown(client, "client")), ("peer-cert-file", shown(peer, "peer"))]
}

/// The flags may move it below the data directory.
fn wal_directory(flags: &BTreeMap<String, String>) -> String {
    let data = flags.get("data-dir").map_or(DATA_DIRECTORY, String::as_str);
    flags.get("wal-dir").cloned().unwrap_or_else(|| format!("{}/member/wal", data.trim_end_matches('/')))
}

fn bootstrap_environment(context: &Context) -> String {
    let members = context.spec.hosts.iter().map(|(name, host)| format!("{name}={}", peer_url(host)));
    format!(
        "# Read by etcd only while {DATA_DIRECTORY} is empty.
ETCD_INITIAL_CLUSTER={}
ETCD_INITIAL_CLUSTER_STATE=new
ETCD_INITIAL_CLUSTER_TOKEN={}
",
        joined(members),
        context.spec.name
    )
}

/// For `etcdctl` on the host: health, snapshots and membership are asked with these.
fn add_etcdctl_credentials(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let mut reader = Reader::new(context, bundle);
    reader.certificate(ETCD_PKI, "client", "etcd-client")?;
    reader.private_key(ETCD_PKI, "client", "etcd-client")?;
    Ok(())
}

fn unit_file(command_line: &str) -> String {
    format!(
        "[Unit]
Description=etcd, the store of the Kubernetes API
Documentation=https://etcd.io/docs/v3.6/op-guide/configuration/
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
EnvironmentFile={BOOTSTRAP_ENVIRONMENT}
EnvironmentFile=-{JOIN_ENVIRONMENT}
ExecStart={command_line}
Restart=always
RestartSec=2
# A new member is ready only when most of the others are there.
TimeoutStartSec=180
LimitNOFILE=65536
OOMScoreAdjust=-997
CapabilityBoundingSet=
ReadWritePaths={DATA_DIRECTORY}
{SANDBOX}
[Install]
WantedBy=multi-user.target
"
    )
}
