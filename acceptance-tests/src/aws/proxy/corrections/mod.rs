//! Where the emulator differs from what AWS documents. One file for each kind of object; the tables say what happens at which call.
//! What the emulator does not store is remembered here.

mod addresses;
mod endpoints;
mod instance_attributes;
mod instances;
mod load_balancers;
mod parameters;
mod security_groups;
mod subnets;
mod target_groups;
mod vpcs;
mod zones;

use super::call::{Call, Parameters};
use super::tokens::Tokens;
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request};
use crate::aws::objects;
use crate::aws::xml::Element;
use std::collections::{HashMap, HashSet};

/// What AWS would know and the emulator does not.
#[derive(Default)]
pub struct Memory {
    pub tokens: Tokens,
    /// Attributes by subnet.
    subnets: HashMap<String, Parameters>,
    /// Blocks are associated at once, as with the emulator.
    pub is_instant: bool,
    /// The metadata of instances shows their tags, unless their launch says otherwise.
    pub shows_tags_in_metadata: bool,
    /// Subnets whose IPv6 block was not yet described as associated.
    pub associating: HashSet<String>,
    /// Address families and private DNS by endpoint.
    endpoints: HashMap<String, Parameters>,
    /// Interfaces by endpoint, of subnets that it was given later on.
    endpoint_interfaces: HashMap<String, Vec<String>>,
    /// `enabled` or `disabled` by instance, where that was changed.
    monitoring: HashMap<String, &'static str>,
    /// The client token of the call by instance.
    launches: HashMap<String, String>,
    /// With which parameters a load balancer, target group or listener was made, by its ARN.
    made: HashMap<String, Parameters>,
    /// How many more times a load balancer is described as one that is being provisioned.
    provisioning: HashMap<String, u32>,
    /// `on` or `off` by load balancer: whether it has a prefix of each subnet for source NAT.
    pub source_nat: HashMap<String, String>,
    /// Addresses that a load balancer was given in its subnets.
    pub mappings: HashMap<String, Vec<Element>>,
    /// Which HTTP codes a target group takes for healthy.
    matchers: HashMap<String, String>,
    /// Zones of targets, by target group, id and port.
    zones: HashMap<(String, String, String), String>,
    /// Caller references of hosted zones.
    references: HashSet<String>,
}

/// Before the emulator is asked: changes the request, or answers in the emulator's place.
type Preparation = fn(&Call, &mut Request, &Api, &mut Memory) -> Option<Answer>;
/// After it has answered well: what else AWS would do, and what else it would say.
type Completion = fn(&Call, &mut Element, &Api, &mut Memory);

const ELB: &str = "elasticloadbalancing";

const PREPARATIONS: [(&str, &str, Preparation); 21] = [
    ("ec2", "AssociateDhcpOptions", vpcs::give_back_other_dhcp_options),
    ("ec2", "AuthorizeSecurityGroupEgress", security_groups::authorize_each),
    ("ec2", "AuthorizeSecurityGroupIngress", security_groups::authorize_each),
    ("ec2", "DeleteRouteTable", vpcs::before_deleting_a_table),
    ("ec2", "DeleteVpc", vpcs::give_back_dhcp_options),
    ("ec2", "DeleteVpcEndpoints", endpoints::before_deleting),
    ("ec2", "ModifyInstanceMetadataOptions", instance_attributes::keep_other_options),
    ("ec2", "ModifyVpcEndpoint", endpoints::before_modifying),
    ("ec2", "MonitorInstances", instance_attributes::monitor),
    ("ec2", "RevokeSecurityGroupEgress", security_groups::name_protocols),
    ("ec2", "RevokeSecurityGroupIngress", security_groups::name_protocols),
    ("ec2", "RunInstances", instances::let_interfaces_end_with_them),
    ("ec2", "UnmonitorInstances", instance_attributes::monitor),
    (ELB, "CreateListener", load_balancers::give_existing),
    (ELB, "CreateLoadBalancer", load_balancers::give_existing),
    (ELB, "CreateTargetGroup", load_balancers::give_existing),
    ("route53", "ChangeResourceRecordSets", zones::create_records),
    ("route53", "CreateHostedZone", zones::prepare),
    ("servicequotas", "ListServiceQuotas", parameters::give_default_quotas),
    ("ssm", "GetParameter", parameters::give_image_of_ubuntu),
    ("ssm", "GetParameters", parameters::give_image_of_ubuntu),
];

