//! `k8s_hardway_cluster`: etcd and the control plane as systemd units on hosts, and the objects that a cluster begins with.

mod actions;
mod config;
mod join;
mod validate;
mod version;

pub use join::Join;

use crate::configuration::{self, Shared};
use crate::hosts;
use crate::resources::attributes;
use crate::resources::on_hosts::downloads::{self, Resolved};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::host_state::Rollout;
use crate::resources::on_hosts::{self, host_state};
use crate::resources::pki::BundleObject;
use crate::ssh;
use async_trait::async_trait;
use bundle::{Bundle, HostName, UnitName};
use config::Config;
use machines::Owner;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use render::spec::{ClusterSpec, Credentials};
use schema::{Attribute, Diagnostic, Diagnostics, Field, Nesting, Schema, Type, Value, decode, encode};
use std::collections::BTreeMap;

pub struct HardwayCluster {
    pub shared: Shared,
}

#[async_trait]
impl Resource for HardwayCluster {
    fn name(&self) -> &'static str {
        "k8s_hardway_cluster"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "etcd and the Kubernetes control plane as systemd units on hosts of your own: API server, controller manager, scheduler, \
             and an approver of kubelet serving certificates, with secrets encrypted at rest and an audit log; and the objects that \
             a cluster begins with: roles for TLS bootstrap and CoreDNS. A change goes from host to host, each healthy before the \
             next; a change that could lose etcd's quorum is an error at plan.",
        )
        .attribute(attributes::id())
        .attribute(Attribute::string("name").required().requires_replace().describe("Name of the cluster."))
        .attribute(Attribute::string("kubernetes_version").required().describe("Version of Kubernetes, such as `1.36.3`. The catalogue of the provider knows which etcd goes with it."))
        .attribute(
            Attribute::of("pki", BundleObject::value_type())
                .required()
                .write_only()
                .describe("The `bundle` of a `k8s_pki` whose hosts include every host of this cluster. It is never stored in the state of this resource: only digests of the files are."),
        )
        .attribute(Attribute::string("endpoint").required().describe("URL under which clients and nodes reach the API servers, such as `https://api.demo.internal:6443`."))
        .attribute(hosts::attribute("Control-plane hosts by name: one, or an odd number of three or more, because each is a member of etcd."))
        .attribute(
            Attribute::nested(
                "network",
                Nesting::Single,
                vec![
                    Attribute::list("pod_cidrs", Type::String).required().requires_replace().describe("Pod CIDRs, one per family; the first family is the primary one."),
                    Attribute::list("service_cidrs", Type::String).required().requires_replace().describe("Service CIDRs, one per family, in the order of `pod_cidrs`."),
                    Attribute::number("node_mask_ipv4").optional().validator(schema::between(9, 30)).describe("Prefix length of one node's IPv4 pod network; 24 when not given."),
                    Attribute::number("node_mask_ipv6").optional().validator(schema::between(17, 124)).describe("Prefix length of one node's IPv6 pod network; 64 when not given."),
                    Attribute::string("cluster_domain").optional().requires_replace().describe("DNS domain of services; `cluster.local` when not given."),
                ],
            )
            .required()
            .describe("Networks of pods and services."),
        )
        .attribute(component("etcd", "etcd", vec![]))
        .attribute(component(
            "api_server",
            "kube-apiserver",
            vec![Attribute::string("audit_policy").optional().describe("Audit policy in YAML, in place of the built-in one, which records metadata of all changes and no secret.")],
        ))
        .attribute(component("controller_manager", "kube-controller-manager", vec![]))
        .attribute(component("scheduler", "kube-scheduler", vec![]))
        .attribute(configuration::mirror_attribute())
        .attribute(downloads::attribute())
        .attribute(ssh::attribute())
        .attribute(
            Attribute::of("join", Join::value_type())
                .computed()
                .describe("What `k8s_node_group.cluster` takes: how nodes reach the cluster and what they must trust. It holds no secret."),
        )
        .attributes(host_state::attributes())
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "name", description: "Name of the cluster." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config)
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        self.plan_rollout(&request).await.unwrap_or_else(|diagnostic| PlanResponse {
            planned: request.proposed.clone(),
            diagnostics: diagnostic.into(),
            ..PlanResponse::default()
        })
    }

    async fn plan_destroy(&self, _call: &Call, prior: Value) -> Diagnostics {
        let name = prior.get("name").as_str().unwrap_or_default().to_string();
        Diagnostic::warning(format!("destroying cluster {name} deletes all that is stored in its etcd"))
            .detail("Every object of the cluster is lost. Take a snapshot first if any of it is still needed.")
            .into()
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
        // API servers that have lost etcd take a minute to stop: they go first, on all hosts at once.
        let clients =
            ["kube-apiserver.service", "kube-controller-manager.service", "kube-scheduler.service", "k8s-csr-approver.service"];
        on_hosts::delete_hosts(&self.shared, call, prior, owner_of, config, &clients.map(UnitName::literal)).await
    }

    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics> {
        Err(Diagnostic::error("k8s_hardway_cluster cannot be imported")
            .detail("Declare it and apply: hosts that this provider set up before are left as they are, and only what differs is changed.")
            .into())
    }
}

