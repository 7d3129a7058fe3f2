//! Rules on the attributes that all resources of this floor have. Pure.

use super::Declaration;
use objects::ObjectKey;
use schema::{Diagnostics, Value, ValueAt};

/// `declared` is `None` while it is not known which objects there are.
pub fn validate(config: &Value, declared: Option<&Declaration>, found: &mut Diagnostics) {
    let at = ValueAt::of(config);
    crate::ssh::validate(&at.get("ssh"), found);
    for attribute in ["adopt", "may_replace"] {
        at.get(attribute).members().for_each(|key| validate_key(&key, declared, found));
    }
    at.get("may_replace").members().for_each(|key| refuse_to_replace_all_in_it(&key, found));
    for (key, fields) in at.get("ignore_fields").entries() {
        let named = Value::from(key);
        validate_key(&ValueAt::of(&named).at(fields.path().clone()), declared, found);
        validate_fields(&fields, found);
    }
}

/// Paths of one object that are left to others.
pub fn validate_fields(fields: &ValueAt<'_>, found: &mut Diagnostics) {
    for path in fields.members().filter(|path| path.as_str().is_some_and(is_of_the_provider)) {
        found.push(
            path.error("this field is the provider's", "By it the object is known. Name labels or annotations one by one."),
        );
    }
    for path in fields.members().filter(|path| path.as_str().is_some_and(|text| !text.starts_with('.'))) {
        found.push(path.error("a field begins with a dot", "Write it as plans do, such as \".spec.replicas\"."));
    }
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
