//! `k8s_manifests`: objects of a cluster from YAML or HCL, by server-side apply.

mod inputs;

use super::ownership::Kind;
use super::secrets::Secrets;
use super::{Declaration, ObjectsResource, attributes, state};
use crate::resources::attributes::id;
use protocol::IdentityAttribute;
use schema::{Attribute, Diagnostics, Schema, Type, Value};

pub struct Manifests;

const DEFAULT_NAMESPACE: &str = "default";

impl ObjectsResource for Manifests {
    fn kind(&self) -> Kind {
        Kind::Manifests
    }

    fn schema(&self) -> Schema {
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
        .attribute(id())
        .attribute(Attribute::string("name").required().requires_replace().describe("Name of this set of objects. No other in the cluster may have it."))
        .attribute(attributes::cluster())
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
        .attribute(Attribute::bool("sensitive").default(false.into()).describe("Whether `fields` and `drift` have digests in place of values. Engines do not carry the mark of a sensitive value over to what a provider computes of it: set this where `yaml` or `objects` have one. The state has it in any case."))
        .attributes(attributes::all())
        .attributes(state::attributes())
        .attribute(state::secret_keys_attribute())
    }

    fn identity(&self) -> IdentityAttribute {
        IdentityAttribute { name: "id", description: "Name of the set of objects." }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        inputs::validate(config)
    }

    fn declared(&self, values: &Value, found: &mut Diagnostics) -> Option<Declaration> {
        inputs::declared(values, found)
    }

    fn secrets(&self, config: &Value) -> Option<Secrets> {
        inputs::secrets(config)
    }

    fn instead_of_import(&self) -> &'static str {
        "Declare the objects and name those that exist in `adopt`: they are taken over as they are, and only declared fields change."
    }
}
