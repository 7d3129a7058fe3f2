//! Objects as somebody has written them, in YAML or in HCL, and what cannot be meant.

use crate::copied::{of_the_server, without_notes};
use crate::fields::Fields;
use crate::phase::is_namespaced;
use crate::{ObjectKey, fields};
use serde_json::{Map, Value};
use serde_saphyr::DuplicateKeyPolicy;
use std::collections::BTreeMap;

/// In place of a text that is not known yet. No text of an object has a NUL in it: the API server refuses that.
pub const UNKNOWN: &str = "\0unknown";

/// One object, as it is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub key: ObjectKey,
    /// `apps/v1`
    pub api_version: String,
    pub object: Value,
}

/// What is wrong with a declared object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which of the documents or list elements, from 0.
    pub position: usize,
    pub rule: String,
    pub remedy: String,
}

/// Whether a declared object is known so far that it can be told from others.
pub enum Read {
    Known(Vec<Declared>),
    /// Kind, version, name or namespace of one are not known yet.
    Open,
}

/// Far more than bundles of add-ons have; what repeats itself by aliases is still stopped.
const MOST_DOCUMENTS: usize = 20_000;
const MOST_NODES: usize = 4_000_000;

/// Documents of a YAML text; empty ones are passed over, and a `List` is its items. Numbers that begin with 0 are octal, as `kubectl` reads them.
pub fn documents(text: &str) -> Result<Vec<Value>, Mistake> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        duplicate_keys: DuplicateKeyPolicy::Error,
        budget: serde_saphyr::budget! { max_documents: MOST_DOCUMENTS, max_nodes: MOST_NODES, max_events: 4 * MOST_NODES },
    };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| Mistake {
        position: 0,
        rule: "is not YAML".into(),
        remedy: error.without_snippet().to_string(),
    })?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Of documents or elements of HCL.
pub fn read(values: impl IntoIterator<Item = Value>) -> Result<Read, Vec<Mistake>> {
    let (mut found, mut mistakes, mut is_open) = (Vec::new(), Vec::new(), false);
    for (position, value) in values.into_iter().enumerate() {
        for object in items(value) {
            if is_unknown(&object) || IDENTITY.iter().any(|pointer| object.pointer(pointer).is_some_and(is_unknown)) {
                is_open = true;
                continue;
            }
            match one(object) {
                Ok(declared) => found.push(declared),
                Err((rule, remedy)) => mistakes.push(Mistake { position, rule, remedy }),
            }
        }
    }
    match (mistakes.is_empty(), is_open) {
        (false, _) => Err(mistakes),
        (true, true) => Ok(Read::Open),
        (true, false) => Ok(Read::Known(found)),
    }
}

const IDENTITY: [&str; 5] = ["/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace"];

/// Whether it is [`UNKNOWN`] itself.
pub fn is_unknown(value: &Value) -> bool {
    value.as_str() == Some(UNKNOWN)
}

/// `kubectl get -o yaml` prints several objects as one `List`.
fn items(value: Value) -> Vec<Value> {
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) && value["items"].is_array();
    match value {
        Value::Object(mut entries) if is_list => match entries.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        value => vec![value],
    }
}

