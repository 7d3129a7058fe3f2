//! What the account may have, and how much of it there is.

use crate::clients::Clients;
use crate::error::{failed, is_not_found};
use aws_sdk_ec2::types::{NatGatewayState, Subnet};
use aws_sdk_servicequotas::types::ServiceQuota;
use cloud::{CloudError, Quota};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

/// Subject, service and code. Of what is limited in each zone, `used` is that of the fullest one; of what is limited in each VPC or
/// group it is 0, since these are about to be made.
const QUOTAS: [(&str, &str, &str); 9] = [
    ("vpc", "vpc", "L-F678F1CE"),
    ("internet_gateway", "vpc", "L-A4707A72"),
    ("egress_only_internet_gateway", "vpc", "L-45FE3B85"),
    ("nat_gateway_per_zone", "vpc", "L-FE5A380F"),
    ("security_group", "vpc", "L-E79EC296"),
    ("subnet_per_vpc", "vpc", "L-407747CB"),
    ("route_table_per_vpc", "vpc", "L-589F43AA"),
    ("rule_per_security_group", "vpc", "L-0EA8095F"),
    ("elastic_ip", "ec2", "L-0263D0A3"),
];
/// The service answers only a few requests a second.
const AT_ONCE: usize = 4;

/// A quota that the service does not know in this region is left out.
pub(crate) async fn quotas(clients: &Clients) -> Result<Vec<Quota>, CloudError> {
    let calls: Vec<_> = QUOTAS.iter().map(|(_, service, code)| limit(clients, service, code)).collect();
    let limits = stream::iter(calls).buffered(AT_ONCE).try_collect();
    let (limits, used): (Vec<Option<ServiceQuota>>, _) = futures::try_join!(limits, used(clients))?;
    let quota = |((subject, _, _), limit): (_, Option<ServiceQuota>)| {
        let limit = limit?;
        let name = limit.quota_name().unwrap_or(subject).to_owned();
        Some(Quota {
            subject: subject.to_owned(),
            name,
            limit: whole(limit.value()?),
            used: used.get(subject).copied().unwrap_or(0),
        })
    };
    Ok(QUOTAS.into_iter().zip(limits).filter_map(quota).collect())
}

/// The one of this account, else the one that holds for all.
async fn limit(clients: &Clients, service: &str, code: &str) -> Result<Option<ServiceQuota>, CloudError> {
    let call = clients.quotas.get_service_quota().service_code(service).quota_code(code);
    match call.send().await.map_err(|error| failed("servicequotas:GetServiceQuota", error)) {
        Ok(answer) => Ok(answer.quota),
        Err(error) if is_not_found(&error) => default_limit(clients, service, code).await,
        Err(error) => Err(error),
    }
}

async fn default_limit(clients: &Clients, service: &str, code: &str) -> Result<Option<ServiceQuota>, CloudError> {
    let pages = clients.quotas.list_aws_default_service_quotas().service_code(service).into_paginator().items().send();
    match pages.try_collect().await.map_err(|error| failed("servicequotas:ListAWSDefaultServiceQuotas", error)) {
        Ok(quotas) => Ok(quotas.into_iter().find(|quota| quota.quota_code() == Some(code))),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Quotas are returned as numbers with a fraction.
fn whole(value: f64) -> u64 {
    format!("{:.0}", value.max(0.0).floor()).parse().unwrap_or(u64::MAX)
}

/// How many objects of each subject exist.
async fn used(clients: &Clients) -> Result<BTreeMap<&'static str, u64>, CloudError> {
    let counts = futures::try_join!(
        vpcs(clients),
        internet_gateways(clients),
        egress_only_internet_gateways(clients),
        nat_gateways_of_a_zone(clients),
        security_groups(clients),
        elastic_ips(clients),
    )?;
    let (vpcs, gateways, egress_only, nat, groups, addresses) = counts;
    let used = [
        ("vpc", vpcs),
        ("internet_gateway", gateways),
        ("egress_only_internet_gateway", egress_only),
        ("nat_gateway_per_zone", nat),
        ("security_group", groups),
        ("elastic_ip", addresses),
    ];
    Ok(used.into_iter().map(|(subject, count)| (subject, count as u64)).collect())
}

async fn vpcs(clients: &Clients) -> Result<usize, CloudError> {
    let all = clients.ec2.describe_vpcs().into_paginator().items().send().try_collect().await;
    all.map(|all| all.len()).map_err(|error| failed("ec2:DescribeVpcs", error))
}

async fn internet_gateways(clients: &Clients) -> Result<usize, CloudError> {
    let all = clients.ec2.describe_internet_gateways().into_paginator().items().send().try_collect().await;
    all.map(|all| all.len()).map_err(|error| failed("ec2:DescribeInternetGateways", error))
}

async fn egress_only_internet_gateways(clients: &Clients) -> Result<usize, CloudError> {
    let all = clients.ec2.describe_egress_only_internet_gateways().into_paginator().items().send().try_collect().await;
    all.map(|all| all.len()).map_err(|error| failed("ec2:DescribeEgressOnlyInternetGateways", error))
}

async fn security_groups(clients: &Clients) -> Result<usize, CloudError> {
    let all = clients.ec2.describe_security_groups().max_results(1000).into_paginator().items().send().try_collect().await;
    all.map(|all| all.len()).map_err(|error| failed("ec2:DescribeSecurityGroups", error))
}

async fn elastic_ips(clients: &Clients) -> Result<usize, CloudError> {
    let all = clients.ec2.describe_addresses().send().await;
    all.map(|all| all.addresses().len()).map_err(|error| failed("ec2:DescribeAddresses", error))
}

/// Of the zone that has most of them. One that is being deleted still counts.
async fn nat_gateways_of_a_zone(clients: &Clients) -> Result<usize, CloudError> {
    let gateways = clients.ec2.describe_nat_gateways().into_paginator().items().send().try_collect().await;
    let gateways = gateways.map_err(|error| failed("ec2:DescribeNatGateways", error))?;
    let is_there = |state: Option<&NatGatewayState>| !matches!(state, Some(NatGatewayState::Deleted | NatGatewayState::Failed));
    let subnets: Vec<&str> = gateways.iter().filter(|one| is_there(one.state())).filter_map(|one| one.subnet_id()).collect();
    if subnets.is_empty() {
        return Ok(0);
    }
    let all = clients.ec2.describe_subnets().into_paginator().items().send().try_collect().await;
    let zones = zones_of(&all.map_err(|error| failed("ec2:DescribeSubnets", error))?);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for zone in subnets.iter().filter_map(|subnet| zones.get(*subnet)) {
        *counts.entry(zone).or_default() += 1;
    }
    Ok(counts.into_values().max().unwrap_or(0))
}

fn zones_of(subnets: &[Subnet]) -> BTreeMap<String, String> {
    let zone = |subnet: &Subnet| Some((subnet.subnet_id()?.to_owned(), subnet.availability_zone()?.to_owned()));
    subnets.iter().filter_map(zone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_whole_numbers() {
        assert_eq!(whole(5.0), 5);
        assert_eq!(whole(2500.9), 2500);
        assert_eq!(whole(-1.0), 0);
        assert_eq!(whole(f64::NAN), 0);
    }
}
