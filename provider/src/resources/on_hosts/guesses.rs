//! Values in place of those that are not known yet, so that a plan can tell what does not depend on them: the same is rendered with others
//! each time, and what comes out alike is known. There is a guess only where every value leads to the same files and units, whatever it is;
//! of others, such as a version, nothing is known without them. Nor is a whole object guessed: what it leaves out decides as well. Pure.

use schema::Value;
use std::collections::BTreeMap;

/// How often all are guessed: with one family, with others of that family, and with the other one; and with each form in which a flag may be
/// read.
pub const TIMES: usize = 5;

const COMPONENTS: [&str; 4] = ["etcd", "api_server", "controller_manager", "scheduler"];

/// Which unknown values are guessed, by their paths.
pub struct Guesses(BTreeMap<Vec<String>, usize>);

impl Guesses {
    /// `None` when there is nothing to guess.
    pub fn of(values: &Value) -> Option<Guesses> {
        let mut paths = Vec::new();
        find(values, &mut Vec::new(), &mut paths);
        let guesses: BTreeMap<Vec<String>, usize> = paths.into_iter().zip(1..).collect();
        (!guesses.is_empty()).then_some(Guesses(guesses))
    }

    /// The values with all guesses in their places. What nobody guesses stays unknown.
    pub fn fill(&self, values: &Value, time: usize) -> Value {
        self.filled(values, &mut Vec::new(), time)
    }

    fn filled(&self, value: &Value, path: &mut Vec<String>, time: usize) -> Value {
        match value {
            Value::Unknown => match self.0.get(path) {
                Some(place) => {
                    guess(&path.iter().map(String::as_str).collect::<Vec<_>>(), *place, time).unwrap_or(Value::Unknown)
                }
                None => Value::Unknown,
            },
            Value::Map(entries) => {
                let entry = |(name, value): (&String, &Value)| (name.clone(), self.below(value, name.clone(), path, time));
                Value::Map(entries.iter().map(entry).collect())
            }
            Value::List(items) => {
                let item = |(index, value): (usize, &Value)| self.below(value, index.to_string(), path, time);
                Value::List(items.iter().enumerate().map(item).collect())
            }
            other => other.clone(),
        }
    }

    fn below(&self, value: &Value, step: String, path: &mut Vec<String>, time: usize) -> Value {
        path.push(step);
        let filled = self.filled(value, path, time);
        path.pop();
        filled
    }
}

fn find(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut below = |value: &Value, step: String| {
        path.push(step);
        find(value, path, found);
        path.pop();
    };
    match value {
        Value::Map(entries) => entries.iter().for_each(|(name, value)| below(value, name.clone())),
        Value::List(items) => items.iter().enumerate().for_each(|(index, value)| below(value, index.to_string())),
        Value::Unknown => {
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            if guess(&steps, 1, 0).is_some() {
                found.push(path.clone());
            }
        }
        _ => {}
    }
}

/// `place`: no two values of one resource are alike.
fn guess(path: &[&str], place: usize, time: usize) -> Option<Value> {
    let text = format!("not-known-yet-{place}-{time}");
    Some(match path {
        ["hosts", _, "address"] | ["cluster", "control_plane", _, "address"] => address(place, time),
        ["hosts", _, "secondary_address"] => secondary(place, time),
        // What hosts have of their own may turn out to be alike, or nothing: then other lines stand in the state. No file has an annotation.
        ["hosts", _, "annotations"] | ["hosts", _, "annotations", _] => return of_a_node(&path[2..], place, time),
        [component, "flags", _] if COMPONENTS.contains(component) => flag(text, place, time),
        ["flags", _] => flag(text, place, time),
        ["api_server", "audit_policy"] => format!("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n# {text}\n").into(),
        ["listeners", _, "backends", _] => match address(place, time).as_str() {
            Some(address) if address.contains(':') => format!("[{address}]:6443").into(),
            address => format!("{}:6443", address.unwrap_or_default()).into(),
        },
        ["registry_mirrors"] if time == 0 => Value::object([]),
        ["registry_mirrors"] => Value::object([("registry.test", format!("https://{text}.test").into())]),
        ["registry_mirrors", _] => format!("https://{text}.test").into(),
        // With a name of its own, the unit is another one.
        ["kube_proxy_config"] if time == 1 => "{\"hostnameOverride\":\"not-known-yet\"}".into(),
        ["kube_proxy_config"] => format!("{{\"oomScoreAdj\":{}}}", place * TIMES + time).into(),
        of_a_node_group => return of_a_node(of_a_node_group, place, time),
    })
}

