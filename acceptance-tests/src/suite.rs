//! Runs the scenarios of one file in their order on what they share, and reports as libtest does. Bringing a cluster up takes a
//! minute, so scenarios share one; each leaves it as it found it, and after one that failed `heal` does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

pub struct Scenario<C> {
    pub name: &'static str,
    pub run: fn(&mut C),
}

/// A list of scenarios out of functions: the promise is the function's name.
#[macro_export]
macro_rules! scenarios {
    ($($function:ident),* $(,)?) => { [$($crate::suite::Scenario { name: stringify!($function), run: $function }),*] };
}

pub trait Shared: Sized {
    /// Before the first scenario that is run.
    fn begin() -> Self;

    /// After a scenario that failed: makes what the next one expects.
    fn heal(&mut self) {}
}

struct Arguments {
    list: bool,
    filters: Vec<String>,
}

/// `first` makes what all others need: it always runs, and without it they fail.
pub fn main<C: Shared>(first: Option<Scenario<C>>, scenarios: &[Scenario<C>]) -> ExitCode {
    let arguments = Arguments::parse(std::env::args().skip(1));
    let wanted: Vec<&Scenario<C>> = scenarios.iter().filter(|scenario| arguments.is_wanted(scenario.name)).collect();
    if arguments.list {
        first.iter().chain(wanted).for_each(|scenario| println!("{}: test", scenario.name));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&Scenario<C>> = first.iter().chain(wanted).collect();
    println!("\nrunning {} tests", wanted.len());
    let began = Instant::now();
    let failed = run(&wanted, first.is_some());
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    let passed = wanted.len() - failed.len();
    let seconds = began.elapsed().as_secs_f64();
    println!("\ntest result: {result}. {passed} passed; {} failed; 0 ignored; finished in {seconds:.2}s\n", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run<C: Shared>(scenarios: &[&Scenario<C>], first_is_needed: bool) -> Vec<&'static str> {
    let Ok(mut shared) = catch_unwind(C::begin) else {
        println!("test (what all share) ... FAILED");
        return scenarios.iter().map(|scenario| scenario.name).collect();
    };
    let mut failed = Vec::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let began = Instant::now();
        println!("test {} ...", scenario.name);
        let passed = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&mut shared))).is_ok();
        let result = if passed { "ok" } else { "FAILED" };
        println!("test {} ... {result} ({:.1} s)", scenario.name, began.elapsed().as_secs_f64());
        if passed {
            continue;
        }
        failed.push(scenario.name);
        if index == 0 && first_is_needed {
            failed.extend(scenarios[1..].iter().map(|scenario| scenario.name));
            break;
        }
        // What cannot be healed shows in the scenarios that follow.
        let _ = catch_unwind(AssertUnwindSafe(|| shared.heal()));
    }
    failed
}

impl Arguments {
    /// Of libtest's arguments those that Cargo and people use: names, and `--list`.
    fn parse(arguments: impl Iterator<Item = String>) -> Arguments {
        let (options, filters): (Vec<String>, Vec<String>) = arguments.partition(|argument| argument.starts_with('-'));
        Arguments { list: options.iter().any(|option| option == "--list"), filters }
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }
}
