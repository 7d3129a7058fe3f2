//! An endpoint that never answered is most likely a wrong one: a refused connection to it is no hiccup that ten attempts, a minute
//! in all, would get over. Once it has answered, it is.

use crate::error::chain;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many attempts, of all calls together, an endpoint gets for its first answer.
const ATTEMPTS: u32 = 3;

/// What has been learned about the endpoint of one service.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    has_answered: AtomicBool,
    failures: AtomicU32,
}

impl ClassifyRetry for Reach {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        if context.response().is_some() {
            self.has_answered.store(true, Ordering::Relaxed);
        }
        let error = context.output_or_error().and_then(|outcome| outcome.err());
        match error.and_then(|error| error.as_connector_error()) {
            Some(error) if is_out_of_reach(error) => self.after_failure(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "reach"
    }
}

impl Reach {
    fn after_failure(&self) -> RetryAction {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let is_hopeless = failures >= ATTEMPTS && !self.has_answered.load(Ordering::Relaxed);
        if is_hopeless { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated }
    }
}

/// Whether no connection came about, and not for a moment only. What the connector makes of a name that does not resolve, and of
/// nobody who answers, has no type of its own.
fn is_out_of_reach(error: &(dyn Error + 'static)) -> bool {
    const KINDS: [ErrorKind; 3] = [ErrorKind::ConnectionRefused, ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable];
    chain(error).any(|cause| {
        let text = cause.to_string();
        let of_system = cause.downcast_ref::<io::Error>().is_some_and(|error| KINDS.contains(&error.kind()));
        of_system || text.contains("dns error") || text.contains("connect timeout")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_never_answered_is_given_up_soon() {
        let reach = Reach::default();
        let actions: Vec<RetryAction> = (0..3).map(|_| reach.after_failure()).collect();
        assert_eq!(actions, [RetryAction::NoActionIndicated, RetryAction::NoActionIndicated, RetryAction::RetryForbidden]);
        reach.has_answered.store(true, Ordering::Relaxed);
        assert_eq!(reach.after_failure(), RetryAction::NoActionIndicated);
    }

    #[test]
    fn a_lost_connection_is_not_one_that_never_came_about() {
        assert!(is_out_of_reach(&io::Error::from(ErrorKind::ConnectionRefused)));
        assert!(is_out_of_reach(&io::Error::other("dns error: failed to lookup address information")));
        assert!(!is_out_of_reach(&io::Error::from(ErrorKind::ConnectionReset)));
        assert!(!is_out_of_reach(&io::Error::from(ErrorKind::UnexpectedEof)));
    }
}
