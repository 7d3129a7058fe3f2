//! Server-side apply of plain objects under this provider's field manager. What others have changed of them is theirs: nothing is forced.

use super::their_fields::{TheirField, conflicts, take_out};
use super::{KubernetesApi, KubernetesError};
use backon::{ExponentialBuilder, Retryable};
use bundle::Digest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};
use std::time::Duration;

pub const FIELD_MANAGER: &str = "k8s-hardway";
/// The annotation with the digest of what was declared of an object when it was last applied.
const DECLARED: &str = "k8s-hardway/declared-sha256";

/// Of a merge patch, under that name.
pub(super) fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

impl KubernetesApi {
    /// Applies, in order, each object of which something else is declared than when it was last applied, or that is missing. Fields that
    /// another field manager has changed stay as they are, and come back. An API server that has just started may still refuse for a
    /// moment: bounded retries.
    pub async fn apply(&self, objects: &[Value]) -> Result<Vec<TheirField>, KubernetesError> {
        let retry = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(15);
        let mut theirs = Vec::new();
        for object in objects {
            let attempt =
                || async { apply_one(&self.client, object).await.map_err(self.refused(format!("apply {}", Named::of(object)))) };
            theirs.extend(attempt.retry(retry).when(is_passing).await?);
        }
        Ok(theirs)
    }
}

/// Kind, namespace and name.
struct Named<'a>(&'a str, &'a str, &'a str);

impl<'a> Named<'a> {
    fn of(object: &'a Value) -> Named<'a> {
        Named(text(object, "/kind"), text(object, "/metadata/namespace"), text(object, "/metadata/name"))
    }
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Named(kind, "", name) => write!(f, "{kind} {name}"),
            Named(kind, namespace, name) => write!(f, "{kind} {namespace}/{name}"),
        }
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What is declared does not fit what others have set of an object, such as parameters of an update strategy that it has no more.
const UNPROCESSABLE: u16 = 422;

/// Each round takes out at least one field that is somebody else's.
async fn apply_one(client: &Client, declared: &Value) -> Result<Vec<TheirField>, kube::Error> {
    let (named, digest) = (Named::of(declared), Digest::of(declared.to_string().as_bytes()));
    let api = api_of(client, declared);
    let found = api.get_metadata_opt(named.2).await?;
    let is_shared = found.as_ref().is_some_and(|found| is_shared(&found.metadata));
    if found.is_some_and(|found| found.metadata.annotations.is_some_and(|all| all.get(DECLARED) == Some(&digest.to_string()))) {
        return Ok(Vec::new());
    }
    let mut object = declared.clone();
    object["metadata"]["annotations"][DECLARED] = json!(digest.as_str());
    let (params, mut theirs) = (PatchParams::apply(FIELD_MANAGER), Vec::new());
    loop {
        let status = match api.patch(named.2, &params, &Patch::Apply(&object)).await {
            Ok(_) => return Ok(theirs),
            Err(kube::Error::Api(status)) => status,
            Err(error) => return Err(error),
        };
        if status.code == UNPROCESSABLE && is_shared {
            theirs.push(TheirField::unfit(named.to_string(), status.message.clone()));
            return Ok(theirs);
        }
        let conflicts = conflicts(&status);
        if conflicts.is_empty() {
            return Err(kube::Error::Api(status));
        }
        let taken = conflicts.into_iter().map(|(field, conflict)| {
            let declared = take_out(&mut object, &field);
            TheirField { object: named.to_string(), field, conflict, declared }
        });
        let taken: Vec<TheirField> = taken.collect();
        let is_stuck = taken.iter().all(|field| field.declared.is_none());
        // A field that could not be taken out conflicts in each round.
        theirs.retain(|field| !taken.contains(field));
        theirs.extend(taken);
        if is_stuck {
            return Ok(theirs);
        }
    }
}

/// Whether others have set fields of it, but for the status that controllers write.
fn is_shared(metadata: &ObjectMeta) -> bool {
    let is_other = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() != Some(FIELD_MANAGER) && entry.subresource.as_deref().is_none_or(|of| of == "scale")
    };
    metadata.managed_fields.iter().flatten().any(is_other)
}

