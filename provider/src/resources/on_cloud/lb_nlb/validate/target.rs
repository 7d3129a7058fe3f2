//! Rules of a listener's target group.

use super::{Listener, name_mistake, or_default, validate_id};
use render::aws::nlb::is_datagram;
use schema::{Diagnostics, ValueAt};
use std::net::IpAddr;

pub fn validate(listener: &Listener<'_>, found: &mut Diagnostics) {
    let target = listener.declared.get("target");
    let kind = or_default(&target.get("type"), "ip");
    let family = or_default(&target.get("address_family"), "ipv4");
    let group_name = target.get("group_name");
    if let Some((name, rule)) = group_name.as_str().and_then(|name| Some((name, name_mistake(name)?))) {
        let detail = format!("{rule}. Leave it out, and one is derived.");
        found.push(group_name.error(format!("{name:?} cannot be the name of a target group"), detail));
    }
    validate_protocol(listener, &target.get("protocol"), found);
    validate_client_addresses(listener, &target, found);
    validate_family(listener, &target.get("address_family"), (kind, family), found);
    let outside_vpc = target.get("outside_vpc");
    if kind == Some("instance") && outside_vpc.as_bool() == Some(true) {
        let detail = "Leave outside_vpc out, or set type to \"ip\".";
        found.push(outside_vpc.error("targets of type instance are inside the VPC", detail));
    }
    validate_autoscaling_groups(&target.get("autoscaling_group_names"), kind, found);
    for item in target.get("targets").members() {
        match kind {
            Some("instance") => validate_id(&item, "i", found),
            Some(_) => validate_address(&item, family, found),
            None => {}
        }
    }
}

/// Of targets of this type and family, as far as they are known.
fn validate_family(
    listener: &Listener<'_>,
    address_family: &ValueAt<'_>,
    (kind, family): (Option<&str>, Option<&str>),
    found: &mut Diagnostics,
) {
    if family == Some("ipv6") && listener.ip_address_type == Some("ipv4") {
        found.push(
            address_family.error(
                "IPv6 targets need a dualstack load balancer",
                "Set ip_address_type to \"dualstack\", or give IPv4 targets.",
            ),
        );
    }
    if let Some(protocol) = listener.protocol.filter(|protocol| is_datagram(protocol))
        && family == Some("ipv4")
        && listener.ip_address_type == Some("dualstack")
    {
        found.push(address_family.error(
            format!("a {protocol} listener of a dualstack load balancer needs IPv6 targets"),
            "Set address_family to \"ipv6\" and give the IPv6 addresses of the targets, or give UDP a balancer of its own with ip_address_type \
             = \"ipv4\".",
        ));
    }
    if family == Some("ipv6") && kind == Some("instance") {
        let detail = "Set type to \"ip\" and give the IPv6 addresses of the instances.";
        found.push(address_family.error("targets of type instance are IPv4", detail));
    }
}

/// Sets have no paths to their elements: the summary names the value.
fn validate_autoscaling_groups(names: &ValueAt<'_>, kind: Option<&str>, found: &mut Diagnostics) {
    if kind == Some("ip") && names.len().is_some_and(|count| count > 0) {
        let detail = "Set type to \"instance\", or leave autoscaling_group_names out.";
        found.push(names.error("Auto Scaling groups register instances, not addresses", detail));
    }
    for name in names.members() {
        let Some(text) = name.as_str().filter(|text| !is_autoscaling_group_name(text)) else { continue };
        found.push(name.error(
            format!("{text:?} cannot be the name of an Auto Scaling group"),
            "Give its name, such as \"demo-nodes\", not its ARN: 1 to 255 letters, digits and punctuation without ':' and spaces.",
        ));
    }
}

/// The rule of CreateAutoScalingGroup for names.
fn is_autoscaling_group_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() && c != ':')
}

