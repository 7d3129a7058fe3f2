//! Every attribute of every resource, at every depth, made null, unknown and partly unknown: what is said of it, and
//! that a plan with something unknown knows nothing that changes once it is known. Made from the schemas: no list is kept here.

use super::contract;
use super::engine::Said;
use super::rows::{ROWS, Row};
use super::{Stage, complete};
use schema::{Attribute, AttributePath, Kind, Nesting, NullElements, Schema, Step, Type, Value};
use std::collections::BTreeMap;

/// A configuration with one part of it replaced.
pub(super) struct Trial {
    pub path: AttributePath,
    pub config: Value,
    pub what: What,
    /// Null where there has to be a value.
    refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Null,
    /// It may turn out to be what the configuration that it was made from has there.
    Unknown,
    /// So may it, but only in an object that no configuration here has whole.
    UnknownInSample,
}

/// `k8s_pki` never reissues them: one that is unknown would be a new one, and a cluster that exists refuses it.
const FOUNDATIONS: [&str; 2] = ["pki.public_keys[", "pki.encryption_keys["];

/// An id that another resource gives later is planned as one that will be there, although it could turn out to be null.
const TAKEN_TO_BE_THERE: [&str; 1] = ["elastic_ip_id"];

/// Unknown exactly while the object that it names is created: what is planned then is another one, and not the one that there is.
const MEANS_ANOTHER: [&str; 1] = ["cluster.cluster_uid"];

impl Trial {
    fn is_of(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.to_string().starts_with(place))
    }
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {:?}", self.path, self.what)
    }
}

pub(super) fn trials(schema: &Schema, config: &Value) -> Vec<Trial> {
    let mut found = Vec::new();
    of_attributes(&schema.attributes, config, &AttributePath::root(), What::Unknown, &mut found);
    found
}

fn of_attributes(attributes: &[Attribute], config: &Value, at: &AttributePath, unknown: What, found: &mut Vec<Trial>) {
    for attribute in attributes.iter().filter(|attribute| attribute.is_required() || attribute.is_optional()) {
        let path = at.clone().then(attribute.name);
        found.extend(both(config, &path, unknown, attribute.is_required()));
        if config.at(&path).is_null() {
            let sample = put(config, path.steps(), sample(attribute));
            of_value(attribute, &sample, &path, What::UnknownInSample, found);
        } else {
            of_value(attribute, config, &path, unknown, found);
        }
    }
}

/// What is below one attribute: of a collection its first element.
fn of_value(attribute: &Attribute, config: &Value, path: &AttributePath, unknown: What, found: &mut Vec<Trial>) {
    match &attribute.kind {
        Kind::Nested(Nesting::Single, below) => of_attributes(below, config, path, unknown, found),
        Kind::Nested(_, below) => {
            let refused = attribute.null_elements == NullElements::Refused;
            if let Some(path) = of_element(config, path, unknown, refused, found) {
                of_attributes(below, config, &path, unknown, found);
            }
        }
        Kind::Value(ty) => of_type(ty, config, path, (unknown, attribute.null_elements), found),
    }
}

fn of_type(ty: &Type, config: &Value, path: &AttributePath, (unknown, nulls): (What, NullElements), found: &mut Vec<Trial>) {
    let below = (unknown, NullElements::Refused);
    match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => {
            if let Some(path) = of_element(config, path, unknown, nulls == NullElements::Refused, found) {
                of_type(element, config, &path, below, found);
            }
        }
        Type::Object(attributes) => {
            for (name, ty) in attributes {
                let path = path.clone().then(name);
                found.extend(both(config, &path, unknown, false));
                of_type(ty, config, &path, below, found);
            }
        }
        _ => {}
    }
}

fn of_element(
    config: &Value,
    path: &AttributePath,
    unknown: What,
    refused: bool,
    found: &mut Vec<Trial>,
) -> Option<AttributePath> {
    let path = match config.at(path) {
        Value::List(items) if !items.is_empty() => path.clone().index(0),
        Value::Map(entries) => path.clone().key(entries.keys().next()?),
        _ => return None,
    };
    found.extend(both(config, &path, unknown, refused));
    Some(path)
}

fn both(config: &Value, path: &AttributePath, unknown: What, refused: bool) -> [Trial; 2] {
    let trial = |what, value, refused| Trial { path: path.clone(), config: put(config, path.steps(), value), what, refused };
    [trial(What::Null, Value::Null, refused), trial(unknown, Value::Unknown, false)]
}

/// A value with one element or whatever else is required, all of it unknown.
fn sample(attribute: &Attribute) -> Value {
    match &attribute.kind {
        Kind::Value(ty) => sample_of(ty),
        Kind::Nested(Nesting::Single, below) => sample_object(below),
        Kind::Nested(Nesting::Map, below) => Value::object([("sample", sample_object(below))]),
        Kind::Nested(_, below) => Value::List(vec![sample_object(below)]),
    }
}

