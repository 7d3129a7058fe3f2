//! What is wrong with a bastion. Pure.

use crate::resources::on_cloud::aws_instance::validate::{Ssh, validate as validate_instance, validate_public_dns};
use schema::{Diagnostics, ValueAt};

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    validate_instance(config, Ssh::Required, found);
    validate_public_dns(config, found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::on_cloud::CloudResource;
    use crate::resources::on_cloud::bastion::Bastion;
    use schema::Value;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc3Rpb24tb2YtdGhlLWRlbW8tY2x1c3RlcgAA";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=";
    const PRIVATE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-of-a-private-key\n-----END OPENSSH PRIVATE KEY-----\n";

    fn list(items: &[&str]) -> Value {
        items.to_vec().into()
    }

    fn dns(zone_id: &str, name: &str) -> Value {
        Value::object([("zone_id", zone_id.into()), ("name", name.into())])
    }

    /// A sound bastion with these attributes in place of its own.
    #[track_caller]
    fn check(changes: &[(&str, Value)], expect: &[(&str, &str)]) {
        let mut config = Value::object([
            ("name", "bastion".into()),
            ("cluster_name", "demo".into()),
            ("subnet_id", "subnet-1".into()),
            ("security_group_ids", list(&["sg-1"])),
            ("image", "debian-12".into()),
            ("public_key", KEY.into()),
        ]);
        changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
        let mut diagnostics = Bastion.schema().validate(&config);
        validate(&ValueAt::of(&config), &mut diagnostics);
        assert!(!diagnostics.to_string().contains("canary"), "a secret is shown");
        assert!(diagnostics.iter().all(|diagnostic| !diagnostic.detail.is_empty()));
        let said: Vec<(String, &str)> = diagnostics
            .iter()
            .map(|diagnostic| {
                (diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default(), diagnostic.summary.as_str())
            })
            .collect();
        let said: Vec<(&str, &str)> = said.iter().map(|(path, summary)| (path.as_str(), *summary)).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn sound_ones_have_no_mistakes() {
        check(&[], &[]);
        check(&[("public_key", Value::Null), ("key_name", "mine".into()), ("elastic_ip_id", "eipalloc-1".into())], &[]);
        check(&[("image", Value::Null), ("image_id", "ami-1".into()), ("architecture", "arm64".into())], &[]);
        check(&[("security_group_ids", Value::Null), ("vpc_id", "vpc-1".into()), ("ssh_cidrs", list(&["198.51.100.0/24"]))], &[]);
        check(&[("dns", dns("/hostedzone/Z1", "b.example.net")), ("ipv6", true.into())], &[]);
        check(&[("authorized_keys", list(&[KEY, ECDSA])), ("instance_type", "t3.nano".into())], &[]);
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let names = ["subnet_id", "security_group_ids", "image", "public_key", "instance_type", "elastic_ip", "dns"];
        check(&names.map(|name| (name, Value::Unknown)), &[]);
        check(&[("security_group_ids", Value::List(vec![Value::Unknown])), ("key_name", Value::Unknown)], &[]);
    }

    #[test]
    fn names_and_ids() {
        check(&[("name", "Bastion".into())], &[("name", "\"Bastion\" is not a usable name")]);
        check(&[("cluster_name", "a_b".into())], &[("cluster_name", "\"a_b\" is not a usable name")]);
        check(&[("subnet_id", "vpc-1".into())], &[("subnet_id", "\"vpc-1\" is not an id of this kind")]);
        check(
            &[("security_group_ids", list(&["sg-1", "default"]))],
            &[("security_group_ids[1]", "\"default\" is not an id of this kind")],
        );
        check(&[("security_group_ids", list(&[]))], &[("security_group_ids", "security_group_ids is empty")]);
        check(&[("elastic_ip_id", "192.0.2.1".into())], &[("elastic_ip_id", "\"192.0.2.1\" is not an id of this kind")]);
        check(&[("tags", Value::object([("aws:x", "y".into())]))], &[("tags[\"aws:x\"]", "tag \"aws:x\" begins with \"aws:\"")]);
    }

    #[test]
    fn security_groups() {
        let none = ("security_group_ids", Value::Null);
        let vpc = ("vpc_id", Value::from("vpc-1"));
        let ssh = |items: &[&str]| ("ssh_cidrs", list(items));
        check(std::slice::from_ref(&none), &[("security_group_ids", "neither security_group_ids nor vpc_id is given")]);
        check(&[vpc.clone(), ssh(&["198.51.100.0/24"])], &[("vpc_id", "both security_group_ids and vpc_id are given")]);
        check(&[none.clone(), vpc.clone()], &[("ssh_cidrs", "nothing may reach the bastion")]);
        check(&[ssh(&["198.51.100.0/24"])], &[("ssh_cidrs", "ssh_cidrs is given without vpc_id")]);
        check(&[none.clone(), vpc.clone(), ssh(&["198.51.100.7"])], &[("ssh_cidrs[0]", "\"198.51.100.7\" is not a CIDR")]);
        check(&[none.clone(), vpc.clone(), ssh(&["198.51.100.7/24"])], &[("ssh_cidrs[0]", "198.51.100.7/24 has host bits set")]);
        check(&[none, vpc, ssh(&["0.0.0.0/0"])], &[("ssh_cidrs[0]", "SSH is open to 0.0.0.0/0")]);
    }

    #[test]
    fn images_and_instance_types() {
        let none = ("image", Value::Null);
        check(std::slice::from_ref(&none), &[("image", "neither image nor image_id is given")]);
        check(&[("image_id", "ami-1".into())], &[]);
        check(&[("image", "debian-11".into())], &[("image", "the catalogue has no image \"debian-11\"")]);
        check(&[none, ("image_id", "debian-12".into())], &[("image_id", "\"debian-12\" is not an id of this kind")]);
        check(&[("instance_type", "t4g nano".into())], &[("instance_type", "\"t4g nano\" is not an instance type")]);
        let mismatch = [("instance_type", "t3.nano".into()), ("architecture", "arm64".into())];
        check(&mismatch, &[("architecture", "instance type t3.nano is x86_64, not arm64")]);
        check(&[("architecture", "amd64".into())], &[("architecture", "\"amd64\" is not one of the allowed values")]);
        check(&[("volume_gib", 4.into())], &[("volume_gib", "4 is out of range")]);
    }

    #[test]
    fn keys() {
        let none = ("public_key", Value::Null);
        check(std::slice::from_ref(&none), &[("public_key", "neither public_key nor key_name is given")]);
        check(&[("key_name", "mine".into())], &[("key_name", "both public_key and key_name are given")]);
        check(&[none, ("key_name", "".into())], &[("key_name", "\"\" is not the name of a key pair")]);
        check(&[("public_key", PRIVATE.into())], &[("public_key", "public_key is a private key")]);
        check(&[("public_key", "~/.ssh/id_ed25519.pub".into())], &[("public_key", "public_key is not a public key")]);
        check(&[("public_key", ECDSA.into())], &[("public_key", "public_key is of type ecdsa-sha2-nistp256")]);
        check(&[("public_key", format!("{KEY}\n{KEY}").into())], &[("public_key", "public_key has more than one line")]);
        check(&[("authorized_keys", list(&[KEY, PRIVATE]))], &[("authorized_keys[1]", "authorized_keys[1] is a private key")]);
    }

    #[test]
    fn addresses_and_records() {
        let both = [("elastic_ip", true.into()), ("elastic_ip_id", "eipalloc-1".into())];
        check(&both, &[("elastic_ip_id", "both elastic_ip and elastic_ip_id are given")]);
        let eip = ("elastic_ip", Value::from(true));
        check(&[("dns", dns("Z1", "b.example.net"))], &[("dns", "the records would have no address to name")]);
        check(
            &[eip.clone(), ("dns", dns("example.net", "b.example.net"))],
            &[("dns.zone_id", "\"example.net\" is not the id of a hosted zone")],
        );
        for bad in ["https://b.example.net", "b.example.net.", "*.example.net", "bastion"] {
            check(&[eip.clone(), ("dns", dns("Z1", bad))], &[("dns.name", &format!("{bad:?} is not a name for a record"))]);
        }
        let mut public = dns("Z1", "b.example.net");
        public.set("address", "public".into());
        check(&[("dns", public)], &[("dns.address", "the records would have no address to name")]);
    }
}
