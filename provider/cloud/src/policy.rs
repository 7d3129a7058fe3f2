//! The least IAM policy for what graphs use: a table of the actions by which objects of each kind are found, made, changed and
//! deleted, and the statements that follow from it.

use crate::{CLUSTER_TAG, Graph, Kind, Object};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a kind needs. IAM has no resource to name for what does not exist yet, or only looks, so those are for all resources.
struct Actions {
    kind: Kind,
    read: &'static [&'static str],
    /// Of these, the tags are set by the same call.
    create: &'static [&'static str],
    /// On objects that carry the cluster's tag, and on nothing else.
    change: &'static [&'static str],
    /// Changes that also touch what the cluster does not own: an interface, a route table of another VPC.
    open: &'static [&'static str],
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
        // Beyond the VPC itself: its DHCP options, the zones, what Kubernetes left in the VPC, and how much the account has of what is
        // limited.
        read: &[
            "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:DescribeDhcpOptions", "ec2:DescribeAvailabilityZones",
            "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeVolumes", "ec2:DescribeVpcEndpoints",
            "ec2:DescribeAddresses",
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
const TAG_ACTIONS: [(&str, &[&str]); 2] = [
    ("ec2:", &["ec2:CreateTags", "ec2:DeleteTags"]),
    ("elasticloadbalancing:", &["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]),
];

/// For who the credentials belong to. AWS refuses it to nobody; it stands here so that the table is whole.
const IDENTITY: &str = "sts:GetCallerIdentity";

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

/// What a cluster's load balancers, volumes and network add-on leave behind carries tags of several makers, or none.
const DELETE_LEFTOVERS: [&str; 8] = [
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteVolume",
    "ec2:DeleteVpcEndpoints",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
];

/// What the credentials are for.
#[derive(Default)]
pub struct Uses<'a> {
    objects: Vec<&'a Object>,
    deletes_leftovers: bool,
}

impl<'a> Uses<'a> {
    /// What these graphs need to be planned, created, changed and destroyed.
    pub fn of(graphs: &'a [Graph]) -> Self {
        Uses { objects: graphs.iter().flat_map(Graph::iter).collect(), deletes_leftovers: false }
    }

    /// Also what Kubernetes left in a VPC.
    pub fn with_leftovers(mut self, deletes_leftovers: bool) -> Self {
        self.deletes_leftovers = deletes_leftovers;
        self
    }

    /// Whether all is known that the policy depends on: which cluster's objects are changed, and the settings of those kinds for which
    /// AWS does more in the name of the caller. An instance that is open is not among them: what is not known of it are groups and tags,
    /// and no resource gives an instance a profile.
    pub fn are_known(&self) -> bool {
        let mut open = self.objects.iter().filter(|object| object.is_open());
        let decides = |kind: Kind| matches!(kind, Kind::FlowLog | Kind::VpcEndpoint);
        let has_no_cluster = self.clusters().is_empty();
        !open.any(|object| decides(object.key.kind) || (has_no_cluster && object.key.kind.has_tags()))
    }

    /// The policy as JSON. The tag that changes are conditioned on is the one that the graphs set.
    pub fn least_policy(&self) -> String {
        let policy = Policy { version: "2012-10-17", statement: self.statements() };
        serde_json::to_string_pretty(&policy).unwrap_or_default()
    }

    fn statements(&self) -> Vec<Statement> {
        let kinds: BTreeSet<Kind> = self.objects.iter().map(|object| object.key.kind).collect();
        let used: Vec<&Actions> = kinds.into_iter().filter_map(of).collect();
        // Only to targets that are instances can groups be attached.
        let takes_autoscaling = self.of_kind(Kind::TargetGroup).any(|group| group.get("target_type") != Some("ip"));
        let tagged = || used.iter().filter(|actions| actions.kind.has_tags());
        let all = |part: fn(&Actions) -> &'static [&'static str]| {
            let actions = used.iter().flat_map(|actions| part(actions)).copied();
            actions.filter(|action| takes_autoscaling || !action.starts_with("autoscaling:")).collect::<BTreeSet<_>>()
        };
        let mut read = all(|actions| actions.read);
        read.insert(IDENTITY);
        let mut change: BTreeSet<&str> = tagged().flat_map(|actions| actions.change).copied().collect();
        let create = all(|actions| actions.create);
        let mut making: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
        for (service, tagging) in TAG_ACTIONS {
            let of_service: BTreeSet<&str> = create.iter().filter(|action| action.starts_with(service)).copied().collect();
            if !of_service.is_empty() {
                change.extend(tagging);
                making.insert(tagging[0], of_service);
            }
        }
        let clusters = self.clusters();
        let is_owned = (!clusters.is_empty()).then(|| equals(&format!("aws:ResourceTag/{CLUSTER_TAG}"), clusters));
        let mut statements = vec![
            Statement::of("Read", read, None),
            Statement::of("CreateAndAttach", create.union(&all(|actions| actions.open)).copied().collect(), None),
            Statement::of("ChangeOwn", change, is_owned),
        ];
        for (action, creating) in making {
            let (service, sid) =
                if action.starts_with("ec2:") { ("ec2", "TagNewOfEc2") } else { ("elasticloadbalancing", "TagNewOfElb") };
            let names = creating.iter().filter_map(|action| action.split_once(':')).map(|(_, name)| name.to_owned());
            let condition = equals(&format!("{service}:CreateAction"), names);
            statements.push(Statement::of(sid, BTreeSet::from([action]), Some(condition)));
        }
        if self.deletes_leftovers {
            statements.push(Statement::of("DeleteLeftovers", DELETE_LEFTOVERS.into(), None));
        }
        statements.extend(self.records());
        statements.extend(self.of_other_services());
        statements.retain(|statement| !statement.action.is_empty());
        statements
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().copied().filter(move |object| object.key.kind == kind)
    }

    /// The clusters' names, as far as the graphs know them.
    fn clusters(&self) -> BTreeSet<String> {
        let key = format!("tag {CLUSTER_TAG}");
        self.objects.iter().filter_map(|object| object.get(&key)).map(str::to_owned).collect()
    }

    /// Records have no tags, but their zone is a resource, whichever partition it is in.
    fn records(&self) -> Option<Statement> {
        let actions = of(Kind::DnsRecord).filter(|_| self.of_kind(Kind::DnsRecord).next().is_some())?;
        let zones: Option<BTreeSet<&str>> = self.of_kind(Kind::DnsRecord).map(|record| record.get("zone")).collect();
        let resource = match zones {
            Some(zones) => zones.into_iter().map(|zone| format!("arn:*:route53:::hostedzone/{zone}")).collect(),
            None => vec!["arn:*:route53:::hostedzone/*".to_owned()],
        };
        Some(Statement { resource, ..Statement::of("ChangeRecords", actions.change.iter().copied().collect(), None) })
    }

    /// What AWS does in the name of the caller while it makes the objects.
    fn of_other_services(&self) -> Vec<Statement> {
        let any = |kind: Kind, is: fn(&Object) -> bool| self.of_kind(kind).any(is);
        let mut statements = Vec::new();
        let mut passed_to = BTreeSet::new();
        if any(Kind::Instance, |instance| instance.settings.contains_key("profile")) {
            passed_to.insert("ec2.amazonaws.com".to_owned());
        }
        if any(Kind::FlowLog, |log| log.settings.contains_key("role")) {
            passed_to.insert("vpc-flow-logs.amazonaws.com".to_owned());
        }
        if !passed_to.is_empty() {
            let condition = equals("iam:PassedToService", passed_to);
            statements.push(Statement::of("PassRole", BTreeSet::from(["iam:PassRole"]), Some(condition)));
        }
        if any(Kind::LoadBalancer, |_| true) {
            let condition = equals("iam:AWSServiceName", ["elasticloadbalancing.amazonaws.com".to_owned()]);
            statements.push(Statement::of("FirstLoadBalancer", BTreeSet::from(["iam:CreateServiceLinkedRole"]), Some(condition)));
        }
        if any(Kind::FlowLog, |log| log.get("destination_type") == Some("s3")) {
            statements.push(Statement::of(
                "DeliverLogs",
                BTreeSet::from(["logs:CreateLogDelivery", "logs:DeleteLogDelivery"]),
                None,
            ));
        }
        if any(Kind::VpcEndpoint, |endpoint| endpoint.get("private_dns") == Some("true")) {
            statements.push(Statement::of("PrivateDns", BTreeSet::from(["route53:AssociateVPCWithHostedZone"]), None));
        }
        statements
    }
}

fn of(kind: Kind) -> Option<&'static Actions> {
    ACTIONS.iter().find(|actions| actions.kind == kind)
}

type Condition = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

fn equals(key: &str, values: impl IntoIterator<Item = String>) -> Condition {
    BTreeMap::from([("StringEquals", BTreeMap::from([(key.to_owned(), values.into_iter().collect())]))])
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: BTreeSet<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

impl Statement {
    fn of(sid: &'static str, action: BTreeSet<&'static str>, condition: Option<Condition>) -> Statement {
        Statement { sid, effect: "Allow", action, resource: vec!["*".to_owned()], condition }
    }
}

#[cfg(test)]
mod tests;
