//! The pages of the registry are the schemas', with an example that stands below `examples/`. `UPDATE=1` writes them and fails once.

#![allow(clippy::unwrap_used)]

use protocol::{Function, Parameter, Provider};
use provider::K8s;
use schema::{
    Attribute, FunctionPage, FunctionParameter, Kind, Page, PageKind, Schema, render_function_page, render_resource_page,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PROVIDER: &str = "k8s";

/// Schemas need none.
struct NoCloud;

impl cloud::Connector for NoCloud {
    fn connect(&self, _settings: &cloud::Connection) -> Arc<dyn cloud::Cloud> {
        unreachable!("no schema reaches a cloud")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn example(path: &str) -> String {
    let path = root().join("examples").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}; every page has an example", path.display()))
}

/// `pki` of `k8s_pki`.
fn noun(name: &str) -> &str {
    name.strip_prefix("k8s_").unwrap_or(name)
}

/// The group in the registry's menu: resources are grouped as their sources are, by the place where they live.
fn subcategory(kind: PageKind, name: &str) -> &'static str {
    let noun = noun(name);
    let stands_in = |floor: &str| root().join("provider/src/resources").join(floor).join(noun).is_dir();
    match kind {
        PageKind::Provider => "",
        PageKind::Resource if stands_in("on_hosts") => "Hosts",
        PageKind::Resource if stands_in("on_cloud") => "AWS",
        PageKind::Resource if stands_in("in_cluster") => "Objects",
        PageKind::Resource if stands_in("") => "Certificates",
        PageKind::Resource => panic!("{name} stands on no floor of provider/src/resources"),
        PageKind::DataSource if noun.starts_with("aws_") => "AWS",
        PageKind::DataSource => "Certificates",
    }
}

fn page(kind: PageKind, name: &str, schema: &Schema, example: &str) -> String {
    let import = std::fs::read_to_string(root().join(format!("examples/resources/{name}/import.sh"))).ok();
    let import_example = import.as_deref().filter(|_| kind == PageKind::Resource);
    let subcategory = subcategory(kind, name);
    let page = Page { kind, name, provider: PROVIDER, subcategory, schema, example_hcl: Some(example), import_example };
    render_resource_page(&page)
}

fn function_page(function: &dyn Function) -> String {
    let shown = |parameter: Parameter| FunctionParameter {
        name: parameter.name,
        description: parameter.description,
        value_type: parameter.value_type,
    };
    let parameters: Vec<FunctionParameter> = function.parameters().into_iter().map(shown).collect();
    render_function_page(&FunctionPage {
        name: function.name(),
        provider: PROVIDER,
        subcategory: match function.name() {
            name if name.starts_with("aws_") || name == "cloud_config" => "AWS",
            "kubeconfig" => "Certificates",
            _ => "Hosts",
        },
        description: function.description(),
        parameters: &parameters,
        variadic: function.variadic().map(shown),
        result: &function.result(),
        example_hcl: Some(&example(&format!("functions/{}/function.tf", function.name()))),
    })
}

/// By path below `docs/`.
fn pages() -> BTreeMap<String, String> {
    let provider = K8s::new(Arc::new(NoCloud));
    let mut pages = BTreeMap::new();
    let index = page(PageKind::Provider, PROVIDER, &Provider::schema(&provider), &example("provider/provider.tf"));
    pages.insert("index.md".to_string(), index);
    for resource in provider.resources() {
        let name = resource.name();
        let example = example(&format!("resources/{name}/resource.tf"));
        let text = page(PageKind::Resource, name, &resource.schema(), &example);
        pages.insert(format!("resources/{}.md", noun(name)), text);
    }
    for source in provider.data_sources() {
        let name = source.name();
        let example = example(&format!("data-sources/{name}/data-source.tf"));
        let text = page(PageKind::DataSource, name, &source.schema(), &example);
        pages.insert(format!("data-sources/{}.md", noun(name)), text);
    }
    for function in provider.functions() {
        pages.insert(format!("functions/{}.md", function.name()), function_page(function.as_ref()));
    }
    pages
}

/// Pages that are there, by path below `docs/`.
fn written() -> BTreeSet<String> {
    let below = |folder: &str| std::fs::read_dir(root().join("docs").join(folder)).into_iter().flatten().flatten();
    let names = ["resources", "data-sources", "functions"]
        .into_iter()
        .flat_map(|folder| below(folder).map(move |entry| format!("{folder}/{}", entry.file_name().to_string_lossy())));
    names.collect()
}

#[test]
fn every_page_is_what_its_schema_says() {
    let pages = pages();
    let docs = root().join("docs");
    let is_current = |path: &str, text: &String| std::fs::read_to_string(docs.join(path)).is_ok_and(|found| found == *text);
    let mut stale: Vec<&String> = pages.iter().filter(|(path, text)| !is_current(path, text)).map(|(path, _)| path).collect();
    let written = written();
    let orphans: Vec<&String> = written.iter().filter(|path| !pages.contains_key(*path)).collect();
    stale.extend(&orphans);
    if std::env::var_os("UPDATE").is_some() {
        for path in &stale {
            let file = docs.join(path);
            match pages.get(*path) {
                Some(text) => {
                    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                    std::fs::write(file, text).unwrap();
                }
                None => std::fs::remove_file(file).unwrap(),
            }
        }
    }
    assert!(stale.is_empty(), "these pages are not what the schemas say; UPDATE=1 writes them: {stale:?}");
}

/// Between these lines of the guide stands what others write.
const FIRST_LOOK: [&str; 2] = ["<!-- first look: written by a test -->\n\n", "\n<!-- end of the first look -->\n"];

#[test]
fn the_guide_lists_what_is_looked_at_on_a_host() {
    let path = root().join("docs/guides/first-cluster-on-your-hosts.md");
    let guide = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once(FIRST_LOOK[0]).unwrap();
    let (written, after) = rest.split_once(FIRST_LOOK[1]).unwrap();
    let table = provider::first_look();
    if std::env::var_os("UPDATE").is_some() && written != table {
        std::fs::write(&path, [before, FIRST_LOOK[0], &table, FIRST_LOOK[1], after].concat()).unwrap();
    }
    assert_eq!(written, table, "the guide is not what is looked at; UPDATE=1 writes it");
}

#[test]
fn every_example_belongs_to_a_page() {
    let provider = K8s::new(Arc::new(NoCloud));
    let names: BTreeSet<String> = provider
        .resources()
        .iter()
        .map(|resource| format!("resources/{}", resource.name()))
        .chain(provider.data_sources().iter().map(|source| format!("data-sources/{}", source.name())))
        .chain(provider.functions().iter().map(|function| format!("functions/{}", function.name())))
        .collect();
    for folder in ["resources", "data-sources", "functions"] {
        for entry in std::fs::read_dir(root().join("examples").join(folder)).unwrap() {
            let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
            assert!(names.contains(&name), "examples/{name} is an example of nothing");
        }
    }
}

/// What the generator writes, in the words that prose once had for it.
const GENERATED: [&str; 7] = [
    "when not given",
    "When not given",
    "replaces this resource",
    "in place of the old one",
    " anew",
    "Forces replacement",
    "One of `",
];

fn descriptions(attributes: &[Attribute], path: &str, found: &mut Vec<(String, String)>) {
    for attribute in attributes {
        let path = format!("{path}.{}", attribute.name);
        found.push((path.clone(), attribute.description.to_string()));
        if let Kind::Nested(_, below) = &attribute.kind {
            descriptions(below, &path, found);
        }
    }
}

fn schemas() -> Vec<(String, Schema)> {
    let provider = K8s::new(Arc::new(NoCloud));
    let resources = provider.resources().iter().map(|resource| (resource.name().to_string(), resource.schema())).collect();
    let sources = provider.data_sources().iter().map(|source| (source.name().to_string(), source.schema())).collect();
    let block = vec![(PROVIDER.to_string(), Provider::schema(&provider))];
    [block, resources, sources].concat()
}

#[test]
fn every_attribute_is_described_and_leaves_to_the_generator_what_it_writes() {
    let mut found = Vec::new();
    for (name, schema) in schemas() {
        descriptions(&schema.attributes, &name, &mut found);
    }
    let is_bad =
        |text: &str| text.is_empty() || !text.ends_with(['.', ')']) || GENERATED.iter().any(|phrase| text.contains(phrase));
    let bad: Vec<&(String, String)> = found.iter().filter(|(_, text)| is_bad(text)).collect();
    assert!(bad.is_empty(), "these descriptions are no sentences, or say what the generator writes (docs/style.md): {bad:#?}");
}

#[test]
fn every_page_has_a_summary_that_fits_into_a_search_result() {
    for (name, schema) in schemas() {
        let summary = schema.description.split("\n\n").next().unwrap_or_default();
        let sentences = summary.matches(". ").count() + 1;
        assert!(summary.len() <= 220 && sentences <= 2, "{name}: its first paragraph is the summary, keep it short: {summary}");
    }
}

#[test]
fn pages_name_each_region_whose_prices_are_known() {
    let prices = std::fs::read_to_string(root().join("provider/cloud/src/prices.toml")).unwrap();
    let regions: BTreeSet<&str> = prices.lines().filter_map(|line| line.strip_prefix("region = \"")?.strip_suffix('"')).collect();
    let named = regions.iter().filter(|region| **region != "*");
    assert!(named.clone().count() > 0);
    for page in ["index.md", "guides/network-on-aws.md"] {
        let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
        let prices = page.lines().filter(|line| line.contains("price")).collect::<Vec<_>>().join("\n");
        named.clone().for_each(|region| assert!(prices.contains(&format!("`{region}`")), "{region}: {prices}"));
    }
}
