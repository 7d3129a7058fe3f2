//! Hosts that are still booting: another resource may have made them seconds ago. A host that is new to a resource is waited for, up to
//! five minutes; one that was there before is not.

use crate::ports::{Host, World};
use crate::progress::Progress;
use crate::wait::{Ended, Pace, Waiter};
use machines::{MachineError, Target};
use std::sync::Arc;
use std::time::Duration;

/// As long as the engines' own provisioners wait for a connection
/// (https://developer.hashicorp.com/terraform/language/resources/provisioners/connection, `timeout`).
pub const LIMIT: Duration = Duration::from_secs(300);
const PACE: Pace = Pace::doubling(Duration::from_secs(1), Duration::from_secs(10));
/// `initializing` or `starting` until every unit of the boot has started, which is also when cloud-init is done. See systemctl(1).
const STATE: &str = "systemctl is-system-running";

/// Connects once the host has booted. When the time is up: the last error, or the host as it is, for some never are done with it.
pub async fn connect(
    world: &dyn World,
    target: &Target,
    waiter: Waiter<'_>,
    progress: &Progress,
) -> Result<Arc<dyn Host>, MachineError> {
    let mut wait = waiter.until(format!("{} has booted", target.name), LIMIT, PACE);
    let mut is_said = false;
    loop {
        let Ok(answer) = wait.ask(look(world, target)).await else { return Err(stopped(target)) };
        let why = match &answer {
            Ok(Seen { is_booting: true, .. }) => "systemd has not started everything yet".to_string(),
            Err(error) if error.may_be_booting() => error.summary(),
            _ => return answer.map(|seen| seen.host),
        };
        if !is_said {
            progress.line(&format!("{}: waiting until it has booted: {why}", target.name));
            is_said = true;
        }
        match wait.pause().await {
            Ok(()) => {}
            Err(Ended::TimedOut { .. }) => return answer.map(|seen| seen.host),
            Err(Ended::Cancelled { .. }) => return Err(stopped(target)),
        }
    }
}

struct Seen {
    host: Arc<dyn Host>,
    is_booting: bool,
}

async fn look(world: &dyn World, target: &Target) -> Result<Seen, MachineError> {
    let host = world.connect(target).await?;
    let state = host.run(STATE).await?.stdout_text();
    let is_booting = ["initializing", "starting"].contains(&state.trim());
    Ok(Seen { host, is_booting })
}

fn stopped(target: &Target) -> MachineError {
    MachineError::Stopped { host: target.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{FakeClock, FakeWorld};
    use crate::ports::Clock;
    use bundle::HostName;
    use machines::KnownHosts;
    use tokio_util::sync::CancellationToken;

    fn target() -> Target {
        Target::new(HostName::literal("cp-1"), "192.0.2.1", "root", KnownHosts::Lines(String::new()))
    }

    /// Whether it was reached, and after how many seconds.
    async fn reached(refusals: u32, startings: u32) -> (bool, u64) {
        let (world, _stops) = FakeWorld::new();
        world.change_host("cp-1", |memory| (memory.refusals, memory.startings) = (refusals, startings));
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        let begin = clock.instant();
        let waiter = Waiter { clock: &clock, cancelled: &cancelled };
        let host = connect(&world, &target(), waiter, &Progress::new(None)).await;
        (host.is_ok(), (clock.instant() - begin).as_secs())
    }

    #[tokio::test]
    async fn a_host_that_boots_is_reached_once_it_is_up() {
        assert_eq!(reached(0, 0).await, (true, 0));
        // 1 + 2 + 4 s.
        assert_eq!(reached(2, 1).await, (true, 7));
    }

    #[tokio::test]
    async fn a_host_that_never_answers_is_an_error_and_one_that_never_is_done_is_taken_as_it_is() {
        assert_eq!(reached(u32::MAX, 0).await, (false, LIMIT.as_secs()));
        assert_eq!(reached(0, u32::MAX).await, (true, LIMIT.as_secs()));
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let (world, _stops) = FakeWorld::new();
        world.change_host("cp-1", |memory| memory.refusals = u32::MAX);
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        clock.stop_at_pause(&cancelled);
        let waiter = Waiter { clock: &clock, cancelled: &cancelled };
        let (target, progress) = (target(), Progress::new(None));
        let wait = connect(&world, &target, waiter, &progress);
        let ended = tokio::time::timeout(Duration::from_secs(2), wait).await.unwrap();
        assert!(matches!(ended, Err(MachineError::Stopped { .. })));
    }
}
