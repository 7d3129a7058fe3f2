//! `k8s_node_group`: container runtime, kubelet, kube-proxy and the pod network on hosts; joining by TLS bootstrap, leaving by drain.

pub(super) mod actions;
mod certificate;
pub(crate) mod cloud;
pub(crate) mod config;
pub(super) mod drain;
mod facts;
mod network;
mod node;
mod node_attributes;
mod node_rules;
pub(super) mod others;
pub(super) mod ready;
mod skew;
mod tokens;
pub(super) mod validate;
pub(crate) mod whose;

use super::errors::{render_error, stopped};
use super::{Declared, Desired, HostResource, Looked, plan::Rollout};
use crate::configuration::{self, Shared};
use crate::hosts;
use crate::resources::attributes;
use crate::resources::control_plane::{ControlPlane, NoControlPlane, ToLeave};
use crate::resources::on_hosts::downloads::{self, Resolved, Wanted};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::hardway_cluster;
use crate::resources::on_hosts::recorded;
use crate::ssh;
use crate::wait::Waiter;
use actions::NodeActions;
use async_trait::async_trait;
use bundle::{Bundle, Content, Digest, HostName, HostPath};
use config::Config;
use facts::Facts;
use protocol::{ApplyResponse, Call, IdentityAttribute};
use rollout::HostState;
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Schema, Type, Value, ValueAt};
use std::collections::BTreeMap;
use std::time::Duration;

/// A refresh asks the API server for so long: each control-plane host that does not answer takes ten seconds.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

pub struct NodeGroup;

#[async_trait]
impl HostResource for NodeGroup {
    type Config = Config;
    type Actions = NodeActions;
    type Facts = Facts;

