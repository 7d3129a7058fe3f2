//! The actions by which objects of each kind are found, made, changed and deleted.

use crate::Kind;
use std::collections::BTreeSet;

/// What a kind needs. IAM has no resource to name for what does not exist yet, or only looks, so those are for all resources.
pub(super) struct Actions {
    pub(super) kind: Kind,
    pub(super) read: &'static [&'static str],
    /// Of these, the tags are set by the same call.
    pub(super) create: &'static [&'static str],
    /// On objects that carry the cluster's tag, and on nothing else.
    pub(super) change: &'static [&'static str],
    /// Changes that also touch what the cluster does not own: an interface, a route table of another VPC.
    pub(super) open: &'static [&'static str],
}

const NONE: &[&str] = &[];

#[rustfmt::skip]
const ACTIONS: &[Actions] = &[
    Actions {
        kind: Kind::DhcpOptions,
        read: &["ec2:DescribeDhcpOptions"],
        create: &["ec2:CreateDhcpOptions"],
        change: &["ec2:DeleteDhcpOptions"],
        open: NONE,
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
        change: &["ec2:ModifyVpcAttribute", "ec2:DeleteVpc", "ec2:DisassociateVpcCidrBlock"],
        open: &["ec2:AssociateVpcCidrBlock", "ec2:AssociateDhcpOptions"],
    },
    Actions { kind: Kind::KeyPair, read: &["ec2:DescribeKeyPairs"], create: &["ec2:ImportKeyPair"], change: &["ec2:DeleteKeyPair"], open: NONE },
    Actions {
        kind: Kind::InternetGateway,
        read: &["ec2:DescribeInternetGateways"],
        create: &["ec2:CreateInternetGateway"],
        change: &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"],
        open: NONE,
    },
    Actions {
        kind: Kind::EgressOnlyInternetGateway,
        read: &["ec2:DescribeEgressOnlyInternetGateways"],
        create: &["ec2:CreateEgressOnlyInternetGateway"],
        change: &["ec2:DeleteEgressOnlyInternetGateway"],
        open: NONE,
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
        open: NONE,
    },
    Actions {
        kind: Kind::Subnet,
        read: &["ec2:DescribeSubnets", "ec2:DescribeAvailabilityZones"],
        create: &["ec2:CreateSubnet"],
        change: &["ec2:ModifySubnetAttribute", "ec2:AssociateSubnetCidrBlock", "ec2:DisassociateSubnetCidrBlock", "ec2:DeleteSubnet"],
        open: NONE,
    },
    Actions {
        kind: Kind::ElasticIp,
        read: &["ec2:DescribeAddresses"],
        create: &["ec2:AllocateAddress"],
        change: &["ec2:ReleaseAddress"],
        open: &["ec2:AssociateAddress", "ec2:DisassociateAddress"],
    },
    Actions {
        kind: Kind::NatGateway,
        read: &["ec2:DescribeNatGateways"],
        create: &["ec2:CreateNatGateway"],
        change: &["ec2:DeleteNatGateway"],
        open: NONE,
    },
    Actions {
        kind: Kind::RouteTable,
        read: &["ec2:DescribeRouteTables"],
        create: &["ec2:CreateRouteTable"],
        change: &["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", "ec2:DeleteRouteTable"],
        open: &["ec2:AssociateRouteTable", "ec2:ReplaceRouteTableAssociation", "ec2:DisassociateRouteTable"],
    },
    Actions {
        kind: Kind::VpcEndpoint,
        read: &["ec2:DescribeVpcEndpoints"],
        create: &["ec2:CreateVpcEndpoint"],
        change: &["ec2:DeleteVpcEndpoints"],
        open: &["ec2:ModifyVpcEndpoint"],
    },
    Actions {
        kind: Kind::FlowLog,
        read: &["ec2:DescribeFlowLogs"],
        create: &["ec2:CreateFlowLogs"],
        change: &["ec2:DeleteFlowLogs"],
        open: NONE,
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
            "ec2:StopInstances", "ec2:TerminateInstances",
        ],
        open: &[
            "ec2:ModifyInstanceAttribute", "ec2:AssignIpv6Addresses", "ec2:UnassignIpv6Addresses", "ec2:AssociateAddress",
            "ec2:DisassociateAddress",
        ],
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
        open: NONE,
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
        // Auto Scaling groups are somebody else's.
        open: &["autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:DetachLoadBalancerTargetGroups"],
    },
    Actions {
        kind: Kind::Listener,
        read: &["elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags"],
        create: &["elasticloadbalancing:CreateListener"],
        change: &["elasticloadbalancing:ModifyListener", "elasticloadbalancing:DeleteListener"],
        open: NONE,
    },
    // Changes are for the zones that the graph names.
    Actions { kind: Kind::DnsRecord, read: &["route53:ListResourceRecordSets"], create: NONE, change: &["route53:ChangeResourceRecordSets"], open: NONE },
];

/// Actions that every kind of a service needs for its tags.
pub(super) const TAG_ACTIONS: [(&str, &[&str]); 2] = [
    ("ec2:", &["ec2:CreateTags", "ec2:DeleteTags"]),
    ("elasticloadbalancing:", &["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]),
];

/// For who the credentials belong to. AWS refuses it to nobody; it stands here so that the table is whole.
pub(super) const IDENTITY: &str = "sts:GetCallerIdentity";

/// Every action that objects of the kind may need, tags included.
pub fn actions(kind: Kind) -> BTreeSet<&'static str> {
    let of_kind =
        of(kind).into_iter().flat_map(|actions| [actions.read, actions.create, actions.change, actions.open]).flatten().copied();
    let mut all: BTreeSet<&str> = of_kind.collect();
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
