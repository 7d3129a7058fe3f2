//! A plan as the engine's JSON shows it, and as a person reads it.

use serde_json::Value;
use std::collections::BTreeMap;

pub struct Plan {
    pub json: Value,
    /// What the engine printed: the diff and the warnings.
    pub text: String,
}

impl Plan {
    pub fn new(json: Value, text: String) -> Plan {
        Plan { json, text }
    }

    /// What would change: `update k8s_lb_vrrp.api`, `create output.endpoint`.
    pub fn changes(&self) -> Vec<String> {
        let resources = self.json["resource_changes"].as_array().into_iter().flatten();
        let resources = resources.map(|resource| (text(&resource["address"]).to_string(), &resource["change"]));
        let outputs = self.json["output_changes"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, change)| (format!("output.{name}"), change));
        resources.chain(outputs).filter_map(|(address, change)| Some(format!("{} {address}", actions(change)?))).collect()
    }

    #[track_caller]
    pub fn is_empty(&self) {
        let changes = self.changes();
        assert!(changes.is_empty(), "the plan should be empty, but: {changes:?}\n{}", self.text);
    }

    /// What differs on each host, as the diff of the plan shows it for one resource: set to empty by the plan.
    #[track_caller]
    pub fn drift(&self, address: &str) -> BTreeMap<String, Vec<String>> {
        let change = self.change(address);
        assert_eq!(change["after"]["drift"], serde_json::json!({}), "the plan repairs no drift of {address}");
        lists(&change["before"]["drift"])
    }

    /// An attribute as the last refresh left it.
    #[track_caller]
    pub fn refreshed(&self, address: &str, attribute: &str) -> Value {
        let resources = self.json["prior_state"]["values"]["root_module"]["resources"].as_array().into_iter().flatten();
        let resource = resources.into_iter().find(|resource| resource["address"] == address);
        resource.unwrap_or_else(|| panic!("the plan knows no {address}"))["values"][attribute].clone()
    }

    /// An attribute as it will be; null while it is not known.
    #[track_caller]
    pub fn planned(&self, address: &str, attribute: &str) -> Value {
        self.change(address)["after"][attribute].clone()
    }

    /// The steps that a plan announces for one resource.
    #[track_caller]
    pub fn rollout(&self, address: &str) -> Vec<String> {
        let steps = self.change(address)["after"]["rollout"].as_array().cloned().unwrap_or_default();
        steps.iter().map(|step| text(step).to_string()).collect()
    }

    #[track_caller]
    fn change(&self, address: &str) -> &Value {
        let changes = self.json["resource_changes"].as_array().into_iter().flatten();
        let found = changes.into_iter().find(|resource| resource["address"] == address);
        &found.unwrap_or_else(|| panic!("{address} is not in the plan"))["change"]
    }

    /// Everything in the JSON that the engine does not mark as sensitive, one value a line.
    pub fn open_values(&self) -> String {
        let mut lines = Vec::new();
        for list in ["resource_changes", "resource_drift"] {
            for resource in self.json[list].as_array().into_iter().flatten() {
                for side in ["before", "after"] {
                    open(&resource["change"][side], &resource["change"][format!("{side}_sensitive")], &mut lines);
                }
            }
        }
        for (_, change) in self.json["output_changes"].as_object().into_iter().flatten() {
            for side in ["before", "after"] {
                open(&change[side], &change[format!("{side}_sensitive")], &mut lines);
            }
        }
        for state in [&self.json["prior_state"]["values"], &self.json["planned_values"]] {
            for resource in state["root_module"]["resources"].as_array().into_iter().flatten() {
                open(&resource["values"], &resource["sensitive_values"], &mut lines);
            }
            for (_, output) in state["outputs"].as_object().into_iter().flatten() {
                open(&output["value"], &output["sensitive"], &mut lines);
            }
        }
        lines.push(self.json["variables"].to_string());
        lines.push(self.json["configuration"].to_string());
        lines.join("\n")
    }
}

/// Collects the leaves of `value` that `marks`, a tree of the same shape with `true` where something is sensitive, leaves open.
fn open(value: &Value, marks: &Value, lines: &mut Vec<String>) {
    match value {
        _ if marks == &Value::Bool(true) => {}
        Value::Object(map) => map.iter().for_each(|(key, value)| open(value, &marks[key.as_str()], lines)),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| open(value, &marks[index], lines)),
        Value::String(text) => lines.push(text.clone()),
        other => lines.push(other.to_string()),
    }
}

fn actions(change: &Value) -> Option<String> {
    let actions: Vec<&str> = change["actions"].as_array().into_iter().flatten().map(text).collect();
    let quiet = actions.iter().all(|action| ["no-op", "read"].contains(action));
    (!quiet).then(|| actions.join("+"))
}

fn lists(value: &Value) -> BTreeMap<String, Vec<String>> {
    let list = |value: &Value| value.as_array().into_iter().flatten().map(|item| text(item).to_string()).collect();
    value.as_object().into_iter().flatten().map(|(host, items)| (host.clone(), list(items))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn open_values_are_those_without_a_mark() {
        let mut lines = Vec::new();
        let value = json!({ "a": "open", "b": "secret", "c": [1, "secret"], "d": { "e": "secret" } });
        open(&value, &json!({ "b": true, "c": [false, true], "d": true }), &mut lines);
        assert_eq!(lines, ["open", "1"]);
    }

    #[test]
    fn a_plan_without_actions_is_empty() {
        let change = |actions: Value| json!({ "address": "k8s_pki.main", "change": { "actions": actions } });
        let plan = |actions| Plan::new(json!({ "resource_changes": [change(actions)] }), String::new());
        plan(json!(["no-op"])).is_empty();
        assert_eq!(plan(json!(["delete", "create"])).changes(), ["delete+create k8s_pki.main"]);
    }
}
