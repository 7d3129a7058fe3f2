//! Key pairs, of which EC2 has only the public half.

use super::{Objects, tags};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_ec2::operation::import_key_pair::ImportKeyPairError;
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{KeyPairInfo, ResourceType};
use cloud::{Change, CloudError, Found, Kind, Resolved};
use std::collections::BTreeSet;

pub(crate) struct KeyPairs;

#[async_trait]
impl Objects for KeyPairs {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let call = clients.ec2.describe_key_pairs().include_public_key(true);
        let answer = call.send().await.map_err(|error| failed("ec2:DescribeKeyPairs", error))?;
        Ok(answer.key_pairs().iter().map(found).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let public_key = object.get("public_key").unwrap_or_default();
        let call = clients
            .ec2
            .import_key_pair()
            .set_key_name(object.get("key_name").map(str::to_owned))
            .public_key_material(Blob::new(public_key))
            .set_tag_specifications(tags::specification(ResourceType::KeyPair, object).map(|tags| vec![tags]))
            .customize()
            .config_override(once::<ImportKeyPairError>());
        let answer = call.send().await.map_err(|error| failed("ec2:ImportKeyPair", error))?;
        let id = answer.key_pair_id().ok_or_else(|| incomplete("ec2:ImportKeyPair", "key pair id"))?;
        let mut found = Found::new(Kind::KeyPair, id);
        found.settings.insert("public_key".into(), without_comment(public_key));
        found.settings.extend(answer.key_name().map(|name| ("key_name".to_owned(), name.to_owned())));
        tags::read(Some(answer.tags()), &mut found.settings);
        Ok(found)
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        tags::update(clients, found, changes).await
    }

    /// By name, which is what emulators know it by as well.
    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let call = match found.settings.get("key_name") {
            Some(name) => clients.ec2.delete_key_pair().key_name(name),
            None => clients.ec2.delete_key_pair().key_pair_id(&found.id),
        };
        unless(call.send().await.map(drop).map_err(|error| failed("ec2:DeleteKeyPair", error)), is_not_found)
    }
}

fn found(pair: &KeyPairInfo) -> Found {
    let mut found = Found::new(Kind::KeyPair, pair.key_pair_id().unwrap_or_default());
    found.settings.extend(pair.key_name().map(|name| ("key_name".to_owned(), name.to_owned())));
    found.settings.extend(pair.public_key().map(|key| ("public_key".to_owned(), without_comment(key))));
    tags::read(Some(pair.tags()), &mut found.settings);
    found
}

/// Type and base64: what follows is a comment, which EC2 replaces by the name of the pair.
fn without_comment(public_key: &str) -> String {
    public_key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_part_of_a_key() {
        assert_eq!(without_comment("ssh-ed25519 AAAAC3Nz someone@example.net\n"), "ssh-ed25519 AAAAC3Nz");
        assert_eq!(without_comment("ssh-ed25519 AAAAC3Nz"), "ssh-ed25519 AAAAC3Nz");
    }
}
