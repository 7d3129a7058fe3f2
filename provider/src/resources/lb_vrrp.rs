//! `k8s_lb_vrrp`: virtual addresses by keepalived and TCP listeners by nginx on two or more hosts.

use crate::configuration::Shared;
use crate::execute::{Actions, StepError};
use crate::fleet::Fleet;
use crate::hosts::{self, HostConfigs};
use crate::ports::Host;
use crate::resources::{attributes, host_state, on_hosts};
use crate::resources::host_state::Rollout;
use crate::ssh::{self, Ssh};
use async_trait::async_trait;
use bundle::{Bundle, HostName, UnitName};
use ipnet::IpNet;
use machines::Owner;
use protocol::{ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource};
use render::spec::{HealthCheck, Listener, LoadBalancerSpec};
use rollout::Gate;
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Field, Nesting, Schema, Type, Value, decode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub struct LbVrrp {
    pub shared: Shared,
}

#[derive(Deserialize)]
struct Config {
    name: Field<String>,
    hosts: Field<HostConfigs>,
    virtual_addresses: Field<Vec<Field<String>>>,
    listeners: Field<BTreeMap<String, ListenerConfig>>,
    virtual_router_id: Field<u8>,
    advertisement_interval_ms: Field<u32>,
    interface: Field<String>,
    ssh: Field<Ssh>,
}

#[derive(Deserialize)]
struct ListenerConfig {
    port: Field<u16>,
    backends: Field<Vec<Field<String>>>,
    health_check: Field<HealthCheckConfig>,
}

#[derive(Deserialize)]
struct HealthCheckConfig {
    https_path: Field<String>,
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
        validate_virtual_addresses(config, &mut diagnostics);
        validate_listeners(config.get("listeners"), &mut diagnostics);
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
        self.apply_rollout(call, request).await.unwrap_or_else(|diagnostic| ApplyResponse { state: left_behind, diagnostics: diagnostic.into() })
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

impl Config {
    fn desired(&self) -> Result<Option<BTreeMap<HostName, Bundle>>, Diagnostic> {
        let Some(spec) = self.spec() else { return Ok(None) };
        spec.hosts
            .keys()
            .map(|host| Ok((host.clone(), render::load_balancer::render(&spec, host).map_err(on_hosts::render_error)?)))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// One unit after the other: keepalived last, so that no address comes to a host that cannot serve it.
    fn tiers(&self) -> Vec<Vec<UnitName>> {
        let units = self.name.known().and_then(|name| render::load_balancer::units(name).ok());
        units.into_iter().flatten().map(|unit| vec![unit]).collect()
    }

    /// `None` while something is unknown.
    fn spec(&self) -> Option<LoadBalancerSpec> {
        let virtual_addresses: Vec<IpNet> = self.virtual_addresses.known()?.iter().map(|text| text.known()?.parse().ok()).collect::<Option<_>>()?;
        let listeners = self.listeners.known()?.iter().map(|(name, listener)| Some((name.clone(), listener.spec()?))).collect::<Option<_>>()?;
        if self.interface.is_unknown() {
            return None;
        }
        Some(LoadBalancerSpec {
            name: self.name.known()?.clone(),
            hosts: hosts::resolve(self.hosts.known()?)?,
            virtual_addresses,
            listeners,
            virtual_router_id: *self.virtual_router_id.known()?,
            advertisement_interval_centiseconds: u16::try_from(self.advertisement_interval_ms.known()? / 10).ok()?,
            interface: self.interface.known().cloned(),
        })
    }
}

impl ListenerConfig {
    fn spec(&self) -> Option<Listener> {
        let health_check = match &self.health_check {
            Field::Unknown => return None,
            Field::Null => HealthCheck::Tcp,
            Field::Known(check) => HealthCheck::Https { path: check.https_path.known()?.clone() },
        };
        Some(Listener {
            port: *self.port.known()?,
            backends: self.backends.known()?.iter().map(|text| text.known().cloned()).collect::<Option<_>>()?,
            health_check,
        })
    }
}

fn owner_of(state: &Value) -> Result<Owner, Diagnostic> {
    on_hosts::owner("k8s_lb_vrrp", state.get("name"))
}

/// What the planner's steps mean for a load balancer.
struct VrrpActions {
    name: String,
    virtual_addresses: Vec<IpNet>,
}

const HAND_OVER_LIMIT: Duration = Duration::from_secs(15);

#[async_trait]
impl Actions for VrrpActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::VirtualAddressServed => self.wait_until_held(fleet, None).await,
            Gate::UnitsActive { host, units } => on_hosts::wait_units_active(fleet, host, units).await,
            _ => Ok(()),
        }
    }

    async fn hand_over(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let Some(machine) = fleet.machines.get(host) else { return Ok(()) };
        if fleet.machines.len() < 2 || !self.holds(machine.as_ref()).await? {
            return Ok(());
        }
        machine.run(&format!("systemctl stop k8s-lb-{}-keepalived.service", self.name)).await?;
        self.wait_until_held(fleet, Some(host)).await
    }

}

