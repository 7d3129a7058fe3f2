//! Rows of objects in a cluster.

use super::{Row, Section, bad};

pub const SECTION: Section = Section { rows: ROWS, complete: COMPLETE };

const MANIFESTS: &str = "resource \"k8s_manifests\"";

const COMPLETE: &[(&str, &[&str])] = &[(
    MANIFESTS,
    &[
        r#"name = "shop""#,
        r#"cluster = k8s_hardway_cluster.base.join"#,
        r#"yaml = { ns = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}" }"#,
    ],
)];

const ROWS: &[Row] = &[
    bad(MANIFESTS, r#"name = "Shop""#, "name", r#""Shop" is not a usable name"#),
    bad(MANIFESTS, r#"name = "shop/web""#, "name", r#""shop/web" is not a usable name"#),
    bad(MANIFESTS, r#"namespace = "my_shop""#, "namespace", r#""my_shop" is not a usable name"#),
    bad(MANIFESTS, r#"timeout_seconds = 0"#, "timeout_seconds", "0 is out of range"),
    bad(MANIFESTS, r#"timeout_seconds = 90000"#, "timeout_seconds", "90000 is out of range"),
    bad(MANIFESTS, r#"yaml = { a = "a: [" }"#, r#"yaml["a"]"#, "the text is not YAML"),
    bad(MANIFESTS, r#"yaml = { a = "a: 1\na: 2" }"#, r#"yaml["a"]"#, "the text is not YAML"),
    bad(MANIFESTS, r#"yaml = { a = "kind: &a [*a]" }"#, r#"yaml["a"]"#, "the text is not YAML"),
    bad(MANIFESTS, r#"yaml = { a = "only text" }"#, r#"yaml["a"]"#, "document 1: is no object"),
    bad(MANIFESTS, r#"yaml = { a = "[{kind: Pod}]" }"#, r#"yaml["a"]"#, "document 1: is no object"),
    bad(MANIFESTS, r#"yaml = { a = "{kind: Pod, metadata: {name: a}}" }"#, r#"yaml["a"]"#, "document 1: has no apiVersion"),
    bad(MANIFESTS, r#"yaml = { a = "{apiVersion: v1, metadata: {name: a}}" }"#, r#"yaml["a"]"#, "document 1: has no kind"),
    bad(MANIFESTS, r#"yaml = { a = "{apiVersion: v1, kind: Pod}" }"#, r#"yaml["a"]"#, "document 1: has no metadata.name"),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {generateName: a}}" }"#,
        r#"yaml["a"]"#,
        "document 1: has no metadata.name",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: 1}}" }"#,
        r#"yaml["a"]"#,
        "document 1: has no metadata.name",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: a/b}}" }"#,
        r#"yaml["a"]"#,
        "has no usable name",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: ''}}" }"#,
        r#"yaml["a"]"#,
        "names an empty namespace",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Node, metadata: {name: a, namespace: b}}" }"#,
        r#"yaml["a"]"#,
        "Node/b/a belongs to no namespace",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: a, uid: b}}" }"#,
        r#"yaml["a"]"#,
        "Pod/a has metadata.uid",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: a, resourceVersion: '1'}}" }"#,
        r#"yaml["a"]"#,
        "has metadata.resourceVersion",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: a, managedFields: []}}" }"#,
        r#"yaml["a"]"#,
        "has metadata.managedFields",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {b: Yw==}}" }"#,
        r#"yaml["a"]"#,
        "Secret/a has data",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {b: c}}" }"#,
        r#"yaml["a"]"#,
        "Secret/a has data",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Pod}" }"#,
        r#"yaml["a"]"#,
        "document 2: has no metadata.name",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: List, items: [{kind: Pod}]}" }"#,
        r#"yaml["a"]"#,
        "document 1: has no apiVersion",
    ),
    bad(
        MANIFESTS,
        r#"yaml = { a = "{apiVersion: v1, kind: Pod, metadata: {name: a}}", b = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: default}}" }"#,
        "yaml",
        "Pod/default/a is declared twice",
    ),
    bad(MANIFESTS, r#"objects = { apiVersion = "v1" }"#, "objects", "objects is no list"),
    bad(MANIFESTS, r#"objects = ["a"]"#, "objects", "object 1: is no object"),
    bad(MANIFESTS, r#"objects = [{ kind = "Pod" }]"#, "objects", "object 1: has no apiVersion"),
    bad(
        MANIFESTS,
        r#"objects = [{ apiVersion = "v1", kind = "Secret", metadata = { name = "a" }, data = { b = "Yw==" } }]"#,
        "objects",
        "Secret/a has data",
    ),
    bad(MANIFESTS, r#"adopt = ["shop"]"#, "adopt", r#""shop" names no object"#),
    bad(MANIFESTS, r#"adopt = ["Namespace/other"]"#, "adopt", "Namespace/other is not declared"),
    bad(MANIFESTS, r#"may_replace = ["Job/a/b/c"]"#, "may_replace", r#""Job/a/b/c" names no object"#),
    bad(MANIFESTS, r#"may_replace = ["Job.batch/shop/migrate"]"#, "may_replace", "Job.batch/shop/migrate is not declared"),
    bad(MANIFESTS, r#"may_replace = ["Namespace/shop"]"#, "may_replace", "Namespace/shop is never replaced"),
    bad(MANIFESTS, r#"ignore_fields = { "Pod/a" = [".spec"] }"#, r#"ignore_fields["Pod/a"]"#, "Pod/a is not declared"),
    bad(
        MANIFESTS,
        r#"ignore_fields = { "Namespace/shop" = [".metadata"] }"#,
        r#"ignore_fields["Namespace/shop"]"#,
        "this field is the provider's",
    ),
    bad(
        MANIFESTS,
        r#"ignore_fields = { "Namespace/shop" = ["spec"] }"#,
        r#"ignore_fields["Namespace/shop"]"#,
        "a field begins with a dot",
    ),
    bad(MANIFESTS, r#"secrets = { db = { password = "x" } }"#, r#"secrets["db"]"#, r#""db" names no Secret"#),
    bad(MANIFESTS, r#"secrets = { "shop/db" = { password = "x" } }"#, r#"secrets["shop/db"]"#, "Secret/shop/db is not declared"),
];
