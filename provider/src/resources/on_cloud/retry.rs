//! Asking again: how long, how often, after which kind of error.

use cloud::{CloudError, ErrorClass};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Tests on fakes wait thousands of times, for what comes at once or never.
const HASTE: u32 = if cfg!(test) { 1000 } else { 1 };

/// Pauses that double up to a limit in all.
pub struct Pauses {
    next: Duration,
    until: Instant,
}

impl Pauses {
    pub fn within(limit: Duration) -> Self {
        Pauses { next: FIRST_PAUSE / HASTE, until: Instant::now() + limit / HASTE }
    }

    /// Waits. `false` when the time is up or the user wants to stop.
    pub async fn wait(&mut self, cancelled: &CancellationToken) -> bool {
        if Instant::now() + self.next > self.until || cancelled.is_cancelled() {
            return false;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE / HASTE);
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = cancelled.cancelled() => false,
        }
    }
}

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
