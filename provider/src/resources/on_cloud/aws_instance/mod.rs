//! What `k8s_bastion` and `k8s_egress_proxy` share: one instance with key pair, security group, Elastic IP and records, from an image
//! that is chosen once.

pub mod attributes;
pub mod config;
mod import;
pub mod validate;

pub use config::{Config, Role};
pub use import::{Imported, find};

use crate::resources::on_cloud::open::Decides;
use crate::resources::on_cloud::{self, Known};
use cloud::{Cloud, Image, Kind, ObjectKey};
use config::catalogue_error;
use render::aws::images;
use render::aws::instance::{DnsAddress, elastic_ip_key, instance_key, security_group_key};
use render::aws::user_data::LIMIT;
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Value, decode};

pub const DECIDES: &[Decides] = &[
    Decides { path: &["dns"], objects: &[Kind::DnsRecord], settings: &[], outputs: &["ssh_host", "proxy_environment"] },
    Decides {
        path: &["elastic_ip"],
        objects: &[Kind::ElasticIp, Kind::DnsRecord],
        settings: &[],
        outputs: &["public_ip", "ssh_host"],
    },
];

/// `demo/bastion`: two clusters may have a bastion of one name.
pub fn owner_name(planned: &Value) -> Option<String> {
    Some(format!("{}/{}", planned.get("cluster_name").as_str()?, planned.get("name").as_str()?))
}

pub fn main_object(planned: &Value) -> ObjectKey {
    instance_key(planned.get("name").as_str().unwrap_or_default())
}

/// The image that was chosen stays while nothing is asked for that it is not.
pub fn keep(prior: Option<&Value>, planned: &mut Value) {
    // The comment of a public key says nothing to AWS: with another one it is the same key.
    let key =
        |values: &Value| values.get("public_key").as_str().map(|text| text.split(' ').take(2).collect::<Vec<_>>().join(" "));
    if let Some(prior) = prior.filter(|prior| key(prior).is_some() && key(prior) == key(planned)) {
        planned.set("public_key", prior.get("public_key").clone());
    }
    let Some(image) = planned.get("image").as_str() else { return };
    // An id that the state does not have was given beside the name.
    let is_pinned =
        planned.get("image_id").as_str().is_some_and(|id| prior.is_none_or(|prior| prior.get("image_id").as_str() != Some(id)));
    if is_pinned {
        return;
    }
    let kept = prior.filter(|prior| prior.get("image").as_str() == Some(image) && architecture(prior) == architecture(planned));
    let image_id = kept.map(|prior| prior.get("image_id").clone()).filter(|id| !id.is_null());
    planned.set("image_id", image_id.unwrap_or(Value::Unknown));
}

/// Asks for the newest image where none was chosen yet.
pub async fn choose(cloud: &dyn Cloud, planned: &mut Value) -> Result<(), Diagnostic> {
    if planned.get("image_id").as_str().is_some() || planned.get("image").is_null() {
        return Ok(());
    }
    let image = newest_image(cloud, planned).await?;
    planned.set("image_id", image.id.into());
    Ok(())
}

