//! Deletes objects in the opposite of the order in which they are made, and waits until they are gone.

use super::failed;
use super::retry::{PACE, Tries};
use crate::progress::Progress;
use crate::wait::{Ended, Waiter};
use cloud::{Cloud, CloudError, ErrorClass, Found, Kind, ObjectKey, Readiness, Wanted};
use futures::StreamExt;
use futures::future::BoxFuture;
use schema::{Diagnostic, Diagnostics};
use std::collections::BTreeSet;
use std::time::Duration;

const CONCURRENT: usize = 8;
const GONE_LIMIT: Duration = Duration::from_secs(900);

pub struct Removal<'a> {
    pub cloud: &'a dyn Cloud,
    pub progress: &'a Progress,
    pub waiter: Waiter<'a>,
    pub reason: Reason,
}

/// Why objects go, and with it how long what still uses them is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Interfaces of what was destroyed before go within minutes.
    Destroy,
    /// A new one cannot be made before the old one is gone.
    Replacement,
    /// Nobody declares it any more. Another resource of the same apply may still use it and let go of it only after this one: then
    /// it stays, and the next apply removes it.
    Undeclared,
}

#[derive(Default)]
pub struct Removed {
    pub left: Vec<(ObjectKey, Found)>,
    /// Warnings, of what stays because it is in use, leave the rest going.
    pub diagnostics: Diagnostics,
}

impl Reason {
    fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Reason::Destroy => 600,
            Reason::Replacement => 60,
            Reason::Undeclared => 20,
        })
    }
}

impl Removal<'_> {
    pub async fn run(&self, mut going: Vec<(ObjectKey, Found)>) -> Removed {
        let mut removed = Removed::default();
        let kinds: BTreeSet<Kind> = going.iter().map(|(key, _)| key.kind).collect();
        for kind in kinds.into_iter().rev() {
            let (of_kind, others): (Vec<_>, Vec<_>) = going.into_iter().partition(|(key, _)| key.kind == kind);
            going = others;
            if self.waiter.cancelled.is_cancelled() || removed.diagnostics.has_errors() {
                removed.left.extend(of_kind);
                continue;
            }
            self.remove_kind(kind, of_kind, &mut removed).await;
        }
        removed
    }

    async fn remove_kind(&self, kind: Kind, of_kind: Vec<(ObjectKey, Found)>, removed: &mut Removed) {
        // What is shared by objects of a kind (rules between security groups) goes with the first try of each.
        let mut deleting: Vec<BoxFuture<'_, _>> = Vec::new();
        for (key, found) in of_kind {
            deleting.push(Box::pin(async move {
                let outcome = self.delete(&key, &found).await;
                (key, found, outcome)
            }));
        }
        let outcomes: Vec<_> = futures::stream::iter(deleting).buffer_unordered(CONCURRENT).collect().await;
        let mut leaving = Vec::new();
        for (key, found, outcome) in outcomes {
            match outcome {
                Ok(true) => leaving.push((key, found)),
                Ok(false) => removed.left.push((key, found)),
                Err(error) => {
                    removed.diagnostics.push(self.not_removed(&key, &found, &error));
                    removed.left.push((key, found));
                }
            }
        }
        match self.wait_gone(kind, &leaving).await {
            Ok(still) => removed.left.extend(leaving.into_iter().filter(|(_, found)| still.contains(&found.id))),
            Err(diagnostic) => {
                removed.diagnostics.push(diagnostic);
                removed.left.extend(leaving);
            }
        }
    }

    /// `false` when the user wants to stop.
    async fn delete(&self, key: &ObjectKey, found: &Found) -> Result<bool, CloudError> {
        if self.waiter.cancelled.is_cancelled() {
            return Ok(false);
        }
        if found.readiness == Readiness::Leaving {
            return Ok(true);
        }
        let phase = self.progress.phase(format!("delete {key}"));
        let mut tries = Tries::within(self.waiter, self.reason.patience());
        let outcome = loop {
            match self.cloud.delete(found).await {
                Ok(()) => break Ok(true),
                Err(error) => match tries.again(&error).await {
                    Ok(()) => {}
                    Err(Ended::Cancelled { .. }) => break Ok(false),
                    Err(Ended::TimedOut { .. }) => break Err(error),
                },
            }
        };
        phase.finish(outcome)
    }

    fn not_removed(&self, key: &ObjectKey, found: &Found, error: &CloudError) -> Diagnostic {
        let id = &found.id;
        if self.reason == Reason::Undeclared && error.class == ErrorClass::Dependency {
            return Diagnostic::warning(format!("{key} ({id}) is still in use and stays for now")).detail(format!(
                "{error}\n\nIt is no longer declared. If another resource of the configuration stops using it in this same apply, \
                 apply once more: the next plan names it, and deletes it. Otherwise take it out of use first."
            ));
        }
        failed(format!("cannot delete {key} ({id})"), error)
    }

    /// Ids of what is still there because the user wants to stop.
    async fn wait_gone(&self, kind: Kind, leaving: &[(ObjectKey, Found)]) -> Result<BTreeSet<String>, Diagnostic> {
        let ids: BTreeSet<&String> = leaving.iter().map(|(_, found)| &found.id).collect();
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let names = leaving.iter().flat_map(|(_, found)| found.kind.names_of_id(&found.id)).collect();
        let wanted = Wanted { kinds: BTreeSet::from([kind]), names, fresh: true };
        let mut wait = self.waiter.until(format!("{kind} is gone"), GONE_LIMIT, PACE);
        let mut still: BTreeSet<String> = ids.iter().map(|id| (*id).clone()).collect();
        loop {
            let Ok(found) = wait.ask(self.cloud.find(&wanted)).await else { return Ok(still) };
            let found = found.map_err(|error| failed(format!("cannot find out whether {kind} is gone"), &error))?;
            still = found.into_iter().map(|found| found.id).filter(|id| ids.contains(id)).collect();
            if still.is_empty() {
                return Ok(still);
            }
            match wait.pause().await {
                Ok(()) => {}
                Err(Ended::Cancelled { .. }) => return Ok(still),
                Err(Ended::TimedOut { .. }) => return Err(still_there(kind, still)),
            }
        }
    }
}

fn still_there(kind: Kind, ids: BTreeSet<String>) -> Diagnostic {
    let ids: Vec<String> = ids.into_iter().collect();
    Diagnostic::error(format!("{kind} {} is still there", ids.join(", ")))
        .detail("AWS accepted the deletion but did not finish it. Running the same again is safe: it continues to wait.")
}