    fn name(&self) -> &'static str {
        "k8s_node_group"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "Nodes of a cluster on your own hosts: containerd, kubelet, kube-proxy and a routed dual-stack pod network.\n\n\
             Kubelets join by TLS bootstrap with a token that is valid for an hour. Control-plane hosts may be nodes as well.\n\n\
             A host that is removed is drained, its node object is deleted, and everything on it is removed. Adding a host touches no other. \
             Another minor version of Kubernetes drains one node after the other, `max_unavailable` at a time, and one node group of the cluster after the other. What replaces a node group is destroyed \
             first. With `create_before_destroy`, nodes of another cluster are refused before anything is written; else the new object goes on with \
             the nodes that are there, and the destroy of the old one removes nothing. Warnings say so.",
        )
        .attribute(attributes::id())
        .attribute(Attribute::string("name").optional_computed().default("nodes".into()).requires_replace().describe("Distinguishes the node groups of a cluster. Groups of one cluster need different names: two of one name on different hosts have one `id` and are told apart by their `uid` only, and one that is created on hosts of the other takes them over: the other can no longer change or remove them."))
        .attribute(Attribute::of("cluster", hardway_cluster::Join::value_type()).required().describe("The `join` of a `k8s_hardway_cluster`. With another cluster, also one that is created again under the same name (`cluster_uid`), the node group is replaced."))
        .attribute(hosts::attribute_with(
            node_attributes::of_host(),
            "Hosts by name, which is also the name of the node. A machine keeps its name: to rename one, take it out, apply, and add it again. What a \
             host has of its own wins over what the group has, key by key.",
        ))
        .attributes(node_attributes::of_nodes())
        .attribute(
            Attribute::string("proxy_mode")
                .optional_computed()
                .default("nftables".into())
                .validator(schema::one_of(&["nftables", "iptables", "ipvs", "none"]))
                .describe(
                    "Mode of kube-proxy; `none` for no kube-proxy, where a network add-on serves services. A change to `none` takes it and its rules \
                     from one node after the other. `ipvs` is deprecated since Kubernetes 1.35.",
                ),
        )
        .attribute(
            Attribute::map("registry_mirrors", Type::String)
                .optional()
                .null_means_absent()
                .describe("URL of the mirror that containerd uses instead of an image registry, by registry, such as `{ \"registry.k8s.io\" = \"https://mirror.example.net\" }`. It has no user and no password: containerd would not use them."),
        )
        .attribute(Attribute::string("kube_proxy_config").optional().describe("Settings in JSON that are merged into the KubeProxyConfiguration."))
        .attribute(
            Attribute::number("max_unavailable")
                .optional_computed()
                .default(Value::from(1))
                .validator(schema::between(1, 1000))
                .describe(
                    "Maximum number of nodes that are unavailable at the same time. Those that are not Ready for another reason count: nothing is restarted \
                     on a node that serves while as many others are not Ready, or on the last one. Nodes that are not Ready and have something to \
                     change come first.",
                ),
        )
        .attribute(
            Attribute::number("drain_timeout_seconds")
                .optional_computed()
                .default(Value::from(300))
                .validator(schema::between(1, 86_400))
                .describe("How long a drain may take before it fails; pod disruption budgets are respected. A node is drained before it leaves, and before its kubelet becomes another minor version. Pods that no controller owns and the data of `emptyDir` volumes end with it."),
        )
        .attribute(configuration::mirror_attribute())
        .attributes(downloads::attributes())
        .attribute(ssh::attribute())
    }

    fn identity(&self) -> IdentityAttribute {
        IdentityAttribute { name: "id", description: "Cluster and name of the node group." }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = Diagnostics::default();
        validate::validate(&ValueAt::of(config), &mut found);
        found
    }

    fn id(&self, config: &Config) -> Option<String> {
        config.id()
    }

    async fn desired(&self, declared: &Declared<'_, Self>, planned: &mut Value) -> Result<Desired, Diagnostic> {
        let config = declared.config;
        let resolved = resolve(config, declared).await?;
        downloads::show(planned, resolved.as_ref(), &declared.with_secrets.checksums, declared.state);
        let Some(resolved) = resolved else { return Ok(None.into()) };
        let warnings = resolved.warnings(declared)?;
        let kubeconfig = match declared.actions {
            Some(actions) => {
                let kubeconfig = actions.kube_proxy_kubeconfig().await?;
                actions.check_endpoint(&kubeconfig).await?;
                as_planned(Content::new(kubeconfig), planned.get("cluster"))?
            }
            None => planned_kubeconfig(planned.get("cluster"))?,
        };
        let mut bundles = bundles(config, &resolved, kubeconfig)?;
        if let (Some(recorded), Some(bundles)) = (declared.recorded.values().next(), &mut bundles) {
            bundles.values_mut().for_each(|bundle| bundle.recall(recorded, is_authority));
        }
        Ok(Desired { bundles, warnings })
    }

    fn rollout<'a>(&self, config: &'a Config, facts: &'a Facts) -> Rollout<'a> {
        let bounds = config.bounds();
        let plan = move |hosts: &[HostState]| {
            if facts.is_empty() {
                return rollout::nodes::plan(hosts, bounds);
            }
            let node = |host: &HostState| facts.get(&host.name).cloned().unwrap_or_default();
            let known: Vec<HostState> = hosts.iter().map(|host| host.clone().with_node(node(host))).collect();
            rollout::nodes::plan(&known, bounds)
        };
        let is_settled = !config.max_unavailable.is_unknown() && node::objects(config).is_some();
        Rollout { plan: Box::new(plan), is_settled }
    }

    fn assume(&self, config: &Config, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
        facts::assumed(config, prior)
    }

    async fn actions(&self, shared: &Shared, config: &Config, call: &Call) -> Result<NodeActions, Diagnostic> {
        let mut actions = NodeActions::connect(shared, config, call).await.map_err(|none| again(none.error))?;
        actions.refuse_another_cluster(&config.cluster).await?;
        actions.check_version(shared, config).await?;
        Ok(actions)
    }

    async fn observe(&self, actions: &NodeActions, fleet: &Fleet, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
        actions.observe(fleet, prior).await
    }

    async fn look(&self, shared: &Shared, config: &Config, call: &Call, prior: &Value) -> Result<Looked, Diagnostic> {
        if config.hosts.known().is_none_or(BTreeMap::is_empty) {
            return Ok(Looked::default());
        }
        let clock = shared.world.clock();
        let waiter = Waiter { clock: &*clock, cancelled: &call.cancelled };
        let asked = waiter.within(LOOK_LIMIT, async {
            let cluster = ControlPlane::connect(shared, config.way()).await?;
            cluster.refuse_another_cluster(&config.cluster).await?;
            cluster.api.nodes().await.map_err(|error| no_answer(error.to_string()))
        });
        let reason = match asked.await {
            Some(Ok(nodes)) => return Ok(Looked { drift: facts::drift(prior, &nodes)?, ..Looked::default() }),
            Some(Err(reason)) => format!("{}: {}", reason.summary, reason.detail),
            None => format!("no answer within {} s", LOOK_LIMIT.as_secs()),
        };
        let id = prior.get("id").as_str().unwrap_or_default();
        let warning = Diagnostic::warning(format!("the nodes of {id} were not looked at, for no API server of their cluster answers")).detail(format!(
            "{reason}\n\nWhat was last known of their labels, annotations and taints is kept; their hosts were read. The next refresh asks again."
        ));
        Ok(Looked { drift: facts::known_drift(prior)?, warnings: warning.into(), ..Looked::default() })
    }

    async fn settle(&self, actions: &NodeActions, _call: &Call, prior: Option<&Value>, response: &mut ApplyResponse) {
        actions.finish().await;
        response.diagnostics.extend(actions.unasked());
        if response.diagnostics.has_errors()
            && let (Some(state), Some(prior)) = (&mut response.state, prior)
        {
            // Not set (yet) on every node, or set on some: the next plan, of whatever configuration, sees what differs and takes away the rest.
            if let Some(left) = actions.left(state).await {
                recorded::add_drift(state, &left);
            }
            facts::keep_both(prior, state);
        }
    }

    fn belongs_to(&self) -> Option<(&'static str, &'static str)> {
        Some(("cluster", "cluster_uid"))
    }

    fn plan_destroy(&self, prior: &Value) -> Diagnostics {
        let nodes: Vec<&str> = prior.get("hosts").as_map().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        if nodes.is_empty() {
            return Diagnostics::default();
        }
        let id = prior.get("id").as_str().unwrap_or_default();
        Diagnostic::warning(format!("destroying node group {id} takes its nodes out of the cluster: {}", nodes.join(", ")))
            .detail(
                "Their pods move to nodes of other groups; where there are none, they end. What pods keep on the disks of these hosts is \
                 deleted. A node group that is replaced has no node from its destroy until it is created.",
            )
            .into()
    }

    /// Drains while other nodes can take the pods, and deletes the node objects. When the cluster itself does not answer any more
    /// there is nothing to drain to, and the hosts are cleaned all the same.
    async fn leave(&self, shared: &Shared, config: &Config, call: &Call) -> Result<Diagnostics, Diagnostic> {
        if config.hosts.known().is_some_and(BTreeMap::is_empty) {
            return Ok(Diagnostics::default());
        }
        match ControlPlane::connect_to_leave(shared, config.way()).await {
            Ok(ToLeave::Another(other)) => {
                let detail = format!("{}: {}\n\nTheir hosts are cleaned all the same.", other.summary, other.detail);
                Ok(Diagnostic::warning("no node was drained or deleted: their cluster is gone").detail(detail).into())
            }
            Ok(ToLeave::Reached(reached)) => {
                let diagnostics = NodeActions::at(reached, shared, config, call)?.leave_all().await;
                if call.cancelled.is_cancelled() {
                    return Err(stopped(Diagnostic::error, "No host was cleaned yet. Destroying again continues from here."));
                }
                Ok(diagnostics)
            }
            Err(NoControlPlane { error, may_be_there: true, .. }) => Err(nothing_cleaned(error)),
            Err(NoControlPlane { error, .. }) => {
                Ok(Diagnostic::warning("the cluster does not answer, so its node objects were not deleted")
                    .detail(format!("{}\n{}", error.summary, error.detail))
                    .into())
            }
        }
    }

    fn instead_of_import(&self) -> &'static str {
        "Declare it and apply: hosts that are nodes already are left as they are, and only what differs is changed."
    }
}

