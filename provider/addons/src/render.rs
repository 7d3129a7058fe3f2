//! From a choice of the catalogue to the objects that are applied, and what is wrong with the choice.

use crate::catalogue::{Addon, CatalogueError, Stamp, Version};
use crate::facts::Facts;
use crate::patch::merge;
use crate::pins::images_of;
use crate::place::{NoPlace, Target, put};
use crate::settings::Setting;
use bundle::Digest;
use objects::{Declared, ObjectKey, Read, UNKNOWN, is_unknown};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An add-on as somebody has chosen it. What is not known yet is [`UNKNOWN`].
pub struct Choice<'a> {
    pub addon: &'a Addon,
    pub version: &'a Version,
    /// Null is what nobody has given.
    pub settings: &'a Map<String, Value>,
    /// By image, as [`images`] gives them.
    pub images: &'a BTreeMap<String, Value>,
    /// By object.
    pub patches: &'a BTreeMap<String, Value>,
    pub facts: &'a Facts,
}

pub enum Rendered {
    Known(BTreeMap<ObjectKey, Declared>),
    /// It is not known yet which objects there are.
    Open,
}

/// What of a choice cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub subject: Subject,
    pub rule: String,
    pub remedy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Cluster,
    Setting(String),
    Patch(String),
    /// Of the images that take the place of others.
    Image(String),
}

/// The references of a version's images by their names, with those that take their place.
///
/// # Errors
/// What takes the place of no image, or is no reference.
pub fn images(version: &Version, overrides: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>, Vec<Fault>> {
    let fault = |name: &String, rule: String, remedy: String| Fault { subject: Subject::Image(name.clone()), rule, remedy };
    let mut faults = Vec::new();
    for (name, reference) in overrides {
        let known: Vec<&str> = version.images.keys().map(String::as_str).collect();
        if !version.images.contains_key(name) {
            faults.push(fault(name, format!("there is no image {name:?}"), format!("Its images are {}.", known.join(", "))));
        } else if !is_unknown(reference) && !reference.as_str().is_some_and(is_reference) {
            let remedy = "Write registry, repository and tag or digest, such as \"registry.example.net/metrics-server:v0.9.0\".";
            faults.push(fault(name, format!("{reference} names no image"), remedy.to_string()));
        }
    }
    let all = version.images.iter().map(|(name, reference)| (name.clone(), json!(reference)));
    let mut all: BTreeMap<String, Value> = all.collect();
    all.extend(overrides.iter().map(|(name, reference)| (name.clone(), reference.clone())));
    if faults.is_empty() { Ok(all) } else { Err(faults) }
}

/// With a registry, and with a tag or a digest: what containerd would add is said.
fn is_reference(text: &str) -> bool {
    let Some((registry, rest)) = text.split_once('/') else { return false };
    let is_registry = registry == "localhost" || registry.contains(['.', ':']);
    let (repository, version) = rest.split_once(['@', ':']).unwrap_or((rest, ""));
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_plain);
    is_registry && text.chars().all(|c| c.is_ascii_graphic()) && repository.split('/').all(is_part) && !version.is_empty()
}

/// Why there are no objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Faults(Vec<Fault>),
    Catalogue(CatalogueError),
}

impl From<CatalogueError> for Refusal {
    fn from(error: CatalogueError) -> Refusal {
        Refusal::Catalogue(error)
    }
}

/// What does not fit the cluster and may be meant: a network is applied before a cluster that runs changes over to it.
pub fn advice(addon: &Addon, facts: &Facts) -> Option<Fault> {
    let (name, wanted) = (&addon.name, addon.pod_network.as_ref()?);
    let found = facts.pod_network.as_ref().filter(|found| *found != wanted)?;
    let beside = addon.beside.as_ref().map(|beside| format!(" {beside}")).unwrap_or_default();
    let remedy = format!(
        "Pods keep their addresses until `network = {{ pod_network = {wanted:?} }}` is set on the cluster, but packets between nodes may go through the add-on as soon as it \
         runs: what it needs between nodes has to be open. A new cluster has that setting from the beginning; one that runs changes over node by node once the add-on is there.{beside}"
    );
    let rule = format!("add-on {name} connects pods where pod_network is {wanted:?}, and the cluster has {found:?}");
    Some(Fault { subject: Subject::Cluster, rule, remedy })
}

