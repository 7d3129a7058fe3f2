//! VPC endpoints: gateways that route tables lead to, and interfaces in subnets.

use super::{Objects, becomes, below, change, made, put, tags};
use crate::clients::Clients;
use crate::error::{INCOMPLETE, failed, incomplete, is_not_found, unless, unsuccessful};
use async_trait::async_trait;
use aws_sdk_ec2::types::{DnsOptionsSpecification, IpAddressType, ResourceType, VpcEndpoint, VpcEndpointType};
use cloud::{Change, CloudError, Found, Kind, Readiness, Resolved};
use std::collections::BTreeSet;

pub(crate) struct VpcEndpoints;

#[async_trait]
impl Objects for VpcEndpoints {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_vpc_endpoints().into_paginator().items().send();
        let endpoints = pages.try_collect().await.map_err(|error| failed("ec2:DescribeVpcEndpoints", error))?;
        Ok(endpoints.iter().filter_map(read).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let text = |key: &str| object.get(key).map(ToOwned::to_owned);
        let ids = |word| Some(object.all(word).map(|(id, _)| id.to_owned()).collect::<Vec<_>>()).filter(|ids| !ids.is_empty());
        let call = clients
            .ec2
            .create_vpc_endpoint()
            .client_token(&object.token)
            .set_vpc_id(text("vpc"))
            .set_service_name(text("service"))
            .set_vpc_endpoint_type(object.get("type").map(VpcEndpointType::from))
            .set_private_dns_enabled(object.get("private_dns").map(|value| value == "true"))
            .set_ip_address_type(object.get("ip_address_type").map(IpAddressType::from))
            .set_dns_options(object.get("service").and_then(|service| dns_options(service, object.get("private_dns"))))
            .set_policy_document(text("policy"))
            .set_subnet_ids(ids("subnet"))
            .set_security_group_ids(ids("security_group"))
            .set_route_table_ids(ids("route_table"))
            .set_tag_specifications(tags::specification(ResourceType::VpcEndpoint, object).map(|tags| vec![tags]));
        let answer = call.send().await.map_err(|error| failed("ec2:CreateVpcEndpoint", error))?;
        let found = answer.vpc_endpoint().and_then(read).ok_or_else(|| incomplete("ec2:CreateVpcEndpoint", "endpoint"))?;
        let once = ["vpc", "service", "type", "private_dns", "ip_address_type", "policy"];
        Ok(made(found, object, &[&once[..], &["subnet", "security_group", "route_table"]].concat()))
    }

    /// One call for all of it, which has what is missing or too much now: it refuses what is there, or gone, already.
    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        if changes.iter().any(|change| !change.key.starts_with("tag ")) {
            let current = describe(clients, &found.id).await?;
            let (add_subnets, remove_subnets) = to_do(&current, changes, "subnet");
            let (add_groups, remove_groups) = to_do(&current, changes, "security_group");
            let (add_tables, remove_tables) = to_do(&current, changes, "route_table");
            let call = clients
                .ec2
                .modify_vpc_endpoint()
                .vpc_endpoint_id(&found.id)
                .set_add_subnet_ids(add_subnets)
                .set_remove_subnet_ids(remove_subnets)
                .set_add_security_group_ids(add_groups)
                .set_remove_security_group_ids(remove_groups)
                .set_add_route_table_ids(add_tables)
                .set_remove_route_table_ids(remove_tables)
                .set_private_dns_enabled(becomes(changes, "private_dns").map(|value| value == "true"))
                .set_ip_address_type(becomes(changes, "ip_address_type").map(IpAddressType::from))
                .set_dns_options(
                    current.settings.get("service").and_then(|one| dns_options(one, becomes(changes, "private_dns"))),
                )
                .set_policy_document(becomes(changes, "policy").map(Into::into))
                .set_reset_policy(change(changes, "policy").filter(|change| change.to.is_none()).map(|_| true));
            call.send().await.map_err(|error| failed("ec2:ModifyVpcEndpoint", error))?;
        }
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let answer = clients.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&found.id).send().await;
        let answer = answer.map_err(|error| failed("ec2:DeleteVpcEndpoints", error));
        match answer.and_then(|answer| unsuccessful("ec2:DeleteVpcEndpoints", answer.unsuccessful())) {
            // It may be something that the endpoint leads to, and the endpoint itself be there still.
            Err(error) if is_not_found(&error) => match describe(clients, &found.id).await {
                Ok(endpoint) if endpoint.readiness != Readiness::Leaving => Err(error),
                Ok(_) => Ok(()),
                Err(error) => unless(Err(error), |error| is_not_found(error) || error.code == INCOMPLETE),
            },
            result => result,
        }
    }
}

/// The private name of S3 is by default only for those who ask a resolver endpoint from outside, and needs a gateway
/// endpoint for all others. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html>
fn dns_options(service: &str, private_dns: Option<&str>) -> Option<DnsOptionsSpecification> {
    let is_wanted = service.ends_with(".s3") && private_dns == Some("true");
    is_wanted.then(|| DnsOptionsSpecification::builder().private_dns_only_for_inbound_resolver_endpoint(false).build())
}

type Ids = Option<Vec<String>>;

/// Ids to add and to remove.
fn to_do(current: &Found, changes: &[Change], word: &str) -> (Ids, Ids) {
    let ids = |wanted: bool| {
        let open = below(changes, word).filter(|(_, change)| change.to.is_some() == wanted);
        let open = open.filter(|(_, change)| current.settings.contains_key(&change.key) != wanted);
        Some(open.map(|(id, _)| id.to_owned()).collect::<Vec<_>>()).filter(|ids| !ids.is_empty())
    };
    (ids(true), ids(false))
}

