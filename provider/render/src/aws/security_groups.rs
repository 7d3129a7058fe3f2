//! Security groups by role. Ports and who needs them: Kubernetes "Ports and Protocols" (kubernetes.io/docs/reference/networking/ports-and-protocols); VRRP is
//! IP protocol 112 (RFC 9568); network add-ons have their own file. Name servers, time and metadata of AWS itself pass no group.

use super::keys::{ANY_IPV4, ANY_IPV6, MAIN, key, reference};
pub use super::network_addon::NetworkAddon;
use super::network_addon::{AddonRule, WIREGUARD_IPV6};
use super::subnets::{CLUSTER_TAG_VALUE, cluster_tag};
use super::vpc_spec::VpcSpec;
use cloud::{Direction, Graph, Kind, Object, Peer, Ports, Protocol, Rule};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a host or load balancer is for; each has a security group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    ControlPlane,
    Node,
    LoadBalancer,
    Bastion,
    Proxy,
    Endpoint,
}

/// What the rules of a network depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroupOptions {
    pub network_addon: NetworkAddon,
    pub wireguard: bool,
    pub api_port: u16,
    pub proxy_port: u16,
    /// Load balancers are hosts with keepalived.
    pub vrrp: bool,
    /// Pods whose packets reach other hosts as they are, in no tunnel: rules that name a group do not hold for them.
    pub pod_cidrs: BTreeSet<IpNet>,
    pub node_port_cidrs: BTreeSet<IpNet>,
    pub admin_cidrs: BTreeSet<IpNet>,
    pub load_balancer_cidrs: BTreeSet<IpNet>,
    /// Rules of the user, keyed by description.
    pub additional_rules: BTreeMap<String, AdditionalRule>,
    /// Whether rules that others add go.
    pub exclusive_rules: bool,
}

/// A rule that the user adds to a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdditionalRule {
    pub role: Role,
    pub rule: Rule,
}

/// The default of kube-apiserver's `--service-node-port-range`.
pub const NODE_PORTS: Ports = Ports::Range(30000, 32767);
/// The IP protocol number of VRRP (RFC 9568).
pub const VRRP_PROTOCOL: Protocol = Protocol::Number(112);
/// Descriptions of the rules that CIDRs of the options make: an import distinguishes them from others by these.
pub const FOR_CLIENTS_OF_API: &str = "API servers, for clients";
/// Description of the rules of `node_port_cidrs`.
pub const FOR_CLIENTS_OF_NODE_PORTS: &str = "Node ports, for clients";
/// Description of the rules of `admin_cidrs`.
pub const FOR_ADMINISTRATORS: &str = "SSH, for administrators";
/// Description of the rules of `pod_cidrs`.
pub const FOR_PODS: &str = "Pods on other hosts, whose packets are in no tunnel";
/// Where sshd listens.
pub const SSH: Ports = Ports::One(22);
pub(super) const HTTP: Ports = Ports::One(80);
pub(super) const HTTPS: Ports = Ports::One(443);
pub(super) const DNS: Ports = Ports::One(53);
const NTP: Ports = Ports::One(123);
const KUBELET: Ports = Ports::One(10250);

impl Role {
    /// Every role, in the order of the registry page.
    pub const ALL: [Role; 6] = [Role::ControlPlane, Role::Node, Role::LoadBalancer, Role::Bastion, Role::Proxy, Role::Endpoint];

    /// The name in HCL, and of the security group's object.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::ControlPlane => "control-plane",
            Role::Node => "node",
            Role::LoadBalancer => "load-balancer",
            Role::Bastion => "bastion",
            Role::Proxy => "proxy",
            Role::Endpoint => "endpoint",
        }
    }

    /// Reads the name in HCL; `None` for any other text.
    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Its group, as another group's rules name it.
    pub fn peer(self) -> Peer {
        key(Kind::SecurityGroup, self.as_str()).into()
    }

    /// AWS accepts letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*`, at most 255.
    fn description(self, cluster: &str) -> String {
        let who = match self {
            Role::ControlPlane => "Control-plane hosts",
            Role::Node => "Nodes",
            Role::LoadBalancer => "Load balancers",
            Role::Bastion => "Bastion",
            Role::Proxy => "Egress proxy",
            Role::Endpoint => "Endpoints of AWS services",
        };
        format!("{who} of Kubernetes cluster {cluster}")
    }
}

/// Adds a security group for each role, with its rules, to the graph.
pub fn add(spec: &VpcSpec, graph: &mut Graph) {
    let mut groups = Groups::new(spec);
    groups.control_plane(spec);
    groups.nodes(spec);
    groups.load_balancers(spec);
    groups.bastion_and_proxy(spec);
    groups.way_out(spec);
    groups.additional(spec);
    for object in groups.objects.into_values() {
        graph.add(object);
    }
}

struct Groups {
    objects: BTreeMap<Role, Object>,
    /// They reach everything: single rules out would add nothing.
    open: Vec<Role>,
}

struct Pass<'a> {
    from: &'a [Role],
    to: Role,
    protocol: Protocol,
    ports: Ports,
    why: &'a str,
}

