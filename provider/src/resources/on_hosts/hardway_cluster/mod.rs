//! `k8s_hardway_cluster`: etcd and the control plane as systemd units on hosts, and the objects that a cluster begins with.

pub(super) mod actions;
pub(crate) mod config;
mod coredns;
pub(super) mod coverage;
mod flags;
mod foundation;
mod frozen;
pub(crate) mod join;
mod kept_network;
mod lasting;
mod objects;
mod promise;
mod validate;
mod version;

pub use join::Join;
pub use lasting::LASTING;

use super::errors::render_error;
use super::{Declared, Desired, HostResource, Looked, plan::Rollout};
use crate::configuration::{self, Shared};
use crate::etcd::SnapshotPlace;
use crate::hosts;
use crate::resources::attributes;
use crate::resources::in_cluster::own_apply::OwnApply;
use crate::resources::in_cluster::own_state;
use crate::resources::on_hosts::addresses::Moves;
use crate::resources::on_hosts::downloads::{self, Resolved, Wanted};
use crate::resources::on_hosts::errors::unknown_at_apply;
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::lives;
use crate::resources::on_hosts::recorded;
use crate::resources::pki;
use crate::spelling;
use crate::ssh;
use actions::ControlPlaneActions;
use async_trait::async_trait;
use bundle::{Bundle, Health, HostName, HostPath, UnitName};
use config::Config;
use credentials::Credentials;
use protocol::{ApplyResponse, Call, IdentityAttribute};
use render::component::{CONTROL_PLANE, Component};
use render::control_plane::SNAPSHOTS;
use render::spec::ClusterSpec;
use rollout::control_plane::Snapshots;
use rollout::{HostState, Membership};
use schema::{Attribute, Diagnostic, Diagnostics, Field, Nesting, Schema, Type, Value, ValueAt, decode, encode};
use std::collections::BTreeMap;

const ETCD_ATTRIBUTE: &str = "etcd";
const TRIGGER: &str = "snapshot_trigger";

pub struct HardwayCluster;

#[async_trait]
impl HostResource for HardwayCluster {
    type Config = Config;
    type Actions = ControlPlaneActions;
    type Facts = Facts;

