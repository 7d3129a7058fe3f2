//! A provider with one of everything, for the tests and the example: notes are files in a directory. Some texts make it
//! misbehave on purpose; they are the constants.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use protocol::*;
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Nesting, Schema, Type, Value};

pub const PANICS_IN_PLAN: &str = "panic in plan";
pub const PANICS_IN_APPLY: &str = "panic in apply";
pub const CHANGES_CONFIG: &str = "change my configuration";
pub const FORGETS_PLAN: &str = "forget the plan";
pub const FORGETS_ID: &str = "forget the id";
pub const FAILS_HALFWAY: &str = "fail halfway";
pub const WAITS_FOR_STOP: &str = "wait for stop";

#[derive(Default)]
pub struct FakeProvider {
    directory: Directory,
}

/// Set by `configure`, shared by everything.
type Directory = Arc<RwLock<PathBuf>>;

#[async_trait]
impl Provider for FakeProvider {
    fn schema(&self) -> Schema {
        Schema::new("Keeps notes.").attribute(Attribute::string("directory").required().describe("Where the notes are."))
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("directory").as_str() {
            Some("") => Diagnostic::error("directory is empty").at(AttributePath::attribute("directory")).into(),
            _ => Diagnostics::default(),
        }
    }

    async fn configure(&self, config: Value, _terraform_version: &str) -> Diagnostics {
        *self.directory.write().unwrap() = config.get("directory").as_str().unwrap_or_default().into();
        Diagnostics::default()
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        vec![Box::new(Note { directory: self.directory.clone() })]
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource>> {
        vec![Box::new(Count { directory: self.directory.clone() })]
    }

    fn functions(&self) -> Vec<Box<dyn Function>> {
        vec![Box::new(Shout)]
    }
}

struct Note {
    directory: Directory,
}

impl Note {
    fn path(&self, state: &Value) -> PathBuf {
        self.directory.read().unwrap().join(state.get("name").as_str().unwrap_or_default())
    }

    fn write(&self, mut state: Value, seal: &Value) -> Value {
        let name = state.get("name").as_str().unwrap_or_default().to_owned();
        state.set("uid", format!("uid of {name}").into());
        state.set("sealed", Value::Bool(seal.as_str().is_some()));
        let tags = state.get("tags").as_map().map_or(0, |tags| tags.len());
        state.set("tag_count", i64::try_from(tags).unwrap().into());
        let hosts = state.get("hosts").as_map().cloned().unwrap_or_default();
        let hosts = hosts.into_iter().map(|(key, mut host)| {
            host.set("machine_id", format!("machine {key}").into());
            (key, host)
        });
        if !state.get("hosts").is_null() {
            state.set("hosts", Value::Map(hosts.collect()));
        }
        std::fs::write(self.path(&state), state.get("text").as_str().unwrap_or_default()).unwrap();
        state
    }
}

#[async_trait]
impl Resource for Note {
    fn name(&self) -> &'static str {
        "fake_note"
    }

    fn schema(&self) -> Schema {
        let host = vec![
            Attribute::string("address").required(),
            Attribute::number("port").default(Value::from(22)),
            Attribute::string("machine_id").computed(),
        ];
        Schema::new("A note.")
            .version(2)
            .attribute(Attribute::string("name").required().requires_replace().describe("Name of the file."))
            .attribute(Attribute::string("text").optional().sensitive())
            .attribute(Attribute::number("copies").default(Value::from(1)))
            .attribute(Attribute::string("seal").optional().write_only())
            .attribute(Attribute::nested("hosts", Nesting::Map, host).optional())
            .attribute(Attribute::map("tags", Type::String).optional().null_means_absent())
            .attribute(Attribute::number("tag_count").computed())
            .attribute(Attribute::bool("sealed").computed())
            .attribute(Attribute::string("uid").computed().never_null())
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("name").as_str() {
            Some(name) if name.contains('/') => Diagnostic::error("name is a path").at(AttributePath::attribute("name")).into(),
            _ => Diagnostics::default(),
        }
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        let mut planned = request.proposed;
        match request.config.get("text").as_str() {
            Some(PANICS_IN_PLAN) => panic!("as asked"),
            Some(CHANGES_CONFIG) => planned.set("text", "another".into()),
            _ => {}
        }
        PlanResponse { planned, ..PlanResponse::default() }
    }

