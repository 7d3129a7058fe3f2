//! The attributes of the controller that no other resource has. Those of `cloud_config` are the settings of [`render::cloud_controller::cloud_conf`].

use super::program;
use schema::{Attribute, Nesting, Type};

pub fn cloud_config() -> Attribute {
    let text = |name: &'static str, describe: &'static str| Attribute::string(name).optional().describe(describe);
    let all = vec![
        text("region", "Region, such as `us-east-1`. By default the controller asks the metadata service of its instance."),
        text("zone", "Availability zone of the control plane, such as `us-east-1a`; it has to be in `region`."),
        text(
            "vpc_id",
            "VPC of the cluster. With it, `subnet_id` and `region`, the controller does not ask for the instance that it runs on, and may run elsewhere.",
        ),
        text("subnet_id", "Subnet of the control plane, with `vpc_id`."),
        text("route_table_id", "Route table for routes of a cloud, which this resource switches off."),
        text("role_arn", "Role that the controller assumes."),
        text("source_arn", "Source of `role_arn`, against confused deputies."),
        text(
            "cluster_id",
            "Name of the cluster in the tags `kubernetes.io/cluster/<name>` of instances, subnets and security groups.",
        )
        .defaults_to("the name of the cluster"),
        text("legacy_cluster_tag", "Value of the older tag `KubernetesCluster`; it is the same as `cluster_id`."),
        Attribute::list("node_ip_families", Type::String)
            .optional()
            .describe("Families of the addresses that nodes get, in this order: `ipv4`, `ipv6`.")
            .defaults_to("the families of pods, in their order, and then any other in which a host here has an address; give both where nodes have one more than the control plane"),
        Attribute::bool("disable_security_group_ingress")
            .optional()
            .describe("Whether load balancers get no rules in the security groups of nodes."),
        text("elb_security_group", "Security group for all classic load balancers, in place of one for each."),
        text("nlb_security_group_mode", "`Managed`: network load balancers get a security group each. Since 1.35."),
        text("health_probe_mode", "`Shared` or `ServiceNodePort`: what a load balancer asks for the health of a node."),
        Attribute::number("health_probe_port").optional().describe("Port of shared health probes."),
        text("health_probe_path", "Path of shared health probes."),
        text(
            "topology_instance_type_pattern",
            "Regular expression of Go for instance types with labels of their network topology. The controller ends where it is none.",
        ),
        Attribute::nested(
            "service_overrides",
            Nesting::List,
            vec![
                Attribute::string("service")
                    .required()
                    .describe("`EC2`, `Elastic Load Balancing`, `Elastic Load Balancing v2`, `KMS` or `ec2imds`."),
                Attribute::string("region").required().describe("Region of the endpoint."),
                Attribute::string("url").required().describe("URL of the endpoint."),
                Attribute::string("signing_region").required().describe("Region for which requests are signed."),
                text("signing_name", "Service for which requests are signed."),
            ],
        )
        .optional()
        .describe("Endpoints that take the place of those of AWS."),
    ];
    Attribute::nested("cloud_config", Nesting::Single, all)
        .optional()
        .describe("Settings in `cloud.conf`. What the controller would silently pass over is an error.")
}

pub fn others() -> Vec<Attribute> {
    vec![
        Attribute::string("version").optional_computed().describe(
            "Version of the controller, such as `1.35.2`: of the minor version of the cluster, or of the one before. By default the newest of them of \
             which the provider knows that an image was published: of many releases there is none. Any other needs a registry that has its image.",
        ),
        Attribute::string("cloud_conf").computed().never_null().describe("The text of `cloud.conf`."),
        Attribute::map("environment", Type::String).optional().null_means_absent().describe(
            "Variables of the controller's environment, such as `{ HTTPS_PROXY = \"http://proxy.internal:3128\", NO_PROXY = \"169.254.169.254\" }`. Where no host has an IPv4 address, \
             `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` is `IPv6` unless it is set.",
        ),
        Attribute::map("secret_environment", Type::String).optional().write_only().describe(
            "The same with values that no state has, such as keys of AWS where no instance profile gives them. On hosts they stand in a file that only root \
             may read. Without it they are taken off hosts, so do not name it in `ignore_changes`.",
        ),
        Attribute::string("api_server").optional().describe("URL of the API server that the controller asks, such as `https://127.0.0.1:7443`.").defaults_to(
            "the API server of its own host, at port 6443 of its loopback address",
        ),
        Attribute::map("flags", Type::String).optional().null_means_absent().describe(
            "Flags of `aws-cloud-controller-manager` without the leading dashes, such as `{ v = \"4\" }`. They win over those that the provider sets. Names and \
             values are not checked at plan: the program is asked on the host before it restarts.",
        ),
        Attribute::map("registry_mirrors", Type::String).optional().null_means_absent().describe(
            "URL of the mirror from which the image is read instead of its registry, by registry: `{ \"registry.k8s.io\" = \"https://mirror.example.net\" }`. \
             The program is taken out of it, by the provider and by hosts.",
        ),
        Attribute::map(program::ATTRIBUTE, Type::String).optional_computed().null_means_absent().describe(
            "SHA-256 of the layer of the image that has the program, by architecture: `amd64`, `arm64`. When this is not set, each is looked up in the registry \
             at the first plan of a version, shown there, and pinned in the state for that version, as is one that was given and is taken out. Of versions whose image is known, the registry's answers are held to its digest.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::Kind;
    use std::collections::BTreeSet;

    #[test]
    fn every_setting_of_the_controller_is_an_attribute() {
        let Kind::Nested(_, attributes) = cloud_config().kind else { panic!("it has no attributes") };
        let names: BTreeSet<&str> = attributes.iter().map(|attribute| attribute.name).collect();
        assert_eq!(names, render::cloud_controller::cloud_conf::names().collect());
    }
}
