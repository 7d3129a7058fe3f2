//! Tags that a user gives to objects on AWS: what AWS takes, and what others set.

use schema::{Diagnostic, Diagnostics, Value, ValueAt};
use std::collections::BTreeSet;

/// AWS takes 50; the provider sets three on every object, and subnets have two of Kubernetes.
const MOST: usize = 45;
const RESERVED: [&str; 3] = ["aws:", "k8s-hardway/", "kubernetes.io/cluster/"];

/// `inherited` are tags that the same objects have from elsewhere, checked there, counted here.
pub fn validate(tags: &ValueAt<'_>, inherited: &Value, found: &mut Diagnostics) {
    let both = [tags.value(), inherited].into_iter().filter_map(Value::as_map).flatten();
    let count = both.map(|(key, _)| key).collect::<BTreeSet<_>>().len();
    if count > MOST {
        let detail = format!("AWS accepts 50, of which the provider needs some: give {MOST} at most.");
        found.push(tags.error(format!("{count} tags are too many"), detail));
    }
    for (key, tag) in tags.entries() {
        found.extend(mistake(key, &tag));
    }
}

fn mistake(key: &str, tag: &ValueAt<'_>) -> Option<Diagnostic> {
    if let Some(prefix) = RESERVED.into_iter().find(|prefix| key.to_ascii_lowercase().starts_with(prefix)) {
        let detail =
            "That prefix is reserved: AWS, Kubernetes or this provider sets such tags. Choose another key, such as \"team\".";
        return Some(tag.error(format!("tag {key:?} begins with {prefix:?}"), detail));
    }
    if key.is_empty() || key.chars().count() > 128 {
        return Some(tag.error("the key of a tag is empty or too long", "It has 1 to 128 characters, such as \"team\"."));
    }
    let is_long = tag.as_str().is_some_and(|text| text.chars().count() > 256);
    is_long.then(|| tag.error(format!("the value of tag {key:?} is too long"), "It has at most 256 characters."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(tags: Value, inherited: &Value) -> Vec<Diagnostic> {
        let (config, mut found) = (Value::object([("tags", tags)]), Diagnostics::default());
        validate(&ValueAt::of(&config).get("tags"), inherited, &mut found);
        found.into_iter().collect()
    }

    #[track_caller]
    fn check(key: &str, value: &str, expect: Option<&str>) {
        let found = said(Value::Map([(key.to_owned(), value.into())].into()), &Value::Null);
        let found = found.first().map(|mistake| (mistake.summary.clone(), mistake.path.as_ref().map(ToString::to_string)));
        assert_eq!(found, expect.map(|summary| (summary.to_owned(), Some(format!("tags[{key:?}]")))));
    }

    #[test]
    fn tags_of_others_and_what_aws_does_not_take_are_refused() {
        check("team", "a", None);
        check("AWS:x", "a", Some("tag \"AWS:x\" begins with \"aws:\""));
        check("k8s-hardway/cluster", "a", Some("tag \"k8s-hardway/cluster\" begins with \"k8s-hardway/\""));
        check("kubernetes.io/cluster/x", "owned", Some("tag \"kubernetes.io/cluster/x\" begins with \"kubernetes.io/cluster/\""));
        check("", "a", Some("the key of a tag is empty or too long"));
        check("team", &"x".repeat(257), Some("the value of tag \"team\" is too long"));
        let many = Value::Map((0..46).map(|number| (number.to_string(), "".into())).collect());
        assert_eq!(said(many.clone(), &Value::Null).len(), 1);
        let one = Value::object([("team", "a".into())]);
        assert_eq!(said(one, &many).len(), 1);
    }
}
