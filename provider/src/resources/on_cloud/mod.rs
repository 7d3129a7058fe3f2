//! What every resource on AWS does in the same way: plan only from the state, read with drift object by object, apply what differs, destroy.
//! A resource declares a graph of objects; everything else is here.

mod adoption;
mod apply;
pub(crate) mod aws_instance;
pub(crate) mod bastion;
mod cost;
mod drift;
pub(crate) mod egress_proxy;
pub(crate) mod holder;
pub(crate) mod lb_nlb;
pub(crate) mod open;
mod plan;
mod reconcile;
mod removal;
mod repointed;
mod retry;
mod state;
#[cfg(test)]
mod stopping;
pub(crate) mod tags;
#[cfg(test)]
mod tests;
pub(crate) mod vpc;
mod waiting;

use apply::stopped;
use open::Decides;
pub use state::{Known, attributes, to_graph};

use crate::configuration::Shared;
use crate::wait::Waiter;
use async_trait::async_trait;
use cloud::{Cloud, CloudError, ErrorClass, Found, Graph, Kind, ObjectKey};
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{AttributePath, Diagnostic, Diagnostics, Schema, Value, ValueAt};
use std::collections::{BTreeMap, BTreeSet};

#[async_trait]
pub trait CloudResource: Send + Sync + 'static {
    /// What the values declare, as a renderer takes it. Decoded once in each call.
    type Spec: Send + Sync;

    fn name(&self) -> &'static str;

    /// Without what [`attributes`] adds.
    fn schema(&self) -> Schema;

    /// Pure; sees unknown values.
    fn validate(&self, config: &ValueAt<'_>, found: &mut Diagnostics);

    /// What the resource is called in its owner tag, `k8s_vpc/<this>`. `None` while it is unknown.
    fn owner_name(&self, planned: &Value) -> Option<String>;

    /// The cluster whose tags the objects carry. `None` while it is unknown.
    fn cluster_name(&self, planned: &Value) -> Option<String> {
        match planned.get("cluster_name") {
            Value::Unknown | Value::Changing(_) => None,
            name => name.as_str().map(str::to_owned).or_else(|| self.owner_name(planned)),
        }
    }

    /// The object without which the resource does not exist.
    fn main_object(&self, planned: &Value) -> ObjectKey;

    /// From the planned values and what was chosen. `None` while even the names of objects are unknown. Pure.
    fn spec(&self, planned: &Value) -> Result<Option<Self::Spec>, Diagnostic>;

    /// What is unknown becomes `Setting::Unknown`; an object with the key [`cloud::UNKNOWN_KEYS`] is unknown as a whole. Pure.
    fn graph(&self, spec: &Self::Spec) -> Graph;

    /// What attributes decide on of which `spec` does not know yet which objects there are. Parts stand before what they are parts of.
    fn decides(&self) -> &'static [Decides] {
        &[]
    }

    /// Writes into the values what the spec has chosen, so that the state keeps it. Pure.
    fn record(&self, _spec: Option<&Self::Spec>, _planned: &mut Value) {}

    /// Computed attributes of the resource's own. Pure.
    fn outputs(&self, spec: Option<&Self::Spec>, planned: &Value, known: &Known<'_>) -> Vec<(&'static str, Value)>;

    /// Attributes whose change AWS takes from nothing but a new resource, where a schema cannot say so. Pure; sees unknown values.
    fn replaces(&self, _prior: &Value, _planned: &Value) -> Vec<AttributePath> {
        Vec::new()
    }

    /// Those of them that are not known yet and may turn out to be such a change. Pure.
    fn may_replace(&self, _prior: &Value, _planned: &Value) -> Vec<AttributePath> {
        Vec::new()
    }

    /// At plan: an error where the values are of another region than the provider's. Pure; sees unknown values.
    fn check_region(&self, _planned: &Value, _region: &str) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// Before `spec`: carries what was chosen once into `planned`. What has to be chosen is unknown there. Doing it twice is doing it once.
    /// Pure.
    fn keep(&self, _prior: Option<&Value>, _planned: &mut Value) {}

    /// At apply, before `spec`: chooses what the plan left unknown.
    async fn choose(&self, _cloud: &dyn Cloud, _planned: &mut Value) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// At plan, where the provider block asks for it.
    async fn preflight(&self, _cloud: &dyn Cloud, _change: &PlannedChange<'_>) -> Diagnostics {
        Diagnostics::default()
    }

    /// After an apply, when everything exists and is ready. Without an error also where the user wants to stop.
    async fn settle(
        &self,
        _cloud: &dyn Cloud,
        _spec: &Self::Spec,
        _planned: &Value,
        _waiter: Waiter<'_>,
    ) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// Before a destroy of these objects, which may be some of them where an earlier one was cut off: an error stops it while they are still
    /// there.
    async fn before_delete(
        &self,
        _cloud: &dyn Cloud,
        _state: &Value,
        _going: &[(ObjectKey, Found)],
        _waiter: Waiter<'_>,
    ) -> Result<Diagnostics, Diagnostic> {
        Ok(Diagnostics::default())
    }

    /// The configuration, and `ids`, of what exists.
    async fn import(&self, cloud: &dyn Cloud, id: &str) -> Result<Value, Diagnostics>;
}