fn sample_object(attributes: &[Attribute]) -> Value {
    let value = |attribute: &Attribute| if attribute.is_required() { Value::Unknown } else { Value::Null };
    Value::Map(attributes.iter().map(|attribute| (attribute.name.to_owned(), value(attribute))).collect())
}

fn sample_of(ty: &Type) -> Value {
    match ty {
        Type::List(_) | Type::Set(_) => Value::List(vec![Value::Unknown]),
        Type::Map(_) => Value::object([("sample", Value::Unknown)]),
        Type::Object(types) => Value::Map(types.iter().map(|(name, ty)| (name.clone(), sample_of(ty))).collect()),
        _ => Value::Unknown,
    }
}

fn put(value: &Value, steps: &[Step], part: Value) -> Value {
    let Some((step, rest)) = steps.split_first() else { return part };
    let mut value = value.clone();
    match (step, &mut value) {
        (Step::Index(index), Value::List(items)) => {
            let item = &mut items[usize::try_from(*index).unwrap()];
            *item = put(item, rest, part);
        }
        (Step::Attribute(name) | Step::Key(name), value) => {
            let part = put(value.get(name), rest, part);
            value.set(name, part);
        }
        (step, value) => panic!("{step:?} leads nowhere in {value:?}"),
    }
    value
}

/// What breaks the contract, one line each.
struct Judge {
    row: &'static str,
    faults: Vec<String>,
}

impl Judge {
    /// Null where there has to be a value is said at its path, and nothing else has to be.
    fn refuses(&mut self, trial: &Trial, said: &[Said]) {
        let whole = trial.path.to_string();
        // An element of a set has no path of its own.
        let of_set = whole.replace("[0]", "");
        let names = |text: &str| [&whole, &of_set].iter().any(|path| text.contains(&format!("`{path}`")));
        if trial.refused && !said.iter().any(|said| names(&said.text)) {
            self.faults.push(format!("{}: validate with {trial} says {said:?}", self.row));
        }
    }

    /// An error is the user's, and leads to an attribute; about an unknown value there is nothing to say.
    fn errors(&mut self, trial: &Trial, stage: &str, said: &[Said]) {
        for Said { attribute, text } in said {
            let is_bug = text.contains("rovider bug") || text.contains("panicked") || attribute.is_none();
            let is_new_foundation = stage == "plan of update" && trial.is_of(&FOUNDATIONS);
            if is_bug || trial.what == What::Unknown && !is_new_foundation {
                self.faults.push(format!("{}: {stage} with {trial}: {attribute:?} {text}", self.row));
            }
        }
    }

    /// Nothing that is known with the unknown value is otherwise once it turns out to be what it is without.
    fn plans(&mut self, schema: &Schema, trial: &Trial, stage: &str, (with_unknown, known): (&Value, &Value)) {
        if trial.is_of(&TAKEN_TO_BE_THERE) || (stage == "update" && trial.is_of(&MEANS_ANOTHER)) {
            return;
        }
        let found = contract::broken_promises(schema, with_unknown, known);
        self.faults.extend(found.into_iter().map(|found| format!("{}: {stage} with {trial}: {found}", self.row)));
    }
}

async fn faults_of(row: &'static Row) -> Vec<String> {
    let mut stage = Stage::of(row).await;
    let schema = stage.engine.schema(row.name).clone();
    let base = stage.config.clone();
    let state = stage.create().await;
    let changed = row.updates.iter().map(|change| complete(&schema, &row.changed(&base, change)));
    let configs: Vec<Value> = std::iter::once(base.clone()).chain(changed).collect();
    let mut judge = Judge { row: row.name, faults: Vec::new() };
    for config in &configs {
        if !stage.engine.try_validate(row.name, config).await.is_empty() {
            continue; // a change that only the state of the row before it allows
        }
        let mut known = BTreeMap::new();
        for (when, prior) in [("create", &Value::Null), ("update", &state)] {
            known.insert(when, stage.engine.plan(row.name, prior, config).await.planned);
        }
        for trial in trials(&schema, config) {
            let said = stage.engine.try_validate(row.name, &trial.config).await;
            judge.errors(&trial, "validate", &said);
            judge.refuses(&trial, &said);
            if !said.is_empty() {
                continue;
            }
            for (when, prior) in [("create", &Value::Null), ("update", &state)] {
                match stage.engine.ask_plan(row.name, prior, &trial.config).await {
                    Err(said) => judge.errors(&trial, &format!("plan of {when}"), &said),
                    Ok(plan) if trial.what == What::Unknown => judge.plans(&schema, &trial, when, (&plan.planned, &known[when])),
                    Ok(_) => {}
                }
            }
        }
    }
    judge.faults
}

#[track_caller]
fn nothing(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn every_attribute_of_a_resource_in_the_state_or_on_hosts_may_be_null_or_unknown() {
    for row in &ROWS[..5] {
        nothing(&faults_of(row).await);
    }
}

#[tokio::test]
async fn every_attribute_of_a_resource_on_aws_may_be_null_or_unknown() {
    for row in &ROWS[5..] {
        nothing(&faults_of(row).await);
    }
}
