//! What every resource on AWS does in the same way: plan only from the state, read with drift object by object, apply what differs, destroy.
//! A resource declares a graph of objects; everything else is here.

mod adoption;
mod apply;
mod aws_instance;
pub(crate) mod bastion;
mod cost;
pub(crate) mod egress_proxy;
pub(crate) mod lb_nlb;
mod plan;
mod reconcile;
mod removal;
mod retry;
mod state;
#[cfg(test)]
mod stopping;
pub(crate) mod tags;
pub(crate) mod vpc;
mod waiting;

use apply::stopped;
pub use state::{Known, attributes, to_graph};

use crate::configuration::Shared;
use crate::wait::Waiter;
use async_trait::async_trait;
use cloud::{Cloud, CloudError, ErrorClass, Graph, Kind, ObjectKey};
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{AttributePath, Diagnostic, Diagnostics, Schema, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[async_trait]
pub trait CloudResource: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// Without what [`attributes`] adds.
    fn schema(&self) -> Schema;

    /// Pure; sees unknown values.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// What the resource is called in its owner tag, `k8s_vpc/<this>`. `None` while it is unknown.
    fn owner_name(&self, planned: &Value) -> Option<String>;

    /// The cluster whose tags the objects carry.
    fn cluster_name(&self, planned: &Value) -> Option<String> {
        planned.get("cluster_name").as_str().map(str::to_owned).or_else(|| self.owner_name(planned))
    }

    /// The object without which the resource does not exist.
    fn main_object(&self, planned: &Value) -> ObjectKey;

    /// From the planned values and what was chosen. What is unknown becomes `Setting::Unknown`; an object with the key `*` is
    /// unknown as a whole; `None` while even the names of objects are unknown. Pure.
    fn graph(&self, planned: &Value) -> Result<Option<Graph>, Diagnostic>;

    /// Computed attributes of the resource's own. Pure.
    fn outputs(&self, planned: &Value, known: &Known<'_>) -> Vec<(&'static str, Value)>;

    /// Attributes whose change AWS takes from nothing but a new resource, where a schema cannot say so. Pure; sees unknown values.
    fn replaces(&self, _prior: &Value, _planned: &Value) -> Vec<AttributePath> {
        Vec::new()
    }

    /// At plan, before `graph`: carries what was chosen once into `planned`. What has to be chosen is unknown there. Pure.
    fn keep(&self, _prior: Option<&Value>, _planned: &mut Value) {}

    /// At apply, before `graph`: chooses what the plan left unknown.
    async fn choose(&self, _cloud: &dyn Cloud, _planned: &mut Value) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// At plan, where the provider block asks for it.
    async fn preflight(&self, _cloud: &dyn Cloud, _planned: &Value, _prior: Option<&Value>) -> Diagnostics {
        Diagnostics::default()
    }

    /// After an apply, when everything exists and is ready. Without an error also where the user wants to stop.
    async fn settle(
        &self,
        _cloud: &dyn Cloud,
        _planned: &Value,
        _waiter: Waiter<'_>,
        _limit: Duration,
    ) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// Before a destroy: an error stops it while everything is still there.
    async fn before_delete(
        &self,
        _cloud: &dyn Cloud,
        _state: &Value,
        _ids: &BTreeMap<ObjectKey, String>,
        _waiter: Waiter<'_>,
    ) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// The configuration, and `ids`, of what exists.
    async fn import(&self, cloud: &dyn Cloud, id: &str) -> Result<Value, Diagnostics>;
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
        self.resource.schema().attributes(attributes())
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "id", description: "Id of the main object, as assigned by AWS." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.resource.validate(config)
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
                    let found = self.resource.preflight(&*cloud, &response.planned, request.prior.as_ref()).await;
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
            Ok(state) => ReadResponse { state, diagnostics: Diagnostics::default() },
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
        let defaults =
            self.shared.configuration().aws.into_known().and_then(|aws| aws.default_tags.into_known()).unwrap_or_default();
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
    let mut names: BTreeSet<(Kind, String)> = BTreeSet::new();
    for object in graph.iter() {
        match object.key.kind {
            Kind::LoadBalancer => {
                if let Some(name) = object.get("load_balancer_name") {
                    names.insert((Kind::LoadBalancer, name.to_owned()));
                    names.insert((Kind::Listener, name.to_owned()));
                }
            }
            Kind::TargetGroup => names.extend(object.get("target_group_name").map(|name| (Kind::TargetGroup, name.to_owned()))),
            Kind::DnsRecord => {
                if let (Some(zone), Some(name), Some(ty)) = (object.get("zone"), object.get("record_name"), object.get("type")) {
                    names.insert((Kind::DnsRecord, format!("{zone} {name} {ty}")));
                }
            }
            _ => {}
        }
    }
    for (key, id) in ids {
        names.extend(name_of(key.kind, id));
        if key.kind == Kind::LoadBalancer {
            names.extend(key.kind.listing_name(id).map(|name| (Kind::Listener, name.to_owned())));
        }
    }
    cloud::Wanted { kinds, names, fresh }
}

/// By which an object is looked up: those that are listed by name, and a VPC, whose attributes AWS returns one at a time.
fn name_of(kind: Kind, id: &str) -> Option<(Kind, String)> {
    let name = if kind == Kind::Vpc { Some(id) } else { kind.listing_name(id) };
    name.map(|name| (kind, name.to_owned()))
}
