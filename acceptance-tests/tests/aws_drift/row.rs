//! A row of the tables: what somebody did, what the plan says of it, and which calls undo it. Rows are checked in batches, each row by
//! its own sentence: the sentences of a plan and the calls of its apply are exactly those of the batch.

use crate::outside::Outside;
use acceptance_tests::Plan;
use acceptance_tests::aws::Account;

pub type Sentence = (String, String);

pub struct Row {
    pub what: &'static str,
    how: fn(&Outside<'_>),
    /// Object and words, with `…` for what AWS draws at random.
    says: Vec<(&'static str, &'static str)>,
    /// One for each call of the repair.
    actions: Vec<&'static str>,
    /// Calls that may be part of it, according to what is done first.
    or: Vec<&'static str>,
    /// Removes what is somebody else's, and so is there after the repair.
    clear: fn(&Outside<'_>),
}

pub fn row(what: &'static str, how: fn(&Outside<'_>), object: &'static str, says: &'static str, actions: &[&'static str]) -> Row {
    Row { what, how, says: vec![(object, says)], actions: actions.to_vec(), or: Vec::new(), clear: |_| {} }
}

impl Row {
    /// What else the plan says because of it.
    pub fn also(mut self, object: &'static str, says: &'static str) -> Row {
        self.says.push((object, says));
        self
    }

    pub fn or(mut self, actions: &[&'static str]) -> Row {
        self.or.extend(actions);
        self
    }

    pub fn clear(mut self, clear: fn(&Outside<'_>)) -> Row {
        self.clear = clear;
        self
    }
}

/// All rows at once. What is left of one batch would be a sentence too much in the next.
#[track_caller]
pub fn check(account: &Account, rows: &[Row]) {
    let outside = Outside::of(account);
    let before = account.inventory();
    rows.iter().for_each(|row| (row.how)(&outside));
    let plan = account.plan();
    account.proxy.clear_log();
    let mut problems = sentences(&plan, rows);
    apply(account);
    problems.extend(calls(account, rows));
    rows.iter().for_each(|row| (row.clear)(&outside));
    let after = account.inventory();
    problems
        .extend(before.iter().filter(|line| !after.contains(line)).map(|line| format!("after the repair there is no {line}")));
    problems
        .extend(after.iter().filter(|line| !before.contains(line)).map(|line| format!("after the repair there is also {line}")));
    if before.len() != after.len() {
        problems.push(format!("there were {} things, and there are {}", before.len(), after.len()));
    }
    rows.iter().for_each(|row| println!("    {}", row.what));
    assert!(problems.is_empty(), "\n{}\nThe plan:\n{}", problems.join("\n"), plan.text);
}

/// Applies what was planned: the plan is not made twice.
#[track_caller]
fn apply(account: &Account) {
    let mut command = account.workspace.command(None, "apply");
    account.workspace.logged(command.args(["-input=false", "-no-color", "plan.bin"]), "apply").success();
}

fn sentences(plan: &Plan, rows: &[Row]) -> Vec<String> {
    let mut shown = drift(plan);
    let mut problems = Vec::new();
    for row in rows {
        for (object, says) in &row.says {
            match shown.iter().position(|(other, words)| other == object && words == says) {
                Some(position) => _ = shown.remove(position),
                None => problems.push(format!("{}: the plan does not say of {object}: {says}", row.what)),
            }
        }
    }
    problems.extend(shown.into_iter().map(|(object, says)| format!("the plan says too much, of {object}: {says}")));
    problems
}

fn calls(account: &Account, rows: &[Row]) -> Vec<String> {
    let mut made: Vec<String> = account.proxy.mutating_calls().into_iter().map(|call| call.action).collect();
    let mut problems = Vec::new();
    for row in rows {
        for action in &row.actions {
            match made.iter().position(|other| other == action) {
                Some(position) => _ = made.remove(position),
                None => problems.push(format!("{}: the repair did not call {action}", row.what)),
            }
        }
    }
    made.retain(|action| !rows.iter().any(|row| row.or.contains(&action.as_str())));
    problems.extend(made.into_iter().map(|action| format!("the repair called {action} too")));
    problems
}

/// Of all resources.
fn drift(plan: &Plan) -> Vec<Sentence> {
    let changes = plan.json["resource_changes"].as_array().into_iter().flatten();
    let addresses = changes.filter(|change| change["mode"] == "managed").filter_map(|change| change["address"].as_str());
    let of_resource = |address: &str| plan.drift(address).into_iter().collect::<Vec<_>>();
    let all = addresses.flat_map(of_resource);
    all.flat_map(|(object, words)| words.into_iter().map(move |words| (object.clone(), without_random(&words)))).collect()
}

fn without_random(words: &str) -> String {
    words.split(' ').map(plain).collect::<Vec<_>>().join(" ")
}

/// Ids, ARNs, digests, and addresses that AWS gives.
fn plain(word: &str) -> String {
    let (bare, rest) = word.split_at(word.trim_end_matches([',', ')']).len());
    let (open, bare) = bare.split_at(bare.len() - bare.trim_start_matches('(').len());
    let is_hex = |text: &str, least: usize| text.len() >= least && text.chars().all(|character| character.is_ascii_hexdigit());
    let is_ipv6 = bare.starts_with("2400:");
    let is_ipv4 = bare.starts_with("127.") || bare.starts_with("54.");
    let label = bare.split('.').next().unwrap_or_default();
    let short = match label.rsplit_once('-') {
        Some((kind, id)) if is_hex(id, 16) => format!("{kind}-…"),
        _ if bare.starts_with("arn:") => "arn:…".to_owned(),
        _ if is_hex(bare, 32) || is_ipv6 || is_ipv4 => "…".to_owned(),
        _ => bare.to_owned(),
    };
    format!("{open}{short}{rest}")
}
