//! Security groups: rules of each kind of group, in both directions, and their descriptions.

use crate::outside::Outside;
use crate::row::{Row, row};
use acceptance_tests::aws::{Account, Element};

const AUTHORIZE: [&str; 2] = ["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"];
const REVOKE: [&str; 2] = ["RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"];

/// `authorize(aws, AUTHORIZE[0], "node", "tcp 22-22 Groups.1.GroupId=@security_group/bastion")`.
fn authorize(aws: &Outside<'_>, action: &str, group: &str, rule: &str) {
    let words: Vec<&str> = rule.split(' ').collect();
    let [protocol, ports, peer] = words[..] else { panic!("{rule} is no rule") };
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    let ports =
        if protocol == "-1" { String::new() } else { format!("IpPermissions.1.FromPort={from} IpPermissions.1.ToPort={to}") };
    aws.ec2(&format!(
        "{action} GroupId=@security_group/{group} IpPermissions.1.IpProtocol={protocol} {ports} IpPermissions.1.{peer}"
    ));
}

/// `revoke(aws, REVOKE[0], "node", "22-22 @security_group/bastion")`.
fn revoke(aws: &Outside<'_>, action: &str, group: &str, rule: &str) {
    let (ports, peer) = rule.split_once(' ').unwrap_or_default();
    let peer = peer.strip_prefix('@').map_or(peer.to_owned(), |object| aws.id(object));
    let all = aws.ec2(&format!("DescribeSecurityGroupRules Filter.1.Name=group-id Filter.1.Value.1=@security_group/{group}"));
    let is_it = |rule: &&Element| {
        let own = if rule.value("ipProtocol") == "-1" {
            "all".into()
        } else {
            format!("{}-{}", rule.value("fromPort"), rule.value("toPort"))
        };
        let peers = ["cidrIpv4", "cidrIpv6", "referencedGroupInfo/groupId"].map(|path| rule.value(path));
        own == ports && peers.contains(&peer.as_str()) && (rule.value("isEgress") == "true") == action.ends_with("Egress")
    };
    let its =
        all.all("securityGroupRuleSet/item").into_iter().find(is_it).unwrap_or_else(|| panic!("{group} has no rule {rule}"));
    let id = its.value("securityGroupRuleId");
    aws.ec2(&format!("{action} GroupId=@security_group/{group} SecurityGroupRuleId.1={id}"));
}

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "bastion: administrators cannot come in any more",
            |aws| revoke(aws, REVOKE[0], "bastion", "22-22 198.51.100.0/24"),
            "security_group/bastion",
            "ingress tcp 22 198.51.100.0/24 is missing, should be SSH, for administrators",
            &AUTHORIZE[..1],
        ),
        row(
            "bastion: SSH is open to all",
            |aws| authorize(aws, AUTHORIZE[0], "bastion", "tcp 22-22 IpRanges.1.CidrIp=0.0.0.0/0"),
            "security_group/bastion",
            "ingress tcp 22 0.0.0.0/0 is not declared",
            &REVOKE[..1],
        ),
        row(
            "bastion: a rule has another description",
            |aws| {
                aws.ec2(
                    "UpdateSecurityGroupRuleDescriptionsIngress GroupId=@security_group/bastion IpPermissions.1.IpProtocol=tcp \
                     IpPermissions.1.FromPort=22 IpPermissions.1.ToPort=22 IpPermissions.1.Ipv6Ranges.1.CidrIpv6=2001:db8:77::/48 \
                     IpPermissions.1.Ipv6Ranges.1.Description=somebody",
                );
            },
            "security_group/bastion",
            "ingress tcp 22 2001:db8:77::/48 is somebody, should be SSH, for administrators",
            &["UpdateSecurityGroupRuleDescriptionsIngress"],
        ),
        row(
            "control plane: etcd is closed to its members",
            |aws| revoke(aws, REVOKE[0], "control-plane", "2379-2380 @security_group/control-plane"),
            "security_group/control-plane",
            "ingress tcp 2379-2380 @security_group/control-plane is missing, should be etcd, for API servers and the other members",
            &AUTHORIZE[..1],
        ),
        row(
            "control plane: the API is open to all over IPv6",
            |aws| authorize(aws, AUTHORIZE[0], "control-plane", "tcp 6443-6443 Ipv6Ranges.1.CidrIpv6=::/0"),
            "security_group/control-plane",
            "ingress tcp 6443 ::/0 is not declared",
            &REVOKE[..1],
        ),
        row(
            "load balancer: API servers are not reached any more",
            |aws| revoke(aws, REVOKE[1], "load-balancer", "6443-6443 @security_group/control-plane"),
            "security_group/load-balancer",
            "egress tcp 6443 @security_group/control-plane is missing, should be API server, for clients of the load balancer and its \
             health checks",
            &AUTHORIZE[1..],
        ),
        row(
            "load balancer: everything may go out",
            |aws| authorize(aws, AUTHORIZE[1], "load-balancer", "-1 - IpRanges.1.CidrIp=0.0.0.0/0"),
            "security_group/load-balancer",
            "egress all all 0.0.0.0/0 is not declared",
            &REVOKE[1..],
        ),
        row(
            "node: nothing goes out over IPv6",
            |aws| revoke(aws, REVOKE[1], "node", "all ::/0"),
            "security_group/node",
            "egress all all ::/0 is missing, should be Everything, for downloads and pods",
            &AUTHORIZE[1..],
        ),
        row(
            "node: a group of another role may reach kubelet",
            |aws| authorize(aws, AUTHORIZE[0], "node", "tcp 10250-10250 Groups.1.GroupId=@security_group/bastion"),
            "security_group/node",
            "ingress tcp 10250 @security_group/bastion is not declared",
            &REVOKE[..1],
        ),
    ]
}

