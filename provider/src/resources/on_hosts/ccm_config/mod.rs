//! `k8s_ccm_config`: the AWS cloud controller manager as a systemd unit on control-plane hosts, with what it may do in the cluster.

mod actions;
mod attributes;
pub(crate) mod config;
mod program;
mod validate;

use super::errors::{render_error, unknown_at_apply};
use super::fleet::Fleet;
use super::hardway_cluster::Join;
use super::recorded;
use super::{Declared, Desired, HostResource, Looked, plan::Rollout};
use crate::configuration::Shared;
use crate::hosts;
use crate::kubernetes::FIELD_MANAGER;
use crate::resources::attributes as shared_attributes;
use crate::resources::control_plane::{ControlPlane, NoControlPlane, ToLeave};
use crate::resources::in_cluster::errors::failed;
use crate::resources::in_cluster::ignored::Ignored;
use crate::resources::in_cluster::own_apply::OwnApply;
use crate::resources::in_cluster::own_objects::{OwnObjects, declared};
use crate::resources::in_cluster::own_state;
use crate::resources::in_cluster::waits::Reach;
use crate::resources::pki;
use crate::ssh;
use crate::wait::Waiter;
use actions::ControllerActions;
use async_trait::async_trait;
use bundle::{Bundle, HostName};
use config::{Config, Defaults};
use credentials::{Credentials, Part};
use program::Program;
use protocol::{ApplyResponse, Call, IdentityAttribute};
use render::cloud_controller::{self, CloudControllerSpec, USER};
use render::component::CLOUD_CONTROLLER;
use rollout::control_plane::Objects;
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Field, Schema, Value, ValueAt, encode};
use std::collections::BTreeMap;

pub struct CcmConfig;

#[async_trait]
impl HostResource for CcmConfig {
    type Config = Config;
    type Actions = ControllerActions;
    /// Whether its objects in the cluster are as they are declared.
    type Facts = Objects;

