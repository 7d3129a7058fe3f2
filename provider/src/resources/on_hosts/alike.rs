//! What is the same in all of several renderings of one resource: known, whichever of them comes true. What differs is unknown. Pure.

use bundle::{Bundle, Content, Digest, HostName, HostPath};
use schema::Value;
use std::collections::{BTreeMap, BTreeSet};

type Bundles = BTreeMap<HostName, Bundle>;
/// The file of one host: whether it differs from rendering to rendering, and its digest in one of them.
type Copy = (bool, Option<Digest>);

/// `None` where they differ in more than contents of files, so that nothing can be said of them.
pub fn bundles(all: &[Bundles]) -> Option<Bundles> {
    let (first, others) = all.split_first()?;
    let mut alike = first.clone();
    let mut differ: BTreeMap<HostPath, BTreeSet<HostName>> = BTreeMap::new();
    for other in others {
        if !first.keys().eq(other.keys()) {
            return None;
        }
        for (host, bundle) in first {
            let paths = differing_files(bundle, other.get(host)?)?;
            for path in paths {
                differ.entry(path).or_default().insert(host.clone());
            }
        }
    }
    for (path, hosts) in &differ {
        let is_own = is_own(path, hosts, all)?;
        for (host, bundle) in &mut alike {
            if let Some(file) = bundle.files.get_mut(path).filter(|_| hosts.contains(host)) {
                file.content = Content::unknown();
            }
            if is_own && bundle.files.contains_key(path) {
                bundle.own.insert(path.clone());
            }
        }
    }
    Some(alike)
}

/// `None` when not only contents differ.
fn differing_files(one: &Bundle, other: &Bundle) -> Option<Vec<HostPath>> {
    let is_same_but_for_contents = same(&one.files, &other.files, |file| (file.mode, &file.owner))
        && same(&one.binaries, &other.binaries, |binary| (&binary.sha256, &binary.member))
        && same(&one.units, &other.units, |unit| (&unit.reads, unit.traits, unit.serves.keys().collect::<Vec<_>>()))
        && (&one.modules, &one.sysctls, &one.own) == (&other.modules, &other.sysctls, &other.own);
    let differing = || one.files.iter().zip(other.files.values()).filter(|((_, file), other)| file.content != other.content);
    is_same_but_for_contents.then(|| differing().map(|((path, _), _)| path.clone()).collect())
}

fn same<'a, K: Ord, V, P: PartialEq>(one: &'a BTreeMap<K, V>, other: &'a BTreeMap<K, V>, part: impl Fn(&'a V) -> P) -> bool {
    one.keys().eq(other.keys()) && one.values().map(&part).eq(other.values().map(&part))
}

/// Whether each host has a line of its own for the file, as the state holds it. `None` when that depends on what it will be.
fn is_own(path: &HostPath, hosts: &BTreeSet<HostName>, all: &[Bundles]) -> Option<bool> {
    let digests = |bundles: &Bundles| -> Vec<Copy> {
        let having = bundles.iter().filter_map(|(host, bundle)| Some((host, bundle.files.get(path)?)));
        having.map(|(host, file)| (hosts.contains(host), file.content.digest().cloned())).collect()
    };
    let all: Vec<_> = all.iter().map(digests).collect();
    let distinct = |of: &[Copy]| of.iter().map(|(_, digest)| digest).collect::<BTreeSet<_>>().len();
    let each = |holds: &dyn Fn(&[Copy]) -> bool| all.iter().all(|digests| holds(digests));
    // Of a single host as well, which differs from no other.
    if each(&|of| distinct(of) == 1 && of.iter().all(|(differs, _)| *differs)) {
        return Some(false);
    }
    if each(&|of| distinct(of) == of.len()) {
        return Some(true);
    }
    let is_on_one_host = hosts.len() == 1
        && each(&|of| {
            let one = of.iter().find(|(differs, _)| *differs);
            of.iter().filter(|(differs, digest)| !differs && Some(digest) == one.map(|(_, digest)| digest)).count() == 0
        });
    is_on_one_host.then_some(false)
}

/// Part by part; what differs as a whole is unknown as a whole.
pub fn values<'a>(mut all: impl Iterator<Item = &'a Value>) -> Value {
    let Some(first) = all.next() else { return Value::Unknown };
    all.fold(first.clone(), |alike, other| both(&alike, other))
}

fn both(one: &Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Map(entries), Value::Map(others)) if entries.keys().eq(others.keys()) => {
            let pairs = entries.iter().zip(others.values());
            Value::Map(pairs.map(|((name, one), other)| (name.clone(), both(one, other))).collect())
        }
        (Value::List(items), Value::List(others)) if items.len() == others.len() => {
            Value::List(items.iter().zip(others).map(|(one, other)| both(one, other)).collect())
        }
        _ if one == other => one.clone(),
        _ => Value::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::File;

    /// Contents of `/x` on hosts a, b, ….
    fn rendered(contents: &[&str]) -> Bundles {
        let bundle = |content: &str| {
            let mut bundle = Bundle::default();
            bundle.files.insert(HostPath::literal("/x"), File::public(content));
            bundle.files.insert(HostPath::literal("/same"), File::public("same"));
            bundle
        };
        let names = ["a", "b", "c"].map(HostName::literal);
        names.into_iter().zip(contents).map(|(name, content)| (name, bundle(content))).collect()
    }

    /// Hosts whose `/x` is unknown, and whether each has a line of its own.
    #[track_caller]
    fn check(all: &[&[&str]], expect: Option<(&[&str], bool)>) {
        let alike = bundles(&all.iter().map(|contents| rendered(contents)).collect::<Vec<_>>());
        let found = alike.map(|alike| {
            let unknown = |bundle: &&Bundle| bundle.unknown_files().next().is_some();
            let hosts: Vec<String> =
                alike.iter().filter(|(_, bundle)| unknown(bundle)).map(|(host, _)| host.to_string()).collect();
            (hosts, alike.values().any(|bundle| !bundle.own.is_empty()))
        });
        assert_eq!(found, expect.map(|(hosts, own)| (hosts.iter().map(ToString::to_string).collect(), own)));
    }

    #[test]
    fn what_differs_is_unknown_and_written_as_it_will_be() {
        check(&[&["1", "1", "1"], &["1", "1", "1"]], Some((&[], false)));
        check(&[&["1", "1", "1"], &["2", "2", "2"]], Some((&["a", "b", "c"], false)));
        check(&[&["1"], &["2"]], Some((&["a"], false)));
        check(&[&["1", "2", "3"], &["4", "5", "6"]], Some((&["a", "b", "c"], true)));
        check(&[&["1", "1", "2"], &["1", "1", "3"]], Some((&["c"], false)));
        check(&[&["1", "2", "3"], &["1", "2", "4"]], Some((&["c"], true)));
    }

    #[test]
    fn nothing_is_said_where_lines_may_fold_in_two_ways() {
        check(&[&["1", "2", "2"], &["1", "3", "3"]], None);
        check(&[&["1", "1", "1"], &["1", "1", "2"]], None);
        check(&[&["1", "2"], &["1"]], None);
    }

    #[test]
    fn values_are_unknown_in_the_parts_that_differ() {
        let value =
            |address: &str, port: i64| Value::object([("address", address.into()), ("ports", vec![Value::from(port)].into())]);
        let alike = values([value("a", 1), value("b", 1)].iter());
        assert_eq!(alike, Value::object([("address", Value::Unknown), ("ports", vec![Value::from(1_i64)].into())]));
        assert_eq!(values([Value::from("a"), Value::Null].iter()), Value::Unknown);
    }
}
