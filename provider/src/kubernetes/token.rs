//! Short-lived bootstrap tokens for TLS bootstrap; none is ever stored.

use super::{KubernetesApi, KubernetesError};
use backon::{ExponentialBuilder, Retryable};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, PostParams};
use rand::Rng;
use std::time::Duration;
use time::OffsetDateTime;

const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
pub const TOKEN_VALIDITY: Duration = Duration::from_secs(3600);

/// `<id>.<secret>`. Neither `Debug` nor `Display`: the secret half lets a machine ask for a node's certificate.
pub struct BootstrapToken {
    id: String,
    secret: String,
}

impl BootstrapToken {
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let mut draw = |length: usize| (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
        BootstrapToken { id: draw(6), secret: draw(16) }
    }

    /// What a kubelet shows to join.
    pub fn text(&self) -> credentials::Secret {
        credentials::Secret::new(format!("{}.{}", self.id, self.secret))
    }

    fn secret_name(&self) -> String {
        format!("bootstrap-token-{}", self.id)
    }
}

impl KubernetesApi {
    pub async fn create_token(&self, token: &BootstrapToken, now: OffsetDateTime) -> Result<(), KubernetesError> {
        let expiration = (now + TOKEN_VALIDITY).format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let object = render::objects::bootstrap_token_secret(&token.id, &token.secret, &expiration);
        let secret: Secret = serde_json::from_value(object)
            .map_err(|error| self.refused("make a bootstrap token")(kube::Error::SerdeError(error)))?;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), "kube-system");
        let retry = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(10);
        (|| async { api.create(&PostParams::default(), &secret).await.map(drop).map_err(self.refused("make a bootstrap token")) })
            .retry(retry)
            .when(is_passing)
            .await
    }

    pub async fn delete_token(&self, token: &BootstrapToken) -> Result<(), KubernetesError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), "kube-system");
        match api.delete(&token.secret_name(), &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(self.refused("delete a bootstrap token")(error)),
        }
    }
}

/// Errors that go away by themselves: no connection yet, overload, roles or namespaces of a new cluster not yet made.
fn is_passing(error: &KubernetesError) -> bool {
    let is_new = |source: &kube::Error| matches!(source, kube::Error::Api(status) if matches!(status.code, 403 | 404 | 409));
    error.is_passing() || matches!(error, KubernetesError::Api { source, .. } if is_new(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_that_kubernetes_wants_and_differ() {
        let (one, two) = (BootstrapToken::random().text(), BootstrapToken::random().text());
        let (one, two) = (one.reveal(), two.reveal());
        let (id, secret) = one.split_once('.').unwrap();
        assert_eq!((id.len(), secret.len()), (6, 16));
        assert!(one.chars().all(|c| c == '.' || ALPHABET.contains(&(c as u8))));
        assert_ne!(one, two);
    }
}
