//! What can be declared of an instance, with its texts on the registry page.

use schema::{Attribute, Nesting, Type, Value, between, one_of};

/// How the two resources differ in what they share.
pub struct Words {
    pub instance_type: &'static str,
    pub ssh_cidrs: &'static str,
    pub user_data: &'static str,
    /// What `dns.address` is when not given.
    pub address: &'static str,
}

pub fn declared(words: &Words) -> Vec<Attribute> {
    let mut attributes = place();
    attributes.push(Attribute::list("ssh_cidrs", Type::String).optional().describe(words.ssh_cidrs));
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
        text("public_ip", "Public IPv4 address: the Elastic IP, else what the subnet gave it."),
        text("ipv6_address", "IPv6 address."),
        text("security_group_id", "Id of the security group that `vpc_id` asks for."),
        text("ssh_host", "Where SSH goes: the public name of `dns`, else the public address, else the IPv6 or the private one."),
        text("ssh_user", "Who SSH logs in as, as the catalogue knows it of `image`; null with `image_id` alone."),
    ]
}

fn place() -> Vec<Attribute> {
    vec![
        Attribute::string("name").required().requires_replace().describe(
            "Name, unique in the cluster: lower-case letters, digits and `-`. Key pair and security group are named after it, with the \
             cluster's name before it.",
        ),
        Attribute::string("cluster_name").required().requires_replace().describe("Name of the cluster, for names and tags."),
        Attribute::string("subnet_id").required().describe("Subnet. Another one makes a new instance in place of the old one."),
        Attribute::list("security_group_ids", Type::String)
            .optional()
            .describe("Security groups that exist, such as those that `k8s_vpc` makes by role. Either these or `vpc_id`."),
        Attribute::string("vpc_id").optional().describe(
            "The VPC of the subnet, to have a security group made that lets in exactly what has to come in. Another VPC replaces the resource.",
        ),
    ]
}

fn machine(words: &Words) -> Vec<Attribute> {
    vec![
        Attribute::string("instance_type")
            .default(words.instance_type.into())
            .describe("Instance type. Another one makes a new instance in place of the old one."),
        Attribute::string("architecture")
            .optional()
            .validator(one_of(&["x86_64", "arm64"]))
            .describe("Architecture of the image. When not given, that of the instance type: Graviton families are `arm64`."),
        Attribute::string("image").optional().describe(
            "Image by its name in the catalogue: `amazon-linux-2023`, `debian-12` or `ubuntu-24.04`. The newest one of the instance's \
             architecture is chosen when the resource is made, and kept in `image_id`: a newer one is a warning of a plan with \
             `preflight`, never a change. To move on, run `terraform apply -replace=<address of this resource>`, name another image, or \
             give `image_id` beside it. Either this or `image_id` has to be given.",
        ),
        Attribute::string("image_id").optional_computed().describe(
            "Id of the image: one of your own (Linux with cloud-init), or one of `image`, which is then not looked for. When not given, what was \
             chosen for `image`. Another one makes a new instance in place of the old one.",
        ),
        Attribute::number("volume_gib").default(Value::from(8)).validator(between(8, 16_384)).describe(
            "Size of the root volume in GiB; type gp3, encrypted with the key that the account has as its default for EBS. Another size \
             makes a new instance in place of the old one.",
        ),
    ]
}

fn access(words: &Words) -> Vec<Attribute> {
    vec![
        Attribute::string("public_key").optional().describe(
            "Public key in OpenSSH's form (Ed25519 or RSA, which is what EC2 imports), for example \
             `file(\"~/.ssh/id_ed25519.pub\")`. It is imported as a key pair whose name ends with a digest of the key; another key makes a \
             new pair and, as EC2 cannot change the key of an instance, a new instance. Either this or `key_name`.",
        ),
        Attribute::string("key_name").optional().describe("Name of a key pair that exists. Either this or `public_key`."),
        Attribute::list("authorized_keys", Type::String).optional().describe(words.user_data),
    ]
}

fn addresses(words: &Words) -> Vec<Attribute> {
    let dns = vec![
        Attribute::string("zone_id").required().describe("Hosted zone of Route 53, public or private."),
        Attribute::string("name").required().describe("Name of the records, within the zone."),
        Attribute::string("address").optional().validator(one_of(&["public", "private"])).describe(words.address),
    ];
    vec![
        Attribute::bool("elastic_ip").default(false.into()).describe("Whether an Elastic IP is made for it. It stays when the instance is made anew."),
        Attribute::string("elastic_ip_id").optional().describe("Allocation id of an Elastic IP that exists, in place of `elastic_ip`."),
        Attribute::bool("ipv6").default(false.into()).describe(
            "Whether it has an IPv6 address, from the subnet's block, and reaches the metadata service by IPv6. Without, it has one only \
             where the subnet assigns them.",
        ),
        Attribute::nested("dns", Nesting::Single, dns).optional().describe("Records in Route 53: A, and AAAA with `ipv6`, for 60 seconds."),
        Attribute::map("tags", Type::String).optional().null_means_absent().describe("Tags of every object."),
    ]
}
