//! What a group says of its nodes, and what one host has of its own: the same attributes in two places.

use schema::{Attribute, Nesting, Type};

pub fn of_nodes() -> Vec<Attribute> {
    vec![
        labels(
            "Labels of the nodes. They follow a change at once, and nothing restarts for it; a label that was declared before is taken away. One \
             that somebody changed or took away shows as `drift`. Labels of others stay. Roles, such as `node-role.kubernetes.io/infra`, and others \
             of `kubernetes.io` and `k8s.io` that a kubelet may not give are set once a node is Ready. A host that runs the control plane too has the role \
             `node-role.kubernetes.io/control-plane`.",
        ),
        annotations(
            "Annotations of the nodes. They are set once a node is Ready, and follow a change at once; one that was declared before is taken away. One \
             that somebody changed or took away shows as `drift`. Annotations of others stay.",
        ),
        taints(
            "Taints of the nodes. They follow a change at once, and nothing restarts for it; a new one with the effect `NoExecute` evicts pods that do \
             not tolerate it from all nodes. One that somebody changed or took away shows as `drift`. Taints of others stay, and so does a cordon. \
             Where control-plane hosts serve no pods of users, their group has the taint `node-role.kubernetes.io/control-plane` with the effect \
             `NoSchedule`, and the label `node.kubernetes.io/exclude-from-external-load-balancers`, by which load balancers of clouds pass them over.",
        ),
        kubelet_config(
            "Settings in JSON that are merged into the KubeletConfiguration; use `jsonencode({ maxPods = 200 })`. Objects are merged key by key, a list \
             takes the place of a list, and a setting that is `null` is left to the kubelet's own default. Kubelets restart for a change, \
             `max_unavailable` at a time.",
        ),
        kubelet_flags(
            "Flags of the kubelet by their names without dashes, for what has no setting in its configuration, such as \
             `{ \"image-credential-provider-bin-dir\" = \"/usr/local/lib/credential-providers\" }`. A flag wins over the same setting in `kubelet_config`, also of \
             a host. Names and values are checked by the kubelet on the host, before it restarts. Kubelets have `cloud-provider` by `cloud_provider` of the \
             cluster; where a host is not in that cloud, its own flag is `{ \"cloud-provider\" = \"\" }`.",
        ),
    ]
}

/// Beside what every host has.
pub fn of_host() -> Vec<Attribute> {
    vec![
        labels("Labels of this node, beside those of the group or instead of them."),
        annotations("Annotations of this node, beside those of the group or instead of them."),
        taints("Taints of this node, beside those of the group; one with the same key and effect takes the place of the group's."),
        kubelet_config("Settings in JSON that are merged into the KubeletConfiguration of this host, over those of the group."),
        kubelet_flags("Flags of the kubelet of this host, over those of the group."),
        Attribute::string("provider_id").optional().describe(
            "Id by which a cloud knows this machine, such as `aws:///us-east-1a/i-0123456789abcdef0`. Its node registers with it; one that has none yet \
             gets it, and its kubelet restarts. A node keeps its id, also when it is no longer declared: another one is refused.",
        ),
        Attribute::list("certificate_names", Type::String).optional().describe(
            "DNS names and addresses that the serving certificate of this kubelet may have beside the name of the host, `address` and `secondary_address`: those \
             that a cloud controller manager gives the node, such as the private and the public DNS name and the public address of an instance. Without them its \
             requests stay open, and once its certificate expires, `kubectl logs` and `kubectl exec` fail there.",
        ),
    ]
}

fn labels(describe: &'static str) -> Attribute {
    Attribute::map("labels", Type::String).optional().null_means_absent().describe(describe)
}

fn annotations(describe: &'static str) -> Attribute {
    Attribute::map("annotations", Type::String).optional().null_means_absent().describe(describe)
}

fn taints(describe: &'static str) -> Attribute {
    let attributes = vec![
        Attribute::string("key").required().describe("Key of the taint."),
        Attribute::string("value").optional().describe("Value of the taint."),
        Attribute::string("effect")
            .required()
            .validator(schema::one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]))
            .describe("Effect of the taint."),
        Attribute::bool("startup")
            .optional()
            .describe(
                "Whether nodes only register with it, and something in the cluster takes it away, such as the agent of a storage driver once it \
                 is ready. Such a taint is neither given to nodes that are registered already, nor missed.",
            )
            .defaults_to("`false`"),
    ];
    Attribute::nested("taints", Nesting::List, attributes).optional().describe(describe)
}

fn kubelet_config(describe: &'static str) -> Attribute {
    Attribute::string("kubelet_config").optional().describe(describe)
}

fn kubelet_flags(describe: &'static str) -> Attribute {
    Attribute::map("kubelet_flags", Type::String).optional().null_means_absent().describe(describe)
}
