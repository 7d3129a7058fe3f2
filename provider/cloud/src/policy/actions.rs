//! The actions by which objects of each kind are found, made, changed and deleted.

use crate::Kind;
use std::collections::BTreeSet;

/// What a kind needs. IAM has no resource to name for what does not exist yet, or only looks, so those are for all resources. Which
/// resources an action has, and that each knows `aws:ResourceTag`, is the Service Authorization Reference's (EC2, Elastic Load Balancing,
/// EC2 Auto Scaling; June 2026).
pub(super) struct Actions {
    pub(super) kind: Kind,
    pub(super) read: &'static [&'static str],
    /// Of these, the tags are set by the same call.
    pub(super) create: &'static [&'static str],
    /// On objects that carry the cluster's tag, and on nothing else.
    pub(super) change: &'static [&'static str],
    /// Those of `change` that also touch what does not carry the tag, each with the resource as an ARN has it after `arn:<partition>:`. IAM
    /// asks for every resource of a call: what is changed still has to carry the tag.
    pub(super) others: &'static [(&'static str, &'static [&'static str])],
}

const NONE: &[&str] = &[];

#[rustfmt::skip]
const ACTIONS: &[Actions] = &[
    Actions {
        kind: Kind::DhcpOptions,
        read: &["ec2:DescribeDhcpOptions"],
        create: &["ec2:CreateDhcpOptions"],
        change: &["ec2:DeleteDhcpOptions"],
        others: &[],
    },
    Actions {
        kind: Kind::Vpc,
        // Beyond the VPC itself: its DHCP options, the zones, what Kubernetes and others have in the VPC, and how much the account has of
        // what is limited.
        read: &[
            "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:DescribeDhcpOptions", "ec2:DescribeAvailabilityZones",
            "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeVolumes", "ec2:DescribeVpcEndpoints",
            "ec2:DescribeNetworkAcls", "ec2:DescribeRouteTables", "ec2:DescribeTransitGatewayVpcAttachments",
            "ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpnGateways", "ec2:DescribeAddresses",
            "ec2:DescribeEgressOnlyInternetGateways", "ec2:DescribeInternetGateways", "ec2:DescribeNatGateways", "ec2:DescribeSubnets",
            "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroups",
            "servicequotas:GetServiceQuota", "servicequotas:ListAWSDefaultServiceQuotas",
        ],
        create: &["ec2:CreateVpc"],
        change: &[
            "ec2:ModifyVpcAttribute", "ec2:DeleteVpc", "ec2:AssociateVpcCidrBlock", "ec2:DisassociateVpcCidrBlock",
            "ec2:AssociateDhcpOptions",
        ],
        others: &[
            // Those of the region, and pools of addresses.
            ("ec2:*:*:dhcp-options/*", &["ec2:AssociateDhcpOptions"]),
            ("ec2::*:ipam-pool/*", &["ec2:AssociateVpcCidrBlock"]),
            ("ec2:*:*:ipv6pool-ec2/*", &["ec2:AssociateVpcCidrBlock"]),
        ],
    },
    Actions { kind: Kind::KeyPair, read: &["ec2:DescribeKeyPairs"], create: &["ec2:ImportKeyPair"], change: &["ec2:DeleteKeyPair"], others: &[] },
    Actions {
        kind: Kind::InternetGateway,
        read: &["ec2:DescribeInternetGateways"],
        create: &["ec2:CreateInternetGateway"],
        change: &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"],
        others: &[],
    },
    Actions {
        kind: Kind::EgressOnlyInternetGateway,
        read: &["ec2:DescribeEgressOnlyInternetGateways"],
        create: &["ec2:CreateEgressOnlyInternetGateway"],
        change: &["ec2:DeleteEgressOnlyInternetGateway"],
        others: &[],
    },
    Actions {
        kind: Kind::SecurityGroup,
        read: &["ec2:DescribeSecurityGroups"],
        create: &["ec2:CreateSecurityGroup"],
        change: &[
            "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
            "ec2:UpdateSecurityGroupRuleDescriptionsEgress", "ec2:DeleteSecurityGroup",
        ],
        others: &[],
    },
    Actions {
        kind: Kind::Subnet,
        read: &["ec2:DescribeSubnets", "ec2:DescribeAvailabilityZones"],
        create: &["ec2:CreateSubnet"],
        change: &["ec2:ModifySubnetAttribute", "ec2:AssociateSubnetCidrBlock", "ec2:DisassociateSubnetCidrBlock", "ec2:DeleteSubnet"],
        others: &[],
    },
    Actions {
        kind: Kind::ElasticIp,
        read: &["ec2:DescribeAddresses"],
        create: &["ec2:AllocateAddress"],
        change: &["ec2:ReleaseAddress", "ec2:AssociateAddress", "ec2:DisassociateAddress"],
        others: &[],
    },
    Actions {
        kind: Kind::NatGateway,
        read: &["ec2:DescribeNatGateways"],
        create: &["ec2:CreateNatGateway"],
        change: &["ec2:DeleteNatGateway"],
        others: &[],
    },
    Actions {
        kind: Kind::RouteTable,
        read: &["ec2:DescribeRouteTables"],
        create: &["ec2:CreateRouteTable"],
        change: &[
            "ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:AssociateRouteTable",
            "ec2:ReplaceRouteTableAssociation", "ec2:DisassociateRouteTable",
        ],
        // A subnet of the cluster's may be in somebody else's table.
        others: &[("ec2:*:*:route-table/*", &["ec2:ReplaceRouteTableAssociation"])],
    },
    Actions {
        kind: Kind::VpcEndpoint,
        read: &["ec2:DescribeVpcEndpoints"],
        create: &["ec2:CreateVpcEndpoint"],
        change: &["ec2:DeleteVpcEndpoints", "ec2:ModifyVpcEndpoint"],
        // What others have added to an endpoint is taken out of it.
        others: &[
            ("ec2:*:*:route-table/*", &["ec2:ModifyVpcEndpoint"]),
            ("ec2:*:*:security-group/*", &["ec2:ModifyVpcEndpoint"]),
            ("ec2:*:*:subnet/*", &["ec2:ModifyVpcEndpoint"]),
        ],
    },
    Actions {
        kind: Kind::FlowLog,
        read: &["ec2:DescribeFlowLogs"],
        create: &["ec2:CreateFlowLogs"],
        change: &["ec2:DeleteFlowLogs"],
        others: &[],
    },
    Actions {
        kind: Kind::Instance,
        read: &[
            "ec2:DescribeInstances", "ec2:DescribeAddresses", "ec2:DescribeVolumes", "ec2:DescribeImages", "ec2:DescribeInstanceTypes",
            "ec2:DescribeInstanceTypeOfferings", "ssm:GetParameter",
        ],
        create: &["ec2:RunInstances"],
        change: &[
            "ec2:ModifyInstanceMetadataOptions", "ec2:MonitorInstances", "ec2:UnmonitorInstances", "ec2:StartInstances",
            "ec2:StopInstances", "ec2:TerminateInstances", "ec2:ModifyInstanceAttribute", "ec2:AssignIpv6Addresses",
            "ec2:UnassignIpv6Addresses", "ec2:AssociateAddress", "ec2:DisassociateAddress",
        ],
        // Its groups may be the user's own.
        others: &[("ec2:*:*:security-group/*", &["ec2:ModifyInstanceAttribute"])],
    },
    Actions {
        kind: Kind::LoadBalancer,
        read: &[
            "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancerAttributes",
            "elasticloadbalancing:DescribeTags",
            // What Elastic Load Balancing looks at in the caller's name.
            "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeInternetGateways", "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets", "ec2:DescribeVpcs",
        ],
        create: &["elasticloadbalancing:CreateLoadBalancer"],
        change: &[
            "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:SetIpAddressType",
            "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets", "elasticloadbalancing:DeleteLoadBalancer",
        ],
        others: &[],
    },
    Actions {
        kind: Kind::TargetGroup,
        read: &[
            "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroupAttributes",
            "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTags", "autoscaling:DescribeAutoScalingGroups",
            // What Elastic Load Balancing looks at in the caller's name.
            "ec2:DescribeInstances", "ec2:DescribeInternetGateways", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
        ],
        create: &["elasticloadbalancing:CreateTargetGroup"],
        change: &[
            "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
            "elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:DeleteTargetGroup",
        ],
        others: &[],
    },
    Actions {
        kind: Kind::Listener,
        read: &["elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags"],
        create: &["elasticloadbalancing:CreateListener"],
        change: &["elasticloadbalancing:ModifyListener", "elasticloadbalancing:DeleteListener"],
        others: &[],
    },
    // Changes are for the zones that the graph names.
    Actions { kind: Kind::DnsRecord, read: &["route53:ListResourceRecordSets"], create: NONE, change: &["route53:ChangeResourceRecordSets"], others: &[] },
];

