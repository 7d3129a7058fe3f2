//! What is written as a text: each value has one, and where the API server takes nothing else there is nothing else.

use super::*;
use crate::facts::Fact;
use crate::settings::Rule;

/// Each that it may be, as far as they can be counted.
fn values_of(rule: &Rule) -> Option<Vec<Value>> {
    match rule {
        Rule::Bool => Some(vec![json!(true), json!(false)]),
        Rule::Choice { choices } => Some(choices.iter().map(|choice| json!(choice)).collect()),
        _ => None,
    }
}

#[test]
fn every_value_that_may_be_given_has_its_text() {
    let check = |name: &str, target: &Target, values: Option<Vec<Value>>| {
        let values = values.unwrap_or_else(|| panic!("{name}: its values cannot be counted"));
        assert!(values.iter().all(|value| target.written(value).is_some()), "{name}: {target:?}");
        assert_eq!(target.texts.len(), values.len(), "{name}: {target:?}");
    };
    let with_texts = |targets: &[Target]| targets.iter().filter(|target| !target.texts.is_empty()).cloned().collect::<Vec<_>>();
    for addon in all() {
        for (name, setting) in &addon.settings {
            with_texts(&setting.targets).iter().for_each(|target| check(name, target, values_of(&setting.rule)));
        }
        for OfCluster { fact, targets, .. } in &addon.cluster {
            let values = matches!(fact, Fact::HasIpv4 | Fact::HasIpv6).then(|| vec![json!(true), json!(false)]);
            with_texts(targets).iter().for_each(|target| check(&addon.name, target, values.clone()));
        }
    }
}

/// What the API server takes nothing but texts for: a truth value or a number there is refused only by an apply.
fn texts_of(object: &Value) -> Vec<&Value> {
    let pod = &object["spec"]["template"]["spec"];
    let containers = [&pod["initContainers"], &pod["containers"]].into_iter().filter_map(Value::as_array).flatten();
    let variables = containers.filter_map(|container| container["env"].as_array()).flatten();
    let data = object["data"].as_object().into_iter().flat_map(Map::values);
    variables.filter_map(|variable| variable.get("value")).chain(data).collect()
}

#[test]
fn variables_and_entries_of_config_maps_are_texts_for_each_family_and_whatever_is_given() {
    for addon in all() {
        for pod_cidrs in [vec![IPV4], vec![IPV6], vec![IPV4, IPV6]] {
            let newest: &'static str = addon.known_versions().last().unwrap().to_string().leak();
            let sample = || Sample { facts: facts(&pod_cidrs), ..Sample::of(&addon.name, newest) };
            let given = addon.settings.iter().filter(|(_, setting)| setting.needs.is_empty());
            let given: Map<String, Value> =
                given.filter_map(|(name, setting)| Some((name.clone(), last(&setting.rule)?))).collect();
            for (key, declared) in sample().objects().into_iter().chain(sample().with(given.into()).objects()) {
                assert!(texts_of(&declared.object).into_iter().all(Value::is_string), "{key}: {}", declared.object);
            }
        }
    }
}

fn last(rule: &Rule) -> Option<Value> {
    match rule {
        Rule::Number { most, .. } => Some(json!(most)),
        rule => values_of(rule)?.pop(),
    }
}
