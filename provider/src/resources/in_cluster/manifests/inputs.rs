//! From the configuration to declared objects, and what is wrong with it. Pure.

use super::DEFAULT_NAMESPACE;
use crate::resources::attributes::validate_cluster_name;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::{Declared, Mistake, ObjectKey, Read, UNKNOWN};
use schema::{AttributePath, Diagnostic, Diagnostics, Value, ValueAt};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub type Declaration = BTreeMap<ObjectKey, Declared>;

pub fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::default();
    let at = ValueAt::of(config);
    validate_cluster_name(&at.get("name"), &mut found);
    validate_cluster_name(&at.get("namespace"), &mut found);
    crate::ssh::validate(&at.get("ssh"), &mut found);
    let declared = declared(config, &mut found);
    for attribute in ["adopt", "may_replace"] {
        at.get(attribute).members().for_each(|key| validate_key(&key, declared.as_ref(), &mut found));
    }
    at.get("may_replace").members().for_each(|key| refuse_to_replace_all_in_it(&key, &mut found));
    for (key, fields) in at.get("ignore_fields").entries() {
        let named = Value::from(key);
        validate_key(&ValueAt::of(&named).at(fields.path().clone()), declared.as_ref(), &mut found);
        for path in fields.members().filter(|path| path.as_str().is_some_and(is_of_the_provider)) {
            found.push(
                path.error("this field is the provider's", "By it the object is known. Name labels or annotations one by one."),
            );
        }
        for path in fields.members().filter(|path| path.as_str().is_some_and(|text| !text.starts_with('.'))) {
            found.push(path.error("a field begins with a dot", "Write it as plans do, such as \".spec.replicas\"."));
        }
    }
    for (id, secret) in at.get("secrets").entries() {
        let key = format!("Secret/{id}").parse::<ObjectKey>().ok().filter(|key| key.namespace.is_some());
        let is_missing = |key: &ObjectKey| declared.as_ref().is_some_and(|declared| !declared.contains_key(key));
        match key {
            None => found
                .push(secret.error(format!("{id:?} names no Secret"), "Write its namespace and its name, such as \"shop/db\".")),
            Some(key) if is_missing(&key) => found.push(secret.error(
                format!("{key} is not declared"),
                "Declare it in `yaml` or `objects`, without data: { apiVersion = \"v1\", kind = \"Secret\", metadata = { … } }.",
            )),
            Some(_) => {}
        }
    }
    found
}

fn validate_key(key: &ValueAt<'_>, declared: Option<&Declaration>, found: &mut Diagnostics) {
    let Some(text) = key.as_str() else { return };
    match text.parse::<ObjectKey>() {
        Err(error) => found.push(
            key.error(error.to_string(), "Write it as plans do, such as \"Deployment.apps/shop/web\" or \"Namespace/shop\"."),
        ),
        Ok(of) if declared.is_some_and(|declared| !declared.contains_key(&of)) => {
            found
                .push(key.error(format!("{of} is not declared"), "Name one of the objects of this resource, as plans write it."));
        }
        Ok(_) => {}
    }
}

fn is_of_the_provider(path: &str) -> bool {
    [".apiVersion", ".kind", ".metadata", ".metadata.annotations", ".metadata.name", ".metadata.namespace"].contains(&path)
}

fn refuse_to_replace_all_in_it(key: &ValueAt<'_>, found: &mut Diagnostics) {
    let of = key.as_str().and_then(|text| text.parse::<ObjectKey>().ok());
    if let Some(of) = of.filter(|of| of.is_namespace() || of.is_definition()) {
        let detail = "All that is in it would go with it. Take it out of the configuration, apply, and declare it again.";
        found.push(key.error(format!("{of} is never replaced"), detail));
    }
}

/// `None` while it is not known which objects there are, and where something is wrong.
pub fn declared(values: &Value, found: &mut Diagnostics) -> Option<Declaration> {
    let mut wrong = Diagnostics::default();
    let all = texts(&ValueAt::of(values).get("yaml"), &mut wrong).zip(of_hcl(values.get("objects"), &mut wrong));
    let is_wrong = wrong.has_errors();
    found.extend(wrong);
    let namespace = values.get("namespace");
    let (yaml, hcl) = all.filter(|_| !is_wrong && !namespace.is_unknown())?;
    let all = yaml.into_iter().chain(hcl).collect();
    match objects::complete(all, namespace.as_str().unwrap_or(DEFAULT_NAMESPACE)) {
        Ok(declared) => Some(declared),
        Err(twice) => {
            let declared_twice =
                |key: ObjectKey| Diagnostic::error(format!("{key} is declared twice")).detail("Declare each object once.");
            found.extend(twice.into_iter().map(|key| declared_twice(key).at(AttributePath::attribute("yaml"))));
            None
        }
    }
}

