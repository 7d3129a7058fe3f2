//! Objects of any kind: found, applied by server-side apply under a field manager, deleted by their uid. What a kind is called in paths and whether its
//! objects belong to a namespace is asked of the API server, once a connection.

use super::their_fields::conflicts;
use super::{KubernetesApi, KubernetesError};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResource, APIResourceList};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy,
};
use kube::client::Body;
use kube::core::{Request, Status};
use objects::ObjectKey;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// So many requests at the same time.
pub(super) const REQUESTS_AT_A_TIME: usize = 16;
/// From so many objects of a kind in a namespace on, they are listed in place of asked for one by one.
const LISTED_FROM: usize = 6;
pub(super) const PAGE: u32 = 500;

/// An object, and the version of the API by which it is asked for, such as `apps/v1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    pub key: ObjectKey,
    pub api_version: String,
}

/// What came of a server-side apply.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    /// `is_new` where the object was not there before.
    Done { is_new: bool },
    /// It is not any more as it was seen, which `metadata.resourceVersion` says. Nothing was applied.
    Changed,
    /// Fields that somebody else manages, each with what the API server says of it. Nothing was applied.
    Conflicts(Vec<(String, String)>),
    /// The API server does not take the object as it would be. Nothing was applied.
    Invalid { message: String, reason: Reason },
    /// It cannot be applied now, and may be soon: its kind is not served yet, its namespace is not there, a webhook does not answer.
    NotYet(String),
}

/// What came of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It goes, or is not there any more.
    Done,
    /// It is not any more as it was seen. Nothing was deleted.
    Changed,
}

/// Why an object is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing else is wrong with it than that it would change what cannot be changed.
    Immutable,
    Other,
}

/// Whether fields are taken from those who manage them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflicting {
    Kept,
    Taken,
}

/// Where objects of a kind are, as the API server says.
#[derive(Clone)]
pub(super) struct Place {
    pub resource: ApiResource,
    is_namespaced: bool,
}

const UNPROCESSABLE: u16 = 422;
pub(super) const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;
const CREATED: u16 = 201;

