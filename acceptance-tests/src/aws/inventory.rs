//! Everything that a test could leave at AWS, one thing a line. Things are named by their tag `Name` (or their own name) and by what
//! they were made with, never by what AWS draws at random, so that inventories of equal topologies are equal texts.

use super::api::Api;
use super::objects;
use super::xml::Element;
use std::collections::{HashMap, HashSet};

pub fn read(api: &Api) -> Vec<String> {
    let world = World::read(api);
    let parts =
        [network(&world), gateways(&world), routes(&world), groups(&world), machines(&world), balancing(&world), zones(api)];
    let mut lines: Vec<String> = parts.into_iter().flatten().collect();
    lines.extend(identities(api));
    // Spaces of what is left out.
    lines.iter_mut().for_each(|line| *line = line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.sort();
    lines
}

/// What other lines refer to, and which of it AWS made by itself.
struct World<'a> {
    api: &'a Api,
    vpcs: Vec<Element>,
    subnets: Vec<Element>,
    names: HashMap<String, String>,
}

impl World<'_> {
    fn read(api: &Api) -> World<'_> {
        let (defaults, vpcs): (Vec<Element>, Vec<Element>) =
            objects::vpcs(api).into_iter().partition(|vpc| vpc.value("isDefault") == "true");
        let defaults: HashSet<&str> = defaults.iter().map(|vpc| vpc.value("vpcId")).collect();
        let subnets = objects::subnets(api).into_iter().filter(|subnet| !defaults.contains(subnet.value("vpcId"))).collect();
        World { api, vpcs, subnets, names: names(api) }
    }

    /// The name behind an id; a dash when it has none.
    fn name(&self, id: &str) -> &str {
        self.names.get(id).map_or("-", String::as_str)
    }

    fn is_ours(&self, vpc: &str) -> bool {
        self.vpcs.iter().any(|other| other.value("vpcId") == vpc)
    }
}

fn names(api: &Api) -> HashMap<String, String> {
    let tags = api.list("ec2", "DescribeTags", "tagSet/item");
    let mut names: HashMap<String, String> = objects::security_groups(api)
        .iter()
        .map(|group| (group.value("groupId").to_string(), group.value("groupName").to_string()))
        .collect();
    let named = tags.iter().filter(|tag| tag.value("key") == "Name");
    names.extend(named.map(|tag| (tag.value("resourceId").to_string(), tag.value("value").to_string())));
    names
}

fn name(element: &Element) -> &str {
    let name = element.tag("Name");
    if name.is_empty() { "-" } else { name }
}

fn network(world: &World) -> Vec<String> {
    let vpc = |vpc: &Element| {
        let ipv6 = if vpc.at("ipv6CidrBlockAssociationSet/item").is_some() { "ipv6" } else { "" };
        let options = match vpc.value("dhcpOptionsId") {
            "default" => String::new(),
            id => format!("dhcp options {}", world.name(id)),
        };
        format!("vpc {} {} {ipv6} {options}", name(vpc), vpc.value("cidrBlock"))
    };
    let subnet = |subnet: &Element| {
        let ipv6 = subnet
            .values("ipv6CidrBlockAssociationSet/item/ipv6CidrBlock")
            .first()
            .map_or(String::new(), |cidr| ipv6_number(cidr));
        format!("subnet {} {} {} {ipv6}", name(subnet), subnet.value("cidrBlock"), subnet.value("availabilityZone"))
    };
    let dhcp_options = |options: &Element| {
        let domain = options.all("dhcpConfigurationSet/item").into_iter().find(|item| item.value("key") == "domain-name");
        let domain = domain.map_or("", |domain| domain.value("valueSet/item/value"));
        format!("dhcp options {} {domain}", name(options))
    };
    let options = world.api.list("ec2", "DescribeDhcpOptions", "dhcpOptionsSet/item");
    let own = options.iter().filter(|options| options.value("dhcpOptionsId") != "default");
    let flow_log = |log: &Element| {
        let kind = (log.value("trafficType"), log.value("logDestinationType"));
        format!("flow log {} of {} {} {}", name(log), world.name(log.value("resourceId")), kind.0, kind.1)
    };
    let logs = world.api.list("ec2", "DescribeFlowLogs", "flowLogSet/item");
    let vpcs = world.vpcs.iter().map(vpc).chain(world.subnets.iter().map(subnet));
    vpcs.chain(own.map(dhcp_options)).chain(logs.iter().map(flow_log)).collect()
}

/// Which /64 of the VPC's block it is: the block itself is drawn at random.
fn ipv6_number(cidr: &str) -> String {
    let group = cidr.split(':').nth(3).unwrap_or_default();
    let low = if group.len() > 2 { &group[group.len() - 2..] } else { group };
    format!("ipv6 number {:0>2}", low)
}

