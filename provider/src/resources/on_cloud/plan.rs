//! The plan of a resource on AWS: which objects, which of their ids stay, what has to be replaced and why. Reaches nothing.

use super::drift::{self, Drift};
use super::open::Open;
use super::state::{self, Known};
use super::{CloudResource, Declared, OnCloud};
use cloud::{CLUSTER_TAG, Graph, Kind, OBJECT_TAG, Object, ObjectKey, Replacement, Setting};
use protocol::{PlanRequest, PlanResponse};
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is declared, where that is known, and what of it is open.
type AndOpen<R> = (Option<Declared<<R as CloudResource>::Spec>>, Open);

impl<R: CloudResource> OnCloud<R> {
    pub(super) fn plan_objects(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostic> {
        let prior = request.prior.as_ref();
        let mut planned = request.proposed.clone();
        let mut diagnostics = Diagnostics::default();
        self.resource.keep(prior, &mut planned);
        self.check_region(&planned)?;
        let (declared, open) = self.declared_or_as_before(prior, &mut planned)?;
        Drift::default().set(&mut planned);
        let Some(Declared { spec, graph }) = declared else {
            ["objects", "ids", "cost"].iter().for_each(|name| planned.set(name, Value::Unknown));
            let known = Known { ids: &Value::Unknown };
            self.set_outputs(&mut planned, None, &known);
            return Ok(PlanResponse { planned, ..PlanResponse::default() });
        };
        let objects = state::to_value(&graph);
        let is_same = prior.is_some_and(|prior| *prior.get("objects") == objects);
        let before = prior.map(|prior| state::to_graph(prior.get("objects")));
        let Replacements { replaced, renewed } = before.as_ref().map(|before| replacements(before, &graph)).unwrap_or_default();
        let ids = planned_ids(&graph, before.as_ref(), prior.unwrap_or(&Value::Null));
        planned.set("objects", objects.clone());
        match prior.filter(|_| is_same) {
            Some(prior) => planned.set("cost", prior.get("cost").clone()),
            None => self.set_cost(&mut planned, &graph)?,
        }
        let known = Known { ids: &ids };
        self.set_outputs(&mut planned, Some(&spec), &known);
        planned.set("ids", ids);
        self.set_unknown(&mut planned, &open);
        let mut requires_replace = prior.map(|prior| self.resource.replaces(prior, &planned)).unwrap_or_default();
        // Where an attribute says so itself, there is nothing to add.
        let is_said = || prior.is_some_and(|prior| !self.resource.schema().replace_paths(prior, &planned).is_empty());
        if !replaced.is_empty() && !is_said() {
            requires_replace.push(AttributePath::attribute("objects"));
            diagnostics.push(
                Diagnostic::warning(format!("{} has to be replaced as a whole", self.resource.name())).detail(format!(
                    "AWS cannot change this in place, and everything else depends on it:\n{}",
                    replaced.join("\n")
                )),
            );
        }
        if replaced.is_empty() && !renewed.is_empty() && !is_said() {
            diagnostics.push(Diagnostic::warning(format!("{} replaces objects", self.resource.name())).detail(format!(
                "AWS cannot change this in place. What is deleted before its replacement exists is out of service in between:\n{}",
                renewed.join("\n")
            )));
        }
        let undecided = prior.map(|prior| self.resource.may_replace(prior, &planned)).unwrap_or_default();
        Ok(PlanResponse { planned, requires_replace, undecided, diagnostics })
    }

    /// Where it is not known which objects there are, although some exist: those that stay whatever becomes of what is unknown.
    fn declared_or_as_before(&self, prior: Option<&Value>, planned: &mut Value) -> Result<AndOpen<R>, Diagnostic> {
        let before = planned.clone();
        let declared = self.declared(planned)?;
        let (Some(prior), None) = (prior, &declared) else { return Ok((declared, Open::default())) };
        let (mut values, open) = Open::assume(self.resource.decides(), prior, &before);
        self.resource.keep(Some(prior), &mut values);
        let declared = self.declared(&mut values)?;
        self.resource.record(declared.as_ref().map(|declared| &declared.spec), planned);
        let declared = declared.map(|Declared { spec, graph }| Declared { spec, graph: open.apply(graph) });
        Ok((declared, open))
    }

    fn set_unknown(&self, planned: &mut Value, open: &Open) {
        if open.has_objects() {
            ["objects", "ids", "cost"].iter().for_each(|name| planned.set(name, Value::Unknown));
        }
        let schema = self.resource.schema();
        let outputs = open.outputs.iter().filter(|name| schema.get(name).is_some());
        outputs.for_each(|name| planned.set(name, Value::Unknown));
    }

    /// `None` while even the names of objects are unknown. Keeps in the values what the spec has chosen.
    pub(super) fn declared(&self, planned: &mut Value) -> Result<Option<Declared<R::Spec>>, Diagnostic> {
        let spec = self.resource.spec(planned)?;
        self.resource.record(spec.as_ref(), planned);
        let (Some(owner), Some(spec)) = (self.owner(planned), spec) else { return Ok(None) };
        let graph = self.complete(self.resource.graph(&spec), &owner, planned)?;
        Ok(Some(Declared { spec, graph }))
    }

    /// With the tags that every object has.
    fn complete(&self, mut graph: Graph, owner: &str, planned: &Value) -> Result<Graph, Diagnostic> {
        graph.check().map_err(|error| {
            Diagnostic::error(format!("provider bug: the objects of {} do not fit together", self.resource.name()))
                .detail(format!("{error}. Please report this with the configuration."))
        })?;
        let cluster = self.resource.cluster_name(planned);
        let defaults = self.shared.configuration().default_tags();
        let own = planned.get("tags");
        if own.is_unknown() || defaults.is_unknown() {
            graph.open_tags();
        }
        // What is set first stays.
        graph.tag(OBJECT_TAG, |key| cloud::object_tag(owner, key).into());
        graph.tag(CLUSTER_TAG, |_| cluster.as_deref().map_or(Setting::Unknown, Setting::from));
        for (key, value) in own.as_map().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            graph.tag(key, |_| value.as_str().map_or(Setting::Unknown, Setting::from));
        }
        for (key, value) in defaults.known().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            graph.tag(key, |_| value.known().map_or(Setting::Unknown, |text| Setting::from(text.as_str())));
        }
        graph.tag("Name", |key| cluster.as_deref().map_or(Setting::Unknown, |cluster| console_name(cluster, key).into()));
        Ok(graph)
    }

    /// What the plan or the state says already stays: a newer table of prices is no change.
    pub(super) fn set_missing_cost(&self, state: &mut Value, graph: &Graph) -> Result<(), Diagnostic> {
        let is_there = !state.get("cost").is_null() && state.get("cost").is_wholly_known();
        if is_there { Ok(()) } else { self.set_cost(state, graph) }
    }

    fn set_cost(&self, planned: &mut Value, graph: &Graph) -> Result<(), Diagnostic> {
        let configuration = self.shared.configuration();
        let (own, prices) = (planned.get("region"), configuration.prices());
        let region = own.as_str().map_or(configuration.region(), |region| Field::Known(region.to_owned()));
        // A price by region is a matter of apply while the region is: its name may come from the environment or a profile.
        let waits = prices.is_unknown() || region.is_unknown() || (own.is_unknown() && region.is_null());
        let cost = match waits {
            true => Value::Unknown,
            false => super::cost::estimate(graph, region.known().map(String::as_str), prices.known().map(String::as_str))?,
        };
        planned.set("cost", cost);
        Ok(())
    }

    /// What the configuration says of a place has to be in the region that the provider works in, as far as both are known.
    fn check_region(&self, planned: &Value) -> Result<(), Diagnostic> {
        let configured = self.shared.configuration().region().into_known();
        let at_hand = || Some(self.shared.cloud().ok()?.region()).filter(|region| !region.is_empty());
        configured.or_else(at_hand).map_or(Ok(()), |region| self.resource.check_region(planned, &region))
    }

    pub(super) fn set_outputs(&self, planned: &mut Value, spec: Option<&R::Spec>, known: &Known<'_>) {
        let main = self.resource.main_object(planned);
        let outputs = self.resource.outputs(spec, planned, known);
        planned.set("id", known.id(&main));
        outputs.into_iter().for_each(|(name, value)| planned.set(name, value));
    }
}

