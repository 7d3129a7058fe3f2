//! Drives a provider as Terraform and OpenTofu do, over the protocol: proposes states, plans, applies, refreshes, destroys, and holds
//! every answer to the contract. What is said and stored on the way is kept for the search after secrets.

use super::contract;
use crate::fakes::{FakeWorld, Stop};
use crate::provider::K8s;
use ::schema::{Schema, Type, Value};
use hyper_util::rt::TokioIo;
use protocol::wire::tfplugin6::diagnostic::Severity;
use protocol::wire::tfplugin6::provider_client::ProviderClient;
use protocol::wire::tfplugin6::*;
use protocol::{Launch, Provider, Server};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::transport::{Channel, Endpoint, Uri};

pub struct Engine {
    client: ProviderClient<Channel>,
    stops: UnboundedReceiver<Stop>,
    provider_schema: Schema,
    schemas: BTreeMap<&'static str, Schema>,
    folder: TempDir,
    /// Whether plans may ask the cloud.
    pub preflight: bool,
    pub parallel_hosts: Option<u64>,
    /// Everything that a user or a state file would get to see, but for values of `k8s_pki`; kept once something is in it.
    pub shown: Option<String>,
}

#[derive(Debug)]
pub struct Plan {
    pub planned: Value,
    /// Top-level attributes that force a replacement.
    pub replaces: Vec<String>,
    pub is_empty: bool,
    pub warnings: Vec<String>,
}

/// An error, and the top-level attribute that it points at.
#[derive(Debug, PartialEq)]
pub struct Said {
    pub attribute: Option<String>,
    pub text: String,
}

/// What an apply, a refresh or a destroy left.
#[derive(Debug)]
pub struct Outcome {
    /// Null when there is nothing.
    pub state: Value,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

/// What a replacement with `create_before_destroy` left in the state.
#[derive(Debug)]
pub struct Replaced {
    pub current: Value,
    /// An object that is yet to be destroyed, by this run or by the next; null when there is none.
    pub deposed: Value,
    pub created: Outcome,
}

impl Engine {
    pub async fn start(world: &FakeWorld, stops: UnboundedReceiver<Stop>) -> Engine {
        let folder = tempfile::tempdir().unwrap();
        let provider = K8s::of_world(Arc::new(world.clone()));
        let provider_schema = provider.schema();
        let schemas = provider.resources().iter().map(|resource| (resource.name(), resource.schema())).collect();
        let launch = Launch { client_certificate: None, socket_directory: folder.path().into() };
        let server = Server::bind(&launch).unwrap();
        let socket = server.socket_path();
        tokio::spawn(server.serve(Arc::new(provider)));
        let connector = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://plugin").connect_with_connector(connector).await.unwrap();
        let client = ProviderClient::new(channel).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
        let mut engine =
            Engine { client, stops, provider_schema, schemas, folder, preflight: false, parallel_hosts: None, shown: None };
        engine.configure().await;
        engine
    }

    /// A new run of the engine: what an earlier one stopped is over.
    pub async fn configure(&mut self) {
        let progress_file = self.folder.path().join("progress.log").to_string_lossy().into_owned();
        let parallel_hosts = self.parallel_hosts.map_or(Value::Null, Value::from);
        let config = Value::object([
            ("progress_file", progress_file.into()),
            ("preflight", self.preflight.into()),
            ("max_parallel_hosts", parallel_hosts),
        ]);
        let config = Some(self.provider_schema.value_type()).map(|ty| to_wire(&config, &ty));
        let request = configure_provider::Request { terraform_version: "1.14.0".into(), config, client_capabilities: None };
        let response = self.client.configure_provider(request).await.unwrap().into_inner();
        assert_eq!(self.hear(response.diagnostics), (vec![], vec![]));
    }

    pub fn progress(&self) -> String {
        std::fs::read_to_string(self.progress_file()).unwrap_or_default()
    }

    pub fn progress_file(&self) -> PathBuf {
        self.folder.path().join("progress.log")
    }

    pub fn schema(&self, name: &str) -> &Schema {
        &self.schemas[name]
    }

    pub async fn validate(&mut self, name: &str, config: &Value) {
        let errors = self.try_validate(name, config).await;
        assert_eq!(errors, [], "validation of {name}");
    }

    /// Errors.
    pub async fn try_validate(&mut self, name: &str, config: &Value) -> Vec<Said> {
        let client_capabilities =
            Some(ClientCapabilities { write_only_attributes_allowed: true, ..ClientCapabilities::default() });
        let config = Some(self.wire(name, config));
        let request = validate_resource_config::Request { type_name: name.into(), config, client_capabilities };
        let response = self.client.validate_resource_config(request).await.unwrap().into_inner();
        let said = errors(&response.diagnostics);
        self.hear(response.diagnostics);
        said
    }

    pub async fn try_plan(&mut self, name: &str, prior: &Value, config: &Value) -> Result<Plan, Vec<String>> {
        let plan = self.ask_plan(name, prior, config).await;
        plan.map_err(|said| said.into_iter().map(|said| said.text).collect())
    }