pub fn further_rows() -> Vec<Row> {
    vec![
        row(
            "proxy: nodes do not reach it any more",
            |aws| revoke(aws, REVOKE[0], "proxy", "3128-3128 @security_group/node"),
            "security_group/proxy",
            "ingress tcp 3128 @security_group/node is missing, should be Proxy, for hosts and pods of the cluster",
            &AUTHORIZE[..1],
        ),
        row(
            "proxy: it may send mail",
            |aws| authorize(aws, AUTHORIZE[1], "proxy", "tcp 25-25 IpRanges.1.CidrIp=0.0.0.0/0"),
            "security_group/proxy",
            "egress tcp 25 0.0.0.0/0 is not declared",
            &REVOKE[1..],
        ),
        row(
            "endpoint: nodes do not reach AWS any more",
            |aws| revoke(aws, REVOKE[0], "endpoint", "443-443 @security_group/node"),
            "security_group/endpoint",
            "ingress tcp 443 @security_group/node is missing, should be AWS services, for hosts of the cluster",
            &AUTHORIZE[..1],
        ),
        row(
            "endpoint: it answers pings of a network",
            |aws| authorize(aws, AUTHORIZE[1], "endpoint", "icmp 0--1 IpRanges.1.CidrIp=198.51.100.0/24"),
            "security_group/endpoint",
            "egress icmp 0 198.51.100.0/24 is not declared",
            &REVOKE[1..],
        ),
        row(
            "node: a rule to others has another description",
            |aws| {
                aws.ec2(
                    "UpdateSecurityGroupRuleDescriptionsEgress GroupId=@security_group/node IpPermissions.1.IpProtocol=-1 \
                     IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0 IpPermissions.1.IpRanges.1.Description=somebody",
                );
            },
            "security_group/node",
            "egress all all 0.0.0.0/0 is somebody, should be Everything, for downloads and pods",
            &["UpdateSecurityGroupRuleDescriptionsEgress"],
        ),
    ]
}

/// As the cloud controller makes them for a network load balancer and for a classic one, and the load balancer controller for its
/// target groups.
pub fn kubernetes_rules_are_left_alone(account: &Account) {
    let aws = Outside::of(account);
    let group = aws.ec2(
        "CreateSecurityGroup GroupName=k8s-elb-a1b2 GroupDescription=made-for-a-service VpcId=@vpc/main \
         TagSpecification.1.ResourceType=security-group TagSpecification.1.Tag.1.Key=kubernetes.io/cluster/demo \
         TagSpecification.1.Tag.1.Value=owned",
    );
    let group = group.at("groupId").unwrap().text.clone();
    let tcp = "IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=31000 IpPermissions.1.ToPort=31000";
    let rules = [
        format!(
            "{tcp} IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0 IpPermissions.1.IpRanges.1.Description=kubernetes.io/rule/nlb/client=a1b2"
        ),
        format!("IpPermissions.1.IpProtocol=-1 IpPermissions.1.Groups.1.GroupId={group}"),
        format!(
            "{tcp} IpPermissions.1.Groups.1.GroupId={group} IpPermissions.1.Groups.1.Description=elbv2.k8s.aws/targetGroupBinding=shared"
        ),
    ];
    let all =
        |action: &str| rules.iter().for_each(|rule| drop(aws.ec2(&format!("{action} GroupId=@security_group/node {rule}"))));
    all(AUTHORIZE[0]);
    let plan = account.plan();
    all(REVOKE[0]);
    aws.ec2(&format!("DeleteSecurityGroup GroupId={group}"));
    plan.is_empty();
}