impl Groups {
    fn new(spec: &VpcSpec) -> Self {
        let group = |role: Role| {
            let object = Object::of(key(Kind::SecurityGroup, role.as_str()))
                .with("vpc", reference(Kind::Vpc, MAIN))
                .with("group_name", format!("{}-{}", spec.name, role.as_str()))
                .with("description", role.description(&spec.name))
                .exclusive(if spec.security_groups.exclusive_rules { &["ingress", "egress"] } else { &[] });
            // The cloud controller manager opens node ports in the one group of a node that has this tag.
            let is_node = role == Role::Node;
            (role, if is_node { object.with(format!("tag {}", cluster_tag(&spec.name)), CLUSTER_TAG_VALUE) } else { object })
        };
        let mut open = vec![Role::ControlPlane, Role::Node];
        open.extend(spec.security_groups.vrrp.then_some(Role::LoadBalancer));
        Groups { objects: Role::ALL.into_iter().map(group).collect(), open }
    }

    fn control_plane(&mut self, spec: &VpcSpec) {
        use Role::{Bastion, ControlPlane, LoadBalancer, Node};
        let options = &spec.security_groups;
        let api = Ports::One(options.api_port);
        let to = ControlPlane;
        self.pass(&Pass {
            from: &[LoadBalancer],
            to,
            protocol: Protocol::Tcp,
            ports: api,
            why: "API server, for clients of the load balancer and its health checks",
        });
        self.pass(&Pass {
            from: &[Node],
            to,
            protocol: Protocol::Tcp,
            ports: api,
            why: "API server, for kubelet, kube-proxy and pods on nodes",
        });
        self.pass(&Pass {
            from: &[ControlPlane],
            to,
            protocol: Protocol::Tcp,
            ports: api,
            why: "API server, for the other control-plane hosts",
        });
        self.pass(&Pass { from: &[Bastion], to, protocol: Protocol::Tcp, ports: api, why: "API server, for administrators" });
        self.pass(&Pass {
            from: &[ControlPlane],
            to,
            protocol: Protocol::Tcp,
            ports: Ports::Range(2379, 2380),
            why: "etcd, for API servers and the other members",
        });
        self.kubelet(to);
        self.pass(&Pass { from: &[Bastion], to, protocol: Protocol::Tcp, ports: SSH, why: FOR_ADMINISTRATORS });
        for cidr in &options.pod_cidrs {
            self.ingress(to, Protocol::Tcp, api, *cidr, "API server, for pods whose packets are in no tunnel");
            self.ingress(to, Protocol::Tcp, KUBELET, *cidr, "kubelet, for pods whose packets are in no tunnel");
        }
    }

    /// metrics-server runs on any node and asks the kubelet of each; its pod's packets leave with the address of its node, unless pods have
    /// their own on the network.
    fn kubelet(&mut self, to: Role) {
        let protocol = Protocol::Tcp;
        for (from, why) in [
            (Role::ControlPlane, "kubelet, for API servers (logs, exec)"),
            (Role::Node, "kubelet, for metrics-server and others on nodes that read metrics"),
        ] {
            self.pass(&Pass { from: &[from], to, protocol, ports: KUBELET, why });
        }
    }