    fn name(&self) -> &'static str {
        "k8s_ccm_config"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The AWS cloud controller manager as a systemd unit on control-plane hosts.\n\n\
             It gives nodes their provider id, addresses and zone, deletes those whose instance is gone, and makes load balancers of services. One of the hosts leads.\n\n\
             It has a client certificate of its own, from `k8s_pki`, towards the API server of its host, and a role in the cluster that allows what it needs and no more. It needs no \
             node, so it runs before the first of them registers: pass its `join` to node groups, in place of the cluster's, and they are created after it. A change restarts it \
             host by host; while the one that led restarts, another takes over within the 15 s of its lease.\n\n\
             The program is published in an image only. Hosts download the layer that has it, which is verified by its digest; no container runtime is needed.",
        )
        .attribute(shared_attributes::id())
        .attribute(Attribute::string("name").optional_computed().default("aws".into()).requires_replace().describe("Name of the controller in the records of its hosts. A cluster has one."))
        .attribute(Attribute::of("cluster", Join::value_type()).required().describe("The `join` of a `k8s_hardway_cluster` with `cloud_provider = \"external\"`. With another cluster the controller is replaced."))
        .attribute(
            Attribute::of("pki", pki::value_type())
                .required()
                .write_only()
                .describe("The `bundle` of the cluster's `k8s_pki`, which has the certificate `cloud-controller-manager`. It is never stored in the state of this resource."),
        )
        .attribute(hosts::attribute("Control-plane hosts of the cluster by name, as the cluster has them. One that is taken out loses the controller, and nothing else."))
        .attribute(attributes::cloud_config())
        .attributes(attributes::others())
        .attributes(own_state::attributes("What the controller may do in the cluster", ""))
        .attribute(ssh::attribute())
        .attribute(
            Attribute::of("join", Join::value_type())
                .computed()
                .never_null()
                .describe("`cluster` as it is, for node groups: `cluster = k8s_ccm_config.aws.join` makes the engine create them after the controller, and destroy them before it."),
        )
    }

    fn identity(&self) -> IdentityAttribute {
        IdentityAttribute { name: "id", description: "Name of the cluster, and that of the controller." }
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
        own_state::show(Some(&own()), planned);
        planned.set("join", planned.get("cluster").clone());
        let kubernetes = config.kubernetes_version().map(String::as_str);
        let version = config::version(&declared.with_secrets.version, kubernetes).transpose()?;
        planned.set("version", version.as_deref().map_or(Value::Unknown, Value::from));
        let hosts = config.hosts.known().and_then(hosts::resolve);
        let text = version.as_ref().zip(config.cluster.known()).and_then(|(version, join)| {
            config::cloud_conf(planned.get("cloud_config"), &Defaults::of(join, hosts.as_ref()), version)
        });
        let text = text.transpose()?;
        planned.set("cloud_conf", text.as_deref().map_or(Value::Unknown, Value::from));
        let program = match (version.as_deref(), hosts.as_ref()) {
            (Some(version), Some(hosts)) => program::find(declared, version, hosts).await?,
            _ => None,
        };
        let configured = &declared.with_secrets.program_sha256;
        let looked_up = program.as_ref().map_or(Value::Unknown, Program::looked_up);
        planned.set(program::ATTRIBUTE, if configured.is_null() { looked_up } else { encode(configured) });
        let Some((program, hosts)) = program.zip(hosts) else { return Ok(None.into()) };
        let warnings = program.warnings(declared)?;
        let Some(spec) = config.spec(declared.with_secrets, hosts, text) else { return Ok(Desired { bundles: None, warnings }) };
        let given = &declared.with_secrets.pki;
        let credentials = given.known().map_or_else(Credentials::unknown, |given| given.credentials.clone());
        check_authority(&config.cluster, &credentials)?;
        check_user(&credentials)?;
        let mut bundles = bundles(&spec, &credentials, &program)?;
        if given.is_null() {
            recall(declared, &mut bundles, planned)?;
        }
        Ok(Desired { bundles: Some(bundles), warnings })
    }

    fn rollout<'a>(&self, _config: &'a Config, objects: &'a Objects) -> Rollout<'a> {
        Rollout { plan: Box::new(|hosts| Ok(rollout::controllers::plan(hosts, *objects))), is_settled: true }
    }

    fn assume(&self, _config: &Config, prior: Option<&Value>) -> Result<Objects, Diagnostic> {
        Ok(own_state::due(&own(), prior))
    }

    async fn look(&self, shared: &Shared, config: &Config, call: &Call, _prior: &Value) -> Result<Looked, Diagnostic> {
        own_state::look(shared, &own(), WHOSE, config.way(), call).await
    }

    async fn actions(&self, _shared: &Shared, config: &Config, _call: &Call) -> Result<ControllerActions, Diagnostic> {
        if config.cluster.known().is_none() {
            return Err(unknown_at_apply());
        }
        Ok(ControllerActions { join: config.cluster.clone(), own: OwnApply::new(own(), WHOSE) })
    }

    async fn observe(&self, actions: &ControllerActions, _fleet: &Fleet, prior: Option<&Value>) -> Result<Objects, Diagnostic> {
        Ok(actions.own.begin(prior))
    }

    async fn settle(&self, actions: &ControllerActions, _call: &Call, prior: Option<&Value>, response: &mut ApplyResponse) {
        actions.own.settle(prior, response);
    }

    fn belongs_to(&self) -> Option<(&'static str, &'static str)> {
        Some(("cluster", "cluster_uid"))
    }

    fn plan_destroy(&self, prior: &Value) -> Diagnostics {
        let cluster = prior.get("id").as_str().unwrap_or_default();
        Diagnostic::warning(format!("destroying the cloud controller manager of {cluster} leaves its nodes without one"))
            .detail(
                "Nodes that register from then on take no pods, nodes whose instance is gone stay, and load balancers of services stay in AWS: delete those services first \
                 if they are to go.",
            )
            .into()
    }

    /// What it may do goes with it, where the cluster can be reached.
    async fn leave(&self, shared: &Shared, config: &Config, call: &Call) -> Result<Diagnostics, Diagnostic> {
        let cluster = match ControlPlane::connect_to_leave(shared, config.way()).await {
            Ok(ToLeave::Reached(cluster)) => cluster,
            Ok(ToLeave::Another(_)) | Err(NoControlPlane { is_gone: true, .. }) => return Ok(Diagnostics::default()),
            Err(NoControlPlane { error, .. }) => {
                let keys: Vec<String> = own().digests().keys().map(ToString::to_string).collect();
                return Ok(Diagnostic::warning("what the controller may do in the cluster was not taken away")
                    .detail(format!("{}\n\nIf the cluster comes back, delete these: {}", error.detail, keys.join(", ")))
                    .into());
            }
        };
        let clock = shared.world.clock();
        let reach = Reach { api: &*cluster.api, waiter: Waiter { clock: &*clock, cancelled: &call.cancelled } };
        own().remove(reach).await.map_err(failed)?;
        Ok(Diagnostics::default())
    }

    fn instead_of_import(&self) -> &'static str {
        "Declare it and apply: hosts that already have what is declared are left as they are."
    }
}

