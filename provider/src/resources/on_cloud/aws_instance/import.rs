//! The configuration of an instance that exists, as far as what AWS shows determines it. Finding reaches the cloud; inferring is
//! pure.

use super::config::catalogue_error;
use crate::resources::on_cloud;
use cloud::{Cloud, Direction, Found, Image, ImageQuery, Kind, OBJECT_TAG, ObjectKey, Ports, Protocol, Rule, Wanted};
use render::aws::images;
use render::aws::instance::DNS_TAG;
use schema::{Diagnostic, Diagnostics, Value};
use std::collections::{BTreeMap, BTreeSet};

const KINDS: [Kind; 4] = [Kind::KeyPair, Kind::SecurityGroup, Kind::ElasticIp, Kind::Instance];

/// The objects of one resource, by their keys.
pub struct Imported {
    /// `demo/bastion`
    pub owner_name: String,
    pub objects: BTreeMap<ObjectKey, Found>,
    pub image: Option<Image>,
}

/// By the instance's id or by `<cluster_name>/<name>`.
pub async fn find(cloud: &dyn Cloud, resource: &str, id: &str) -> Result<Imported, Diagnostics> {
    let failed = |error: cloud::CloudError| on_cloud::failed(format!("cannot import {id}"), &error);
    let kinds: BTreeSet<Kind> = KINDS.into();
    let found = cloud.find(&Wanted { kinds, ..Wanted::default() }).await.map_err(failed)?;
    let owner_name = owner_name(&found, resource, id).ok_or_else(|| unknown(resource, id))?;
    let mut objects = objects(&found, &format!("{resource}/{owner_name}"));
    let instance = objects.iter().find(|(key, _)| key.kind == Kind::Instance).map(|(key, found)| (key.clone(), found.clone()));
    let Some((key, instance)) = instance else { return Err(unknown(resource, id).into()) };
    if let Some((zone_id, name, _)) = dns_of(&instance) {
        let names = ["A", "AAAA"].map(|kind| (Kind::DnsRecord, format!("{zone_id} {name} {kind}")));
        let wanted = Wanted { kinds: [Kind::DnsRecord].into(), names: names.into(), fresh: false };
        let records = cloud.find(&wanted).await.map_err(failed)?;
        objects.extend(records.into_iter().filter_map(|record| {
            let kind = record.settings.get("type")?;
            Some((ObjectKey::new(Kind::DnsRecord, format!("{}/{kind}", key.name)), record))
        }));
    }
    let query = ImageQuery { ids: instance.settings.get("image").cloned().into_iter().collect(), ..ImageQuery::default() };
    let image = cloud.images(&query).await.map_err(failed)?.into_iter().next();
    Ok(Imported { owner_name, objects, image })
}

impl Imported {
    /// Attributes that both resources have, and `ids`. User data is not among what AWS shows: what it holds is left null. So is the
    /// address that records have anyway, `own_address`.
    pub fn values(&self, own_address: &str) -> Result<Value, Diagnostics> {
        let (cluster, name) = self.owner_name.split_once('/').unwrap_or_default();
        let mut values = Value::object([("name", name.into()), ("cluster_name", cluster.into())]);
        let Some(instance) = self.of_kind(Kind::Instance) else { return Ok(values) };
        let setting = |key: &str| Value::from(instance.settings.get(key).cloned());
        for (attribute, key) in [("subnet_id", "subnet"), ("instance_type", "type"), ("image_id", "image")] {
            values.set(attribute, setting(key));
        }
        let name_of_image = self.image.as_ref().map(images::recognise).transpose().map_err(catalogue_error)?.flatten();
        values.set("image", name_of_image.into());
        let gib = instance.settings.get("volume_gib").and_then(|gib| gib.parse::<u64>().ok());
        values.set("volume_gib", gib.into());
        values.set("ipv6", (instance.settings.get("http_protocol_ipv6").map(String::as_str) == Some("enabled")).into());
        values.set("elastic_ip", self.of_kind(Kind::ElasticIp).is_some().into());
        match self.of_kind(Kind::KeyPair) {
            Some(pair) => values.set("public_key", pair.settings.get("public_key").cloned().into()),
            None => values.set("key_name", setting("key_name")),
        }
        match self.of_kind(Kind::SecurityGroup) {
            Some(group) => {
                values.set("vpc_id", group.settings.get("vpc").cloned().into());
                values.set("ssh_cidrs", some(self.peers(22)));
            }
            None => values
                .set("security_group_ids", rest_of(instance, "security_group").map(str::to_owned).collect::<Vec<_>>().into()),
        }
        if let Some((zone_id, name, address)) = dns_of(instance) {
            let address = Some(address).filter(|address| *address != own_address);
            let attributes = [("zone_id", zone_id.into()), ("name", name.into()), ("address", address.into())];
            values.set("dns", Value::object(attributes));
        }
        let ids = self.objects.iter().map(|(key, found)| (key.to_string(), Value::from(found.id.clone())));
        values.set("ids", Value::Map(ids.collect()));
        Ok(values)
    }

