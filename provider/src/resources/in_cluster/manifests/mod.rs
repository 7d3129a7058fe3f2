//! `k8s_manifests`: objects of a cluster from YAML or HCL, by server-side apply.

mod apply;
pub(crate) mod config;
mod inputs;
mod plan;
mod read;
mod state;

use crate::configuration::Shared;
use crate::resources::attributes;
use crate::resources::on_hosts::hardway_cluster;
use crate::ssh;
use async_trait::async_trait;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{Attribute, Diagnostic, Diagnostics, Schema, Type, Value};

pub struct Manifests {
    pub shared: Shared,
}

const DEFAULT_NAMESPACE: &str = "default";
const DEFAULT_TIMEOUT_SECONDS: i64 = 300;

#[async_trait]
impl Resource for Manifests {
    fn name(&self) -> &'static str {
        "k8s_manifests"
    }

    fn schema(&self) -> Schema {
        let keys = |name: &'static str| Attribute::set(name, Type::String).optional();
        Schema::new(
            "Objects in a cluster, from YAML or HCL, by server-side apply.\n\n\
             The API server is reached through SSH to a control-plane host, as the cluster itself is, so one apply creates the cluster and what \
             runs in it. A plan needs no cluster: it compares what is declared with the state, field by field, and names what is created, \
             changed and deleted, in order.\n\n\
             Namespaces and definitions of custom resources are applied first, then what workloads read, workloads, webhooks and aggregated \
             APIs, and custom resources last. What cannot be applied yet, because its kind is not served or a webhook does not answer, is tried again. \
             At the end the apply waits until workloads are rolled out and jobs are done.\n\n\
             Only fields that are declared belong to this resource. A refresh names those that others have changed, by the API server's own \
             record of who manages what, and the next apply restores them. Objects that somebody else has created, and fields that somebody else manages, are errors \
             that name them.",
        )
        .attribute(attributes::id())
        .attribute(Attribute::string("name").required().requires_replace().describe("Name of this set of objects. No other in the cluster may have it."))
        .attribute(Attribute::of("cluster", hardway_cluster::Join::value_type()).required().describe("The `join` of a `k8s_hardway_cluster`. With another cluster the objects are created there, and deleted where they were."))
        .attribute(Attribute::map("yaml", Type::String).optional().null_means_absent().describe("Documents in YAML by a name of your choice, such as `{ for file in fileset(path.module, \"apps/*.yaml\") : file => file(\"${path.module}/${file}\") }`. A text may have several documents, and a `List` is its items."))
        .attribute(Attribute::of("objects", Type::Dynamic).optional().describe("Objects in HCL: a list of what YAML would say, such as `[{ apiVersion = \"v1\", kind = \"Namespace\", metadata = { name = \"shop\" } }]`. Values may be unknown while they are planned."))
        .attribute(Attribute::string("namespace").default(DEFAULT_NAMESPACE.into()).describe("Namespace of objects that name none: of built-in kinds, and of kinds whose definition is declared here too. Objects of other kinds name theirs. It is not created."))
        .attribute(
            Attribute::map("secrets", Type::map(Type::String))
                .optional()
                .write_only()
                .describe("Values of Secrets in clear text, by `<namespace>/<name>` and key, such as `{ \"shop/db\" = { password = var.password } }`. Each Secret is declared without data. They are in no plan and no state: raise `secrets_version` when a value changes. Needs Terraform or OpenTofu 1.11."),
        )
        .attribute(Attribute::number("secrets_version").optional().describe("Any number. Another one applies the values of `secrets` again."))
        .attribute(keys("adopt").describe("Objects that are in the cluster already and are taken over, such as `Deployment.apps/shop/web`. What they have of the declared fields is overwritten, and a destroy deletes them."))
        .attribute(keys("may_replace").describe("Objects that may be deleted and created again when a field changes that cannot be changed in place, such as `Job.batch/shop/migrate`. Of any other object such a change is an error."))
        .attribute(
            Attribute::map("ignore_fields", Type::set(Type::String))
                .optional()
                .describe("Fields that a controller may take over, by object and path, such as `{ \"Deployment.apps/shop/web\" = [\".spec.replicas\"] }`. They are applied as they are declared until somebody else changes them, and are no drift from then on."),
        )
        .attribute(Attribute::bool("force_conflicts").default(false.into()).describe("Whether declared fields that somebody else manages are taken over. Otherwise they are an error that names their field manager."))
        .attribute(Attribute::bool("wait").default(true.into()).describe("Whether an apply waits until Deployments, DaemonSets and StatefulSets are rolled out, Jobs are complete, Pods are Ready and APIServices are available. Definitions of custom resources are always waited for."))
        .attribute(Attribute::number("timeout_seconds").default(DEFAULT_TIMEOUT_SECONDS.into()).validator(schema::between(1, 86_400)).describe("How long an object may take to be accepted, all of them to become ready, and each phase of a deletion to be gone."))
        .attribute(Attribute::bool("destroy_contents").default(false.into()).describe("Whether a namespace or a definition of custom resources is deleted although others have objects in it, which go with it. Otherwise that is refused, and the error names them."))
        .attribute(Attribute::bool("sensitive").default(false.into()).describe("Whether `fields` and `drift` have digests in place of values. Engines do not carry the mark of a sensitive value over to what a provider computes of it: set this where `yaml` or `objects` have one. The state has it in any case."))
        .attribute(ssh::attribute())
        .attributes(state::attributes())
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "id", description: "Name of the set of objects." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        inputs::validate(config)
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        plan::plan(&request).unwrap_or_else(|diagnostics| PlanResponse {
            planned: request.proposed,
            diagnostics,
            ..PlanResponse::default()
        })
    }

    async fn plan_destroy(&self, _call: &Call, _prior: Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn read(&self, call: &Call, prior: Value) -> ReadResponse {
        read::read(&self.shared, call, prior).await
    }

    async fn apply(&self, call: &Call, request: ApplyRequest) -> ApplyResponse {
        apply::apply(&self.shared, call, request).await
    }

    async fn delete(&self, call: &Call, prior: Value) -> DeleteResponse {
        apply::delete(&self.shared, call, prior).await
    }

    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics> {
        Err(Diagnostic::error("k8s_manifests cannot be imported")
            .detail("Declare the objects and name those that exist in `adopt`: they are taken over as they are, and only declared fields change.")
            .into())
    }
}