fn api_of(client: &Client, object: &Value) -> Api<DynamicObject> {
    let (api_version, Named(kind, namespace, _)) = (text(object, "/apiVersion"), Named::of(object));
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

/// Errors that go away by themselves: no connection yet, overload, roles or namespaces of a new cluster not yet made.
pub(super) fn is_passing(error: &KubernetesError) -> bool {
    let is_new = |source: &kube::Error| matches!(source, kube::Error::Api(status) if matches!(status.code, 403 | 404 | 409));
    error.is_passing() || matches!(error, KubernetesError::Api { source, .. } if is_new(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::client::Body;
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use tonic::codegen::http::{Request, Response};

    /// As an API server of version 1.36 answered after `kubectl scale` and `kubectl set image`.
    const CONFLICTS: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Apply failed with 2 conflicts",
        "reason":"Conflict","code":409,"details":{"causes":[
        {"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" with subresource \"scale\" using apps/v1","field":".spec.replicas"},
        {"reason":"FieldManagerConflict","message":"conflict with \"kubectl-set\" using apps/v1",
         "field":".spec.template.spec.containers[name=\"coredns\"].image"}]}}"#;
    const NOT_FOUND: &str = r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"not found","code":404}"#;

    fn deployment() -> Value {
        let pod = json!({ "spec": { "containers": [{ "name": "coredns", "image": "a:2", "args": [] }] } });
        let metadata = json!({ "name": "coredns", "namespace": "kube-system" });
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": { "replicas": 2, "template": pod } })
    }

    /// What came of it, and each request: its method, its query and its body.
    async fn apply(answers: &[(u16, String)]) -> (Vec<TheirField>, Vec<(String, String, Value)>) {
        let (applied, requests) = try_apply(answers).await;
        (applied.unwrap(), requests)
    }

    async fn try_apply(answers: &[(u16, String)]) -> (Result<Vec<TheirField>, kube::Error>, Vec<(String, String, Value)>) {
        let answers: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(answers.iter().cloned().collect()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = requests.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (answers, noted) = (answers.clone(), noted.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
                noted.lock().unwrap().push((head.method.to_string(), head.uri.query().unwrap_or_default().to_string(), body));
                let (status, text) = answers.lock().unwrap().pop_front().unwrap();
                Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(Body::from(text.into_bytes())).unwrap())
            }
        });
        let applied = apply_one(&Client::new(service, "default"), &deployment()).await;
        let requests = requests.lock().unwrap().clone();
        (applied, requests)
    }

    fn found(digest: &str) -> (u16, String) {
        let metadata = json!({ "name": "coredns", "annotations": { DECLARED: digest } });
        (200, json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata }).to_string())
    }

    #[tokio::test]
    async fn what_others_changed_of_an_object_stays_and_the_rest_of_it_is_applied() {
        let applied = (200, deployment().to_string());
        let (theirs, requests) = apply(&[found("an older one"), (409, CONFLICTS.into()), applied]).await;
        let shown: Vec<String> = theirs.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "Deployment kube-system/coredns: .spec.replicas, conflict with \"kubectl\" with subresource \"scale\" using apps/v1; the declared value is 2",
                "Deployment kube-system/coredns: .spec.template.spec.containers[name=\"coredns\"].image, conflict with \"kubectl-set\" using apps/v1; \
                 the declared value is \"a:2\""
            ]
        );
        let [(get, _, _), (first, query, whole), (second, _, rest)] = requests.as_slice() else { panic!("{requests:?}") };
        assert_eq!([get, first, second], ["GET", "PATCH", "PATCH"]);
        assert!(query.contains("fieldManager=k8s-hardway") && !query.contains("force=true"), "{query}");
        assert_eq!(whole["spec"], deployment()["spec"]);
        assert_eq!(rest["spec"], json!({ "template": { "spec": { "containers": [{ "name": "coredns", "args": [] }] } } }));
        assert_eq!(rest["metadata"], whole["metadata"]);
    }

    #[tokio::test]
    async fn an_object_that_is_declared_as_when_it_was_applied_is_left_alone() {
        let (_, first) = apply(&[(404, NOT_FOUND.into()), (200, deployment().to_string())]).await;
        let digest = first[1].2["metadata"]["annotations"][DECLARED].as_str().unwrap().to_string();
        let (theirs, requests) = apply(&[found(&digest)]).await;
        assert_eq!((theirs.len(), requests.len()), (0, 1));
    }

    /// As an API server answers where a field that nobody else manages does not fit one that was taken out.
    #[tokio::test]
    async fn an_object_that_does_not_fit_what_others_changed_is_left_and_named() {
        let invalid = r#"{"kind":"Status","status":"Failure","reason":"Invalid","code":422,
            "message":"Deployment.apps \"coredns\" is invalid: spec.strategy.rollingUpdate: Forbidden"}"#;
        let by = |manager: &str| {
            let metadata = json!({ "name": "coredns", "managedFields": [{ "manager": manager }, { "manager": "k8s", "subresource": "status" }] });
            (200, json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata }).to_string())
        };
        let (theirs, requests) = apply(&[by("kubectl-edit"), (409, CONFLICTS.into()), (422, invalid.into())]).await;
        assert_eq!((theirs.len(), requests.len()), (3, 3));
        let last = theirs[2].to_string();
        assert!(last.starts_with("Deployment kube-system/coredns: Deployment.apps \"coredns\" is invalid"), "{last}");
        assert!(last.ends_with("; nothing of this object was applied"), "{last}");
        // Of one that is not there yet, or that nobody else has set anything of, it is the provider's own mistake.
        for own in [(404, NOT_FOUND.into()), by(FIELD_MANAGER)] {
            assert!(try_apply(&[own, (422, invalid.into())]).await.0.is_err());
        }
    }

    #[tokio::test]
    async fn a_conflict_that_comes_again_is_named_once() {
        let unknown = CONFLICTS.replace(".spec.replicas", ".spec.x");
        let again = CONFLICTS.replace(".spec.replicas", ".spec.x").replace(".spec.template", ".spec.x.template");
        let (theirs, requests) = apply(&[found("an older one"), (409, unknown), (409, again)]).await;
        let fields: Vec<(&str, bool)> = theirs.iter().map(|field| (field.field.as_str(), field.declared.is_some())).collect();
        let image = ".spec.template.spec.containers[name=\"coredns\"].image";
        let none = ".spec.x.template.spec.containers[name=\"coredns\"].image";
        assert_eq!((fields, requests.len()), (vec![(image, true), (".spec.x", false), (none, false)], 3));
    }

    #[tokio::test]
    async fn a_conflict_that_nothing_can_be_taken_out_for_leaves_the_object_and_is_named() {
        let unknown = CONFLICTS.replace(".spec.replicas", ".spec.x").replace("containers[name", "containers[nobody");
        let (theirs, requests) = apply(&[found("an older one"), (409, unknown)]).await;
        assert_eq!(requests.len(), 2);
        assert!(theirs.len() == 2 && theirs[0].to_string().ends_with("; nothing of this object was applied"), "{theirs:?}");
    }
}