fn one(object: Value) -> Result<Declared, (String, String)> {
    let wrong = |rule: &str, remedy: &str| Err((rule.to_string(), remedy.to_string()));
    let Value::Object(mut entries) = object else {
        return wrong("is no object", "An object has `apiVersion`, `kind` and `metadata.name`.");
    };
    // Generators write both.
    entries.remove("status");
    let mut object = Value::Object(entries);
    without_nulls(&mut object);
    without_notes(&mut object);
    let Some(key) = ObjectKey::of(&object) else {
        let missing = ["/apiVersion", "/kind", "/metadata/name"].into_iter().find(|pointer| !is_text(&object, pointer));
        let missing = missing.unwrap_or("/metadata/name")[1..].replace('/', ".");
        return wrong(&format!("has no {missing}"), "An object has `apiVersion`, `kind` and `metadata.name`, each a text.");
    };
    if let Some(field) = of_the_server(&object) {
        let remedy = "The API server sets it, so this is a copy from a cluster. Leave out what it set.";
        return wrong(&format!("{key} has metadata.{field}"), remedy);
    }
    if [&key.kind, &key.name].iter().any(|text| text.is_empty() || text.contains('/')) {
        return wrong(&format!("{key} has no usable name"), "Names and kinds are not empty and have no slash.");
    }
    if key.namespace.as_deref() == Some("") {
        return wrong(&format!("{key} names an empty namespace"), "Leave `metadata.namespace` out, or name one.");
    }
    if key.namespace.is_some() && is_namespaced(&key) == Some(false) {
        return wrong(&format!("{key} belongs to no namespace"), "Leave `metadata.namespace` out.");
    }
    let is_map = |field: &str| {
        let value = &object["metadata"][field];
        value.is_null() || is_unknown(value) || value.as_object().is_some_and(|entries| entries.values().all(Value::is_string))
    };
    if let Some(field) = ["annotations", "labels"].into_iter().find(|field| !is_map(field)) {
        return wrong(
            &format!("{key} has metadata.{field} that are no texts"),
            "Write a map of texts; numbers and truth values in quotes.",
        );
    }
    if key.is("", "Secret") && ["data", "stringData"].iter().any(|field| object.get(field).is_some()) {
        // Of one that names no namespace it is not known here which it gets.
        let id = format!("{}/{}", key.namespace.as_deref().unwrap_or("<namespace>"), key.name);
        let remedy = format!(
            "Plans and states would hold it. Declare the Secret without it, and give its values as `secrets = {{ {id:?} = {{ … }} }}`, which is write-only."
        );
        return wrong(&format!("{key} has data"), &remedy);
    }
    if object.get("aggregationRule").is_some()
        && let Some(object) = object.as_object_mut()
    {
        // A controller of the API server fills them in.
        object.remove("rules");
    }
    let api_version = object["apiVersion"].as_str().unwrap_or_default().to_string();
    Ok(Declared { key, api_version, object })
}

fn is_text(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).is_some_and(Value::is_string)
}

/// Null is what nobody has set, as in HCL.
pub fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Whether nothing of it is [`UNKNOWN`].
pub fn is_known(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.values().all(is_known),
        Value::Array(items) => items.iter().all(is_known),
        value => !is_unknown(value),
    }
}

impl Declared {
    /// Whether nothing of it is [`UNKNOWN`].
    pub fn is_known(&self) -> bool {
        is_known(&self.object)
    }

    pub fn fields(&self) -> Fields {
        let mut found = fields::fields(&self.object);
        [".kind", ".metadata.name", ".metadata.namespace"].iter().for_each(|path| drop(found.remove(*path)));
        found
    }

    /// A Secret without its values, which are in no state; everything else as it is.
    pub fn without_values(&self) -> Declared {
        let mut declared = self.clone();
        if declared.key.is("", "Secret")
            && let Some(object) = declared.object.as_object_mut()
        {
            object.remove("data");
        }
        declared
    }

    fn set_namespace(&mut self, namespace: &str) {
        self.key.namespace = Some(namespace.to_string());
        self.object["metadata"]["namespace"] = namespace.into();
    }
}

