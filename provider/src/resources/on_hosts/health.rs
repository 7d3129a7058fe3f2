//! Whether units of a host are healthy: each is active since long enough, and answers to its health check where it has one. What a
//! host says is enough to tell; nothing is remembered from one look to the next.

use super::execute::StepError;
use super::fleet::Fleet;
use crate::ports::Host;
use bundle::{Bundle, HostName, UnitName};
use std::time::{Duration, Instant};
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;

/// As long as a node has for becoming Ready: kube-proxy waits for its node to register.
const LIMIT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(250);
/// A unit of `Type=simple` is active as soon as it was forked. A program that does not take its flags or its configuration ends within
/// this time. Both times that are compared are whole seconds, which costs one.
const STABLE_SECONDS: i64 = 3;
/// Of a unit that systemd had to start again.
const STABLE_SECONDS_AFTER_RESTART: i64 = 6;
/// Units start again after two seconds, for ever. One that has ended so often does not come up by itself.
const MOST_RESTARTS: u32 = 10;
const PROPERTIES: &str = "Id,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestamp";
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    time::macros::format_description!("[weekday repr:short] [year]-[month]-[day] [hour]:[minute]:[second] UTC");

/// Waits until all of them are healthy.
pub async fn wait_until_healthy(fleet: &Fleet, bundle: &Bundle, host: &HostName, units: &[UnitName]) -> Result<(), StepError> {
    let machine = fleet.machine(host)?;
    let began = Instant::now();
    loop {
        let Some(sick) = look(machine, bundle, units).await? else { return Ok(()) };
        if fleet.cancelled.is_cancelled() {
            return Err(StepError::Cancelled(format!("{host}: {} is healthy", sick.unit)));
        }
        if sick.is_hopeless || began.elapsed() > LIMIT {
            return Err(failure(machine, &sick, began.elapsed()).await);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = fleet.cancelled.cancelled() => {}
        }
    }
}

/// A unit that is not healthy, and why.
struct Sick {
    unit: UnitName,
    reason: String,
    /// Waiting does not help.
    is_hopeless: bool,
}

/// The first unit that is not healthy. Health checks are asked once every unit stays up.
async fn look(machine: &dyn Host, bundle: &Bundle, units: &[UnitName]) -> Result<Option<Sick>, StepError> {
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    let output = machine.run(&format!("TZ=UTC systemctl show -p {PROPERTIES} -- {}; date -u +%s", names.join(" "))).await?;
    let seen = Seen::parse(&output.stdout_text());
    if let Some(sick) = units.iter().filter_map(|unit| seen.sick(unit)).max_by_key(|sick| sick.is_hopeless) {
        return Ok(Some(sick));
    }
    let checks = units.iter().filter_map(|unit| Some((unit, bundle.units.get(unit)?.health_check.as_deref()?)));
    let answers = checks.map(|(unit, check)| async move { (unit, machine.run(check).await) });
    for (unit, answer) in futures::future::join_all(answers).await {
        let answer = answer?;
        if !answer.is_success() {
            let text = answer.stderr_text();
            let reason = format!("its health check fails: {}", text.lines().last().unwrap_or("it gave no reason"));
            return Ok(Some(Sick { unit: unit.clone(), reason, is_hopeless: false }));
        }
    }
    Ok(None)
}

/// What systemd says, and when.
#[derive(Debug, Default)]
struct Seen {
    units: Vec<SeenUnit>,
    /// Seconds since 1970, by the host's clock, as are the times of units.
    now: i64,
}

#[derive(Debug, Default, PartialEq)]
struct SeenUnit {
    id: String,
    active_state: String,
    sub_state: String,
    result: String,
    /// How often systemd has started it again since somebody last started it. Our starts set it to 0.
    restarts: u32,
    /// `None` when it never was active.
    active_since: Option<i64>,
}

impl Seen {
    /// Paragraphs of `systemctl show`, then the time.
    fn parse(text: &str) -> Seen {
        let mut seen = Seen::default();
        let mut unit = SeenUnit::default();
        for line in text.lines() {
            match line.split_once('=') {
                None if line.is_empty() => seen.units.push(std::mem::take(&mut unit)),
                Some(("Id", id)) => unit.id = id.into(),
                Some(("ActiveState", state)) => unit.active_state = state.into(),
                Some(("SubState", state)) => unit.sub_state = state.into(),
                Some(("Result", result)) => unit.result = result.into(),
                Some(("NRestarts", count)) => unit.restarts = count.parse().unwrap_or(0),
                Some(("ActiveEnterTimestamp", at)) => unit.active_since = seconds(at),
                _ => seen.now = line.trim().parse().unwrap_or(seen.now),
            }
        }
        seen.units.push(unit);
        seen
    }