    /// `prior` is null for a create.
    pub async fn ask_plan(&mut self, name: &str, prior: &Value, config: &Value) -> Result<Plan, Vec<Said>> {
        let schema = self.schemas[name].clone();
        let proposed = contract::propose(&schema.attributes, prior, config);
        let request = plan_resource_change::Request {
            type_name: name.into(),
            prior_state: Some(self.wire(name, prior)),
            proposed_new_state: Some(self.wire(name, &proposed)),
            config: Some(self.wire(name, config)),
            ..Default::default()
        };
        let response = self.client.plan_resource_change(request).await.unwrap().into_inner();
        let said = errors(&response.diagnostics);
        let (_, warnings) = self.hear(response.diagnostics);
        if !said.is_empty() {
            return Err(said);
        }
        let planned = self.value(name, response.planned_state);
        contract::check_planned(&schema, prior, config, &planned);
        let first_step = |path: &AttributePath| path.steps.first().and_then(|step| step.selector.clone());
        let replaces: Vec<String> = response.requires_replace.iter().map(|path| format!("{:?}", first_step(path))).collect();
        let is_empty = replaces.is_empty() && planned.equal(prior, &schema.value_type());
        Ok(Plan { planned, replaces, is_empty, warnings })
    }

    #[track_caller]
    pub fn plan(&mut self, name: &str, prior: &Value, config: &Value) -> impl Future<Output = Plan> {
        let caller = std::panic::Location::caller();
        async move {
            let plan = self.try_plan(name, prior, config).await;
            plan.unwrap_or_else(|errors| panic!("plan of {name} from {caller}: {errors:#?}"))
        }
    }

    /// As an engine applies: once what the configuration refers to is known, it asks for a second plan, holds that against the first one,
    /// and applies it. `planned` is null for a destroy. Stops the provider while it runs when the world says so.
    pub async fn apply(&mut self, name: &str, prior: &Value, config: &Value, planned: &Value) -> Outcome {
        if planned.is_null() {
            return self.apply_planned(name, prior, config, planned).await;
        }
        let last = match self.ask_plan(name, prior, config).await {
            Ok(last) => last,
            Err(said) => {
                let errors = said.into_iter().map(|said| said.text).collect();
                return Outcome { state: prior.clone(), errors, warnings: Vec::new() };
            }
        };
        let found = contract::broken_promises(&self.schemas[name], planned, &last.planned);
        assert!(found.is_empty(), "inconsistent final plan of {name}:\n{}", found.join("\n"));
        assert_eq!(last.replaces, [""; 0], "the action of the plan of {name} changes");
        self.apply_planned(name, prior, config, &last.planned).await
    }

    /// Applies these very values.
    pub async fn apply_planned(&mut self, name: &str, prior: &Value, config: &Value, planned: &Value) -> Outcome {
        let schema = self.schemas[name].clone();
        let request = apply_resource_change::Request {
            type_name: name.into(),
            prior_state: Some(self.wire(name, prior)),
            planned_state: Some(self.wire(name, planned)),
            config: Some(self.wire(name, if planned.is_null() { planned } else { config })),
            ..Default::default()
        };
        let mut client = self.client.clone();
        let applying = client.apply_resource_change(request);
        tokio::pin!(applying);
        let response = loop {
            tokio::select! {
                response = &mut applying => break response.unwrap().into_inner(),
                stop = self.stops.recv() => {
                    self.client.stop_provider(stop_provider::Request {}).await.unwrap();
                    // A pause that was stopped is gone by now, and hears nothing.
                    stop.unwrap().send(()).ok();
                }
            }
        };
        let (errors, warnings) = self.hear(response.diagnostics);
        let state = self.value(name, response.new_state);
        assert!(state.is_wholly_known(), "a state of {name} holds unknown values");
        if errors.is_empty() && warnings.iter().all(|warning| !warning.starts_with("Stopped")) {
            contract::check_applied(&schema, prior, planned, &state);
        }
        Outcome { state, errors, warnings }
    }

    /// Two resources at the same time, as an engine applies what does not depend on each other: from each state to what is planned.
    pub async fn apply_both(&mut self, name: &str, both: [(&Value, &Value, &Value); 2]) -> [Outcome; 2] {
        let [one, other] = both.map(|(prior, config, planned)| {
            let (prior_state, planned_state) = (Some(self.wire(name, prior)), Some(self.wire(name, planned)));
            let (type_name, config) = (name.into(), Some(self.wire(name, config)));
            apply_resource_change::Request { type_name, prior_state, planned_state, config, ..Default::default() }
        });
        let (mut client, mut beside) = (self.client.clone(), self.client.clone());
        let responses = futures::join!(client.apply_resource_change(one), beside.apply_resource_change(other));
        [responses.0, responses.1].map(|response| {
            let response = response.unwrap().into_inner();
            let (errors, warnings) = self.hear(response.diagnostics);
            Outcome { state: self.value(name, response.new_state), errors, warnings }
        })
    }

