//! Schemas: what an engine takes, and that code asks for attributes that exist.

use crate::tree::{code, files, nothing, read, root};
use protocol::Provider;
use provider::K8s;
use schema::Schema;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Schemas need none.
struct NoCloud;

impl cloud::Connector for NoCloud {
    fn connect(&self, _settings: &cloud::Connection) -> Arc<dyn cloud::Cloud> {
        unreachable!("no schema reaches a cloud")
    }
}

fn schemas() -> Vec<(&'static str, Schema)> {
    let provider = K8s::new(Arc::new(NoCloud));
    let resources = provider.resources().into_iter().map(|resource| (resource.name(), resource.schema()));
    let data_sources = provider.data_sources().into_iter().map(|source| (source.name(), source.schema()));
    resources.chain(data_sources).chain(std::iter::once(("provider", Provider::schema(&provider)))).collect()
}

#[test]
fn every_schema_is_one_that_an_engine_takes() {
    let all = schemas();
    assert!(all.len() > 3);
    nothing(
        all.iter()
            .flat_map(|(name, schema)| schema.mistakes().into_iter().map(move |mistake| format!("{name}: {mistake}")))
            .collect(),
    );
}

/// Keys in `get("…")` and `set("…")` that are not attributes but of another document.
const KEYS: [&str; 4] = ["data", "kind", "node", "Statement"];

/// In what is written in terms of a cloud's objects, `get` asks those for their settings; not so in validators.
const OF_VALUES: [&str; 9] = [
    "provider/src/resources/in_cluster",
    "provider/src/resources/on_hosts",
    "provider/src/resources/pki",
    "provider/src/resources/on_cloud/aws_instance/validate",
    "provider/src/resources/on_cloud/bastion",
    "provider/src/resources/on_cloud/egress_proxy",
    "provider/src/resources/on_cloud/lb_nlb/validate",
    "provider/src/resources/on_cloud/vpc/validate",
    "provider/src/data_sources",
];

#[test]
fn every_attribute_that_code_asks_for_is_in_a_schema() {
    let known: BTreeSet<String> = schemas()
        .iter()
        .flat_map(|(_, schema)| schema.attribute_names())
        .flat_map(|path| path.split(['.', '[']).map(|name| name.trim_end_matches(']').to_owned()).collect::<Vec<_>>())
        .collect();
    assert!(known.contains("secondary_address") && known.contains("ssh_user"));
    let mut faults = Vec::new();
    let mut check = |folder: &str, calls: [&str; 2]| {
        for path in files(&root().join(folder), ".rs").into_iter().filter(|path| !path.ends_with("tests.rs")) {
            let text = read(&path);
            let literals = calls.iter().flat_map(|call| code(&text).split(call).skip(1));
            let names = literals.filter_map(|rest| rest.split('"').next());
            let unknown = names.filter(|name| !known.contains(*name) && !KEYS.contains(name));
            faults.extend(unknown.map(|name| format!("{}: no schema has {name:?}", path.display())));
        }
    };
    OF_VALUES.iter().for_each(|folder| check(folder, [".get(\"", ".set(\""]));
    check("provider/src", [".then(\"", "AttributePath::attribute(\""]);
    nothing(faults);
}
