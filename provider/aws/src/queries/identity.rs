//! Whose the credentials are.

use crate::clients::Clients;
use crate::error::{failed, incomplete};
use cloud::{CloudError, Identity};

const OPERATION: &str = "sts:GetCallerIdentity";

pub(crate) async fn identity(clients: &Clients) -> Result<Identity, CloudError> {
    let answer = clients.sts.get_caller_identity().send().await.map_err(|error| failed(OPERATION, error))?;
    Ok(Identity {
        account_id: answer.account.ok_or_else(|| incomplete(OPERATION, "account"))?,
        arn: answer.arn.ok_or_else(|| incomplete(OPERATION, "ARN"))?,
        user_id: answer.user_id.unwrap_or_default(),
    })
}