/// Actions that every kind of a service needs for its tags.
pub(super) const TAG_ACTIONS: [(&str, &[&str]); 2] = [
    ("ec2:", &["ec2:CreateTags", "ec2:DeleteTags"]),
    ("elasticloadbalancing:", &["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]),
];

/// On Auto Scaling groups, which are somebody else's, that are attached to target groups.
pub(super) const ATTACH: [&str; 2] = ["autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:DetachLoadBalancerTargetGroups"];

/// For who the credentials belong to. AWS refuses it to nobody; it stands here so that the table is whole.
pub(super) const IDENTITY: &str = "sts:GetCallerIdentity";

/// Every action that objects of the kind may need, tags included.
pub fn actions(kind: Kind) -> BTreeSet<&'static str> {
    let of_kind = of(kind).into_iter().flat_map(|actions| [actions.read, actions.create, actions.change]).flatten().copied();
    let mut all: BTreeSet<&str> = of_kind.collect();
    all.extend(ATTACH.into_iter().filter(|_| kind == Kind::TargetGroup));
    for (service, tagging) in TAG_ACTIONS {
        if kind.has_tags() && of(kind).is_some_and(|actions| actions.create.iter().any(|action| action.starts_with(service))) {
            all.extend(tagging);
        }
    }
    all
}

/// The actions that make an object of the kind, and tag it.
pub fn creating(kind: Kind) -> &'static [&'static str] {
    of(kind).map_or(NONE, |actions| actions.create)
}

pub(super) fn of(kind: Kind) -> Option<&'static Actions> {
    ACTIONS.iter().find(|actions| actions.kind == kind)
}