const WHOSE: &str = "the controller's";

/// What it may do.
fn own() -> OwnObjects {
    let objects = cloud_controller::objects();
    OwnObjects { declared: objects.into_iter().filter_map(declared).collect(), ignored: Ignored::of(FIELD_MANAGER, &Field::Null) }
}

/// Everything that is made of `pki`, which engines leave out under `ignore_changes`, stays as the state records it.
fn recall(
    declared: &Declared<'_, CcmConfig>,
    bundles: &mut BTreeMap<HostName, Bundle>,
    planned: &Value,
) -> Result<(), Diagnostic> {
    let needed = |why: &str| {
        let detail =
            format!("Without pki everything that is made of it stays as it is, but {why}. Take pki out of ignore_changes.");
        Err(Diagnostic::error("this change needs pki, which is left out").detail(detail).at(AttributePath::attribute("pki")))
    };
    let Some(prior) = declared.prior else { return needed("the controller is new") };
    if prior.get("api_server") != planned.get("api_server") {
        return needed("its kubeconfig names another API server");
    }
    recorded::recall(declared.recorded, bundles, cloud_controller::is_of_credentials);
    for (host, bundle) in bundles {
        if let Some(path) = bundle.unknown_files().find(|path| cloud_controller::is_of_credentials(path)) {
            return needed(&format!("{host} needs {path}"));
        }
    }
    Ok(())
}

/// The pki is that of the cluster.
fn check_authority(join: &Field<Join>, credentials: &Credentials) -> Result<(), Diagnostic> {
    let trusted = join.known().and_then(|join| join.apiserver_authority.known());
    let (Some(trusted), Some(Part::Known(given))) = (trusted, credentials.certificate("apiserver-ca")) else { return Ok(()) };
    if trusted.trim() == given.trim() {
        return Ok(());
    }
    Err(Diagnostic::error("pki is not that of the cluster")
        .detail("Its apiserver-ca is another one than API servers of `cluster` have, which would not take the controller's certificate. Pass the bundle that the cluster has.")
        .at(AttributePath::attribute("pki")))
}

/// What it may do is bound to one user.
fn check_user(credentials: &Credentials) -> Result<(), Diagnostic> {
    let Some(Part::Known(pem)) = credentials.certificate(CLOUD_CONTROLLER.kubeconfig_user) else { return Ok(()) };
    let Ok(user) = ::pki::fit::user(&pem) else { return Ok(()) };
    if user == USER {
        return Ok(());
    }
    Err(Diagnostic::error(format!("the certificate cloud-controller-manager is that of {user:?}"))
        .detail(format!("What the controller may do is bound to {USER}, so that the API servers would refuse all that it asks. Give one that is issued to this user."))
        .at(AttributePath::attribute("pki")))
}

fn bundles(
    spec: &CloudControllerSpec,
    credentials: &Credentials,
    program: &Program,
) -> Result<BTreeMap<HostName, Bundle>, Diagnostic> {
    let bundle = |(name, host): (&HostName, &render::Host)| {
        let program = program.binary(host.architecture);
        Ok((name.clone(), cloud_controller::render(spec, credentials, program, name).map_err(render_error)?))
    };
    spec.hosts.iter().map(bundle).collect()
}
