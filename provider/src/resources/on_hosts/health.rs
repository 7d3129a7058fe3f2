//! Whether units of a host are healthy: each is active since long enough, and answers to its health check where it has one. What a
//! host says is enough to tell; nothing is remembered from one look to the next.

use super::execute::StepError;
use super::fleet::Fleet;
use crate::ports::Host;
use crate::wait::{Ended, Pace};
use bundle::{Bundle, HostName, UnitName};
use machines::lines_that_matter;
use std::time::Duration;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;

/// As long as a node has for becoming Ready: kube-proxy waits for its node to register.
const LIMIT: Duration = Duration::from_secs(180);
const PACE: Pace = Pace::every(Duration::from_millis(250));
/// A unit of `Type=simple` is active as soon as it was forked. A program that does not take its flags or its configuration ends within
/// this time, in microseconds.
const STABLE: i64 = 2_000_000;
/// Of a unit that systemd had to start again.
const STABLE_AFTER_RESTART: i64 = 5_000_000;
/// ... and one that has been started again as often as no healthy unit is.
const STABLE_AFTER_MANY_RESTARTS: i64 = 120_000_000;
/// Units start again after two seconds, for ever. One that has ended so often does not come up by itself.
const MOST_RESTARTS: u32 = 10;
const PROPERTIES: &str = "Id,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestamp";
/// Systemd before 247 has no `--timestamp` and prints whole seconds (NEWS of systemd).
const TIMESTAMP: &[BorrowedFormatItem<'_>] = time::macros::format_description!(
    version = 2,
    "[weekday repr:short] [year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond digits:6]]] UTC"
);

/// Waits until all of them are healthy.
pub async fn wait_until_healthy(fleet: &Fleet, bundle: &Bundle, host: &HostName, units: &[UnitName]) -> Result<(), StepError> {
    let machine = fleet.machine(host)?;
    let began = fleet.clock.instant();
    let names = units.iter().map(UnitName::as_str).collect::<Vec<_>>().join(", ");
    let mut wait = fleet.waiter().until(format!("{names} on {host} stays up and is healthy"), LIMIT, PACE);
    loop {
        let Some(sick) = wait.ask(look(machine, bundle, units)).await?? else { return Ok(()) };
        let paused = if sick.is_hopeless { None } else { Some(wait.pause().await) };
        match paused {
            None | Some(Err(Ended::TimedOut { .. })) => {
                return Err(failure(machine, &sick, fleet.clock.instant() - began).await);
            }
            Some(paused) => paused?,
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
    let seen = see(machine, units).await?;
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

async fn see(machine: &dyn Host, units: &[UnitName]) -> Result<Seen, StepError> {
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    let what = format!("-p {PROPERTIES} -- {}", names.join(" "));
    let show = format!("systemctl show --timestamp=us+utc {what} 2>/dev/null || TZ=UTC systemctl show {what}");
    let output = machine.run(&format!("{show}; date -u +%s%6N")).await?;
    Ok(Seen::parse(&output.stdout_text()))
}

/// What systemd says, and when.
#[derive(Debug, Default)]
struct Seen {
    units: Vec<SeenUnit>,
    /// Microseconds since 1970, by the host's clock, as are the times of units.
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
                Some(("ActiveEnterTimestamp", at)) => unit.active_since = microseconds(at),
                _ => seen.now = line.trim().parse().unwrap_or(seen.now),
            }
        }
        seen.units.push(unit);
        seen
    }

    fn sick(&self, unit: &UnitName) -> Option<Sick> {
        let sick = |reason: String, is_hopeless| Some(Sick { unit: unit.clone(), reason, is_hopeless });
        let Some(seen) = self.unit(unit) else {
            return sick("systemd does not know it".into(), false);
        };
        let age = seen.active_since.map(|since| self.now - since);
        // Systemd does not forget restarts: one that ran for long enough since has had its trouble before.
        let had_trouble_before = seen.not_active().is_none() && age.is_some_and(|age| age >= STABLE_AFTER_MANY_RESTARTS);
        if seen.restarts >= MOST_RESTARTS && !had_trouble_before {
            return sick(format!("it does not stay up: systemd has started it {} times", seen.restarts), true);
        }
        if let Some(reason) = seen.not_active() {
            return sick(reason, false);
        }
        let stable = if seen.restarts == 0 { STABLE } else { STABLE_AFTER_RESTART };
        match age {
            Some(age) if age >= stable => None,
            age => sick(format!("it is up for {} s only", age.unwrap_or(0) / 1_000_000), false),
        }
    }

    fn unit(&self, name: &UnitName) -> Option<&SeenUnit> {
        self.units.iter().find(|seen| seen.id == name.as_str())
    }
}

