//! `k8s_node_group`: container runtime, kubelet, kube-proxy and the pod network on hosts; joining by TLS bootstrap, leaving by drain.

mod actions;
mod config;

use crate::configuration::{self, Shared};
use crate::hosts;
use crate::resources::attributes;
use crate::resources::on_hosts::downloads::{self, Resolved};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::host_state::Rollout;
use crate::resources::on_hosts::{self, hardway_cluster, host_state};
use crate::ssh;
use actions::NodeActions;
use async_trait::async_trait;
use bundle::{Bundle, Content, Digest, HostName, UnitName};
use config::Config;
use machines::Owner;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, decode, encode};
use std::collections::BTreeMap;

pub struct NodeGroup {
    pub shared: Shared,
}

#[async_trait]
impl Resource for NodeGroup {
    fn name(&self) -> &'static str {
        "k8s_node_group"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "Nodes of a cluster on hosts of your own: containerd and runc, kubelet joined by TLS bootstrap with a token of one hour, \
             kube-proxy, and a routed dual-stack pod network. Control-plane hosts may be nodes as well. A host that is taken out is \
             drained, its node object deleted, and everything on it removed; adding one touches no other host.",
        )
        .attribute(attributes::id())
        .attribute(Attribute::string("name").optional_computed().default("nodes".into()).requires_replace().describe("Tells the node groups of one cluster apart."))
        .attribute(Attribute::of("cluster", hardway_cluster::Join::value_type()).required().describe("The `join` of a `k8s_hardway_cluster`."))
        .attribute(hosts::attribute("Hosts by name, which is the name of the node."))
        .attribute(Attribute::map("labels", Type::String).optional().describe("Labels of the nodes."))
        .attribute(
            Attribute::nested(
                "taints",
                Nesting::List,
                vec![
                    Attribute::string("key").required().describe("Key of the taint."),
                    Attribute::string("value").optional().describe("Its value."),
                    Attribute::string("effect")
                        .required()
                        .validator(schema::one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]))
                        .describe("`NoSchedule`, `PreferNoSchedule` or `NoExecute`."),
                ],
            )
            .optional()
            .describe("Taints with which nodes register."),
        )
        .attribute(
            Attribute::string("proxy_mode")
                .optional_computed()
                .default("nftables".into())
                .validator(schema::one_of(&["nftables", "iptables", "ipvs"]))
                .describe("How kube-proxy routes services: `nftables`, `iptables` or `ipvs`."),
        )
        .attribute(
            Attribute::map("registry_mirrors", Type::String)
                .optional()
                .describe("Image registries and the URL of the mirror that containerd asks in their place, such as `{ \"registry.k8s.io\" = \"https://mirror.example.net\" }`."),
        )
        .attribute(Attribute::string("kubelet_config").optional().describe("Settings in JSON that are merged into the KubeletConfiguration; use `jsonencode({ maxPods = 200 })`."))
        .attribute(Attribute::string("kube_proxy_config").optional().describe("Settings in JSON that are merged into the KubeProxyConfiguration."))
        .attribute(
            Attribute::number("max_unavailable")
                .optional_computed()
                .default(Value::from(1))
                .validator(schema::between(1, 1000))
                .describe("How many nodes are worked on at once when something on them restarts."),
        )
        .attribute(
            Attribute::number("drain_timeout_seconds")
                .optional_computed()
                .default(Value::from(300))
                .validator(schema::between(1, 86_400))
                .describe("How long a drain may take before it fails; disruption budgets are honoured."),
        )
        .attribute(configuration::mirror_attribute())
        .attribute(downloads::attribute())
        .attribute(ssh::attribute())
        .attributes(host_state::attributes())
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "id", description: "Cluster and name of the node group." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = hosts::validate(config.get("hosts"));
        diagnostics.extend(attributes::validate_cluster_name(config.get("name"), "name"));
        config::validate(config, &mut diagnostics);
        downloads::validate(config.get("checksums"), &mut diagnostics);
        diagnostics
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        self.plan_rollout(&request).await.unwrap_or_else(|diagnostic| PlanResponse {
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
        self.leave(call, &prior)
            .await
            .unwrap_or_else(|diagnostic| DeleteResponse { left_behind: Some(prior.clone()), diagnostics: diagnostic.into() })
    }

    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics> {
        Err(Diagnostic::error("k8s_node_group cannot be imported")
            .detail("Declare it and apply: hosts that are nodes already are left as they are, and only what differs is changed.")
            .into())
    }
}

