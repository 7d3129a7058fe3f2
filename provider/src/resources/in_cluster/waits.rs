//! Waiting for objects: until they are ready, and until they are gone.

use super::ownership::{Keys, Versions, refs};
use crate::kubernetes::{KnownNode, KubernetesError, ObjectRef};
use crate::ports::Kubernetes;
use crate::wait::{Ended, Pace, Waiter};
use objects::{ObjectKey, Readiness, readiness, stalled_since};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

const PACE: Pace = Pace::doubling(Duration::from_millis(100), Duration::from_secs(1));

/// Why something is not done yet.
pub const CHANGED: &str = "somebody else is changing it";

/// The cluster, and how it is waited for.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    pub api: &'a dyn Kubernetes,
    pub waiter: Waiter<'a>,
}

/// Why a wait ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    #[error(transparent)]
    Api(#[from] KubernetesError),
    #[error("{0}")]
    Ended(Ended),
}

impl From<Ended> for WaitError {
    fn from(ended: Ended) -> WaitError {
        WaitError::Ended(ended)
    }
}

/// How a wait for objects has ended.
#[derive(Default)]
pub struct Waited {
    /// Those that are not ready when the time is up, or that never will be, each with the reason.
    pub lacking: BTreeMap<ObjectKey, String>,
    /// Those that went away by themselves before they were seen done: they may have failed.
    pub unseen: Keys,
}

/// `vanishing` are ready when they are not there any more. A Deployment that had stalled before is given the time too.
pub async fn until_ready(
    Reach { api, waiter }: Reach<'_>,
    (all, vanishing): (&Versions, &Keys),
    limit: Duration,
) -> Result<Waited, WaitError> {
    let question = refs(all);
    if question.is_empty() {
        return Ok(Waited::default());
    }
    let (stalled_before, done) = (OnceLock::new(), Mutex::new(Keys::new()));
    let judge = |key: &ObjectKey, live: Option<&Value>, before: &BTreeMap<ObjectKey, String>| match live {
        Some(live) => match readiness(key, live) {
            Readiness::Failed(reason) if stalled_since(key, live).is_some_and(|since| before.get(key) == Some(&since)) => {
                Readiness::NotYet(reason)
            }
            readiness => readiness,
        },
        None if vanishing.contains(key) => Readiness::Ready,
        None => Readiness::NotYet("it is not there".into()),
    };
    let lacks = || async {
        let found = match api.find_objects(&question).await {
            Err(error) if error.is_passing() => {
                let unanswered = |key: &ObjectKey| (key.clone(), Readiness::NotYet(error.to_string()));
                return Ok(Err(all.keys().map(unanswered).collect()));
            }
            found => found?,
        };
        let before = stalled_before
            .get_or_init(|| found.iter().filter_map(|(key, live)| Some((key.clone(), stalled_since(key, live)?))).collect());
        let judged: Vec<(ObjectKey, Readiness)> =
            all.keys().map(|key| (key.clone(), judge(key, found.get(key), before))).collect();
        if let Ok(mut done) = done.lock() {
            done.extend(
                judged.iter().filter(|(key, is)| *is == Readiness::Ready && found.contains_key(key)).map(|(key, _)| key.clone()),
            );
        }
        let judged = judged.into_iter();
        let lacking: BTreeMap<ObjectKey, Readiness> = judged.filter(|(_, readiness)| *readiness != Readiness::Ready).collect();
        let has_failed = lacking.values().any(|readiness| matches!(readiness, Readiness::Failed(_)));
        // One that failed is said at once.
        Ok::<_, WaitError>(if lacking.is_empty() || has_failed { Ok(lacking) } else { Err(lacking) })
    };
    let wait = waiter.until("objects are ready", limit, PACE);
    let (Ok(lacking) | Err(lacking)) = wait.until_answered(lacks).await?;
    let mut reasons = BTreeMap::new();
    for (key, readiness) in lacking {
        let (Readiness::NotYet(reason) | Readiness::Failed(reason)) = readiness else { continue };
        let of = ObjectRef { api_version: all[&key].clone(), key: key.clone() };
        let troubles = api.pod_troubles(&of).await.unwrap_or_default();
        let more = if troubles.is_empty() { String::new() } else { format!(" ({})", troubles.join("; ")) };
        reasons.insert(key, format!("{reason}{more}"));
    }
    let done = done.into_inner().unwrap_or_default();
    let is_unseen = |key: &&ObjectKey| all.contains_key(*key) && !done.contains(*key) && !reasons.contains_key(*key);
    let unseen = vanishing.iter().filter(is_unseen).cloned().collect();
    Ok(Waited { lacking: reasons, unseen })
}

/// Those that are not Ready when the time is up, each with what its kubelet says.
pub async fn until_nodes_are_ready(
    Reach { api, waiter }: Reach<'_>,
    limit: Duration,
) -> Result<BTreeMap<ObjectKey, String>, WaitError> {
    let lacks = || async {
        let lacking = match api.nodes().await {
            Err(error) if error.is_passing() => BTreeMap::from([(node("?"), error.to_string())]),
            nodes => not_ready(nodes?),
        };
        Ok::<_, WaitError>((!lacking.is_empty()).then_some(lacking))
    };
    Ok(waiter.until("all nodes are Ready", limit, PACE).until_nothing_lacks(lacks).await?.unwrap_or_default())
}

/// Those that are not, each with the reason.
pub fn not_ready(nodes: BTreeMap<String, KnownNode>) -> BTreeMap<ObjectKey, String> {
    nodes.into_iter().filter_map(|(name, known)| Some((node(&name), known.not_ready?))).collect()
}

fn node(name: &str) -> ObjectKey {
    ObjectKey { kind: "Node".into(), group: String::new(), namespace: None, name: name.to_string() }
}

/// Those that are still there when the time is up, each with what holds it.
pub async fn until_gone(
    Reach { api, waiter }: Reach<'_>,
    all: &BTreeMap<ObjectKey, (String, String)>,
    limit: Duration,
) -> Result<BTreeMap<ObjectKey, String>, WaitError> {
    let versions: Versions = all.iter().map(|(key, (version, _))| (key.clone(), version.clone())).collect();
    let question = refs(&versions);
    if question.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lacks = || async {
        let found = match api.find_objects(&question).await {
            Err(error) if error.is_passing() => return Ok(Some(all.keys().map(|key| (key.clone(), Value::Null)).collect())),
            found => found?,
        };
        let is_it = |(key, live): &(ObjectKey, Value)| all.get(key).is_some_and(|(_, uid)| super::ownership::uid(live) == uid);
        let left: BTreeMap<ObjectKey, Value> = found.into_iter().filter(is_it).collect();
        Ok::<_, WaitError>((!left.is_empty()).then_some(left))
    };
    let left = waiter.until("objects are gone", limit, PACE).until_nothing_lacks(lacks).await?.unwrap_or_default();
    Ok(left.into_iter().map(|(key, live)| (key, held(&live))).collect())
}

fn held(live: &Value) -> String {
    let finalizers: Vec<&str> =
        live["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let conditions = live["status"]["conditions"].as_array().into_iter().flatten();
    let said = conditions.filter(|condition| condition["status"] == "True").filter_map(|condition| condition["message"].as_str());
    let mut reasons: Vec<String> = said.map(str::to_string).collect();
    if !finalizers.is_empty() {
        reasons.insert(0, format!("its finalizers are {}", finalizers.join(", ")));
    }
    if reasons.is_empty() { "it is still there".into() } else { reasons.join("; ") }
}