/// Everything that is known of the cluster once nothing is unknown.
struct Desired {
    spec: ClusterSpec,
    credentials: Credentials,
    bundles: BTreeMap<HostName, Bundle>,
}

impl HardwayCluster {
    async fn plan_rollout(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostic> {
        let config: Config = decode(&request.proposed)?;
        let with_secrets: Config = decode(&request.config)?;
        if let Some(prior) = &request.prior {
            version::check_step(prior.get("kubernetes_version").as_str(), config.kubernetes_version.known().map(String::as_str))?;
        }
        let mut planned = request.proposed.clone();
        planned.set("id", config.name.known().map_or(Value::Unknown, |name| name.as_str().into()));
        let resolved = self.resolve(&config, request.prior.as_ref()).await?;
        planned.set("checksums", downloads::planned(resolved.as_ref()));
        let desired = match &resolved {
            Some(resolved) => self.desired(&config, &with_secrets.pki, resolved)?,
            None => None,
        };
        planned.set(
            "join",
            match &desired {
                Some(desired) => encode(&Join::of(desired, &config)?),
                None => Value::Unknown,
            },
        );
        let bundles = desired.as_ref().map(|desired| &desired.bundles);
        host_state::plan(request, planned, bundles, &control_plane())
    }

    async fn apply_rollout(&self, call: &Call, request: ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let config: Config = decode(&request.planned)?;
        let with_secrets: Config = decode(&request.config)?;
        let resolved = self.resolve(&config, Some(&request.planned)).await?.ok_or_else(on_hosts::unknown_at_apply)?;
        resolved.require_all()?;
        let desired = self.desired(&config, &with_secrets.pki, &resolved)?.ok_or_else(on_hosts::unknown_at_apply)?;
        let hosts = on_hosts::all_hosts(config.hosts.known(), request.prior.as_ref())?;
        let fleet = Fleet::connect(&self.shared, owner_of(&request.planned)?, &hosts, &config.ssh, &call.cancelled).await?;
        let mut request = request;
        request.planned.set("checksums", resolved.value());
        request.planned.set("join", encode(&Join::of(&desired, &config)?));
        request.planned.set(
            "bundles",
            encode(&host_state::to_lines(
                &desired.bundles.iter().map(|(host, bundle)| (host.clone(), bundle.manifest())).collect(),
            )),
        );
        let actions = actions::ControlPlaneActions {
            objects: render::objects::bootstrap_objects(&desired.spec).map_err(on_hosts::render_error)?,
        };
        on_hosts::finish_apply(fleet, request, &desired.bundles, &control_plane(), &actions).await
    }

    async fn resolve(&self, config: &Config, state: Option<&Value>) -> Result<Option<Resolved>, Diagnostic> {
        let (Some(version), Some(hosts)) = (config.kubernetes_version.known(), config.hosts.known().and_then(hosts::resolve))
        else {
            return Ok(None);
        };
        let configuration = self.shared.configuration();
        let mirror = downloads::mirror(&config.mirror, &configuration.mirror);
        downloads::resolve(
            self.shared.world.as_ref(),
            version,
            render::catalogue::Role::ControlPlane,
            &hosts,
            mirror,
            &config.checksums,
            state,
        )
        .await
    }

    /// `None` while something that goes into a bundle is unknown.
    fn desired(&self, config: &Config, pki: &Field<BundleObject>, resolved: &Resolved) -> Result<Option<Desired>, Diagnostic> {
        let (Some(spec), Some(pki)) = (config.spec(), pki.known()) else { return Ok(None) };
        if !resolved.is_complete() {
            return Ok(None);
        }
        let credentials = Credentials {
            certificates: pki.certificates.clone(),
            private_keys: pki.private_keys.clone(),
            public_keys: pki.public_keys.clone(),
            encryption_keys: pki.encryption_keys.clone(),
        };
        let mut bundles = BTreeMap::new();
        for (name, host) in &spec.hosts {
            let binaries = resolved.binaries(host.architecture)?;
            let bundle = render::control_plane::render(&spec, &credentials, &binaries, name).map_err(on_hosts::render_error)?;
            bundles.insert(name.clone(), bundle);
        }
        Ok(Some(Desired { spec, credentials, bundles }))
    }
}

fn control_plane() -> Rollout<'static> {
    Rollout { plan: &rollout::control_plane::plan, tiers: rollout::control_plane::tiers() }
}

fn owner_of(state: &Value) -> Result<Owner, Diagnostic> {
    on_hosts::owner("k8s_hardway_cluster", state.get("name"))
}

fn component(name: &'static str, program: &'static str, more: Vec<Attribute>) -> Attribute {
    let flags = Attribute::map("flags", Type::String).optional().describe(format!(
        "Flags of `{program}` without the leading dashes, such as `{{ v = \"4\" }}`. They win over those that the provider sets."
    ));
    let mut attributes = vec![flags];
    attributes.extend(more);
    Attribute::nested(name, Nesting::Single, attributes).optional().describe(format!("Settings of `{program}`."))
}
