//! What can be declared of an instance, with its texts on the registry page.

use crate::spelling;
use schema::{Attribute, Nesting, Type, Value, between, one_of};

/// How the two resources differ in what they share.
pub struct Words {
    pub instance_type: &'static str,
    pub ssh_cidrs: &'static str,
    pub user_data: &'static str,
    /// The default of `dns.address`.
    pub address: &'static str,
}

pub fn declared(words: &Words) -> Vec<Attribute> {
    let mut attributes = place();
    attributes
        .push(Attribute::list("ssh_cidrs", Type::String).optional().canonical(spelling::of_network).describe(words.ssh_cidrs));
    attributes.extend(machine(words));
    attributes.extend(access(words));
    attributes.extend(addresses(words));
    attributes
}

pub fn computed() -> Vec<Attribute> {
    let text = |name, describe: &'static str| Attribute::string(name).computed().describe(describe);
    vec![
        text("instance_id", "Id of the instance."),
        text("private_ip", "Private IPv4 address."),
        text("public_ip", "Public IPv4 address: the Elastic IP, or else the one that the subnet assigned."),
        text("ipv6_address", "IPv6 address."),
        text("security_group_id", "Id of the security group that is created with `vpc_id`."),
        text(
            "ssh_host",
            "Where to connect by SSH: the public name in `dns`, or else the public address, the IPv6 address or the private one.",
        ),
        text("ssh_user", "Login user of `image`, from the catalogue; null if only `image_id` is set."),
    ]
}

fn place() -> Vec<Attribute> {
    vec![
        Attribute::string("name").required().requires_replace().describe(
            "Name, unique in the cluster: lower-case letters, digits and `-`. Key pair and security group are named \
             `<cluster_name>-<name>`.",
        ),
        Attribute::string("cluster_name").required().requires_replace().describe("Name of the cluster, for names and tags."),
        Attribute::string("subnet_id").required().describe("Subnet of the instance.").replaces("the instance"),
        Attribute::list("security_group_ids", Type::String)
            .optional()
            .describe("Existing security groups, such as those that `k8s_vpc` creates by role. Exactly one of `security_group_ids` and `vpc_id` must be set."),
        Attribute::string("vpc_id").optional().describe(
            "VPC of the subnet: creates a security group that admits exactly what has to come in. Another VPC forces replacement of the resource. \
             Exactly one of `security_group_ids` and `vpc_id` must be set.",
        ),
        Attribute::bool("exclusive_rules").optional().defaults_to("`false`").describe(
            "Whether rules that others add to the security group created with `vpc_id` are drift, and are removed by apply.",
        ),
    ]
}

fn machine(words: &Words) -> Vec<Attribute> {
    vec![
        Attribute::string("instance_type")
            .default(words.instance_type.into())
            .describe("Instance type.")
            .replaces("the instance"),
        Attribute::string("architecture")
            .optional()
            .validator(one_of(&["x86_64", "arm64"]))
            .describe("Architecture of the image.")
            .defaults_to("that of the instance type: `arm64` for Graviton families"),
        Attribute::string("image").optional().describe(
            "Image by its name in the catalogue: `amazon-linux-2023`, `debian-12` or `ubuntu-24.04`. The newest one for the instance's \
             architecture is chosen when the resource is created, and kept in `image_id`: a newer one is a warning of a plan with \
             `preflight`, never a change. To update it, run `terraform apply -replace=<address of this resource>`, name another image, or \
             set `image_id` as well. At least one of `image` and `image_id` must be set.",
        ),
        Attribute::string("image_id").optional_computed().describe(
            "Id of the image: one of your own (Linux with cloud-init), or one of `image`, which is then not looked up. At least one of `image` \
             and `image_id` must be set.",
        ).defaults_to("what was chosen for `image`").replaces("the instance"),
        Attribute::number("volume_gib").default(Value::from(8)).validator(between(8, 16_384)).describe(
            "Size of the root volume in GiB. Its type is gp3; it is encrypted with the account's default key for EBS.",
        ).replaces("the instance"),
    ]
}

fn access(words: &Words) -> Vec<Attribute> {
    vec![
        Attribute::string("public_key").optional().describe(
            "Public key in OpenSSH format (Ed25519 or RSA, which is what EC2 imports), for example \
             `file(\"~/.ssh/id_ed25519.pub\")`. It is imported as a key pair whose name ends with a digest of the key. Exactly one of \
             `public_key` and `key_name` must be set.",
        ).replaces("the key pair and, because EC2 cannot change the key of an instance, the instance"),
        Attribute::string("key_name").optional().describe("Name of an existing key pair. Exactly one of `public_key` and `key_name` must be set."),
        Attribute::list("authorized_keys", Type::String).optional().describe(words.user_data).replaces("the instance"),
    ]
}

fn addresses(words: &Words) -> Vec<Attribute> {
    let dns = vec![
        Attribute::string("zone_id").required().describe("Hosted zone of Route 53, public or private."),
        Attribute::string("name").required().describe("Name of the records, within the zone."),
        Attribute::string("address")
            .optional()
            .validator(one_of(&["public", "private"]))
            .describe(
                "Which address the A record holds: `public` is the Elastic IP, `private` the one that clients in the VPC use.",
            )
            .defaults_to(words.address),
    ];
    vec![
        Attribute::bool("elastic_ip").default(false.into()).describe("Whether to create an Elastic IP. It is kept when the instance is replaced. At most one of `elastic_ip` and `elastic_ip_id` may be set."),
        Attribute::string("elastic_ip_id").optional().describe("Allocation id of an existing Elastic IP. At most one of `elastic_ip` and `elastic_ip_id` may be set."),
        Attribute::bool("ipv6").default(false.into()).describe(
            "Whether it has an IPv6 address from the subnet's block, and reaches the metadata service over IPv6. Otherwise it has one only \
             if the subnet assigns them.",
        ),
        Attribute::nested("dns", Nesting::Single, dns).optional().describe("Records in Route 53 with a TTL of 60 seconds: A, and AAAA with `ipv6`."),
        Attribute::map("tags", Type::String).optional().null_means_absent().describe("Tags of every object."),
    ]
}