/// What belongs to a namespace and names none gets this one, as far as its kind is built in or its definition is among these. Duplicates are
/// mistakes.
pub fn complete(mut all: Vec<Declared>, namespace: &str) -> Result<BTreeMap<ObjectKey, Declared>, Vec<ObjectKey>> {
    let definitions: BTreeMap<(String, String), bool> = all
        .iter()
        .filter(|declared| declared.key.is_definition())
        .filter_map(|declared| {
            let spec = &declared.object["spec"];
            let text = |value: &Value| value.as_str().map(str::to_string);
            Some(((text(&spec["group"])?, text(&spec["names"]["kind"])?), spec["scope"] == "Namespaced"))
        })
        .collect();
    for declared in all.iter_mut().filter(|declared| declared.key.namespace.is_none()) {
        let defined = || definitions.get(&(declared.key.group.clone(), declared.key.kind.clone())).copied();
        if is_namespaced(&declared.key).or_else(defined) == Some(true) {
            declared.set_namespace(namespace);
        }
    }
    let (mut found, mut twice) = (BTreeMap::new(), Vec::new());
    for declared in all {
        if let Some(before) = found.insert(declared.key.clone(), declared) {
            twice.push(before.key);
        }
    }
    if twice.is_empty() { Ok(found) } else { Err(twice) }
}