const COMPLETIONS: [(&str, &str, Completion); 36] = [
    ("ec2", "AssignPrivateIpAddresses", addresses::reassign),
    ("ec2", "AuthorizeSecurityGroupEgress", security_groups::describe_references),
    ("ec2", "AuthorizeSecurityGroupIngress", security_groups::describe_references),
    ("ec2", "CreateDhcpOptions", vpcs::tag_dhcp_options),
    ("ec2", "CreateSubnet", subnets::begin_association),
    ("ec2", "CreateVpcEndpoint", endpoints::complete),
    ("ec2", "DeleteNatGateway", remove_leftovers),
    ("ec2", "DeleteRouteTable", endpoints::after_deleting_a_table),
    ("ec2", "DeleteSubnet", vpcs::after_deleting_a_subnet),
    ("ec2", "DescribeAddresses", addresses::leave_out_empty),
    ("ec2", "DescribeAvailabilityZones", vpcs::open_zones),
    ("ec2", "DescribeInstances", instances::complete),
    ("ec2", "DescribeRouteTables", vpcs::show_black_holes),
    ("ec2", "DescribeSecurityGroupRules", security_groups::describe_references),
    ("ec2", "DescribeSubnets", subnets::complete),
    ("ec2", "DescribeVpcEndpoints", endpoints::complete),
    ("ec2", "ModifyInstanceAttribute", instance_attributes::change_interface_as_well),
    ("ec2", "ModifyNetworkInterfaceAttribute", instance_attributes::change_instance_as_well),
    ("ec2", "ModifySubnetAttribute", subnets::remember),
    ("ec2", "ModifyVpcEndpoint", endpoints::after_modifying),
    ("ec2", "RunInstances", instances::after_launch),
    ("ec2", "TerminateInstances", remove_leftovers),
    (ELB, "CreateListener", load_balancers::remember),
    (ELB, "CreateLoadBalancer", load_balancers::remember),
    (ELB, "CreateTargetGroup", load_balancers::remember),
    (ELB, "DescribeListeners", load_balancers::complete),
    (ELB, "DescribeLoadBalancerAttributes", load_balancers::complete_attributes),
    (ELB, "DescribeLoadBalancers", load_balancers::complete),
    (ELB, "DescribeTargetGroupAttributes", target_groups::complete_attributes),
    (ELB, "DescribeTargetGroups", target_groups::complete),
    (ELB, "DescribeTargetHealth", target_groups::show_zones),
    (ELB, "ModifyListener", load_balancers::complete),
    (ELB, "ModifyTargetGroup", target_groups::remember_matcher),
    (ELB, "RegisterTargets", target_groups::remember_zones),
    (ELB, "SetSubnets", load_balancers::remember_mappings),
    ("route53", "CreateHostedZone", zones::remember),
];

pub fn prepare(call: &Call, request: &mut Request, api: &Api, memory: &mut Memory) -> Option<Answer> {
    let (_, _, preparation) = PREPARATIONS.iter().find(|(service, action, _)| call.is(service, action))?;
    preparation(call, request, api, memory)
}

pub fn has_preparation(call: &Call) -> bool {
    PREPARATIONS.iter().any(|(service, action, _)| call.is(service, action))
}

pub fn has_completion(call: &Call) -> bool {
    completion(call).is_some()
}

pub fn complete(call: &Call, answer: &mut Element, api: &Api, memory: &mut Memory) {
    if let Some(completion) = completion(call) {
        completion(call, answer, api, memory);
    }
}

fn completion(call: &Call) -> Option<Completion> {
    let found = COMPLETIONS.iter().find(|(service, action, _)| call.is(service, action)).map(|(_, _, completion)| *completion);
    // Whatever call an Auto Scaling group gets, instances may come or go.
    found.or_else(|| (call.service == "autoscaling" && call.is_mutating).then_some(instances::follow_auto_scaling as Completion))
}

fn remove_leftovers(_: &Call, _: &mut Element, api: &Api, _: &mut Memory) {
    objects::remove_leftovers(api);
}
