//! From the configuration to declared objects, and what is wrong with it. Pure.

use super::DEFAULT_NAMESPACE;
use crate::resources::attributes::validate_cluster_name;
use crate::resources::in_cluster::json::json;
use crate::resources::in_cluster::secrets::Secrets;
use crate::resources::in_cluster::{Declaration, validate};
use objects::{Declared, Mistake, ObjectKey, Read};
use schema::{AttributePath, Diagnostic, Diagnostics, Value, ValueAt};

pub fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::default();
    let at = ValueAt::of(config);
    validate_cluster_name(&at.get("name"), &mut found);
    validate_cluster_name(&at.get("namespace"), &mut found);
    let declared = declared(config, &mut found);
    validate::validate(config, declared.as_ref(), &mut found);
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

/// Values of secrets by `<namespace>/<name>` and key; `None` while some are not known.
pub fn secrets(config: &Value) -> Option<Secrets> {
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
