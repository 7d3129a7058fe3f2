//! Classic load balancers: the cloud controller manager makes one for a Service that does not ask for anything else.

use super::{CLASSIC_LOAD_BALANCER, Tags, is_of_cluster, leftover};
use crate::clients::Clients;
use crate::error::{failed, is_not_found, unless};
use cloud::{CloudError, Leftover};

/// How many load balancers one call returns the tags of.
const NAMES: usize = 20;

pub(super) async fn leftovers(clients: &Clients, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let names = names(clients, vpc_id).await?;
    let mut left = Vec::new();
    for names in names.chunks(NAMES) {
        let call = clients.elb.describe_tags().set_load_balancer_names(Some(names.to_vec()));
        let answer = call.send().await.map_err(|error| failed("elasticloadbalancing:DescribeTags", error))?;
        for balancer in answer.tag_descriptions() {
            let tags: Tags =
                balancer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned())).collect();
            let name = balancer.load_balancer_name().filter(|_| is_of_cluster(&tags, cluster));
            left.extend(name.map(|name| leftover(CLASSIC_LOAD_BALANCER, name, name)));
        }
    }
    Ok(left)
}

/// Of all in the VPC.
pub(in crate::queries) async fn names(clients: &Clients, vpc_id: &str) -> Result<Vec<String>, CloudError> {
    let pages = clients.elb.describe_load_balancers().into_paginator().items().send();
    let all = pages.try_collect().await.map_err(|error| failed("elasticloadbalancing:DescribeLoadBalancers", error))?;
    let here = all.into_iter().filter(|balancer| balancer.vpc_id() == Some(vpc_id));
    Ok(here.filter_map(|balancer| balancer.load_balancer_name).collect())
}

pub(super) async fn delete(clients: &Clients, name: &str) -> Result<(), CloudError> {
    let call = clients.elb.delete_load_balancer().load_balancer_name(name);
    unless(call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:DeleteLoadBalancer", error)), is_not_found)
}
