//! Rows of load balancers and instances on AWS, of the provider's `aws` block and of data sources.

use super::{PROVIDER, Row, Section, bad};

pub const SECTION: Section = Section { rows: ROWS, complete: COMPLETE };

const LB: &str = "resource \"k8s_lb_nlb\"";
const BASTION: &str = "resource \"k8s_bastion\"";
const PROXY: &str = "resource \"k8s_egress_proxy\"";
const IMAGE: &str = "data \"k8s_aws_image\"";
const TYPES: &str = "data \"k8s_aws_instance_types\"";

const COMPLETE: &[(&str, &[&str])] = &[
    (
        LB,
        &[
            r#"name = "demo-api""#,
            r#"cluster_name = "demo""#,
            r#"vpc_id = "vpc-0123456789abcdef0""#,
            r#"subnet_ids = ["subnet-0123456789abcdef0"]"#,
            r#"security_group_ids = ["sg-0123456789abcdef0"]"#,
            r#"listeners = { api = { port = 6443, target = { targets = ["10.0.1.4"] } } }"#,
        ],
    ),
    (
        BASTION,
        &[
            r#"name = "bastion""#,
            r#"cluster_name = "demo""#,
            r#"subnet_id = "subnet-0123456789abcdef0""#,
            r#"security_group_ids = ["sg-0123456789abcdef0"]"#,
            r#"image = "debian-12""#,
            r#"public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKbnfDV8zpRaHE5J6uFr4NyM6aFFsaEqkHM3Zm6VDk7B""#,
        ],
    ),
    (
        PROXY,
        &[
            r#"name = "proxy""#,
            r#"cluster_name = "demo""#,
            r#"subnet_id = "subnet-0123456789abcdef0""#,
            r#"security_group_ids = ["sg-0123456789abcdef0"]"#,
            r#"image = "debian-12""#,
            r#"key_name = "mine""#,
            r#"client_cidrs = ["10.0.0.0/16"]"#,
            r#"allowed_domains = ["registry.k8s.io", ".pkg.dev"]"#,
        ],
    ),
    (IMAGE, &[r#"owners = ["amazon"]"#, r#"image_name = "al2023-ami-2023.*""#]),
    (TYPES, &[r#"names = ["t4g.small"]"#]),
];

const ROWS: &[Row] = &[
    bad(PROVIDER, r#"aws = { region = "us-east-1a" }"#, "aws.region", r#""us-east-1a" is not a region"#),
    bad(PROVIDER, r#"aws = { access_key = "AKIA0" }"#, "aws.secret_key", "secret_key is missing"),
    bad(PROVIDER, r#"aws = { token = "x" }"#, "aws.token", "token without access_key"),
    bad(PROVIDER, r#"aws = { endpoint = "localhost:5000" }"#, "aws.endpoint", r#""localhost:5000" is not an HTTP URL"#),
    bad(
        PROVIDER,
        r#"aws = { endpoints = { s3 = "http://localhost:5000" } }"#,
        r#"aws.endpoints["s3"]"#,
        r#""s3" is not a service that this provider uses"#,
    ),
    bad(
        PROVIDER,
        r#"aws = { endpoints = { ec2 = "localhost" } }"#,
        r#"aws.endpoints["ec2"]"#,
        r#""localhost" is not an HTTP URL"#,
    ),
    bad(
        PROVIDER,
        r#"aws = { assume_role = { role_arn = "terraform" } }"#,
        "aws.assume_role.role_arn",
        r#""terraform" is not the ARN of a role"#,
    ),
    bad(
        PROVIDER,
        r#"aws = { assume_role = { role_arn = "arn:aws:iam::123456789012:role/x", duration_seconds = 60 } }"#,
        "aws.assume_role.duration_seconds",
        "60 is out of range",
    ),
    bad(PROVIDER, r#"aws = { retry_mode = "legacy" }"#, "aws.retry_mode", r#""legacy" is not one of the allowed values"#),
    bad(PROVIDER, "aws = { max_attempts = 0 }", "aws.max_attempts", "0 is out of range"),
    bad(PROVIDER, "aws = { requests_per_second = 5000 }", "aws.requests_per_second", "5000 is out of range"),
    // k8s_lb_nlb
    bad(LB, r#"name = "internal-api""#, "name", r#""internal-api" cannot be the name of a load balancer"#),
    bad(LB, r#"vpc_id = "10.0.0.0/16""#, "vpc_id", r#""10.0.0.0/16" is not an id of this kind"#),
    bad(LB, "subnet_ids = null", "subnet_ids", "no subnets are given"),
    bad(LB, r#"subnet_ids = ["private"]"#, "subnet_ids", r#""private" is not an id of this kind"#),
    bad(LB, r#"subnets = [{ subnet_id = "subnet-0a" }]"#, "subnets", "subnet_ids and subnets are both given"),
    bad(
        LB,
        "subnet_ids = null\nsubnets = [{ subnet_id = \"subnet-0a\", allocation_id = \"eipalloc-0a\" }]",
        "subnets",
        "an internal load balancer has no Elastic IP addresses",
    ),
    bad(LB, r#"security_group_ids = ["web"]"#, "security_group_ids", r#""web" is not an id of this kind"#),
    bad(LB, r#"scheme = "public""#, "scheme", r#""public" is not one of the allowed values"#),
    bad(LB, "listeners = {}", "listeners", "listeners is empty"),
    bad(
        LB,
        r#"listeners = { API = { port = 6443, target = {} } }"#,
        r#"listeners["API"]"#,
        r#""API" cannot be the name of a listener"#,
    ),
    bad(
        LB,
        r#"listeners = { a = { port = 6443, target = {} }, b = { port = 6443, target = {} } }"#,
        r#"listeners["b"].port"#,
        "listeners a and b both take port 6443",
    ),
    bad(
        LB,
        r#"listeners = { api = { port = 443, protocol = "TLS", target = {} } }"#,
        r#"listeners["api"].certificate_arn"#,
        "a TLS listener needs a certificate",
    ),
    bad(
        LB,
        "ip_address_type = \"dualstack\"\nlisteners = { dns = { port = 53, protocol = \"TCP_UDP\", target = {} } }",
        r#"listeners["dns"].target.address_family"#,
        "a TCP_UDP listener of a dualstack load balancer needs IPv6 targets",
    ),
    bad(
        LB,
        r#"listeners = { api = { port = 6443, target = { targets = ["10.0.1.4:6443"] } } }"#,
        r#"listeners["api"].target.targets"#,
        r#""10.0.1.4:6443" is not an address"#,
    ),
    bad(
        LB,
        r#"listeners = { web = { port = 443, target = { autoscaling_group_names = ["nodes"] } } }"#,
        r#"listeners["web"].target.autoscaling_group_names"#,
        "Auto Scaling groups register instances, not addresses",
    ),
    bad(
        LB,
        r#"listeners = { web = { port = 443, target = { type = "instance", autoscaling_group_names = ["two nodes"] } } }"#,
        r#"listeners["web"].target.autoscaling_group_names"#,
        r#""two nodes" cannot be the name of an Auto Scaling group"#,
    ),
    bad(
        LB,
        r#"listeners = { api = { port = 6443, target = { address_family = "ipv6" } } }"#,
        r#"listeners["api"].target.address_family"#,
        "IPv6 targets need a dualstack load balancer",
    ),
    bad(
        LB,
        r#"listeners = { api = { port = 6443, target = {}, health_check = { path = "/readyz" } } }"#,
        r#"listeners["api"].health_check.path"#,
        "path has no meaning for a TCP health check",
    ),
    bad(
        LB,
        r#"listeners = { api = { port = 6443, target = {}, health_check = { interval_seconds = 5 } } }"#,
        r#"listeners["api"].health_check.timeout_seconds"#,
        "a check that may take 6 s does not fit into an interval of 5 s",
    ),
    bad(
        LB,
        r#"dns = { zone_id = "example.net", name = "api.example.net" }"#,
        "dns.zone_id",
        r#""example.net" is not a hosted zone's id"#,
    ),
    bad(LB, r#"tags = { "k8s-hardway/x" = "y" }"#, r#"tags["k8s-hardway/x"]"#, r#"tag "k8s-hardway/x" is not yours to set"#),
    // k8s_bastion
    bad(BASTION, r#"name = "Bastion""#, "name", r#""Bastion" is not a usable name"#),
    bad(BASTION, r#"subnet_id = "vpc-0a""#, "subnet_id", r#""vpc-0a" is not an id of this kind"#),
    bad(BASTION, "security_group_ids = null", "security_group_ids", "neither security_group_ids nor vpc_id is given"),
    bad(BASTION, "security_group_ids = null\nvpc_id = \"vpc-0a\"", "ssh_cidrs", "nothing may reach the bastion"),
    bad(BASTION, r#"ssh_cidrs = ["198.51.100.0/24"]"#, "ssh_cidrs", "ssh_cidrs is given without vpc_id"),
    bad(BASTION, r#"image = "debian-11""#, "image", r#"the catalogue has no image "debian-11""#),
    bad(BASTION, r#"instance_type = "t4g nano""#, "instance_type", r#""t4g nano" is not an instance type"#),
    bad(
        BASTION,
        "instance_type = \"t3.nano\"\narchitecture = \"arm64\"",
        "architecture",
        "instance type t3.nano is x86_64, not arm64",
    ),
    bad(BASTION, "volume_gib = 4", "volume_gib", "4 is out of range"),
    bad(BASTION, r#"public_key = "-----BEGIN OPENSSH PRIVATE KEY-----""#, "public_key", "public_key is a private key"),
    bad(BASTION, r#"public_key = "~/.ssh/id_ed25519.pub""#, "public_key", "public_key is not a public key"),
    bad(BASTION, r#"key_name = "mine""#, "key_name", "both public_key and key_name are given"),
    bad(
        BASTION,
        "elastic_ip = true\nelastic_ip_id = \"eipalloc-0a\"",
        "elastic_ip_id",
        "both elastic_ip and elastic_ip_id are given",
    ),
    bad(BASTION, r#"dns = { zone_id = "Z1", name = "b.example.net" }"#, "dns", "the records would have no address to name"),
    bad(
        BASTION,
        "elastic_ip = true\ndns = { zone_id = \"Z1\", name = \"https://b.example.net\" }",
        "dns.name",
        r#""https://b.example.net" is not a name for a record"#,
    ),
    // k8s_egress_proxy
    bad(PROXY, "key_name = null", "public_key", "neither public_key nor key_name is given"),
    bad(PROXY, "port = 22", "port", "port 22 is that of SSH"),
    bad(PROXY, "client_cidrs = []", "client_cidrs", "client_cidrs is empty"),
    bad(PROXY, r#"client_cidrs = ["0.0.0.0/0"]"#, "client_cidrs[0]", "0.0.0.0/0 lets everyone use the proxy"),
    bad(PROXY, "allowed_domains = null", "allowed_domains", "the proxy would refuse everything"),
    bad(PROXY, r#"allowed_domains = ["https://dl.k8s.io"]"#, "allowed_domains[0]", r#""https://dl.k8s.io" is no domain"#),
    bad(PROXY, r#"allowed_domains = ["*.pkg.dev"]"#, "allowed_domains[0]", r#""*.pkg.dev" has a wildcard"#),
    bad(PROXY, r#"allowed_domains = ["203.0.113.7"]"#, "allowed_domains[0]", r#""203.0.113.7" is an address"#),
    bad(PROXY, r#"allowed_cidrs = ["::/0"]"#, "allowed_cidrs[0]", "::/0 allows every address"),
    bad(PROXY, r#"allowed_cidrs = ["169.254.169.254/32"]"#, "allowed_cidrs[0]", "169.254.169.254/32 is never a destination"),
    bad(PROXY, r#"no_proxy = { pod_cidrs = ["172.18.0.0"] }"#, "no_proxy.pod_cidrs[0]", r#""172.18.0.0" is not a CIDR"#),
    bad(PROXY, r#"no_proxy = { endpoints = ["ec2"] }"#, "no_proxy.region", "no_proxy.endpoints is given without no_proxy.region"),
    bad(PROXY, r#"tags = { "aws:x" = "y" }"#, r#"tags["aws:x"]"#, r#"tag "aws:x" begins with "aws:""#),
    // data sources
    bad(IMAGE, "owners = null", "owners", "owners is missing"),
    bad(IMAGE, "image_name = null", "image_name", "nothing says which image"),
    bad(IMAGE, r#"architecture = "amd64""#, "architecture", r#""amd64" is not one of the allowed values"#),
    bad(IMAGE, "image_name = null\nparameter = \"/aws/service/x\"", "owners", "owners has no effect beside parameter"),
    bad(TYPES, "names = []", "names", "names is empty"),
];
