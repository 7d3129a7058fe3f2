//! What to do about members of etcd that have lost their data or were removed, with the addresses of this cluster.

use bundle::HostName;
use render::Hosts;
use render::control_plane::JOIN_ENVIRONMENT;
use rollout::Refusal;
use schema::Diagnostic;
use std::net::IpAddr;

/// `None` for every other refusal.
pub fn diagnostic(refusal: &Refusal, hosts: &Hosts) -> Option<Diagnostic> {
    let place = |names: &[HostName]| {
        let name = names.first()?;
        Some(Place { name: name.clone(), address: hosts.get(name)?.address })
    };
    match refusal {
        Refusal::EmptyMembers { empty, member, with_data, unavailable, hosts: count } => {
            let way_out = match (place(empty), place(with_data)) {
                (Some(lost), Some(healthy)) if with_data.len() > count / 2 => replacing(&lost, Known::As(*member), &healthy),
                _ if !unavailable.is_empty() => format!(
                    "Too few members with data answer. Bring {} back, then apply again. If their data is gone for good, {}",
                    names(unavailable),
                    RESTORING
                ),
                _ => format!("Too few members have data for a quorum: {RESTORING}"),
            };
            let summary = format!("etcd of {} has no data, but this cluster has stored some", names(empty));
            Some(Diagnostic::error(summary).detail(format!("{FOUNDING}\n\n{way_out}")))
        }
        Refusal::RemovedMembers { removed, members } => {
            let way_out = replacing(&place(removed)?, Known::No, &place(members)?);
            let detail = refusal.detail();
            Some(Diagnostic::error(refusal.summary()).detail(format!("{detail} Nothing was started or changed.\n\n{way_out}")))
        }
        _ => None,
    }
}

struct Place {
    name: HostName,
    address: IpAddr,
}

/// As which etcd knows a member.
enum Known {
    /// Its id, if any member answered.
    As(Option<u64>),
    No,
}

const FOUNDING: &str =
    "An empty member that starts as one of a new cluster can found a second, empty one: nothing was started or changed.";
const RESTORING: &str = "restore it from a snapshot with `etcdutl snapshot restore` on every host, as the guide \"Restore etcd from a \
                         snapshot\" shows (the last ones are in /var/lib/etcd-snapshots); or, if nobody needs it, destroy the cluster and \
                         create it again (`-replace`).";

/// As etcd's documentation replaces a failed machine: the member goes by its id, and comes back under a new one.
fn replacing(lost: &Place, known: Known, healthy: &Place) -> String {
    let url = |address: &IpAddr, port: u16| match address {
        IpAddr::V4(address) => format!("https://{address}:{port}"),
        IpAddr::V6(address) => format!("https://[{address}]:{port}"),
    };
    let (member, pki) = (&lost.name, "/etc/etcd/pki");
    let remove = match known {
        Known::As(Some(id)) => format!("  etcdctl member remove {id:x}\n"),
        Known::As(None) => {
            format!(
                "  etcdctl member list      # the first field of the line with {member} is its ID\n  etcdctl member remove ID\n"
            )
        }
        Known::No => String::new(),
    };
    format!(
        "Replace the member, one host at a time. As root on {}:\n\n  \
         export ETCDCTL_ENDPOINTS={} ETCDCTL_CACERT={pki}/ca.crt ETCDCTL_CERT={pki}/client.crt ETCDCTL_KEY={pki}/client.key\n\
         {remove}  etcdctl member add {member} --peer-urls={}\n\n\
         As root on {member}, with ETCD_INITIAL_CLUSTER as the last command printed it:\n\n  \
         systemctl stop etcd.service; rm -rf /var/lib/etcd/member; mkdir -p /run/k8s-hardway\n  \
         printf 'ETCD_INITIAL_CLUSTER=\"…\"\\nETCD_INITIAL_CLUSTER_STATE=existing\\n' >{JOIN_ENVIRONMENT}\n\n\
         Then apply again, and delete that file once the member is healthy.",
        healthy.name,
        url(&healthy.address, 2379),
        url(&lost.address, 2380),
    )
}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}
