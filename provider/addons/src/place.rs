//! Places in objects: a field by its path, an argument of a program, a field inside of a JSON text; and how a value gets there.

use objects::{UNKNOWN, is_unknown};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a value goes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Key of the object, such as `Deployment.apps/kube-system/metrics-server`.
    pub(crate) object: String,
    /// Path as plans write it. Alone, it gets the value.
    pub(crate) field: String,
    /// The field is a list of arguments, and one of them becomes `--<argument>=<value>`.
    pub(crate) argument: Option<String>,
    /// What follows a number in an argument, such as `s`.
    pub(crate) unit: Option<String>,
    /// The field is a JSON text, and the value goes to this path in it.
    pub(crate) within: Option<String>,
    /// The value is written as a text, such as that of a variable of a container.
    #[serde(default)]
    pub(crate) text: bool,
    /// The text that is written for a value. It has each that the value may be.
    #[serde(default)]
    pub(crate) texts: BTreeMap<String, String>,
}

/// The object has no such place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoPlace;

impl Target {
    /// `None` takes the place out.
    pub(crate) fn put(&self, object: &mut Value, value: Option<&Value>) -> Result<(), NoPlace> {
        let written = value.map(|value| self.written(value).ok_or(NoPlace)).transpose()?;
        let value = written.as_ref();
        match (&self.argument, &self.within) {
            (Some(argument), _) => self.put_argument(object, argument, value),
            (None, Some(within)) => self.put_within(object, within, value),
            (None, None) => put(object, &self.field, value),
        }
    }

    /// As it stands in the object; `None` where there is no text for it.
    pub(crate) fn written(&self, value: &Value) -> Option<Value> {
        if is_unknown(value) || (!self.text && self.texts.is_empty()) {
            return Some(value.clone());
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        if self.texts.is_empty() { Some(text.into()) } else { self.texts.get(&text).map(|text| text.as_str().into()) }
    }

    fn put_argument(&self, object: &mut Value, argument: &str, value: Option<&Value>) -> Result<(), NoPlace> {
        let Some(Value::Array(arguments)) = find(object, &self.field) else { return Err(NoPlace) };
        let begin = format!("--{argument}=");
        let written = value.map(|value| match value {
            value if is_unknown(value) => Value::from(UNKNOWN),
            Value::String(text) => format!("{begin}{text}").into(),
            value => format!("{begin}{value}{}", self.unit.as_deref().unwrap_or_default()).into(),
        });
        let at = arguments.iter().position(|other| other.as_str().is_some_and(|text| text.starts_with(&begin)));
        match (at, written) {
            (Some(at), Some(written)) => arguments[at] = written,
            (Some(at), None) => drop(arguments.remove(at)),
            (None, Some(written)) => arguments.push(written),
            (None, None) => {}
        }
        Ok(())
    }

    fn put_within(&self, object: &mut Value, within: &str, value: Option<&Value>) -> Result<(), NoPlace> {
        let Some(Value::String(text)) = find(object, &self.field) else { return Err(NoPlace) };
        if text == UNKNOWN {
            return Ok(());
        }
        // Of a text of which some is not known, nothing is.
        if value.is_some_and(is_unknown) {
            *text = UNKNOWN.to_string();
            return Ok(());
        }
        let mut document: Value = serde_json::from_str(text).map_err(|_| NoPlace)?;
        put(&mut document, within, value)?;
        *text = format!("{document}\n");
        Ok(())
    }
}

/// The last key may be a new one of an object that is there.
pub(crate) fn put(document: &mut Value, path: &str, value: Option<&Value>) -> Result<(), NoPlace> {
    let mut steps = steps(path).ok_or(NoPlace)?;
    let Some(Step::Key(last)) = steps.pop() else { return Err(NoPlace) };
    let Some(Value::Object(entries)) = walk(document, &steps) else { return Err(NoPlace) };
    match value {
        Some(value) => drop(entries.insert(last, value.clone())),
        None => drop(entries.shift_remove(&last)),
    }
    Ok(())
}

pub(crate) fn find<'a>(document: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    walk(document, &steps(path)?)
}

enum Step {
    Key(String),
    At(usize),
    /// The item of a list with this `name`.
    Named(String),
}

fn walk<'a>(document: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Key(key) => value.as_object_mut()?.get_mut(key),
        Step::At(position) => value.as_array_mut()?.get_mut(*position),
        Step::Named(name) => value.as_array_mut()?.iter_mut().find(|item| item["name"] == **name),
    })
}

