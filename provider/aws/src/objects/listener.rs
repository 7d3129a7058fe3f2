//! Listeners of load balancers, found by the names of these.

use super::Objects;
use super::load_balancer::{create_tags, named, once, update_tags, with_tags};
use crate::clients::Clients;
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::operation::create_listener::CreateListenerError;
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, Certificate, Listener, LoadBalancer, ProtocolEnum};
use cloud::{Change, CloudError, Found, Kind, Resolved};
use std::collections::BTreeSet;

pub(crate) struct Listeners;

#[async_trait]
impl Objects for Listeners {
    async fn list(&self, clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let mut listeners = Vec::new();
        for arn in named(clients, names).await?.iter().filter_map(LoadBalancer::load_balancer_arn) {
            match of_load_balancer(clients, arn).await {
                Ok(of_balancer) => listeners.extend(of_balancer),
                // The load balancer went in the meantime.
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error),
            }
        }
        with_tags(clients, listeners.iter().map(found).collect()).await
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let text = |key: &str| object.get(key).map(str::to_owned);
        let call = clients
            .elbv2
            .create_listener()
            .set_load_balancer_arn(text("load_balancer"))
            .set_protocol(object.get("protocol").map(ProtocolEnum::from))
            .set_port(object.get("port").and_then(|port| port.parse().ok()))
            .set_default_actions(object.get("target_group").map(forward))
            .set_certificates(object.get("certificate").map(certificate))
            .set_ssl_policy(text("ssl_policy"))
            .set_alpn_policy(text("alpn_policy").map(|policy| vec![policy]))
            .set_tags(create_tags(object))
            .customize()
            .config_override(once::<CreateListenerError>());
        let answer = call.send().await.map_err(|error| failed("elasticloadbalancing:CreateListener", error))?;
        let listener = answer.listeners().first();
        let mut found = found(listener.ok_or_else(|| incomplete("elasticloadbalancing:CreateListener", "listener"))?);
        found.settings.extend(object.tags().map(|(key, value)| (format!("tag {key}"), value.to_owned())));
        Ok(found)
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        let to = |key: &str| changes.iter().find(|change| change.key == key).and_then(|change| change.to.as_deref());
        let keys = ["port", "protocol", "target_group", "certificate", "ssl_policy", "alpn_policy"];
        if keys.into_iter().any(|key| to(key).is_some()) {
            let call = clients
                .elbv2
                .modify_listener()
                .listener_arn(&found.id)
                .set_protocol(to("protocol").map(ProtocolEnum::from))
                .set_port(to("port").and_then(|port| port.parse().ok()))
                .set_default_actions(to("target_group").map(forward))
                .set_certificates(to("certificate").map(certificate))
                .set_ssl_policy(to("ssl_policy").map(str::to_owned))
                .set_alpn_policy(to("alpn_policy").map(|policy| vec![policy.to_owned()]));
            call.send().await.map_err(|error| failed("elasticloadbalancing:ModifyListener", error))?;
        }
        update_tags(clients, &found.id, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let call = clients.elbv2.delete_listener().listener_arn(&found.id);
        unless(call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:DeleteListener", error)), is_not_found)
    }
}

async fn of_load_balancer(clients: &Clients, arn: &str) -> Result<Vec<Listener>, CloudError> {
    let pages = clients.elbv2.describe_listeners().load_balancer_arn(arn).into_paginator().items().send();
    pages.try_collect().await.map_err(|error| failed("elasticloadbalancing:DescribeListeners", error))
}

fn found(listener: &Listener) -> Found {
    let mut found = Found::new(Kind::Listener, listener.listener_arn().unwrap_or_default());
    let port = listener.port().map(|port| port.to_string());
    let settings = [
        ("load_balancer", listener.load_balancer_arn()),
        ("port", port.as_deref()),
        ("protocol", listener.protocol().map(ProtocolEnum::as_str)),
        ("target_group", listener.default_actions().first().and_then(target_group)),
        ("certificate", listener.certificates().first().and_then(Certificate::certificate_arn)),
        ("ssl_policy", listener.ssl_policy().filter(|policy| !policy.is_empty())),
        ("alpn_policy", listener.alpn_policy().first().map(String::as_str)),
    ];
    found.settings.extend(settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))));
    found
}

/// Told in two ways: a group of its own, or a list of weighted ones.
fn target_group(action: &Action) -> Option<&str> {
    let weighted = || action.forward_config()?.target_groups().first()?.target_group_arn();
    action.target_group_arn().or_else(weighted)
}

fn forward(target_group: &str) -> Vec<Action> {
    vec![Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(target_group).build()]
}

fn certificate(arn: &str) -> Vec<Certificate> {
    vec![Certificate::builder().certificate_arn(arn).build()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{ForwardActionConfig, TargetGroupTuple};

    #[test]
    fn a_target_group_is_told_in_two_ways() {
        let weighted = TargetGroupTuple::builder().target_group_arn("arn:b").weight(1).build();
        let weighted = ForwardActionConfig::builder().target_groups(weighted).build();
        let action = Action::builder().r#type(ActionTypeEnum::Forward).forward_config(weighted).build();
        assert_eq!(target_group(&action), Some("arn:b"));
        assert_eq!(target_group(&forward("arn:a")[0]), Some("arn:a"));
    }
}
