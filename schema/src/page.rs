//! Registry pages in the layout of HashiCorp's tfplugindocs, which both registries show, from the text in the schema.

use crate::{Attribute, Kind, Nesting, NullElements, Requirement, Schema, Type, Value};

/// What a page is about; decides on title and heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    Provider,
    Resource,
    DataSource,
}

/// The page of a provider, resource or data source.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    pub kind: PageKind,
    /// `k8s_pki`; for the provider its local name.
    pub name: &'a str,
    /// The provider's local name, `k8s`.
    pub provider: &'a str,
    /// The group in the registry's menu, such as `AWS`; the page of the provider has none.
    pub subcategory: &'a str,
    pub schema: &'a Schema,
    pub example_hcl: Option<&'a str>,
    /// The command line of an import.
    pub import_example: Option<&'a str>,
}

/// The page of a function.
#[derive(Clone, Debug)]
pub struct FunctionPage<'a> {
    pub name: &'a str,
    pub provider: &'a str,
    /// The group in the registry's menu, such as `AWS`.
    pub subcategory: &'a str,
    /// Markdown.
    pub description: &'a str,
    pub parameters: &'a [FunctionParameter<'a>],
    /// What follows them, any number of times.
    pub variadic: Option<FunctionParameter<'a>>,
    pub result: &'a Type,
    pub example_hcl: Option<&'a str>,
}

/// One parameter on the page of a function.
#[derive(Clone, Debug)]
pub struct FunctionParameter<'a> {
    pub name: &'a str,
    /// Markdown.
    pub description: &'a str,
    pub value_type: Type,
}

/// The Markdown of a page of the provider, a resource or a data source, front matter included.
pub fn render_resource_page(page: &Page<'_>) -> String {
    let Page { kind, name, provider, subcategory, schema, .. } = *page;
    let (title, heading) = match kind {
        PageKind::Provider => (format!("{name} Provider"), format!("{name} Provider")),
        PageKind::Resource => titles(name, provider, "Resource"),
        PageKind::DataSource => titles(name, provider, "Data Source"),
    };
    let subcategory = (kind != PageKind::Provider).then_some(subcategory);
    let mut text = render_head(&title, subcategory, &heading, &schema.description);
    if let Some(deprecated) = &schema.deprecated {
        text += &format!("~> **Deprecated.** {deprecated}\n\n");
    }
    text += &render_example(page.example_hcl);
    let rows = attribute_rows(&schema.attributes);
    text += "## Schema\n";
    text += &render_groups(&rows, &[]);
    text += &render_sections(&rows, &[]);
    if let Some(example) = page.import_example {
        text += &format!("\n## Import\n\n```shell\n{}\n```\n", example.trim());
    }
    text
}

/// The Markdown of a function's page, front matter included.
pub fn render_function_page(page: &FunctionPage<'_>) -> String {
    let FunctionPage { name, provider, subcategory, parameters, variadic, result, .. } = page;
    let title = format!("{name} function - terraform-provider-{provider}");
    let mut text = render_head(&title, Some(*subcategory), &format!("function: {name}"), page.description);
    text += &render_example(page.example_hcl);
    let argument = |parameter: &FunctionParameter<'_>| format!("{} {}", parameter.name, type_in_signature(&parameter.value_type));
    let more = variadic.iter().map(|parameter| argument(parameter) + "...");
    let arguments: Vec<_> = parameters.iter().map(argument).chain(more).collect();
    text += &format!("## Signature\n\n```text\n{name}({}) {}\n```\n", arguments.join(", "), type_in_signature(result));
    if !arguments.is_empty() {
        text += "\n## Arguments\n\n";
    }
    for (position, FunctionParameter { name, description, value_type }) in (1..).zip(*parameters) {
        text += &format!("{position}. `{name}` ({value_type}) {description}\n");
    }
    if let Some(FunctionParameter { name, description, value_type }) = variadic {
        text += &format!("{}. `{name}` (Variadic, {value_type}) {description}\n", parameters.len() + 1);
    }
    text
}

fn type_in_signature(ty: &Type) -> String {
    ty.to_string().to_lowercase()
}

fn titles(name: &str, provider: &str, kind: &str) -> (String, String) {
    (format!("{name} {kind} - terraform-provider-{provider}"), format!("{name} ({kind})"))
}

/// The front matter carries the first paragraph of the description, which search results show. A registry refuses the page of a
/// provider that has a subcategory, even an empty one.
fn render_head(title: &str, subcategory: Option<&str>, heading: &str, description: &str) -> String {
    let description = description.trim();
    let summary = description.split("\n\n").next().unwrap_or_default().replace('\n', "\n  ");
    let subcategory = subcategory.map_or_else(String::new, |name| format!("subcategory: \"{name}\"\n"));
    format!("---\npage_title: \"{title}\"\n{subcategory}description: |-\n  {summary}\n---\n\n# {heading}\n\n{description}\n\n")
}

fn render_example(hcl: Option<&str>) -> String {
    hcl.map_or_else(String::new, |hcl| format!("## Example Usage\n\n```terraform\n{}\n```\n\n", hcl.trim()))
}

