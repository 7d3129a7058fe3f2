//! What is wrong with an instance, said at plan with the attribute and a value that would do. Pure.

mod access;

use crate::network::parse_cidr;
use crate::resources::attributes;
use crate::resources::on_cloud::tags;
use cloud::InstanceType;
use ipnet::IpNet;
use render::aws::images;
use schema::{AttributePath, Diagnostic, Diagnostics, Value, ValueAt};

/// Who has to say from where SSH comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ssh {
    Required,
    Optional,
}

pub fn validate(config: &Value, ssh: Ssh) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for name in ["name", "cluster_name"] {
        attributes::validate_cluster_name(&ValueAt::of(config).get(name), &mut diagnostics);
    }
    diagnostics.extend(ids(config));
    diagnostics.extend(security(config, ssh));
    diagnostics.extend(image(config));
    diagnostics.extend(instance_type(config));
    diagnostics.extend(access::validate(config));
    diagnostics.extend(dns(config));
    diagnostics.extend(tags::mistakes(config.get("tags"), &Value::Null, &AttributePath::attribute("tags")));
    diagnostics
}

/// Of a region that was asked: one entry for each type that it has.
pub fn validate_offer(planned: &Value, offered: &[InstanceType], region: &str) -> Option<Diagnostic> {
    let name = planned.get("instance_type").as_str()?;
    let at = AttributePath::attribute("instance_type");
    let Some(known) = offered.iter().find(|known| known.name == name) else {
        let detail = "Choose a type that `aws ec2 describe-instance-type-offerings` lists, such as t3.nano or t4g.nano.";
        return Some(mistake(format!("region {region} has no instance type {name}"), detail, at));
    };
    let wanted = planned.get("architecture").as_str()?;
    let fits = known.architectures.iter().any(|architecture| architecture == wanted);
    (!fits).then(|| architecture_mistake(name, &known.architectures.join(", "), wanted))
}

/// Networks of a list; each mistake with its place.
pub fn networks(config: &Value, path: &AttributePath, diagnostics: &mut Diagnostics) -> Vec<(AttributePath, IpNet)> {
    let mut networks = Vec::new();
    for (index, item) in config.as_list().into_iter().flatten().enumerate() {
        let at = path.clone().index(index);
        match item.as_str().map(|text| parse_cidr(text, &at)) {
            Some(Ok(network)) => networks.push((at, network)),
            Some(Err(diagnostic)) => diagnostics.push(diagnostic),
            None => {}
        }
    }
    networks
}

pub fn mistake(summary: impl Into<String>, detail: impl Into<String>, at: AttributePath) -> Diagnostic {
    Diagnostic::error(summary).detail(detail).at(at)
}

/// Two attributes of which exactly one is needed; unknown ones count as given.
pub fn either(config: &Value, one: &str, other: &str, example: &str) -> Option<Diagnostic> {
    match (config.get(one).is_null(), config.get(other).is_null()) {
        (true, true) => Some(mistake(
            format!("neither {one} nor {other} is given"),
            format!("Give one of them, such as {example}."),
            AttributePath::attribute(one),
        )),
        (false, false) if !config.get(one).is_unknown() && !config.get(other).is_unknown() => Some(mistake(
            format!("both {one} and {other} are given"),
            format!("Leave one of them out; for example keep {example}."),
            AttributePath::attribute(other),
        )),
        _ => None,
    }
}

fn ids(config: &Value) -> Diagnostics {
    let single = [("subnet_id", "subnet-"), ("vpc_id", "vpc-"), ("image_id", "ami-"), ("elastic_ip_id", "eipalloc-")];
    let mut diagnostics: Diagnostics =
        single.into_iter().filter_map(|(name, prefix)| id(config.get(name), prefix, AttributePath::attribute(name))).collect();
    let path = AttributePath::attribute("security_group_ids");
    let groups = config.get("security_group_ids").as_list();
    let wrong = groups.into_iter().flatten().enumerate().filter_map(|(index, item)| id(item, "sg-", path.clone().index(index)));
    diagnostics.extend(wrong);
    if groups.is_some_and(<[Value]>::is_empty) {
        let detail =
            "Without a group nothing comes in. Give at least one, such as [\"sg-0123456789abcdef0\"], or vpc_id to create one.";
        diagnostics.push(mistake("security_group_ids is empty", detail, path));
    }
    diagnostics
}

/// Emulators give other lengths and letters: only what is clearly something else is refused.
fn id(value: &Value, prefix: &str, at: AttributePath) -> Option<Diagnostic> {
    let text = value.as_str()?;
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    let is_id = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (!is_id).then(|| {
        mistake(
            format!("{text:?} is not an id of this kind"),
            format!("It begins with {prefix:?}, such as \"{prefix}0123456789abcdef0\"."),
            at,
        )
    })
}

