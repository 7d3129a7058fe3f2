//! The least IAM policy for what graphs use: the statements that follow from the table of actions.

mod actions;

pub use actions::{actions, creating};

use crate::{AUTOSCALING_GROUP, CLUSTER_TAG, Graph, Kind, Object, Setting};
use actions::{ATTACH, Actions, IDENTITY, TAG_ACTIONS, of};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// On leftovers that are in a VPC, which is all that some of them say of themselves: IAM knows the VPC of a group and of an interface.
const DELETE_IN_VPC: [&str; 4] =
    ["ec2:DeleteNetworkInterface", "ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"];
/// On those that Kubernetes has tagged.
const DELETE_TAGGED: [&str; 2] = ["elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup"];

/// What the credentials are for.
#[derive(Default)]
pub struct Uses<'a> {
    objects: Vec<&'a Object>,
    deletes_leftovers: bool,
    /// Of the networks with leftovers, as far as they exist.
    vpc_ids: BTreeSet<String>,
    /// Names of the clusters.
    deletes_volumes: BTreeSet<String>,
}

impl<'a> Uses<'a> {
    /// What these graphs need to be planned, created, changed and destroyed.
    pub fn of(graphs: &'a [Graph]) -> Self {
        Uses { objects: graphs.iter().flat_map(Graph::iter).collect(), ..Uses::default() }
    }

    /// Also what Kubernetes left in a VPC.
    pub fn with_leftovers(mut self, deletes_leftovers: bool) -> Self {
        self.deletes_leftovers = deletes_leftovers;
        self
    }

    /// Leftovers are in this VPC.
    pub fn in_vpc(mut self, vpc_id: impl Into<String>) -> Self {
        self.vpc_ids.insert(vpc_id.into());
        self
    }

    /// Also the volumes of this cluster.
    pub fn with_volumes(mut self, cluster: impl Into<String>) -> Self {
        self.deletes_volumes.insert(cluster.into());
        self
    }

    /// Whether all is known that the policy depends on: which cluster's objects are changed, and the settings of those kinds for which
    /// AWS does more in the name of the caller. An instance that is open is not among them: what is not known of it are groups and tags,
    /// and no resource gives an instance a profile.
    pub fn are_known(&self) -> bool {
        let mut open = self.objects.iter().filter(|object| object.is_open());
        let decides = |kind: Kind| matches!(kind, Kind::FlowLog | Kind::VpcEndpoint);
        let has_no_cluster = self.clusters().is_empty();
        // Whoever may pass on any role has that role's rights.
        let is_later = |log: &Object| log.settings.get("role") == Some(&Setting::Unknown);
        !open.any(|object| decides(object.key.kind) || (has_no_cluster && object.key.kind.has_tags()))
            && !self.of_kind(Kind::FlowLog).any(is_later)
    }

    /// The policy as JSON. The tag that changes are conditioned on is the one that the graphs set.
    pub fn least_policy(&self) -> String {
        json(&self.statements())
    }