impl KubernetesApi {
    /// Each of them, or `None` where it is not there or its kind is not served.
    pub async fn find_objects(&self, wanted: &[ObjectRef]) -> Result<BTreeMap<ObjectKey, Value>, KubernetesError> {
        let mut groups: BTreeMap<(&str, &str, Option<&str>), Vec<&ObjectRef>> = BTreeMap::new();
        for one in wanted {
            let group = (one.api_version.as_str(), one.key.kind.as_str(), one.key.namespace.as_deref());
            groups.entry(group).or_default().push(one);
        }
        self.learn(groups.keys().map(|(api_version, ..)| *api_version)).await?;
        let questions: Vec<BoxFuture<'_, _>> = groups.into_values().map(|group| self.find_alike(group).boxed()).collect();
        let found: Vec<Vec<(ObjectKey, Value)>> =
            stream::iter(questions).buffer_unordered(REQUESTS_AT_A_TIME).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Of one kind, in one namespace.
    async fn find_alike(&self, group: Vec<&ObjectRef>) -> Result<Vec<(ObjectKey, Value)>, KubernetesError> {
        let Some(first) = group.first() else { return Ok(Vec::new()) };
        let Some((api, is_namespaced)) = self.api_in_any_version(first).await? else { return Ok(Vec::new()) };
        if is_namespaced != first.key.namespace.is_some() {
            return Ok(Vec::new());
        }
        if group.len() >= LISTED_FROM {
            let by_name: BTreeMap<&str, &ObjectKey> = group.iter().map(|one| (one.key.name.as_str(), &one.key)).collect();
            let all = self.list(&api, &first.key).await?;
            let known = |object: Value| Some(((*by_name.get(object["metadata"]["name"].as_str()?)?).clone(), object));
            return Ok(all.into_iter().filter_map(known).collect());
        }
        let questions = group.iter().map(|one| async {
            let found = api.get_opt(&one.key.name).await.map_err(self.refused(format!("read {}", one.key)))?;
            Ok(found.and_then(|found| Some((one.key.clone(), serde_json::to_value(found).ok()?))))
        });
        join_all(questions).await.into_iter().filter_map(Result::transpose).collect()
    }

    async fn list(&self, api: &Api<DynamicObject>, alike: &ObjectKey) -> Result<Vec<Value>, KubernetesError> {
        let (mut all, mut parameters) = (Vec::new(), ListParams::default().limit(PAGE));
        loop {
            let page = api.list(&parameters).await.map_err(self.refused(format!("list objects like {alike}")))?;
            all.extend(page.items.iter().filter_map(|object| serde_json::to_value(object).ok()));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = ListParams::default().limit(PAGE).continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// By server-side apply; where the object has a `metadata.resourceVersion`, only to the object of that version.
    pub async fn apply_object(
        &self,
        object: &Value,
        manager: &str,
        conflicting: Conflicting,
    ) -> Result<Applied, KubernetesError> {
        let Some(wanted) = ObjectRef::of(object) else { return Ok(Applied::NotYet("it has no name".into())) };
        let ObjectRef { key: ObjectKey { kind, namespace, .. }, api_version } = &wanted;
        let api = match self.api_of(&wanted).await? {
            Some((_, is_namespaced)) if is_namespaced != namespace.is_some() => {
                let wrong = if is_namespaced {
                    "it names no namespace, and belongs to one"
                } else {
                    "it names a namespace, and belongs to none"
                };
                return Ok(Applied::Invalid { message: format!("{kind} of {api_version}: {wrong}"), reason: Reason::Other });
            }
            Some((api, _)) => api,
            None => {
                let message = format!("the API server serves no {kind} of {api_version}");
                // No definition brings it.
                let is_for_good = objects::is_built_in(&wanted.key);
                return Ok(if is_for_good {
                    Applied::Invalid { message, reason: Reason::Other }
                } else {
                    Applied::NotYet(message)
                });
            }
        };
        let mut parameters = PatchParams::apply(manager);
        parameters.force = conflicting == Conflicting::Taken;
        let has_version = object["metadata"]["resourceVersion"].is_string();
        match self.patch(api.resource_url(), &wanted.key.name, (&parameters, object)).await {
            Ok(is_new) => Ok(Applied::Done { is_new }),
            Err(kube::Error::Api(status)) => match refusal(&status) {
                Some(Applied::NotYet(_)) if status.code == CONFLICT && has_version => Ok(Applied::Changed),
                Some(applied) => Ok(applied),
                None => Err(self.refused(format!("apply {}", wanted.key))(kube::Error::Api(status))),
            },
            Err(error) => Err(self.refused(format!("apply {}", wanted.key))(error)),
        }
    }

    /// Whether the answer says that something was created, which the client's own functions do not tell.
    async fn patch(&self, url: &str, name: &str, (parameters, object): (&PatchParams, &Value)) -> Result<bool, kube::Error> {
        let request = Request::new(url).patch(name, parameters, &Patch::Apply(object)).map_err(kube::Error::BuildRequest)?;
        let answer = self.client.send(request.map(Body::from)).await?;
        let code = answer.status();
        let body = answer.into_body().collect_bytes().await?;
        if code.is_success() {
            return Ok(code.as_u16() == CREATED);
        }
        let unreadable = |_| Status::failure(&String::from_utf8_lossy(&body), "").with_code(code.as_u16());
        Err(kube::Error::Api(serde_json::from_slice(&body).unwrap_or_else(unreadable).boxed()))
    }

    /// With what depends on it, in the background. Another one that has its name by now stays; with a `version`, so does the same one in another version.
    pub async fn delete_object(&self, wanted: &ObjectRef, uid: &str, version: Option<&str>) -> Result<Deleted, KubernetesError> {
        let Some((api, _)) = self.api_in_any_version(wanted).await? else { return Ok(Deleted::Done) };
        let preconditions = Some(Preconditions { uid: Some(uid.to_string()), resource_version: version.map(str::to_string) });
        let parameters =
            DeleteParams { preconditions, propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
        match api.delete(&wanted.key.name, &parameters).await {
            Err(kube::Error::Api(status)) if status.code == CONFLICT && version.is_some() => Ok(Deleted::Changed),
            Err(kube::Error::Api(status)) if [NOT_FOUND, CONFLICT].contains(&status.code) => Ok(Deleted::Done),
            answer => answer.map(|_| Deleted::Done).map_err(self.refused(format!("delete {}", wanted.key))),
        }
    }

    /// Of each version whose kinds are not known yet.
    pub(super) async fn learn(&self, versions: impl Iterator<Item = &str>) -> Result<(), KubernetesError> {
        let mut known = self.kinds.lock().await;
        let missing: BTreeSet<String> = versions.filter(|version| !known.contains_key(*version)).map(str::to_string).collect();
        let questions = missing.iter().map(|version| async move {
            let asked = match version.contains('/') {
                true => self.client.list_api_group_resources(version).await,
                false => self.client.list_core_api_resources(version).await,
            };
            match asked {
                Ok(list) => Ok(Some((version.clone(), list))),
                // Nobody serves it: not yet, or not any more. An aggregated API that is down is an error.
                Err(kube::Error::Api(status)) if status.code == NOT_FOUND => Ok(None),
                Err(error) => Err(self.refused(format!("list the kinds of {version}"))(error)),
            }
        });
        for learned in join_all(questions).await {
            known.extend(learned?);
        }
        Ok(())
    }

    /// An object is there as long as its kind is served in some version, also when it is not the one by which it was applied.
    async fn api_in_any_version(&self, wanted: &ObjectRef) -> Result<Option<(Api<DynamicObject>, bool)>, KubernetesError> {
        if let Some(found) = self.api_of(wanted).await? {
            return Ok(Some(found));
        }
        if wanted.key.group.is_empty() {
            return Ok(None);
        }
        let groups = self.client.list_api_groups().await.map_err(self.refused("list groups of the API"))?;
        let group = groups.groups.into_iter().find(|group| group.name == wanted.key.group);
        for version in group.into_iter().flat_map(|group| group.versions) {
            let other = ObjectRef { key: wanted.key.clone(), api_version: version.group_version };
            if let Some(found) = self.api_of(&other).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// And whether its objects belong to a namespace. `None` where no such kind is served. What is not known may be served since.
    async fn api_of(&self, wanted: &ObjectRef) -> Result<Option<(Api<DynamicObject>, bool)>, KubernetesError> {
        for is_last in [false, true] {
            self.learn(std::iter::once(wanted.api_version.as_str())).await?;
            let mut known = self.kinds.lock().await;
            let kinds = known.get(&wanted.api_version).into_iter().flat_map(|list| &list.resources);
            let kind = kinds.into_iter().find(|kind| kind.kind == wanted.key.kind && !kind.name.contains('/'));
            if let Some(Place { resource, is_namespaced }) = kind.map(|kind| place(&wanted.api_version, kind)) {
                let api = match wanted.key.namespace.as_deref() {
                    Some(namespace) if is_namespaced => Api::namespaced_with(self.client.clone(), namespace, &resource),
                    _ => Api::all_with(self.client.clone(), &resource),
                };
                return Ok(Some((api, is_namespaced)));
            }
            if !is_last {
                known.remove(&wanted.api_version);
            }
        }
        Ok(None)
    }
}

/// By version of the API.
pub(super) type Kinds = BTreeMap<String, APIResourceList>;

pub(super) fn place(api_version: &str, kind: &APIResource) -> Place {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource {
        group: group.into(),
        version: version.into(),
        api_version: api_version.into(),
        kind: kind.kind.clone(),
        plural: kind.name.clone(),
    };
    Place { resource, is_namespaced: kind.namespaced }
}

impl ObjectRef {
    /// `None` where the object has no name.
    pub fn of(object: &Value) -> Option<ObjectRef> {
        Some(ObjectRef { key: ObjectKey::of(object)?, api_version: object["apiVersion"].as_str()?.to_string() })
    }
}

/// What an answer means that says no; `None` where it is none of these.
fn refusal(status: &Status) -> Option<Applied> {
    let found = conflicts(status);
    let message = status.message.clone();
    match status.code {
        CONFLICT if !found.is_empty() => Some(Applied::Conflicts(found)),
        _ if is_passing(status) => Some(Applied::NotYet(message)),
        UNPROCESSABLE if is_immutable(status) => Some(Applied::Invalid { message, reason: Reason::Immutable }),
        400 | 403 | 500 | UNPROCESSABLE => Some(Applied::Invalid { message, reason: Reason::Other }),
        _ => None,
    }
}

/// An admission plugin that is behind says no with 403: `plugin/resourcequota` and `plugin/pkg/admission/serviceaccount` of Kubernetes.
const NOT_SEEN_YET: [&str; 3] = ["status unknown for quota", "error looking up service account", "is being terminated"];
/// A field that the schema does not have comes as 500, without a reason (kubernetes/kubernetes#139253).
const NO_SUCH_FIELD: &str = "failed to create typed patch object";

fn is_passing(status: &Status) -> bool {
    match status.code {
        // Changed between the read and the write of the API server; overload; no namespace or kind yet.
        CONFLICT | 429 | 503 | 504 | NOT_FOUND => true,
        403 => NOT_SEEN_YET.iter().any(|text| status.message.contains(text)),
        500 => !status.message.contains(NO_SUCH_FIELD),
        _ => false,
    }
}

/// As the validation of Kubernetes (`pkg/apis/*/validation`) and rules of custom resources say it.
const IMMUTABLE: [&str; 5] = ["immutable", "may not change", "may not be changed", "cannot change", "updates to "];

fn is_immutable(status: &Status) -> bool {
    let says = |text: &str| IMMUTABLE.iter().any(|words| text.contains(words));
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    if causes.is_empty() { says(&status.message) } else { causes.iter().all(|cause| says(&cause.message)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<Applied>) {
        assert_eq!(refusal(&serde_json::from_str(text).unwrap()), expect);
    }

    #[test]
    fn what_the_api_server_answers_is_told_apart() {
        let conflict = r#"{"status":"Failure","code":409,"reason":"Conflict","details":{"causes":[
            {"reason":"FieldManagerConflict","message":"conflict with \"kubectl\"","field":".spec.replicas"}]}}"#;
        check(conflict, Some(Applied::Conflicts(vec![(".spec.replicas".into(), "conflict with \"kubectl\"".into())])));
        let modified = r#"{"status":"Failure","code":409,"reason":"Conflict","message":"the object has been modified"}"#;
        check(modified, Some(Applied::NotYet("the object has been modified".into())));
        let immutable = r#"{"status":"Failure","code":422,"reason":"Invalid","message":"field is immutable","details":{"causes":[
            {"reason":"FieldValueInvalid","message":"field is immutable","field":"spec.selector"}]}}"#;
        check(immutable, Some(Applied::Invalid { message: "field is immutable".into(), reason: Reason::Immutable }));
        let also = immutable
            .replace("]}}", r#",{"reason":"FieldValueInvalid","message":"must be positive","field":"spec.replicas"}]}}"#);
        check(&also, Some(Applied::Invalid { message: "field is immutable".into(), reason: Reason::Other }));
        let denied =
            r#"{"status":"Failure","code":400,"message":"admission webhook \"a\" denied the request: this is immutable"}"#;
        let message = "admission webhook \"a\" denied the request: this is immutable".to_string();
        check(denied, Some(Applied::Invalid { message, reason: Reason::Other }));
        let webhook = r#"{"status":"Failure","code":500,"reason":"InternalError","message":"failed calling webhook \"a\": connection refused"}"#;
        check(webhook, Some(Applied::NotYet("failed calling webhook \"a\": connection refused".into())));
        let terminating = r#"{"status":"Failure","code":403,"reason":"Forbidden","message":"because it is being terminated","details":{"causes":[
            {"reason":"NamespaceTerminating","message":"namespace a is being terminated","field":"metadata.namespace"}]}}"#;
        check(terminating, Some(Applied::NotYet("because it is being terminated".into())));
        let schema = r#"{"status":"Failure","code":500,"message":"failed to create typed patch object: .spec.x: field not declared in schema"}"#;
        let message = "failed to create typed patch object: .spec.x: field not declared in schema".to_string();
        check(schema, Some(Applied::Invalid { message, reason: Reason::Other }));
        let quota =
            r#"{"status":"Failure","code":403,"reason":"Forbidden","message":"status unknown for quota: a, resources: pods"}"#;
        check(quota, Some(Applied::NotYet("status unknown for quota: a, resources: pods".into())));
        check(r#"{"status":"Failure","code":401,"reason":"Unauthorized"}"#, None);
    }
}
