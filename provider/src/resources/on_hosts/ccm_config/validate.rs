//! What is wrong with a controller, said at plan with the attribute and a value that would do. Pure.

use super::config::{self, Defaults};
use crate::hosts::{self, HostConfigs};
use crate::resources::attributes;
use crate::resources::on_hosts::hardway_cluster::{Join, join};
use crate::resources::on_hosts::node_group::validate::validate_mirrors;
use crate::ssh;
use render::cloud_controller::releases;
use schema::{Diagnostics, Field, ValueAt, decode};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Flags without which an apply could not tell whether the controller works, or that have an attribute.
const REFUSED: [(&str, &str); 9] = [
    ("cloud-provider", "It is aws."),
    ("cloud-config", "Set cloud_config instead."),
    ("cluster-name", "It is the name of the cluster."),
    ("kubeconfig", "Set api_server to ask another API server."),
    ("leader-elect", LEASE),
    ("leader-elect-resource-lock", LEASE),
    ("leader-elect-resource-name", LEASE),
    ("leader-elect-resource-namespace", LEASE),
    (
        "use-service-account-credentials",
        "Its own certificate is all that it may use: with tokens of service accounts it would need far more permissions, and ends without them.",
    ),
];
const LEASE: &str = "By the lease kube-system/cloud-controller-manager an apply knows that it leads, and node groups that they are to wait for it.";

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    attributes::validate_cluster_name(&config.get("name"), found);
    join::validate(&config.get("cluster"), found);
    validate_cloud_provider(&config.get("cluster"), found);
    let hosts = config.get("hosts");
    hosts::require_one(&hosts, found);
    hosts::validate(&hosts, found);
    validate_members(config, found);
    validate_settings(config, found);
    for (name, flag) in config.get("flags").entries() {
        attributes::validate_flag(name, &flag, found);
        if let Some((_, remedy)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            found.push(flag.error(format!("flag {name:?} is set by the provider"), *remedy));
        }
    }
    let secrets = config.get("secret_environment");
    for name in ["environment", "secret_environment"] {
        for (variable, value) in config.get(name).entries() {
            validate_variable(variable, &value, found);
            if name == "environment" && secrets.get(variable).value().is_set() {
                found.push(value.error(format!("{variable} is in secret_environment as well"), "Give it in one of the two."));
            }
        }
    }
    validate_api_server(&config.get("api_server"), found);
    validate_mirrors(&config.get("registry_mirrors"), found);
    for (architecture, digest) in config.get("program_sha256").entries() {
        if !["amd64", "arm64"].contains(&architecture) {
            found.push(digest.error(format!("{architecture:?} is no architecture of a host"), "There are amd64 and arm64."));
        }
        if let Some(Err(error)) = digest.as_str().map(bundle::Digest::parse) {
            found.push(digest.error(format!("the digest for {architecture} is not SHA-256"), error.to_string()));
        }
    }
    ssh::validate(&config.get("ssh"), found);
}

/// Without it, kubelets do not wait for the controller, and it initialises no node.
fn validate_cloud_provider(cluster: &ValueAt<'_>, found: &mut Diagnostics) {
    if cluster.value().is_set() && cluster.get("cloud_provider").value().is_null() {
        found.push(cluster.error(
            "the cluster has no cloud provider, so no node would wait for this controller",
            "Set cloud_provider = \"external\" in its k8s_hardway_cluster.",
        ));
    }
}

/// Each is a control-plane host of `cluster`, under its name.
fn validate_members(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let members = config.get("cluster").get("control_plane");
    if !members.value().is_wholly_known() || members.is_empty() {
        return;
    }
    let of = |host: ValueAt<'_>| Some((host.get("name").as_str()?.to_string(), host.get("address").as_str()?.parse().ok()?));
    let members: BTreeMap<String, IpAddr> = members.items().filter_map(of).collect();
    let names = members.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    for (name, host) in config.get("hosts").entries() {
        let address = host.get("address");
        let Some(given) = address.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
        match members.get(name) {
            None => found.push(host.error(
                format!("host {name} is no control-plane host of the cluster"),
                format!("The controller asks the API server of its own host. Name those of the cluster: {names}."),
            )),
            Some(member) if *member != given => found.push(address.error(
                format!("host {name} has another address than in the cluster, where it is {member}"),
                "A machine has one name in its cluster: give the hosts as the cluster has them.",
            )),
            Some(_) => {}
        }
    }
}

/// The version, and the settings as far as both are known.
fn validate_settings(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let given = config.get("version");
    let kubernetes = config.get("cluster").get("kubernetes_version");
    let Ok(field) = decode(given.value()) else { return };
    let version = match config::version(&field, kubernetes.as_str()) {
        None => return,
        Some(Ok(version)) => version,
        Some(Err(error)) => return found.push(error.at(given.path().clone())),
    };
    if let Some(bare) = version.strip_prefix('v') {
        return found.push(given.error("version is written without a leading v", format!("Write {bare:?}.")));
    }
    let kubernetes = kubernetes.as_str().unwrap_or(&version);
    if let Err(unfit) = releases::check_skew(&version, kubernetes) {
        return found.push(given.error(
            unfit.to_string(),
            format!("Leave version out for {}.", releases::default_for(kubernetes).unwrap_or("another one")),
        ));
    }
    let cluster = config.get("cluster");
    let join = cluster.value().is_set().then(|| decode::<Join>(cluster.value()).ok()).flatten();
    let hosts = decode::<Field<HostConfigs>>(config.get("hosts").value()).ok();
    let hosts = hosts.and_then(|hosts| hosts::resolve(hosts.known()?));
    let defaults = join.as_ref().map_or_else(Defaults::any, |join| Defaults::of(join, hosts.as_ref()));
    if let Some(Err(error)) = config::cloud_conf(config.get("cloud_config").value(), &defaults, &version) {
        found.push(error);
    }
}

/// Source: systemd.exec(5), `EnvironmentFile=`.
fn validate_variable(name: &str, value: &ValueAt<'_>, found: &mut Diagnostics) {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !begins || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let detail = "Letters, digits and '_', not beginning with a digit, such as AWS_ENDPOINT_URL.";
        found.push(value.error(format!("{name:?} is not the name of a variable"), detail));
    }
    if value.as_str().is_some_and(|text| text.chars().any(char::is_control)) {
        found.push(value.error(format!("the value of {name} has a line break or another control character"), "It is one line."));
    }
}

fn validate_api_server(url: &ValueAt<'_>, found: &mut Diagnostics) {
    if url.as_str().is_some_and(|text| crate::resources::on_hosts::hardway_cluster::config::parse_endpoint(text).is_none()) {
        found.push(url.error(
            "api_server is not the URL of an API server",
            "Give https://, an address and the port: https://127.0.0.1:7443.",
        ));
    }
}
