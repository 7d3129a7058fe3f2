//! What a provider is to this crate: the traits that resources, data sources and functions implement.
//! Values here are whole objects of the schema's type; what the engine's contract demands of them stands at each method.

use async_trait::async_trait;
use schema::{AttributePath, Diagnostics, Schema, Type, Value};
use tokio_util::sync::CancellationToken;

/// What every call into the provider carries.
#[derive(Clone)]
pub struct Call {
    /// Set by `StopProvider` (Ctrl-C in the engine). Long work ends at the next safe point and returns what exists.
    pub cancelled: CancellationToken,
}

#[async_trait]
pub trait Provider: Send + Sync + 'static {
    fn schema(&self) -> Schema;
    /// Pure. Called with unknown values where the configuration has them.
    fn validate(&self, config: &Value) -> Diagnostics;
    /// Unknown values must be carried, never refused: what needs none of them still has to plan.
    async fn configure(&self, config: Value, terraform_version: &str) -> Diagnostics;
    /// This and the two below are called once per process, before `configure`: what it learns reaches them through something
    /// shared. They make nothing heavy, since `validate` needs them too.
    fn resources(&self) -> Vec<Box<dyn Resource>>;
    fn data_sources(&self) -> Vec<Box<dyn DataSource>>;
    fn functions(&self) -> Vec<Box<dyn Function>>;
}

/// A managed resource. The service calls `plan` only for create and update; destroy needs no plan of its own unless
/// `plan_destroy` says otherwise.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn schema(&self) -> Schema;

    /// Pure, reaches nothing. Sees unknown values; must say nothing about what it cannot know yet.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Pure but for the clock and the generator that the resource was made with: reaches no host and no cloud.
    async fn plan(&self, call: &Call, request: PlanRequest) -> PlanResponse;

    /// Warnings (or an error that blocks it) about what a destroy will do.
    async fn plan_destroy(&self, _call: &Call, _prior: Value) -> Diagnostics {
        Diagnostics::default()
    }

    /// Returns what exists now, or `None` when it is gone. An unreachable host is a warning, never an error.
    async fn read(&self, call: &Call, prior: Value) -> ReadResponse;

    /// Creates (`prior` is `None`) or updates. Whatever happened, `state` holds what exists now.
    async fn apply(&self, call: &Call, request: ApplyRequest) -> ApplyResponse;

    /// Destroys. On failure `left_behind` is what still exists, so that the next destroy goes on from there.
    async fn delete(&self, call: &Call, prior: Value) -> DeleteResponse;

    /// A state that the following read completes. `Err` when there is no import.
    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics>;

    /// The same for an `import` block that has an identity; all of its attributes are set. The id is taken to be their values,
    /// joined by `/` in the order of [`Resource::identity`]; a resource whose id is something else says so here.
    async fn import_by_identity(&self, call: &Call, identity: &Value) -> Result<Value, Diagnostics> {
        let text = |attribute: IdentityAttribute| match identity.get(attribute.name) {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(bool) => bool.to_string(),
            _ => String::new(),
        };
        let parts: Vec<_> = self.identity().into_iter().map(text).collect();
        self.import(call, &parts.join("/")).await
    }

    /// Brings the JSON of an older schema version to the current one.
    fn upgrade(&self, version: i64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        let _ = version;
        Ok(state)
    }

    /// Flat attributes that identify the object; every resource here has one, named and typed in its schema as well.
    /// The service copies their values from the state.
    fn identity(&self) -> Vec<IdentityAttribute>;
}

pub struct IdentityAttribute {
    pub name: &'static str,
    pub description: &'static str,
}

pub struct PlanRequest {
    pub prior: Option<Value>,
    pub config: Value,
    /// What the engine proposes (configuration, and prior values of computed attributes), with the schema's defaults filled in.
    /// On create, computed attributes without a default are unknown.
    pub proposed: Value,
}

#[derive(Default)]
pub struct PlanResponse {
    /// Must keep every configured value. Write-only attributes are set to null by the service.
    pub planned: Value,
    /// Besides those that the schema marks.
    pub requires_replace: Vec<AttributePath>,
    /// Besides those that the schema marks: what is not known yet, is planned to stay, and would need a replacement if it did not.
    pub undecided: Vec<AttributePath>,
    pub diagnostics: Diagnostics,
}

pub struct ApplyRequest {
    pub prior: Option<Value>,
    pub planned: Value,
    /// The configuration, with write-only values.
    pub config: Value,
}

#[derive(Default)]
pub struct ApplyResponse {
    /// What exists now; `None` when nothing was made. Known values of the plan must be kept when there is no error.
    pub state: Option<Value>,
    pub diagnostics: Diagnostics,
}

#[derive(Default)]
pub struct ReadResponse {
    pub state: Option<Value>,
    pub diagnostics: Diagnostics,
}

#[derive(Default)]
pub struct DeleteResponse {
    pub left_behind: Option<Value>,
    pub diagnostics: Diagnostics,
}

#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn validate(&self, config: &Value) -> Diagnostics;
    async fn read(&self, call: &Call, config: Value) -> Result<Value, Diagnostics>;
}

/// A pure function of its arguments.
pub trait Function: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn summary(&self) -> &'static str;
    fn description(&self) -> &'static str;
    fn parameters(&self) -> Vec<Parameter>;
    /// What follows the parameters, any number of times.
    fn variadic(&self) -> Option<Parameter> {
        None
    }
    /// Whether it is called while something in its arguments is not known. If not, the engine takes its result for unknown.
    fn accepts_unknown(&self) -> bool {
        false
    }
    fn result(&self) -> Type;
    /// Arguments are of the parameters' types. The error names the argument (by position) that it is about.
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

pub struct Parameter {
    pub name: &'static str,
    pub description: &'static str,
    pub value_type: Type,
}

pub struct FunctionError {
    pub text: String,
    pub argument: Option<i64>,
}
