//! What the last refresh found to differ on AWS: lines for people (`drift`), and the same as data (`differences`), from which a plan takes what
//! has to be made again. Pure.

use cloud::{Difference, Found, Graph, Kind, Matching, ObjectKey, Readiness, Resolver, differences};
use schema::{Attribute, Nesting, Type, Value, decode};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const DRIFT: &str = "drift";
const DIFFERENCES: &str = "differences";

pub fn attributes() -> Vec<Attribute> {
    let of_difference = vec![
        Attribute::string("object").computed().describe("The object, as `objects` has it: `<kind>/<name>`."),
        Attribute::string("setting").computed().describe("Its setting that differs. Null where it is the object as a whole."),
        Attribute::string("problem").computed().describe(
            "`gone`, `failed` or `not_declared` for an object; `missing`, `value` (another one) or `not_declared` for a setting.",
        ),
        Attribute::string("found")
            .computed()
            .describe("What was found; the id of an object that nobody declares. Null where there is nothing."),
        Attribute::string("declared").computed().describe("What should be there. Null where that is nothing."),
        Attribute::bool("replaces").computed().describe("Whether a new object takes the place of this one when it is repaired."),
    ];
    vec![
        Attribute::of(DRIFT, Type::map(Type::list(Type::String))).computed().describe(
            "Differences that the last refresh found, object by object. A plan sets it to empty; apply repairs them. The lines are for people: a \
             policy reads `differences`.",
        ),
        Attribute::nested(DIFFERENCES, Nesting::List, of_difference).computed().describe(
            "What `drift` says, as data: one object for each difference. A policy that reads the plan in JSON finds there what was changed from \
             outside. A plan sets it to empty; apply repairs it.",
        ),
    ]
}

pub const VERSION: i64 = 1;

/// Version 0 had drift in words only: what they say is null as data, until a refresh finds it again.
pub fn upgrade(mut state: serde_json::Value) -> serde_json::Value {
    let has_drift = state.get(DRIFT).and_then(serde_json::Value::as_object).is_some_and(|drift| !drift.is_empty());
    if let Some(attributes) = state.as_object_mut().filter(|_| !has_drift) {
        attributes.insert(DIFFERENCES.into(), serde_json::json!([]));
    }
    state
}

/// One thing about an object that is not as declared. `Display` is its line.
enum Problem {
    Gone,
    Setting {
        difference: Difference,
        replaces: bool,
    },
    /// It never came to be ready, for the reason that AWS gives.
    Failed(String),
    /// By its id.
    NotDeclared(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Gone => return f.write_str("is gone"),
            Problem::Setting { difference, .. } => write!(f, "{difference}")?,
            Problem::Failed(reason) => write!(f, "failed: {reason}")?,
            Problem::NotDeclared(id) => return write!(f, "{id} is not declared"),
        }
        f.write_str(if self.replaces() { " (a new one takes its place)" } else { "" })
    }
}

impl Problem {
    fn replaces(&self) -> bool {
        match self {
            Problem::Gone | Problem::Failed(_) => true,
            Problem::Setting { replaces, .. } => *replaces,
            Problem::NotDeclared(_) => false,
        }
    }

    fn to_row(&self, object: &ObjectKey) -> Value {
        let text = |text: Option<&String>| text.map_or(Value::Null, |text| text.as_str().into());
        let (problem, setting, found, declared) = match self {
            Problem::Gone => ("gone", Value::Null, Value::Null, Value::Null),
            Problem::Failed(reason) => ("failed", Value::Null, reason.as_str().into(), Value::Null),
            Problem::NotDeclared(id) => ("not_declared", Value::Null, id.as_str().into(), Value::Null),
            Problem::Setting { difference, .. } => {
                let shown = &difference.shown;
                let problem = match (&shown.from, &shown.to) {
                    (None, _) => "missing",
                    (Some(_), Some(_)) => "value",
                    (Some(_), None) => "not_declared",
                };
                (problem, shown.key.as_str().into(), text(shown.from.as_ref()), text(shown.to.as_ref()))
            }
        };
        Value::object([
            ("object", object.to_string().into()),
            ("setting", setting),
            ("problem", problem.into()),
            ("found", found),
            ("declared", declared),
            ("replaces", self.replaces().into()),
        ])
    }
}