/// Of `.spec.containers[name="web"].image`, `.data["net-conf.json"]` and `.plugins[0].mtu`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let (mut found, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            found.push(Step::Key(after[..end].to_string()));
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix("[name=\"") {
            let (name, after) = after.split_once("\"]")?;
            found.push(Step::Named(name.to_string()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("[\"") {
            let (key, after) = after.split_once("\"]")?;
            found.push(Step::Key(key.to_string()));
            rest = after;
        } else {
            let (position, after) = rest.strip_prefix('[')?.split_once(']')?;
            found.push(Step::At(position.parse().ok()?));
            rest = after;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        json!({
            "data": { "conf.json": "{\"Backend\":{\"Type\":\"vxlan\"}}", "list.json": "{\"plugins\":[{\"mtu\":0}]}" },
            "spec": { "replicas": 1, "containers": [{ "name": "a", "args": ["--resolution=15s", "--last"] }] },
        })
    }

    fn target(field: &str, more: Value) -> Target {
        let mut target = json!({ "object": "Deployment.apps/a/b", "field": field });
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(target).unwrap()
    }

    #[track_caller]
    fn check(target: &Target, value: Option<Value>, pointer: &str, expect: Value) {
        let mut changed = object();
        target.put(&mut changed, value.as_ref()).unwrap();
        assert_eq!(changed.pointer(pointer).cloned().unwrap_or_default(), expect);
    }

    #[test]
    fn a_value_goes_to_its_place() {
        check(&target(".spec.replicas", json!({})), Some(json!(3)), "/spec/replicas", json!(3));
        check(&target(".spec.replicas", json!({})), None, "/spec/replicas", Value::Null);
        let arguments = ".spec.containers[name=\"a\"].args";
        let with_unit = target(arguments, json!({ "argument": "resolution", "unit": "s" }));
        check(&with_unit, Some(json!(30)), "/spec/containers/0/args", json!(["--resolution=30s", "--last"]));
        check(&with_unit, Some(json!(UNKNOWN)), "/spec/containers/0/args", json!([UNKNOWN, "--last"]));
        let new = target(arguments, json!({ "argument": "iface" }));
        check(&new, Some(json!("eth0")), "/spec/containers/0/args", json!(["--resolution=15s", "--last", "--iface=eth0"]));
        check(&new, None, "/spec/containers/0/args", json!(["--resolution=15s", "--last"]));
        let within = target(".data[\"conf.json\"]", json!({ "within": ".Backend.MTU" }));
        check(&within, Some(json!(1400)), "/data/conf.json", json!("{\"Backend\":{\"Type\":\"vxlan\",\"MTU\":1400}}\n"));
        check(&within, Some(json!(UNKNOWN)), "/data/conf.json", json!(UNKNOWN));
        let at = target(".data[\"list.json\"]", json!({ "within": ".plugins[0].mtu" }));
        check(&at, Some(json!(1400)), "/data/list.json", json!("{\"plugins\":[{\"mtu\":1400}]}\n"));
    }

    #[test]
    fn a_value_is_written_as_its_place_takes_it() {
        let text = target(".spec.replicas", json!({ "text": true }));
        check(&text, Some(json!(3)), "/spec/replicas", json!("3"));
        check(&text, Some(json!(true)), "/spec/replicas", json!("true"));
        check(&text, Some(json!("a")), "/spec/replicas", json!("a"));
        check(&text, Some(json!(UNKNOWN)), "/spec/replicas", json!(UNKNOWN));
        let texts = target(".spec.replicas", json!({ "texts": { "true": "autodetect", "vxlan": "Always" } }));
        check(&texts, Some(json!(true)), "/spec/replicas", json!("autodetect"));
        check(&texts, Some(json!("vxlan")), "/spec/replicas", json!("Always"));
        check(&texts, Some(json!(UNKNOWN)), "/spec/replicas", json!(UNKNOWN));
        assert_eq!(texts.put(&mut object(), Some(&json!(false))), Err(NoPlace));
    }

    #[test]
    fn a_place_that_is_not_there_is_a_mistake() {
        for field in [
            ".spec.containers[1].name",
            ".spec.containers[a].name",
            ".spec.containers[name=\"b\"].args",
            ".status.replicas.ready",
            "spec",
            "",
        ] {
            assert_eq!(target(field, json!({})).put(&mut object(), Some(&json!(1))), Err(NoPlace), "{field}");
        }
        let no_list = target(".spec.replicas", json!({ "argument": "a" }));
        assert_eq!(no_list.put(&mut object(), Some(&json!(1))), Err(NoPlace));
    }
}
