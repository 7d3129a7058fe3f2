//! The clusters and node groups that every test renders.

use bundle::{Binary, Bundle, Content, Digest, HostName, HostPath, NodeObject};
use credentials::{Authority, Credentials, EncryptionKey, Part, Secret};
use render::catalogue::{self, Role};
use render::cloud_controller::cloud_conf;
use render::cloud_controller::{self, CloudControllerSpec};
use render::objects::{Coredns, ObjectsSpec};
use render::spec::{Architecture, Checksums, CloudProvider, PodNetwork, ProxyMode};
use render::{ClusterSpec, Endpoint, Host, Hosts, Network, NodeGroupSpec, NodeSpec, control_plane, node};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    Ipv4,
    Ipv6,
    Dual,
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub families: Families,
    pub hosts: u8,
}

pub const CASES: [Case; 6] = [
    Case { families: Families::Ipv4, hosts: 1 },
    Case { families: Families::Ipv4, hosts: 3 },
    Case { families: Families::Ipv6, hosts: 1 },
    Case { families: Families::Ipv6, hosts: 3 },
    Case { families: Families::Dual, hosts: 1 },
    Case { families: Families::Dual, hosts: 3 },
];

const CERTIFICATES: [&str; 17] = [
    "etcd-ca",
    "etcd-peer-ca",
    "apiserver-ca",
    "cluster-ca",
    "controller-manager-ca",
    "kubelet-client-ca",
    "front-proxy-ca",
    "etcd-client",
    "apiserver-etcd-client",
    "apiserver-kubelet-client",
    "front-proxy-client",
    "admin",
    "controller-manager",
    "scheduler",
    "kube-proxy",
    "cloud-controller-manager",
    "csr-approver",
];

/// Takes the place of every private key.
pub const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\nnot a key\n-----END PRIVATE KEY-----\n";

impl Case {
    pub fn name(self) -> String {
        let families = match self.families {
            Families::Ipv4 => "ipv4",
            Families::Ipv6 => "ipv6",
            Families::Dual => "dual-stack",
        };
        format!("{families}-{}", if self.hosts == 1 { "one" } else { "three" })
    }

    fn of_families<T>(self, ipv4: T, ipv6: T) -> Vec<T> {
        match self.families {
            Families::Ipv4 => vec![ipv4],
            Families::Ipv6 => vec![ipv6],
            Families::Dual => vec![ipv4, ipv6],
        }
    }

    fn hosts(self, prefix: &str, first: u8) -> Hosts {
        let host = |number: u8| {
            let last = first + number;
            let ipv4: IpAddr = format!("10.77.0.{last}").parse().unwrap();
            let ipv6: IpAddr = format!("fd77:0:0:1::{last}").parse().unwrap();
            let addresses = self.of_families(ipv4, ipv6);
            let host =
                Host { address: addresses[0], secondary_address: addresses.get(1).copied(), architecture: Architecture::Amd64 };
            (HostName::parse(format!("{prefix}-{number}")).unwrap(), host)
        };
        (1..=self.hosts).map(host).collect()
    }

    fn network(self) -> Network {
        Network {
            pod_cidrs: self.of_families("172.18.0.0/16".parse().unwrap(), "fd00:18::/56".parse().unwrap()),
            service_cidrs: self.of_families("10.96.0.0/16".parse().unwrap(), "fd00:96::/112".parse().unwrap()),
            node_mask_ipv4: 24,
            node_mask_ipv6: 64,
            cluster_domain: "cluster.local".into(),
            dns_addresses: self.of_families("10.96.0.10".parse().unwrap(), "fd00:96::a".parse().unwrap()),
        }
    }

    fn endpoint(self) -> Endpoint {
        let host = self.of_families("192.0.2.100", "2001:db8::100")[0].to_string();
        Endpoint { host, port: 6443 }
    }

    pub fn cluster(self) -> ClusterSpec {
        ClusterSpec {
            name: "demo".into(),
            kubernetes_version: "1.36.3".into(),
            endpoint: self.endpoint(),
            hosts: self.hosts("cp", 10),
            network: self.network(),
            pod_network: PodNetwork::Routed,
            cloud_provider: CloudProvider::None,
            etcd_flags: BTreeMap::new(),
            api_server_flags: BTreeMap::new(),
            controller_manager_flags: BTreeMap::new(),
            scheduler_flags: BTreeMap::new(),
            audit_policy: None,
        }
    }

    pub fn objects(self) -> ObjectsSpec {
        let ClusterSpec { kubernetes_version, network, .. } = self.cluster();
        let Network { cluster_domain, dns_addresses, .. } = network;
        ObjectsSpec { kubernetes_version, cluster_domain, dns_addresses, coredns: self.coredns() }
    }

    /// One of the cases has settings of its own.
    fn coredns(self) -> Coredns {
        if (self.families, self.hosts) != (Families::Dual, 1) {
            return Coredns::default();
        }
        let servers = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<String>>();
        Coredns {
            replicas: 1,
            forward: servers(&["192.0.2.53", "[2001:db8::53]:5353"]),
            cache_seconds: 0,
            zones: BTreeMap::from([("corp.example".to_string(), servers(&["192.0.2.54"]))]),
            requests: BTreeMap::from([("memory".to_string(), "32Mi".to_string())]),
            limits: BTreeMap::new(),
        }
    }