/// `demo-private-1`: readable in the console, where a VPC is named as the cluster.
fn console_name(cluster: &str, key: &ObjectKey) -> String {
    if key.name == "main" || key.name == cluster {
        cluster.to_owned()
    } else if key.name.starts_with(&format!("{cluster}-")) {
        key.name.clone()
    } else {
        format!("{cluster}-{}", key.name)
    }
}

/// Sentences on objects that cannot change in place.
#[derive(Default)]
struct Replacements {
    /// Only a new resource can have them otherwise.
    replaced: Vec<String>,
    /// Another object takes the place of these.
    renewed: Vec<String>,
}

fn replacements(prior: &Graph, graph: &Graph) -> Replacements {
    let mut all = Replacements::default();
    for object in graph.iter() {
        let Some(before) = prior.get(&object.key) else { continue };
        let (sentences, order) = match object.key.kind.replacement() {
            Replacement::Resource => (&mut all.replaced, ""),
            Replacement::CreateFirst => (&mut all.renewed, ""),
            Replacement::DeleteFirst => (&mut all.renewed, ", deleted before its replacement exists"),
        };
        let changes = immutable_changes(before, object).into_iter();
        sentences.extend(changes.map(|(key, from, to)| format!("{}: {key} from {from} to {to}{order}", object.key)));
    }
    all
}

