//! Rows of add-ons.

use super::{Row, Section, bad};

pub const SECTION: Section = Section { rows: ROWS, complete: COMPLETE };

const ADDON: &str = "resource \"k8s_addon\"";

const COMPLETE: &[(&str, &[&str])] = &[(
    ADDON,
    &[
        r#"name = "metrics-server""#,
        r#"version = "0.9.0""#,
        r#"cluster = k8s_hardway_cluster.base.join"#,
        r#"settings = { replicas = 3 }"#,
        r#"patches = { "Deployment.apps/kube-system/metrics-server" = "spec: {minReadySeconds: 10}" }"#,
    ],
)];

/// As [`bad`], of flannel.
macro_rules! of_flannel {
    ($settings:literal, $path:literal, $summary:literal) => {
        bad(ADDON, concat!("name = \"flannel\"\nversion = \"0.28.10\"\npatches = {}\nsettings = ", $settings), $path, $summary)
    };
}

const ROWS: &[Row] = &[
    bad(ADDON, r#"name = "metrics""#, "name", r#"the catalogue has no add-on "metrics""#),
    bad(ADDON, r#"name = "Metrics-Server""#, "name", r#"the catalogue has no add-on "Metrics-Server""#),
    bad(ADDON, r#"version = "0.9""#, "version", r#"the catalogue has no version "0.9" of metrics-server"#),
    bad(ADDON, r#"version = "v0.9.0""#, "version", r#"the catalogue has no version "v0.9.0" of metrics-server"#),
    bad(ADDON, r#"settings = { replica = 3 }"#, "settings.replica", r#"metrics-server has no setting "replica""#),
    bad(ADDON, r#"settings = { replicas = 0 }"#, "settings.replicas", "0 is out of range"),
    bad(ADDON, r#"settings = { replicas = 2.5 }"#, "settings.replicas", "2.5 is out of range"),
    bad(ADDON, r#"settings = { replicas = "2" }"#, "settings.replicas", "a text is of another type"),
    bad(ADDON, r#"settings = { resolution_seconds = 5 }"#, "settings.resolution_seconds", "5 is out of range"),
    bad(ADDON, r#"settings = { disruption_budget = "yes" }"#, "settings.disruption_budget", "a text is of another type"),
    bad(ADDON, r#"settings = { resources = { cpu = "1" } }"#, "settings.resources", "an object is of another type"),
    bad(ADDON, r#"settings = { tolerations = [{ taint = "a" }] }"#, "settings.tolerations", "a list is of another type"),
    bad(ADDON, r#"settings = { node_selector = ["a"] }"#, "settings.node_selector", "a list is of another type"),
    bad(ADDON, r#"settings = ["replicas"]"#, "settings", "settings is no object"),
    of_flannel!(r#"{ backend = "udp" }"#, "settings.backend", r#""udp" is none of the choices"#),
    of_flannel!(r#"{ backend = "host-gw", mtu = 1400 }"#, "settings.mtu", "mtu works with backend"),
    of_flannel!(r#"{ interface = "eth 0" }"#, "settings.interface", r#""eth 0" is not usable"#),
    of_flannel!(r#"{ mtu = 576 }"#, "settings.mtu", "576 is out of range"),
    bad(
        ADDON,
        r#"patches = { "Deployment.apps/metrics-server" = "spec: {}" }"#,
        r#"patches["x"]"#,
        "metrics-server has no object",
    ),
    bad(
        ADDON,
        r#"patches = { "Deployment.apps/kube-system/metrics-server" = "spec: [" }"#,
        r#"patches["x"]"#,
        "the text is not YAML",
    ),
    bad(
        ADDON,
        r#"patches = { "Deployment.apps/kube-system/metrics-server" = "" }"#,
        r#"patches["x"]"#,
        "the text is not one document",
    ),
    bad(
        ADDON,
        r#"patches = { "Deployment.apps/kube-system/metrics-server" = "[1]" }"#,
        r#"patches["x"]"#,
        "the patch is no object",
    ),
    bad(
        ADDON,
        r#"patches = { "Deployment.apps/kube-system/metrics-server" = "metadata: {name: other}" }"#,
        r#"patches["x"]"#,
        "the patch makes another object",
    ),
    bad(ADDON, r#"image_overrides = { server = "registry.example.net/a:1" }"#, r#"image_overrides["x"]"#, "there is no image"),
    bad(ADDON, r#"image_overrides = { metrics-server = "a" }"#, r#"image_overrides["x"]"#, "names no image"),
    bad(ADDON, r#"adopt = ["Deployment.apps/shop/web"]"#, "adopt", "Deployment.apps/shop/web is not declared"),
    bad(
        ADDON,
        r#"ignore_fields = { "Deployment.apps/kube-system/metrics-server" = ["spec"] }"#,
        "ignore_fields",
        "begins with a dot",
    ),
    bad(ADDON, r#"timeout_seconds = 0"#, "timeout_seconds", "0 is out of range"),
];