/// Of `yaml`; `None` while some of it is not known.
fn texts(yaml: &ValueAt<'_>, found: &mut Diagnostics) -> Option<Vec<Declared>> {
    let (mut all, mut is_open) = (Vec::new(), yaml.is_unknown());
    for (_, text) in yaml.entries() {
        let Some(known) = text.as_str() else {
            is_open |= text.is_unknown();
            continue;
        };
        let at = |mistake: &Mistake| {
            text.error(format!("document {}: {}", mistake.position + 1, mistake.rule), mistake.remedy.clone())
        };
        match objects::documents(known).map(objects::read) {
            Ok(Ok(Read::Known(objects))) => all.extend(objects),
            Ok(Ok(Read::Open)) => is_open = true,
            Ok(Err(mistakes)) => found.extend(mistakes.iter().map(at)),
            Err(mistake) => found.push(text.error(format!("the text {}", mistake.rule), mistake.remedy)),
        }
    }
    (!is_open).then_some(all)
}

/// Of `objects`; `None` while it is not known which there are.
fn of_hcl(objects: &Value, found: &mut Diagnostics) -> Option<Vec<Declared>> {
    let path = AttributePath::attribute("objects");
    let Some(items) = objects.as_list() else {
        if objects.is_set() {
            let detail = "Write [{ apiVersion = …, kind = …, metadata = { name = … } }].";
            found.push(Diagnostic::error("objects is no list").detail(detail).at(path));
        }
        return (!objects.is_unknown()).then(Vec::new);
    };
    match objects::read(items.iter().map(json)) {
        Ok(Read::Known(objects)) => Some(objects),
        Ok(Read::Open) => None,
        Err(mistakes) => {
            let at = |mistake: &Mistake| Diagnostic::error(format!("object {}: {}", mistake.position + 1, mistake.rule));
            found.extend(mistakes.iter().map(|mistake| at(mistake).detail(mistake.remedy.clone()).at(path.clone())));
            None
        }
    }
}

/// With [`UNKNOWN`] for what is not known yet.
fn json(value: &Value) -> Json {
    if value.is_unknown() {
        return UNKNOWN.into();
    }
    if let Some(items) = value.as_list() {
        return items.iter().map(json).collect();
    }
    if let Some(entries) = value.as_map() {
        return entries.iter().map(|(key, value)| (key.clone(), json(value))).collect::<serde_json::Map<_, _>>().into();
    }
    match value {
        Value::Typed(_, inner) => json(inner),
        Value::Bool(bool) => (*bool).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(integer)) => integer.into(),
            (None, None) => number.as_f64().into(),
        },
        _ => Json::Null,
    }
}

/// Values of secrets by `<namespace>/<name>` and key; `None` while some are not known.
pub fn secrets(config: &Value) -> Option<BTreeMap<String, BTreeMap<String, String>>> {
    let all = config.get("secrets");
    if !all.is_wholly_known() {
        return None;
    }
    let texts = |value: &Value| {
        let entries = value.as_map().into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string()))).collect()
    };
    Some(all.as_map().into_iter().flatten().map(|(id, values)| (id.clone(), texts(values))).collect())
}

/// As the API server wants them.
pub fn add_secrets(declared: &mut Declaration, secrets: &BTreeMap<String, BTreeMap<String, String>>) {
    objects::with_secrets(declared, secrets, |text| STANDARD.encode(text));
}

/// Values that are only known to have been applied: a refresh looks at who manages them.
pub fn add_secret_keys(declared: &mut Declaration, keys: &BTreeMap<String, Vec<String>>) {
    let unknown = |keys: &Vec<String>| keys.iter().map(|key| (key.clone(), String::new())).collect();
    let secrets = keys.iter().map(|(id, keys)| (id.clone(), unknown(keys))).collect();
    objects::with_secrets(declared, &secrets, |_| UNKNOWN.to_string());
}
