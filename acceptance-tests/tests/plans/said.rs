//! What an engine said: its diagnostics out of `-json`, and the plan that came of it.

use acceptance_tests::Plan;
use acceptance_tests::command::Output;
use serde_json::Value;

pub struct Said {
    /// `None` when there were errors.
    pub plan: Option<Plan>,
    diagnostics: Vec<Value>,
    /// For messages of tests.
    engine: &'static str,
    printed: String,
}

impl Said {
    /// Of a command that prints one event a line.
    pub fn by(engine: &'static str, output: &Output, plan: Option<Plan>) -> Said {
        let events = output.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let diagnostics = events.filter(|event| event["type"] == "diagnostic").map(|event| event["diagnostic"].clone());
        let printed = format!("{:?}\n{}{}", output.status, output.stdout, output.stderr);
        Said { plan, diagnostics: diagnostics.collect(), engine, printed }
    }

    #[track_caller]
    pub fn planned(&self) -> &Plan {
        self.plan.as_ref().unwrap_or_else(|| match self.all("error") {
            errors if errors.is_empty() => panic!("{}: there is no plan, and no error: {}", self.engine, self.printed),
            errors => panic!("{}: there is no plan:\n{}", self.engine, errors.join("\n")),
        })
    }

    /// `address: summary: detail` of each.
    fn all(&self, severity: &str) -> Vec<String> {
        let one = |diagnostic: &&Value| {
            format!("{}: {}: {}", text(diagnostic, "address"), text(diagnostic, "summary"), text(diagnostic, "detail"))
        };
        self.diagnostics.iter().filter(|diagnostic| diagnostic["severity"] == severity).map(|d| one(&d)).collect()
    }

    #[track_caller]
    pub fn is_quiet(&self) {
        let said = [self.all("error"), self.all("warning")].concat();
        assert!(said.is_empty(), "{}: {}", self.engine, said.join("\n"));
    }

    /// There is no plan, for this reason at this attribute.
    #[track_caller]
    pub fn refuses(&self, address: &str, path: &str, summary: &str) {
        assert!(self.plan.is_none(), "{}: {address} is planned", self.engine);
        self.says("error", address, path, summary);
    }

    #[track_caller]
    pub fn warns(&self, address: &str, path: &str, summary: &str) {
        self.says("warning", address, path, summary);
    }

    #[track_caller]
    fn says(&self, severity: &str, address: &str, path: &str, summary: &str) {
        let is_it = |diagnostic: &&Value| {
            let summary_is = text(diagnostic, "summary").to_lowercase().contains(&summary.to_lowercase());
            diagnostic["severity"] == severity && text(diagnostic, "address") == address && summary_is
        };
        let found = self.diagnostics.iter().find(is_it).unwrap_or_else(|| {
            panic!("{}: nobody says {summary:?} of {address}, but:\n{}", self.engine, self.all(severity).join("\n"))
        });
        // Engines point at the attribute or at an element of it; what lies deeper the detail names.
        let attribute: String = path.chars().take_while(|c| !".[".contains(*c)).collect();
        let code = found["snippet"]["code"].as_str().unwrap_or_default().trim();
        assert!(code.starts_with(&attribute), "{}: {summary:?} is said at {code:?}, not at {path}", self.engine);
        let is_deep = path.matches(['.', '[']).count() > 1;
        let detail = text(found, "detail");
        assert!(!is_deep || detail.contains(path), "{}: the detail does not name {path}: {detail}", self.engine);
        assert!(!detail.is_empty(), "{}: no way out is shown of {summary:?}", self.engine);
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Drawn when something is created, or gone on with.
const UIDS: [&str; 4] = ["uid", "holder", "join.cluster_uid", "cluster.cluster_uid"];

/// What a plan leaves open below one value, as paths: `objects`, `join.endpoint`, `certificates["admin"]`. No create can know its uid.
pub fn unknown(plan: &Plan, address: &str) -> Vec<String> {
    let mut paths = Vec::new();
    walk(&change(plan, address)["after_unknown"], String::new(), &mut paths);
    paths.retain(|path| !UIDS.contains(&path.as_str()));
    paths
}

#[track_caller]
pub fn change<'a>(plan: &'a Plan, address: &str) -> &'a Value {
    let changes = plan.json["resource_changes"].as_array().into_iter().flatten();
    let found = changes.into_iter().find(|resource| resource["address"] == address);
    &found.unwrap_or_else(|| panic!("{address} is not in the plan"))["change"]
}

fn walk(value: &Value, at: String, paths: &mut Vec<String>) {
    let is_name = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match value {
        Value::Bool(true) => paths.push(at),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| walk(item, format!("{at}[{index}]"), paths)),
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            let at = match (at.is_empty(), is_name(key)) {
                (true, _) => key.clone(),
                (false, true) => format!("{at}.{key}"),
                (false, false) => format!("{at}[{key:?}]"),
            };
            walk(value, at, paths);
        }),
        _ => {}
    }
}