fn validate_protocol(listener: &Listener<'_>, towards: &ValueAt<'_>, found: &mut Diagnostics) {
    let (Some(protocol), Some(text)) = (listener.protocol, towards.as_str()) else { return };
    let usable: &[&str] = match protocol {
        "TCP" => &["TCP", "TCP_UDP"],
        "TLS" => &["TCP", "TLS"],
        "UDP" => &["UDP", "TCP_UDP"],
        _ => &["TCP_UDP"],
    };
    if !usable.contains(&text) {
        let detail = format!("It can to {}. Leave it out for the listener's own.", usable.join(" or "));
        found.push(towards.error(format!("a {protocol} listener cannot forward to {text} targets"), detail));
    }
}

fn validate_client_addresses(listener: &Listener<'_>, target: &ValueAt<'_>, found: &mut Diagnostics) {
    let preserve_client_ip = target.get("preserve_client_ip");
    let protocol = or_default(&target.get("protocol"), listener.protocol.unwrap_or_default());
    let (Some(protocol), Some(preserves)) = (protocol, preserve_client_ip.as_bool()) else { return };
    if is_datagram(protocol) && !preserves {
        let detail = "AWS offers no choice there. Leave preserve_client_ip out.";
        found.push(preserve_client_ip.error(format!("{protocol} targets always see the clients' addresses"), detail));
    } else if preserves && listener.scheme == Some("internal") {
        found.push(preserve_client_ip.warning(
            "a target that connects to itself through this load balancer gets no answer",
            "With preserve_client_ip the packet's source would be the target's own address, which the target drops: the connection times \
             out whenever the balancer chooses the client itself. That is the case where API servers' own hosts are clients of the balancer \
             (kubelet, kube-proxy, controllers). Leave preserve_client_ip out, or make sure that no target is a client.",
        ));
    }
}

