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
            let condition = match &statement["Condition"]["StringEquals"] {
                serde_json::Value::Object(keys) => {
                    keys.iter().map(|(key, values)| format!(" if {key} = {}", texts(values))).collect()
                }
                _ => String::new(),
            };
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
            "CreateAndAttach: ec2:CreateNatGateway on *",
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
    let log = Object::new(Kind::FlowLog, "main").with("destination_type", "s3").with("role", "arn");
    check(
        vec![log],
        &[
            "Read: ec2:DescribeFlowLogs sts:GetCallerIdentity on *",
            "CreateAndAttach: ec2:CreateFlowLogs on *",
            "ChangeOwn: ec2:CreateTags ec2:DeleteFlowLogs ec2:DeleteTags on * if aws:ResourceTag/k8s-hardway/cluster = demo",
            "TagNewOfEc2: ec2:CreateTags on * if ec2:CreateAction = CreateFlowLogs",
            "PassRole: iam:PassRole on * if iam:PassedToService = vpc-flow-logs.amazonaws.com",
            "DeliverLogs: logs:CreateLogDelivery logs:DeleteLogDelivery on *",
        ],
    );
}

#[test]
fn groups_are_attached_to_targets_that_are_instances() {
    let with = |target_type: &str| Object::new(Kind::TargetGroup, "web").with("target_type", target_type);
    let autoscaling = |object: Object| -> Vec<String> {
        let policy = Uses::of(&[graph(vec![object])]).least_policy();
        policy.split('"').filter(|text| text.starts_with("autoscaling:")).map(str::to_owned).collect()
    };
    assert_eq!(autoscaling(with("ip")), Vec::<String>::new());
    let actions = ["DescribeAutoScalingGroups", "AttachLoadBalancerTargetGroups", "DetachLoadBalancerTargetGroups"];
    assert_eq!(autoscaling(with("instance")), actions.map(|action| format!("autoscaling:{action}")));
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
fn the_policy_of_everything_is_one_that_iam_takes() {
    let everything =
        Kind::all().map(|kind| Object::new(kind, "a").with("zone", "Z1").with("profile", "p").with("role", "r")).collect();
    let graphs = [graph(everything)];
    let uses = Uses::of(&graphs).with_leftovers(true).with_volumes("demo").with_volumes("other");
    let policy = uses.least_policy();
    // A managed policy has at most 6144 characters, white space not counted.
    assert!(policy.chars().filter(|c| !c.is_whitespace()).count() <= 6144);
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
    assert_eq!(statement("DeleteLeftovers")["Action"].as_array().unwrap().len(), DELETE_LEFTOVERS.len());
}
