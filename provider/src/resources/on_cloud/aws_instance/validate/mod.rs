//! What is wrong with an instance, said at plan with the attribute and a value that would do. Pure.

mod access;

use crate::network::parse_cidr;
use crate::resources::attributes;
use crate::resources::on_cloud::tags;
use cloud::InstanceType;
use ipnet::IpNet;
use render::aws::images;
use schema::{Diagnostic, Diagnostics, Value, ValueAt};

/// Who has to say from where SSH comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ssh {
    Required,
    Optional,
}

pub fn validate(config: &ValueAt<'_>, ssh: Ssh, found: &mut Diagnostics) {
    for name in ["name", "cluster_name"] {
        attributes::validate_cluster_name(&config.get(name), found);
    }
    validate_ids(config, found);
    validate_security(config, ssh, found);
    validate_image(config, found);
    validate_instance_type(config, found);
    access::validate(config, found);
    validate_dns(config, found);
    tags::validate(&config.get("tags"), &Value::Null, found);
}

/// Of a region that was asked: one entry for each type that it has.
pub fn validate_offer(planned: &Value, offered: &[InstanceType], region: &str) -> Option<Diagnostic> {
    let (planned, name) = (ValueAt::of(planned), planned.get("instance_type").as_str()?);
    let Some(known) = offered.iter().find(|known| known.name == name) else {
        let detail = "Choose a type that `aws ec2 describe-instance-type-offerings` lists, such as t3.nano or t4g.nano.";
        return Some(planned.get("instance_type").error(format!("region {region} has no instance type {name}"), detail));
    };
    let architecture = planned.get("architecture");
    let wanted = architecture.as_str()?;
    let fits = known.architectures.iter().any(|architecture| architecture == wanted);
    (!fits).then(|| wrong_architecture(&architecture, name, &known.architectures.join(", "), wanted))
}

/// Networks of a list; each mistake with its place.
pub fn networks<'a>(list: &ValueAt<'a>, found: &mut Diagnostics) -> Vec<(ValueAt<'a>, IpNet)> {
    let mut networks = Vec::new();
    for item in list.items() {
        match item.as_str().map(|text| parse_cidr(text, item.path())) {
            Some(Ok(network)) => networks.push((item, network)),
            Some(Err(diagnostic)) => found.push(diagnostic),
            None => {}
        }
    }
    networks
}

/// Two attributes of which exactly one is needed; unknown ones count as given.
fn require_either(config: &ValueAt<'_>, names: [&str; 2], example: &str, found: &mut Diagnostics) {
    let [one, other] = names.map(|name| config.get(name));
    match (one.is_null(), other.is_null()) {
        (true, true) => found.push(
            one.error(format!("neither {} nor {} is given", names[0], names[1]), format!("Give one of them, such as {example}.")),
        ),
        (false, false) if !one.is_unknown() && !other.is_unknown() => found.push(other.error(
            format!("both {} and {} are given", names[0], names[1]),
            format!("Leave one of them out; for example keep {example}."),
        )),
        _ => {}
    }
}

fn validate_ids(config: &ValueAt<'_>, found: &mut Diagnostics) {
    for (name, prefix) in [("subnet_id", "subnet-"), ("vpc_id", "vpc-"), ("image_id", "ami-"), ("elastic_ip_id", "eipalloc-")] {
        validate_id(&config.get(name), prefix, found);
    }
    let groups = config.get("security_group_ids");
    groups.items().for_each(|group| validate_id(&group, "sg-", found));
    if groups.is_empty() {
        let detail =
            "Without a group nothing comes in. Give at least one, such as [\"sg-0123456789abcdef0\"], or vpc_id to create one.";
        found.push(groups.error("security_group_ids is empty", detail));
    }
}

/// Emulators give other lengths and letters: only what is clearly something else is refused.
fn validate_id(id: &ValueAt<'_>, prefix: &str, found: &mut Diagnostics) {
    let Some(text) = id.as_str() else { return };
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    if rest.is_empty() || !rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        found.push(id.error(
            format!("{text:?} is not an id of this kind"),
            format!("It begins with {prefix:?}, such as \"{prefix}0123456789abcdef0\"."),
        ));
    }
}