impl NodeGroup {
    async fn plan_rollout(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostic> {
        let config: Config = decode(&request.proposed)?;
        let mut planned = request.proposed.clone();
        planned.set("id", config.id().map_or(Value::Unknown, Value::from));
        let resolved = self.resolve(&config, request.prior.as_ref()).await?;
        planned.set("checksums", downloads::planned(resolved.as_ref()));
        let desired = match &resolved {
            Some(resolved) if resolved.is_complete() => bundles(&config, resolved, None)?,
            _ => None,
        };
        let bounds = config.bounds();
        host_state::plan(
            request,
            planned,
            desired.as_ref(),
            &Rollout { plan: &|hosts| rollout::nodes::plan(hosts, bounds), tiers: tiers() },
        )
    }

    async fn apply_rollout(&self, call: &Call, mut request: ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let config: Config = decode(&request.planned)?;
        let resolved = self.resolve(&config, Some(&request.planned)).await?.ok_or_else(on_hosts::unknown_at_apply)?;
        resolved.require_all()?;
        let actions = NodeActions::connect(&self.shared, &config, call).await?;
        let kubeconfig = actions.kube_proxy_kubeconfig().await?;
        let desired = bundles(&config, &resolved, Some(kubeconfig))?.ok_or_else(on_hosts::unknown_at_apply)?;
        let hosts = on_hosts::all_hosts(config.hosts.known(), request.prior.as_ref())?;
        let fleet = Fleet::connect(&self.shared, owner_of(&request.planned)?, &hosts, &config.ssh, &call.cancelled).await?;
        request.planned.set("checksums", resolved.value());
        let manifests = desired.iter().map(|(host, bundle)| (host.clone(), bundle.manifest())).collect();
        request.planned.set("bundles", encode(&host_state::to_lines(&manifests)));
        actions.declare_known(request.prior.as_ref()).await?;
        let bounds = config.bounds();
        let rollout = Rollout { plan: &|hosts| rollout::nodes::plan(hosts, bounds), tiers: tiers() };
        let prior = request.prior.clone();
        let mut response = on_hosts::finish_apply(fleet, request, &desired, &rollout, &actions).await?;
        actions.finish().await;
        // Nodes that registered just now have their labels; a create that was stopped may lack nodes.
        let has_nodes = prior.is_some() || !call.cancelled.is_cancelled();
        if has_nodes
            && !response.diagnostics.has_errors()
            && let Err(diagnostic) = actions.set_labels(prior.as_ref()).await
        {
            response.diagnostics.push(diagnostic);
        }
        if response.diagnostics.has_errors()
            && let (Some(state), Some(prior)) = (&mut response.state, prior)
        {
            // Not set (yet) on every node: the next plan sees that they differ.
            state.set("labels", prior.get("labels").clone());
        }
        Ok(response)
    }

    /// Drains while other nodes can take the pods, deletes the node objects, then cleans the hosts. When the cluster itself does
    /// not answer any more there is nothing to drain to, and the hosts are cleaned all the same.
    async fn leave(&self, call: &Call, prior: &Value) -> Result<DeleteResponse, Diagnostic> {
        let config: Config = decode(prior)?;
        let mut warnings = Diagnostics::default();
        match NodeActions::connect(&self.shared, &config, call).await {
            Ok(actions) => {
                warnings.extend(actions.leave_all().await);
                if call.cancelled.is_cancelled() {
                    return Err(Diagnostic::error("stopped on request")
                        .detail("No host was cleaned yet. Destroying again goes on from here."));
                }
            }
            Err(error) => warnings.push(
                Diagnostic::warning("the cluster does not answer, so its node objects were not deleted")
                    .detail(format!("{}\n{}", error.summary, error.detail)),
            ),
        }
        let mut response =
            on_hosts::delete_hosts(&self.shared, call, prior.clone(), owner_of, Ok((config.hosts, config.ssh)), &[]).await;
        if warnings.has_errors() && response.left_behind.is_none() {
            // Hosts are clean; the state stays until the node objects are gone as well.
            let mut left = prior.clone();
            left.set("bundles", encode(&BTreeMap::<String, String>::new()));
            response.left_behind = Some(left);
        }
        warnings.extend(response.diagnostics);
        response.diagnostics = warnings;
        Ok(response)
    }

    async fn resolve(&self, config: &Config, state: Option<&Value>) -> Result<Option<Resolved>, Diagnostic> {
        let (Some(join), Some(hosts)) = (config.cluster.known(), config.hosts.known().and_then(hosts::resolve)) else {
            return Ok(None);
        };
        let configuration = self.shared.configuration();
        let mirror = downloads::mirror(&config.mirror, &configuration.mirror);
        downloads::resolve(
            self.shared.world.as_ref(),
            &join.kubernetes_version,
            render::catalogue::Role::Node,
            &hosts,
            mirror,
            &config.checksums,
            state,
        )
        .await
    }
}

/// `None` while something is unknown. At plan the kubeconfig of kube-proxy is known by its digest only.
fn bundles(
    config: &Config,
    resolved: &Resolved,
    kubeconfig: Option<Vec<u8>>,
) -> Result<Option<BTreeMap<HostName, Bundle>>, Diagnostic> {
    let Some(join) = config.cluster.known() else { return Ok(None) };
    let digest = Digest::parse(join.kube_proxy_kubeconfig_sha256.as_str()).map_err(|error| {
        Diagnostic::error("cluster is not the join of a k8s_hardway_cluster")
            .detail(error.to_string())
            .at(AttributePath::attribute("cluster"))
    })?;
    let content = kubeconfig.map_or_else(|| Content::by_digest(digest.clone()), Content::new);
    if content.digest() != digest {
        return Err(Diagnostic::error("the control-plane hosts hold another kubeconfig for kube-proxy than the plan says")
            .detail("The cluster was changed since the plan was made. Plan again, then apply."));
    }
    let Some(spec) = config.spec(content) else { return Ok(None) };
    let mut bundles = BTreeMap::new();
    for (name, host) in &spec.hosts {
        let binaries = resolved.binaries(host.architecture)?;
        bundles.insert(name.clone(), render::node::render(&spec, &binaries, name).map_err(on_hosts::render_error)?);
    }
    Ok(Some(bundles))
}

/// The runtime first: kubelet needs its socket. On the way out kubelet stops before its node is deleted.
fn tiers() -> Vec<Vec<UnitName>> {
    let tiers: [&[&str]; 2] = [&["containerd.service"], &["kubelet.service", "kube-proxy.service", "k8s-pod-network.service"]];
    tiers.iter().map(|tier| tier.iter().map(|unit| UnitName::literal(unit)).collect()).collect()
}

fn owner_of(state: &Value) -> Result<Owner, Diagnostic> {
    on_hosts::owner("k8s_node_group", state.get("id"))
}
