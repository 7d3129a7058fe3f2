//! Tags: changed or removed from objects of every kind that has any.

use crate::outside::Outside;
use crate::row::{Row, row};
use acceptance_tests::aws::Account;

fn set(aws: &Outside<'_>, object: &str, key: &str, value: &str) {
    aws.ec2(&format!("CreateTags ResourceId.1=@{object} Tag.1.Key={key} Tag.1.Value={value}"));
}

fn remove(aws: &Outside<'_>, object: &str, key: &str) {
    aws.ec2(&format!("DeleteTags ResourceId.1=@{object} Tag.1.Key={key}"));
}

fn set_at_balancer(aws: &Outside<'_>, object: &str, key: &str, value: &str) {
    aws.elb(&format!("AddTags ResourceArns.member.1=@{object} Tags.member.1.Key={key} Tags.member.1.Value={value}"));
}

fn remove_from_balancer(aws: &Outside<'_>, object: &str, key: &str) {
    aws.elb(&format!("RemoveTags ResourceArns.member.1=@{object} TagKeys.member.1={key}"));
}

pub fn rows() -> Vec<Row> {
    let ec2 = ["CreateTags"];
    let balancer = ["AddTags"];
    vec![
        row("VPC: Name is changed", |aws| set(aws, "vpc/main", "Name", "x"), "vpc/main", "tag Name is x, should be demo", &ec2),
        row(
            "internet gateway: Name is removed",
            |aws| remove(aws, "internet_gateway/main", "Name"),
            "internet_gateway/main",
            "tag Name is missing, should be demo",
            &ec2,
        ),
        row(
            "egress-only gateway: Name is emptied",
            |aws| set(aws, "egress_only_internet_gateway/main", "Name", ""),
            "egress_only_internet_gateway/main",
            "tag Name is empty, should be demo",
            &ec2,
        ),
        row(
            "security group: the cluster's tag is removed",
            |aws| remove(aws, "security_group/node", "kubernetes.io/cluster/demo"),
            "security_group/node",
            "tag kubernetes.io/cluster/demo is missing, should be shared",
            &ec2,
        ),
        row(
            "subnet: it is not for load balancers any more",
            |aws| remove(aws, "subnet/public-1", "kubernetes.io/role/elb"),
            "subnet/public-1",
            "tag kubernetes.io/role/elb is missing, should be 1",
            &ec2,
        ),
        row(
            "subnet: the cluster owns it alone",
            |aws| set(aws, "subnet/private-2", "kubernetes.io/cluster/demo", "owned"),
            "subnet/private-2",
            "tag kubernetes.io/cluster/demo is owned, should be shared",
            &ec2,
        ),
        row(
            "Elastic IP: Name is removed",
            |aws| remove(aws, "elastic_ip/nat-1", "Name"),
            "elastic_ip/nat-1",
            "tag Name is missing, should be demo-nat-1",
            &ec2,
        ),
        row(
            "NAT gateway: Name is changed",
            |aws| set(aws, "nat_gateway/nat-2", "Name", "x"),
            "nat_gateway/nat-2",
            "tag Name is x, should be demo-nat-2",
            &ec2,
        ),
        row(
            "route table: the cluster's name is changed",
            |aws| set(aws, "route_table/public", "k8s-hardway/cluster", "x"),
            "route_table/public",
            "tag k8s-hardway/cluster is x, should be demo",
            &ec2,
        ),
        row(
            "key pair: Name is removed",
            |aws| remove(aws, "key_pair/demo-bastion", "Name"),
            "key_pair/demo-bastion",
            "tag Name is missing, should be demo-bastion",
            &ec2,
        ),
        row(
            "instance: Name is changed",
            |aws| set(aws, "instance/demo-bastion", "Name", "x"),
            "instance/demo-bastion",
            "tag Name is x, should be demo-bastion",
            &ec2,
        ),
        row(
            "load balancer: Name is removed",
            |aws| remove_from_balancer(aws, "load_balancer/demo-api", "Name"),
            "load_balancer/demo-api",
            "tag Name is missing, should be demo-api",
            &balancer,
        ),
        row(
            "target group: the cluster's name is changed",
            |aws| set_at_balancer(aws, "target_group/apiserver", "k8s-hardway/cluster", "x"),
            "target_group/apiserver",
            "tag k8s-hardway/cluster is x, should be demo",
            &balancer,
        ),
        row(
            "listener: Name is changed",
            |aws| set_at_balancer(aws, "listener/apiserver", "Name", "x"),
            "listener/apiserver",
            "tag Name is x, should be demo-apiserver",
            &balancer,
        ),
    ]
}

pub fn rows_of_endpoints() -> Vec<Row> {
    let ec2 = ["CreateTags"];
    vec![
        row(
            "DHCP options: Name is removed",
            |aws| remove(aws, "dhcp_options/main", "Name"),
            "dhcp_options/main",
            "tag Name is missing, should be demo",
            &ec2,
        ),
        row(
            "endpoint: Name is changed",
            |aws| set(aws, "vpc_endpoint/sts", "Name", "x"),
            "vpc_endpoint/sts",
            "tag Name is x, should be demo-sts",
            &ec2,
        ),
        row(
            "flow log: Name is removed",
            |aws| remove(aws, "flow_log/main", "Name"),
            "flow_log/main",
            "tag Name is missing, should be demo",
            &ec2,
        ),
    ]
}

/// Without it, an object is still known by its id in the state.
pub fn rows_of_object_tags() -> Vec<Row> {
    let ec2 = ["CreateTags"];
    vec![
        row(
            "VPC: it is not ours any more",
            |aws| remove(aws, "vpc/main", "k8s-hardway/object"),
            "vpc/main",
            "tag k8s-hardway/object is missing, should be k8s_vpc/demo vpc/main",
            &ec2,
        ),
        row(
            "security group: it is not ours any more",
            |aws| remove(aws, "security_group/proxy", "k8s-hardway/object"),
            "security_group/proxy",
            "tag k8s-hardway/object is missing, should be k8s_vpc/demo security_group/proxy",
            &ec2,
        ),
        row(
            "subnet: it says that it is another one",
            |aws| set(aws, "subnet/private-1", "k8s-hardway/object", "x"),
            "subnet/private-1",
            "tag k8s-hardway/object is x, should be k8s_vpc/demo subnet/private-1",
            &ec2,
        ),
        row(
            "instance: it is not ours any more",
            |aws| remove(aws, "instance/demo-bastion", "k8s-hardway/object"),
            "instance/demo-bastion",
            "tag k8s-hardway/object is missing, should be k8s_bastion/demo/demo-bastion instance/demo-bastion",
            &ec2,
        ),
        row(
            "target group: it is not ours any more",
            |aws| remove_from_balancer(aws, "target_group/apiserver", "k8s-hardway/object"),
            "target_group/apiserver",
            "tag k8s-hardway/object is missing, should be k8s_lb_nlb/demo-api target_group/apiserver",
            &["AddTags"],
        ),
    ]
}

/// Of cost allocation, or of whoever else works on the account.
pub fn foreign_tags_are_left_alone(account: &Account) {
    let aws = Outside::of(account);
    let objects = ["vpc/main", "subnet/private-1", "security_group/node", "route_table/public", "instance/demo-proxy"];
    objects.iter().for_each(|object| set(&aws, object, "cost-center", "42"));
    set_at_balancer(&aws, "load_balancer/demo-api", "cost-center", "42");
    let plan = account.plan();
    objects.iter().for_each(|object| remove(&aws, object, "cost-center"));
    remove_from_balancer(&aws, "load_balancer/demo-api", "cost-center");
    plan.is_empty();
}