/// What a group says of its nodes. An annotation is in no file.
fn of_a_node(path: &[&str], place: usize, time: usize) -> Option<Value> {
    let text = format!("not-known-yet-{place}-{time}");
    Some(match path {
        ["labels"] | ["annotations"] | ["kubelet_flags"] if time == 0 => Value::object([]),
        ["taints"] if time == 0 => Value::List(Vec::new()),
        ["labels"] | ["annotations"] => Value::object([("example.test/not-known-yet", text.into())]),
        ["labels", _] | ["annotations", _] | ["taints", _, "value"] => text.into(),
        ["taints"] => {
            let taint = [("key", "example.test/not-known-yet".into()), ("value", text.into()), ("effect", "NoSchedule".into())];
            Value::List(vec![Value::object(taint)])
        }
        ["kubelet_flags"] => Value::object([("v", text.into())]),
        ["kubelet_flags", _] => flag(text, place, time),
        ["kubelet_config"] => format!("{{\"podPidsLimit\":{}}}", 1000 + place * TIMES + time).into(),
        _ => return None,
    })
}

/// Where other files are made of a flag, it is read as a port, a URL, an address or a path: then something differs.
fn flag(text: String, place: usize, time: usize) -> Value {
    let port = 20_000 + place % 10_000;
    match time {
        0 => text.into(),
        1 => port.to_string().into(),
        2 => format!("https://198.19.255.1:{port}").into(),
        3 => format!("/{text}").into(),
        _ => format!("198.19.{}.{}", 192 + place / 250, place % 250 + 1).into(),
    }
}

/// Of networks for benchmarks and documentation (RFC 2544, RFC 3849), which no host has.
fn address(place: usize, time: usize) -> Value {
    match time {
        0 | 1 => format!("198.{}.{}.{}", 18 + time, place / 250, place % 250 + 1).into(),
        _ => format!("2001:db8:ffff:{time}::{place:x}").into(),
    }
}

/// There may be none.
fn secondary(place: usize, time: usize) -> Value {
    match time {
        0 => Value::Null,
        1 => format!("2001:db8:fffe::{place:x}").into(),
        _ => format!("198.{}.{}.{}", 18 + time % 2, 128 + place / 250, place % 250 + 1).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(address: Value, flag: Value, version: Value) -> Value {
        let host = |address: Value| Value::object([("address", address)]);
        Value::object([
            ("hosts", Value::object([("a", host(address.clone())), ("b", host(address)), ("c", host("192.0.2.3".into()))])),
            ("api_server", Value::object([("flags", Value::object([("v", flag)]))])),
            ("kubernetes_version", version),
        ])
    }

    #[test]
    fn what_is_unknown_gets_another_value_each_time_and_in_each_place() {
        let unknown = values(Value::Unknown, Value::Unknown, "1.36.3".into());
        let guesses = Guesses::of(&unknown).unwrap();
        let filled: Vec<Value> = (0..TIMES).map(|time| guesses.fill(&unknown, time)).collect();
        let at = |values: &Value, host: &str| values.get("hosts").get(host).get("address").as_str().unwrap().to_string();
        let mut addresses: Vec<String> = filled.iter().flat_map(|values| [at(values, "a"), at(values, "b")]).collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 2 * TIMES);
        assert!(filled.iter().all(|values| values.is_wholly_known() && at(values, "c") == "192.0.2.3"));
    }

    #[test]
    fn what_decides_which_files_there_are_is_not_guessed() {
        let unknown = values("192.0.2.1".into(), "4".into(), Value::Unknown);
        assert!(Guesses::of(&unknown).is_none());
        let unknown = values("192.0.2.1".into(), Value::Unknown, Value::Unknown);
        assert!(Guesses::of(&unknown).unwrap().fill(&unknown, 0).get("kubernetes_version").is_unknown());
        for name in ["hosts", "api_server", "network"] {
            assert!(Guesses::of(&Value::object([(name, Value::Unknown)])).is_none());
        }
        assert!(Guesses::of(&Value::object([("hosts", Value::object([("cp-1", Value::Unknown)]))])).is_none());
        assert!(Guesses::of(&Value::object([("etcd", Value::object([("flags", Value::Unknown)]))])).is_none());
    }
}