fn gateways(world: &World) -> Vec<String> {
    let attached = |gateway: &Element| {
        gateway.values("attachmentSet/item/vpcId").iter().map(|id| world.name(id)).collect::<Vec<_>>().join(" ")
    };
    let of_default = |gateway: &&Element| gateway.values("attachmentSet/item/vpcId").iter().any(|id| !world.is_ours(id));
    let internet = objects::internet_gateways(world.api);
    let internet = internet
        .iter()
        .filter(|gateway| !of_default(gateway))
        .map(|gateway| format!("internet gateway {} vpc {}", name(gateway), attached(gateway)));
    let egress = objects::egress_only_gateways(world.api);
    let egress = egress.iter().map(|gateway| format!("egress-only internet gateway {} vpc {}", name(gateway), attached(gateway)));
    let nat = objects::nat_gateways(world.api);
    let nat = nat.iter().map(|gateway| format!("nat gateway {} subnet {}", name(gateway), world.name(gateway.value("subnetId"))));
    let address = |address: &Element| {
        let used = if address.value("associationId").is_empty() { "free" } else { "associated" };
        format!("elastic ip {} {used}", name(address))
    };
    let addresses = objects::addresses(world.api);
    let endpoint = |endpoint: &Element| {
        let (service, kind) = (endpoint.value("serviceName"), endpoint.value("vpcEndpointType"));
        format!("vpc endpoint {} {service} {kind}", name(endpoint))
    };
    let endpoints = objects::endpoints(world.api);
    internet.chain(egress).chain(nat).chain(addresses.iter().map(address)).chain(endpoints.iter().map(endpoint)).collect()
}

/// Route tables with their routes and subnets; main tables come and go with their VPC, but what was put into one shows.
fn routes(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for table in objects::route_tables(world.api).iter().filter(|table| world.is_ours(table.value("vpcId"))) {
        let is_main = table.values("associationSet/item/main").contains(&"true");
        let vpc = world.name(table.value("vpcId"));
        let table_name = if is_main { format!("main of {vpc}") } else { name(table).to_string() };
        if !is_main {
            lines.push(format!("route table {table_name} vpc {vpc}"));
        }
        let subnets = table.values("associationSet/item/subnetId").into_iter().map(|id| world.name(id));
        lines.extend(subnets.map(|subnet| format!("route table {table_name} subnet {subnet}")));
        let own = table.all("routeSet/item").into_iter().filter(|route| route.value("gatewayId") != "local");
        lines.extend(own.map(|route| format!("route table {table_name} route {}", route_line(world, route))));
    }
    lines
}

fn route_line(world: &World, route: &Element) -> String {
    let destinations = ["destinationCidrBlock", "destinationIpv6CidrBlock"].map(|path| route.value(path));
    let destination = destinations.into_iter().find(|text| !text.is_empty()).unwrap_or("prefix list");
    let targets = ["gatewayId", "natGatewayId", "egressOnlyInternetGatewayId", "networkInterfaceId", "instanceId"];
    let target = targets.map(|path| route.value(path)).into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let kind = target.split('-').next().unwrap_or_default();
    format!("{destination} to {kind} {}", world.name(target))
}

fn groups(world: &World) -> Vec<String> {
    let all = objects::security_groups(world.api);
    let own: Vec<&Element> = all.iter().filter(|group| group.value("groupName") != "default").collect();
    let is_own = |rule: &&Element| own.iter().any(|group| group.value("groupId") == rule.value("groupId"));
    let rule = |rule: &Element| {
        let direction = if rule.value("isEgress") == "true" { "egress" } else { "ingress" };
        let ports = format!("{}-{}", rule.value("fromPort"), rule.value("toPort"));
        let peers = ["cidrIpv4", "cidrIpv6", "prefixListId"].map(|path| rule.value(path)).join("");
        let group = rule.at("referencedGroupInfo").map_or("", |group| world.name(group.value("groupId")));
        let (of, protocol) = (world.name(rule.value("groupId")), rule.value("ipProtocol"));
        format!("security group rule {of} {direction} {protocol} {ports} {peers}{group}")
    };
    let rules = world.api.list("ec2", "DescribeSecurityGroupRules", "securityGroupRuleSet/item");
    let lines =
        own.iter().map(|group| format!("security group {} {}", world.name(group.value("groupId")), group.value("groupName")));
    lines.chain(rules.iter().filter(is_own).map(rule)).collect()
}

