//! What is declared of a node beside its host: labels, annotations and taints. Those of others on the same node are none of ours.

use crate::{Difference, Item, What};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Of a node: what is declared, or what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeObject {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// Their values, which may be empty.
    pub taints: BTreeMap<TaintKey, String>,
    /// `aws:///us-east-1a/i-0123456789abcdef0`, by which a cloud knows the machine. It is set once.
    pub provider_id: Option<String>,
}

/// By what a taint is known: a node has at most one of a key and an effect. `Display` is `dedicated:NoSchedule`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaintKey {
    pub key: String,
    pub effect: String,
}

impl fmt::Display for TaintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key, self.effect)
    }
}

/// A text that names no taint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot read the taint {0:?}")]
pub struct TaintKeyError(String);

impl FromStr for TaintKey {
    type Err = TaintKeyError;

    fn from_str(text: &str) -> Result<Self, TaintKeyError> {
        let (key, effect) = text.split_once(':').ok_or_else(|| TaintKeyError(text.to_string()))?;
        Ok(TaintKey { key: key.into(), effect: effect.into() })
    }
}

impl NodeObject {
    /// What of a node that is as `found` is not as declared. Of what it has besides, only that counts which `before` declared.
    pub fn differences(&self, before: &NodeObject, found: &NodeObject) -> Vec<Difference> {
        let labels = compare(&self.labels, &before.labels, &found.labels, |key| Item::Label(key.clone()));
        let annotation = |key: &String| Item::Annotation(key.clone());
        let annotations = compare(&self.annotations, &before.annotations, &found.annotations, annotation);
        let taints = compare(&self.taints, &before.taints, &found.taints, |key| Item::Taint(key.clone()));
        let provider_id = match (&self.provider_id, &found.provider_id) {
            (Some(_), None) => Some(What::Missing),
            (Some(declared), Some(found)) if declared != found => Some(What::OtherValue),
            _ => None,
        };
        let provider_id = provider_id.map(|what| Difference { item: Item::ProviderId, what });
        labels.into_iter().chain(annotations).chain(taints).chain(provider_id).collect()
    }
}

fn compare<K: Ord>(
    declared: &BTreeMap<K, String>,
    before: &BTreeMap<K, String>,
    found: &BTreeMap<K, String>,
    item: impl Fn(&K) -> Item,
) -> Vec<Difference> {
    let keys: BTreeSet<&K> = declared.keys().chain(before.keys()).collect();
    let what = |key: &K| match (declared.get(key), found.get(key)) {
        (Some(_), None) => Some(What::Missing),
        (None, Some(_)) => Some(What::NoLongerDeclared),
        (Some(declared), Some(found)) if declared != found => Some(What::OtherValue),
        _ => None,
    };
    keys.into_iter().filter_map(|key| Some(Difference { item: item(key), what: what(key)? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(labels: &[(&str, &str)], taints: &[(&str, &str)]) -> NodeObject {
        let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let taints = taints.iter().map(|(key, value)| (key.parse().unwrap(), value.to_string()));
        NodeObject { labels: labels.collect(), taints: taints.collect(), ..NodeObject::default() }
    }

    #[track_caller]
    fn check(declared: &NodeObject, before: &NodeObject, found: &NodeObject, expect: &[&str]) {
        let texts: Vec<String> = declared.differences(before, found).iter().map(ToString::to_string).collect();
        assert_eq!(texts, expect);
    }

    #[test]
    fn only_what_is_or_was_declared_counts() {
        let declared = object(&[("pool", "general"), ("tier", "")], &[("dedicated:NoSchedule", "batch")]);
        let of_others = object(&[("kubernetes.io/os", "linux")], &[("node.kubernetes.io/not-ready:NoSchedule", "")]);
        check(&declared, &NodeObject::default(), &declared, &[]);
        check(&NodeObject::default(), &NodeObject::default(), &of_others, &[]);
        let missing = ["label pool: missing", "label tier: missing", "taint dedicated:NoSchedule: missing"];
        check(&declared, &NodeObject::default(), &of_others, &missing);
        let other = object(&[("pool", "gpu"), ("tier", "x")], &[("dedicated:NoSchedule", "")]);
        let values = [
            "label pool: not the declared value",
            "label tier: not the declared value",
            "taint dedicated:NoSchedule: not the declared value",
        ];
        check(&declared, &NodeObject::default(), &other, &values);
        let gone = ["label pool: no longer declared", "taint dedicated:NoSchedule: no longer declared"];
        check(&object(&[("tier", "x")], &[]), &declared, &other, &gone);
        check(&object(&[("tier", "")], &[]), &declared, &of_others, &["label tier: missing"]);
        let annotated =
            |value: &str| NodeObject { annotations: [("node.example/rack".into(), value.into())].into(), ..of_others.clone() };
        check(&annotated("r1"), &declared, &of_others, &["annotation node.example/rack: missing"]);
        check(
            &annotated("r1"),
            &NodeObject::default(),
            &annotated("r2"),
            &["annotation node.example/rack: not the declared value"],
        );
        check(&of_others, &annotated("r1"), &annotated("r1"), &["annotation node.example/rack: no longer declared"]);
        let named = |id: &str| NodeObject { provider_id: Some(id.into()), ..NodeObject::default() };
        check(&named("aws:///a"), &NodeObject::default(), &of_others, &["provider id: missing"]);
        check(&named("aws:///a"), &named("aws:///b"), &named("aws:///b"), &["provider id: not the declared value"]);
        check(&NodeObject::default(), &named("aws:///b"), &named("aws:///b"), &[]);
        // Another effect is another taint.
        let effect = object(&[], &[("dedicated:NoExecute", "batch")]);
        let both = ["taint dedicated:NoExecute: missing", "taint dedicated:NoSchedule: no longer declared"];
        check(&effect, &object(&[], &[("dedicated:NoSchedule", "batch")]), &declared, &both);
    }
}
