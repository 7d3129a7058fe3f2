//! The table is whole, and the statements say what the graph needs and no more.

use super::*;

fn graph(objects: Vec<Object>) -> Graph {
    let mut graph: Graph = objects.into_iter().collect();
    graph.tag(CLUSTER_TAG, |_| "demo".into());
    graph
}

/// A line for each statement: its name, actions, what they are for and under which condition.
#[track_caller]
fn check(objects: Vec<Object>, expect: &[&str]) {
    let policy: serde_json::Value = serde_json::from_str(&Uses::of(&[graph(objects)]).least_policy()).unwrap();
    let texts = |value: &serde_json::Value| {
        let items = value.as_array().unwrap().iter().map(|item| item.as_str().unwrap());
        items.collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| {
            let conditions = statement["Condition"].as_object().into_iter().flatten();
            let of_operator = |(operator, keys): (&String, &serde_json::Value)| {
                let operator = if operator == "StringEquals" { "=" } else { operator };
                let keys = keys.as_object().unwrap().iter();
                keys.map(|(key, values)| format!(" if {key} {operator} {}", texts(values))).collect::<String>()
            };
            let condition: String = conditions.map(of_operator).collect();
            let (sid, actions, on) =
                (statement["Sid"].as_str().unwrap(), texts(&statement["Action"]), texts(&statement["Resource"]));
            format!("{sid}: {actions} on {on}{condition}")
        })
        .collect();
    assert_eq!(lines, expect);
}

#[test]
fn changes_are_for_what_carries_the_clusters_tag() {
    check(
        vec![Object::new(Kind::NatGateway, "a")],
        &[
            "Read: ec2:DescribeNatGateways sts:GetCallerIdentity on *",
            "Create: ec2:CreateNatGateway on *",
            "ChangeOwn: ec2:CreateTags ec2:DeleteNatGateway ec2:DeleteTags on * if aws:ResourceTag/k8s-hardway/cluster = demo",
            "TagNewOfEc2: ec2:CreateTags on * if ec2:CreateAction = CreateNatGateway",
        ],
    );
}

#[test]
fn records_are_for_their_zone() {
    let record = |zone: &str| Object::new(Kind::DnsRecord, zone).with("zone", zone);
    check(
        vec![record("Z1"), record("Z2")],
        &[
            "Read: route53:ListResourceRecordSets sts:GetCallerIdentity on *",
            "ChangeRecords: route53:ChangeResourceRecordSets on arn:*:route53:::hostedzone/Z1 arn:*:route53:::hostedzone/Z2",
        ],
    );
    let later = Object::new(Kind::DnsRecord, "A").with("zone", crate::Setting::Unknown);
    check(
        vec![later],
        &[
            "Read: route53:ListResourceRecordSets sts:GetCallerIdentity on *",
            "ChangeRecords: route53:ChangeResourceRecordSets on arn:*:route53:::hostedzone/*",
        ],
    );
}

#[test]
fn roles_are_passed_to_the_service_that_takes_them() {
    let log = Object::new(Kind::FlowLog, "main").with("destination_type", "s3").with("role", "arn:aws:iam::1:role/logs");
    check(
        vec![log],
        &[
            "Read: ec2:DescribeFlowLogs sts:GetCallerIdentity on *",
            "Create: ec2:CreateFlowLogs on *",
            "ChangeOwn: ec2:CreateTags ec2:DeleteFlowLogs ec2:DeleteTags on * if aws:ResourceTag/k8s-hardway/cluster = demo",
            "TagNewOfEc2: ec2:CreateTags on * if ec2:CreateAction = CreateFlowLogs",
            "PassRole: iam:PassRole on arn:aws:iam::1:role/logs if iam:PassedToService = vpc-flow-logs.amazonaws.com",
            "DeliverLogs: logs:CreateLogDelivery logs:DeleteLogDelivery on *",
        ],
    );
}

/// Statements of these names.
#[track_caller]
fn check_statements(uses: &Uses<'_>, sid: &str, expect: &[(&str, &str)]) {
    let statements = uses.statements();
    let found: Vec<(String, String)> = statements
        .iter()
        .filter(|statement| statement.sid.starts_with(sid))
        .map(|statement| (statement.action.iter().copied().collect::<Vec<_>>().join(" "), statement.resource.join(" ")))
        .collect();
    let expect: Vec<(String, String)> = expect.iter().map(|(actions, on)| (actions.to_string(), on.to_string())).collect();
    assert_eq!(found, expect);
}

#[test]
fn a_role_that_is_not_known_yet_makes_the_policy_wait() {
    let log = |role: crate::Setting| [graph(vec![Object::new(Kind::FlowLog, "main").with("role", role)])];
    assert!(Uses::of(&log("arn".into())).are_known());
    assert!(!Uses::of(&log(crate::Setting::Unknown)).are_known());
}

#[test]
fn groups_are_attached_to_targets_that_are_instances() {
    let with = |target_type: &str, name: &str| {
        [graph(vec![Object::new(Kind::TargetGroup, "web").with("target_type", target_type).with(name, "")])]
    };
    let both = "autoscaling:AttachLoadBalancerTargetGroups autoscaling:DetachLoadBalancerTargetGroups";
    let named = |name: &str| format!("arn:*:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/{name}");
    check_statements(&Uses::of(&with("ip", "autoscaling_group nodes")), "WithOthers", &[]);
    check_statements(&Uses::of(&with("instance", "port")), "WithOthers", &[]);
    check_statements(&Uses::of(&with("instance", "autoscaling_group nodes")), "WithOthers", &[(both, &named("nodes"))]);
    check_statements(&Uses::of(&with("instance", "exclusive autoscaling_group")), "WithOthers", &[(both, &named("*"))]);
}