    /// Who the security group lets in to a TCP port.
    pub fn peers(&self, port: u16) -> Vec<String> {
        self.ingress().filter(|rule| of_port(rule) == Some(port)).map(|rule| rule.peer.to_string()).collect()
    }

    /// The TCP ports that the security group lets somebody in to.
    pub fn ports(&self) -> BTreeSet<u16> {
        self.ingress().filter_map(|rule| of_port(&rule)).collect()
    }

    fn ingress(&self) -> impl Iterator<Item = Rule> {
        let rules = self.of_kind(Kind::SecurityGroup).into_iter().flat_map(|group| group.settings.keys());
        rules.filter_map(|key| key.parse::<Rule>().ok()).filter(|rule| rule.direction == Direction::Ingress)
    }

    fn of_kind(&self, kind: Kind) -> Option<&Found> {
        self.objects.iter().find(|(key, _)| key.kind == kind).map(|(_, found)| found)
    }
}

/// A list, or null where it would be empty.
pub fn some(items: Vec<String>) -> Value {
    if items.is_empty() { Value::Null } else { items.into() }
}

fn of_port(rule: &Rule) -> Option<u16> {
    match (rule.protocol, rule.ports) {
        (Protocol::Tcp, Ports::One(port)) => Some(port),
        _ => None,
    }
}

fn owner_name(found: &[Found], resource: &str, id: &str) -> Option<String> {
    let of_resource = |found: &Found| {
        let owner = found.tag(OBJECT_TAG)?.split(' ').next()?;
        owner.strip_prefix(resource)?.strip_prefix('/').map(str::to_owned)
    };
    let instances = found.iter().filter(|found| found.kind == Kind::Instance);
    instances
        .filter_map(|found| Some((found, of_resource(found)?)))
        .find(|(found, owner)| found.id == id || owner == id)
        .map(|(_, owner)| owner)
}

fn objects(found: &[Found], owner: &str) -> BTreeMap<ObjectKey, Found> {
    let key = |found: &Found| {
        let (tagged, key) = found.owned()?;
        (tagged == owner).then_some(key)
    };
    found.iter().filter_map(|found| Some((key(found)?, found.clone()))).collect()
}

fn dns_of(instance: &Found) -> Option<(&str, &str, &str)> {
    let mut words = instance.tag(DNS_TAG)?.split(' ');
    Some((words.next()?, words.next()?, words.next()?))
}

/// What follows a first word of the keys.
fn rest_of<'a>(found: &'a Found, word: &'a str) -> impl Iterator<Item = &'a str> {
    found.settings.keys().filter_map(move |key| key.strip_prefix(word)?.strip_prefix(' '))
}

