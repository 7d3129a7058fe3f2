//! The IAM policy that the provider returns comes from a table: every operation that the code names is in it.

#![allow(clippy::unwrap_used)]

use cloud::Kind;
use std::collections::BTreeSet;
use std::path::Path;

const SERVICES: [&str; 4] = ["autoscaling", "ec2", "elasticloadbalancing", "route53"];

fn sources(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts =
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![std::fs::read_to_string(path).unwrap()] });
    texts.collect()
}

/// Texts such as `"ec2:CreateSubnet"`.
fn operations(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').filter(|text| {
        let parts = text.split_once(':');
        parts.is_some_and(|(service, name)| {
            SERVICES.contains(&service) && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
        })
    })
}

#[test]
fn every_operation_on_objects_is_in_the_table_of_the_policy() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/objects"));
    let named: BTreeSet<&str> = sources.iter().flat_map(|source| operations(source)).collect();
    let allowed: BTreeSet<&str> = Kind::all().flat_map(cloud::actions).collect();
    let missing: Vec<&&str> = named.difference(&allowed).collect();
    assert!(named.len() > 50, "operations are not named as this test looks for them: {named:?}");
    assert!(missing.is_empty(), "provider/cloud/src/policy.rs has no {missing:?}");
    let unused: Vec<&&str> = allowed
        .difference(&named)
        .filter(|action| SERVICES.iter().any(|service| action.starts_with(service)) && !LOOKED_UP_ELSEWHERE.contains(action))
        .collect();
    assert!(unused.is_empty(), "provider/cloud/src/policy.rs allows what no object needs: {unused:?}");
}

#[test]
fn every_operation_of_a_kind_is_in_the_row_of_the_kind() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/objects");
    for kind in Kind::all() {
        let (file, own) = (folder.join(format!("{kind}.rs")), folder.join(kind.as_str()));
        let mut texts = if own.is_dir() { sources(&own) } else { Vec::new() };
        texts.extend(file.is_file().then(|| std::fs::read_to_string(&file).unwrap()));
        let mut named: BTreeSet<&str> = texts.iter().flat_map(|source| operations(source)).collect();
        assert!(!named.is_empty(), "no file of {kind} names its operations");
        named.extend(ASKED_FOR_OTHERS.iter().filter(|(of, _)| *of == kind).flat_map(|(_, operations)| *operations));
        let allowed = cloud::actions(kind);
        let missing: Vec<&&str> = named.difference(&allowed).collect();
        assert!(missing.is_empty(), "the row of {kind} in provider/cloud/src/policy.rs has no {missing:?}");
    }
}

/// What the code of a kind asks through the files of others, and what is asked wherever there is a VPC.
const ASKED_FOR_OTHERS: [(Kind, &[&str]); 4] = [
    (Kind::Vpc, &["ec2:DescribeDhcpOptions"]),
    // `src/queries/quotas.rs`
    (
        Kind::Vpc,
        &[
            "ec2:DescribeAddresses",
            "ec2:DescribeEgressOnlyInternetGateways",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeNatGateways",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
        ],
    ),
    // `src/queries/leftovers`, `src/queries/occupants`
    (Kind::Vpc, &["ec2:DescribeNetworkInterfaces", "ec2:DescribeVolumes", "elasticloadbalancing:DescribeTargetGroups"]),
    (
        Kind::Vpc,
        &[
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeRouteTables",
            "ec2:DescribeTransitGatewayVpcAttachments",
            "ec2:DescribeVpcPeeringConnections",
            "ec2:DescribeVpnGateways",
        ],
    ),
];

/// What `src/queries` asks, and what Elastic Load Balancing asks in the caller's name.
const LOOKED_UP_ELSEWHERE: [&str; 9] = [
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeTransitGatewayVpcAttachments",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpnGateways",
];