    /// The state of a state file that a version of this provider wrote.
    pub async fn upgrade(&mut self, name: &str, version: i64, json: String) -> Value {
        let raw_state = Some(RawState { json: json.into_bytes() });
        let request = upgrade_resource_state::Request { type_name: name.into(), version, raw_state };
        let upgraded = self.client.upgrade_resource_state(request).await.unwrap().into_inner();
        assert_eq!(self.hear(upgraded.diagnostics), (vec![], vec![]));
        self.value(name, upgraded.upgraded_state)
    }

    /// Reads the state back from JSON first, as an engine does with what it stored.
    pub async fn refresh(&mut self, name: &str, state: &Value) -> Outcome {
        let ty = self.schemas[name].value_type();
        let json = state.to_json(&ty).unwrap().to_string();
        let current = self.upgrade(name, self.schemas[name].version, json).await;
        assert!(current.equal(state, &ty), "{name} does not survive its own state file");
        let current_state = Some(self.wire(name, &current));
        let request = read_resource::Request { type_name: name.into(), current_state, ..Default::default() };
        let response = self.client.read_resource(request).await.unwrap().into_inner();
        let (errors, warnings) = self.hear(response.diagnostics);
        Outcome { state: self.value(name, response.new_state), errors, warnings }
    }

    /// What the plan of a destroy warns of.
    pub async fn plan_destroy(&mut self, name: &str, state: &Value) -> Vec<String> {
        let null = self.wire(name, &Value::Null);
        let request = plan_resource_change::Request {
            type_name: name.into(),
            prior_state: Some(self.wire(name, state)),
            proposed_new_state: Some(null.clone()),
            config: Some(null),
            ..Default::default()
        };
        let response = self.client.plan_resource_change(request).await.unwrap().into_inner();
        let (errors, warnings) = self.hear(response.diagnostics);
        assert_eq!((errors, self.value(name, response.planned_state)), (vec![], Value::Null));
        warnings
    }

    pub async fn destroy(&mut self, name: &str, state: &Value) -> Outcome {
        self.apply(name, state, &Value::Null, &Value::Null).await
    }

    /// The first half of a replacement with `create_before_destroy`: the new object is created while the old one, deposed, is in the state.
    /// When that leaves nothing, the old one is the current one again. An engine destroys what is deposed next, unless the create failed:
    /// then at its next run, in another process.
    pub async fn replace_by_creating_first(&mut self, name: &str, prior: &Value, config: &Value) -> Replaced {
        self.ask_plan(name, prior, config).await.unwrap();
        let planned = self.plan(name, &Value::Null, config).await.planned;
        let created = self.apply(name, &Value::Null, config, &planned).await;
        match created.state.is_null() {
            true => Replaced { current: prior.clone(), deposed: Value::Null, created },
            false => Replaced { current: created.state.clone(), deposed: prior.clone(), created },
        }
    }

    fn wire(&self, name: &str, value: &Value) -> DynamicValue {
        to_wire(value, &self.schemas[name].value_type())
    }

    fn value(&mut self, name: &str, value: Option<DynamicValue>) -> Value {
        let ty = self.schemas[name].value_type();
        let value = Value::from_msgpack(&value.unwrap().msgpack, &ty).unwrap();
        if let Some(shown) = self.shown.as_mut().filter(|_| name != "k8s_pki") {
            *shown += &format!("{value:?}\n");
        }
        value
    }

    /// Splits diagnostics into errors and warnings, as text.
    fn hear(&mut self, diagnostics: Vec<Diagnostic>) -> (Vec<String>, Vec<String>) {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for diagnostic in diagnostics {
            let text = format!("{}\n{}", diagnostic.summary, diagnostic.detail);
            if let Some(shown) = &mut self.shown {
                *shown += &format!("{text}\n");
            }
            assert!(!text.contains("provider bug"), "{text}");
            match diagnostic.severity() {
                Severity::Warning => warnings.push(text),
                _ => errors.push(text),
            }
        }
        (errors, warnings)
    }
}

fn errors(diagnostics: &[Diagnostic]) -> Vec<Said> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == i32::from(Severity::Error));
    errors.map(Said::of).collect()
}

impl Said {
    fn of(diagnostic: &Diagnostic) -> Said {
        let first = diagnostic.attribute.as_ref().and_then(|path| path.steps.first()?.selector.clone());
        let attribute = first.and_then(|selector| match selector {
            attribute_path::step::Selector::AttributeName(name) => Some(name),
            _ => None,
        });
        Said { attribute, text: format!("{}\n{}", diagnostic.summary, diagnostic.detail) }
    }
}

fn to_wire(value: &Value, ty: &Type) -> DynamicValue {
    DynamicValue { msgpack: value.to_msgpack(ty).unwrap(), json: Vec::new() }
}
