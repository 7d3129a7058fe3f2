//! What each of several hosts has, written so that what they have in common stands once. Item by item it is:
//!
//! ```text
//! /etc/kubernetes/node/kubelet.yaml             0644 root:root …   on every host
//! worker-2: /etc/kubernetes/node/host.env       0644 root:root …   on this host
//! worker-[4-9]: /usr/local/bin/kubelet          binary sha256:…    on these
//! ```

use crate::{HostList, HostName};
use std::collections::{BTreeMap, BTreeSet};

/// Item to what it should be, in the form of `Manifest::to_lines`; `None` while that is unknown.
pub type Lines = BTreeMap<String, Option<String>>;

/// A key of which the hosts cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot read which hosts {key:?} is about")]
pub struct ContentsError {
    key: String,
}

/// `own` are items that differ from host to host even where they are not known yet. `every` are all the hosts of the resource: what
/// all of them have alike is written without hosts. Lines are alike where they are equal, whatever a line is.
pub fn fold<L: Ord + Clone>(
    every: &BTreeSet<HostName>,
    hosts: &BTreeMap<HostName, BTreeMap<String, L>>,
    own: &BTreeSet<String>,
) -> BTreeMap<String, L> {
    let mut items: BTreeMap<&str, BTreeMap<&L, Vec<&HostName>>> = BTreeMap::new();
    for (host, lines) in hosts {
        for (item, line) in lines {
            items.entry(item).or_default().entry(line).or_default().push(host);
        }
    }
    let mut folded = BTreeMap::new();
    for (item, values) in items {
        let is_own = own.contains(item);
        for (line, hosts) in values {
            if is_own {
                folded.extend(hosts.into_iter().map(|host| (format!("{host}: {item}"), line.clone())));
            } else if hosts.len() == every.len() && hosts.iter().all(|host| every.contains(*host)) {
                folded.insert(item.to_string(), line.clone());
            } else {
                folded.insert(format!("{}: {item}", in_order(hosts)), line.clone());
            }
        }
    }
    folded
}

fn in_order(mut hosts: Vec<&HostName>) -> HostList {
    hosts.sort_by(|one, other| one.by_number(other));
    hosts.into_iter().cloned().collect()
}

/// What `fold` was given, host by host. A host without any line is none of them.
///
/// # Errors
/// When a key names hosts in another form than `fold` writes them.
pub fn unfold<'a>(
    every: &BTreeSet<HostName>,
    folded: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<BTreeMap<HostName, BTreeMap<&'a str, &'a str>>, ContentsError> {
    let mut hosts: BTreeMap<HostName, BTreeMap<&str, &str>> = BTreeMap::new();
    let mut add = |host: &HostName, item: &'a str, line: &'a str| match hosts.get_mut(host) {
        Some(lines) => drop(lines.insert(item, line)),
        None => drop(hosts.insert(host.clone(), BTreeMap::from([(item, line)]))),
    };
    for (key, line) in folded {
        match key.split_once(": ") {
            None => every.iter().for_each(|host| add(host, key, line)),
            Some((names, item)) => {
                let HostList(names) = names.parse().map_err(|_| ContentsError { key: key.clone() })?;
                names.iter().for_each(|host| add(host, item, line));
            }
        }
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<HostName> {
        names.iter().map(|name| HostName::literal(name)).collect()
    }

    /// `a=1 b=?`, where `?` is unknown.
    fn lines(text: &str) -> Lines {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(item, line)| (item.to_string(), (line != "?").then(|| line.to_string()))).collect()
    }

    #[track_caller]
    fn check(every: &[&str], hosts: &[(&str, &str)], expect: &[(&str, &str)]) {
        let every = names(every);
        let hosts: BTreeMap<_, _> = hosts.iter().map(|(host, text)| (HostName::literal(host), lines(text))).collect();
        let folded = fold(&every, &hosts, &["own".to_string()].into());
        let shown: Vec<(&str, &str)> = folded.iter().map(|(key, line)| (key.as_str(), line.as_deref().unwrap_or("?"))).collect();
        assert_eq!(shown, expect);
        if folded.values().all(Option::is_some) {
            let known: BTreeMap<String, String> = folded.into_iter().map(|(key, line)| (key, line.unwrap())).collect();
            let back = unfold(&every, &known).unwrap().into_iter();
            let back = back.map(|(host, lines)| {
                (host, lines.into_iter().map(|(item, line)| (item.to_string(), Some(line.to_string()))).collect::<Lines>())
            });
            assert_eq!(back.collect::<BTreeMap<_, _>>(), hosts);
        }
    }

    #[test]
    fn what_all_hosts_have_stands_once() {
        check(&["a", "b"], &[("a", "x=1 y=1"), ("b", "x=1 y=2")], &[("a: y", "1"), ("b: y", "2"), ("x", "1")]);
        check(&["a"], &[("a", "x=1")], &[("x", "1")]);
        check(&[], &[], &[]);
    }

    #[test]
    fn what_some_hosts_have_stands_once_for_them() {
        let hosts = ["n1", "n2", "n10", "n3", "n4", "m"];
        let all = hosts.map(|host| (host, if host == "m" || host == "n10" { "x=2" } else { "x=1" }));
        check(&hosts, &all, &[("m, n10: x", "2"), ("n[1-4]: x", "1")]);
        check(&["a", "b", "c"], &[("a", "x=1"), ("b", "x=1 y=1")], &[("a, b: x", "1"), ("b: y", "1")]);
    }

    #[test]
    fn what_is_unknown_is_one_line_unless_it_is_a_hosts_own() {
        check(&["a", "b"], &[("a", "x=? own=?"), ("b", "x=? own=?")], &[("a: own", "?"), ("b: own", "?"), ("x", "?")]);
        check(&["a", "b"], &[("a", "own=1"), ("b", "own=1")], &[("a: own", "1"), ("b: own", "1")]);
    }

    #[test]
    fn a_key_whose_hosts_cannot_be_read_is_named() {
        let folded = BTreeMap::from([("n-[2-1]: x".to_string(), "1".to_string())]);
        assert_eq!(unfold(&names(&["a"]), &folded), Err(ContentsError { key: "n-[2-1]: x".into() }));
    }
}