/// Settings that cannot be changed in place and do change.
fn immutable_changes<'a>(before: &'a Object, object: &'a Object) -> Vec<(&'a str, &'a str, &'a str)> {
    let keys = before.settings.keys().chain(object.settings.keys()).filter(|key| object.key.kind.is_immutable(key));
    let mut changes: Vec<_> = keys
        .filter(|key| before.settings.get(*key) != object.settings.get(*key))
        .map(|key| {
            let text = |object: &'a Object| match object.settings.get(key) {
                None => "nothing",
                Some(Setting::Unknown) => "what is not known yet",
                Some(Setting::Known(text)) => text,
            };
            (key.as_str(), text(before), text(object))
        })
        .collect();
    changes.sort();
    changes.dedup();
    changes
}

/// Ids stay while their objects do. What an object gives to others stays too, unless it follows a setting that changes.
fn planned_ids(graph: &Graph, before: Option<&Graph>, prior: &Value) -> Value {
    let unknown = |key: &ObjectKey| state::id_keys(key).map(|key| (key, Value::Unknown)).collect::<Vec<_>>();
    let Some(before) = before else { return Value::Map(graph.iter().flat_map(|object| unknown(&object.key)).collect()) };
    let mut ids = BTreeMap::new();
    let mut renewed = Vec::new();
    let drift = drift::Recorded::of(prior);
    let given = given_anew(before, graph, &drift);
    for object in graph.iter() {
        let name = object.key.to_string();
        let known = before.get(&object.key);
        let refers_to_renewed = object.immutable_references().any(|key| renewed.contains(&key));
        let is_new = known.is_none_or(|before| !immutable_changes(before, object).is_empty())
            || drift.is_lost(&object.key)
            || refers_to_renewed;
        if is_new {
            renewed.push(object.key.clone());
            ids.extend(unknown(&object.key));
            continue;
        }
        ids.insert(name.clone(), kept(prior.get("ids").get(&name)));
        for output in object.key.kind.outputs() {
            let key = format!("{name}.{output}");
            let is_restored = drift.renews(&object.key, output);
            let is_moved = given.contains(&(object.key.kind, output));
            let is_renewed = is_restored || is_moved || known.is_some_and(|before| is_renewed(before, object, output));
            ids.insert(key.clone(), if is_renewed { Value::Unknown } else { kept(prior.get("ids").get(&key)) });
        }
    }
    Value::Map(ids)
}

/// Outputs that objects of other kinds give anew, since they come, go or are put back: an Elastic IP is an instance's public address.
fn given_anew(before: &Graph, graph: &Graph, drift: &drift::Recorded) -> BTreeSet<(Kind, &'static str)> {
    let drifted = drift.kinds();
    let of = |graph: &Graph, kind: Kind, setting: &str| -> Vec<_> {
        graph.of_kind(kind).map(|object| (object.key.clone(), object.settings.get(setting).cloned())).collect()
    };
    let gives = Kind::all().flat_map(|kind| kind.gives().iter().map(move |gift| (kind, gift)));
    let anew =
        gives.filter(|(kind, (setting, ..))| drifted.contains(kind) || of(before, *kind, setting) != of(graph, *kind, setting));
    anew.map(|(_, (_, other, output))| (*other, *output)).collect()
}

/// Whether a setting changes that an output follows.
fn is_renewed(before: &Object, object: &Object, output: &str) -> bool {
    let keys = before.settings.keys().chain(object.settings.keys());
    let mut changed = keys.filter(|key| before.settings.get(*key) != object.settings.get(*key));
    changed.any(|key| object.key.kind.renews(output, key))
}

/// An id that the state does not have will be known after apply.
fn kept(id: &Value) -> Value {
    match id {
        Value::Null => Value::Unknown,
        id => id.clone(),
    }
}
