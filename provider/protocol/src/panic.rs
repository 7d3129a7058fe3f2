//! Turns a panic in a resource into a diagnostic, so that one fault does not take the plugin and every other resource's work
//! along. The message of a panic is reported only when it is a literal: a formatted one can hold a secret.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use schema::Diagnostic;

use crate::bug::bug;

thread_local! {
    /// Whether this thread is inside the provider's code right now.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs synchronous code of the provider. `operation` is `plan of k8s_pki`.
pub(crate) fn catch<T>(operation: &str, work: impl FnOnce() -> T) -> Result<T, Diagnostic> {
    guarded(operation, work)
}

/// Runs asynchronous code of the provider.
pub(crate) async fn catch_async<T>(operation: &str, work: impl Future<Output = T> + Send) -> Result<T, Diagnostic> {
    Catch { operation, work: Box::pin(work) }.await
}

struct Catch<'a, F> {
    operation: &'a str,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Catch<'_, F> {
    type Output = Result<F::Output, Diagnostic>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match guarded(this.operation, || this.work.as_mut().poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(diagnostic) => Poll::Ready(Err(diagnostic)),
        }
    }
}

fn guarded<T>(operation: &str, work: impl FnOnce() -> T) -> Result<T, Diagnostic> {
    install_hook();
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|payload| describe(operation, payload.as_ref()))
}

fn describe(operation: &str, payload: &(dyn Any + Send)) -> Diagnostic {
    let location = LOCATION.take().unwrap_or_else(|| "an unknown place".to_owned());
    let literal = payload.downcast_ref::<&'static str>().map(|text| format!(": {text}")).unwrap_or_default();
    tracing::error!(operation, location, "the provider panicked");
    bug(&format!("{operation} panicked"), &format!("It panicked at {location}{literal}."))
}

/// Outside of guarded code the hook that was there before stays in charge.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if GUARDED.get() {
                LOCATION.set(panic.location().map(|location| format!("{}:{}", location.file(), location.line())));
            } else {
                previous(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(result: Result<(), Diagnostic>) -> String {
        result.err().map(|diagnostic| format!("{}\n{}", diagnostic.summary, diagnostic.detail)).unwrap_or_default()
    }

    #[test]
    fn a_panic_is_told_with_its_place() {
        let text = detail(catch("plan of k8s_pki", || panic!("no such node")));
        assert!(text.starts_with("provider bug: plan of k8s_pki panicked\n"), "{text}");
        assert!(text.contains("panic.rs:") && text.contains("no such node") && text.contains("report"), "{text}");
    }

    #[test]
    fn a_value_in_the_message_of_a_panic_stays_inside() {
        let secret = String::from("canary");
        let text = detail(catch("plan of k8s_pki", || panic!("bad token {secret}")));
        assert!(!text.contains("canary"), "{text}");
    }

    #[tokio::test]
    async fn a_panic_after_an_await_is_caught_as_well() {
        let work = async {
            tokio::task::yield_now().await;
            panic!("late")
        };
        assert!(detail(catch_async("apply of k8s_node", work).await).contains("late"));
    }
}