fn validate_address(target: &ValueAt<'_>, family: Option<&str>, found: &mut Diagnostics) {
    let Some(text) = target.as_str() else { return };
    let Ok(address) = text.parse::<IpAddr>() else {
        let detail = "Give an address such as \"10.0.1.4\", without a port; for instance ids set type to \"instance\".";
        return found.push(target.error(format!("{text:?} is not an address"), detail));
    };
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() || is_link_local {
        let detail = "Give an address of the VPC, or one in a private range that the VPC reaches.";
        found.push(target.error(format!("{address} cannot be a target"), detail));
    } else if family == Some("ipv4") && address.is_ipv6() {
        let detail = "A target group has one family: set address_family to \"ipv6\", or give IPv4 addresses.";
        found.push(target.error(format!("{address} is not an IPv4 address"), detail));
    } else if family == Some("ipv6") && address.is_ipv4() {
        let detail = "A target group has one family: set address_family to \"ipv4\", or give IPv6 addresses.";
        found.push(target.error(format!("{address} is not an IPv6 address"), detail));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use schema::Value;

    #[track_caller]
    fn check(changes: &[(&str, Value)], expect: &[(&str, &str)]) {
        let changes: Vec<(String, Value)> =
            changes.iter().map(|(name, value)| (format!("listeners.api.target.{name}"), value.clone())).collect();
        let changes: Vec<(&str, Value)> = changes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let expect: Vec<(String, &str)> =
            expect.iter().map(|(at, text)| (format!("listeners[\"api\"].target.{at}"), *text)).collect();
        sample::check(&changes, &expect.iter().map(|(at, text)| (at.as_str(), *text)).collect::<Vec<_>>());
    }

    fn targets(items: &[&str]) -> (&'static str, Value) {
        ("targets", items.to_vec().into())
    }

    #[test]
    fn addresses() {
        check(&[targets(&["cp-1"])], &[("targets", "\"cp-1\" is not an address")]);
        check(&[targets(&["10.0.1.4:6443"])], &[("targets", "\"10.0.1.4:6443\" is not an address")]);
        check(&[targets(&["2001:db8::1"])], &[("targets", "2001:db8::1 is not an IPv4 address")]);
        for bad in ["127.0.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.18"] {
            check(&[targets(&[bad])], &[("targets", &format!("{bad} cannot be a target"))]);
        }
        check(&[("targets", Value::Unknown)], &[]);
        check(&[("targets", Value::List(vec![Value::Unknown, "10.0.1.4".into()]))], &[]);
    }

    #[test]
    fn instances() {
        let instance = ("type", Value::from("instance"));
        check(&[instance.clone(), targets(&["i-0a1b"])], &[]);
        check(&[instance.clone(), targets(&["10.0.1.4"])], &[("targets", "\"10.0.1.4\" is not an id of this kind")]);
        check(
            &[instance, targets(&[]), ("outside_vpc", true.into())],
            &[("outside_vpc", "targets of type instance are inside the VPC")],
        );
    }

    #[test]
    fn autoscaling_groups() {
        let at = "autoscaling_group_names";
        let instance = [("type", "instance".into()), ("targets", Value::Null)];
        let names = |names: &[&str]| [&instance[..], &[(at, names.to_vec().into())]].concat();
        check(&names(&["demo-nodes", "eks-a_b/c.d"]), &[]);
        check(&names(&[&"x".repeat(255)]), &[]);
        let arn = "arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/nodes";
        for bad in ["", "two nodes", arn, &"x".repeat(256)] {
            check(&names(&[bad]), &[(at, &format!("{bad:?} cannot be the name of an Auto Scaling group"))]);
        }
        check(&[(at, vec!["nodes"].into())], &[(at, "Auto Scaling groups register instances, not addresses")]);
        check(&[instance[0].clone(), ("targets", vec!["i-1"].into()), (at, vec!["nodes"].into())], &[]);
        check(&[instance[0].clone(), instance[1].clone(), (at, Value::List(vec![Value::Unknown]))], &[]);
        check(&[(at, vec![""; 0].into())], &[]);
    }

    #[test]
    fn families() {
        let ipv6 = ("address_family", Value::from("ipv6"));
        check(&[ipv6.clone(), targets(&["2001:db8::1"])], &[("address_family", "IPv6 targets need a dualstack load balancer")]);
        let dualstack = ("ip_address_type", Value::from("dualstack"));
        let family = ("listeners.api.target.address_family", Value::from("ipv6"));
        let at = "listeners[\"api\"].target";
        sample::check(
            &[dualstack.clone(), family.clone(), ("listeners.api.target.targets", vec!["10.0.1.4"].into())],
            &[(&format!("{at}.targets"), "10.0.1.4 is not an IPv6 address")],
        );
        sample::check(
            &[dualstack, family, ("listeners.api.target.type", "instance".into()), ("listeners.api.target.targets", Value::Null)],
            &[(&format!("{at}.address_family"), "targets of type instance are IPv4")],
        );
    }

    #[test]
    fn datagrams_over_two_families() {
        for protocol in ["UDP", "TCP_UDP"] {
            let changes = [
                ("listeners.api.protocol", protocol.into()),
                ("ip_address_type", "dualstack".into()),
                ("listeners.api.target.address_family", "ipv6".into()),
                ("listeners.api.target.targets", vec!["2001:db8::53"].into()),
            ];
            let summary = format!("a {protocol} listener of a dualstack load balancer needs IPv6 targets");
            sample::check(&changes[..2], &[("listeners[\"api\"].target.address_family", &summary)]);
            sample::check(&changes[..1], &[]);
            sample::check(&changes, &[]);
        }
    }

    #[test]
    fn protocols() {
        check(&[("protocol", "TCP_UDP".into())], &[]);
        for bad in ["TLS", "UDP"] {
            check(&[("protocol", bad.into())], &[("protocol", &format!("a TCP listener cannot forward to {bad} targets"))]);
        }
    }

    #[test]
    fn client_addresses() {
        let at = "preserve_client_ip";
        check(&[(at, false.into())], &[]);
        check(&[(at, true.into())], &[(at, "a target that connects to itself through this load balancer gets no answer")]);
        check(
            &[(at, false.into()), ("protocol", "TCP_UDP".into())],
            &[(at, "TCP_UDP targets always see the clients' addresses")],
        );
        sample::check(&[("scheme", "internet-facing".into()), ("listeners.api.target.preserve_client_ip", true.into())], &[]);
    }

    #[test]
    fn names_of_groups() {
        check(&[("group_name", "api_1".into())], &[("group_name", "\"api_1\" cannot be the name of a target group")]);
        check(&[("group_name", "api-1".into())], &[]);
    }
}