    fn name(&self) -> &'static str {
        "k8s_hardway_cluster"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "etcd and the Kubernetes control plane as systemd units on your own hosts, with secrets encrypted at rest and an audit log.\n\n\
             Each host runs the API server, the controller manager, the scheduler, an etcd member and an approver of kubelet serving \
             certificates. The cluster starts with roles for TLS bootstrap and with CoreDNS. What others change of these objects, such as the Corefile or the number of replicas, \
             is in the plan after the next refresh, and an apply restores it.\n\n\
             A change goes from host to host, each healthy before the next. A change that could lose etcd's quorum is an error at plan. Hosts neither join nor leave a cluster that exists.\n\n\
             What replaces a cluster is destroyed first, because both would need the same hosts. With `create_before_destroy`, which engines pass on \
             from what depends on a cluster, nothing is replaced and nothing is lost: other networks are refused before anything is written; else \
             the new object goes on with the cluster that is there, and the destroy of the old one removes nothing. Warnings say so.",
        )
        .attribute(attributes::id())
        .attribute(Attribute::string("name").required().requires_replace().describe("Name of the cluster."))
        .attribute(Attribute::string("kubernetes_version").required().describe(format!(
            "Version of Kubernetes, such as `1.36.3`. Supported are {}. A cluster that exists takes one minor version after the other, and none back. The provider's catalogue determines the version of etcd.",
            render::catalogue::known().unwrap_or_default()
        )))
        .attribute(
            Attribute::of("pki", pki::value_type())
                .required()
                .write_only()
                .describe("The `bundle` of a `k8s_pki` whose hosts include every host of this cluster. It is never stored in the state of this resource, which only holds digests of the files."),
        )
        .attribute(Attribute::string("endpoint").required().canonical(config::canonical_endpoint).describe("URL under which clients and nodes reach the API servers, such as `https://api.demo.internal:6443`. Without a port, it is 6443."))
        .attribute(hosts::attribute("Control-plane hosts by name: one, or an odd number of three or more, because each is a member of etcd. An existing cluster keeps its hosts and their addresses."))
        .attribute(
            Attribute::nested(
                "network",
                Nesting::Single,
                network_attributes(),
            )
            .required()
            .describe("Networks of pods and services."),
        )
        .attribute(cloud_provider())
        .attribute(component("etcd", "etcd", snapshots()))
        .attribute(component(
            "api_server",
            "kube-apiserver",
            vec![Attribute::string("audit_policy").optional().describe("Audit policy in YAML, in place of the built-in one, which records metadata of all changes and no secret.")],
        ))
        .attribute(component("controller_manager", "kube-controller-manager", vec![]))
        .attribute(component("scheduler", "kube-scheduler", vec![]))
        .attribute(coredns::attribute())
        .attributes(objects::attributes())
        .attribute(configuration::mirror_attribute())
        .attributes(downloads::attributes())
        .attribute(ssh::attribute())
        .attribute(
            Attribute::of("join", Join::value_type())
                .computed()
                .never_null()
                .describe("What a `k8s_node_group` needs to know of this cluster: pass it whole, as `cluster = k8s_hardway_cluster.main.join`. Inside are the \
                     endpoint, the version, the control-plane hosts, the networks and the certificates of the authorities that nodes trust; it \
                     holds no secret. There is no command to run on a node: the provider joins it during apply, with a token of its own.",
                ),
        )
    }

    fn identity(&self) -> IdentityAttribute {
        IdentityAttribute { name: "name", description: "Name of the cluster." }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = Diagnostics::default();
        validate::validate(&ValueAt::of(config), &mut found);
        found
    }

    fn id(&self, config: &Config) -> Option<String> {
        config.name.known().cloned()
    }

    async fn desired(&self, declared: &Declared<'_, Self>, planned: &mut Value) -> Result<Desired, Diagnostic> {
        let config = declared.config;
        if let (Some(prior), Some(pki)) = (declared.prior, declared.with_secrets.pki.known()) {
            foundation::refuse_change(prior, declared.recorded, &pki.credentials)?;
        }
        if let Some(prior) = declared.prior {
            flags::refuse_change(prior, planned)?;
            kept_network::refuse_change(prior, planned)?;
        }
        if let (None, Some(prior)) = (declared.actions, declared.prior) {
            version::check(prior, declared.recorded, config.kubernetes_version.known().map(String::as_str))?;
        }
        objects::show(config, planned)?;
        if declared.prior.is_none() {
            coverage::check_name(&config.name, &declared.with_secrets.pki)?;
        }
        let resolved = resolve(config, declared).await?;
        downloads::show(planned, resolved.as_ref(), &declared.with_secrets.checksums, declared.state);
        let join = Join::declared(config, decode(planned.get(lives::UID))?);
        planned.set("join", encode(&join));
        let Some(resolved) = resolved else { return Ok(None.into()) };
        let mut warnings = resolved.warnings(declared)?;
        warnings.extend(declared.prior.iter().flat_map(|prior| kept_network::warn_of_another_pod_network(prior, planned)));
        let Some(spec) = config.spec() else { return Ok(Desired { bundles: None, warnings }) };
        let pki = &declared.with_secrets.pki;
        let credentials = pki.known().map_or_else(Credentials::unknown, |given| given.credentials.clone());
        coverage::check(&spec, &credentials)?;
        let mut join = join.trusting(&spec, &credentials)?;
        let mut bundles = bundles(&spec, &credentials, &resolved)?;
        if pki.is_null() {
            join = join.recalling(frozen::recall(declared, &mut bundles, planned)?);
        }
        let mut is_other_kube_proxy = false;
        if let (Some(prior), None, false) = (declared.prior, declared.actions, pki.is_null()) {
            // What a cluster stands on: other ones are refused, here or at apply.
            recorded::recall(declared.recorded, &mut bundles, render::control_plane::foundation::is_kept);
            join = join.recalling_authorities(frozen::recorded_join(prior)?);
            if let Some(settled) = promise::settled(declared.written.get("pki"), &credentials) {
                promise::mark(&mut bundles, &self::bundles(&spec, &settled, &resolved)?);
                is_other_kube_proxy = join.clone().trusting(&spec, &settled)?.kube_proxy_kubeconfig_sha256.is_unknown();
            }
        }
        let mut join = encode(&join);
        if is_other_kube_proxy {
            join.set("kube_proxy_kubeconfig_sha256", Value::Changing(""));
        }
        planned.set("join", join);
        Ok(Desired { bundles: Some(bundles), warnings })
    }

    fn rollout<'a>(&self, config: &'a Config, facts: &'a Facts) -> Rollout<'a> {
        let snapshots = Snapshots { before_restarts: config.snapshots_kept() > 0, is_requested: facts.is_snapshot_requested };
        let plan = move |hosts: &[HostState]| {
            let membership = |host: &HostState| facts.members.get(&host.name).copied().unwrap_or_default();
            let known: Vec<HostState> = hosts.iter().map(|host| host.clone().with_membership(membership(host))).collect();
            rollout::control_plane::plan(&known, snapshots, facts.objects)
        };
        Rollout { plan: Box::new(plan), is_settled: !facts.is_open }
    }

    fn assume(&self, config: &Config, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
        let is_snapshot_requested = is_snapshot_requested(&config.snapshot_trigger(), prior)?;
        let own = objects::own(config).transpose()?;
        // While a cluster is created, none is taken.
        Ok(Facts {
            is_snapshot_requested,
            is_open: own.is_none() || (prior.is_some() && !config.are_snapshots_known()),
            objects: own.map(|own| own_state::due(&own, prior)).unwrap_or_default(),
            ..Facts::default()
        })
    }

    async fn look(&self, shared: &Shared, config: &Config, call: &Call, prior: &Value) -> Result<Looked, Diagnostic> {
        objects::look(shared, config, call, prior).await
    }

    async fn observe(&self, actions: &ControlPlaneActions, fleet: &Fleet, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
        // A cluster that is created has no members yet.
        let members = if prior.is_some() { actions.members(fleet).await } else { BTreeMap::new() };
        let is_snapshot_requested = is_snapshot_requested(&actions.snapshot_trigger, prior)?;
        let objects = actions.own.begin(prior);
        Ok(Facts { members, is_snapshot_requested, is_open: false, objects })
    }

    async fn actions(&self, _shared: &Shared, config: &Config, _call: &Call) -> Result<ControlPlaneActions, Diagnostic> {
        let spec = config.spec().ok_or_else(unknown_at_apply)?;
        let endpoints = |host: &HostName| Some((host.clone(), render::control_plane::endpoints(&spec, host)?));
        Ok(ControlPlaneActions {
            endpoints: spec.hosts.keys().filter_map(endpoints).collect(),
            own: OwnApply::new(objects::own(config).ok_or_else(unknown_at_apply)??, "the cluster's"),
            snapshots: SnapshotPlace {
                folder: HostPath::literal(SNAPSHOTS),
                cluster: spec.name.clone(),
                kept: config.snapshots_kept(),
            },
            snapshot_trigger: config.snapshot_trigger(),
        })
    }

    /// A snapshot that was not taken is still asked for.
    async fn settle(&self, actions: &ControlPlaneActions, _call: &Call, prior: Option<&Value>, response: &mut ApplyResponse) {
        if response.diagnostics.has_errors()
            && let (Some(state), Some(prior)) = (&mut response.state, prior)
        {
            let (mut etcd, before) = (state.get(ETCD_ATTRIBUTE).clone(), prior.get(ETCD_ATTRIBUTE).get(TRIGGER).clone());
            if etcd.is_set() {
                etcd.set(TRIGGER, before);
                state.set(ETCD_ATTRIBUTE, etcd);
            }
        }
        actions.own.settle(prior, response);
    }

    fn moves(&self) -> Moves {
        Moves::Never
    }

    fn show_uid(&self, planned: &mut Value) {
        let (mut join, uid) = (planned.get("join").clone(), planned.get(lives::UID).clone());
        if join.is_set() {
            join.set("cluster_uid", uid);
            planned.set("join", join);
        }
    }

    fn plan_destroy(&self, prior: &Value) -> Diagnostics {
        let name = prior.get("name").as_str().unwrap_or_default();
        Diagnostic::warning(format!("destroying cluster {name} deletes all that is stored in its etcd"))
            .detail("Every object of the cluster is lost, and so are the snapshots on its hosts. Copy one elsewhere first if any of it is still needed.")
            .into()
    }

    /// API servers that have lost etcd take a minute to stop.
    fn stopped_first(&self) -> Vec<UnitName> {
        let clients = CONTROL_PLANE.iter().filter(|component| component.traits.health != Health::EtcdMember);
        clients.map(Component::unit).collect()
    }

    fn instead_of_import(&self) -> &'static str {
        "Declare it and apply: hosts that this provider set up before are left as they are, and only what differs is changed."
    }
}

