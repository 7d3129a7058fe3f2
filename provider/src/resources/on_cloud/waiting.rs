//! Waits until objects are ready.

use super::reconcile::Reconciler;
use super::retry::Pauses;
use super::{failed, wanted};
use cloud::{CloudError, Found, Kind, Matching, Readiness};
use schema::{Diagnostic, Diagnostics};
use std::collections::BTreeSet;
use std::time::Duration;

/// NAT gateways and load balancers take minutes.
const READY_LIMIT: Duration = Duration::from_secs(900);

impl Reconciler<'_> {
    /// One call per kind and round, however many objects are waited for.
    pub(super) async fn wait_ready(&self, kinds: &BTreeSet<Kind>, matching: &mut Matching) -> Diagnostics {
        let mut pauses = Pauses::within(READY_LIMIT);
        let mut phase = None;
        loop {
            let waiting: BTreeSet<Kind> = matching
                .matched
                .iter()
                .filter(|(key, found)| kinds.contains(&key.kind) && found.readiness == Readiness::Pending)
                .map(|(key, _)| key.kind)
                .collect();
            if waiting.is_empty() {
                if let Some(phase) = phase {
                    let _: Result<(), String> = crate::progress::Phase::finish(phase, Ok(()));
                }
                return Diagnostics::default();
            }
            let names: Vec<&str> = waiting.iter().map(|kind| kind.as_str()).collect();
            phase.get_or_insert_with(|| self.progress.phase(format!("wait until {} is ready", names.join(", "))));
            if !pauses.wait(self.cancelled).await {
                if self.cancelled.is_cancelled() {
                    return Diagnostics::default();
                }
                return Diagnostic::error(format!(
                    "{} did not become ready within {} s",
                    names.join(", "),
                    READY_LIMIT.as_secs()
                ))
                .detail("Look at it in the console. Running apply again is safe: it waits on.")
                .into();
            }
            if let Err(error) = self.look_again(&waiting, matching).await {
                return failed(format!("cannot find out whether {} is ready", names.join(", ")), &error).into();
            }
            let gave_up = matching.matched.iter().find_map(|(key, found)| match &found.readiness {
                Readiness::Failed(reason) => Some((key, reason)),
                _ => None,
            });
            if let Some((key, reason)) = gave_up {
                return Diagnostic::error(format!("{key} failed to become ready"))
                    .detail(format!("AWS says: {reason}. The next apply makes a new one in its place."))
                    .into();
            }
        }
    }

    async fn look_again(&self, kinds: &BTreeSet<Kind>, matching: &mut Matching) -> Result<(), CloudError> {
        let mut ids = self.ids.clone();
        ids.extend(matching.matched.iter().map(|(key, found)| (key.clone(), found.id.clone())));
        let mut wanted = wanted(self.graph, &ids, true);
        wanted.kinds.retain(|kind| kinds.contains(kind));
        for found in self.cloud.find(&wanted).await? {
            let known = matching.matched.values_mut().find(|known| known.kind == found.kind && known.id == found.id);
            if let Some(known) = known.filter(|known| !is_without_block(known, &found)) {
                *known = found;
            }
        }
        Ok(())
    }
}

/// AWS may still show what was before a block of IPv6 addresses was associated: a ready object, and no block for others to be in.
fn is_without_block(known: &Found, found: &Found) -> bool {
    let setting = match known.kind {
        Kind::Vpc => "ipv6",
        Kind::Subnet => "ipv6_cidr",
        _ => return false,
    };
    known.settings.contains_key(setting) && found.readiness == Readiness::Ready && !found.outputs.contains_key("ipv6_cidr")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_asked_for_is_waited_for() {
        let mut known = Found::new(Kind::Subnet, "subnet-1");
        let mut found = known.clone();
        assert!(!is_without_block(&known, &found));
        known.settings.insert("ipv6_cidr".into(), "2001:db8::/64".into());
        assert!(is_without_block(&known, &found));
        found.outputs.insert("ipv6_cidr".into(), "2001:db8::/64".into());
        assert!(!is_without_block(&known, &found));
    }
}
