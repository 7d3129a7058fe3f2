//! `docs/safety.md`: each situation has a test, and the test exists.

use crate::tree::{files, nothing, read, root};
use std::collections::BTreeSet;

const FEWEST: usize = 60;

#[test]
fn every_situation_that_could_do_harm_has_a_test_that_exists() {
    let text = read(&root().join("docs/safety.md"));
    let tests = tests();
    let rows = rows(&text);
    assert!(rows.len() >= FEWEST, "{} situations", rows.len());
    nothing(rows.into_iter().filter_map(|row| unseen(row, &tests)).collect());
}

#[test]
fn a_situation_that_no_test_sees_is_found() {
    let tests = BTreeSet::from(["a_test".to_string()]);
    let unseen = |row| unseen(row, &tests).is_some();
    assert!(!unseen("| a | b | `a_test` |"));
    assert!(unseen("| a | b | `a_test`, `another` |"));
    assert!(unseen("| a | b | |"));
}

/// Of all tables, without their heads.
fn rows(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| line.starts_with("| "));
    lines.filter(|line| !line.starts_with("| situation |")).collect()
}

/// What is wrong with a row.
fn unseen(row: &str, tests: &BTreeSet<String>) -> Option<String> {
    let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    let is_seen = !named.is_empty() && named.iter().all(|name| tests.contains(*name));
    (!is_seen).then(|| format!("no such test: {cell} of {row}"))
}

/// The names of all functions of all tests: those of the lab are no `#[test]`.
fn tests() -> BTreeSet<String> {
    let name = |line: &str| {
        let (_, rest) = line.trim_start().split_once("fn ").filter(|(before, _)| ["", "async ", "pub "].contains(before))?;
        Some(rest.split(['(', '<']).next()?.to_string())
    };
    files(&root(), ".rs").iter().flat_map(|path| read(path).lines().filter_map(name).collect::<Vec<_>>()).collect()
}
