//! Which actions are not allowed, found out by dry runs: EC2 judges a call and does not carry it out.

use crate::clients::Clients;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::DomainType;
use cloud::CloudError;
use std::collections::BTreeSet;

/// Those that can be tried without an object that exists: of any other, EC2 says first that the object does not.
const TRIABLE: [&str; 5] =
    ["ec2:AllocateAddress", "ec2:CreateInternetGateway", "ec2:CreateSecurityGroup", "ec2:CreateVpc", "ec2:ImportKeyPair"];
/// A network of no use and a key that nobody has: neither is made.
const CIDR: &str = "192.168.255.240/28";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NAME: &str = "k8s-hardway-dry-run";

/// What is neither allowed nor denied in so many words is not told.
pub(crate) async fn denied(clients: &Clients, actions: &BTreeSet<String>) -> Result<Vec<String>, CloudError> {
    let mut denied = Vec::new();
    for action in TRIABLE.into_iter().filter(|action| actions.contains(*action)) {
        if is_denied(clients, action).await {
            denied.push(action.to_owned());
        }
    }
    Ok(denied)
}

async fn is_denied(clients: &Clients, action: &str) -> bool {
    let ec2 = &clients.ec2;
    match action {
        "ec2:AllocateAddress" => refused(&ec2.allocate_address().domain(DomainType::Vpc).dry_run(true).send().await),
        "ec2:CreateInternetGateway" => refused(&ec2.create_internet_gateway().dry_run(true).send().await),
        "ec2:CreateSecurityGroup" => {
            refused(&ec2.create_security_group().group_name(NAME).description(NAME).dry_run(true).send().await)
        }
        "ec2:CreateVpc" => refused(&ec2.create_vpc().cidr_block(CIDR).dry_run(true).send().await),
        "ec2:ImportKeyPair" => {
            refused(&ec2.import_key_pair().key_name(NAME).public_key_material(Blob::new(KEY)).dry_run(true).send().await)
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
    fn only_a_refusal_is_one() {
        check("UnauthorizedOperation", true);
        check("DryRunOperation", false);
        check("InvalidVpcID.NotFound", false);
        check("RequestLimitExceeded", false);
    }
}
