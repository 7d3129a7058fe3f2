//! What to do about members of etcd that have lost their data, with the addresses of this cluster.

use bundle::HostName;
use render::Hosts;
use render::control_plane::JOIN_ENVIRONMENT;
use rollout::Refusal;
use schema::Diagnostic;
use std::net::IpAddr;

/// `None` for every other refusal.
pub fn diagnostic(refusal: &Refusal, hosts: &Hosts) -> Option<Diagnostic> {
    let Refusal::EmptyMembers { empty, with_data, unavailable, hosts: count } = refusal else { return None };
    let names = |hosts: &[HostName]| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
    let summary = format!("etcd of {} has no data, but this cluster has stored some", names(empty));
    let what =
        "An empty member that starts as one of a new cluster can found a second, empty one: nothing was started or changed.";
    let addresses = |name: &HostName| Some((name.clone(), hosts.get(name)?.address));
    let (first, healthy) = (empty.first().and_then(addresses), with_data.first().and_then(addresses));
    let way_out = match (first, healthy) {
        (Some(member), Some(healthy)) if with_data.len() > count / 2 => replacing(&member, &healthy),
        _ if !unavailable.is_empty() => format!(
            "Too few members with data answer. Bring {} back, then apply again. If their data is gone for good, {}",
            names(unavailable),
            RESTORING
        ),
        _ => format!("Too few members have data for a quorum: {RESTORING}"),
    };
    Some(Diagnostic::error(summary).detail(format!("{what}\n\n{way_out}")))
}

const RESTORING: &str = "restore it from a snapshot with `etcdutl snapshot restore` on every host; or, if nobody needs it, destroy the \
                         cluster and create it again (`-replace`).";

/// As etcd's documentation replaces a failed machine: the member goes by its id, and comes back under a new one.
fn replacing((member, address): &(HostName, IpAddr), (healthy, endpoint): &(HostName, IpAddr)) -> String {
    let url = |address: &IpAddr, port: u16| match address {
        IpAddr::V4(address) => format!("https://{address}:{port}"),
        IpAddr::V6(address) => format!("https://[{address}]:{port}"),
    };
    let pki = "/etc/etcd/pki";
    format!(
        "Give the member up and add it again, one host at a time. As root on {healthy}:\n\n  \
         export ETCDCTL_ENDPOINTS={} ETCDCTL_CACERT={pki}/ca.crt ETCDCTL_CERT={pki}/client.crt ETCDCTL_KEY={pki}/client.key\n  \
         etcdctl member list      # the first field of the line with {member} is its ID\n  \
         etcdctl member remove ID\n  \
         etcdctl member add {member} --peer-urls={}\n\n\
         As root on {member}, with ETCD_INITIAL_CLUSTER as the last command printed it:\n\n  \
         systemctl stop etcd.service; rm -rf /var/lib/etcd/member; mkdir -p /run/k8s-hardway\n  \
         printf 'ETCD_INITIAL_CLUSTER=\"…\"\\nETCD_INITIAL_CLUSTER_STATE=existing\\n' >{JOIN_ENVIRONMENT}\n\n\
         Then apply again, and delete that file once the member is healthy.",
        url(endpoint, 2379),
        url(address, 2380),
    )
}
