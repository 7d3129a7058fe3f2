//! What the cluster itself keeps of a resource of this floor: its holder, and every object that it has created or is about to create. So an apply that was
//! cut off, and whose state knows nothing of what it created, loses nothing.

use super::ownership::{FIELD_MANAGER, Owner, Versions};
use super::pruning::delete_as_seen;
use super::waits::{CHANGED, Reach, WaitError};
use crate::kubernetes::{Applied, Conflicting, KubernetesError, ObjectRef};
use crate::ports::Kubernetes;
use crate::wait::Pace;
use objects::ObjectKey;
use schema::Diagnostic;
use serde_json::{Value, json};
use std::time::Duration;

const NAMESPACE: &str = "kube-system";
const LIMIT: Duration = Duration::from_secs(30);
const PACE: Pace = Pace::doubling(Duration::from_millis(100), Duration::from_secs(2));

/// One entry for each object: its key, and the version by which it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub holder: String,
    pub objects: Versions,
}

impl Record {
    pub async fn read(api: &dyn Kubernetes, owner: &Owner) -> Result<Option<Record>, KubernetesError> {
        let wanted = place(owner);
        let found = api.find_objects(std::slice::from_ref(&wanted)).await?;
        Ok(found.get(&wanted.key).map(Record::of))
    }

    fn of(object: &Value) -> Record {
        let text = |field: &str| object["data"][field].as_str().unwrap_or_default();
        let line = |line: &str| {
            let (key, version) = line.split_once(' ')?;
            Some((key.parse::<ObjectKey>().ok()?, version.to_string()))
        };
        Record { holder: text("holder").to_string(), objects: text("objects").lines().filter_map(line).collect() }
    }

    /// Tried again while it cannot be written yet.
    pub async fn write(&self, Reach { api, waiter }: Reach<'_>, owner: &Owner) -> Result<(), Diagnostic> {
        let lines: String = self.objects.iter().map(|(key, version)| format!("{key} {version}\n")).collect();
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": place(owner).key.name, "namespace": NAMESPACE },
            "data": { "holder": owner.holder, "objects": lines },
        });
        let cannot = |why: String| Diagnostic::error(format!("cannot write {}", place(owner).key)).detail(why);
        let mut wait = waiter.until("the record of the objects is written", LIMIT, PACE);
        loop {
            let why = match api.apply_object(&object, FIELD_MANAGER, Conflicting::Taken).await {
                Ok(Applied::Done { .. }) => return Ok(()),
                Ok(Applied::NotYet(why)) => why,
                Ok(Applied::Changed) => CHANGED.to_string(),
                Ok(Applied::Invalid { message, .. }) => return Err(cannot(message)),
                Ok(Applied::Conflicts(_)) => return Err(cannot("somebody else manages it".into())),
                Err(error) if error.is_passing() => error.to_string(),
                Err(error) => return Err(cannot(error.to_string())),
            };
            wait.pause().await.map_err(|_| cannot(why))?;
        }
    }

    /// Of another holder it stays.
    pub async fn delete(reach: Reach<'_>, owner: &Owner) -> Result<(), WaitError> {
        let wanted = place(owner);
        let is_ours = |live: &Value| Record::of(live).holder == owner.holder;
        match reach.api.find_objects(std::slice::from_ref(&wanted)).await?.remove(&wanted.key) {
            Some(live) if is_ours(&live) => delete_as_seen(reach, &wanted, live, &is_ours).await.map(drop),
            _ => Ok(()),
        }
    }
}

fn place(owner: &Owner) -> ObjectRef {
    let key = ObjectKey {
        kind: "ConfigMap".into(),
        group: String::new(),
        namespace: Some(NAMESPACE.into()),
        name: format!("{}.{}", owner.kind.record(), owner.name),
    };
    ObjectRef { key, api_version: "v1".into() }
}
