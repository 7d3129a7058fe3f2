//! The provider is killed just before and just after calls that change something on AWS, one run for each call; one more run then ends
//! where an undisturbed one would, and nothing is there twice or left behind. Variables: `AWS_KILLS` (how many calls of each
//! operation are tried, spread over it evenly: 2; `all` for every one), `ENGINE`.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::aws::{Account, Fault, Moment};
use acceptance_tests::suite::{Shared, main as run};
use acceptance_tests::{Engine, assert_same, scenarios};
use serde_json::json;
use std::process::ExitCode;

const EXAMPLES: [&str; 2] = ["aws-dual-stack", "aws-private-proxy"];
const SEED: u64 = 7;

struct Interrupted {
    accounts: Vec<Account>,
}

impl Shared for Interrupted {
    fn begin() -> Self {
        let engine = Engine::first();
        let account = |example: &&str| Account::of_example(&engine, example, &format!("{example}-interrupted"));
        Interrupted { accounts: EXAMPLES.iter().map(account).collect() }
    }

    fn heal(&mut self) {
        self.accounts.iter_mut().for_each(Account::reset);
    }
}

fn main() -> ExitCode {
    let scenarios = scenarios![
        a_create_survives_a_kill_at_any_call,
        an_update_survives_a_kill_at_any_call,
        a_destroy_survives_a_kill_at_any_call,
        throttling_and_errors_delay_and_break_nothing,
        a_lost_answer_makes_nothing_twice,
    ];
    run::<Interrupted>(None, &scenarios)
}

fn a_create_survives_a_kill_at_any_call(all: &mut Interrupted) {
    for account in &mut all.accounts {
        account.reset();
        account.apply();
        let (expect, calls) = (account.inventory(), account.proxy.mutating_calls().len());
        for (at, moment) in moments(calls) {
            account.reset();
            let killed = account.killed("apply", at, moment);
            account.proxy.clear_log();
            account.apply();
            assert_same(&account.inventory(), &expect);
            account.plan().is_empty();
            tell("create", at, calls, moment, killed);
        }
        account.destroy();
        assert_same(&account.inventory(), &[]);
    }
}

/// Another zone, and no NAT gateway but one: objects come, change and go.
fn an_update_survives_a_kill_at_any_call(all: &mut Interrupted) {
    let account = &mut all.accounts[0];
    account.reset();
    account.apply();
    account.proxy.clear_log();
    change(account, true);
    account.apply();
    let (expect, calls) = (account.inventory(), account.proxy.mutating_calls().len());
    for (at, moment) in moments(calls) {
        account.reset();
        change(account, false);
        account.apply();
        change(account, true);
        let killed = account.killed("apply", at, moment);
        account.apply();
        assert_same(&account.inventory(), &expect);
        account.plan().is_empty();
        tell("update", at, calls, moment, killed);
    }
    account.destroy();
    assert_same(&account.inventory(), &[]);
    change(account, false);
}

fn a_destroy_survives_a_kill_at_any_call(all: &mut Interrupted) {
    for account in &mut all.accounts {
        account.reset();
        account.apply();
        account.proxy.clear_log();
        account.destroy();
        let calls = account.proxy.mutating_calls().len();
        for (at, moment) in moments(calls) {
            account.reset();
            account.apply();
            let killed = account.killed("destroy", at, moment);
            account.destroy();
            assert_same(&account.inventory(), &[]);
            tell("destroy", at, calls, moment, killed);
        }
    }
}

/// With three throttled calls of ten, a provider that respects them takes its time: the smaller example is enough.
fn throttling_and_errors_delay_and_break_nothing(all: &mut Interrupted) {
    for account in &mut all.accounts[1..] {
        account.reset();
        account.apply();
        let expect = account.inventory();
        account.destroy();
        account.reset();
        account.proxy.fail_randomly(SEED, &[(Fault::Throttle, 0.3), (Fault::InternalError, 0.05)]);
        account.apply();
        assert_same(&account.inventory(), &expect);
        account.destroy();
        account.proxy.no_faults();
        assert_same(&account.inventory(), &[]);
    }
}

fn a_lost_answer_makes_nothing_twice(all: &mut Interrupted) {
    for account in &mut all.accounts {
        account.reset();
        account.apply();
        let expect = account.inventory();
        account.destroy();
        account.reset();
        account.proxy.fail_randomly(SEED, &[(Fault::DropAfter, 0.1), (Fault::DropBefore, 0.1)]);
        account.apply();
        account.proxy.no_faults();
        assert_same(&account.inventory(), &expect);
        account.plan().is_empty();
        account.destroy();
        assert_same(&account.inventory(), &[]);
    }
}

fn change(account: &Account, changed: bool) {
    let zones = if changed { json!(["us-east-1a", "us-east-1b", "us-east-1c"]) } else { json!(["us-east-1a", "us-east-1b"]) };
    let nat = if changed { "single" } else { "per_zone" };
    account.set(json!({ "zones": zones, "nat_mode": nat, "api_servers": if changed { vec!["10.0.0.10"] } else { vec![] } }));
}

/// Which calls are tried: all, or so many of them, before and after in turn.
fn moments(calls: usize) -> Vec<(usize, Moment)> {
    let wanted = std::env::var("AWS_KILLS").unwrap_or_else(|_| "2".into());
    if wanted == "all" {
        return (1..=calls).flat_map(|at| [(at, Moment::Before), (at, Moment::After)]).collect();
    }
    let wanted: usize = wanted.parse().unwrap();
    let at = |index: usize| 1 + index * (calls - 1) / wanted.max(2).saturating_sub(1);
    let moment = |index: usize| if index.is_multiple_of(2) { Moment::After } else { Moment::Before };
    (0..wanted).map(|index| (at(index).min(calls), moment(index))).collect()
}

fn tell(operation: &str, at: usize, calls: usize, moment: Moment, killed: bool) {
    let outcome = if killed { "" } else { ": it had ended before" };
    println!("    {operation}: killed {moment:?} call {at} of {calls}{outcome}");
}