/// No action on an instance, a route table or an endpoint without the cluster's tag: user data of a stopped instance is root on it.
#[test]
fn what_changes_something_is_for_what_carries_the_tag() {
    let everything = [graph(Kind::all().map(|kind| Object::new(kind, "a").with("zone", "Z1").with("role", "arn")).collect())];
    let uses = Uses::of(&everything).with_leftovers(true).with_volumes("demo");
    for statement in uses.statements() {
        let is_bounded = statement.condition.is_some() || !statement.resource.contains(&"*".to_owned());
        let is_open = |action: &&str| {
            let name = action.split_once(':').map_or("", |(_, name)| name);
            let harmless = ["Describe", "List", "Get", "Create", "Run", "Import", "Allocate"];
            // Of other services, in the caller's name: they take no resource.
            !harmless.iter().any(|verb| name.starts_with(verb))
                && !["logs:DeleteLogDelivery", "route53:AssociateVPCWithHostedZone"].contains(action)
        };
        assert!(is_bounded || !statement.action.iter().any(is_open), "{}: {:?}", statement.sid, statement.action);
    }
    let instance = [graph(vec![Object::new(Kind::Instance, "a").with("elastic_ip", "eipalloc-1")])];
    check_statements(
        &Uses::of(&instance),
        "WithOthers",
        &[
            ("ec2:AssociateAddress ec2:DisassociateAddress", "arn:*:ec2:*:*:elastic-ip/eipalloc-1"),
            ("ec2:ModifyInstanceAttribute", "arn:*:ec2:*:*:security-group/*"),
        ],
    );
}

#[test]
fn leftovers_are_for_their_vpc_and_their_cluster() {
    let network = [graph(vec![Object::new(Kind::KeyPair, "a")])];
    let uses = Uses::of(&network).with_leftovers(true).in_vpc("vpc-1");
    let policy: serde_json::Value = serde_json::from_str(&uses.least_policy()).unwrap();
    let condition = |sid: &str| {
        let statements = policy["Statement"].as_array().unwrap();
        statements.iter().find(|one| one["Sid"] == sid).unwrap()["Condition"].clone()
    };
    assert_eq!(condition("DeleteInVpc"), serde_json::json!({ "ArnLike": { "ec2:Vpc": ["arn:*:ec2:*:*:vpc/vpc-1"] } }));
    let by_tag = "aws:ResourceTag/kubernetes.io/cluster/demo";
    let of_cluster = serde_json::json!({ "Null": { by_tag: ["false"] }, "StringNotEquals": { by_tag: ["shared"] } });
    assert_eq!(condition("DeleteOfCluster"), of_cluster);
    let by_name = serde_json::json!({ "StringEquals": { "aws:ResourceTag/elbv2.k8s.aws/cluster": ["demo"] } });
    assert_eq!(condition("DeleteOfController"), by_name);
}

#[test]
fn every_kind_is_in_the_table() {
    for kind in Kind::all() {
        let actions = actions(kind);
        assert!(actions.len() >= 2, "{kind}");
        assert!(actions.iter().all(|action| action.split_once(':').is_some_and(|(service, name)| {
            service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                && name.starts_with(|c: char| c.is_ascii_uppercase())
        })));
    }
}

#[test]
fn the_policies_of_everything_are_such_as_iam_takes() {
    let everything = Kind::all().map(|kind| Object::new(kind, "a").with("zone", "Z1").with("role", "r")).collect();
    let graphs = [graph(everything)];
    let uses = Uses::of(&graphs).with_leftovers(true).with_volumes("demo").with_volumes("other");
    let documents = uses.least_policies();
    let statements = |policy: &String| -> Vec<serde_json::Value> {
        let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    };
    let mut all: Vec<String> = documents.iter().flat_map(statements).map(|statement| statement.to_string()).collect();
    let mut whole: Vec<String> = statements(&uses.least_policy()).iter().map(ToString::to_string).collect();
    all.sort();
    whole.sort();
    assert_eq!(all, whole, "together they are the one policy");
    assert!(
        documents.iter().all(|document| characters(document) <= MANAGED_POLICY) && documents.len() <= 2,
        "{}",
        documents.len()
    );
    let statements = uses.statements();
    let sids: Vec<&str> = statements.iter().map(|statement| &*statement.sid).collect();
    assert_eq!(sids.iter().collect::<BTreeSet<_>>().len(), sids.len());
}

#[test]
fn graphs_of_several_resources_come_to_one_policy() {
    let record = |zone: &str| graph(vec![Object::new(Kind::DnsRecord, "A").with("zone", zone), Object::new(Kind::KeyPair, zone)]);
    let mut other = record("Z2");
    other.add(Object::new(Kind::KeyPair, "b").with(format!("tag {CLUSTER_TAG}"), "other"));
    let graphs = [record("Z1"), other];
    let policy = Uses::of(&graphs).with_leftovers(true).least_policy();
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    let statement = |sid: &str| policy["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == sid).unwrap().clone();
    assert_eq!(statement("ChangeRecords")["Resource"].as_array().unwrap().len(), 2);
    let clusters = &statement("ChangeOwn")["Condition"]["StringEquals"]["aws:ResourceTag/k8s-hardway/cluster"];
    assert_eq!(*clusters, serde_json::json!(["demo", "other"]));
    assert_eq!(statement("DeleteInVpc")["Action"].as_array().unwrap().len(), DELETE_IN_VPC.len());
}
