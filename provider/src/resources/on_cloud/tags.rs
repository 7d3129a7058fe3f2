//! Tags that a user gives to objects on AWS: what AWS takes, and what others set.

use schema::{AttributePath, Diagnostic, Value};
use std::collections::BTreeSet;

/// AWS takes 50; the provider sets three on every object, and subnets have two of Kubernetes.
const MOST: usize = 45;
const RESERVED: [&str; 3] = ["aws:", "k8s-hardway/", "kubernetes.io/cluster/"];

/// `inherited` are tags that the same objects have from elsewhere, checked there, counted here.
pub fn mistakes(tags: &Value, inherited: &Value, at: &AttributePath) -> Vec<Diagnostic> {
    let both = [tags, inherited].into_iter().filter_map(Value::as_map).flatten();
    let count = both.map(|(key, _)| key).collect::<BTreeSet<_>>().len();
    let too_many = Diagnostic::error(format!("{count} tags are too many"))
        .detail(format!("AWS accepts 50, of which the provider needs some: give {MOST} at most."))
        .at(at.clone());
    let mut mistakes: Vec<Diagnostic> = (count > MOST).then_some(too_many).into_iter().collect();
    for (key, value) in tags.as_map().into_iter().flatten() {
        mistakes.extend(of_tag(key, value).map(|mistake| mistake.at(at.clone().key(key.as_str()))));
    }
    mistakes
}

fn of_tag(key: &str, value: &Value) -> Option<Diagnostic> {
    if let Some(prefix) = RESERVED.into_iter().find(|prefix| key.to_ascii_lowercase().starts_with(prefix)) {
        let detail =
            "That prefix is reserved: AWS, Kubernetes or this provider sets such tags. Choose another key, such as \"team\".";
        return Some(Diagnostic::error(format!("tag {key:?} begins with {prefix:?}")).detail(detail));
    }
    if key.is_empty() || key.chars().count() > 128 {
        return Some(
            Diagnostic::error("the key of a tag is empty or too long").detail("It has 1 to 128 characters, such as \"team\"."),
        );
    }
    let is_long = value.as_str().is_some_and(|text| text.chars().count() > 256);
    is_long.then(|| Diagnostic::error(format!("the value of tag {key:?} is too long")).detail("It has at most 256 characters."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, value: &str, expect: Option<&str>) {
        let found =
            mistakes(&Value::Map([(key.to_owned(), value.into())].into()), &Value::Null, &AttributePath::attribute("tags"));
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
        assert_eq!(mistakes(&many, &Value::Null, &AttributePath::attribute("tags")).len(), 1);
        let one = Value::object([("team", "a".into())]);
        assert_eq!(mistakes(&one, &many, &AttributePath::attribute("tags")).len(), 1);
    }
}
