//! Attributes that all resources of this floor have: which cluster, and what may be done to objects that are there.

use crate::resources::on_hosts::hardway_cluster::Join;
use crate::ssh;
use schema::{Attribute, Type};

pub const DEFAULT_TIMEOUT_SECONDS: i64 = 300;

pub fn cluster() -> Attribute {
    Attribute::of("cluster", Join::value_type()).required().describe(
        "The `join` of a `k8s_hardway_cluster`. With another cluster the objects are created there, and deleted where they were.",
    )
}

/// But for `cluster`, which comes first on a page, and `sensitive`, which names what may be so.
pub fn all() -> Vec<Attribute> {
    let keys = |name: &'static str| Attribute::set(name, Type::String).optional();
    vec![
        keys("adopt").describe("Objects that are in the cluster already and are taken over, such as `Deployment.apps/shop/web`. What they have of the declared fields is overwritten, and a destroy deletes them."),
        keys("may_replace").describe("Objects that may be deleted and created again when a field changes that cannot be changed in place, such as `Job.batch/shop/migrate`. Of any other object such a change is an error."),
        Attribute::map("ignore_fields", Type::set(Type::String))
            .optional()
            .describe("Fields that a controller may take over, by object and path, such as `{ \"Deployment.apps/shop/web\" = [\".spec.replicas\"] }`. They are applied as they are declared until somebody else changes them, and are no drift from then on."),
        Attribute::bool("force_conflicts").default(false.into()).describe("Whether declared fields that somebody else manages are taken over. Otherwise they are an error that names their field manager."),
        Attribute::bool("wait").default(true.into()).describe("Whether an apply waits until Deployments, DaemonSets and StatefulSets are rolled out, Jobs are complete, Pods are Ready and APIServices are available. Definitions of custom resources are always waited for."),
        Attribute::number("timeout_seconds").default(DEFAULT_TIMEOUT_SECONDS.into()).validator(schema::between(1, 86_400)).describe("How long an object may take to be accepted, all of them to become ready, and each phase of a deletion to be gone."),
        Attribute::bool("destroy_contents").default(false.into()).describe("Whether a namespace or a definition of custom resources is deleted although others have objects in it, which go with it. Otherwise that is refused, and the error names them."),
        ssh::attribute(),
    ]
}
