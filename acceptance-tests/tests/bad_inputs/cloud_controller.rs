//! Rows of the cloud controller manager.

use super::{Row, Section, bad};

pub const SECTION: Section = Section { rows: ROWS, complete: COMPLETE };

const CONTROLLER: &str = "resource \"k8s_ccm_config\"";

const COMPLETE: &[(&str, &[&str])] = &[(
    CONTROLLER,
    &[
        r#"cluster = k8s_hardway_cluster.base.join"#,
        r#"pki = k8s_pki.base.bundle"#,
        r#"hosts = { "cp-1" = { address = "192.0.2.11" } }"#,
        r#"version = "1.36.2""#,
        r#"cloud_config = { region = "us-east-1" }"#,
        r#"environment = { AWS_ENDPOINT_URL = "http://192.0.2.9:5000" }"#,
        r#"secret_environment = { AWS_SECRET_ACCESS_KEY = "secret" }"#,
    ],
)];

/// Of `cloud_config`.
macro_rules! setting {
    ($settings:literal) => {
        bad(CONTROLLER, concat!("cloud_config = ", $settings), "cloud_config", "the controller does not take these settings")
    };
}

const ROWS: &[Row] = &[
    bad(CONTROLLER, r#"flags = { leader-elect = "false" }"#, r#"flags["x"]"#, r#"flag "leader-elect" is set by the provider"#),
    bad(
        CONTROLLER,
        r#"flags = { use-service-account-credentials = "true" }"#,
        r#"flags["x"]"#,
        r#"flag "use-service-account-credentials" is set by the provider"#,
    ),
    bad(CONTROLLER, r#"name = "AWS""#, "name", r#""AWS" is not a usable name"#),
    bad(CONTROLLER, r#"version = "v1.36.2""#, "version", "version is written without a leading v"),
    bad(CONTROLLER, r#"version = "1.36""#, "version", r#""1.36" is no version such as 1.35.2"#),
    bad(CONTROLLER, r#"version = "latest""#, "version", r#""latest" is no version such as 1.35.2"#),
    bad(CONTROLLER, r#"hosts = {}"#, "hosts", "hosts is empty"),
    bad(
        CONTROLLER,
        r#"hosts = { "cp-1" = { address = "cp-1.internal" } }"#,
        r#"hosts["cp-1"].address"#,
        r#""cp-1.internal" is not an IP address"#,
    ),
    setting!(r#"{ region = "" }"#),
    setting!(r#"{ region = "us-east-1 " }"#),
    setting!(r#"{ vpc_id = "subnet-1", subnet_id = "subnet-1", region = "us-east-1" }"#),
    setting!(r#"{ vpc_id = "vpc-1", region = "us-east-1" }"#),
    setting!(r#"{ vpc_id = "vpc-1", subnet_id = "subnet-1" }"#),
    setting!(r#"{ subnet_id = "subnet-1", region = "us-east-1" }"#),
    setting!(r#"{ zone = "use1-az1" }"#),
    setting!(r#"{ zone = "us-east-1a", region = "us-east-2" }"#),
    setting!(r#"{ legacy_cluster_tag = "a", cluster_id = "b" }"#),
    setting!(r#"{ source_arn = "arn:aws:s3:::x" }"#),
    setting!(r#"{ role_arn = "controller" }"#),
    setting!(r#"{ node_ip_families = [] }"#),
    setting!(r#"{ node_ip_families = ["ipv6", "ipv6"] }"#),
    setting!(r#"{ node_ip_families = ["IPv6"] }"#),
    setting!(r#"{ nlb_security_group_mode = "managed" }"#),
    setting!(r#"{ health_probe_mode = "shared" }"#),
    setting!(r#"{ health_probe_port = 10256 }"#),
    setting!(r#"{ health_probe_mode = "Shared", health_probe_port = 70000 }"#),
    setting!(r#"{ elb_security_group = "default" }"#),
    setting!(
        r#"{ service_overrides = [{ service = "ec2", region = "us-east-1", url = "https://ec2.test", signing_region = "us-east-1" }] }"#
    ),
    setting!(
        r#"{ region = "us-east-1", service_overrides = [{ service = "EC2", region = "us-east-2", url = "https://ec2.test", signing_region = "us-east-2" }] }"#
    ),
    bad(
        CONTROLLER,
        "version = \"1.34.3\"\ncloud_config = { nlb_security_group_mode = \"Managed\" }",
        "cloud_config",
        "the controller does not take these settings",
    ),
    bad(CONTROLLER, r#"flags = { "--v" = "4" }"#, r#"flags["x"]"#, r#"flag "--v" is written with its dashes"#),
    bad(
        CONTROLLER,
        r#"environment = { "AWS-REGION" = "us-east-1" }"#,
        r#"environment["x"]"#,
        r#""AWS-REGION" is not the name of a variable"#,
    ),
    bad(CONTROLLER, r#"environment = { "1A" = "x" }"#, r#"environment["x"]"#, r#""1A" is not the name of a variable"#),
    bad(CONTROLLER, r#"environment = { A = "a\nB=b" }"#, r#"environment["x"]"#, "the value of A has a line break"),
    bad(
        CONTROLLER,
        r#"environment = { AWS_SECRET_ACCESS_KEY = "x" }"#,
        r#"environment["x"]"#,
        "AWS_SECRET_ACCESS_KEY is in secret_environment as well",
    ),
    bad(
        CONTROLLER,
        r#"secret_environment = { "A B" = "x" }"#,
        r#"secret_environment["x"]"#,
        r#""A B" is not the name of a variable"#,
    ),
    bad(CONTROLLER, r#"api_server = "127.0.0.1:6443""#, "api_server", "api_server is not the URL of an API server"),
    bad(CONTROLLER, r#"api_server = "http://127.0.0.1:6443""#, "api_server", "api_server is not the URL of an API server"),
    bad(
        CONTROLLER,
        r#"registry_mirrors = { "registry.k8s.io/x" = "https://mirror.example.net" }"#,
        r#"registry_mirrors["x"]"#,
        "is not the host of a registry",
    ),
    bad(
        CONTROLLER,
        r#"registry_mirrors = { "registry.k8s.io" = "mirror.example.net" }"#,
        r#"registry_mirrors["x"]"#,
        "a registry mirror is not an HTTP URL",
    ),
    bad(
        CONTROLLER,
        r#"program_sha256 = { x86_64 = "0000000000000000000000000000000000000000000000000000000000000000" }"#,
        r#"program_sha256["x"]"#,
        r#""x86_64" is no architecture of a host"#,
    ),
    bad(CONTROLLER, r#"program_sha256 = { amd64 = "abc" }"#, r#"program_sha256["x"]"#, "the digest for amd64 is not SHA-256"),
];