/// What is known of a cluster beside what is on its hosts.
#[derive(Default)]
pub struct Facts {
    /// What etcd says of the member of each host; none of them where it did not answer.
    members: BTreeMap<HostName, Membership>,
    is_snapshot_requested: bool,
    /// It is not known yet whether snapshots are taken, or what objects are declared.
    is_open: bool,
    /// The cluster's own.
    objects: rollout::control_plane::Objects,
}

/// Never while a cluster is created. A text that is not known yet is another one.
fn is_snapshot_requested(trigger: &Field<String>, prior: Option<&Value>) -> Result<bool, Diagnostic> {
    let Some(prior) = prior else { return Ok(false) };
    Ok(!trigger.is_null() && *trigger != decode::<Config>(prior)?.snapshot_trigger())
}

fn snapshots() -> Vec<Attribute> {
    vec![
        Attribute::number("snapshots_kept")
            .optional()
            .validator(schema::between(0, 100))
            .describe(format!(
                "How many snapshots of etcd stay on a host, in `{SNAPSHOTS}`. Before an apply restarts members of etcd, the first healthy one gives a \
                 snapshot on its host, which is read back once; an apply that cannot take it ends before anything changes. With 0, none is taken then, \
                 and none is deleted."
            ))
            .defaults_to("`3`"),
        Attribute::string(TRIGGER).optional().describe(
            "Any text, such as `before moving the databases`. An apply with another one than the last takes a snapshot of etcd: before anything else, or, \
             where etcd has lost its quorum, once it serves again.",
        ),
    ]
}