fn again(error: Diagnostic) -> Diagnostic {
    Diagnostic { detail: format!("{}\n\nRunning apply again is safe.", error.detail), ..error }
}

/// Which cluster it is was not read: it may well be that of the nodes, with their pods.
fn nothing_cleaned(error: Diagnostic) -> Diagnostic {
    let detail = format!(
        "{}\n\nSo it is not known whether the cluster of these nodes is there. No node was drained or deleted, and no host was cleaned. Run destroy \
         again. If their cluster is gone for good, switch its control-plane hosts off first, or stop kube-apiserver there: where none of them answers, hosts are \
         cleaned without a drain.",
        error.detail
    );
    Diagnostic { detail, ..error }
}

fn no_answer(reason: String) -> Diagnostic {
    Diagnostic::error("the API server does not answer").detail(reason)
}

async fn resolve(config: &Config, declared: &Declared<'_, NodeGroup>) -> Result<Option<Resolved>, Diagnostic> {
    let version = config.cluster.known().and_then(|join| join.kubernetes_version.known());
    let (Some(version), Some(hosts)) = (version, config.resolved_hosts()) else {
        return Ok(None);
    };
    let wanted = Wanted {
        version,
        role: render::catalogue::Role::Node,
        hosts,
        mirror: &config.mirror,
        checksums: &declared.with_secrets.checksums,
    };
    downloads::resolve(declared, wanted).await
}