/// What a plan is about to do.
pub struct PlannedChange<'a> {
    pub planned: &'a Value,
    pub prior: Option<&'a Value>,
    /// Empty where nothing is there.
    pub before: Graph,
    pub after: Graph,
}

/// What values declare: the spec, and its graph with the tags that every object has.
struct Declared<S> {
    spec: S,
    graph: Graph,
}

/// A [`CloudResource`] as the engine sees it.
pub struct OnCloud<R> {
    resource: R,
    shared: Shared,
}

impl<R: CloudResource> OnCloud<R> {
    pub fn new(resource: R, shared: &Shared) -> Self {
        OnCloud { resource, shared: shared.clone() }
    }

    /// `k8s_vpc/demo`.
    fn owner(&self, values: &Value) -> Option<String> {
        Some(format!("{}/{}", self.resource.name(), self.resource.owner_name(values)?))
    }
}

#[async_trait]
impl<R: CloudResource> Resource for OnCloud<R> {
    fn name(&self) -> &'static str {
        self.resource.name()
    }

    fn schema(&self) -> Schema {
        self.resource.schema().version(drift::VERSION).attributes(attributes())
    }

    fn upgrade(&self, _version: i64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        Ok(drift::upgrade(state))
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "id", description: "Id of the main object, as assigned by AWS." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = Diagnostics::default();
        self.resource.validate(&ValueAt::of(config), &mut found);
        found
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        let mut response = self.plan_objects(&request).unwrap_or_else(|diagnostic| PlanResponse {
            planned: request.proposed.clone(),
            diagnostics: diagnostic.into(),
            ..PlanResponse::default()
        });
        let asks = self.shared.configuration().preflight.known() == Some(&true);
        if asks && !response.diagnostics.has_errors() {
            match self.shared.cloud() {
                Ok(cloud) => {
                    let prior = request.prior.as_ref();
                    let before = prior.map(|prior| state::to_graph(prior.get("objects"))).unwrap_or_default();
                    let after = state::to_graph(response.planned.get("objects"));
                    let change = PlannedChange { planned: &response.planned, prior, before, after };
                    let found = self.resource.preflight(&*cloud, &change).await;
                    response.diagnostics.extend(found);
                    if request.prior.is_none() {
                        response.diagnostics.extend(self.already_there(&*cloud, &response.planned).await);
                    }
                    response.diagnostics.extend(missing_permissions(&*cloud, &response.planned).await);
                }
                Err(diagnostic) => response.diagnostics.push(diagnostic),
            }
        }
        response
    }

    async fn read(&self, _call: &Call, prior: Value) -> ReadResponse {
        match self.read_objects(&prior).await {
            Ok((state, diagnostics)) => ReadResponse { state, diagnostics },
            Err(diagnostic) => ReadResponse { state: Some(prior), diagnostics: diagnostic.into() },
        }
    }

    async fn apply(&self, call: &Call, request: ApplyRequest) -> ApplyResponse {
        let left_behind = request.prior.clone();
        self.apply_objects(call, request)
            .await
            .unwrap_or_else(|diagnostic| ApplyResponse { state: left_behind, diagnostics: diagnostic.into() })
    }

    async fn delete(&self, call: &Call, prior: Value) -> DeleteResponse {
        self.delete_objects(call, &prior)
            .await
            .unwrap_or_else(|diagnostic| DeleteResponse { left_behind: Some(prior), diagnostics: diagnostic.into() })
    }

    async fn import(&self, _call: &Call, id: &str) -> Result<Value, Diagnostics> {
        let cloud = self.shared.cloud()?;
        let mut imported = self.resource.import(&*cloud, id).await?;
        // Those of the provider block are not the resource's own.
        // An engine imports with a provider block that is wholly known.
        let defaults = self.shared.configuration().default_tags().into_known().unwrap_or_default();
        if let Some(tags) = imported.get("tags").as_map() {
            let own = tags
                .iter()
                .filter(|(key, value)| defaults.get(*key).and_then(|tag| tag.known()).map(String::as_str) != value.as_str());
            let own = Value::Map(own.map(|(key, value)| (key.clone(), value.clone())).collect());
            imported.set("tags", own);
        }
        Ok(imported)
    }
}