/// A newer image is reported, never used; an instance type that the region does not have is an error.
pub async fn preflight(cloud: &dyn Cloud, planned: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if planned.get("image").as_str().is_some() {
        match newest_image(cloud, planned).await {
            Ok(newest) => diagnostics.extend(newer_image(planned, &newest)),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    let Some(instance_type) = planned.get("instance_type").as_str() else { return diagnostics };
    match cloud.instance_types(&[instance_type.to_owned()].into()).await {
        Ok(known) => diagnostics.extend(validate::validate_offer(planned, &known, &cloud.region())),
        Err(error) => diagnostics.push(on_cloud::failed("cannot look up instance types", &error)),
    }
    diagnostics
}

pub fn outputs(planned: &Value, known: &Known<'_>, default: DnsAddress) -> Vec<(&'static str, Value)> {
    let name = planned.get("name").as_str().unwrap_or_default();
    let instance = instance_key(name);
    let public_ip = match planned.get("elastic_ip").as_bool() {
        Some(true) => known.output(&elastic_ip_key(name), "public_ip"),
        _ => known.output(&instance, "public_ip"),
    };
    let (private_ip, ipv6_address) = (known.output(&instance, "private_ip"), known.output(&instance, "ipv6_address"));
    let dns = match dns_address(planned, default) {
        Some(DnsAddress::Public) => planned.get("dns").get("name").clone(),
        _ => Value::Null,
    };
    let hosts = [&dns, &public_ip, &ipv6_address, &private_ip];
    let ssh_host = hosts.into_iter().find(|host| !host.is_null()).cloned().unwrap_or_default();
    let own_group = !planned.get("vpc_id").is_null();
    vec![
        ("instance_id", known.id(&instance)),
        ("ssh_host", ssh_host),
        ("ssh_user", ssh_user(planned)),
        ("security_group_id", if own_group { known.id(&security_group_key(name)) } else { Value::Null }),
        ("public_ip", public_ip),
        ("private_ip", private_ip),
        ("ipv6_address", ipv6_address),
    ]
}

/// What the A record says; `None` without records.
pub fn dns_address(planned: &Value, default: DnsAddress) -> Option<DnsAddress> {
    let dns = planned.get("dns");
    match dns.get("address").as_str() {
        _ if dns.is_null() => None,
        Some("private") => Some(DnsAddress::Private),
        Some(_) => Some(DnsAddress::Public),
        None => Some(default),
    }
}

/// EC2 refuses more.
pub fn check_size(user_data: &str, attribute: &str) -> Result<(), Diagnostic> {
    if user_data.len() <= LIMIT {
        return Ok(());
    }
    Err(Diagnostic::error(format!("the user data of the instance has {} bytes", user_data.len()))
        .detail(format!("EC2 accepts at most {LIMIT}. Shorten {attribute}: \".example.net\" stands for all names below it."))
        .at(AttributePath::attribute(attribute)))
}

fn architecture(values: &Value) -> Option<&'static str> {
    let config: Config = decode(values).ok()?;
    config.architecture().map(images::aws_architecture)
}

fn ssh_user(planned: &Value) -> Value {
    match decode::<Config>(planned).and_then(|config| config.catalogue_image()) {
        Ok(Field::Known(image)) => image.user.into(),
        Ok(Field::Unknown) => Value::Unknown,
        _ => Value::Null,
    }
}

async fn newest_image(cloud: &dyn Cloud, planned: &Value) -> Result<Image, Diagnostic> {
    let config: Config = decode(planned)?;
    let at = || AttributePath::attribute("image");
    let name = config.image.known().cloned().unwrap_or_default();
    let none = |reason: String| {
        Diagnostic::error(format!("no image {name} for this instance"))
            .detail(format!("{reason} Name another image of the catalogue, or give image_id."))
            .at(at())
    };
    let entry = images::find(&name).map_err(catalogue_error)?.ok_or_else(|| none("The catalogue does not know it.".into()))?;
    let architecture =
        config.architecture().ok_or_else(|| none("The instance type does not determine an architecture.".into()))?;
    let region = cloud.region();
    let query =
        entry.query(architecture, &region).ok_or_else(|| none(format!("Its publisher has no images in region {region}.")))?;
    let images =
        cloud.images(&query).await.map_err(|error| on_cloud::failed(format!("cannot look up image {name}"), &error).at(at()))?;
    let newest = images::newest(&images).cloned();
    newest.ok_or_else(|| none(format!("Region {region} has none for {}.", images::aws_architecture(architecture))))
}

fn newer_image(planned: &Value, newest: &Image) -> Option<Diagnostic> {
    let chosen = planned.get("image_id").as_str().filter(|chosen| *chosen != newest.id)?;
    let summary = format!("{} has a newer image than {chosen}: {} ({})", planned.get("image").as_str()?, newest.id, newest.name);
    let way = "The instance keeps its image. To move on, run `terraform apply -replace=<address of this resource>`.";
    Some(Diagnostic::warning(summary).detail(way).at(AttributePath::attribute("image")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(image: &str, instance_type: &str, image_id: Value) -> Value {
        Value::object([("image", image.into()), ("instance_type", instance_type.into()), ("image_id", image_id)])
    }

    #[track_caller]
    fn check_kept(prior: Option<Value>, mut planned: Value, expect: Value) {
        keep(prior.as_ref(), &mut planned);
        assert_eq!(planned.get("image_id"), &expect);
    }

    #[test]
    fn the_image_stays_until_another_is_asked_for() {
        let prior = || Some(values("debian-12", "t4g.nano", "ami-1".into()));
        check_kept(None, values("debian-12", "t4g.nano", Value::Unknown), Value::Unknown);
        check_kept(prior(), values("debian-12", "t4g.nano", "ami-1".into()), "ami-1".into());
        check_kept(prior(), values("debian-12", "t4g.small", "ami-1".into()), "ami-1".into());
        check_kept(prior(), values("debian-12", "t3.nano", "ami-1".into()), Value::Unknown);
        check_kept(prior(), values("ubuntu-24.04", "t4g.nano", "ami-1".into()), Value::Unknown);
        check_kept(None, values("debian-12", "t4g.nano", "ami-7".into()), "ami-7".into());
        check_kept(prior(), values("debian-12", "t4g.nano", "ami-7".into()), "ami-7".into());
        let mut own = values("", "t4g.nano", "ami-9".into());
        own.set("image", Value::Null);
        check_kept(prior(), own, "ami-9".into());
    }

    #[test]
    fn a_newer_image_is_a_warning() {
        let newest = Image {
            id: "ami-2".into(),
            name: "debian-12-arm64-20261101-1".into(),
            architecture: "arm64".into(),
            created_at: String::new(),
            owner: String::new(),
            root_device: String::new(),
        };
        let warning = newer_image(&values("debian-12", "t4g.nano", "ami-1".into()), &newest).unwrap();
        assert_eq!(warning.summary, "debian-12 has a newer image than ami-1: ami-2 (debian-12-arm64-20261101-1)");
        assert_eq!(warning.severity, schema::Severity::Warning);
        assert_eq!(newer_image(&values("debian-12", "t4g.nano", "ami-2".into()), &newest), None);
        assert_eq!(newer_image(&values("debian-12", "t4g.nano", Value::Unknown), &newest), None);
    }

    #[test]
    fn user_data_that_is_too_long_names_what_to_shorten() {
        assert!(check_size(&"x".repeat(LIMIT), "allowed_domains").is_ok());
        let error = check_size(&"x".repeat(LIMIT + 1), "allowed_domains").unwrap_err();
        assert_eq!(error.path, Some(AttributePath::attribute("allowed_domains")));
    }
}