/// One line of the page: an attribute of a schema, or of an object type.
struct Row {
    name: String,
    group: Group,
    /// `String, Sensitive`.
    traits: String,
    text: String,
    below: Vec<Row>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Required,
    Optional,
    ReadOnly,
}

impl Group {
    const ALL: [(Group, &'static str); 3] =
        [(Group::Required, "Required"), (Group::Optional, "Optional"), (Group::ReadOnly, "Read-Only")];

    fn of(requirement: Requirement) -> Group {
        match requirement {
            Requirement::Required => Group::Required,
            Requirement::Optional | Requirement::OptionalComputed => Group::Optional,
            Requirement::Computed => Group::ReadOnly,
        }
    }
}

fn attribute_rows(attributes: &[Attribute]) -> Vec<Row> {
    let mut rows: Vec<_> = attributes.iter().map(attribute_row).collect();
    rows.sort_by(|left, right| left.name.cmp(&right.name));
    rows
}

fn attribute_row(attribute: &Attribute) -> Row {
    let group = Group::of(attribute.requirement);
    let below = match &attribute.kind {
        Kind::Nested(_, attributes) => attribute_rows(attributes),
        Kind::Value(ty) => type_rows(ty, group),
    };
    Row { name: attribute.name.to_owned(), group, traits: traits(attribute), text: text(attribute), below }
}

/// The attributes of an object type, or of the object that a collection holds. The configuration has to give all of them.
fn type_rows(ty: &Type, parent: Group) -> Vec<Row> {
    let group = if parent == Group::ReadOnly { Group::ReadOnly } else { Group::Required };
    match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => type_rows(element, parent),
        Type::Object(attributes) => attributes.iter().map(|(name, ty)| type_row(name, ty, group)).collect(),
        _ => Vec::new(),
    }
}

fn type_row(name: &str, ty: &Type, group: Group) -> Row {
    Row { name: name.to_owned(), group, traits: ty.to_string(), text: String::new(), below: type_rows(ty, group) }
}

fn traits(attribute: &Attribute) -> String {
    let mut traits = vec![match &attribute.kind {
        Kind::Value(ty) => ty.to_string(),
        Kind::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Kind::Nested(nesting, _) => format!("Attributes {nesting:?}"),
    }];
    let marks = [
        (attribute.sensitive, "Sensitive"),
        (attribute.write_only, "Write-only"),
        (attribute.deprecated.is_some(), "Deprecated"),
    ];
    traits.extend(marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| (*mark).to_owned()));
    traits.join(", ")
}

fn text(attribute: &Attribute) -> String {
    let mut sentences = vec![attribute.description.trim().to_owned()];
    sentences.extend(attribute.deprecated.as_ref().map(|text| format!("**Deprecated:** {text}")));
    sentences.extend(attribute.validators.iter().filter_map(|validator| validator.page_rule(&attribute.description)));
    sentences
        .extend((attribute.null_elements == NullElements::Absent).then(|| "Keys whose value is null are left out.".to_owned()));
    sentences.extend(default_text(attribute).map(|default| format!("Defaults to {default}.")));
    sentences.extend(attribute.requires_replace.then(|| "Forces replacement.".to_owned()));
    sentences.extend(attribute.replaces.map(|part| format!("A change replaces {part}.")));
    sentences.retain(|sentence| !sentence.is_empty());
    sentences.join(" ")
}