async fn describe(clients: &Clients, id: &str) -> Result<Found, CloudError> {
    let answer = clients.ec2.describe_vpc_endpoints().vpc_endpoint_ids(id).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeVpcEndpoints", error))?;
    answer.vpc_endpoints().iter().find_map(read).ok_or_else(|| incomplete("ec2:DescribeVpcEndpoints", id))
}

/// `None` for one that is gone.
fn read(endpoint: &VpcEndpoint) -> Option<Found> {
    let mut found = Found::new(Kind::VpcEndpoint, endpoint.vpc_endpoint_id()?);
    found.readiness = readiness(endpoint)?;
    // Gateways existed first: without a type, it is one.
    let kind = Some(endpoint.vpc_endpoint_type().map_or("Gateway", VpcEndpointType::as_str));
    put(&mut found, "vpc", endpoint.vpc_id());
    put(&mut found, "service", endpoint.service_name());
    put(&mut found, "type", kind);
    if kind == Some("Interface") {
        put(&mut found, "private_dns", Some(endpoint.private_dns_enabled().unwrap_or_default()));
        put(&mut found, "ip_address_type", endpoint.ip_address_type().map(|kind| kind.as_str().to_ascii_lowercase()));
    }
    // The one that AWS gives by itself is none of ours.
    let policy = endpoint.policy_document().filter(|policy| !cloud::is_full_access(policy));
    put(&mut found, "policy", policy.map(cloud::canonical_policy));
    let groups = endpoint.groups().iter().filter_map(|group| group.group_id());
    let ids = endpoint.subnet_ids().iter().map(|id| ("subnet", id.as_str()));
    let ids = ids.chain(groups.map(|id| ("security_group", id)));
    for (word, id) in ids.chain(endpoint.route_table_ids().iter().map(|id| ("route_table", id.as_str()))) {
        put(&mut found, &format!("{word} {id}"), Some(""));
    }
    // The first entry is the endpoint's own name in all of its zones.
    if let Some(entry) = endpoint.dns_entries().first() {
        let outputs = [("dns_name", entry.dns_name()), ("zone_id", entry.hosted_zone_id())];
        found.outputs.extend(outputs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    }
    tags::read(Some(endpoint.tags()), &mut found.settings);
    Some(found)
}

/// EC2 writes states with and without a capital.
fn readiness(endpoint: &VpcEndpoint) -> Option<Readiness> {
    let state = endpoint.state().map(|state| state.as_str().to_ascii_lowercase()).unwrap_or_default();
    let error = endpoint.last_error().and_then(|error| error.message());
    let reason = || error.or(endpoint.failure_reason()).unwrap_or(&state).to_owned();
    match state.as_str() {
        "deleted" => None,
        "deleting" => Some(Readiness::Leaving),
        "pending" | "pendingacceptance" => Some(Readiness::Pending),
        "failed" | "rejected" | "expired" => Some(Readiness::Failed(reason())),
        _ => Some(Readiness::Ready),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{LastError, State};

    #[track_caller]
    fn check(state: &str, expect: Option<Readiness>) {
        let error = LastError::builder().message("no such zone").build();
        let endpoint = VpcEndpoint::builder().vpc_endpoint_id("vpce-1").state(State::from(state)).last_error(error).build();
        assert_eq!(read(&endpoint).map(|found| found.readiness), expect, "{state}");
    }

    #[test]
    fn states_are_read_in_either_case() {
        check("available", Some(Readiness::Ready));
        check("Available", Some(Readiness::Ready));
        check("pending", Some(Readiness::Pending));
        check("pendingAcceptance", Some(Readiness::Pending));
        check("Deleting", Some(Readiness::Leaving));
        check("deleted", None);
        check("Failed", Some(Readiness::Failed("no such zone".into())));
    }

    #[test]
    fn what_ec2_spells_otherwise_is_read_alike() {
        let endpoint = VpcEndpoint::builder().vpc_endpoint_id("vpce-1").policy_document("{ \"Statement\": [] }");
        let found = read(&endpoint.clone().build()).unwrap();
        assert_eq!(found.settings.get("type").map(String::as_str), Some("Gateway"));
        assert_eq!(found.settings.get("policy").map(String::as_str), Some("{\"Statement\":[]}"));
        let endpoint = endpoint.vpc_endpoint_type(VpcEndpointType::Interface).ip_address_type(IpAddressType::from("DualStack"));
        let found = read(&endpoint.build()).unwrap();
        assert_eq!(found.settings.get("ip_address_type").map(String::as_str), Some("dualstack"));
    }

    #[test]
    fn the_private_name_of_s3_is_for_all() {
        let asked = |service: &str, private_dns: &str| dns_options(service, Some(private_dns)).is_some();
        assert!(asked("com.amazonaws.us-east-1.s3", "true"));
        assert!(!asked("com.amazonaws.us-east-1.s3", "false"));
        assert!(!asked("com.amazonaws.us-east-1.ec2", "true"));
    }

    #[test]
    fn what_is_done_already_is_not_asked_for_again() {
        let mut current = Found::new(Kind::VpcEndpoint, "vpce-1");
        put(&mut current, "subnet subnet-1", Some(""));
        let change = |key: &str, to: Option<&str>| Change { key: key.into(), from: None, to: to.map(Into::into) };
        let changes = [change("subnet subnet-1", Some("")), change("subnet subnet-2", Some("")), change("subnet subnet-3", None)];
        assert_eq!(to_do(&current, &changes, "subnet"), (Some(vec!["subnet-2".to_owned()]), None));
    }
}
