//! `cloud.conf`, the configuration of the AWS cloud controller manager: which settings there are, since which version, and the text of the file. Pure.
//!
//! Source: `CloudConfig` in pkg/providers/v1/config/config.go of k8s.io/cloud-provider-aws 1.34.4, 1.35.3, 1.36.2 and 1.37.1. It reads the file by
//! gopkg.in/gcfg.v1 and takes no notice of keys that it does not know (`readAWSCloudConfig` in pkg/providers/v1/aws.go): what a version lacks is lost silently.

use super::Unfit;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Minor versions of the controller, which are those of Kubernetes.
pub const MINORS: [u32; 4] = [34, 35, 36, 37];

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// Begins with it: `vpc-`.
    Id(&'static str),
    OneOf(&'static [&'static str]),
    Bool,
    Port,
    /// In their order, each once.
    Families,
}

/// A setting by our name and its key in section `[Global]`.
struct Setting {
    name: &'static str,
    key: &'static str,
    kind: Kind,
    /// The minor version that has it first, among `MINORS`.
    since: u32,
}

const fn setting(name: &'static str, key: &'static str, kind: Kind) -> Setting {
    Setting { name, key, kind, since: MINORS[0] }
}

/// In the order in which they are written.
const SETTINGS: [Setting; 17] = [
    setting("region", "Region", Kind::Text),
    setting("zone", "Zone", Kind::Text),
    setting("vpc_id", "VPC", Kind::Id("vpc-")),
    setting("subnet_id", "SubnetID", Kind::Id("subnet-")),
    setting("route_table_id", "RouteTableID", Kind::Id("rtb-")),
    setting("role_arn", "RoleARN", Kind::Id("arn:")),
    setting("source_arn", "SourceARN", Kind::Id("arn:")),
    setting("cluster_id", "KubernetesClusterID", Kind::Text),
    setting("legacy_cluster_tag", "KubernetesClusterTag", Kind::Text),
    setting("node_ip_families", "NodeIPFamilies", Kind::Families),
    setting("disable_security_group_ingress", "DisableSecurityGroupIngress", Kind::Bool),
    setting("elb_security_group", "ElbSecurityGroup", Kind::Id("sg-")),
    Setting { since: 35, ..setting("nlb_security_group_mode", "NLBSecurityGroupMode", Kind::OneOf(&["Managed"])) },
    setting("health_probe_mode", "ClusterServiceLoadBalancerHealthProbeMode", Kind::OneOf(&["Shared", "ServiceNodePort"])),
    setting("health_probe_port", "ClusterServiceSharedLoadBalancerHealthProbePort", Kind::Port),
    setting("health_probe_path", "ClusterServiceSharedLoadBalancerHealthProbePath", Kind::Text),
    setting("topology_instance_type_pattern", "SupportedTopologyInstanceTypePattern", Kind::Text),
];

/// Beside `[Global]`: a list, each of them a section.
const OVERRIDES: &str = "service_overrides";
/// In the order in which they are written; the first four have to be given (`ValidateOverrides`). `SigningMethod` is read nowhere.
const OVERRIDE: [(&str, &str, bool); 5] = [
    ("service", "Service", true),
    ("region", "Region", true),
    ("url", "URL", true),
    ("signing_region", "SigningRegion", true),
    ("signing_name", "SigningName", false),
];
/// The ids of the SDK by which they are compared.
const SERVICES: [&str; 5] = ["EC2", "Elastic Load Balancing", "Elastic Load Balancing v2", "KMS", "ec2imds"];

/// Every setting by its name.
pub fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name).chain([OVERRIDES])
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit(text.into()))
}

/// The minor version that `1.36`, `1.36.2` or `v1.36.2` is of.
///
/// # Errors
/// When none of those is known.
pub fn minor_of(version: &str) -> Result<u32, Unfit> {
    let mut parts = version.trim_start_matches('v').split('.');
    let minor = (parts.next() == Some("1")).then(|| parts.next()?.parse().ok()).flatten();
    minor.filter(|minor| MINORS.contains(minor)).ok_or_else(|| {
        let known: Vec<String> = MINORS.iter().map(|minor| format!("1.{minor}")).collect();
        Unfit(format!("{version:?} is no version of the controller that is known here: {}", known.join(", ")))
    })
}

