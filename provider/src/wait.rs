//! The one way to wait for the world: ask, pause, ask again, until the answer is good, the time is up or the user wants to stop.
//! A loop asks through [`Wait::ask`] and pauses through [`Wait::pause`]; both end at once when the user stops (Ctrl-C).

use crate::ports::Clock;
use futures::TryFutureExt;
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How much a pause is shortened or lengthened at most, so that those who began together do not ask together.
const JITTER: f64 = 0.2;

/// By which clock a call waits, and how it hears that the user wants to stop.
#[derive(Clone, Copy)]
pub struct Waiter<'a> {
    pub clock: &'a dyn Clock,
    pub cancelled: &'a CancellationToken,
}

/// The pauses between two questions: `first`, then each twice the one before, up to `longest`.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    first: Duration,
    longest: Duration,
}

impl Pace {
    pub const fn every(pause: Duration) -> Pace {
        Pace { first: pause, longest: pause }
    }

    pub const fn doubling(first: Duration, longest: Duration) -> Pace {
        Pace { first, longest }
    }
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The user wants to stop.
    Cancelled {
        what: String,
    },
    TimedOut {
        what: String,
        limit: Duration,
    },
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Cancelled { what } => write!(formatter, "stopped on request while waiting until {what}"),
            Ended::TimedOut { what, limit } => write!(formatter, "timed out after {} s: waited until {what}", limit.as_secs()),
        }
    }
}

impl<'a> Waiter<'a> {
    /// `what` follows "waited until": "node worker-1 is Ready". The time runs from now.
    pub fn until(self, what: impl Into<String>, limit: Duration, pace: Pace) -> Wait<'a> {
        Wait {
            waiter: self,
            what: what.into(),
            limit,
            end: self.clock.instant() + limit,
            next: pace.first,
            longest: pace.longest,
        }
    }

    /// The answer to a question that is asked once and can do without one: `None` when the time is up or the user wants to stop.
    pub async fn within<T>(self, limit: Duration, question: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => None,
            answer = question => Some(answer),
            () = self.clock.sleep(limit) => None,
        }
    }
}

/// One wait, from its first question to its last.
pub struct Wait<'a> {
    waiter: Waiter<'a>,
    what: String,
    limit: Duration,
    end: Instant,
    next: Duration,
    longest: Duration,
}

impl Wait<'_> {
    /// The answer; dropped unanswered when the user wants to stop. Only for questions: a call that changes something has to be heard out.
    pub async fn ask<T>(&self, question: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            () = self.waiter.cancelled.cancelled() => Err(self.cancelled()),
            answer = question => Ok(answer),
        }
    }

    /// Pauses before the next question. The last question is asked when the time is up, not before.
    pub async fn pause(&mut self) -> Result<(), Ended> {
        if self.waiter.cancelled.is_cancelled() {
            return Err(self.cancelled());
        }
        let left = self.end.saturating_duration_since(self.waiter.clock.instant());
        if left.is_zero() {
            return Err(Ended::TimedOut { what: self.what.clone(), limit: self.limit });
        }
        let spread = 1.0 + JITTER * (2.0 * self.waiter.clock.jitter() - 1.0);
        let pause = self.next.mul_f64(spread).min(left);
        self.next = (self.next * 2).min(self.longest);
        tokio::select! {
            biased;
            () = self.waiter.cancelled.cancelled() => Err(self.cancelled()),
            () = self.waiter.clock.sleep(pause) => Ok(()),
        }
    }

    /// Asks until nothing is lacking any more; otherwise what was, when the time was up.
    pub async fn until_nothing_lacks<L, E: From<Ended>, F: Future<Output = Result<Option<L>, E>>>(
        self,
        lacks: impl Fn() -> F,
    ) -> Result<Option<L>, E> {
        let question = || lacks().map_ok(|lacking| lacking.map_or(Ok(()), Err));
        Ok(self.until_answered(question).await?.err())
    }

    /// Asks until there is an answer; otherwise what was lacking when the time was up.
    pub async fn until_answered<T, L, E: From<Ended>, F: Future<Output = Result<Result<T, L>, E>>>(
        mut self,
        question: impl Fn() -> F,
    ) -> Result<Result<T, L>, E> {
        loop {
            let lacking = match self.ask(question()).await?? {
                Ok(answer) => return Ok(Ok(answer)),
                Err(lacking) => lacking,
            };
            match self.pause().await {
                Err(Ended::TimedOut { .. }) => return Ok(Err(lacking)),
                ended => ended?,
            }
        }
    }

    fn cancelled(&self) -> Ended {
        Ended::Cancelled { what: self.what.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakeClock;

    const PACE: Pace = Pace::doubling(Duration::from_secs(1), Duration::from_secs(4));

    /// How often is asked within the limit, and how long it took by the clock.
    async fn asked(limit: u64, pace: Pace) -> (usize, u64, Ended) {
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        let begin = clock.instant();
        let mut wait = Waiter { clock: &clock, cancelled: &cancelled }.until("it is so", Duration::from_secs(limit), pace);
        let mut asked = 0;
        loop {
            asked += wait.ask(std::future::ready(1)).await.unwrap();
            if let Err(ended) = wait.pause().await {
                return (asked, (clock.instant() - begin).as_secs(), ended);
            }
        }
    }

    #[tokio::test]
    async fn pauses_double_and_the_last_question_is_asked_when_the_time_is_up() {
        let late = |limit| Ended::TimedOut { what: "it is so".into(), limit: Duration::from_secs(limit) };
        // At 0, 1, 3, 7, 10.
        assert_eq!(asked(10, PACE).await, (5, 10, late(10)));
        assert_eq!(asked(4, Pace::every(Duration::from_secs(2))).await, (3, 4, late(4)));
        assert_eq!(asked(0, PACE).await, (1, 0, late(0)));
        assert_eq!(late(10).to_string(), "timed out after 10 s: waited until it is so");
    }

    #[tokio::test]
    async fn a_stop_ends_a_pause_and_a_question_that_nobody_answers() {
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        clock.stop_at_pause(&cancelled);
        let waiter = Waiter { clock: &clock, cancelled: &cancelled };
        let mut wait = waiter.until("it is so", Duration::from_secs(600), PACE);
        let stopped = Ended::Cancelled { what: "it is so".into() };
        assert_eq!(wait.pause().await, Err(stopped.clone()));
        assert_eq!(wait.ask(std::future::pending::<()>()).await, Err(stopped));
    }

    #[tokio::test]
    async fn a_question_that_can_do_without_an_answer_has_its_time() {
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        let waiter = Waiter { clock: &clock, cancelled: &cancelled };
        let (begin, limit) = (clock.instant(), Duration::from_secs(3));
        assert_eq!(waiter.within(limit, std::future::ready(1)).await, Some(1));
        assert_eq!(clock.instant(), begin);
        assert_eq!(waiter.within(limit, std::future::pending::<()>()).await, None);
        assert_eq!(clock.instant() - begin, limit);
        cancelled.cancel();
        assert_eq!(waiter.within(limit, std::future::pending::<()>()).await, None);
        assert_eq!(clock.instant() - begin, limit);
    }

    #[tokio::test]
    async fn the_time_between_two_questions_is_spread() {
        for (jitter, expect) in [(0.0, 800), (0.5, 1000), (1.0, 1200)] {
            let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
            clock.set_jitter(jitter);
            let begin = clock.instant();
            let waiter = Waiter { clock: &clock, cancelled: &cancelled };
            waiter.until("it is so", Duration::from_secs(9), PACE).pause().await.unwrap();
            assert_eq!((clock.instant() - begin).as_millis(), expect);
        }
    }
}
