//! What is declared: objects with settings, of which some may not be known before apply.

use crate::kind::{EXCLUSIVE, first_word};
use crate::reference::references;
use crate::{Kind, ObjectKey};
use std::collections::BTreeMap;
use std::fmt;

/// `Unknown` at plan, when it comes from something that another resource has yet to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    Known(String),
    Unknown,
}

/// The key of a setting that says of an object that it may have more settings than are known: a plan shows it as unknown as a whole.
pub const UNKNOWN_KEYS: &str = "*";

/// Settings by key; `docs/aws-objects.md` lists the keys of each kind.
pub type Settings = BTreeMap<String, Setting>;

/// One declared object: its key and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub key: ObjectKey,
    pub settings: Settings,
}

/// The objects of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    objects: BTreeMap<ObjectKey, Object>,
}

/// Why a graph cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphError {
    /// A setting refers to an object that is not in the graph.
    NoSuchObject { object: ObjectKey, refers_to: ObjectKey },
}

impl Object {
    /// An object without settings.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Object::of(ObjectKey::new(kind, name))
    }

    /// Without settings.
    pub fn of(key: ObjectKey) -> Self {
        Object { key, settings: Settings::new() }
    }

    /// The object with one more setting.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Setting>) -> Self {
        self.settings.insert(key.into(), value.into());
        self
    }

    /// Nothing is set where there is no value.
    pub fn with_some(self, key: impl Into<String>, value: Option<impl Into<Setting>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Whether it is not known yet which settings it has.
    pub fn is_open(&self) -> bool {
        self.settings.contains_key(UNKNOWN_KEYS)
    }

    /// The object, of which nobody else may add settings with these first words.
    pub fn exclusive(self, words: &[&str]) -> Self {
        words.iter().fold(self, |object, word| object.with(format!("{EXCLUSIVE} {word}"), ""))
    }

    /// Whether it says so of a setting of this key.
    pub fn is_exclusive(&self, key: &str) -> bool {
        self.settings.contains_key(&format!("{EXCLUSIVE} {}", first_word(key)))
    }

    /// The objects that this one has for life: when they are new, so is it.
    pub fn immutable_references(&self) -> impl Iterator<Item = ObjectKey> {
        let fixed = self.settings.iter().filter(|(key, _)| self.key.kind.is_immutable(key));
        fixed.filter_map(|(_, setting)| setting.known()).flat_map(references)
    }

    /// `@kind/name`: how a setting of another object refers to this one's id.
    pub fn reference(&self) -> String {
        self.key.reference()
    }

    /// A setting that is known.
    pub fn get(&self, key: &str) -> Option<&str> {
        match self.settings.get(key) {
            Some(Setting::Known(value)) => Some(value),
            _ => None,
        }
    }
}

impl Graph {
    /// Adds an object, in place of one with the same key, and returns its key.
    pub fn add(&mut self, object: Object) -> ObjectKey {
        let key = object.key.clone();
        self.objects.insert(key.clone(), object);
        key
    }

    /// The object with this key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Takes an object out; references to it are not checked.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Object> {
        self.objects.remove(key)
    }

    /// By kind, in the order in which they are made, then by name.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Object> {
        self.objects.values()
    }

    /// The objects of one kind, sorted by name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.values().filter(move |object| object.key.kind == kind)
    }

    /// The kinds of which there is an object.
    pub fn kinds(&self) -> std::collections::BTreeSet<Kind> {
        self.objects.keys().map(|key| key.kind).collect()
    }

    /// How many objects it has.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether it has no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Sets `tag <key>` on every object that has tags and does not have it yet.
    pub fn tag(&mut self, key: &str, value: impl Fn(&ObjectKey) -> Setting) {
        for object in self.objects.values_mut().filter(|object| object.key.kind.has_tags()) {
            let value = value(&object.key);
            object.settings.entry(format!("tag {key}")).or_insert(value);
        }
    }

    /// Every object that has tags may have more of them: their keys are not known yet.
    pub fn open_tags(&mut self) {
        for object in self.objects.values_mut().filter(|object| object.key.kind.has_tags()) {
            object.settings.insert(UNKNOWN_KEYS.to_owned(), Setting::Unknown);
        }
    }

    /// Whatever a setting refers to has to be in the graph.
    pub fn check(&self) -> Result<(), GraphError> {
        for object in self.objects.values() {
            let values = object.settings.values().filter_map(Setting::known);
            let texts = object.settings.keys().map(String::as_str).chain(values);
            if let Some(refers_to) = texts.flat_map(references).find(|key| !self.objects.contains_key(key)) {
                return Err(GraphError::NoSuchObject { object: object.key.clone(), refers_to });
            }
        }
        Ok(())
    }
}

impl FromIterator<Object> for Graph {
    fn from_iter<I: IntoIterator<Item = Object>>(objects: I) -> Self {
        Graph { objects: objects.into_iter().map(|object| (object.key.clone(), object)).collect() }
    }
}

impl Setting {
    /// The text, or `None` while it is unknown.
    pub fn known(&self) -> Option<&str> {
        match self {
            Setting::Known(value) => Some(value),
            Setting::Unknown => None,
        }
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Setting::Known(text.to_owned())
    }
}

impl From<String> for Setting {
    fn from(text: String) -> Self {
        Setting::Known(text)
    }
}

impl From<bool> for Setting {
    fn from(value: bool) -> Self {
        Setting::Known(value.to_string())
    }
}

impl From<u64> for Setting {
    fn from(value: u64) -> Self {
        Setting::Known(value.to_string())
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GraphError::NoSuchObject { object, refers_to } = self;
        write!(formatter, "{object} refers to {refers_to}, which is not declared")
    }
}
