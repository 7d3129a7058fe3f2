//! What is declared of a Network Load Balancer after validation. A setting may not be known before apply.

use cloud::Setting;
use std::collections::{BTreeMap, BTreeSet};

/// A Network Load Balancer as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NlbSpec {
    pub name: String,
    pub vpc_id: Setting,
    /// `internal` or `internet-facing`.
    pub scheme: Setting,
    pub ip_address_type: IpAddressType,
    /// By subnet id; `None` while one of them is not known.
    pub subnets: Option<BTreeMap<String, Addresses>>,
    /// `None` while one of them is not known.
    pub security_groups: Option<BTreeSet<String>>,
    pub cross_zone: Setting,
    pub deletion_protection: Setting,
    pub client_routing_policy: Setting,
    pub listeners: BTreeMap<String, NlbListener>,
    pub dns: Option<Dns>,
}

/// The address families of the load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpAddressType {
    Ipv4,
    Dualstack,
}

/// Fixed addresses of the balancer in one subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub allocation_id: Option<Setting>,
    pub ipv4: Option<Setting>,
    pub ipv6: Option<Setting>,
}

/// One listener with its target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NlbListener {
    pub port: Setting,
    /// `TCP`, `TLS`, `UDP` or `TCP_UDP`.
    pub protocol: Setting,
    pub certificate: Option<Setting>,
    pub ssl_policy: Option<Setting>,
    pub alpn_policy: Option<Setting>,
    pub target: Target,
    /// `None` while its protocol is not known, on which the other settings depend.
    pub health_check: Option<TargetHealthCheck>,
}

/// Where a listener forwards to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Instead of the derived name.
    pub group_name: Option<Setting>,
    pub port: Setting,
    pub protocol: Setting,
    /// `ip` or `instance`.
    pub target_type: Setting,
    /// `ipv4` or `ipv6`.
    pub address_family: Setting,
    /// Addresses or instance ids; `None` while one of them is not known.
    pub targets: Option<BTreeSet<String>>,
    /// Names of groups that register their instances themselves; `None` while one of them is not known.
    pub autoscaling_groups: Option<BTreeSet<String>>,
    /// Whether targets and groups that others add go; `None` while it is not known.
    pub exclusive: Option<bool>,
    /// `None` while it is not known.
    pub reach: Option<Reach>,
    pub preserve_client_ip: Setting,
    pub proxy_protocol_v2: Setting,
    pub connection_termination: Setting,
    pub deregistration_delay_seconds: Setting,
}

/// Whether a protocol has datagrams, of which AWS keeps no connections.
pub fn is_datagram(protocol: &str) -> bool {
    matches!(protocol, "UDP" | "TCP_UDP")
}

/// Whether targets are inside the VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    InVpc,
    /// Their zone is not the VPC's to tell: traffic comes from the balancer's nodes in all zones.
    OutsideVpc,
}

/// How targets are checked. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealthCheck {
    /// `TCP`, `HTTP` or `HTTPS`.
    pub protocol: Setting,
    /// A number or `traffic-port`.
    pub port: Setting,
    /// With HTTP and HTTPS.
    pub path: Option<Setting>,
    pub matcher: Option<Setting>,
    pub interval_seconds: Setting,
    pub timeout_seconds: Setting,
    pub healthy_threshold: Setting,
    pub unhealthy_threshold: Setting,
}

/// Alias records in a hosted zone of Route 53.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    pub zone_id: Setting,
    pub name: Setting,
    pub evaluate_target_health: Setting,
}
