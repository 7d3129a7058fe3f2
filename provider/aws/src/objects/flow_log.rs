//! Flow logs of a VPC: nothing of them can change but their tags.

use super::{Objects, made, put, tags};
use crate::clients::Clients;
use crate::error::{failed, incomplete, is_not_found, unless, unsuccessful};
use async_trait::async_trait;
use aws_sdk_ec2::types::{FlowLog, FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType};
use cloud::{Change, CloudError, Found, Kind, Resolved};
use std::collections::BTreeSet;

pub(crate) struct FlowLogs;

#[async_trait]
impl Objects for FlowLogs {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_flow_logs().into_paginator().items().send();
        let logs = pages.try_collect().await.map_err(|error| failed("ec2:DescribeFlowLogs", error))?;
        Ok(logs.iter().filter_map(read).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let call = clients
            .ec2
            .create_flow_logs()
            .client_token(&object.token)
            .resource_type(FlowLogsResourceType::Vpc)
            .set_resource_ids(object.get("resource").map(|resource| vec![resource.to_owned()]))
            .set_traffic_type(object.get("traffic").map(TrafficType::from))
            .set_max_aggregation_interval(object.get("interval_seconds").and_then(|seconds| seconds.parse().ok()))
            .set_log_destination_type(object.get("destination_type").map(LogDestinationType::from))
            .set_log_destination(object.get("destination").map(Into::into))
            .set_deliver_logs_permission_arn(object.get("role").map(Into::into))
            .set_tag_specifications(tags::specification(ResourceType::VpcFlowLog, object).map(|tags| vec![tags]));
        let answer = call.send().await.map_err(|error| failed("ec2:CreateFlowLogs", error))?;
        unsuccessful("ec2:CreateFlowLogs", answer.unsuccessful())?;
        let id = answer.flow_log_ids().first().ok_or_else(|| incomplete("ec2:CreateFlowLogs", "id"))?;
        let set = ["resource", "traffic", "interval_seconds", "destination_type", "destination", "role"];
        Ok(made(Found::new(Kind::FlowLog, id), object, &set))
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let answer = clients.ec2.delete_flow_logs().flow_log_ids(&found.id).send().await;
        let answer = answer.map_err(|error| failed("ec2:DeleteFlowLogs", error));
        unless(answer.and_then(|answer| unsuccessful("ec2:DeleteFlowLogs", answer.unsuccessful())), is_not_found)
    }
}

fn read(log: &FlowLog) -> Option<Found> {
    let mut found = Found::new(Kind::FlowLog, log.flow_log_id()?);
    put(&mut found, "resource", log.resource_id());
    put(&mut found, "traffic", log.traffic_type().map(|traffic| traffic.as_str()));
    put(&mut found, "interval_seconds", log.max_aggregation_interval());
    put(&mut found, "destination_type", log.log_destination_type().map(|kind| kind.as_str()));
    put(&mut found, "destination", log.log_destination());
    put(&mut found, "role", log.deliver_logs_permission_arn());
    tags::read(Some(log.tags()), &mut found.settings);
    Some(found)
}