impl SeenUnit {
    fn not_active(&self) -> Option<String> {
        let is_active = self.active_state == "active";
        (!is_active).then(|| format!("systemd says {} ({}, result {})", self.active_state, self.sub_state, self.result))
    }
}

/// `Sat 2026-11-28 16:41:00.123456 UTC`. Without a fraction it is the end of that second: nothing counts as later that may be earlier.
fn microseconds(timestamp: &str) -> Option<i64> {
    let at = PrimitiveDateTime::parse(timestamp, TIMESTAMP).ok()?.assume_utc();
    let at = i64::try_from(at.unix_timestamp_nanos() / 1000).ok()?;
    Some(if timestamp.contains('.') { at } else { at + 999_999 })
}

/// A unit that is active: since when, and when that was seen, in microseconds since 1970 by the clock of its host.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub since: i64,
    pub seen: i64,
}

/// Or why the unit does not run.
pub async fn running(machine: &dyn Host, unit: &UnitName) -> Result<Result<Running, String>, StepError> {
    let seen = see(machine, std::slice::from_ref(unit)).await?;
    let Some(found) = seen.unit(unit) else { return Ok(Err(format!("systemd does not know {unit}"))) };
    Ok(match (found.not_active(), found.active_since) {
        (Some(reason), _) => Err(format!("{unit}: {reason}")),
        (None, None) => Err(format!("{unit} never was active")),
        (None, Some(since)) => Ok(Running { since, seen: seen.now }),
    })
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

/// The lines that matter of the last that the program itself wrote, without what systemd says of it.
pub async fn last_words(machine: &dyn Host, unit: &UnitName) -> String {
    let lines = match machine.run(&format!("journalctl --no-pager -q -n 60 -o cat _SYSTEMD_UNIT={unit}")).await {
        Ok(output) => lines_that_matter(&output.stdout_text()),
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
            "Result=success\nNRestarts=0\nId=a.service\nActiveState=active\nSubState=running\nActiveEnterTimestamp=Sat 2026-11-28 16:00:00.000000 UTC\n\n\
             Result=exit-code\nNRestarts={restarts}\nId=b.service\nActiveState={state}\nSubState=auto-restart\nActiveEnterTimestamp={since}\n1795885270500000\n"
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
        // At 17:01:10.5
        check("active", 0, "Sat 2026-11-28 17:01:08.500000 UTC", None);
        check("active", 0, "Sat 2026-11-28 17:01:08.500001 UTC", Some(("it is up for 1 s only", false)));
        check("active", 1, "Sat 2026-11-28 17:01:05.500001 UTC", Some(("it is up for 4 s only", false)));
        check("active", 1, "Sat 2026-11-28 17:01:05.500000 UTC", None);
        check("active", 0, "", Some(("it is up for 0 s only", false)));
        // Of systemd before 247.
        check("active", 0, "Sat 2026-11-28 17:01:07 UTC", None);
        check("active", 0, "Sat 2026-11-28 17:01:08 UTC", Some(("it is up for 1 s only", false)));
        let restarting = "systemd says activating (auto-restart, result exit-code)";
        check("activating", 3, "Sat 2026-11-28 17:01:04.000000 UTC", Some((restarting, false)));
        let looping = "it does not stay up: systemd has started it 10 times";
        check("active", 10, "Sat 2026-11-28 17:01:04.000000 UTC", Some((looping, true)));
        check("active", 10, "Sat 2026-11-28 16:59:10.500001 UTC", Some((looping, true)));
        check("active", 10, "Sat 2026-11-28 16:59:10.500000 UTC", None);
        check("activating", 10, "Sun 2026-11-01 00:00:00.000000 UTC", Some((looping, true)));
        assert!(Seen::parse("1795885270500000\n").sick(&UnitName::literal("a.service")).is_some());
    }
}