    /// The same in as few documents as fit into managed policies, each as JSON.
    pub fn least_policies(&self) -> Vec<String> {
        let mut documents: Vec<Vec<Statement>> = Vec::new();
        for statement in self.statements() {
            let fitting = documents.iter_mut().find(|document| {
                let all: Vec<&Statement> = document.iter().chain([&statement]).collect();
                characters(&json(&all)) <= MANAGED_POLICY
            });
            match fitting {
                Some(document) => document.push(statement),
                None => documents.push(vec![statement]),
            }
        }
        documents.iter().map(json).collect()
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
            Statement::of("Create", create.clone(), None),
            Statement::of("ChangeOwn", change, is_owned),
        ];
        statements.extend(self.with_others(&used));
        for (action, creating) in making {
            let (service, sid) =
                if action.starts_with("ec2:") { ("ec2", "TagNewOfEc2") } else { ("elasticloadbalancing", "TagNewOfElb") };
            let names = creating.iter().filter_map(|action| action.split_once(':')).map(|(_, name)| name.to_owned());
            let condition = equals(&format!("{service}:CreateAction"), names);
            statements.push(Statement::of(sid, BTreeSet::from([action]), Some(condition)));
        }
        statements.extend(self.leftovers());
        statements.extend(self.volumes());
        statements.extend(self.records());
        statements.extend(self.of_other_services());
        statements.retain(|statement| !statement.action.is_empty());
        statements
    }

    /// What is not the cluster's own, and changes take part in.
    fn with_others(&self, used: &[&Actions]) -> Vec<Statement> {
        let mut resources: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        let mut add = |resource: String, actions: &[&'static str]| {
            resources.entry(format!("arn:*:{resource}")).or_default().extend(actions);
        };
        for (resource, actions) in used.iter().flat_map(|actions| actions.others) {
            add((*resource).to_owned(), actions);
        }
        // To take others' subnets out of a table of the cluster's.
        if self.of_kind(Kind::RouteTable).any(|table| table.is_exclusive("subnet")) {
            add("ec2:*:*:subnet/*".into(), &["ec2:DisassociateRouteTable"]);
        }
        for instance in self.of_kind(Kind::Instance).filter(|instance| instance.settings.contains_key("elastic_ip")) {
            let id = instance.get("elastic_ip").unwrap_or("*");
            add(format!("ec2:*:*:elastic-ip/{id}"), &["ec2:AssociateAddress", "ec2:DisassociateAddress"]);
        }
        for name in self.autoscaling_groups() {
            add(format!("autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/{name}"), &ATTACH);
        }
        let mut statements: BTreeMap<BTreeSet<&'static str>, Vec<String>> = BTreeMap::new();
        resources.into_iter().for_each(|(resource, actions)| statements.entry(actions).or_default().push(resource));
        let statement = |(number, (actions, resource)): (usize, (BTreeSet<&'static str>, Vec<String>))| Statement {
            resource,
            ..Statement::of(numbered("WithOthers", number), actions, None)
        };
        statements.into_iter().enumerate().map(statement).collect()
    }

    /// Only to targets that are instances can groups be attached; whose names are not known, or may be anybody's, is `*`.
    fn autoscaling_groups(&self) -> BTreeSet<String> {
        let groups = self.of_kind(Kind::TargetGroup).filter(|group| group.get("target_type") != Some("ip"));
        let prefix = format!("{AUTOSCALING_GROUP} ");
        let names = |group: &'a Object| {
            let is_open = group.is_open() || group.is_exclusive(AUTOSCALING_GROUP);
            let named = group.settings.keys().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned);
            named.chain(is_open.then(|| "*".to_owned())).collect::<Vec<_>>()
        };
        let names: BTreeSet<String> = groups.flat_map(names).collect();
        if names.contains("*") { BTreeSet::from(["*".to_owned()]) } else { names }
    }

    /// What Kubernetes has tagged as the cluster's, by either of the tags that its controllers use; and what is in the VPC.
    fn leftovers(&self) -> Vec<Statement> {
        if !self.deletes_leftovers {
            return Vec::new();
        }
        let vpcs = if self.vpc_ids.is_empty() { BTreeSet::from(["*".to_owned()]) } else { self.vpc_ids.clone() };
        let arns = vpcs.iter().map(|id| format!("arn:*:ec2:*:*:vpc/{id}")).collect();
        let in_vpc = BTreeMap::from([("ArnLike", BTreeMap::from([("ec2:Vpc".to_owned(), arns)]))]);
        let guard_duty = BTreeMap::from([(
            "StringLike",
            BTreeMap::from([("ec2:VpceServiceName".to_owned(), vec!["*.guardduty-data".to_owned()])]),
        )]);
        let by_name = equals("aws:ResourceTag/elbv2.k8s.aws/cluster", self.clusters());
        let mut statements = vec![
            Statement::of("DeleteInVpc", DELETE_IN_VPC.into(), Some(in_vpc)),
            Statement::of("DeleteOfGuardDuty", BTreeSet::from(["ec2:DeleteVpcEndpoints"]), Some(guard_duty)),
            Statement::of("DeleteOfController", DELETE_TAGGED.into(), Some(by_name)),
        ];
        let of_cluster = |(number, cluster): (usize, String)| {
            Statement::of(numbered("DeleteOfCluster", number), DELETE_TAGGED.into(), Some(has_cluster_tag(&cluster)))
        };
        statements.extend(self.clusters().into_iter().enumerate().map(of_cluster));
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

    /// Each cluster has a tag of its own, so each has a statement of its own.
    fn volumes(&self) -> impl Iterator<Item = Statement> {
        let statement = |(number, cluster): (usize, &String)| {
            Statement::of(numbered("DeleteVolumes", number), BTreeSet::from(["ec2:DeleteVolume"]), Some(has_cluster_tag(cluster)))
        };
        self.deletes_volumes.iter().enumerate().map(statement)
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
        let roles: BTreeSet<String> = self.of_kind(Kind::FlowLog).filter_map(|log| log.get("role")).map(str::to_owned).collect();
        if !roles.is_empty() {
            let condition = equals("iam:PassedToService", ["vpc-flow-logs.amazonaws.com".to_owned()]);
            let pass = Statement::of("PassRole", BTreeSet::from(["iam:PassRole"]), Some(condition));
            statements.push(Statement { resource: roles.into_iter().collect(), ..pass });
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

/// How many characters a managed policy has at most, white space not counted (IAM and AWS STS quotas).
const MANAGED_POLICY: usize = 6144;

fn characters(policy: &str) -> usize {
    policy.chars().filter(|c| !c.is_whitespace()).count()
}

fn json(statements: &(impl Serialize + ?Sized)) -> String {
    let policy = Policy { version: "2012-10-17", statement: statements };
    serde_json::to_string_pretty(&policy).unwrap_or_default()
}

/// `DeleteVolumes`, then `DeleteVolumes2`: a policy has each name once.
fn numbered(sid: &'static str, number: usize) -> Cow<'static, str> {
    if number == 0 { sid.into() } else { format!("{sid}{}", number + 1).into() }
}

/// `shared` is what Kubernetes uses and somebody else made.
fn has_cluster_tag(cluster: &str) -> Condition {
    let key = format!("aws:ResourceTag/kubernetes.io/cluster/{cluster}");
    BTreeMap::from([
        ("Null", BTreeMap::from([(key.clone(), vec!["false".to_owned()])])),
        ("StringNotEquals", BTreeMap::from([(key, vec!["shared".to_owned()])])),
    ])
}

type Condition = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

fn equals(key: &str, values: impl IntoIterator<Item = String>) -> Condition {
    BTreeMap::from([("StringEquals", BTreeMap::from([(key.to_owned(), values.into_iter().collect())]))])
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a, S: ?Sized> {
    version: &'static str,
    statement: &'a S,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: Cow<'static, str>,
    effect: &'static str,
    action: BTreeSet<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

impl Statement {
    fn of(sid: impl Into<Cow<'static, str>>, action: BTreeSet<&'static str>, condition: Option<Condition>) -> Statement {
        Statement { sid: sid.into(), effect: "Allow", action, resource: vec!["*".to_owned()], condition }
    }
}

#[cfg(test)]
mod tests;
