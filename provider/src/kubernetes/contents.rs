//! What goes with an object that is deleted: all that is in a namespace, and all objects of a kind that somebody has defined. Whoever cannot be
//! asked makes it an error: what is not seen would go.

use super::objects::{NOT_FOUND, PAGE, Place, REQUESTS_AT_A_TIME, place};
use super::{KubernetesApi, KubernetesError, ObjectRef};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta};
use objects::ObjectKey;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// They come and go by themselves.
const PASSING: [&str; 4] = ["Event", "Endpoints", "EndpointSlice", "Lease"];
/// An aggregated API that has no objects of its own.
const METRICS: &str = "metrics.k8s.io/";
const NOT_ALLOWED: u16 = 405;

impl KubernetesApi {
    /// Those that a controller makes for others of them, and that every namespace has, are not among them; nor those of the given versions, which are not
    /// asked. Where `is_emptied`, its own objects are being deleted, and what they owned is left to the garbage collector. Empty for every other object.
    pub async fn objects_within(
        &self,
        key: &ObjectKey,
        unasked: &BTreeSet<String>,
        is_emptied: bool,
    ) -> Result<BTreeSet<ObjectKey>, KubernetesError> {
        if key.is_definition() {
            return self.of_definition(key).await;
        }
        if !key.is_namespace() {
            return Ok(BTreeSet::new());
        }
        let kinds = self.namespaced_kinds(unasked).await?;
        let questions: Vec<BoxFuture<'_, _>> = kinds.iter().map(|place| self.alike_within(&key.name, place).boxed()).collect();
        let found: Vec<Vec<(ObjectKey, ObjectMeta)>> =
            stream::iter(questions).buffer_unordered(REQUESTS_AT_A_TIME).try_collect().await?;
        let found: Vec<(ObjectKey, ObjectMeta)> = found.into_iter().flatten().collect();
        let uids: BTreeSet<&str> = found.iter().filter_map(|(_, meta)| meta.uid.as_deref()).collect();
        let has_owner = |meta: &ObjectMeta| meta.owner_references.iter().flatten().any(|owner| uids.contains(owner.uid.as_str()));
        let goes = |meta: &ObjectMeta| is_emptied && (meta.deletion_timestamp.is_some() || meta.owner_references.is_some());
        let own = found.iter().filter(|(key, meta)| !has_owner(meta) && !goes(meta) && !is_everywhere(key));
        Ok(own.map(|(key, _)| key.clone()).collect())
    }

    /// Each in one of the versions in which it is served.
    async fn namespaced_kinds(&self, unasked: &BTreeSet<String>) -> Result<Vec<Place>, KubernetesError> {
        let groups = self.client.list_api_groups().await.map_err(self.refused("list groups of the API"))?;
        let of_groups =
            groups.groups.into_iter().flat_map(|group| group.versions.into_iter().map(|version| version.group_version));
        let is_asked = |version: &String| !version.starts_with(METRICS) && !unasked.contains(version);
        let versions: Vec<String> = of_groups.filter(is_asked).chain(["v1".into()]).collect();
        self.learn(versions.iter().map(String::as_str)).await?;
        let known = self.kinds.lock().await;
        let is_listed = |kind: &APIResource| {
            let can_be = kind.namespaced && !kind.name.contains('/') && kind.verbs.iter().any(|verb| verb == "list");
            can_be && !PASSING.contains(&kind.kind.as_str())
        };
        let mut kinds: BTreeMap<(String, String), Place> = BTreeMap::new();
        for version in &versions {
            for kind in known.get(version).into_iter().flat_map(|list| &list.resources).filter(|kind| is_listed(kind)) {
                let place = place(version, kind);
                kinds.entry((place.resource.group.clone(), kind.kind.clone())).or_insert(place);
            }
        }
        Ok(kinds.into_values().collect())
    }

    async fn alike_within(
        &self,
        namespace: &str,
        Place { resource, .. }: &Place,
    ) -> Result<Vec<(ObjectKey, ObjectMeta)>, KubernetesError> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, resource);
        let all = self.names(&api, resource).await?;
        Ok(all.into_iter().filter_map(|meta| Some((key(resource, &meta)?, meta))).collect())
    }

    async fn names(&self, api: &Api<DynamicObject>, resource: &ApiResource) -> Result<Vec<ObjectMeta>, KubernetesError> {
        let (mut all, mut parameters) = (Vec::new(), ListParams::default().limit(PAGE));
        loop {
            let page = match api.list_metadata(&parameters).await {
                Err(kube::Error::Api(status)) if [NOT_FOUND, NOT_ALLOWED].contains(&status.code) => return Ok(all),
                page => page.map_err(self.refused(format!("list {}", resource.plural)))?,
            };
            all.extend(page.items.into_iter().map(|object| object.metadata));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = ListParams::default().limit(PAGE).continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    async fn of_definition(&self, definition: &ObjectKey) -> Result<BTreeSet<ObjectKey>, KubernetesError> {
        let wanted = ObjectRef { key: definition.clone(), api_version: "apiextensions.k8s.io/v1".into() };
        let found = self.find_objects(std::slice::from_ref(&wanted)).await?;
        let Some(spec) = found.get(definition).map(|found| &found["spec"]) else { return Ok(BTreeSet::new()) };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let served = spec["versions"].as_array().into_iter().flatten().find(|version| version["served"] == true);
        let (group, version) = (text(&spec["group"]), served.map(|version| text(&version["name"])).unwrap_or_default());
        let resource = ApiResource {
            api_version: format!("{group}/{version}"),
            kind: text(&spec["names"]["kind"]),
            plural: text(&spec["names"]["plural"]),
            group,
            version,
        };
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        Ok(self.names(&api, &resource).await?.iter().filter_map(|meta| key(&resource, meta)).collect())
    }
}

fn key(resource: &ApiResource, meta: &ObjectMeta) -> Option<ObjectKey> {
    let (kind, group) = (resource.kind.clone(), resource.group.clone());
    Some(ObjectKey { kind, group, namespace: meta.namespace.clone(), name: meta.name.clone()? })
}

fn is_everywhere(key: &ObjectKey) -> bool {
    (key.is("", "ConfigMap") && key.name == "kube-root-ca.crt") || (key.is("", "ServiceAccount") && key.name == "default")
}