/// The text of the file. Settings that are null are not given.
///
/// # Errors
/// When a setting is unknown, has no value that the controller takes, or would have no effect.
pub fn render(minor: u32, settings: &Map<String, Value>) -> Result<String, Unfit> {
    let given: Map<String, Value> =
        settings.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect();
    refuse_unknown(given.keys())?;
    let mut text = String::from("[Global]\n");
    for Setting { name, key, kind, since } in &SETTINGS {
        let Some(value) = given.get(*name) else { continue };
        if minor < *since {
            return wrong(format!(
                "{name} has no effect: version 1.{minor} of the controller does not know it. It came with 1.{since}"
            ));
        }
        for value in values(name, *kind, value)? {
            text += &format!("{key} = {value}\n");
        }
    }
    refuse_combinations(&given)?;
    text += &overrides(given.get(OVERRIDES), given.get("region").and_then(Value::as_str))?;
    Ok(text)
}

fn refuse_unknown<'a>(given: impl Iterator<Item = &'a String>) -> Result<(), Unfit> {
    for name in given {
        if !names().any(|known| known == name) {
            return wrong(format!("there is no setting {name:?}. There are: {}", names().collect::<Vec<_>>().join(", ")));
        }
    }
    Ok(())
}

/// As they stand behind the key, which is repeated for each.
fn values(name: &str, kind: Kind, value: &Value) -> Result<Vec<String>, Unfit> {
    let texts = |value: &Value| value.as_str().map(str::to_string);
    match (kind, value) {
        (Kind::Text, Value::String(text)) => Ok(vec![quoted(name, text)?]),
        (Kind::Id(prefix), Value::String(text)) if text.starts_with(prefix) => Ok(vec![quoted(name, text)?]),
        (Kind::Id(prefix), _) => wrong(format!("{name} is a text that begins with {prefix:?}")),
        (Kind::OneOf(all), Value::String(text)) if all.contains(&text.as_str()) => Ok(vec![text.clone()]),
        (Kind::OneOf(all), _) => wrong(format!("{name} is one of: {}", all.join(", "))),
        (Kind::Bool, Value::Bool(value)) => Ok(vec![value.to_string()]),
        (Kind::Bool, _) => wrong(format!("{name} is true or false")),
        (Kind::Port, Value::Number(number)) if number.as_u64().is_some_and(|port| (1..=65_535).contains(&port)) => {
            Ok(vec![number.to_string()])
        }
        (Kind::Port, _) => wrong(format!("{name} is a port: 1 to 65535")),
        (Kind::Families, Value::Array(all)) => {
            let families: Vec<String> = all.iter().filter_map(texts).collect();
            let is_known = families.iter().all(|family| ["ipv4", "ipv6"].contains(&family.as_str()));
            let is_each_once = families.iter().collect::<BTreeSet<_>>().len() == all.len();
            if is_known && is_each_once && !all.is_empty() { Ok(families) } else { no_families(name) }
        }
        (Kind::Families, _) => no_families(name),
        (Kind::Text, _) => wrong(format!("{name} is a text")),
    }
}

fn no_families<T>(name: &str) -> Result<T, Unfit> {
    wrong(format!("{name} is a list of \"ipv4\" and \"ipv6\", each at most once: the addresses that nodes get, in this order"))
}

/// Between quotes where the reader would take a part of it for something else: a comment, an escape, or the end of the value.
fn quoted(name: &str, text: &str) -> Result<String, Unfit> {
    if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
        return wrong(format!("{name} is empty, or has spaces around it or control characters in it"));
    }
    let is_plain = !text.contains(['"', '\\', ';', '#']);
    Ok(if is_plain { text.to_string() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) })
}

/// Settings that have no effect without another, and those that end the controller together. Source: `newAWSCloud2` in pkg/providers/v1/aws.go.
fn refuse_combinations(given: &Map<String, Value>) -> Result<(), Unfit> {
    let has = |name: &str| given.contains_key(name);
    let is_elsewhere = has("vpc_id") && (has("subnet_id") || has("role_arn")) && (has("cluster_id") || has("legacy_cluster_tag"));
    if (has("vpc_id") || has("subnet_id")) && !is_elsewhere {
        return wrong(
            "vpc_id and subnet_id have an effect only together, with cluster_id: then the controller does not ask for the instance that it runs on. With \
             role_arn, subnet_id can be left out",
        );
    }
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    if is_elsewhere && !has("region") && !has("zone") {
        return wrong("region has to be given with vpc_id: else the controller asks the instance that it runs on for it");
    }
    if let Some(zone) = text("zone") {
        let Some(of_zone) = region_of(zone) else {
            return wrong(format!("{zone:?} is not the name of a zone, such as us-east-1a"));
        };
        if text("region").is_some_and(|region| region != of_zone) {
            return wrong(format!("region has no effect: the controller takes that of zone {zone:?}, which is {of_zone}"));
        }
    }
    if let (Some(id), Some(tag)) = (text("cluster_id"), text("legacy_cluster_tag"))
        && id != tag
    {
        return wrong("the controller ends where legacy_cluster_tag and cluster_id differ");
    }
    if has("source_arn") && !has("role_arn") {
        return wrong("source_arn has an effect only with role_arn");
    }
    let is_shared = given.get("health_probe_mode").is_some_and(|mode| mode == "Shared");
    if (has("health_probe_port") || has("health_probe_path")) && !is_shared {
        return wrong("health_probe_port and health_probe_path have an effect only with health_probe_mode = \"Shared\"");
    }
    Ok(())
}