    fn sick(&self, unit: &UnitName) -> Option<Sick> {
        let sick = |reason: String, is_hopeless| Some(Sick { unit: unit.clone(), reason, is_hopeless });
        let Some(seen) = self.units.iter().find(|seen| seen.id == unit.as_str()) else {
            return sick("systemd does not know it".into(), false);
        };
        if seen.restarts >= MOST_RESTARTS {
            return sick(format!("it does not stay up: systemd has started it {} times", seen.restarts), true);
        }
        if seen.active_state != "active" {
            return sick(format!("systemd says {} ({}, result {})", seen.active_state, seen.sub_state, seen.result), false);
        }
        let stable = if seen.restarts == 0 { STABLE_SECONDS } else { STABLE_SECONDS_AFTER_RESTART };
        match seen.active_since.map(|since| self.now - since) {
            Some(age) if age >= stable => None,
            age => sick(format!("it is up for {} s only", age.unwrap_or(0)), false),
        }
    }
}

/// `Sat 2026-11-28 16:41:00 UTC`, as systemd prints it with `TZ=UTC`.
fn seconds(timestamp: &str) -> Option<i64> {
    Some(PrimitiveDateTime::parse(timestamp, TIMESTAMP).ok()?.assume_utc().unix_timestamp())
}

/// When the unit became active, in seconds since 1970 by the clock of its host; `None` when it never did.
pub async fn active_since(machine: &dyn Host, unit: &UnitName) -> Result<Option<i64>, StepError> {
    let output = machine.run(&format!("TZ=UTC systemctl show -p ActiveEnterTimestamp --value -- {unit}")).await?;
    Ok(seconds(output.stdout_text().trim()))
}

async fn failure(machine: &dyn Host, sick: &Sick, waited: Duration) -> StepError {
    let (host, unit) = (machine.name(), &sick.unit);
    StepError::Gate {
        summary: format!("unit {unit} on {host} is not healthy after {} s", waited.as_secs()),
        detail: format!(
            "{}.{}\n\nLook at `journalctl -u {unit}` there.",
            capitalised(&sick.reason),
            last_words(machine, unit).await
        ),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The last lines that the program itself wrote, without what systemd says of it.
pub async fn last_words(machine: &dyn Host, unit: &UnitName) -> String {
    let lines = match machine.run(&format!("journalctl --no-pager -q -n 3 -o cat _SYSTEMD_UNIT={unit}")).await {
        Ok(output) => output.stdout_text().trim().to_string(),
        Err(_) => String::new(),
    };
    if lines.is_empty() { String::new() } else { format!(" Its last lines:\n{lines}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 257 prints it for two units and the time.
    fn text(state: &str, restarts: u32, since: &str) -> String {
        format!(
            "Result=success\nNRestarts=0\nId=a.service\nActiveState=active\nSubState=running\nActiveEnterTimestamp=Sat 2026-11-28 16:00:00 UTC\n\n\
             Result=exit-code\nNRestarts={restarts}\nId=b.service\nActiveState={state}\nSubState=auto-restart\nActiveEnterTimestamp={since}\n1795885270\n"
        )
    }

    #[track_caller]
    fn check(state: &str, restarts: u32, since: &str, expect: Option<(&str, bool)>) {
        let seen = Seen::parse(&text(state, restarts, since));
        assert!(seen.sick(&UnitName::literal("a.service")).is_none());
        let sick = seen.sick(&UnitName::literal("b.service")).map(|sick| (sick.reason, sick.is_hopeless));
        assert_eq!(sick.as_ref().map(|(reason, hopeless)| (reason.as_str(), *hopeless)), expect);
    }

    #[test]
    fn each_unit_must_be_up_and_stay_so() {
        // 17:01:10 UTC
        check("active", 0, "Sat 2026-11-28 17:01:07 UTC", None);
        check("active", 0, "Sat 2026-11-28 17:01:08 UTC", Some(("it is up for 2 s only", false)));
        check("active", 1, "Sat 2026-11-28 17:01:05 UTC", Some(("it is up for 5 s only", false)));
        check("active", 1, "Sat 2026-11-28 17:01:04 UTC", None);
        check("active", 0, "", Some(("it is up for 0 s only", false)));
        let restarting = "systemd says activating (auto-restart, result exit-code)";
        check("activating", 3, "Sat 2026-11-28 17:01:04 UTC", Some((restarting, false)));
        check("active", 10, "Sat 2026-11-28 17:01:04 UTC", Some(("it does not stay up: systemd has started it 10 times", true)));
        assert!(Seen::parse("1795885270\n").sick(&UnitName::literal("a.service")).is_some());
    }
}