fn unknown(resource: &str, id: &str) -> Diagnostic {
    Diagnostic::error(format!("there is no {resource} {id}")).detail(
        "Give the id of its instance (i-0123456789abcdef0) or <cluster_name>/<name>. Only an instance that this resource created can be imported: it has \
         the tag k8s-hardway/object, and the user data of other instances cannot be read.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::on_cloud::CloudResource;
    use crate::resources::on_cloud::bastion::Bastion;
    use crate::resources::on_cloud::egress_proxy::EgressProxy;
    use cloud::{Graph, Resolver, Setting, object_tag};

    fn planned(changes: &[(&str, Value)]) -> Value {
        let mut planned = Value::object([
            ("name", "bastion".into()),
            ("cluster_name", "demo".into()),
            ("subnet_id", "subnet-1".into()),
            ("security_group_ids", vec!["sg-1", "sg-2"].into()),
            ("instance_type", "t4g.nano".into()),
            ("image", "debian-12".into()),
            ("image_id", "ami-1".into()),
            ("public_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc3Rpb24tb2YtdGhlLWRlbW8tY2x1c3RlcgAA".into()),
            ("elastic_ip", false.into()),
            ("ipv6", false.into()),
            ("volume_gib", 8.into()),
        ]);
        changes.iter().for_each(|(name, value)| planned.set(name, value.clone()));
        planned
    }

    fn debian() -> Image {
        Image {
            id: "ami-1".into(),
            name: "debian-12-arm64-20261101-1".into(),
            architecture: "arm64".into(),
            created_at: String::new(),
            owner: "136693071363".into(),
            root_device: "/dev/xvda".into(),
        }
    }

    /// What AWS shows once the graph exists.
    fn exists(graph: &Graph, owner: &str) -> Vec<Found> {
        let made: BTreeMap<ObjectKey, Found> = graph
            .iter()
            .map(|object| {
                let mut found = Found::new(object.key.kind, format!("{}-1", object.key.kind));
                for output in ["public_ip", "private_ip", "ipv6_address"] {
                    found.outputs.insert(output.into(), format!("the-{output}"));
                }
                (object.key.clone(), found)
            })
            .collect();
        let resolver = Resolver::new(&made);
        let settings = |(key, setting): (&String, &Setting)| {
            Some((resolver.resolve(key)?, resolver.resolve(setting.known()?)?)).filter(|(key, _)| key != "user_data")
        };
        let shown = graph.iter().map(|object| {
            let mut found = made[&object.key].clone();
            found.settings = object.settings.iter().filter_map(settings).collect();
            found.settings.insert(format!("tag {OBJECT_TAG}"), object_tag(owner, &object.key));
            found
        });
        shown.collect()
    }

    fn graph<R: CloudResource>(resource: &R, values: &Value) -> cloud::Graph {
        resource.graph(&resource.spec(values).unwrap().unwrap())
    }

    /// Everything that was declared comes back, so that the graph is the same.
    #[track_caller]
    fn check<R: CloudResource>(resource: &R, declared: &Value) -> Value {
        let graph = graph(resource, declared);
        let owner = format!("{}/demo/bastion", resource.name());
        let found = exists(&graph, &owner);
        let owner_name = owner_name(&found, resource.name(), "instance-1").unwrap();
        assert_eq!(super::owner_name(&found, resource.name(), "demo/bastion"), Some(owner_name.clone()));
        assert_eq!(super::owner_name(&found, "k8s_other", "demo/bastion"), None);
        let all = objects(&found, &owner);
        assert_eq!(all.len(), graph.len());
        let imported = Imported { owner_name, objects: all, image: Some(debian()) };
        let values = imported.values("public").unwrap();
        for key in graph.iter().map(|object| object.key.to_string()) {
            assert!(values.get("ids").get(&key).as_str().is_some(), "{key}");
        }
        values
    }

    #[track_caller]
    fn check_round_trip(changes: &[(&str, Value)]) {
        let declared = planned(changes);
        let values = check(&Bastion, &declared);
        assert_eq!(graph(&Bastion, &values), graph(&Bastion, &declared));
        assert_eq!(values.get("image"), declared.get("image"));
    }

    #[test]
    fn a_bastion_comes_back_as_it_was_declared() {
        check_round_trip(&[]);
        check_round_trip(&[("public_key", Value::Null), ("key_name", "mine".into())]);
        let dns = [("zone_id", "Z1".into()), ("name", "b.example.net".into()), ("address", "private".into())];
        check_round_trip(&[("elastic_ip", true.into()), ("ipv6", true.into()), ("dns", Value::object(dns))]);
        let ssh = vec!["198.51.100.0/24", "2001:db8:77::/48"];
        check_round_trip(&[("security_group_ids", Value::Null), ("vpc_id", "vpc-1".into()), ("ssh_cidrs", ssh.into())]);
    }

    #[test]
    fn an_imported_proxy_has_no_user_data_to_compare() {
        let clients = vec!["10.0.0.0/16"];
        let declared = planned(&[
            ("port", 8080.into()),
            ("client_cidrs", clients.clone().into()),
            ("allowed_domains", vec!["registry.k8s.io"].into()),
            ("security_group_ids", Value::Null),
            ("vpc_id", "vpc-1".into()),
        ]);
        let mut values = check(&EgressProxy, &declared);
        values.set("port", 8080.into());
        values.set("client_cidrs", clients.into());
        let graph = graph(&EgressProxy, &values);
        let instance = graph.of_kind(Kind::Instance).next().unwrap();
        assert!(!instance.settings.contains_key("user_data_digest"));
        assert_eq!(graph.of_kind(Kind::SecurityGroup).count(), 1);
    }

    #[test]
    fn another_image_than_the_catalogues_is_given_by_its_id() {
        let graph = graph(&Bastion, &planned(&[]));
        let objects = objects(&exists(&graph, "k8s_bastion/demo/bastion"), "k8s_bastion/demo/bastion");
        let image = Some(Image { owner: "111111111111".into(), ..debian() });
        let values = Imported { owner_name: "demo/bastion".into(), objects, image }.values("public").unwrap();
        assert!(values.get("image").is_null());
        assert_eq!(values.get("image_id").as_str(), Some("ami-1"));
    }
}
