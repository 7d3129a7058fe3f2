//! `k8s_lb_vrrp`: virtual addresses by keepalived and TCP listeners by nginx on two or more hosts.

pub(super) mod actions;
pub(crate) mod config;
mod holders;
mod link;
mod validate;

use super::{Declared, Desired, HostResource, plan::Rollout};
use crate::configuration::Shared;
use crate::hosts;
use crate::resources::attributes;
use crate::resources::on_hosts::errors::render_error;
use crate::resources::on_hosts::fleet::Fleet;
use crate::spelling;
use crate::ssh;
use actions::VrrpActions;
use async_trait::async_trait;
use bundle::HostName;
use config::Config;
use protocol::{Call, IdentityAttribute};
use render::LoadBalancerSpec;
use render::component::VIRTUAL_ADDRESSES;
use schema::{Attribute, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, ValueAt};
use std::time::Duration;

pub struct LbVrrp;

#[async_trait]
impl HostResource for LbVrrp {
    type Config = Config;
    type Actions = VrrpActions;
    /// The host that has the virtual addresses.
    type Facts = Option<HostName>;

    fn name(&self) -> &'static str {
        "k8s_lb_vrrp"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A load balancer on your own hosts: keepalived holds virtual addresses, nginx forwards TCP connections to healthy backends.\n\n\
             keepalived uses unicast VRRP version 3 with `nopreempt` and one instance per address family; both families move together. A \
             host whose nginx stops releases the addresses. An update first changes the hosts without the addresses, then hands the \
             addresses over.\n\n\
             Before a virtual address is used for the first time, the hosts ask their link (ARP, neighbour discovery) whether another \
             machine has it, and an apply ends only when one host, and no other, keeps all of them. Both programs run beside the \
             distribution's `nginx.service`, on other ports, and leave its configuration and that of keepalived alone; a \
             `keepalived.service` of the host's own that runs, or would start at boot, is refused.\n\n\
             What replaces a load balancer is destroyed first. With `create_before_destroy` nothing is replaced: the new object goes on with \
             what is there, and the destroy of the old one removes nothing. Warnings say so.",
        )
        .attribute(attributes::id())
        .attribute(Attribute::string("name").optional_computed().default("api".into()).requires_replace().describe("Distinguishes two load balancers on the same hosts: it is part of paths and unit names."))
        .attribute(hosts::attribute("Hosts that share the virtual addresses, by name: two or more. The first by name has the highest priority. A machine keeps its name: to rename one, take it out, apply, and add it again."))
        .attribute(
            Attribute::list("virtual_addresses", Type::String).canonical(spelling::of_network)
                .required()
                .describe("Virtual addresses with the prefix length of the hosts' network, IPv4 and IPv6, such as `192.0.2.100/24`."),
        )
        .attribute(
            Attribute::nested(
                "listeners",
                Nesting::Map,
                vec![
                    Attribute::number("port").required().validator(schema::port()).describe("Port on every address of the load balancer. On control-plane hosts, use another one than the API server does."),
                    Attribute::list("backends", Type::String).required().canonical(spelling::of_network).describe("Where connections are forwarded to: `address:port`, with an IPv6 address in brackets, or `name:port`."),
                    Attribute::nested(
                        "health_check",
                        Nesting::Single,
                        vec![Attribute::string("https_path").required().describe("Path of an HTTPS GET that must answer 200, such as `/readyz` of an API server.")],
                    )
                    .optional()
                    .describe("How the health of backends is checked, every second. By default, a backend is healthy while its port accepts connections."),
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
                .describe("VRRP virtual router id, unique in the network of the hosts. Both address families use it."),
        )
        .attribute(
            Attribute::number("advertisement_interval_ms")
                .optional_computed()
                .default(Value::from(200))
                .validator(schema::between(10, 40_950))
                .describe("Milliseconds between VRRP advertisements, in steps of 10. After three lost ones, the addresses move."),
        )
        .attribute(Attribute::string("interface").optional().describe("Interface that carries the virtual addresses.").defaults_to("the interface with the address of the host"))
        .attribute(ssh::attribute())
    }

    fn identity(&self) -> IdentityAttribute {
        IdentityAttribute { name: "id", description: "Name and hosts of the load balancer." }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let (config, mut found) = (ValueAt::of(config), Diagnostics::default());
        let hosts = config.get("hosts");
        hosts::require_one(&hosts, &mut found);
        hosts::validate(&hosts, &mut found);
        attributes::validate_cluster_name(&config.get("name"), &mut found);
        if hosts.len() == Some(1) {
            found.push(hosts.warning(
                "a single host cannot hand over a virtual address",
                "Name a second host, so that the addresses survive the loss of the first.",
            ));
        }
        validate::validate_virtual_addresses(&config, &mut found);
        validate::validate_interval(&config.get("advertisement_interval_ms"), &mut found);
        ssh::validate(&config.get("ssh"), &mut found);
        validate::validate_listeners(&config.get("listeners"), &mut found);
        validate::validate_loops(&config, &mut found);
        found
    }

    fn id(&self, config: &Config) -> Option<String> {
        config.name.known().cloned()
    }

    async fn desired(&self, declared: &Declared<'_, Self>, _planned: &mut Value) -> Result<Desired, Diagnostic> {
        Ok(declared.config.desired()?.into())
    }

    fn rollout<'a>(&self, _config: &'a Config, holder: &'a Option<HostName>) -> Rollout<'a> {
        Rollout { plan: Box::new(|hosts| rollout::load_balancer::plan(hosts, holder.as_ref())), is_settled: true }
    }

    async fn actions(&self, _shared: &Shared, config: &Config, _call: &Call) -> Result<VrrpActions, Diagnostic> {
        let name = config.name.known().map(String::as_str).unwrap_or_default();
        let spec = config.spec();
        let of_spec = |spec: &LoadBalancerSpec| spec.hosts.values().flat_map(|host| host.addresses()).collect();
        Ok(VrrpActions {
            keepalived: VIRTUAL_ADDRESSES.unit_of(name).map_err(|error| render_error(error.into()))?,
            virtual_addresses: spec.as_ref().map(|spec| spec.virtual_addresses.clone()).unwrap_or_default(),
            advertisement_interval: Duration::from_millis(
                config.advertisement_interval_ms.known().copied().unwrap_or_default().into(),
            ),
            peers: spec.as_ref().map(of_spec).unwrap_or_default(),
            spec,
        })
    }

    async fn observe(
        &self,
        actions: &VrrpActions,
        fleet: &Fleet,
        _prior: Option<&Value>,
    ) -> Result<Option<HostName>, Diagnostic> {
        Ok(actions.holder(fleet).await)
    }

    fn plan_destroy(&self, prior: &Value) -> Diagnostics {
        let addresses: Vec<&str> =
            prior.get("virtual_addresses").as_list().into_iter().flatten().filter_map(Value::as_str).collect();
        let name = prior.get("name").as_str().unwrap_or_default();
        Diagnostic::warning(format!("destroying load balancer {name} takes its virtual addresses away: {}", addresses.join(", ")))
            .detail(
                "Nothing answers there any more. Where one of them is the endpoint of a cluster, its nodes and clients do not reach the API \
                 server. A load balancer that is replaced has no address from its destroy until it is created.",
            )
            .into()
    }

    fn instead_of_import(&self) -> &'static str {
        "Declare it and apply: hosts that already have what is declared are left as they are."
    }
}
