//! A clock whose pauses take no time: it goes on by each.

use super::Stop;
use crate::ports::Clock;
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Every clone is the same clock.
#[derive(Clone)]
pub struct FakeClock {
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    now: Instant,
    jitter: f64,
    stops: Option<CancellationToken>,
    /// Whom the user asks to stop, and when.
    asks: Option<(mpsc::UnboundedSender<Stop>, IsTime)>,
}

type IsTime = Box<dyn Fn() -> bool + Send>;

impl Default for FakeClock {
    fn default() -> Self {
        FakeClock { inside: Arc::new(Mutex::new(Inside { now: Instant::now(), jitter: 0.5, stops: None, asks: None })) }
    }
}

impl FakeClock {
    pub fn set_jitter(&self, jitter: f64) {
        self.inside.lock().unwrap().jitter = jitter;
    }

    pub fn advance(&self, by: Duration) {
        self.inside.lock().unwrap().now += by;
    }

    /// The user wants to stop in the middle of the next pause, which never ends by itself.
    pub fn stop_at_pause(&self, cancelled: &CancellationToken) {
        self.inside.lock().unwrap().stops = Some(cancelled.clone());
    }

    /// The same by the engine, in the first pause when it is time.
    pub fn ask_at_pause(&self, engine: &mpsc::UnboundedSender<Stop>, is_time: impl Fn() -> bool + Send + 'static) {
        self.inside.lock().unwrap().asks = Some((engine.clone(), Box::new(is_time)));
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn instant(&self) -> Instant {
        self.inside.lock().unwrap().now
    }

    async fn sleep(&self, pause: Duration) {
        let stops = self.inside.lock().unwrap().stops.take();
        if let Some(cancelled) = stops {
            cancelled.cancel();
            return std::future::pending().await;
        }
        let asks = self.inside.lock().unwrap().asks.take_if(|(_, is_time)| is_time());
        if let Some((engine, _)) = asks {
            let (heard, answer) = oneshot::channel();
            engine.send(heard).unwrap();
            answer.await.unwrap();
            return std::future::pending().await;
        }
        self.inside.lock().unwrap().now += pause;
        tokio::task::yield_now().await;
    }

    fn jitter(&self) -> f64 {
        self.inside.lock().unwrap().jitter
    }
}
