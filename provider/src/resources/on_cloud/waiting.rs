//! Waits until objects are ready.

use super::reconcile::Reconciler;
use super::retry::PACE;
use super::{failed, wanted};
use crate::wait::{Ended, Wait};
use cloud::{CloudError, Found, Kind, Matching, ObjectKey, Readiness};
use schema::{Diagnostic, Diagnostics};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// NAT gateways and load balancers take minutes.
const READY_LIMIT: Duration = Duration::from_secs(900);
/// AWS may not show what it just made; what it does not show that often, over most of a minute, is gone.
const MOST_UNSEEN: usize = 10;

impl Reconciler<'_> {
    /// One call per kind and round, however many objects are waited for.
    pub(super) async fn wait_ready(&self, kinds: &BTreeSet<Kind>, matching: &mut Matching) -> Diagnostics {
        let mut wait: Option<Wait<'_>> = None;
        let mut phase = None;
        let mut unseen: BTreeMap<ObjectKey, usize> = BTreeMap::new();
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
            let what = || format!("{} is ready", names.join(", "));
            let wait = wait.get_or_insert_with(|| self.waiter.until(what(), READY_LIMIT, PACE));
            match wait.pause().await {
                Ok(()) => {}
                Err(Ended::Cancelled { .. }) => return Diagnostics::default(),
                Err(Ended::TimedOut { .. }) => return not_ready(&names),
            }
            let looked = async {
                self.look_again(&waiting, matching, &mut unseen).await?;
                self.hopeless(matching, &unseen).await
            };
            match wait.ask(looked).await {
                Err(_) => return Diagnostics::default(),
                Ok(Ok(None)) => {}
                Ok(Ok(Some(diagnostic))) => return diagnostic.into(),
                Ok(Err(error)) => return unclear(&names, &error),
            }
        }
    }

    /// What failed, what is being deleted, and what is not to be seen and has ended.
    async fn hopeless(&self, matching: &Matching, unseen: &BTreeMap<ObjectKey, usize>) -> Result<Option<Diagnostic>, CloudError> {
        for (key, found) in &matching.matched {
            let times_unseen = unseen.get(key).copied().unwrap_or(0);
            let reason = match &found.readiness {
                Readiness::Failed(reason) => Some(reason.clone()),
                Readiness::Leaving => Some(self.cloud.end_of(found).await?.unwrap_or_else(|| "it is being deleted".to_owned())),
                Readiness::Pending if times_unseen >= MOST_UNSEEN => Some("it is gone".to_owned()),
                Readiness::Pending if times_unseen > 0 => self.cloud.end_of(found).await?,
                _ => None,
            };
            if let Some(reason) = reason {
                let reason = reason.trim_end_matches('.');
                let detail = format!("AWS reports: {reason}. The next apply replaces it.");
                return Ok(Some(Diagnostic::error(format!("{key} failed to become ready")).detail(detail)));
            }
        }
        Ok(None)
    }

    async fn look_again(
        &self,
        kinds: &BTreeSet<Kind>,
        matching: &mut Matching,
        unseen: &mut BTreeMap<ObjectKey, usize>,
    ) -> Result<(), CloudError> {
        let mut ids = self.ids.clone();
        ids.extend(matching.matched.iter().map(|(key, found)| (key.clone(), found.id.clone())));
        let mut wanted = wanted(self.graph, &ids, true);
        wanted.kinds.retain(|kind| kinds.contains(kind));
        let all = self.cloud.find(&wanted).await?;
        let pending =
            matching.matched.iter().filter(|(key, found)| kinds.contains(&key.kind) && found.readiness == Readiness::Pending);
        for (key, known) in pending {
            let is_seen = all.iter().any(|found| found.kind == known.kind && found.id == known.id);
            let times = unseen.entry(key.clone()).or_default();
            *times = if is_seen { 0 } else { *times + 1 };
        }
        for found in all {
            let known = matching.matched.values_mut().find(|known| known.kind == found.kind && known.id == found.id);
            if let Some(known) = known.filter(|known| !lacks_output(known, &found)) {
                *known = found;
            }
        }
        Ok(())
    }
}

fn not_ready(names: &[&str]) -> Diagnostics {
    Diagnostic::error(format!("{} did not become ready within {} s", names.join(", "), READY_LIMIT.as_secs()))
        .detail("Look at it in the console. Running apply again is safe: it continues to wait.")
        .into()
}

fn unclear(names: &[&str], error: &CloudError) -> Diagnostics {
    failed(format!("cannot find out whether {} is ready", names.join(", ")), error).into()
}

/// AWS may still show what was before a block of IPv6 addresses was associated: a ready object, and no block for others to be in.
fn lacks_output(known: &Found, found: &Found) -> bool {
    let mut asked = known.kind.asked_outputs().filter(|(setting, _)| known.settings.contains_key(*setting));
    found.readiness == Readiness::Ready && asked.any(|(_, output)| !found.outputs.contains_key(output))
}

#[cfg(test)]
mod tests {
    use super::super::apply::Before;
    use super::super::holder::{Held, Holder};
    use super::*;
    use crate::fakes::{FakeClock, FakeWorld};
    use crate::ports::World;
    use crate::progress::Progress;
    use crate::tokens::Tokens;
    use crate::wait::Waiter;
    use cloud::{Connection, Graph, Object};
    use tokio_util::sync::CancellationToken;

    /// What is said of an instance that does not get far.
    async fn waited_for(end: Option<&str>) -> String {
        let (world, _stops) = FakeWorld::new();
        let reason = end.map(str::to_owned);
        world.change(|memory| memory.cloud.end_at_launch = reason);
        let graph: Graph = [Object::new(Kind::Instance, "main")].into_iter().collect();
        let (ids, progress) = (BTreeMap::new(), Progress::new(None));
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        let cloud = world.cloud(&Connection::default());
        let reconciler = Reconciler {
            cloud: &*cloud,
            holder: Holder { owner: "k8s_bastion/demo", main: &ObjectKey::new(Kind::Instance, "main"), id: None },
            graph: &graph,
            ids: &ids,
            before: &Before::of(None),
            is_new: true,
            progress: &progress,
            waiter: Waiter { clock: &clock, cancelled: &cancelled },
            tokens: &Tokens::of_run([0; 16]),
            held: &Held::default(),
        };
        let diagnostics = reconciler.run().await.diagnostics;
        diagnostics.iter().map(|diagnostic| format!("{}: {}", diagnostic.summary, diagnostic.detail)).collect()
    }

    #[tokio::test]
    async fn an_instance_that_ends_at_its_launch_is_told_with_the_reason() {
        assert_eq!(waited_for(None).await, "");
        let said = waited_for(Some("Client.VolumeLimitExceeded")).await;
        assert!(said.starts_with("instance/main failed to become ready") && said.contains("VolumeLimitExceeded"), "{said}");
    }

    #[test]
    fn a_block_that_was_asked_for_is_waited_for() {
        let mut known = Found::new(Kind::Subnet, "subnet-1");
        let mut found = known.clone();
        assert!(!lacks_output(&known, &found));
        known.settings.insert("ipv6_cidr".into(), "2001:db8::/64".into());
        assert!(lacks_output(&known, &found));
        found.outputs.insert("ipv6_cidr".into(), "2001:db8::/64".into());
        assert!(!lacks_output(&known, &found));
    }
}