impl VrrpActions {
    /// The host that has the addresses now, as far as one answers and has them.
    async fn holder(&self, fleet: &Fleet) -> Option<HostName> {
        for (host, machine) in &fleet.machines {
            if self.holds(machine.as_ref()).await.is_ok_and(|holds| holds) {
                return Some(host.clone());
            }
        }
        None
    }

    async fn holds(&self, machine: &dyn Host) -> Result<bool, StepError> {
        let output = machine.run("ip -o addr show").await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(!self.virtual_addresses.is_empty() && self.virtual_addresses.iter().all(|address| text.contains(&format!(" {address} "))))
    }

    /// Exactly as a client needs it: some host other than `besides` has every address.
    async fn wait_until_held(&self, fleet: &Fleet, besides: Option<&HostName>) -> Result<(), StepError> {
        let began = Instant::now();
        while began.elapsed() < HAND_OVER_LIMIT {
            for (host, machine) in &fleet.machines {
                if Some(host) != besides && self.holds(machine.as_ref()).await? {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let addresses: Vec<String> = self.virtual_addresses.iter().map(|address| address.addr().to_string()).collect();
        Err(StepError::Gate {
            summary: format!("no host holds the virtual addresses {} after {} s", addresses.join(", "), HAND_OVER_LIMIT.as_secs()),
            detail: format!(
                "Look at `journalctl -u k8s-lb-{}-keepalived` on the load-balancer hosts: is VRRP (IP protocol 112) allowed between them, and virtual_router_id unique? Running apply again is safe.",
                self.name
            ),
        })
    }
}

fn validate_virtual_addresses(config: &Value, diagnostics: &mut Diagnostics) {
    let list = config.get("virtual_addresses").as_list().unwrap_or_default();
    let path = AttributePath::attribute("virtual_addresses");
    if config.get("virtual_addresses").as_list().is_some_and(<[_]>::is_empty) {
        diagnostics.push(Diagnostic::error("virtual_addresses is empty").detail("Give at least one, such as \"192.0.2.100/24\".").at(path.clone()));
    }
    let hosts: Vec<(&String, std::net::IpAddr)> = config
        .get("hosts")
        .as_map()
        .into_iter()
        .flatten()
        .flat_map(|(name, host)| ["address", "secondary_address"].map(|attribute| (name, host.get(attribute))))
        .filter_map(|(name, value)| Some((name, value.as_str()?.parse().ok()?)))
        .collect();
    let mut seen = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let Some(text) = item.as_str() else { continue };
        let at = path.clone().index(index);
        let Ok(virtual_address) = text.parse::<IpNet>() else {
            diagnostics.push(
                Diagnostic::error(format!("{text:?} is not an address with a prefix length"))
                    .detail("Give the address and the prefix length of the hosts' network, such as \"192.0.2.100/24\" or \"2001:db8::100/64\".")
                    .at(at),
            );
            continue;
        };
        let address = virtual_address.addr();
        if seen.contains(&address) {
            diagnostics.push(Diagnostic::error(format!("virtual address {address} is given twice")).detail("Give each address once.").at(at.clone()));
        }
        seen.push(address);
        if let Some((name, _)) = hosts.iter().find(|(_, host)| *host == address) {
            diagnostics.push(
                Diagnostic::error(format!("virtual address {address} is the address of host {name}"))
                    .detail("A virtual address moves between hosts: choose one that no host has.")
                    .at(at.clone()),
            );
        }
        let family: Vec<&(&String, std::net::IpAddr)> = hosts.iter().filter(|(_, host)| host.is_ipv4() == address.is_ipv4()).collect();
        if let Some((name, host)) = family.iter().find(|(_, host)| !virtual_address.contains(host)) {
            diagnostics.push(
                Diagnostic::error(format!("virtual address {virtual_address} is outside the network of host {name} ({host})"))
                    .detail(format!("Neighbours find it by ARP or neighbour discovery only in their own network: choose one in the network of {host}."))
                    .at(at),
            );
        } else if family.is_empty() && !hosts.is_empty() {
            diagnostics.push(
                Diagnostic::error(format!("no host has an address of the family of {address}"))
                    .detail("Give each host a secondary_address of that family, or leave this virtual address out.")
                    .at(at),
            );
        }
    }
}

fn validate_listeners(listeners: &Value, diagnostics: &mut Diagnostics) {
    let path = AttributePath::attribute("listeners");
    let mut ports: BTreeMap<i64, &String> = BTreeMap::new();
    if listeners.as_map().is_some_and(BTreeMap::is_empty) {
        diagnostics.push(Diagnostic::error("listeners is empty").detail("Give at least one, such as { apiserver = { port = 6443, backends = [...] } }.").at(path.clone()));
    }
    for (name, listener) in listeners.as_map().into_iter().flatten() {
        let at = path.clone().key(name.as_str());
        diagnostics.extend(listener_name(name, &at));
        if let Some(port) = listener.get("port").as_i64()
            && let Some(other) = ports.insert(port, name)
        {
            diagnostics.push(
                Diagnostic::error(format!("listeners {other} and {name} both take port {port}"))
                    .detail("A port belongs to one listener. Choose another port for one of them.")
                    .at(at.clone().then("port")),
            );
        }
        let backends = listener.get("backends").as_list().unwrap_or_default();
        if listener.get("backends").as_list().is_some_and(<[_]>::is_empty) {
            diagnostics.push(Diagnostic::error(format!("listener {name} has no backends")).detail("Give at least one, such as \"192.0.2.11:6443\".").at(at.clone().then("backends")));
        }
        for (index, backend) in backends.iter().enumerate() {
            if backend.as_str().is_some_and(|text| !is_backend(text)) {
                diagnostics.push(
                    Diagnostic::error(format!("{:?} is not a backend", backend.as_str().unwrap_or_default()))
                        .detail("Give address and port, such as \"192.0.2.11:6443\", \"[2001:db8::11]:6443\" or \"cp-1.example.net:6443\".")
                        .at(at.clone().then("backends").index(index)),
                );
            }
        }
        if let Some(text) = listener.get("health_check").get("https_path").as_str()
            && !(text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.?=&".contains(c)))
        {
            diagnostics.push(Diagnostic::error(format!("{text:?} is not a path")).detail("Give the path of an HTTPS request, such as \"/readyz\".").at(at.then("health_check").then("https_path")));
        }
    }
}

fn listener_name(name: &str, at: &AttributePath) -> Option<Diagnostic> {
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    (!good).then(|| Diagnostic::error(format!("{name:?} cannot be the name of a listener")).detail("Use lower-case letters, digits, '-' and '_', such as \"apiserver\".").at(at.clone()))
}

fn is_backend(text: &str) -> bool {
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return true;
    }
    text.rsplit_once(':').is_some_and(|(host, port)| attributes::is_dns_name(host) && port.parse::<u16>().is_ok_and(|port| port > 0))
}
