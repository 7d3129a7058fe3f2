//! `k8s_aws_identity`: whose the credentials of the provider are.

use crate::configuration::Shared;
use crate::resources::on_cloud::failed;
use async_trait::async_trait;
use protocol::{Call, DataSource};
use schema::{Attribute, Diagnostics, Schema, Value};

pub struct IdentitySource {
    shared: Shared,
}

impl IdentitySource {
    pub fn new(shared: &Shared) -> Self {
        IdentitySource { shared: shared.clone() }
    }
}

#[async_trait]
impl DataSource for IdentitySource {
    fn name(&self) -> &'static str {
        "k8s_aws_identity"
    }

    fn schema(&self) -> Schema {
        Schema::new("The account, and the user or role, that the credentials of the provider's `aws` block belong to, as AWS reports them.")
            .attribute(Attribute::string("account_id").computed().describe("Account number."))
            .attribute(Attribute::string("arn").computed().describe("ARN of the user, or of the session of a role."))
            .attribute(Attribute::string("user_id").computed().describe("Unique id of the user or role."))
            .attribute(Attribute::string("region").computed().describe("Region of the provider."))
    }

    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn read(&self, _call: &Call, config: Value) -> Result<Value, Diagnostics> {
        let cloud = self.shared.cloud()?;
        let identity =
            cloud.identity().await.map_err(|error| failed("cannot identify the owner of the AWS credentials", &error))?;
        let mut state = config;
        state.set("account_id", identity.account_id.into());
        state.set("arn", identity.arn.into());
        state.set("user_id", identity.user_id.into());
        state.set("region", cloud.region().into());
        Ok(state)
    }
}