    async fn plan_destroy(&self, _call: &Call, _prior: Value) -> Diagnostics {
        Diagnostic::warning("the note will be lost").into()
    }

    async fn read(&self, _call: &Call, prior: Value) -> ReadResponse {
        let text = std::fs::read_to_string(self.path(&prior));
        let state = text.ok().map(|text| {
            let mut state = prior;
            state.set("uid", format!("uid of {}", state.get("name").as_str().unwrap_or_default()).into());
            if !(text.is_empty() && state.get("text").is_null()) {
                state.set("text", text.into());
            }
            state
        });
        ReadResponse { state, ..ReadResponse::default() }
    }

    async fn apply(&self, call: &Call, request: ApplyRequest) -> ApplyResponse {
        let planned = request.planned;
        let text = planned.get("text").as_str().unwrap_or_default().to_owned();
        if text == PANICS_IN_APPLY {
            panic!("as asked");
        }
        if text == FAILS_HALFWAY {
            return ApplyResponse { state: Some(planned), diagnostics: Diagnostic::error("no space left").into() };
        }
        let mut state = self.write(planned, request.config.get("seal"));
        let mut diagnostics = Diagnostics::default();
        if text == WAITS_FOR_STOP {
            call.cancelled.cancelled().await;
            diagnostics.push(Diagnostic::error("stopped"));
        }
        if text == FORGETS_ID {
            state.set("uid", Value::Null);
        }
        if text == FORGETS_PLAN {
            state.set("text", "another".into());
        }
        ApplyResponse { state: Some(state), diagnostics }
    }

    async fn delete(&self, _call: &Call, prior: Value) -> DeleteResponse {
        match std::fs::remove_file(self.path(&prior)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => DeleteResponse {
                left_behind: Some(prior),
                diagnostics: Diagnostic::error(format!("cannot delete the note: {error}")).into(),
            },
            _ => DeleteResponse::default(),
        }
    }

    async fn import(&self, _call: &Call, id: &str) -> Result<Value, Diagnostics> {
        Ok(Value::object([("name", id.into()), ("copies", 1.into()), ("sealed", false.into())]))
    }

    /// Version 1 called the name `title`.
    fn upgrade(&self, version: i64, mut state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        if version < 2 {
            state["name"] = state["title"].take();
        }
        Ok(state)
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "name", description: "Name of the file." }]
    }
}

struct Count {
    directory: Directory,
}

#[async_trait]
impl DataSource for Count {
    fn name(&self) -> &'static str {
        "fake_count"
    }

    fn schema(&self) -> Schema {
        Schema::new("Counts notes.")
            .attribute(Attribute::string("prefix").default(Value::from("")))
            .attribute(Attribute::number("total").computed())
    }

    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn read(&self, _call: &Call, config: Value) -> Result<Value, Diagnostics> {
        let prefix = config.get("prefix").as_str().unwrap_or_default().to_owned();
        let entries = std::fs::read_dir(&*self.directory.read().unwrap())
            .map_err(|error| Diagnostic::error(format!("cannot list the notes: {error}")))?;
        let total = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)).count();
        let mut state = config;
        state.set("total", (total as i64).into());
        Ok(state)
    }
}

struct Shout;

impl Function for Shout {
    fn name(&self) -> &'static str {
        "shout"
    }

    fn summary(&self) -> &'static str {
        "Says it louder."
    }

    fn description(&self) -> &'static str {
        "Upper case."
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![Parameter { name: "text", description: "What to say.", value_type: Type::String }]
    }

    fn variadic(&self) -> Option<Parameter> {
        Some(Parameter { name: "more", description: "What to add.", value_type: Type::Dynamic })
    }

    fn accepts_unknown(&self) -> bool {
        true
    }

    fn result(&self) -> Type {
        Type::String
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        match arguments[0].as_str().unwrap_or_default() {
            "" => Err(FunctionError { text: "there is nothing to say".to_owned(), argument: Some(0) }),
            "panic" => panic!("as asked"),
            text => Ok(match &arguments[1..] {
                more if more.iter().any(Value::is_unknown) => Value::Unknown,
                more => more.iter().filter_map(Value::as_str).fold(text.to_uppercase(), |all, text| all + text).into(),
            }),
        }
    }
}
