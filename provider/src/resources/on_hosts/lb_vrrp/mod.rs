//! `k8s_lb_vrrp`: virtual addresses by keepalived and TCP listeners by nginx on two or more hosts.

mod actions;
mod config;
mod validate;

use crate::configuration::Shared;
use crate::hosts;
use crate::resources::attributes;
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::host_state::Rollout;
use crate::resources::on_hosts::{self, host_state};
use crate::ssh;
use actions::VrrpActions;
use async_trait::async_trait;
use config::Config;
use machines::Owner;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, decode};

pub struct LbVrrp {
    pub shared: Shared,
}

#[async_trait]
impl Resource for LbVrrp {
    fn name(&self) -> &'static str {
        "k8s_lb_vrrp"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A load balancer on hosts of your own: keepalived holds the virtual addresses (unicast VRRP version 3, `nopreempt`, one \
             instance per family, moved together), nginx passes TCP connections on to the backends that are healthy. A host whose \
             nginx stops gives the addresses up. An update works on the hosts without the addresses first, then hands them over.",
        )
        .attribute(attributes::id())
        .attribute(Attribute::string("name").optional_computed().default("api".into()).requires_replace().describe("Tells two load balancers on the same hosts apart; it stands in paths and unit names."))
        .attribute(hosts::attribute("Hosts that share the virtual addresses, by name; two or more. The first by name has the highest priority."))
        .attribute(
            Attribute::list("virtual_addresses", Type::String)
                .required()
                .describe("Virtual addresses with the prefix length of the hosts' network, IPv4 and IPv6, such as `192.0.2.100/24`."),
        )
        .attribute(
            Attribute::nested(
                "listeners",
                Nesting::Map,
                vec![
                    Attribute::number("port").required().validator(schema::port()).describe("Port on every address of the load balancer."),
                    Attribute::list("backends", Type::String).required().describe("Where connections go: `address:port`, an IPv6 address in brackets, or a name."),
                    Attribute::nested(
                        "health_check",
                        Nesting::Single,
                        vec![Attribute::string("https_path").required().describe("Path of an HTTPS GET that must answer 200, such as `/readyz` of an API server.")],
                    )
                    .optional()
                    .describe("How a backend's health is checked each second. When not given, it is healthy while its port takes connections."),
                ],
            )
            .required()
            .describe("TCP listeners by name."),
        )
        .attribute(
            Attribute::number("virtual_router_id")
                .optional_computed()
                .default(Value::from(51))
                .validator(schema::between(1, 254))
                .describe("VRRP virtual router id of the first family; the second takes the next one. Unique in the hosts' network."),
        )
        .attribute(
            Attribute::number("advertisement_interval_ms")
                .optional_computed()
                .default(Value::from(200))
                .validator(schema::between(10, 40_950))
                .describe("Milliseconds between VRRP advertisements, in steps of 10. Three lost ones move the addresses."),
        )
        .attribute(Attribute::string("interface").optional().describe("Interface that carries the virtual addresses. When not given, each host takes the one with its own address."))
        .attribute(ssh::attribute())
        .attributes(host_state::attributes())
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "id", description: "Name and hosts of the load balancer." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = hosts::validate(config.get("hosts"));
        diagnostics.extend(attributes::validate_cluster_name(config.get("name"), "name"));
        if config.get("hosts").as_map().is_some_and(|hosts| hosts.len() == 1) {
            diagnostics.push(
                Diagnostic::warning("one host alone cannot hand a virtual address over")
                    .detail("Name a second host, so that the addresses survive the loss of the first.")
                    .at(AttributePath::attribute("hosts")),
            );
        }
        validate::validate_virtual_addresses(config, &mut diagnostics);
        validate::validate_listeners(config.get("listeners"), &mut diagnostics);
        diagnostics
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        self.plan_rollout(&request).unwrap_or_else(|diagnostic| PlanResponse {
            planned: request.proposed.clone(),
            diagnostics: diagnostic.into(),
            ..PlanResponse::default()
        })
    }

    async fn read(&self, call: &Call, prior: Value) -> ReadResponse {
        let config = decode(&prior).map(|config: Config| (config.hosts, config.ssh));
        on_hosts::read_hosts(&self.shared, call, prior, owner_of, config).await
    }

    async fn apply(&self, call: &Call, request: ApplyRequest) -> ApplyResponse {
        let left_behind = request.prior.clone();
        self.apply_rollout(call, request)
            .await
            .unwrap_or_else(|diagnostic| ApplyResponse { state: left_behind, diagnostics: diagnostic.into() })
    }

    async fn delete(&self, call: &Call, prior: Value) -> DeleteResponse {
        let config = decode(&prior).map(|config: Config| (config.hosts, config.ssh));
        on_hosts::delete_hosts(&self.shared, call, prior, owner_of, config, &[]).await
    }

    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics> {
        Err(Diagnostic::error("k8s_lb_vrrp cannot be imported")
            .detail("Declare it and apply: hosts that already have what is declared are left as they are.")
            .into())
    }
}

impl LbVrrp {
    fn plan_rollout(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostic> {
        let config: Config = decode(&request.proposed)?;
        let mut planned = request.proposed.clone();
        planned.set("id", config.name.known().map_or(Value::Unknown, |name| name.as_str().into()));
        let desired = config.desired()?;
        let rollout = Rollout { plan: &|hosts| rollout::load_balancer::plan(hosts, None), tiers: config.tiers() };
        host_state::plan(request, planned, desired.as_ref(), &rollout)
    }

    async fn apply_rollout(&self, call: &Call, request: ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let config: Config = decode(&request.planned)?;
        let desired = config.desired()?.ok_or_else(on_hosts::unknown_at_apply)?;
        let hosts = on_hosts::all_hosts(config.hosts.known(), request.prior.as_ref())?;
        let owner = owner_of(&request.planned)?;
        let fleet = Fleet::connect(&self.shared, owner, &hosts, &config.ssh, &call.cancelled).await?;
        let addresses = config.spec().map(|spec| spec.virtual_addresses).unwrap_or_default();
        let actions = VrrpActions { name: config.name.known().cloned().unwrap_or_default(), virtual_addresses: addresses };
        let holder = actions.holder(&fleet).await;
        let rollout = Rollout { plan: &|hosts| rollout::load_balancer::plan(hosts, holder.as_ref()), tiers: config.tiers() };
        on_hosts::finish_apply(fleet, request, &desired, &rollout, &actions).await
    }
}

fn owner_of(state: &Value) -> Result<Owner, Diagnostic> {
    on_hosts::owner("k8s_lb_vrrp", state.get("name"))
}