/// The kubeconfig of kube-proxy, which a plan knows by its digest at most.
fn planned_kubeconfig(join: &Value) -> Result<Content, Diagnostic> {
    let digest = join.get("kube_proxy_kubeconfig_sha256");
    let Some(text) = digest.as_str() else {
        return Ok(if digest.is_changing() { Content::changing() } else { Content::unknown() });
    };
    Digest::parse(text).map(Content::by_digest).map_err(|error| {
        Diagnostic::error("cluster is not the join of a k8s_hardway_cluster")
            .detail(error.to_string())
            .at(AttributePath::attribute("cluster"))
    })
}

fn as_planned(kubeconfig: Content, join: &Value) -> Result<Content, Diagnostic> {
    if kubeconfig != planned_kubeconfig(join)? {
        return Err(Diagnostic::error("the control-plane hosts hold another kubeconfig for kube-proxy than the plan says")
            .detail("The cluster has changed since the plan was created. Plan again, then apply."));
    }
    Ok(kubeconfig)
}

/// Of a cluster that stays, which takes no others: what the state records of any host, all have.
fn is_authority(path: &HostPath) -> bool {
    render::node::AUTHORITIES.iter().any(|(_, file)| path.as_str() == *file)
}

/// `None` while something else than a content is unknown.
fn bundles(config: &Config, resolved: &Resolved, kubeconfig: Content) -> Result<Option<BTreeMap<HostName, Bundle>>, Diagnostic> {
    let Some(join) = config.cluster.known() else { return Ok(None) };
    let Some(spec) = config.spec(kubeconfig) else { return Ok(None) };
    let mut bundles = BTreeMap::new();
    for (name, host) in &spec.hosts {
        let binaries = resolved.binaries(host.architecture)?;
        let mut bundle = render::node::render(&spec, &binaries, name).map_err(render_error)?;
        bundle.identity.insert(whose::CLUSTER_UID.into(), whose::uid_of(join).to_string());
        bundles.insert(name.clone(), bundle);
    }
    Ok(Some(bundles))
}