/// What differs of which objects.
#[derive(Default)]
pub struct Drift(BTreeMap<ObjectKey, Vec<Problem>>);

impl Drift {
    pub fn of(graph: &Graph, matching: &Matching) -> Drift {
        let resolver = Resolver::new(&matching.matched);
        let mut drift: BTreeMap<ObjectKey, Vec<Problem>> = BTreeMap::new();
        for object in graph.iter() {
            let problems = drift.entry(object.key.clone()).or_default();
            let setting = |replaces| move |difference| Problem::Setting { difference, replaces };
            if let Some(found) = matching.matched.get(&object.key) {
                problems.extend(differences(object, found, &resolver).into_iter().map(setting(false)));
                continue;
            }
            let superseded: Vec<&Found> =
                matching.superseded.iter().filter(|(key, _)| *key == object.key).map(|(_, found)| found).collect();
            problems.extend(superseded.is_empty().then_some(Problem::Gone));
            for found in superseded {
                let all = differences(object, found, &resolver).into_iter();
                problems.extend(all.filter(|difference| difference.immutable).map(setting(true)));
                if let Readiness::Failed(reason) = &found.readiness {
                    problems.push(Problem::Failed(reason.clone()));
                }
            }
        }
        for (key, found) in &matching.superseded {
            if matching.matched.contains_key(key) || graph.get(key).is_none() {
                drift.entry(key.clone()).or_default().push(Problem::NotDeclared(found.id.clone()));
            }
        }
        drift.retain(|_, problems| !problems.is_empty());
        Drift(drift)
    }

    /// For people and as data.
    pub fn set(&self, values: &mut Value) {
        let lines = self.0.iter().map(|(object, problems)| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            (object.to_string(), Value::from(lines))
        });
        values.set(DRIFT, Value::Map(lines.collect()));
        let rows = self.0.iter().flat_map(|(object, problems)| problems.iter().map(|problem| problem.to_row(object)));
        values.set(DIFFERENCES, Value::List(rows.collect()));
    }
}

#[derive(Deserialize)]
struct Row {
    object: String,
    setting: Option<String>,
    replaces: bool,
}

/// What a state says that was found. An earlier version wrote lines for people only: each object of those may be lost.
#[derive(Default)]
pub struct Recorded {
    rows: BTreeMap<ObjectKey, Vec<Row>>,
    unread: BTreeSet<ObjectKey>,
}

impl Recorded {
    pub fn of(state: &Value) -> Recorded {
        let mut recorded = Recorded::default();
        let Some(rows) = state.get(DIFFERENCES).as_list() else {
            let objects = state.get(DRIFT).as_map().into_iter().flatten();
            recorded.unread = objects.filter_map(|(object, _)| object.parse().ok()).collect();
            return recorded;
        };
        for row in rows.iter().filter_map(|row| decode::<Row>(row).ok()) {
            if let Ok(object) = row.object.parse() {
                recorded.rows.entry(object).or_default().push(row);
            }
        }
        recorded
    }

    fn rows(&self, object: &ObjectKey) -> &[Row] {
        self.rows.get(object).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a new object takes the place of this one.
    pub fn is_lost(&self, object: &ObjectKey) -> bool {
        self.unread.contains(object) || self.rows(object).iter().any(|row| row.replaces)
    }

    /// Whether an output is given again when the settings of its object are put back.
    pub fn renews(&self, object: &ObjectKey, output: &str) -> bool {
        let mut settings = self.rows(object).iter().filter_map(|row| row.setting.as_deref());
        settings.any(|setting| object.kind.renews(output, setting))
    }

    /// Of objects of which something differs.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.rows.keys().chain(&self.unread).map(|object| object.kind).collect()
    }
}
