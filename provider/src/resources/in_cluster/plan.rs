//! What a change does, from the configuration and the state alone. Reaches no cluster.

use super::config::Config;
use super::losses::{self, losses};
use super::ownership::Keys;
use super::state::{self, DRIFT, FIELDS, HOLDER, NOT_READY, ROLLOUT, SECRET_KEYS};
use super::{Declaration, InCluster, ObjectsResource, digests};
use addons::{Ready, naming};
use objects::{Change, Fields, Immutable, Inventories, ObjectKey};
use protocol::{PlanRequest, PlanResponse};
use schema::{AttributePath, Diagnostic, Diagnostics, Value, decode};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

const CLUSTER: &str = "cluster";
const CLUSTER_UID: &str = "cluster_uid";

impl<R: ObjectsResource> InCluster<R> {
    pub(super) fn planned(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostics> {
        let config: Config = decode(&request.proposed).map_err(Diagnostics::from)?;
        let mut planned = request.proposed.clone();
        let name = planned.get("name").clone();
        planned.set("id", name.clone());
        let (requires_replace, undecided) = request.prior.as_ref().map(|prior| replaced(prior, &planned)).unwrap_or_default();
        let is_new = !requires_replace.is_empty()
            || request.prior.as_ref().is_none_or(|prior| name.is_set() && *prior.get("name") != name);
        let prior = request.prior.as_ref().filter(|_| !is_new);
        planned.set(HOLDER, prior.map_or(Value::Unknown, |prior| prior.get(HOLDER).clone()));
        planned.set(DRIFT, Value::object([]));
        // What a create that is stopped has not waited for, it says.
        planned.set(NOT_READY, if prior.is_some() { Value::object([]) } else { Value::Unknown });
        self.resource.settle(&mut planned, prior);
        let secrets = self.resource.secrets(&request.config);
        state::set_of_secrets(&mut planned, SECRET_KEYS, secrets.as_ref().map_or(Value::Unknown, state::show_secret_keys));
        let mut diagnostics = Diagnostics::default();
        if let Some(replaced) = request.prior.as_ref().filter(|_| is_new) {
            diagnostics.extend(self.losses_of_all(replaced));
            let is_with_cluster = !requires_replace.is_empty() && planned.get(CLUSTER).get(CLUSTER_UID).is_unknown();
            diagnostics.extend(is_with_cluster.then(|| losses::with_cluster(&state::owner(self.resource.kind(), replaced))));
        }
        match self.resource.declared(&planned, &mut diagnostics).filter(|_| !planned.get("sensitive").is_unknown()) {
            None => {
                planned.set(FIELDS, Value::Unknown);
                planned.set(ROLLOUT, Value::Unknown);
            }
            Some(declared) => {
                let before = prior.map(state::fields).unwrap_or_default();
                let fields = state::fields_of(&declared, &planned);
                let changes = self.changes(&config, prior, &planned, (&before, &fields, &declared))?;
                let drift = prior.map(state::drift).unwrap_or_default();
                diagnostics.extend(prior.and_then(|prior| losses(&state::owner(self.resource.kind(), prior), changes.deleted())));
                let ignored = prior.map(decode::<Config>).transpose().map_err(Diagnostics::from)?.map(|config| config.ignored());
                let is_left = |key: &ObjectKey, path: &str| ignored.as_ref().is_some_and(|ignored| ignored.has(key, path));
                diagnostics.extend(losses::released(&before, &fields, &drift, is_left));
                planned.set(FIELDS, state::show_fields(&fields));
                // What becomes of an object that is there is known once all of it is.
                let is_changing = fields.iter().any(|(key, fields)| fields.is_none() && before.contains_key(key));
                let is_open = is_changing
                    || secrets.is_none()
                    || digests::open(&planned).is_none()
                    || DECIDE_STEPS.iter().any(|name| !planned.get(name).is_wholly_known());
                let lines = changes.lines();
                let rollout = match prior {
                    _ if is_open => Value::Unknown,
                    Some(prior) if lines.is_empty() => prior.get(ROLLOUT).clone(),
                    _ => Value::List(lines),
                };
                planned.set(ROLLOUT, rollout);
            }
        }
        Ok(PlanResponse { planned, requires_replace, undecided, diagnostics })
    }

    /// Of an object that goes as a whole.
    pub(super) fn losses_of_all(&self, prior: &Value) -> Diagnostics {
        let owner = state::owner(self.resource.kind(), prior);
        let network = (self.resource.ready(prior) == Ready::Nodes).then(|| losses::network(&owner));
        losses(&owner, state::fields(prior).keys()).into_iter().chain(network).collect()
    }

    /// Once more at apply, from the same state.
    pub(super) fn changes(
        &self,
        config: &Config,
        prior: Option<&Value>,
        planned: &Value,
        (before, fields, declared): (&BTreeMap<ObjectKey, Fields>, &BTreeMap<ObjectKey, Option<Fields>>, &Declaration),
    ) -> Result<Changes, Diagnostics> {
        let again = again(prior, planned, declared);
        let of_objects = changes(config, prior, planned, (before, fields, again.clone()))?;
        let has_waited_for_nodes = || prior.is_some_and(|prior| state::not_ready(prior).keys().any(is_node));
        let waits = Config::is(&config.wait) && self.resource.ready(planned) == Ready::Nodes;
        let is_rolled_out = of_objects.iter().any(|change| matches!(change, Change::Wait(_)));
        let awaits_nodes = waits && (is_rolled_out || has_waited_for_nodes());
        let pulled = digests::open(planned).unwrap_or_default().into_keys().collect();
        Ok(Changes { pulled, awaits_nodes, of_objects, again })
    }
}

/// Objects that are applied whatever is known of them: with other secrets, or with images that have another digest, or none.
fn again(prior: Option<&Value>, planned: &Value, declared: &Declaration) -> Keys {
    let open = digests::open(planned).unwrap_or_default();
    let before = prior.map(digests::pins).unwrap_or_default();
    let references = open.values().map(String::as_str).chain(before.lost(&digests::pins(planned))).collect();
    let mut again: Keys = naming(declared.values(), &references).into_iter().map(|declared| declared.key.clone()).collect();
    again.extend(with_other_secrets(prior, planned));
    again
}

/// What an apply does.
pub struct Changes {
    /// Images by name, which one node pulls before anything else is done.
    pub pulled: Vec<String>,
    pub of_objects: Vec<Change>,
    /// Before it deletes anything, all nodes are Ready.
    pub awaits_nodes: bool,
    /// Objects that are applied whatever is known of them.
    pub again: Keys,
}

impl Changes {
    pub fn waited(&self) -> Keys {
        let waited = |change: &Change| if let Change::Wait(key) = change { Some(key.clone()) } else { None };
        self.of_objects.iter().filter_map(waited).collect()
    }