/// Puts the values of secrets into the Secrets that are declared. `encode` is base64. Those for which none is declared come back.
pub fn with_secrets(
    objects: &mut BTreeMap<ObjectKey, Declared>,
    secrets: &BTreeMap<String, BTreeMap<String, String>>,
    encode: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut left = Vec::new();
    for (id, values) in secrets {
        let key = format!("Secret/{id}").parse::<ObjectKey>().ok();
        match key.and_then(|key| objects.get_mut(&key)) {
            Some(declared) => {
                let data: Map<String, Value> = values.iter().map(|(key, value)| (key.clone(), encode(value).into())).collect();
                declared.object["data"] = data.into();
            }
            None => left.push(id.clone()),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known(text: &str) -> BTreeMap<ObjectKey, Declared> {
        match read(documents(text).unwrap()).unwrap() {
            Read::Known(all) => complete(all, "default").unwrap(),
            Read::Open => panic!("open"),
        }
    }

    #[track_caller]
    fn check_mistake(text: &str, position: usize, rule: &str) {
        let mistakes = read(documents(text).unwrap()).err().unwrap();
        assert_eq!((mistakes[0].position, mistakes[0].rule.as_str()), (position, rule), "{mistakes:?}");
    }

    #[test]
    fn a_copy_from_a_cluster_loses_what_tools_have_noted_on_it() {
        let text = "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: b, annotations: {k8s-hardway/secrets: 1/password, \
                    kubectl.kubernetes.io/last-applied-configuration: '{}', owner: me}}}";
        let annotations = |text: &str| known(text)[&"Secret/b/a".parse().unwrap()].object["metadata"]["annotations"].clone();
        assert_eq!(annotations(text), json!({ "owner": "me" }));
        assert_eq!(annotations(&text.replace(", owner: me", "")), Value::Null);
    }

    #[test]
    fn documents_are_objects_and_a_list_is_its_items() {
        let text = "
# only a comment
---
apiVersion: v1
kind: ConfigMap
metadata: { name: one, creationTimestamp: null }
data: { mode: 'yes', empty: '' }
status: {}
---
---
apiVersion: v1
kind: List
items:
- { apiVersion: v1, kind: ServiceAccount, metadata: { name: two, namespace: shop } }
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: { name: three }
  spec: { template: { spec: { volumes: [{ name: s, secret: { secretName: s, defaultMode: 0440 } }] } } }
";
        let found = known(text);
        let keys: Vec<String> = found.keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["ConfigMap/default/one", "DaemonSet.apps/default/three", "ServiceAccount/shop/two"]);
        let all: Vec<&Declared> = found.values().collect();
        assert_eq!(all[0].object["metadata"], json!({ "name": "one", "namespace": "default" }));
        assert_eq!(all[0].object.get("status"), None);
        assert_eq!(all[0].object["data"], json!({ "mode": "yes", "empty": "" }));
        assert_eq!(all[1].object["spec"]["template"]["spec"]["volumes"][0]["secret"]["defaultMode"], json!(0o440));
        assert_eq!(all[1].fields().len(), 4, "{:?}", all[1].fields());
    }

    #[test]
    fn what_cannot_be_meant_is_said_of_its_document() {
        check_mistake("a\n---\n{}", 0, "is no object");
        check_mistake("{kind: Pod, metadata: {name: a}}", 0, "has no apiVersion");
        check_mistake("{apiVersion: v1, kind: Pod, metadata: {generateName: a}}", 0, "has no metadata.name");
        let fine = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";
        check_mistake(
            &format!("{fine}\n---\n{{apiVersion: v1, kind: Pod, metadata: {{name: b, uid: c}}}}"),
            1,
            "Pod/b has metadata.uid",
        );
        check_mistake(
            "{apiVersion: v1, kind: Namespace, metadata: {name: b, namespace: c}}",
            0,
            "Namespace/c/b belongs to no namespace",
        );
        check_mistake("{apiVersion: v1, kind: Secret, metadata: {name: b}, stringData: {a: b}}", 0, "Secret/b has data");
        check_mistake(
            "{apiVersion: v1, kind: Pod, metadata: {name: b, labels: {a: 1}}}",
            0,
            "Pod/b has metadata.labels that are no texts",
        );
        check_mistake(
            "{apiVersion: v1, kind: Pod, metadata: {name: b, annotations: x}}",
            0,
            "Pod/b has metadata.annotations that are no texts",
        );
        assert!(documents("a: [").unwrap_err().rule.contains("is not YAML"));
        assert!(documents("a: 1\na: 2").is_err());
    }

    #[test]
    fn one_object_is_declared_once() {
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";
        let Read::Known(all) =
            read(documents(&format!("{pod}\n---\n{}", pod.replace("name: a", "name: a, namespace: default"))).unwrap()).unwrap()
        else {
            panic!()
        };
        assert_eq!(complete(all, "default").unwrap_err()[0].to_string(), "Pod/default/a");
    }

    #[test]
    fn a_custom_resource_gets_a_namespace_where_its_definition_says_so() {
        let crd = |scope: &str| {
            format!(
                "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: teams.example.com}}, spec: {{group: example.com, scope: {scope}, names: {{kind: Team}}}}}}"
            )
        };
        let team = "{apiVersion: example.com/v1, kind: Team, metadata: {name: a}}";
        let keys = |text: String| known(&text).keys().map(ToString::to_string).find(|key| key.starts_with("Team")).unwrap();
        assert_eq!(keys(format!("{}\n---\n{team}", crd("Namespaced"))), "Team.example.com/default/a");
        assert_eq!(keys(format!("{}\n---\n{team}", crd("Cluster"))), "Team.example.com/a");
        assert_eq!(keys(team.to_string()), "Team.example.com/a");
    }

    #[test]
    fn an_object_whose_name_is_not_known_yet_leaves_all_open() {
        let open = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": UNKNOWN } });
        assert!(matches!(read([open]), Ok(Read::Open)));
        let known = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" }, "spec": UNKNOWN });
        assert!(matches!(read([known]), Ok(Read::Known(_))));
    }

    #[test]
    fn what_is_not_known_yet_is_found_in_lists_too() {
        let object =
            |args: Value| json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" }, "spec": { "args": args } });
        for (args, expect) in [(json!(["-a"]), true), (json!(["-a", UNKNOWN]), false), (json!(UNKNOWN), false)] {
            let Ok(Read::Known(all)) = read([object(args)]) else { panic!() };
            assert_eq!(all[0].is_known(), expect);
        }
    }

    #[test]
    fn values_of_secrets_reach_the_secrets_that_are_declared() {
        let mut objects = known("{apiVersion: v1, kind: Secret, metadata: {name: db}, type: Opaque}");
        let values = |id: &str| (id.to_string(), BTreeMap::from([("password".to_string(), "x".to_string())]));
        let secrets = BTreeMap::from([values("default/db"), values("default/nobody")]);
        assert_eq!(with_secrets(&mut objects, &secrets, |text| format!("<{text}>")), ["default/nobody"]);
        assert_eq!(objects.values().next().unwrap().object["data"], json!({ "password": "<x>" }));
    }
}
