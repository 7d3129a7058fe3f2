//! Endpoints of AWS services inside the VPC, by the short names that AWS gives its services.

use super::keys::{MAIN, key, reference};
use super::vpc_spec::{Reach, VpcSpec, route_table_name};
use cloud::{Graph, Kind, Object, Setting, UNKNOWN_KEYS};
use std::collections::BTreeMap;

/// Services that have gateway endpoints.
pub const GATEWAY_SERVICES: [&str; 2] = ["dynamodb", "s3"];

/// Services whose interface endpoints have names that begin with `cn.` in China: what `aws ec2 describe-vpc-endpoint-services`
/// lists in cn-north-1 and cn-northwest-1 (github.com/aws/aws-cdk issue 25329 and pull request 25333). Others, and all gateway
/// endpoints, have the same names as elsewhere.
const CHINESE: [&str; 46] = [
    "application-autoscaling",
    "appmesh-envoy-management",
    "athena",
    "autoscaling",
    "backup",
    "batch",
    "cassandra",
    "cloudcontrolapi",
    "cloudformation",
    "codedeploy-commands-secure",
    "databrew",
    "dms",
    "ebs",
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "elasticache",
    "elasticbeanstalk",
    "elasticfilesystem",
    "elasticfilesystem-fips",
    "emr-containers",
    "execute-api",
    "fsx",
    "imagebuilder",
    "iot.data",
    "kinesis-streams",
    "lambda",
    "license-manager",
    "monitoring",
    "rds",
    "redshift",
    "redshift-data",
    "s3",
    "sagemaker.api",
    "sagemaker.featurestore-runtime",
    "sagemaker.runtime",
    "securityhub",
    "servicecatalog",
    "sms",
    "sqs",
    "states",
    "sts",
    "synthetics",
    "transfer",
    "xray",
];

/// The endpoints of a VPC: services by short or full name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// By short name, or by full one.
    pub gateway: BTreeMap<String, EndpointOptions>,
    pub interface: BTreeMap<String, EndpointOptions>,
    /// The tier with the interfaces, when given.
    pub tier: Option<String>,
}

/// What one service's endpoint overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointOptions {
    pub policy: Option<Setting>,
    pub private_dns: bool,
    /// As the VPC and the subnets have it when not given. A service that has no IPv6 needs `ipv4`.
    pub ip_address_type: Option<String>,
}

/// Gateway endpoints are routes; interface endpoints are network interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointType {
    Gateway,
    Interface,
}

/// Adds the endpoints, with their security group, to the graph.
pub fn add(spec: &VpcSpec, graph: &mut Graph) {
    for (service, options) in &spec.endpoints.gateway {
        graph.add(gateway(spec, service, options));
    }
    for (service, options) in &spec.endpoints.interface {
        graph.add(interface(spec, service, options));
    }
}

/// The name of the object. A service can have an endpoint of each type.
pub fn endpoint_name(service: &str, endpoint_type: EndpointType) -> String {
    match endpoint_type {
        EndpointType::Gateway => format!("{service}{GATEWAY_SUFFIX}"),
        EndpointType::Interface => service.to_owned(),
    }
}

/// Service and type of an endpoint, from the name of its object.
pub fn service_of(name: &str) -> (&str, EndpointType) {
    match name.strip_suffix(GATEWAY_SUFFIX) {
        Some(service) => (service, EndpointType::Gateway),
        None => (name, EndpointType::Interface),
    }
}

const GATEWAY_SUFFIX: &str = "-gateway";

/// `com.amazonaws.us-east-1.ecr.api` of `ecr.api`. A full name stays as it is.
pub fn service_name(region: &str, service: &str, endpoint_type: EndpointType) -> String {
    if is_full_name(service) {
        return service.to_owned();
    }
    let is_chinese = region.starts_with("cn-") && endpoint_type == EndpointType::Interface && CHINESE.contains(&service);
    let prefix = if is_chinese { "cn.com.amazonaws" } else { "com.amazonaws" };
    format!("{prefix}.{region}.{service}")
}

/// Whether it is a full service name, such as `com.amazonaws.us-east-1.s3`.
pub fn is_full_name(service: &str) -> bool {
    ["com.", "cn.", "aws."].iter().any(|prefix| service.starts_with(prefix))
}

