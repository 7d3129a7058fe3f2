//! Rows of what is built on hosts, of the provider's own attributes and of its functions.

use super::{LOCALS, PROVIDER, Row, Section, bad};

pub const PKI: &str = "resource \"k8s_pki\"";
const LB: &str = "resource \"k8s_lb_vrrp\"";
const CLUSTER: &str = "resource \"k8s_hardway_cluster\"";
const NODES: &str = "resource \"k8s_node_group\"";
const KUBECONFIG: &str = "data \"k8s_kubeconfig\"";

pub const SECTION: Section = Section { rows: ROWS, complete: COMPLETE };

const ROWS: &[Row] = &[
    bad(PROVIDER, r#"mirror = "ftp://mirror.example""#, "mirror", "Mirror is not an HTTP URL"),
    bad(PROVIDER, "max_parallel_hosts = 0", "max_parallel_hosts", "out of range"),
    bad(PKI, r#"cluster_name = "Demo""#, "cluster_name", r#""Demo" is not a usable name"#),
    bad(PKI, r#"key_algorithm = "DSA""#, "key_algorithm", r#""DSA" is not one of the allowed values"#),
    bad(PKI, r#"endpoints = ["https://api.example:6443"]"#, "endpoints[0]", "is neither a DNS name nor an IP address"),
    bad(PKI, r#"service_cidrs = ["10.96.0.0"]"#, "service_cidrs[0]", r#""10.96.0.0" is not a CIDR"#),
    bad(PKI, r#"service_cidrs = ["10.96.0.1/16"]"#, "service_cidrs[0]", "10.96.0.1/16 has host bits set"),
    bad(
        PKI,
        r#"service_cidrs = ["10.96.0.0/16", "10.97.0.0/16"]"#,
        "service_cidrs[1]",
        "service_cidrs has two CIDRs of one family",
    ),
    bad(PKI, r#"service_cidrs = []"#, "service_cidrs", "service_cidrs is empty"),
    bad(PKI, r#"service_cidrs = ["fd00:96::/64"]"#, "service_cidrs[0]", "service CIDR fd00:96::/64 is too large"),
    bad(PKI, r#"service_cidrs = ["10.96.0.0/30"]"#, "service_cidrs[0]", "service CIDR 10.96.0.0/30 is too small"),
    bad(PKI, "certificate_validity_hours = 0", "certificate_validity_hours", "certificate_validity_hours is out of range"),
    bad(
        PKI,
        "renew_before_hours = 9000",
        "renew_before_hours",
        "renew_before_hours is not shorter than certificate_validity_hours",
    ),
    bad(PKI, "hosts = {}", "hosts", "hosts is empty"),
    bad(PKI, r#"hosts = { CP_1 = { address = "192.0.2.1" } }"#, r#"hosts["CP_1"]"#, r#""CP_1" cannot be the name of a node"#),
    bad(
        PKI,
        r#"hosts = { a = { address = "192.0.2.1/24" } }"#,
        r#"hosts["a"].address"#,
        r#""192.0.2.1/24" is not an IP address"#,
    ),
    bad(
        PKI,
        r#"hosts = { a = { address = "127.0.0.1" } }"#,
        r#"hosts["a"].address"#,
        "127.0.0.1 cannot be the address of a host",
    ),
    bad(
        PKI,
        r#"hosts = { a = { address = "192.0.2.1" }, b = { address = "192.0.2.1" } }"#,
        r#"hosts["b"].address"#,
        "hosts a and b have the same address 192.0.2.1",
    ),
    bad(
        PKI,
        r#"hosts = { a = { address = "192.0.2.1", secondary_address = "192.0.2.2" } }"#,
        r#"hosts["a"].secondary_address"#,
        "both addresses of host a are of one family",
    ),
    bad(
        PKI,
        r#"additional_certificates = { admin = { authority = "cluster-ca", common_name = "x", usages = ["client_auth"] } }"#,
        r#"additional_certificates["admin"]"#,
        r#""admin" is a certificate of the cluster itself"#,
    ),
    bad(
        PKI,
        r#"additional_certificates = { x = { authority = "my-ca", common_name = "x", usages = ["client_auth"] } }"#,
        r#"additional_certificates["x"].authority"#,
        r#""my-ca" is not one of the allowed values"#,
    ),
    bad(
        LB,
        r#"virtual_addresses = ["192.0.2.100"]"#,
        "virtual_addresses[0]",
        r#""192.0.2.100" is not an address with a prefix length"#,
    ),
    bad(LB, r#"virtual_addresses = []"#, "virtual_addresses", "virtual_addresses is empty"),
    bad(
        LB,
        r#"virtual_addresses = ["192.0.2.11/24"]"#,
        "virtual_addresses[0]",
        "virtual address 192.0.2.11 is the address of host lb-1",
    ),
    bad(
        LB,
        r#"virtual_addresses = ["198.51.100.1/24"]"#,
        "virtual_addresses[0]",
        "is outside the network of host lb-1 (192.0.2.11)",
    ),
    bad(
        LB,
        r#"virtual_addresses = ["2001:db8::100/64"]"#,
        "virtual_addresses[0]",
        "no host has an address of the family of 2001:db8::100",
    ),
    bad(
        LB,
        r#"listeners = { a = { port = 443, backends = ["192.0.2.1:443"] }, b = { port = 443, backends = ["192.0.2.1:80"] } }"#,
        r#"listeners["b"].port"#,
        "listeners a and b both take port 443",
    ),
    bad(LB, r#"listeners = { a = { port = 70000, backends = ["192.0.2.1:443"] } }"#, r#"listeners["a"].port"#, "out of range"),
    bad(
        LB,
        r#"listeners = { a = { port = 443, backends = ["192.0.2.1"] } }"#,
        r#"listeners["a"].backends[0]"#,
        r#""192.0.2.1" is not a backend"#,
    ),
    bad(LB, r#"listeners = { a = { port = 443, backends = [] } }"#, r#"listeners["a"].backends"#, "listener a has no backends"),
    bad(LB, "virtual_router_id = 255", "virtual_router_id", "out of range"),
    bad(CLUSTER, "coredns = { replicas = 0 }", "coredns.replicas", "out of range"),
    bad(CLUSTER, "coredns = { cache_seconds = 4000 }", "coredns.cache_seconds", "out of range"),
    bad(
        CLUSTER,
        r#"coredns = { forward = ["dns.example.net"] }"#,
        "coredns.forward[0]",
        r#""dns.example.net" is not the address of a name server"#,
    ),
    bad(
        CLUSTER,
        r#"coredns = { zones = { "Local" = ["10.1.0.53"] } }"#,
        r#"coredns.zones["Local"]"#,
        r#"zone "Local" has the names of the cluster in it"#,
    ),
    bad(
        CLUSTER,
        r#"coredns = { zones = { "corp.example" = ["10.1.0.53:dns"] } }"#,
        r#"coredns.zones["corp.example"][0]"#,
        r#""10.1.0.53:dns" is not the address of a name server"#,
    ),
    bad(
        CLUSTER,
        r#"coredns = { zones = { "corp example" = ["10.1.0.53"] } }"#,
        r#"coredns.zones["corp example"]"#,
        r#""corp example" is not a DNS zone"#,
    ),
    bad(
        CLUSTER,
        r#"coredns = { resources = { limits = { memory = "1 GB" } } }"#,
        "coredns.resources.limits.memory",
        r#""1 GB" is not a quantity of memory"#,
    ),
    bad(
        CLUSTER,
        r#"coredns = { resources = { requests = { memory = "1Gi" } } }"#,
        "coredns.resources",
        "a pod would request memory of 1Gi, more than its limit of 170Mi",
    ),
    bad(
        CLUSTER,
        r#"ignore_fields = { "coredns" = [".spec.replicas"] }"#,
        r#"ignore_fields["coredns"]"#,
        r#""coredns" names no object"#,
    ),
    bad(
        CLUSTER,
        r#"ignore_fields = { "Deployment.apps/kube-system/coredns" = ["spec.replicas"] }"#,
        r#"ignore_fields["Deployment.apps/kube-system/coredns"]"#,
        "a field begins with a dot",
    ),
    bad(CLUSTER, r#"kubernetes_version = "1.99.0""#, "kubernetes_version", r#"unknown Kubernetes version "1.99.0""#),
    bad(CLUSTER, r#"kubernetes_version = "v1.36.3""#, "kubernetes_version", "kubernetes_version is written without a leading v"),
    bad(CLUSTER, r#"endpoint = "api.example:6443""#, "endpoint", r#""api.example:6443" is not the URL of an API endpoint"#),
    bad(
        CLUSTER,
        r#"hosts = { a = { address = "192.0.2.1" }, b = { address = "192.0.2.2" } }"#,
        "hosts",
        "2 control-plane hosts make an even number of etcd members",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.96.0.0/12"], service_cidrs = ["10.96.0.0/16"] }"#,
        "network.service_cidrs[0]",
        "network.service_cidrs[0] 10.96.0.0/16 overlaps network.pod_cidrs[0] 10.96.0.0/12",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.200.0.0/16"], service_cidrs = ["fd00:96::/112"] }"#,
        "network.service_cidrs",
        "pod_cidrs and service_cidrs are not of the same families in the same order",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["192.0.2.0/24"], service_cidrs = ["10.96.0.0/16"] }"#,
        r#"hosts["cp-1"].address"#,
        "host cp-1 192.0.2.21 lies inside network.pod_cidrs[0] 192.0.2.0/24",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.200.0.0/26"], service_cidrs = ["10.96.0.0/16"] }"#,
        "network.node_mask_ipv4",
        "a node's /24 is larger than the whole of 10.200.0.0/26",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.200.0.0/16", "fd00:18::/56"], service_cidrs = ["10.96.0.0/16", "fd00:96::/112"] }"#,
        r#"hosts["cp-1"].secondary_address"#,
        "host cp-1 has no IPv6 address, but pods have fd00:18::/56",
    ),
    bad(
        CLUSTER,
        r#"api_server = { flags = { "--v" = "4" } }"#,
        r#"api_server.flags["--v"]"#,
        r#"flag "--v" is written with its dashes"#,
    ),
    bad(
        CLUSTER,
        r#"api_server = { audit_policy = "rules: all" }"#,
        "api_server.audit_policy",
        "audit_policy is not an audit policy in YAML",
    ),
    bad(CLUSTER, r#"checksums = { "https://x" = "abc" }"#, r#"checksums["https://x"]"#, "the digest of https://x is not SHA-256"),
    bad(NODES, r#"labels = { "kubernetes.io/hostname" = "w" }"#, r#"labels["kubernetes.io/hostname"]"#, "is reserved"),
    bad(
        NODES,
        r#"annotations = { "node.alpha.kubernetes.io/ttl" = "0" }"#,
        r#"annotations["node.alpha.kubernetes.io/ttl"]"#,
        "is Kubernetes' own",
    ),
    bad(
        NODES,
        r#"taints = [{ key = "node.kubernetes.io/not-ready", effect = "NoSchedule" }]"#,
        "taints[0].key",
        "is a controller's own",
    ),
    bad(
        NODES,
        r#"kubelet_flags = { "pod-infra-container-image" = "pause" }"#,
        r#"kubelet_flags["pod-infra-container-image"]"#,
        r#"the kubelet does not take the flag "pod-infra-container-image""#,
    ),
    bad(NODES, r#"labels = { "Node.example/pool" = "a" }"#, r#"labels["Node.example/pool"]"#, "is not the key of a label"),
    bad(
        NODES,
        r#"proxy_mode = "none"
  kube_proxy_config = jsonencode({ mode = "nftables" })"#,
        "kube_proxy_config",
        "kube_proxy_config has no effect",
    ),
    bad(NODES, r#"annotations = { "a b" = "c" }"#, r#"annotations["a b"]"#, r#""a b" is not the key of an annotation"#),
    bad(
        NODES,
        r#"kubelet_flags = { "node-ip" = "192.0.2.21" }"#,
        r#"kubelet_flags["node-ip"]"#,
        r#"the kubelet does not take the flag "node-ip""#,
    ),
    bad(NODES, r#"kubelet_flags = { "--v" = "4" }"#, r#"kubelet_flags["--v"]"#, r#"flag "--v" is written with its dashes"#),
    bad(
        NODES,
        r#"kubelet_config = jsonencode({ providerID = "aws:///x" })"#,
        "kubelet_config",
        "kubelet_config does not take providerID",
    ),
    bad(
        NODES,
        r#"hosts = { "w-1" = { address = "192.0.2.21", provider_id = "aws:///us east/i-0123456789abcdef0" } }"#,
        r#"hosts["w-1"].provider_id"#,
        "this is not a provider id",
    ),
    bad(
        NODES,
        r#"hosts = { "w-1" = { address = "192.0.2.21", labels = { "kubernetes.io/os" = "linux" } } }"#,
        r#"hosts["w-1"].labels["kubernetes.io/os"]"#,
        "is reserved",
    ),
    bad(
        NODES,
        r#"hosts = { "w-1" = { address = "192.0.2.21", taints = [{ key = "a b", effect = "NoSchedule" }] } }"#,
        r#"hosts["w-1"].taints[0].key"#,
        "the key of a taint is not allowed",
    ),
    bad(
        NODES,
        r#"hosts = { "w-1" = { address = "192.0.2.21", kubelet_config = "maxPods: 20" } }"#,
        r#"hosts["w-1"].kubelet_config"#,
        "kubelet_config is not a JSON object",
    ),
    bad(NODES, r#"labels = { "a b" = "c" }"#, r#"labels["a b"]"#, r#""a b" is not the key of a label"#),
    bad(
        NODES,
        r#"taints = [{ key = "a", effect = "Never" }]"#,
        "taints[0].effect",
        r#""Never" is not one of the allowed values"#,
    ),
    bad(NODES, r#"kubelet_config = "maxPods: 200""#, "kubelet_config", "kubelet_config is not a JSON object"),
    bad(
        NODES,
        r#"registry_mirrors = { "registry.k8s.io/x" = "http://m" }"#,
        r#"registry_mirrors["registry.k8s.io/x"]"#,
        "is not the host of a registry",
    ),
    bad(
        NODES,
        r#"registry_mirrors = { "registry.k8s.io" = "https://user:pw@m" }"#,
        r#"registry_mirrors["registry.k8s.io"]"#,
        "a registry mirror has a user, a password, a query or a fragment",
    ),
    bad(NODES, r#"proxy_mode = "userspace""#, "proxy_mode", r#""userspace" is not one of the allowed values"#),
    bad(KUBECONFIG, r#"client_certificate = "admin.pem""#, "client_certificate", "client_certificate is not in PEM"),
    bad(LOCALS, r#"dns = provider::k8s::service_address("10.96.0.0", 10)"#, "dns", "Invalid function argument"),
    bad(LOCALS, r#"api = provider::k8s::service_address("10.96.0.0/30", 4)"#, "api", "Invalid function argument"),
];

const COMPLETE: &[(&str, &[&str])] = &[
    (PROVIDER, &[]),
    (
        PKI,
        &[
            r#"cluster_name = "demo""#,
            r#"endpoints = ["192.0.2.100"]"#,
            r#"service_cidrs = ["10.96.0.0/16"]"#,
            r#"hosts = { cp-1 = { address = "192.0.2.21" } }"#,
        ],
    ),
    (
        LB,
        &[
            r#"hosts = { lb-1 = { address = "192.0.2.11" }, lb-2 = { address = "192.0.2.12" } }"#,
            r#"virtual_addresses = ["192.0.2.100/24"]"#,
            r#"listeners = { apiserver = { port = 6443, backends = ["192.0.2.21:6443"] } }"#,
        ],
    ),
    (
        CLUSTER,
        &[
            r#"name = "demo""#,
            r#"kubernetes_version = "1.36.3""#,
            r#"pki = k8s_pki.base.bundle"#,
            r#"endpoint = "https://192.0.2.100:6443""#,
            r#"hosts = { cp-1 = { address = "192.0.2.21" } }"#,
            r#"network = { pod_cidrs = ["10.200.0.0/16"], service_cidrs = ["10.96.0.0/16"] }"#,
        ],
    ),
    (NODES, &[r#"cluster = k8s_hardway_cluster.base.join"#, r#"hosts = { cp-1 = { address = "192.0.2.21" } }"#]),
    (
        KUBECONFIG,
        &[
            r#"cluster = k8s_hardway_cluster.base.join"#,
            r#"client_certificate = k8s_pki.base.certificates["admin"]"#,
            r#"client_key = k8s_pki.base.bundle.private_keys["admin"]"#,
        ],
    ),
    (LOCALS, &[]),
];
