//! Settings of add-ons: what their values may be.

use crate::place::Target;
use objects::is_unknown;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Markdown.
    pub description: String,
    pub rule: Rule,
    /// Without one, what the objects have stays.
    pub default: Option<Value>,
    /// Values that other settings have to have where this one is given.
    #[serde(default)]
    pub(crate) needs: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
    /// Objects that are there only where it is true.
    #[serde(default)]
    pub(crate) only: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    Bool,
    Number {
        least: i64,
        most: i64,
    },
    Choice {
        choices: Vec<String>,
    },
    /// A text without white space.
    Word {
        longest: usize,
    },
    /// Texts by text, such as those of a node selector.
    Labels,
    /// `requests` and `limits` of a container.
    Resources,
    /// Of a pod.
    Tolerations,
}

/// What a value breaks, and what would do.
pub(crate) type Broken = (String, String);

impl Rule {
    /// Parts that are not known yet are passed over.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Broken> {
        if is_unknown(value) || self.takes(value) {
            return Ok(());
        }
        let broken = |what: String| Err((what, format!("Give {self}, such as {}.", self.sample())));
        match (self, value) {
            (Rule::Number { .. }, Value::Number(number)) => broken(format!("{number} is out of range")),
            (Rule::Choice { .. }, Value::String(text)) => broken(format!("{text:?} is none of the choices")),
            (Rule::Word { .. }, Value::String(text)) => broken(format!("{text:?} is not usable")),
            _ => broken(format!("{} is of another type", shown(value))),
        }
    }

    fn takes(&self, value: &Value) -> bool {
        match self {
            Rule::Bool => value.is_boolean(),
            Rule::Number { least, most } => value.as_i64().is_some_and(|number| (*least..=*most).contains(&number)),
            Rule::Choice { choices } => value.as_str().is_some_and(|text| choices.iter().any(|choice| choice == text)),
            Rule::Word { longest } => value.as_str().is_some_and(|text| is_word(text, *longest)),
            Rule::Labels => value.as_object().is_some_and(|entries| entries.values().all(Value::is_string)),
            Rule::Resources => value.as_object().is_some_and(are_resources),
            Rule::Tolerations => value.as_array().is_some_and(|items| items.iter().all(is_toleration)),
        }
    }

    fn sample(&self) -> String {
        match self {
            Rule::Bool => "true".into(),
            Rule::Number { least, .. } => least.to_string(),
            Rule::Choice { choices } => format!("{:?}", choices.first().map_or("", String::as_str)),
            Rule::Word { .. } => "\"eth0\"".into(),
            Rule::Labels => "{ \"node.example/pool\" = \"infra\" }".into(),
            Rule::Resources => "{ requests = { cpu = \"100m\", memory = \"200Mi\" } }".into(),
            Rule::Tolerations => "[{ key = \"dedicated\", operator = \"Exists\", effect = \"NoSchedule\" }]".into(),
        }
    }
}

/// As it stands in a sentence and on a page.
impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rule::Bool => f.write_str("true or false"),
            Rule::Number { least, most } => write!(f, "a whole number from {least} to {most}"),
            Rule::Choice { choices } => {
                let all: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
                write!(f, "one of {}", all.join(", "))
            }
            Rule::Word { longest } => write!(f, "a text without white space of at most {longest} characters"),
            Rule::Labels => f.write_str("a map of texts"),
            Rule::Resources => f.write_str("`requests` and `limits` as a container has them"),
            Rule::Tolerations => f.write_str("a list of tolerations as a pod has them"),
        }
    }
}

fn is_word(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.chars().count() <= longest && text.chars().all(|c| c.is_ascii_graphic())
}

fn are_resources(entries: &Map<String, Value>) -> bool {
    let is_quantity = |value: &Value| value.is_string() || value.is_number();
    let is_list = |(key, value): (&String, &Value)| {
        let known = ["limits", "requests"].contains(&key.as_str());
        known && (is_unknown(value) || value.as_object().is_some_and(|quantities| quantities.values().all(is_quantity)))
    };
    entries.iter().all(is_list)
}

/// Fields of `Toleration` in `k8s.io/api/core/v1`.
fn is_toleration(value: &Value) -> bool {
    let is_field = |(key, value): (&String, &Value)| match key.as_str() {
        "tolerationSeconds" => is_unknown(value) || value.as_i64().is_some(),
        key => ["effect", "key", "operator", "value"].contains(&key) && value.is_string(),
    };
    is_unknown(value) || value.as_object().is_some_and(|entries| entries.iter().all(is_field))
}

fn shown(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::UNKNOWN;
    use serde_json::json;

    #[track_caller]
    fn check(rule: &Rule, value: Value, expect: Result<(), &str>) {
        let found = rule.check(&value).map_err(|(what, _)| what);
        assert_eq!(found, expect.map_err(str::to_string), "{value}");
    }

    #[test]
    fn a_value_has_a_type_and_a_range() {
        let number = Rule::Number { least: 1, most: 10 };
        check(&number, json!(10), Ok(()));
        check(&number, json!(UNKNOWN), Ok(()));
        check(&number, json!(11), Err("11 is out of range"));
        check(&number, json!(1.5), Err("1.5 is out of range"));
        check(&number, json!("2"), Err("a text is of another type"));
        check(&Rule::Bool, json!("yes"), Err("a text is of another type"));
        let choice = Rule::Choice { choices: vec!["a".into(), "b".into()] };
        check(&choice, json!("b"), Ok(()));
        check(&choice, json!("c"), Err("\"c\" is none of the choices"));
        check(&Rule::Word { longest: 4 }, json!("eth 0"), Err("\"eth 0\" is not usable"));
        check(&Rule::Word { longest: 4 }, json!(""), Err("\"\" is not usable"));
    }

    #[test]
    fn whole_values_have_the_fields_of_their_kind() {
        check(&Rule::Resources, json!({ "requests": { "cpu": "1", "memory": UNKNOWN } }), Ok(()));
        check(&Rule::Resources, json!({ "limits": { "cpu": 1 } }), Ok(()));
        check(&Rule::Resources, json!({ "request": { "cpu": "1" } }), Err("an object is of another type"));
        check(&Rule::Resources, json!({ "requests": "1" }), Err("an object is of another type"));
        check(&Rule::Tolerations, json!([{ "operator": "Exists" }, UNKNOWN]), Ok(()));
        check(&Rule::Tolerations, json!([{ "taint": "a" }]), Err("a list is of another type"));
        check(&Rule::Labels, json!({ "a": "b" }), Ok(()));
        check(&Rule::Labels, json!({ "a": true }), Err("an object is of another type"));
    }
}
