//! Which actions are not allowed, found out by dry runs: EC2 judges a call and does not carry it out.

use crate::clients::Clients;
use crate::objects::tags::specification_of;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{DomainType, ResourceType, TagSpecification};
use cloud::{CloudError, Tried};
use std::collections::BTreeMap;

/// Those that can be tried without an object that exists: of any other, EC2 says first that the object does not.
const TRIABLE: [&str; 5] =
    ["ec2:AllocateAddress", "ec2:CreateInternetGateway", "ec2:CreateSecurityGroup", "ec2:CreateVpc", "ec2:ImportKeyPair"];
/// A network of no use and a key that nobody has: neither is made.
const CIDR: &str = "192.168.255.240/28";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NAME: &str = "k8s-hardway-dry-run";

/// What is neither allowed nor denied explicitly is not reported.
pub(crate) async fn denied(clients: &Clients, actions: &Tried) -> Result<Vec<String>, CloudError> {
    let mut denied = Vec::new();
    for (action, tags) in TRIABLE.into_iter().filter_map(|action| Some((action, actions.get(action)?))) {
        if is_denied(clients, action, tags).await {
            denied.push(action.to_owned());
        }
    }
    Ok(denied)
}

fn specification(kind: ResourceType, tags: &BTreeMap<String, String>) -> Option<Vec<TagSpecification>> {
    let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    specification_of(kind, tags).map(|specification| vec![specification])
}

async fn is_denied(clients: &Clients, action: &str, tags: &BTreeMap<String, String>) -> bool {
    let (ec2, tags) = (&clients.ec2, |kind| specification(kind, tags));
    match action {
        "ec2:AllocateAddress" => {
            let call = ec2.allocate_address().domain(DomainType::Vpc).set_tag_specifications(tags(ResourceType::ElasticIp));
            refused(&call.dry_run(true).send().await)
        }
        "ec2:CreateInternetGateway" => {
            let call = ec2.create_internet_gateway().set_tag_specifications(tags(ResourceType::InternetGateway));
            refused(&call.dry_run(true).send().await)
        }
        "ec2:CreateSecurityGroup" => {
            let call = ec2.create_security_group().group_name(NAME).description(NAME);
            refused(&call.set_tag_specifications(tags(ResourceType::SecurityGroup)).dry_run(true).send().await)
        }
        "ec2:CreateVpc" => {
            let call = ec2.create_vpc().cidr_block(CIDR).set_tag_specifications(tags(ResourceType::Vpc));
            refused(&call.dry_run(true).send().await)
        }
        "ec2:ImportKeyPair" => {
            let call = ec2.import_key_pair().key_name(NAME).public_key_material(Blob::new(KEY));
            refused(&call.set_tag_specifications(tags(ResourceType::KeyPair)).dry_run(true).send().await)
        }
        _ => false,
    }
}

fn refused<T, E: ProvideErrorMetadata, R>(answer: &Result<T, SdkError<E, R>>) -> bool {
    matches!(answer, Err(error) if error.code() == Some("UnauthorizedOperation"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::error::ErrorMetadata;

    #[track_caller]
    fn check(code: &str, expect: bool) {
        let error = SdkError::service_error(ErrorMetadata::builder().code(code).build(), ());
        assert_eq!(refused::<(), ErrorMetadata, ()>(&Err(error)), expect, "{code}");
    }

    #[test]
    fn a_dry_run_carries_the_tags_of_what_is_to_be_made() {
        let tags = BTreeMap::from([("team".to_owned(), "platform".to_owned())]);
        let specified = specification(ResourceType::Vpc, &tags).unwrap_or_default();
        assert_eq!(specified[0].tags()[0].value(), Some("platform"));
        assert_eq!(specification(ResourceType::Vpc, &BTreeMap::new()), None);
    }

    #[test]
    fn only_a_refusal_is_one() {
        check("UnauthorizedOperation", true);
        check("DryRunOperation", false);
        check("InvalidVpcID.NotFound", false);
        check("RequestLimitExceeded", false);
    }
}
