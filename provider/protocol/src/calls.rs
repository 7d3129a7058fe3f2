//! Calls into the provider that are under way: each runs to its own end, hears of cancellation, and is waited for at the end.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schema::Diagnostic;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bug::bug;
use crate::panic::catch_async;
use crate::provider::Call;

pub(crate) struct Calls {
    cancelled: Mutex<CancellationToken>,
    under_way: watch::Sender<usize>,
}

impl Calls {
    pub(crate) fn new() -> Calls {
        Calls { cancelled: Mutex::new(CancellationToken::new()), under_way: watch::Sender::new(0) }
    }

    /// A new run of the engine: what an earlier one cancelled is over (a debugged provider outlives its engines).
    pub(crate) fn begin(&self) {
        *self.cancelled.lock().unwrap_or_else(PoisonError::into_inner) = CancellationToken::new();
    }

    /// Tells every call, running or yet to come, to end at its next safe point.
    pub(crate) fn cancel(&self) {
        self.token().cancel();
    }

    /// Runs work of the provider on a task of its own. When the engine drops the request (it died, or lost patience), the
    /// work is asked to stop but not aborted in the middle of a step. `operation` is `apply of k8s_node`.
    pub(crate) async fn run<T, F>(&self, operation: String, work: impl FnOnce(Call) -> F) -> Result<T, Diagnostic>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let cancelled = self.token().child_token();
        let dropped = cancelled.clone().drop_guard();
        let work = work(Call { cancelled });
        let counted = Counted::new(self.under_way.clone());
        let task = tokio::spawn(async move {
            let result = catch_async(&operation, work).await;
            drop(counted);
            result
        });
        let result = task.await;
        drop(dropped);
        result.unwrap_or_else(|error| Err(bug("a call ended early", &error.to_string())))
    }

    /// Waits until nothing is under way, but not longer than `limit`.
    pub(crate) async fn idle(&self, limit: Duration) {
        let mut under_way = self.under_way.subscribe();
        let idle = under_way.wait_for(|count| *count == 0);
        if tokio::time::timeout(limit, idle).await.is_err() {
            tracing::warn!("work was still under way when the plugin had to end");
        }
    }

    fn token(&self) -> CancellationToken {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(under_way: watch::Sender<usize>) -> Counted {
        under_way.send_modify(|count| *count += 1);
        Counted(under_way)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_dropped_request_cancels_its_work_but_lets_it_finish() {
        let calls = Arc::new(Calls::new());
        let (started, has_started) = oneshot::channel();
        let (finished, has_finished) = oneshot::channel();
        let request = tokio::spawn({
            let calls = calls.clone();
            async move {
                let work = |call: Call| async move {
                    let _ = started.send(());
                    call.cancelled.cancelled().await;
                    tokio::task::yield_now().await;
                    let _ = finished.send(());
                };
                calls.run("apply of k8s_node".to_owned(), work).await
            }
        });
        has_started.await.unwrap();
        request.abort();
        has_finished.await.unwrap();
        calls.idle(Duration::from_secs(5)).await;
        assert_eq!(*calls.under_way.borrow(), 0);
    }

    #[tokio::test]
    async fn cancelling_reaches_work_that_starts_later_until_the_next_run_begins() {
        let calls = Calls::new();
        calls.cancel();
        let is_cancelled = |call: Call| async move { call.cancelled.is_cancelled() };
        assert!(calls.run("read".to_owned(), is_cancelled).await.unwrap());
        calls.begin();
        assert!(!calls.run("read".to_owned(), is_cancelled).await.unwrap());
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_leaves_nothing_under_way() {
        let calls = Calls::new();
        let result: Result<(), Diagnostic> = calls.run("read of k8s_node".to_owned(), |_| async { panic!("oh") }).await;
        assert!(result.unwrap_err().summary.contains("read of k8s_node panicked"));
        assert_eq!(*calls.under_way.borrow(), 0);
    }
}