    /// For good, or to be created again.
    pub fn deleted(&self) -> impl Iterator<Item = &ObjectKey> {
        let is_deletion = |change: &&Change| matches!(change, Change::Delete(_) | Change::Replace(..));
        self.of_objects.iter().filter(is_deletion).map(Change::key)
    }

    pub fn lines(&self) -> Vec<Value> {
        let mut lines: Vec<Value> = self.of_objects.iter().map(|change| change.to_string().into()).collect();
        if self.awaits_nodes {
            // Deletions come last.
            let end = self.of_objects.iter().position(|change| matches!(change, Change::Delete(_)));
            lines.insert(end.unwrap_or(lines.len()), "wait until all nodes are Ready".into());
        }
        if !self.pulled.is_empty() {
            lines.insert(0, format!("pull {} on one node, for the digests", self.pulled.join(", ")).as_str().into());
        }
        lines
    }
}

/// Among what was not ready stand nodes too.
pub fn is_node(key: &ObjectKey) -> bool {
    key.is("", "Node")
}

/// Beside the objects themselves.
const DECIDE_STEPS: [&str; 5] = ["adopt", "ignore_fields", "may_replace", "secrets_version", "wait"];

fn changes(
    config: &Config,
    prior: Option<&Value>,
    planned: &Value,
    (before, fields, mut again): (&BTreeMap<ObjectKey, Fields>, &BTreeMap<ObjectKey, Option<Fields>>, Keys),
) -> Result<Vec<Change>, Diagnostics> {
    let ignored = config.ignored();
    let drift = ignored.without(prior.map(state::drift).unwrap_or_default());
    if let Some(prior) = prior {
        let before: Config = decode(prior).map_err(Diagnostics::from)?;
        again.extend(ignored.differing(&before.ignored()));
    }
    let (mut before, mut fields) = (Cow::Borrowed(before), Cow::Borrowed(fields));
    // Both as digests where only one side is: the same values change nothing.
    match (prior.is_some_and(state::is_sensitive), state::is_sensitive(planned)) {
        (true, false) => fields.to_mut().values_mut().for_each(|fields| *fields = fields.take().map(objects::hidden)),
        (false, true) => before.to_mut().values_mut().for_each(|fields| *fields = objects::hidden(std::mem::take(fields))),
        (true, true) | (false, false) => {}
    }
    let inventories = Inventories {
        before: &before,
        declared: &fields,
        drift: &drift,
        again: &again,
        adopt: &Config::keys(&config.adopt),
        may_replace: &Config::keys(&config.may_replace),
        waits: Config::is(&config.wait),
    };
    let swept: Diagnostics = objects::swept_away(&inventories).into_iter().map(sweep).collect();
    if swept.has_errors() {
        return Err(swept);
    }
    let mut changes =
        objects::plan(&inventories).map_err(|immutable| immutable.into_iter().map(refusal).collect::<Diagnostics>())?;
    let (waited, waits) = (prior.map(state::not_ready).unwrap_or_default(), Config::is(&config.wait));
    let is_new = |key: &ObjectKey| !changes.iter().any(|change| *change == Change::Wait(key.clone()));
    let again: Vec<Change> =
        waited.into_keys().filter(|key| waits && fields.contains_key(key) && is_new(key)).map(Change::Wait).collect();
    changes.extend(again);
    Ok(changes)
}

/// Whose values are given again, or whose keys are others.
fn with_other_secrets(prior: Option<&Value>, planned: &Value) -> Keys {
    let Some(prior) = prior else { return Keys::new() };
    let is_raised = prior.get("secrets_version") != planned.get("secrets_version");
    let (before, now) = (state::secret_keys(prior), state::secret_keys(planned));
    let ids: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = ids.into_iter().filter(|id| before.get(*id) != now.get(*id) || (is_raised && now.contains_key(*id)));
    changed.filter_map(|id| format!("Secret/{id}").parse().ok()).collect()
}

fn sweep((outer, inner): (ObjectKey, ObjectKey)) -> Diagnostic {
    Diagnostic::error(format!("{outer} is declared no more, and {inner} is"))
        .detail("It would be deleted with all that is in it. Take both out of the configuration, or neither.")
        .at(AttributePath::attribute("yaml"))
}

fn refusal(Immutable { key, field }: Immutable) -> Diagnostic {
    Diagnostic::error(format!("{field} of {key} cannot be changed"))
        .detail(format!(
            "The API server refuses another value. To delete the object and create it again, set may_replace = [{:?}]; what goes with it goes then.",
            key.to_string()
        ))
        .at(AttributePath::attribute("may_replace"))
}

/// With another cluster it is another set of objects: also where its uid alone is unknown, which is so exactly while it is created. While all of `cluster`
/// is unknown, that is open.
fn replaced(prior: &Value, planned: &Value) -> (Vec<AttributePath>, Vec<AttributePath>) {
    let (join, before) = (planned.get(CLUSTER), prior.get(CLUSTER).get(CLUSTER_UID));
    let path = AttributePath::attribute(CLUSTER);
    if !before.is_set() {
        return Default::default();
    }
    if join.is_unknown() {
        return (Vec::new(), vec![path]);
    }
    let now = join.get(CLUSTER_UID);
    if !now.is_null() && now != before { (vec![path.then(CLUSTER_UID)], Vec::new()) } else { Default::default() }
}
