//! What becomes unknown in the plan of what exists while one value of its configuration is. A plan that knows nothing breaks no
//! promise: `outputs.txt` holds it to what it knows, and what is wider than it has to be is marked there, so that it only shrinks.

use super::Stage;
use super::rows::ROWS;
use super::unknowns::{What, trials};
use schema::{AttributePath, Schema, Value};
use std::fmt::Write as _;
use std::path::Path;

const WIDE: &str = "  (wider than it has to be)";

/// The outermost parts of computed attributes that are unknown with a value, and known without it; elements of one collection as one.
fn unknown_outputs(schema: &Schema, with_unknown: &Value, known: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in schema.attributes.iter().filter(|attribute| attribute.is_computed()) {
        let path = AttributePath::attribute(attribute.name);
        let (before, after) = (with_unknown.get(attribute.name), known.get(attribute.name));
        if before.is_unknown() && !after.is_unknown() {
            found.push(path.to_string());
        } else if before.as_map().is_some() {
            for (name, _) in before
                .as_map()
                .into_iter()
                .flatten()
                .filter(|(name, part)| !part.is_wholly_known() && after.get(name).is_wholly_known())
            {
                let is_object = matches!(attribute.value_type(), schema::Type::Object(_));
                found.push(if is_object { format!("{path}.{name}") } else { format!("{path}[…]") });
            }
        } else if !before.is_wholly_known() && after.is_wholly_known() {
            found.push(format!("{path}[…]"));
        }
    }
    found.dedup();
    found
}

#[tokio::test]
async fn a_value_that_is_unknown_makes_no_more_unknown_than_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lifecycle/outputs.txt");
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let mut table = String::new();
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        let (config, state) = (stage.config.clone(), stage.create().await);
        let schema = stage.engine.schema(row.name).clone();
        let known = stage.engine.plan(row.name, &state, &config).await.planned;
        for trial in trials(&schema, &config).into_iter().filter(|trial| trial.what == What::Unknown) {
            if !stage.engine.try_validate(row.name, &trial.config).await.is_empty() {
                continue;
            }
            let Ok(plan) = stage.engine.ask_plan(row.name, &state, &trial.config).await else { continue };
            let outputs = unknown_outputs(&schema, &plan.planned, &known);
            let outputs = if outputs.is_empty() { "nothing".to_string() } else { outputs.join(", ") };
            let line = format!("{}.{}: {outputs}", row.name, trial.path);
            let is_marked = stored.lines().any(|stored| stored.strip_suffix(WIDE) == Some(line.as_str()));
            writeln!(table, "{line}{}", if is_marked { WIDE } else { "" }).unwrap();
        }
    }
    if std::env::var_os("UPDATE").is_some() && table != stored {
        std::fs::write(&path, &table).unwrap();
        panic!("{} was written: look at what is more than before", path.display());
    }
    let differing: Vec<&str> = table.lines().filter(|line| !stored.lines().any(|stored| stored == *line)).collect();
    assert!(table == stored, "UPDATE=1 writes outputs.txt; what differs now:\n{}", differing.join("\n"));
}