fn validate_security(config: &ValueAt<'_>, ssh: Ssh, found: &mut Diagnostics) {
    require_either(config, ["security_group_ids", "vpc_id"], "security_group_ids = [\"sg-0123456789abcdef0\"]", found);
    let cidrs = config.get("ssh_cidrs");
    let (vpc, groups) = (config.get("vpc_id"), config.get("security_group_ids"));
    // One of the two is given, also while it is not known which.
    let own_group = vpc.is_set() || (!vpc.is_null() && groups.is_null());
    if cidrs.is_set() && vpc.is_null() && !groups.is_null() {
        let detail = "They are rules of the security group that vpc_id creates. Leave ssh_cidrs out, and declare the rules in the groups of security_group_ids.";
        found.push(cidrs.error("ssh_cidrs is given without vpc_id", detail));
    } else if own_group && (cidrs.is_null() || cidrs.is_empty()) && ssh == Ssh::Required {
        let detail =
            "A bastion that admits nobody is of no use. Give the networks that you come from, such as [\"198.51.100.0/24\"].";
        found.push(cidrs.error("nothing may reach the bastion", detail));
    }
    for (cidr, network) in networks(&cidrs, found) {
        if network.prefix_len() == 0 {
            let detail = "Anyone may try keys there. Give the networks that you come from, such as 198.51.100.0/24.";
            found.push(cidr.warning(format!("SSH is open to {network}"), detail));
        }
    }
}

fn validate_image(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let image = config.get("image");
    if image.is_null() && config.get("image_id").is_null() {
        let detail = "Give one of them, such as image = \"debian-12\".";
        found.push(image.error("neither image nor image_id is given", detail));
    }
    let known = images::names().unwrap_or_default();
    if let Some(name) = image.as_str().filter(|name| !known.iter().any(|known| known == name)) {
        let detail =
            format!("It has {}. Another image is given by its id: image_id = \"ami-0123456789abcdef0\".", known.join(", "));
        found.push(image.error(format!("the catalogue has no image {name:?}"), detail));
    }
}

fn validate_instance_type(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let instance_type = config.get("instance_type");
    let Some(name) = instance_type.as_str() else { return };
    let Some(has) = images::architecture_of(name).map(images::aws_architecture) else {
        let detail = "It is family and size with a dot between them, such as t4g.nano.";
        return found.push(instance_type.error(format!("{name:?} is not an instance type"), detail));
    };
    let architecture = config.get("architecture");
    if let Some(wanted) = architecture.as_str().filter(|wanted| *wanted != has) {
        found.push(wrong_architecture(&architecture, name, has, wanted));
    }
}

fn wrong_architecture(architecture: &ValueAt<'_>, instance_type: &str, has: &str, wanted: &str) -> Diagnostic {
    let example = if wanted == "arm64" { "t4g.nano" } else { "t3.nano" };
    let detail = format!(
        "An image of another architecture does not start on it. Leave architecture out, or choose a type such as {example}."
    );
    architecture.error(format!("instance type {instance_type} is {has}, not {wanted}"), detail)
}

fn validate_dns(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let dns = config.get("dns");
    let (zone_id, name, address) = (dns.get("zone_id"), dns.get("name"), dns.get("address"));
    if let Some(zone) = zone_id.as_str() {
        let id = zone.trim_start_matches("/hostedzone/");
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
            let detail = "It is what Route 53 shows as hosted zone ID, such as \"Z0123456789ABCDEFGHIJ\"; not the zone's name.";
            found.push(zone_id.error(format!("{zone:?} is not the id of a hosted zone"), detail));
        }
    }
    let is_whole_name = |name: &str| attributes::is_dns_name(name) && !name.starts_with('*') && name.contains('.');
    if let Some(text) = name.as_str().filter(|text| !is_whole_name(text)) {
        let detail = "Give the whole name without scheme, port or final dot, such as \"bastion.demo.example.net\".";
        found.push(name.error(format!("{text:?} is not a name for a record"), detail));
    }
    if address.as_str() == Some("public") && !has_public_address(config) {
        found.push(no_address(&address));
    }
}

/// Where the default is the public address.
pub fn validate_public_dns(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let dns = config.get("dns");
    let by_default = dns.is_set() && dns.get("address").is_null();
    if by_default && !has_public_address(config) {
        found.push(no_address(&dns));
    }
}

fn no_address(dns: &ValueAt<'_>) -> Diagnostic {
    let detail = "An address that the subnet assigns changes after each stop. Set elastic_ip = true, elastic_ip_id, or ipv6 = true; or dns.address = \"private\".";
    dns.error("the records would have no address to name", detail)
}

fn has_public_address(config: &ValueAt<'_>) -> bool {
    let maybe = |name: &str| config.get(name).is_unknown() || config.get(name).as_bool() == Some(true);
    maybe("elastic_ip") || maybe("ipv6") || !config.get("elastic_ip_id").is_null()
}