    fn nodes(&mut self, spec: &VpcSpec) {
        use Role::{Bastion, ControlPlane, LoadBalancer, Node};
        let options = &spec.security_groups;
        let to = Node;
        self.kubelet(to);
        self.pass(&Pass {
            from: &[LoadBalancer],
            to,
            protocol: Protocol::Tcp,
            ports: Ports::One(10256),
            why: "kube-proxy, for health checks of load balancers",
        });
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            self.pass(&Pass { from: &[LoadBalancer], to, protocol, ports: NODE_PORTS, why: "Node ports, for load balancers" });
            for cidr in &options.node_port_cidrs {
                self.ingress(to, protocol, NODE_PORTS, *cidr, FOR_CLIENTS_OF_NODE_PORTS);
            }
        }
        self.pass(&Pass { from: &[Bastion], to, protocol: Protocol::Tcp, ports: SSH, why: FOR_ADMINISTRATORS });
        let is_used = |rule: &AddonRule| spec.has_ipv6() || (rule.0 != Protocol::Icmpv6 && rule.1 != WIREGUARD_IPV6);
        for (protocol, ports, why) in options.network_addon.rules(options.wireguard).into_iter().filter(is_used) {
            for to in [ControlPlane, Node] {
                self.pass(&Pass { from: &[ControlPlane, Node], to, protocol, ports, why });
            }
        }
        for cidr in &options.pod_cidrs {
            self.ingress(to, Protocol::All, Ports::All, *cidr, FOR_PODS);
        }
        if !options.pod_cidrs.is_empty() {
            self.pass(&Pass {
                from: &[ControlPlane, Node],
                to,
                protocol: Protocol::All,
                ports: Ports::All,
                why: "Pods, for other hosts, whose packets are in no tunnel",
            });
        }
    }

    fn load_balancers(&mut self, spec: &VpcSpec) {
        use Role::{Bastion, ControlPlane, LoadBalancer, Node};
        let options = &spec.security_groups;
        let api = Ports::One(options.api_port);
        let to = LoadBalancer;
        self.pass(&Pass {
            from: &[ControlPlane, Node],
            to,
            protocol: Protocol::Tcp,
            ports: api,
            why: "API servers, for hosts of the cluster",
        });
        self.pass(&Pass { from: &[Bastion], to, protocol: Protocol::Tcp, ports: api, why: "API servers, for administrators" });
        for cidr in &options.load_balancer_cidrs {
            self.ingress(to, Protocol::Tcp, api, *cidr, FOR_CLIENTS_OF_API);
        }
        if options.vrrp {
            self.pass(&Pass {
                from: &[LoadBalancer],
                to,
                protocol: VRRP_PROTOCOL,
                ports: Ports::All,
                why: "VRRP, for the other load balancers",
            });
            self.pass(&Pass { from: &[Bastion], to, protocol: Protocol::Tcp, ports: SSH, why: FOR_ADMINISTRATORS });
        }
    }

    fn bastion_and_proxy(&mut self, spec: &VpcSpec) {
        use Role::{Bastion, ControlPlane, Endpoint, Node, Proxy};
        let options = &spec.security_groups;
        for cidr in &options.admin_cidrs {
            self.ingress(Bastion, Protocol::Tcp, SSH, *cidr, FOR_ADMINISTRATORS);
        }
        let port = Ports::One(options.proxy_port);
        self.pass(&Pass {
            from: &[ControlPlane, Node],
            to: Proxy,
            protocol: Protocol::Tcp,
            ports: port,
            why: "Proxy, for hosts and pods of the cluster",
        });
        self.pass(&Pass { from: &[Bastion], to: Proxy, protocol: Protocol::Tcp, ports: SSH, why: FOR_ADMINISTRATORS });
        // Bastion and proxy may go anywhere by HTTPS as it is.
        for from in [ControlPlane, Node, Bastion, Proxy] {
            self.ingress(Endpoint, Protocol::Tcp, HTTPS, from.peer(), "AWS services, for hosts of the cluster");
        }
    }

    fn way_out(&mut self, spec: &VpcSpec) {
        let anywhere = anywhere(spec.has_ipv6());
        for role in self.open.clone() {
            for network in &anywhere {
                self.egress(role, Protocol::All, Ports::All, *network, "Everything, for downloads and pods");
            }
        }
        for (role, why) in [(Role::Bastion, "Web, for updates"), (Role::Proxy, "Web, for clients of the proxy")] {
            for network in &anywhere {
                self.egress(role, Protocol::Tcp, HTTP, *network, why);
                self.egress(role, Protocol::Tcp, HTTPS, *network, why);
            }
        }
        let options = spec.dhcp_options.as_ref();
        for role in [Role::Bastion, Role::Proxy] {
            for address in options.iter().flat_map(|options| &options.domain_name_servers).filter_map(|text| host_cidr(text)) {
                self.egress(role, Protocol::Udp, DNS, address, "Name servers of the DHCP options");
                self.egress(role, Protocol::Tcp, DNS, address, "Name servers of the DHCP options");
            }
            for address in options.iter().flat_map(|options| &options.ntp_servers).filter_map(|text| host_cidr(text)) {
                self.egress(role, Protocol::Udp, NTP, address, "Time servers of the DHCP options");
            }
        }
    }

    fn additional(&mut self, spec: &VpcSpec) {
        for (description, rule) in &spec.security_groups.additional_rules {
            self.set(rule.role, &rule.rule, description);
        }
    }

    /// Into the one group, and out of the others as far as they do not reach everything.
    fn pass(&mut self, pass: &Pass<'_>) {
        for from in pass.from {
            self.ingress(pass.to, pass.protocol, pass.ports, from.peer(), pass.why);
            if !self.open.contains(from) {
                self.egress(*from, pass.protocol, pass.ports, pass.to.peer(), pass.why);
            }
        }
    }

    fn ingress(&mut self, role: Role, protocol: Protocol, ports: Ports, peer: impl Into<Peer>, why: &str) {
        self.set(role, &Rule::new(Direction::Ingress, protocol, ports, peer), why);
    }

    fn egress(&mut self, role: Role, protocol: Protocol, ports: Ports, peer: impl Into<Peer>, why: &str) {
        self.set(role, &Rule::new(Direction::Egress, protocol, ports, peer), why);
    }

    fn set(&mut self, role: Role, rule: &Rule, why: &str) {
        if let Some(object) = self.objects.get_mut(&role) {
            object.settings.insert(rule.to_string(), why.into());
        }
    }
}

/// Every address of the families that there are.
pub fn anywhere(ipv6: bool) -> Vec<IpNet> {
    [ANY_IPV4, ANY_IPV6].into_iter().take(if ipv6 { 2 } else { 1 }).collect()
}

/// `192.0.2.53/32`; nothing for what is no address, such as `AmazonProvidedDNS`.
fn host_cidr(text: &str) -> Option<IpNet> {
    Some(IpNet::from(text.parse::<IpAddr>().ok()?))
}
