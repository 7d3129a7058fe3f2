//! One token bucket for all requests of a provider, whatever service they go to. It sits below the SDK's retries, so that each
//! attempt takes a token. In retry mode `adaptive` it slows down when AWS says so, and recovers with what succeeds: the SDK's own
//! adaptive mode has no floor, and comes to a standstill where a part of the calls is refused whatever their rate.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What EC2 grants an account for most calls that change something is in the order of 5 a second with bursts of 50 to 200, for
/// describes 20 with 100 (EC2's documentation of request throttling). Both together stay below.
pub(crate) const REQUESTS_PER_SECOND: u32 = 20;

/// The rate below which nothing slows it down, in requests a second.
const FLOOR: f64 = 4.0;
/// What is left of the rate when AWS refuses for haste, at most once a second; and what a success brings back.
const SLOWER: f64 = 0.7;
const FASTER: f64 = 0.2;

/// A client whose requests wait for their token.
pub(crate) fn limited(client: SharedHttpClient, bucket: Arc<Bucket>) -> SharedHttpClient {
    http_client_fn(move |settings: &HttpConnectorSettings, components: &RuntimeComponents| {
        let connector = client.http_connector(settings, components);
        SharedHttpConnector::new(Limited { connector, bucket: Arc::clone(&bucket) })
    })
}

#[derive(Debug)]
struct Limited {
    connector: SharedHttpConnector,
    bucket: Arc<Bucket>,
}

impl HttpConnector for Limited {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, wait) = (self.connector.clone(), self.bucket.take(Instant::now()));
        HttpConnectorFuture::new(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            connector.call(request).await
        })
    }
}

/// Tokens are kept as one point in time: that at which the bucket is full again.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    is_adaptive: bool,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    full_at: Option<Instant>,
    slowed_at: Option<Instant>,
    per_second: f64,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, is_adaptive: bool) -> Self {
        let per_second = f64::from(per_second.max(1));
        Bucket { per_second, is_adaptive, level: Mutex::new(Level { full_at: None, slowed_at: None, per_second }) }
    }

    /// What an answer says about the rate.
    pub(crate) fn learn(&self, was_throttled: bool, now: Instant) {
        let mut level = self.level();
        let is_recent = level.slowed_at.is_some_and(|at| now.saturating_duration_since(at) < Duration::from_secs(1));
        if !self.is_adaptive || (was_throttled && is_recent) {
            return;
        }
        if was_throttled {
            level.slowed_at = Some(now);
            level.per_second = (level.per_second * SLOWER).max(FLOOR.min(self.per_second));
        } else {
            level.per_second = (level.per_second + FASTER).min(self.per_second);
        }
    }

    /// Takes one, in turn, and says how long to wait for it. The bucket holds what two seconds bring.
    fn take(&self, now: Instant) -> Duration {
        let mut level = self.level();
        let next = level.full_at.map_or(now, |full_at| full_at.max(now)) + Duration::from_secs_f64(1.0 / level.per_second);
        level.full_at = Some(next);
        next.saturating_duration_since(now).saturating_sub(Duration::from_secs(2))
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_what_follows_waits_in_turn() {
        let (bucket, now) = (Bucket::new(20, false), Instant::now());
        let waits: Vec<u128> = (0..42).map(|_| bucket.take(now).as_millis()).collect();
        assert!(waits[..40].iter().all(|wait| *wait == 0), "{waits:?}");
        assert_eq!(waits[40..], [50, 100]);
    }

    #[test]
    fn an_idle_bucket_fills_up_and_not_more() {
        let (bucket, now) = (Bucket::new(20, false), Instant::now());
        (0..40).for_each(|_| _ = bucket.take(now));
        assert_eq!(bucket.take(now + Duration::from_millis(50)).as_millis(), 0);
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..41).map(|_| bucket.take(later).as_millis()).max(), Some(50));
    }

    #[track_caller]
    fn check_rate(bucket: &Bucket, expect: f64) {
        assert!((bucket.level().per_second - expect).abs() < 0.01, "{bucket:?}");
    }

    #[test]
    fn refusals_slow_it_down_once_a_second_and_to_the_floor() {
        let (bucket, start) = (Bucket::new(20, true), Instant::now());
        (0..5).for_each(|_| bucket.learn(true, start));
        check_rate(&bucket, 14.0);
        (1..20).for_each(|second| bucket.learn(true, start + Duration::from_secs(second)));
        check_rate(&bucket, FLOOR);
        (0..200).for_each(|_| bucket.learn(false, start));
        check_rate(&bucket, 20.0);
    }

    #[test]
    fn without_adaption_the_rate_stays() {
        let bucket = Bucket::new(2, false);
        bucket.learn(true, Instant::now());
        check_rate(&bucket, 2.0);
    }
}