    pub fn credentials(self) -> Credentials {
        let mut credentials = Credentials::default();
        let leaves = ["etcd-server", "etcd-peer", "apiserver", "controller-manager"];
        let of_hosts = self.cluster().hosts.into_keys().flat_map(|host| leaves.map(|leaf| format!("{leaf}/{host}")));
        for name in CERTIFICATES.map(String::from).into_iter().chain(of_hosts) {
            let pem = format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n");
            if name.ends_with("-ca") {
                credentials.authorities.insert(name.clone(), Part::Known(Authority::parse(&pem)));
            } else {
                credentials.certificates.insert(name.clone(), Part::Known(pem));
            }
            credentials.private_keys.insert(name, Part::Known(Secret::new(PRIVATE_KEY)));
        }
        credentials.private_keys.insert("service-account".into(), Part::Known(Secret::new(PRIVATE_KEY)));
        let public_key = "-----BEGIN PUBLIC KEY-----\nservice-account\n-----END PUBLIC KEY-----\n";
        credentials.public_keys.insert("service-account".into(), Part::Known(public_key.into()));
        let secret = Part::Known(Secret::new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        credentials.encryption_keys.push(EncryptionKey { name: "key1".into(), secret });
        credentials
    }

    pub fn node_group(self) -> NodeGroupSpec {
        let credentials = self.credentials();
        let kubeconfig = control_plane::kube_proxy_kubeconfig(&self.cluster(), &credentials).unwrap().known().unwrap();
        let trusted = |name| credentials.certificate(name).unwrap().known().unwrap();
        let labels = BTreeMap::from([("node.example/pool".to_string(), "general".to_string())]);
        let node = NodeSpec { registration: NodeObject { labels, ..NodeObject::default() }, ..NodeSpec::default() };
        NodeGroupSpec {
            cluster_name: "demo".into(),
            kubernetes_version: "1.36.3".into(),
            endpoint: self.endpoint(),
            network: self.network(),
            nodes: self.hosts("worker", 20).into_keys().map(|name| (name, node.clone())).collect(),
            hosts: self.hosts("worker", 20),
            apiserver_authority: trusted("apiserver-ca").into(),
            kubelet_client_authority: trusted("kubelet-client-ca").into(),
            kube_proxy_kubeconfig: Content::new(kubeconfig.reveal()),
            proxy_mode: ProxyMode::Nftables,
            registry_mirrors: BTreeMap::from([("registry.k8s.io".to_string(), "http://mirror.example:8080".to_string())]),
            kube_proxy_config: serde_json::Value::Null,
            pod_network: PodNetwork::Routed,
            cloud_provider: CloudProvider::None,
        }
    }

    /// The same with something that all of its nodes have.
    pub fn nodes_with(self, change: impl Fn(&mut NodeSpec)) -> NodeGroupSpec {
        let mut spec = self.node_group();
        spec.nodes.values_mut().for_each(change);
        spec
    }

    /// On the host of the control plane of `bundles`.
    pub fn controller(self) -> (HostName, Bundle) {
        let host = HostName::parse(format!("cp-{}", self.hosts.div_ceil(2))).unwrap();
        let settings = serde_json::json!({ "region": "us-east-1", "node_ip_families": ["ipv4", "ipv6"] });
        let spec = CloudControllerSpec {
            cluster_name: "demo".into(),
            hosts: self.hosts("cp", 10),
            api_server: None,
            cloud_conf: Some(cloud_conf::render(36, settings.as_object().unwrap()).unwrap()),
            environment: Some(BTreeMap::from([("NO_PROXY".to_string(), Secret::new("169.254.169.254,fd00:ec2::254"))])),
            flags: BTreeMap::new(),
        };
        let url = "https://registry.k8s.io/v2/provider-aws/cloud-controller-manager/blobs/sha256:0";
        let program =
            Binary { url: url.into(), sha256: Some(Digest::of(b"layer")), member: Some(cloud_controller::MEMBER.into()) };
        let bundle = cloud_controller::render(&spec, &self.credentials(), program, &host).unwrap();
        (host, bundle)
    }

    /// One host of each kind: the middle one where there are three.
    pub fn bundles(self) -> Vec<(HostName, Bundle)> {
        let number = self.hosts.div_ceil(2);
        let control_plane_host = HostName::parse(format!("cp-{number}")).unwrap();
        let node_host = HostName::parse(format!("worker-{number}")).unwrap();
        let control_plane = control_plane_bundle(&self.cluster(), &self.credentials(), &control_plane_host);
        let node = node_bundle(&self.node_group(), &node_host);
        vec![(control_plane_host, control_plane), (node_host, node)]
    }
}

pub fn control_plane_bundle(spec: &ClusterSpec, credentials: &Credentials, host: &HostName) -> Bundle {
    control_plane::render(spec, credentials, &binaries(Role::ControlPlane), host).unwrap()
}

pub fn node_bundle(spec: &NodeGroupSpec, host: &HostName) -> Bundle {
    node::render(spec, &binaries(Role::Node), host).unwrap()
}

fn binaries(role: Role) -> BTreeMap<HostPath, Binary> {
    let release = catalogue::release("1.36.3").unwrap();
    let downloads = release.downloads(role, Architecture::Amd64, None).unwrap();
    let checksums: Checksums = downloads.iter().map(|d| (d.origin_url.clone(), Digest::of(d.origin_url.as_bytes()))).collect();
    catalogue::binaries(&release, role, Architecture::Amd64, None, &checksums).unwrap()
}

pub fn text(bundle: &Bundle, path: &HostPath) -> String {
    String::from_utf8(bundle.files[path].content.bytes().unwrap().to_vec()).unwrap()
}
