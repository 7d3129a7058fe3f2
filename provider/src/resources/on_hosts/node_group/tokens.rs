//! The bootstrap tokens of one apply: made when a host needs one, deleted at its end. Many hosts take longer to join than a token lives.

use crate::kubernetes::{BootstrapToken, KubernetesError, TOKEN_VALIDITY};
use crate::ports::{Instant, Kubernetes, World};
use credentials::Secret;
use std::time::Duration;
use tokio::sync::Mutex;

/// What is left of its life has to last until the kubelet that got it has asked for its certificate.
const YOUNG: Duration = Duration::from_secs(TOKEN_VALIDITY.as_secs() / 2);

#[derive(Default)]
pub struct Tokens(Mutex<Vec<(Instant, BootstrapToken)>>);

impl Tokens {
    /// One that a kubelet can still join with.
    pub async fn young(&self, api: &dyn Kubernetes, world: &dyn World) -> Result<Secret, KubernetesError> {
        let mut made = self.0.lock().await;
        let now = world.clock().instant();
        if let Some((_, token)) = made.last().filter(|(at, _)| now - *at < YOUNG) {
            return Ok(token.text());
        }
        let token = BootstrapToken::random();
        api.create_token(&token, world.now()).await?;
        let text = token.text();
        made.push((now, token));
        Ok(text)
    }

    /// What could not be deleted.
    pub async fn delete(&self, api: &dyn Kubernetes) -> Vec<KubernetesError> {
        let mut errors = Vec::new();
        for (_, token) in self.0.lock().await.drain(..) {
            errors.extend(api.delete_token(&token).await.err());
        }
        errors
    }
}
