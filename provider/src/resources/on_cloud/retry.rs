//! Asking again: how often, and how long after which kind of error.

use crate::wait::{Ended, Pace, Wait, Waiter};
use cloud::{CloudError, ErrorClass};
use std::time::Duration;

/// Between two looks at AWS, and between two tries of a call that it refused.
pub const PACE: Pace = Pace::doubling(Duration::from_millis(200), Duration::from_secs(10));

/// How long an error of this class is worth waiting for.
pub fn patience(error: &CloudError) -> Duration {
    match error.class {
        // Interfaces of load balancers and endpoints go minutes after what they belonged to.
        ErrorClass::Dependency => Duration::from_secs(600),
        // AWS may not show for some seconds what it just made.
        ErrorClass::NotFound => Duration::from_secs(30),
        ErrorClass::Throttled | ErrorClass::Ambiguous => Duration::from_secs(60),
        ErrorClass::Denied | ErrorClass::Exists | ErrorClass::Refused => Duration::ZERO,
    }
}

/// Tries of one call. The first error says how long it is tried again.
pub struct Tries<'a> {
    waiter: Waiter<'a>,
    most: Duration,
    wait: Option<Wait<'a>>,
}

impl<'a> Tries<'a> {
    /// For `most` in all, whatever the error.
    pub fn within(waiter: Waiter<'a>, most: Duration) -> Self {
        Tries { waiter, most, wait: None }
    }

    /// Pauses before the next try; an error when there is none.
    pub async fn again(&mut self, error: &CloudError) -> Result<(), Ended> {
        let limit = patience(error).min(self.most);
        let (waiter, operation) = (self.waiter, &error.operation);
        let wait = self.wait.get_or_insert_with(|| waiter.until(format!("AWS takes {operation}"), limit, PACE));
        wait.pause().await
    }
}
