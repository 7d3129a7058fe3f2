//! `k8s_addon`: an add-on of the catalogue, with its settings.

mod inputs;

use super::digests::{self, IMAGE_DIGESTS, IMAGES};
use super::ownership::Kind;
use super::{Declaration, ObjectsResource, attributes, state};
use crate::resources::attributes::id;
use addons::Ready;
use protocol::IdentityAttribute;
use schema::{Attribute, Diagnostics, Schema, Type, Value};

pub struct Addon;

impl ObjectsResource for Addon {
    fn kind(&self) -> Kind {
        Kind::Addon
    }

    fn schema(&self) -> Schema {
        let catalogue = addons::page().unwrap_or_else(|error| error.to_string());
        Schema::new(format!(
            "An add-on of the provider's catalogue in a cluster: its objects at one version, with typed settings.\n\n\
             A plan names each object and each field that changes, and needs neither a cluster nor a network: the catalogue is a part of the provider. What \
             does not fit together is said before anything is applied: a setting out of range, or a version of Kubernetes that the add-on does not work with. What no setting covers is a patch of an object. Objects are applied, kept from drifting and deleted as those of `k8s_manifests` are.\n\n\
             {catalogue}\n\n\
             Declare it with `depends_on` of the node groups on which it runs, so that a destroy deletes it before its nodes."
        ))
        .attribute(id())
        .attribute(Attribute::string("name").required().requires_replace().describe("Name of the add-on in the catalogue. A cluster has each of them once."))
        .attribute(Attribute::string("version").required().describe("Version of the add-on, one of those that the catalogue has. Another one is applied in place."))
        .attribute(attributes::cluster())
        .attribute(Attribute::of("settings", Type::Dynamic).optional().describe("Settings of the add-on by the names above, such as `{ replicas = 3 }`. A value takes the place of the whole default. Null is what nobody has given."))
        .attribute(
            Attribute::map("patches", Type::String)
                .optional()
                .null_means_absent()
                .describe("What is merged into objects of the add-on, in YAML by object, such as `{ \"Deployment.apps/kube-system/metrics-server\" = yamlencode({ spec = { minReadySeconds = 10 } }) }`. Objects are merged key by key, lists of objects that have a `name` by name; other lists are replaced, and null takes away. Kind, name and namespace stay."),
        )
        .attribute(
            Attribute::map("image_overrides", Type::String)
                .optional()
                .null_means_absent()
                .describe("References that take the place of images, by the names that `images` has, for a registry of your own: `{ metrics-server = \"registry.example.net/metrics-server:v0.9.0\" }`."),
        )
        .attribute(Attribute::bool("pin_images").default(true.into()).describe("Whether objects name images by digest, so that a tag that is moved changes nothing and every node runs the same. The apply that first has an image lets a pod on one node pull it (`k8s-hardway-images-<name>` in `kube-system`, which runs none of its programs and is deleted again) before it changes anything else, and goes on with the digest that the kubelet reports; `image_digests` keeps it for as long as the reference is the same. An image that the node has from elsewhere, such as `ctr images import`, keeps its tag. Without `wait` nothing is looked up."))
        .attribute(Attribute::bool("sensitive").default(false.into()).describe("Whether `fields` and `drift` have digests in place of values. Engines do not carry the mark of a sensitive value over to what a provider computes of it: set this where `settings` or `patches` have one. The state has it in any case."))
        .attributes(attributes::all())
        .attribute(Attribute::map(IMAGES, Type::String).computed().never_null().describe("The reference of each image that is applied."))
        .attribute(Attribute::map(IMAGE_DIGESTS, Type::String).computed().never_null().describe("The digest by which objects name an image, by reference, such as `{ \"registry.k8s.io/pause:3.10\" = \"sha256:2c26b46b…\" }`. After an apply that failed those of before are there too. Images that `image_overrides` names by digest are not."))
        .attributes(state::attributes())
    }

    fn identity(&self) -> IdentityAttribute {
        IdentityAttribute { name: "id", description: "Name of the add-on." }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        inputs::validate(config)
    }

    fn settle(&self, planned: &mut Value, prior: Option<&Value>) {
        planned.set(IMAGES, inputs::images(planned));
        planned.set(IMAGE_DIGESTS, digests::planned(planned, prior));
    }

    fn declared(&self, values: &Value, found: &mut Diagnostics) -> Option<Declaration> {
        inputs::declared(values, found)
    }

    fn ready(&self, values: &Value) -> Ready {
        inputs::ready(values)
    }

    fn instead_of_import(&self) -> &'static str {
        "Declare it, and name the objects that exist in `adopt`: they are taken over as they are, and only fields of the add-on change."
    }
}