fn machines(world: &World) -> Vec<String> {
    let key = |key: &Element| format!("key pair {}", key.value("keyName"));
    let instance = |instance: &Element| {
        let (kind, state) = (instance.value("instanceType"), instance.value("instanceState/name"));
        format!("instance {} {kind} subnet {} {state}", name(instance), world.name(instance.value("subnetId")))
    };
    let volume = |volume: &Element| {
        let (size, kind, state) = (volume.value("size"), volume.value("volumeType"), volume.value("status"));
        let of = volume.at("attachmentSet/item").map_or(String::new(), |at| format!("of {}", world.name(at.value("instanceId"))));
        format!("volume {} {size} GiB {kind} {state} {of}", name(volume))
    };
    let interface = |interface: &Element| {
        let of = interface.at("attachment/instanceId").map_or(String::new(), |at| format!("of {}", world.name(&at.text)));
        format!("network interface {} subnet {} {of}", name(interface), world.name(interface.value("subnetId")))
    };
    let template = |template: &Element| {
        format!("launch template {} version {}", template.value("launchTemplateName"), template.value("latestVersionNumber"))
    };
    let group = |group: &Element| {
        let sizes = ["MinSize", "DesiredCapacity", "MaxSize"].map(|path| group.value(path)).join(" to ");
        // arn:…:targetgroup/<name>/<number>
        let name_of = |arn: &str| arn.rsplit('/').nth(1).unwrap_or(arn).to_string();
        let attached: Vec<String> = group.values("TargetGroupARNs/member").into_iter().map(name_of).collect();
        let to = if attached.is_empty() { String::new() } else { format!(" attached to {}", attached.join(" ")) };
        format!("auto scaling group {} {sizes}{to}", group.value("AutoScalingGroupName"))
    };
    let list = |action: &str, path: &str| world.api.list("ec2", action, path);
    let mut lines: Vec<String> = list("DescribeKeyPairs", "keySet/item").iter().map(key).collect();
    lines.extend(objects::instances(world.api).iter().map(instance));
    lines.extend(list("DescribeVolumes", "volumeSet/item").iter().map(volume));
    lines.extend(objects::interfaces(world.api).iter().map(interface));
    lines.extend(list("DescribeLaunchTemplates", "launchTemplates/item").iter().map(template));
    lines.extend(objects::auto_scaling_groups(world.api).iter().map(group));
    lines
}

fn balancing(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    let targets = objects::target_groups(world.api);
    let target_name = |arn: &str| {
        let found = targets.iter().find(|group| group.value("TargetGroupArn") == arn);
        found.map_or("-", |group| group.value("TargetGroupName")).to_string()
    };
    for balancer in objects::load_balancers(world.api) {
        let name = balancer.value("LoadBalancerName");
        let rest = ["Type", "Scheme", "IpAddressType"].map(|path| balancer.value(path)).join(" ");
        lines.push(format!("load balancer {name} {rest}"));
        for listener in objects::listeners(world.api, balancer.value("LoadBalancerArn")) {
            let target = target_name(listener.value("DefaultActions/member/TargetGroupArn"));
            lines.push(format!("listener {name} {} {} to {target}", listener.value("Protocol"), listener.value("Port")));
        }
    }
    for group in &targets {
        let rest = ["Protocol", "Port", "TargetType", "IpAddressType"].map(|path| group.value(path)).join(" ");
        lines.push(format!("target group {} {rest}", group.value("TargetGroupName")));
    }
    lines
}

/// Zones and their records, without the two that AWS makes in each.
fn zones(api: &Api) -> Vec<String> {
    let ask = |path: &str| api.ask_route53("GET", path, "").unwrap_or_else(|failure| panic!("{path}: {failure:?}"));
    let mut lines = Vec::new();
    for zone in ask("/2013-04-01/hostedzone").all("HostedZones/HostedZone") {
        let kind = if zone.value("Config/PrivateZone") == "true" { "private" } else { "public" };
        lines.push(format!("hosted zone {} {kind}", zone.value("Name")));
        let records = ask(&format!("/2013-04-01{}/rrset", zone.value("Id")));
        for record in records.all("ResourceRecordSets/ResourceRecordSet") {
            let (name, kind) = (record.value("Name"), record.value("Type"));
            if !(name == zone.value("Name") && ["NS", "SOA"].contains(&kind)) {
                lines.push(format!("record {name} {kind} {}", record_line(record)));
            }
        }
    }
    lines
}

fn record_line(record: &Element) -> String {
    match record.at("AliasTarget") {
        Some(_) => "alias".into(),
        None => format!("ttl {} values {}", record.value("TTL"), record.all("ResourceRecords/ResourceRecord").len()),
    }
}

/// What nodes and flow logs are given to act as.
fn identities(api: &Api) -> Vec<String> {
    let roles = api.list("iam", "ListRoles", "ListRolesResult/Roles/member");
    let own = roles.iter().filter(|role| !role.value("Path").starts_with("/aws-service-role/"));
    let own = own.map(|role| format!("iam role {}", role.value("RoleName")));
    let profiles = api.list("iam", "ListInstanceProfiles", "ListInstanceProfilesResult/InstanceProfiles/member");
    own.chain(profiles.iter().map(|profile| format!("instance profile {}", profile.value("InstanceProfileName")))).collect()
}