/// # Errors
/// What is wrong with the choice; of the catalogue itself never in a build whose tests passed.
pub fn render(choice: &Choice) -> Result<Rendered, Refusal> {
    let faults = [choice.faults_of_cluster(), choice.faults_of_settings()].concat();
    if !faults.is_empty() {
        return Err(Refusal::Faults(faults));
    }
    let mut all = choice.documents()?;
    choice.put_settings(&mut all)?;
    choice.put_facts(&mut all)?;
    choice.put_images(&mut all);
    let is_open = choice.conditions().any(|(only, value)| !only.is_empty() && is_unknown(&value));
    choice.leave_out(&mut all);
    let faults = choice.patch(&mut all, is_open);
    if !faults.is_empty() {
        return Err(Refusal::Faults(faults));
    }
    choice.stamp(&mut all);
    if is_open { Ok(Rendered::Open) } else { Ok(choice.declared(all)?) }
}

type Documents = BTreeMap<ObjectKey, Value>;

impl Choice<'_> {
    fn faults_of_cluster(&self) -> Vec<Fault> {
        let fault = |rule: String, remedy: String| Fault { subject: Subject::Cluster, rule, remedy };
        let (name, mut faults) = (&self.addon.name, Vec::new());
        let bounds = &self.version.kubernetes;
        if let Some(version) = self.facts.kubernetes_version.as_ref().filter(|version| !bounds.takes(version)) {
            let remedy = format!("It works with Kubernetes {bounds} ({}). Choose another version of one of them.", bounds.source);
            faults.push(fault(format!("this version of {name} does not work with Kubernetes {version}"), remedy));
        }
        faults
    }

    fn faults_of_settings(&self) -> Vec<Fault> {
        let fault =
            |name: &str, rule: String, remedy: String| Fault { subject: Subject::Setting(name.to_string()), rule, remedy };
        let mut faults = Vec::new();
        for (name, value) in self.settings.iter().filter(|(_, value)| !value.is_null()) {
            let Some(setting) = self.addon.settings.get(name) else {
                let known: Vec<&str> = self.addon.settings.keys().map(String::as_str).collect();
                let remedy = format!(
                    "Its settings are {}. What none of them covers is a patch of an object, in `patches`.",
                    known.join(", ")
                );
                faults.push(fault(name, format!("add-on {} has no setting {name:?}", self.addon.name), remedy));
                continue;
            };
            if let Err((rule, remedy)) = setting.rule.check(value) {
                faults.push(fault(name, rule, remedy));
            }
            for (other, wanted) in &setting.needs {
                let found = self.in_force(other);
                if !found.as_ref().is_none_or(|found| found == wanted || is_unknown(found)) {
                    let found = found.unwrap_or_default();
                    let remedy = format!("Leave it out, or set {other} = {wanted}.");
                    faults.push(fault(name, format!("{name} works with {other} = {wanted}, and it is {found}"), remedy));
                }
            }
        }
        faults
    }

    /// As it is given, else by default.
    fn in_force(&self, name: &str) -> Option<Value> {
        let given = self.settings.get(name).filter(|value| !value.is_null());
        given.cloned().or_else(|| self.addon.settings.get(name)?.default.clone())
    }

    fn settings_in_force(&self) -> impl Iterator<Item = (&Setting, Value)> {
        self.addon.settings.iter().filter_map(|(name, setting)| Some((setting, self.in_force(name)?)))
    }

    /// Objects that are there only where a value is true, with that value.
    fn conditions(&self) -> impl Iterator<Item = (&Vec<String>, Value)> {
        let settings = self.settings_in_force().map(|(setting, value)| (&setting.only, value));
        let facts = self.addon.cluster.iter().filter_map(|of| Some((&of.only, self.facts.value(of.fact)?)));
        settings.chain(facts)
    }

    fn documents(&self) -> Result<Documents, CatalogueError> {
        let wrong = |text: String| CatalogueError(format!("{}: {text}", self.addon.name));
        let of = |document: Value| ObjectKey::of(&document).map(|key| (key, document));
        let mut all = Documents::new();
        for text in self.addon.objects(self.version)? {
            for document in objects::documents(text).map_err(|mistake| wrong(mistake.remedy))? {
                all.extend([of(document).ok_or_else(|| wrong("an object has no name".into()))?]);
            }
        }
        Ok(all)
    }

    fn put_settings(&self, all: &mut Documents) -> Result<(), CatalogueError> {
        for (setting, value) in self.settings_in_force() {
            setting.targets.iter().try_for_each(|target| self.put(all, target, Some(&value)))?;
        }
        Ok(())
    }

    fn put_facts(&self, all: &mut Documents) -> Result<(), CatalogueError> {
        for of in &self.addon.cluster {
            let value = self.facts.value(of.fact);
            of.targets.iter().try_for_each(|target| self.put(all, target, value.as_ref()))?;
        }
        Ok(())
    }

    fn put(&self, all: &mut Documents, target: &Target, value: Option<&Value>) -> Result<(), CatalogueError> {
        let object = target.object.parse().ok().and_then(|key: ObjectKey| all.get_mut(&key));
        let done = object.ok_or(NoPlace).and_then(|object| target.put(object, value));
        done.map_err(|NoPlace| CatalogueError(format!("{}: {} has no {}", self.addon.name, target.object, target.field)))
    }

    /// In the objects stands the name of an image.
    fn put_images(&self, all: &mut Documents) {
        for image in all.values_mut().flat_map(images_of) {
            if let Some(reference) = image.as_str().and_then(|name| self.images.get(name)) {
                *image = reference.clone();
            }
        }
    }

    fn leave_out(&self, all: &mut Documents) {
        for (only, _) in self.conditions().filter(|(_, value)| *value == Value::Bool(false)) {
            only.iter().filter_map(|key| key.parse().ok()).for_each(|key: ObjectKey| drop(all.remove(&key)));
        }
    }

    fn patch(&self, all: &mut Documents, is_open: bool) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (id, patch) in self.patches {
            let fault = |rule: String, remedy: String| Fault { subject: Subject::Patch(id.clone()), rule, remedy };
            let key = id.parse::<ObjectKey>().ok();
            let Some((key, object)) = key.and_then(|key| Some((key.clone(), all.get_mut(&key)?))) else {
                let known: Vec<String> = all.keys().map(ToString::to_string).collect();
                // It may be one that is left out.
                if !is_open {
                    let remedy = format!("Its objects are {}.", known.join(", "));
                    faults.push(fault(format!("add-on {} has no object {id:?}", self.addon.name), remedy));
                }
                continue;
            };
            if is_unknown(patch) {
                object["spec"] = UNKNOWN.into();
                continue;
            }
            if !patch.is_object() {
                let remedy = "Write what is to be merged into the object, such as yamlencode({ spec = { replicas = 3 } }).";
                faults.push(fault("the patch is no object".into(), remedy.to_string()));
                continue;
            }
            merge(object, patch);
            if ObjectKey::of(object).as_ref() != Some(&key) {
                let remedy = "Kind, group, name and namespace stay as they are. Declare another object with `k8s_manifests`.";
                faults.push(fault(format!("the patch makes another object of {key}"), remedy.to_string()));
            } else if let Err(mistakes) = objects::read([object.clone()]) {
                faults.extend(mistakes.into_iter().map(|mistake| fault(mistake.rule, mistake.remedy)));
            }
        }
        faults
    }

    fn stamp(&self, all: &mut Documents) {
        for Stamp { of, object, field } in &self.addon.stamps {
            let find = |key: &str| key.parse::<ObjectKey>().ok();
            let Some(of) = find(of).and_then(|key| all.get(&key)) else { continue };
            let digest = if objects::is_known(of) { Digest::of(of.to_string().as_bytes()).to_string() } else { UNKNOWN.into() };
            if let Some(object) = find(object).and_then(|key| all.get_mut(&key)) {
                // A patch may have taken the place away, or not let it be known.
                drop(put(object, field, Some(&digest.into())));
            }
        }
    }

    fn declared(&self, all: Documents) -> Result<Rendered, CatalogueError> {
        let wrong = |text: Vec<String>| CatalogueError(format!("{}: {}", self.addon.name, text.join(", ")));
        match objects::read(all.into_values()) {
            Ok(Read::Known(found)) => {
                let twice = |twice: Vec<ObjectKey>| wrong(twice.iter().map(ToString::to_string).collect());
                objects::complete(found, "default").map(Rendered::Known).map_err(twice)
            }
            Ok(Read::Open) => Ok(Rendered::Open),
            Err(mistakes) => Err(wrong(mistakes.into_iter().map(|mistake| mistake.rule).collect())),
        }
    }
}