/// As the controller takes it from the name of a zone (`azToRegion`): words with a dash behind each, and a number. It ends where there is none, as in
/// the id of a zone.
fn region_of(zone: &str) -> Option<&str> {
    let mut end = 0;
    for part in zone.split('-') {
        let is_word = !part.is_empty() && part.chars().all(|c| c.is_ascii_alphabetic());
        if !is_word {
            let digits = part.chars().take_while(char::is_ascii_digit).count();
            return (end > 0 && digits > 0).then(|| &zone[..end + digits]);
        }
        end += part.len() + 1;
    }
    None
}

fn overrides(given: Option<&Value>, region: Option<&str>) -> Result<String, Unfit> {
    let Some(given) = given else { return Ok(String::new()) };
    let Some(all) = given.as_array() else { return wrong(format!("{OVERRIDES} is a list of objects")) };
    let (mut text, mut seen) = (String::new(), BTreeSet::new());
    for (number, one) in (1..).zip(all) {
        let place = |name: &str| format!("{OVERRIDES}[{}].{name}", number - 1);
        let Some(one) = one.as_object() else { return wrong(format!("{OVERRIDES} is a list of objects")) };
        if let Some(name) = one.keys().find(|name| !OVERRIDE.iter().any(|(known, ..)| known == name)) {
            return wrong(format!("there is no setting {:?}", place(name)));
        }
        let of = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        if !SERVICES.contains(&of("service")) {
            return wrong(format!("{} is one of: {}", place("service"), SERVICES.join(", ")));
        }
        // That of the metadata service has none.
        if of("service") != "ec2imds" && region.is_some_and(|region| region != of("region")) {
            return wrong(format!("{} has no effect: it is not the region of the controller", place("region")));
        }
        if !seen.insert((of("service"), of("region"))) {
            return wrong(format!("{} is overridden twice in region {:?}", of("service"), of("region")));
        }
        text += &format!("\n[ServiceOverride \"{number}\"]\n");
        for (name, key, is_required) in OVERRIDE {
            match one.get(name).filter(|value| !value.is_null()) {
                Some(Value::String(value)) => text += &format!("{key} = {}\n", quoted(&place(name), value)?),
                None if !is_required => {}
                _ => return wrong(format!("{} is a text that has to be given", place(name))),
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(minor: u32, settings: Value, expect: Result<&str, &str>) {
        let rendered = render(minor, settings.as_object().unwrap()).map_err(|wrong| wrong.to_string());
        match expect {
            Ok(text) => assert_eq!(rendered.as_deref(), Ok(text)),
            Err(part) => assert!(rendered.as_ref().is_err_and(|said| said.contains(part)), "{part:?} is not in {rendered:?}"),
        }
    }

    #[test]
    fn settings_are_written_in_their_order_and_repeated_where_they_are_lists() {
        check(36, json!({}), Ok("[Global]\n"));
        let dual = json!({ "node_ip_families": ["ipv6", "ipv4"], "cluster_id": "demo", "region": "us-east-1", "zone": null });
        let text = "[Global]\nRegion = us-east-1\nKubernetesClusterID = demo\nNodeIPFamilies = ipv6\nNodeIPFamilies = ipv4\n";
        check(36, dual, Ok(text));
        let elsewhere = json!({
            "zone": "us-gov-west-1a", "vpc_id": "vpc-1", "subnet_id": "subnet-1", "cluster_id": "demo",
            "disable_security_group_ingress": true, "health_probe_mode": "Shared", "health_probe_port": 10256,
        });
        let text = "[Global]\nZone = us-gov-west-1a\nVPC = vpc-1\nSubnetID = subnet-1\nKubernetesClusterID = demo\nDisableSecurityGroupIngress = true\n\
                    ClusterServiceLoadBalancerHealthProbeMode = Shared\nClusterServiceSharedLoadBalancerHealthProbePort = 10256\n";
        check(34, elsewhere, Ok(text));
        check(
            36,
            json!({ "topology_instance_type_pattern": "^p5;\"\\d" }),
            Ok("[Global]\nSupportedTopologyInstanceTypePattern = \"^p5;\\\"\\\\d\"\n"),
        );
    }

    #[test]
    fn endpoints_are_sections_of_their_own() {
        let one = json!({ "service": "EC2", "region": "us-east-1", "url": "https://ec2.example", "signing_region": "us-east-1" });
        let text = "[Global]\n\n[ServiceOverride \"1\"]\nService = EC2\nRegion = us-east-1\nURL = https://ec2.example\nSigningRegion = us-east-1\n";
        check(36, json!({ "service_overrides": [one] }), Ok(text));
        check(36, json!({ "service_overrides": [one, one] }), Err("overridden twice"));
        let with = |name: &str, value: Value| {
            let mut one = one.clone();
            one[name] = value;
            json!({ "service_overrides": [one] })
        };
        check(36, with("service", json!("ec2")), Err("service_overrides[0].service is one of: EC2, Elastic"));
        check(36, with("url", Value::Null), Err("service_overrides[0].url is a text that has to be given"));
        check(36, with("signing_method", json!("x")), Err("there is no setting \"service_overrides[0].signing_method\""));
        let elsewhere = json!({ "region": "us-west-2", "service_overrides": [one] });
        check(36, elsewhere, Err("service_overrides[0].region has no effect"));
        check(36, json!({ "service_overrides": {} }), Err("is a list of objects"));
    }

    #[test]
    fn what_the_controller_would_not_heed_is_refused() {
        check(36, json!({ "nlb_security_group_mode": "Managed" }), Ok("[Global]\nNLBSecurityGroupMode = Managed\n"));
        check(
            34,
            json!({ "nlb_security_group_mode": "Managed" }),
            Err("has no effect: version 1.34 of the controller does not know it"),
        );
        check(36, json!({ "vpc_id": "vpc-1" }), Err("only together, with cluster_id"));
        check(36, json!({ "subnet_id": "subnet-1", "cluster_id": "demo" }), Err("only together"));
        check(
            36,
            json!({ "region": "us-east-1", "vpc_id": "vpc-1", "role_arn": "arn:aws:iam::1:role/x", "legacy_cluster_tag": "demo", "source_arn": "arn:x" }),
            Ok(
                "[Global]\nRegion = us-east-1\nVPC = vpc-1\nRoleARN = arn:aws:iam::1:role/x\nSourceARN = arn:x\nKubernetesClusterTag = demo\n",
            ),
        );
        check(36, json!({ "source_arn": "arn:aws:x" }), Err("only with role_arn"));
        check(36, json!({ "vpc_id": "vpc-1", "subnet_id": "subnet-1", "cluster_id": "demo" }), Err("region has to be given"));
        check(36, json!({ "zone": "use1-az1" }), Err("\"use1-az1\" is not the name of a zone"));
        check(
            36,
            json!({ "zone": "us-east-1-bos-1a", "region": "us-east-1" }),
            Ok("[Global]\nRegion = us-east-1\nZone = us-east-1-bos-1a\n"),
        );
        check(36, json!({ "zone": "us-east-1a", "region": "us-east-2" }), Err("which is us-east-1"));
        check(36, json!({ "cluster_id": "a", "legacy_cluster_tag": "b" }), Err("differ"));
        check(36, json!({ "health_probe_port": 80 }), Err("only with health_probe_mode"));
    }

    #[test]
    fn values_that_it_does_not_take_are_refused() {
        for (settings, part) in [
            (json!({ "Region": "us-east-1" }), "there is no setting \"Region\". There are: region, zone"),
            (json!({ "region": 1 }), "region is a text"),
            (json!({ "region": "" }), "region is empty"),
            (json!({ "region": "us-east-1\nZone = x" }), "control characters"),
            (json!({ "vpc_id": "subnet-1" }), "begins with \"vpc-\""),
            (json!({ "node_ip_families": [] }), "is a list of \"ipv4\" and \"ipv6\""),
            (json!({ "node_ip_families": ["ipv4", "ipv4"] }), "each at most once"),
            (json!({ "node_ip_families": "ipv4" }), "is a list"),
            (json!({ "node_ip_families": ["IPv4"] }), "is a list"),
            (json!({ "nlb_security_group_mode": "managed" }), "is one of: Managed"),
            (json!({ "disable_security_group_ingress": "yes" }), "is true or false"),
            (json!({ "health_probe_port": 70000, "health_probe_mode": "Shared" }), "is a port"),
        ] {
            check(36, settings, Err(part));
        }
    }

    #[test]
    fn a_version_is_that_of_the_controller_or_of_kubernetes() {
        for (version, minor) in [("1.36", 36), ("1.36.3", 36), ("v1.34.4", 34)] {
            assert_eq!(minor_of(version), Ok(minor));
        }
        for version in ["1.33.0", "2.36", "latest", ""] {
            assert!(minor_of(version).unwrap_err().to_string().contains("1.34, 1.35, 1.36, 1.37"), "{version}");
        }
    }
}
