//! The least IAM policy for what graphs use: the statements that follow from the table of actions.

mod actions;

pub use actions::{actions, creating};

use crate::{CLUSTER_TAG, Graph, Kind, Object};
use actions::{Actions, IDENTITY, TAG_ACTIONS, of};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What a cluster's load balancers and network add-on leave behind carries tags of several makers, or none.
const DELETE_LEFTOVERS: [&str; 7] = [
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteSecurityGroup",
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
        statements.extend(self.volumes());
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

    /// Each cluster has a tag of its own, so each has a statement of its own.
    fn volumes(&self) -> impl Iterator<Item = Statement> {
        let statement = |(number, cluster): (usize, &String)| {
            let key = format!("aws:ResourceTag/kubernetes.io/cluster/{cluster}");
            let condition = BTreeMap::from([
                ("Null", BTreeMap::from([(key.clone(), vec!["false".to_owned()])])),
                ("StringNotEquals", BTreeMap::from([(key, vec!["shared".to_owned()])])),
            ]);
            let sid = if number == 0 { "DeleteVolumes".to_owned() } else { format!("DeleteVolumes{}", number + 1) };
            Statement::of(sid, BTreeSet::from(["ec2:DeleteVolume"]), Some(condition))
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
