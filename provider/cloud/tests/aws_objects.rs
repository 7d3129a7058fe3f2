//! `docs/aws-objects.md` says of each kind what its row says: the same kinds in the same order, marks and outputs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cloud::Kind;
use std::collections::{BTreeMap, BTreeSet};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/aws-objects.md")).unwrap()
}

/// What stands in backquotes, each with what follows up to the next.
fn quoted(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    parts[1..].chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default())).collect()
}

/// First words of keys with their marks, by kind, in the order of the page.
fn keys(page: &str) -> Vec<(Kind, Vec<(String, String)>)> {
    let mut kinds: Vec<(Kind, Vec<(String, String)>)> = Vec::new();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| kind "));
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        if let Some((kind, _)) = quoted(cells[0]).first() {
            kinds.push((kind.parse().expect(kind), Vec::new()));
        }
        let of_kind = &mut kinds.last_mut().unwrap().1;
        // The first cell of a row that goes on is empty: `| | key | value |`.
        let cell = if cells[0] == "|" { cells[1] } else { cells.get(1).copied().unwrap_or_default() };
        let word = |key: &str| key.split(' ').next().unwrap_or_default().to_owned();
        of_kind.extend(quoted(cell).into_iter().map(|(key, rest)| (word(key), rest.trim_matches([' ', ',']).to_owned())));
    }
    kinds
}

fn marked(keys: &[(String, String)], mark: &str) -> BTreeSet<String> {
    keys.iter().filter(|(_, marks)| marks.split(' ').any(|other| other == mark)).map(|(key, _)| key.clone()).collect()
}

fn words(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn kinds_and_marks_are_those_of_the_table() {
    let page = page();
    let keys = keys(&page);
    assert_eq!(keys.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), Kind::all().collect::<Vec<_>>());
    for (kind, keys) in keys {
        assert_eq!(marked(&keys, "c"), words(kind.immutable()), "c of {kind}");
        assert_eq!(marked(&keys, "x"), words(kind.exclusive()), "x of {kind}");
        assert_eq!(marked(&keys, "s"), words(kind.shared()), "s of {kind}");
    }
}

#[test]
fn outputs_are_those_of_the_table() {
    let page = page();
    let sentence = page.split("Outputs: ").nth(1).unwrap().split(".\n").next().unwrap();
    let mut said: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for part in sentence.split(';') {
        let mut names = quoted(part).into_iter().map(|(name, _)| name.to_owned());
        said.insert(names.next().unwrap().parse().unwrap(), names.collect());
    }
    let offered = Kind::all().map(|kind| (kind, kind.outputs().map(str::to_owned).collect::<BTreeSet<_>>()));
    assert_eq!(said, offered.filter(|(_, outputs)| !outputs.is_empty()).collect());
}
