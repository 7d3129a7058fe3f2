//! One instance with what belongs to it: key pair, security group, Elastic IP, records. What bastion and egress proxy share.

use cloud::{Graph, Kind, Object, ObjectKey, Rule, Setting, UNKNOWN_KEYS};
use sha2::{Digest, Sha256};

/// Tags that tell an import what no object shows.
pub const DNS_TAG: &str = "k8s-hardway/dns";
const TTL_SECONDS: u64 = 60;

/// An instance with its security group, key pair, Elastic IP and records, as a bastion or an egress proxy needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSpec {
    /// Names every object of the graph.
    pub name: String,
    /// With the cluster's name before it: unique in the account and region, as names of key pairs and groups have to be.
    pub full_name: String,
    pub image: Setting,
    pub instance_type: Setting,
    pub subnet: Setting,
    pub security: Security,
    pub key: Key,
    pub elastic_ip: ElasticIp,
    pub ipv6: bool,
    pub volume_gib: Setting,
    pub dns: Option<Dns>,
    pub user_data: FirstBoot,
}

/// What the user data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstBoot {
    Known(String),
    /// Something in it is not known yet.
    Unknown,
    /// Unknown: an instance was imported, and EC2 shows only a digest.
    Untold,
}

/// Existing security groups, or one to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Ids; `None` while one of them is not known.
    Groups(Option<Vec<String>>),
    /// A group of its own. `None` while a rule, or whether rules that others add go, is not known.
    Own { vpc: Setting, rules: Option<Vec<DescribedRule>>, exclusive: Option<bool>, description: &'static str },
}

/// A rule and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedRule {
    pub rule: Rule,
    pub description: &'static str,
}

/// An existing key pair, or a public key to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Of a key pair that exists.
    Name(Setting),
    /// In OpenSSH's form, imported under a name that is derived from it. `None` while it is not known.
    Public(Option<String>),
}

/// Whether the instance has an Elastic IP, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElasticIp {
    None,
    Own,
    /// The allocation id of one that exists.
    Existing(Setting),
}

/// A and AAAA records in a hosted zone of Route 53.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    pub zone_id: Setting,
    pub name: Setting,
    pub address: DnsAddress,
}

/// What the A record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsAddress {
    Public,
    Private,
}

/// `demo-bastion` of cluster `demo`, whether the name has the cluster's before it or not.
pub fn full_name(cluster: &str, name: &str) -> String {
    if name.starts_with(&format!("{cluster}-")) { name.to_owned() } else { format!("{cluster}-{name}") }
}

/// The key of the instance in its graph.
pub fn instance_key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Instance, name)
}

/// The key of the Elastic IP in its graph.
pub fn elastic_ip_key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::ElasticIp, name)
}

/// The key of the security group in its graph.
pub fn security_group_key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::SecurityGroup, name)
}

/// The objects of an instance with everything around it.
pub fn graph(spec: &InstanceSpec) -> Graph {
    let parts = [key_pair(spec), security_group(spec), elastic_ip(spec), Some(instance(spec))];
    parts.into_iter().flatten().chain(records(spec)).collect()
}

/// With eight digits of the key's digest: another key makes another pair beside the old one.
pub fn key_pair_name(full_name: &str, public_key: &str) -> String {
    let digest = Sha256::digest(without_comment(public_key));
    let suffix: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{full_name}-{suffix}")
}