fn security(config: &Value, ssh: Ssh) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    diagnostics.extend(either(config, "security_group_ids", "vpc_id", "security_group_ids = [\"sg-0123456789abcdef0\"]"));
    let at = AttributePath::attribute("ssh_cidrs");
    let cidrs = config.get("ssh_cidrs");
    let (vpc, groups) = (config.get("vpc_id"), config.get("security_group_ids"));
    // One of the two is given, also while it is not known which.
    let (own_group, is_given) = (vpc.is_set() || (!vpc.is_null() && groups.is_null()), cidrs.is_set());
    let is_empty = cidrs.is_null() || cidrs.as_list().is_some_and(<[Value]>::is_empty);
    if is_given && vpc.is_null() && !groups.is_null() {
        let detail = "They are rules of the security group that vpc_id creates. Leave ssh_cidrs out, and declare the rules in the groups of security_group_ids.";
        diagnostics.push(mistake("ssh_cidrs is given without vpc_id", detail, at.clone()));
    } else if own_group && is_empty && ssh == Ssh::Required {
        let detail =
            "A bastion that admits nobody is of no use. Give the networks that you come from, such as [\"198.51.100.0/24\"].";
        diagnostics.push(mistake("nothing may reach the bastion", detail, at.clone()));
    }
    for (at, network) in networks(cidrs, &at, &mut diagnostics) {
        if network.prefix_len() == 0 {
            let warning = Diagnostic::warning(format!("SSH is open to {network}"));
            diagnostics.push(
                warning
                    .detail("Anyone may try keys there. Give the networks that you come from, such as 198.51.100.0/24.")
                    .at(at),
            );
        }
    }
    diagnostics
}

fn image(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if config.get("image").is_null() && config.get("image_id").is_null() {
        let detail = "Give one of them, such as image = \"debian-12\".";
        diagnostics.push(mistake("neither image nor image_id is given", detail, AttributePath::attribute("image")));
    }
    let known = images::names().unwrap_or_default();
    if let Some(name) = config.get("image").as_str()
        && !known.iter().any(|known| known == name)
    {
        let detail =
            format!("It has {}. Another image is given by its id: image_id = \"ami-0123456789abcdef0\".", known.join(", "));
        diagnostics.push(mistake(format!("the catalogue has no image {name:?}"), detail, AttributePath::attribute("image")));
    }
    diagnostics
}

fn instance_type(config: &Value) -> Option<Diagnostic> {
    let name = config.get("instance_type").as_str()?;
    let Some(told) = images::architecture_of(name).map(images::aws_architecture) else {
        let detail = "It is family and size with a dot between them, such as t4g.nano.";
        return Some(mistake(format!("{name:?} is not an instance type"), detail, AttributePath::attribute("instance_type")));
    };
    let declared = config.get("architecture").as_str()?;
    (declared != told).then(|| architecture_mistake(name, told, declared))
}

fn architecture_mistake(instance_type: &str, has: &str, wanted: &str) -> Diagnostic {
    let example = if wanted == "arm64" { "t4g.nano" } else { "t3.nano" };
    let detail = format!(
        "An image of another architecture does not start on it. Leave architecture out, or choose a type such as {example}."
    );
    mistake(format!("instance type {instance_type} is {has}, not {wanted}"), detail, AttributePath::attribute("architecture"))
}

fn dns(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let (dns, at) = (config.get("dns"), AttributePath::attribute("dns"));
    if dns.as_map().is_none() {
        return diagnostics;
    }
    if let Some(zone) = dns.get("zone_id").as_str() {
        let id = zone.trim_start_matches("/hostedzone/");
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
            let detail = "It is what Route 53 shows as hosted zone ID, such as \"Z0123456789ABCDEFGHIJ\"; not the zone's name.";
            diagnostics.push(mistake(format!("{zone:?} is not the id of a hosted zone"), detail, at.clone().then("zone_id")));
        }
    }
    if let Some(name) = dns.get("name").as_str()
        && (!attributes::is_dns_name(name) || name.starts_with('*') || !name.contains('.'))
    {
        let detail = "Give the whole name without scheme, port or final dot, such as \"bastion.demo.example.net\".";
        diagnostics.push(mistake(format!("{name:?} is not a name for a record"), detail, at.clone().then("name")));
    }
    if dns.get("address").as_str() == Some("public") && !has_public_address(config) {
        diagnostics.push(no_address(at.then("address")));
    }
    diagnostics
}

/// Where the default is the public address.
pub fn validate_public_dns(config: &Value) -> Option<Diagnostic> {
    let dns = config.get("dns");
    let by_default = dns.as_map().is_some() && dns.get("address").is_null();
    (by_default && !has_public_address(config)).then(|| no_address(AttributePath::attribute("dns")))
}

fn no_address(at: AttributePath) -> Diagnostic {
    let detail = "An address that the subnet assigns changes after each stop. Set elastic_ip = true, elastic_ip_id, or ipv6 = true; or dns.address = \"private\".";
    mistake("the records would have no address to name", detail, at)
}

fn has_public_address(config: &Value) -> bool {
    let maybe = |name: &str| config.get(name).is_unknown() || config.get(name).as_bool() == Some(true);
    maybe("elastic_ip") || maybe("ipv6") || !config.get("elastic_ip_id").is_null()
}