/// Those that a dry run shows.
async fn missing_permissions(cloud: &dyn Cloud, planned: &Value) -> Option<Diagnostic> {
    let graph = state::to_graph(planned.get("objects"));
    let mut tried = cloud::Tried::new();
    for object in graph.iter() {
        let tag =
            |(key, value): (&String, &cloud::Setting)| Some((key.strip_prefix("tag ")?.to_owned(), value.known()?.to_owned()));
        let tags: BTreeMap<String, String> = object.settings.iter().filter_map(tag).collect();
        for action in cloud::creating(object.key.kind) {
            tried.entry((*action).to_owned()).or_insert_with(|| tags.clone());
        }
    }
    match cloud.denied(&tried).await {
        Ok(denied) if denied.is_empty() => None,
        Ok(denied) => Some(
            Diagnostic::error(format!("{} is not allowed", denied.join(", ")))
                .detail("A dry run was refused. provider::k8s::aws_iam_policy(…) returns everything that this resource needs."),
        ),
        Err(error) => Some(failed("cannot find out what is allowed", &error)),
    }
}

/// What the cloud did not do, for the user.
pub fn failed(summary: impl Into<String>, error: &CloudError) -> Diagnostic {
    let way_out = match error.class {
        ErrorClass::Denied => {
            "Check the credentials and the permissions; provider::k8s::aws_iam_policy(…) returns what a resource needs."
        }
        ErrorClass::Throttled => "AWS is throttling requests. Lower aws.requests_per_second, or apply again later: it is safe.",
        ErrorClass::Ambiguous if is_read(&error.operation) => {
            "There was no usable answer. Check the network and the endpoints of the aws block; running the same again is safe."
        }
        ErrorClass::Ambiguous => "Whether it happened is not known; running apply again is safe and finds out.",
        ErrorClass::Dependency => {
            "Something still uses it: something that this resource did not create, or another resource of the configuration that changes only after this \
             one. Take it out of use first, then apply again: it is safe."
        }
        ErrorClass::Exists => {
            "An object with this name exists already and does not belong to this resource. Import it, or choose another name."
        }
        ErrorClass::NotFound | ErrorClass::Refused => "What was done so far is kept; running apply again is safe.",
    };
    Diagnostic::error(summary).detail(format!("{error}\n\n{way_out}"))
}

fn is_read(operation: &str) -> bool {
    let action = operation.split(':').next_back().unwrap_or_default();
    ["Describe", "Get", "List"].iter().any(|verb| action.starts_with(verb))
}

/// The kinds and names to ask for, so that everything of a graph and of a state is found.
fn wanted(graph: &Graph, ids: &BTreeMap<ObjectKey, String>, fresh: bool) -> cloud::Wanted {
    let kinds: BTreeSet<Kind> = graph.kinds().into_iter().chain(ids.keys().map(|key| key.kind)).collect();
    let declared = graph.iter().flat_map(|object| object.key.kind.names_of_settings(|key| object.get(key)));
    let known = ids.iter().flat_map(|(key, id)| key.kind.names_of_id(id));
    cloud::Wanted { kinds, names: declared.chain(known).collect(), fresh }
}