/// Type and base64 of an OpenSSH key: EC2 keeps no comment.
pub fn without_comment(public_key: &str) -> String {
    public_key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn key_pair(spec: &InstanceSpec) -> Option<Object> {
    let Key::Public(public_key) = &spec.key else { return None };
    let material = public_key.as_deref().map_or(Setting::Unknown, |text| without_comment(text).into());
    Some(Object::new(Kind::KeyPair, &spec.name).with("key_name", key_name(spec)).with("public_key", material))
}

fn key_name(spec: &InstanceSpec) -> Setting {
    match &spec.key {
        Key::Name(name) => name.clone(),
        Key::Public(None) => Setting::Unknown,
        Key::Public(Some(public_key)) => key_pair_name(&spec.full_name, public_key).into(),
    }
}

fn security_group(spec: &InstanceSpec) -> Option<Object> {
    let Security::Own { vpc, rules, exclusive, description } = &spec.security else { return None };
    let mut group = Object::new(Kind::SecurityGroup, &spec.name)
        .with("vpc", vpc.clone())
        .with("group_name", spec.full_name.as_str())
        .with("description", *description);
    match rules {
        Some(rules) => group.settings.extend(rules.iter().map(|rule| (rule.rule.to_string(), rule.description.into()))),
        None => group = group.with(UNKNOWN_KEYS, Setting::Unknown),
    }
    Some(match exclusive {
        Some(true) => group.exclusive(&["ingress", "egress"]),
        Some(false) => group,
        None => group.with(UNKNOWN_KEYS, Setting::Unknown),
    })
}

fn elastic_ip(spec: &InstanceSpec) -> Option<Object> {
    let own = spec.elastic_ip == ElasticIp::Own;
    own.then(|| Object::new(Kind::ElasticIp, &spec.name).with("instance", instance_key(&spec.name).reference()))
}

fn instance(spec: &InstanceSpec) -> Object {
    let mut object = Object::new(Kind::Instance, &spec.name)
        .with("image", spec.image.clone())
        .with("type", spec.instance_type.clone())
        .with("subnet", spec.subnet.clone())
        .with("key_name", key_name(spec))
        .with("volume_gib", spec.volume_gib.clone())
        .with("volume_type", "gp3")
        .with("volume_encrypted", true)
        .with("http_tokens", "required")
        .with("http_put_response_hop_limit", "1")
        .with("state", "running");
    object = match &spec.user_data {
        FirstBoot::Known(text) => object.with("user_data", text.as_str()).with("user_data_digest", hex_digest(text)),
        FirstBoot::Unknown => object.with("user_data", Setting::Unknown).with("user_data_digest", Setting::Unknown),
        FirstBoot::Untold => object,
    };
    if spec.ipv6 {
        object = object.with("http_protocol_ipv6", "enabled").with("ipv6_addresses", "1");
    }
    if let ElasticIp::Existing(allocation) = &spec.elastic_ip {
        object = object.with("elastic_ip", allocation.clone());
    }
    if let Some(dns) = &spec.dns {
        object = object.with(format!("tag {DNS_TAG}"), dns_tag(dns));
    }
    match &spec.security {
        Security::Own { .. } => object.with(format!("security_group {}", security_group_key(&spec.name).reference()), ""),
        Security::Groups(None) => object.with(UNKNOWN_KEYS, Setting::Unknown),
        Security::Groups(Some(ids)) => ids.iter().fold(object, |object, id| object.with(format!("security_group {id}"), "")),
    }
}

fn records(spec: &InstanceSpec) -> Vec<Object> {
    let Some(dns) = &spec.dns else { return Vec::new() };
    let instance = instance_key(&spec.name);
    let ipv4 = match (dns.address, &spec.elastic_ip) {
        (DnsAddress::Private, _) => Some(instance.output("private_ip")),
        (DnsAddress::Public, ElasticIp::Own) => Some(elastic_ip_key(&spec.name).output("public_ip")),
        (DnsAddress::Public, ElasticIp::Existing(_)) => Some(instance.output("public_ip")),
        (DnsAddress::Public, ElasticIp::None) => None,
    };
    let ipv6 = spec.ipv6.then(|| instance.output("ipv6_address"));
    let record = |(kind, value): (&str, Option<String>)| {
        let object = Object::new(Kind::DnsRecord, format!("{}/{kind}", spec.name));
        let object = object.with("zone", dns.zone_id.clone()).with("record_name", dns.name.clone()).with("type", kind);
        Some(object.with("ttl", TTL_SECONDS).with(format!("value {}", value?), ""))
    };
    [("A", ipv4), ("AAAA", ipv6)].into_iter().filter_map(record).collect()
}

/// `Z0123 bastion.demo.example.net public`
fn dns_tag(dns: &Dns) -> Setting {
    let address = match dns.address {
        DnsAddress::Public => "public",
        DnsAddress::Private => "private",
    };
    match (dns.zone_id.known(), dns.name.known()) {
        (Some(zone_id), Some(name)) => format!("{zone_id} {name} {address}").into(),
        _ => Setting::Unknown,
    }
}

fn hex_digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_has_another_name_and_a_comment_does_not_matter() {
        let name = key_pair_name("demo-bastion", "ssh-ed25519 AAAA me@example.net\n");
        assert_eq!(name, key_pair_name("demo-bastion", "ssh-ed25519 AAAA"));
        assert_ne!(name, key_pair_name("demo-bastion", "ssh-ed25519 BBBB"));
        assert_eq!(name.len(), "demo-bastion-".len() + 8);
    }

    #[test]
    fn names_carry_the_cluster_once() {
        assert_eq!(full_name("demo", "demo-bastion"), "demo-bastion");
        assert_eq!(full_name("demo", "bastion"), "demo-bastion");
        assert_eq!(full_name("demo", "demolition"), "demo-demolition");
    }
}