/// The tier whose subnets get the interfaces: the one called `private`, else the first that is as far inside as can be.
pub fn tier_of(spec: &VpcSpec) -> Option<&str> {
    if let Some(tier) = &spec.endpoints.tier {
        return spec.tiers.get_key_value(tier).map(|(name, _)| name.as_str());
    }
    [Reach::Private, Reach::Isolated, Reach::Public].into_iter().find_map(|reach| spec.first_tier(reach, |_| true))
}

/// `dualstack` in a VPC with IPv6, `ipv4` otherwise.
pub fn default_ip_address_type(spec: &VpcSpec) -> &'static str {
    match tier_of(spec).and_then(|tier| spec.tiers.get(tier)) {
        Some(tier) if tier.ipv6_only => "ipv6",
        _ if spec.has_ipv6() => "dualstack",
        _ => "ipv4",
    }
}

fn gateway(spec: &VpcSpec, service: &str, options: &EndpointOptions) -> Object {
    let object =
        endpoint(spec, service, EndpointType::Gateway, options).exclusive(if spec.exclusive { &["route_table"] } else { &[] });
    spec.subnets().fold(object, |object, subnet| {
        object.with(format!("route_table {}", reference(Kind::RouteTable, route_table_name(&subnet))), "")
    })
}

fn interface(spec: &VpcSpec, service: &str, options: &EndpointOptions) -> Object {
    let ip_address_type = options.ip_address_type.as_deref().unwrap_or_else(|| default_ip_address_type(spec));
    let object = endpoint(spec, service, EndpointType::Interface, options)
        .with("private_dns", options.private_dns)
        .with("ip_address_type", ip_address_type)
        .with(format!("security_group {}", reference(Kind::SecurityGroup, "endpoint")), "");
    let tier = tier_of(spec);
    spec.subnets()
        .filter(|subnet| Some(subnet.tier_name) == tier)
        .fold(object, |object, subnet| object.with(format!("subnet {}", reference(Kind::Subnet, subnet.name)), ""))
}

fn endpoint(spec: &VpcSpec, service: &str, endpoint_type: EndpointType, options: &EndpointOptions) -> Object {
    let full_name = match spec.region.known() {
        _ if is_full_name(service) => service.into(),
        Some(region) => service_name(region, service, endpoint_type).into(),
        None => Setting::Unknown,
    };
    let type_name = match endpoint_type {
        EndpointType::Gateway => "Gateway",
        EndpointType::Interface => "Interface",
    };
    let object = Object::of(key(Kind::VpcEndpoint, endpoint_name(service, endpoint_type)))
        .with("vpc", reference(Kind::Vpc, MAIN))
        .with("service", full_name)
        .with("type", type_name)
        .with_some("policy", options.policy.clone());
    // A policy that turns out to give full access is none.
    if options.policy == Some(Setting::Unknown) { object.with(UNKNOWN_KEYS, Setting::Unknown) } else { object }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(region: &str, service: &str, endpoint_type: EndpointType, expect: &str) {
        assert_eq!(service_name(region, service, endpoint_type), expect);
    }

    #[test]
    fn short_names_become_full_ones() {
        use EndpointType::{Gateway, Interface};
        check("us-east-1", "ecr.api", Interface, "com.amazonaws.us-east-1.ecr.api");
        check("us-east-1", "s3", Gateway, "com.amazonaws.us-east-1.s3");
        check("cn-northwest-1", "ecr.dkr", Interface, "cn.com.amazonaws.cn-northwest-1.ecr.dkr");
        check("cn-northwest-1", "logs", Interface, "com.amazonaws.cn-northwest-1.logs");
        check("cn-northwest-1", "s3", Gateway, "com.amazonaws.cn-northwest-1.s3");
        check("cn-northwest-1", "s3", Interface, "cn.com.amazonaws.cn-northwest-1.s3");
        check("us-east-1", "aws.sagemaker.us-east-1.notebook", Interface, "aws.sagemaker.us-east-1.notebook");
    }

    #[test]
    fn names_of_objects_tell_service_and_type() {
        for (service, endpoint_type) in [("s3", EndpointType::Gateway), ("ecr.api", EndpointType::Interface)] {
            assert_eq!(service_of(&endpoint_name(service, endpoint_type)), (service, endpoint_type));
        }
    }

    #[test]
    fn the_list_for_china_is_in_order() {
        assert!(CHINESE.is_sorted());
    }
}