/// Text stands without quotes, as in every list of allowed values.
fn default_text(attribute: &Attribute) -> Option<String> {
    let constant = attribute.default.as_ref().map(|default| match default.untyped() {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{}`", hcl(other)),
    });
    constant.or_else(|| attribute.default_in_words.as_ref().map(|words| words.to_string()))
}

/// A default as it is written in HCL.
fn hcl(value: &Value) -> String {
    match value.untyped() {
        Value::Null | Value::Unknown | Value::Changing(_) | Value::Typed(..) => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(hcl).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(|(name, value)| format!("{name} = {}", hcl(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

fn render_groups(rows: &[Row], path: &[&str]) -> String {
    let mut page = String::new();
    for (group, title) in Group::ALL {
        let mut lines = rows.iter().filter(|row| row.group == group).map(|row| render_row(row, path)).peekable();
        if lines.peek().is_some() {
            let title = if path.is_empty() { format!("### {title}") } else { format!("{title}:") };
            page += &format!("\n{title}\n\n{}", lines.collect::<String>());
        }
    }
    page
}

fn render_row(row: &Row, path: &[&str]) -> String {
    let mut line = format!("- `{}` ({})", row.name, row.traits);
    if !row.text.is_empty() {
        line += &format!(" {}", row.text);
    }
    if !row.below.is_empty() {
        line += &format!(" (see [below for nested schema](#{}))", anchor(&[path, &[&row.name]].concat()));
    }
    line + "\n"
}

/// What stands below the attributes of these rows, depth first.
fn render_sections(rows: &[Row], path: &[&str]) -> String {
    let mut page = String::new();
    let grouped = Group::ALL.iter().flat_map(|(group, _)| rows.iter().filter(move |row| row.group == *group));
    for row in grouped.filter(|row| !row.below.is_empty()) {
        let path = [path, &[&row.name]].concat();
        page += &format!("\n<a id=\"{}\"></a>\n### Nested Schema for `{}`\n", anchor(&path), path.join("."));
        page += &render_groups(&row.below, &path);
        page += &render_sections(&row.below, &path);
    }
    page
}

fn anchor(path: &[&str]) -> String {
    format!("nestedatt--{}", path.join("--"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{one_of, port};

    fn sample() -> Schema {
        let ssh = vec![
            Attribute::number("port").default(22.into()).validator(port()).describe("Port of the SSH server."),
            Attribute::string("user").optional().defaults_to("the user of the provider block").describe("User to log in as."),
            Attribute::string("mode").default("fast".into()).validator(one_of(&["fast", "safe"])).describe("How to work."),
            Attribute::string("order")
                .optional()
                .validator(one_of(&["up", "down"]))
                .describe("`up`: from the first; `down`: from the last."),
            Attribute::string("password").optional().write_only().sensitive().describe("Better use a key."),
        ];
        let host = vec![
            Attribute::string("address").required().describe("IPv4 or IPv6."),
            Attribute::nested("ssh", Nesting::Single, ssh).optional().describe("How the host is reached."),
            Attribute::string("node_name").computed().describe("As the cluster knows it."),
            Attribute::string("image").optional().replaces("the instance").describe("Image."),
        ];
        let bundle = Type::object([("certificates", Type::map(Type::String)), ("name", Type::String)]);
        let labels = Value::object([("pool", "general".into())]);
        let families = Value::from(vec!["ipv4", "ipv6"]);
        Schema::new("The authorities of one cluster.\n\nEach is isolated.")
            .attribute(Attribute::string("name").required().requires_replace().describe("Name of the cluster."))
            .attribute(Attribute::nested("hosts", Nesting::Map, host).required().describe("Hosts by name."))
            .attribute(Attribute::map("labels", Type::String).default(labels).describe("Labels of the nodes."))
            .attribute(
                Attribute::list("families", Type::String)
                    .default(families)
                    .validator(one_of(&["ipv4", "ipv6"]).each())
                    .describe("The first comes first."),
            )
            .attribute(Attribute::bool("old").optional().deprecated("Use `families`.").describe("Whether IPv4 is used."))
            .attribute(Attribute::of("bundle", bundle.clone()).computed().sensitive().describe("All of it."))
            .attribute(Attribute::list("bundles", bundle).optional().describe("Of other clusters."))
    }

    fn page(kind: PageKind, schema: &Schema) -> Page<'_> {
        let example_hcl = Some("resource \"k8s_pki\" \"main\" {\n  name = \"demo\"\n}\n");
        let import_example = Some("terraform import k8s_pki.main demo");
        Page { kind, name: "k8s_pki", provider: "k8s", subcategory: "Hosts", schema, example_hcl, import_example }
    }

    #[test]
    fn a_resource_has_a_page_in_the_layout_of_the_registry() {
        let text = render_resource_page(&page(PageKind::Resource, &sample()));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_function_has_a_page_in_the_layout_of_the_registry() {
        let parameters = [
            FunctionParameter { name: "base", description: "The network.", value_type: Type::String },
            FunctionParameter { name: "hosts", description: "Their names.", value_type: Type::list(Type::String) },
        ];
        let text = render_function_page(&FunctionPage {
            name: "cidr_plan",
            provider: "k8s",
            subcategory: "Functions",
            description: "Cuts a network into subnets.\n\nIn the order of names.",
            parameters: &parameters,
            variadic: Some(FunctionParameter { name: "more", description: "As long as there are.", value_type: Type::Dynamic }),
            result: &Type::object([]),
            example_hcl: Some("output \"plan\" {\n  value = provider::k8s::cidr_plan(\"10.0.0.0/16\", [\"cp-1\"])\n}"),
        });
        insta::assert_snapshot!(text);
    }

    #[track_caller]
    fn check_head(kind: PageKind, title: &str, subcategory: &str, heading: &str) {
        let schema = Schema::new("Text.\n\nMore.").deprecated("Use another.");
        let text = render_resource_page(&Page { example_hcl: None, import_example: None, ..page(kind, &schema) });
        let expect = format!(
            "---\npage_title: \"{title}\"\n{subcategory}description: |-\n  Text.\n---\n\n# {heading}\n\nText.\n\nMore.\n"
        );
        let rest = "\n~> **Deprecated.** Use another.\n\n## Schema\n";
        assert_eq!(text, expect + rest);
    }

    #[test]
    fn each_kind_of_page_has_its_heading_and_the_first_paragraph_as_summary() {
        let subcategory = "subcategory: \"Hosts\"\n";
        check_head(PageKind::Provider, "k8s_pki Provider", "", "k8s_pki Provider");
        check_head(PageKind::DataSource, "k8s_pki Data Source - terraform-provider-k8s", subcategory, "k8s_pki (Data Source)");
    }
}