fn cloud_provider() -> Attribute {
    Attribute::string("cloud_provider").optional().validator(schema::one_of(&["external"])).describe(
        "`external` where the hosts are machines of a cloud, and a cloud controller manager runs in the cluster or beside it, such as that of AWS. Kubelets and controller \
         managers restart for a change. New nodes register with the taint `node.cloudprovider.kubernetes.io/uninitialized` and take no pods until that controller has given them \
         their provider id, addresses and zone: an apply waits for this where one leads, which is to say that it renews the lease `kube-system/cloud-controller-manager`. Nodes that are \
         registered already are not initialised.",
    )
}

fn network_attributes() -> Vec<Attribute> {
    vec![
        Attribute::list("pod_cidrs", Type::String).required().requires_replace().canonical(spelling::of_network).describe("Pod CIDRs, one per family; the first family is the primary one."),
        Attribute::list("service_cidrs", Type::String).required().requires_replace().canonical(spelling::of_network).describe("Service CIDRs, one per family, in the order of `pod_cidrs`."),
        Attribute::number("node_mask_ipv4").default(config::DEFAULT_NODE_MASK_IPV4.into()).validator(schema::between(config::NODE_MASKS_IPV4.0, config::NODE_MASKS_IPV4.1)).describe("Prefix length of one node's IPv4 pod network. A cluster that exists keeps it."),
        Attribute::number("node_mask_ipv6").default(config::DEFAULT_NODE_MASK_IPV6.into()).validator(schema::between(config::NODE_MASKS_IPV6.0, config::NODE_MASKS_IPV6.1)).describe("Prefix length of one node's IPv6 pod network. A cluster that exists keeps it."),
        Attribute::string("pod_network").default(config::DEFAULT_POD_NETWORK.into()).validator(schema::one_of(&["routed", "none"])).describe("Who connects pods of different nodes: `routed`, by a route on each host to each node's share of `pod_cidrs`, for which no router may be between nodes; or `none`, for a network add-on that you install, such as Cilium, Calico or flannel. Then hosts get no CNI configuration and no routes, and an apply does not wait for the network of a node while its host has no CNI configuration yet; the API server reaches pods (webhooks, aggregated API servers) only from control-plane hosts that are in a node group too. A change goes node by node, each of which is drained; install the add-on before a change to `none`."),
        Attribute::string("cluster_domain").default(config::DEFAULT_CLUSTER_DOMAIN.into()).requires_replace().canonical(spelling::of_network).describe("DNS domain of services."),
    ]
}

async fn resolve(config: &Config, declared: &Declared<'_, HardwayCluster>) -> Result<Option<Resolved>, Diagnostic> {
    let (Some(version), Some(hosts)) = (config.kubernetes_version.known(), config.hosts.known().and_then(hosts::resolve)) else {
        return Ok(None);
    };
    let wanted = Wanted {
        version,
        role: render::catalogue::Role::ControlPlane,
        hosts,
        mirror: &config.mirror,
        checksums: &declared.with_secrets.checksums,
    };
    downloads::resolve(declared, wanted).await
}

fn bundles(spec: &ClusterSpec, credentials: &Credentials, resolved: &Resolved) -> Result<BTreeMap<HostName, Bundle>, Diagnostic> {
    let bundle = |(name, host): (&HostName, &render::Host)| {
        let binaries = resolved.binaries(host.architecture)?;
        let mut bundle = render::control_plane::render(spec, credentials, &binaries, name).map_err(render_error)?;
        bundle.identity.extend(lasting::of(&spec.network));
        Ok((name.clone(), bundle))
    };
    spec.hosts.iter().map(bundle).collect()
}

fn component(name: &'static str, program: &'static str, more: Vec<Attribute>) -> Attribute {
    let flags = Attribute::map("flags", Type::String).optional().null_means_absent().describe(format!(
        "Flags of `{program}` without the leading dashes, such as `{{ v = \"4\" }}`. They win over those that the provider sets. A change restarts \
         `{program}`, one host after the other. Names and values are not checked at plan: during the apply the program is asked on the host \
         before it restarts, and what it refuses ends the apply while what ran goes on."
    ));
    let mut attributes = vec![flags];
    attributes.extend(more);
    Attribute::nested(name, Nesting::Single, attributes).optional().describe(format!("Settings of `{program}`."))
}
