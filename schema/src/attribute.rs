//! One attribute of a schema: its type, who sets it, and its text on the registry page.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::{Type, Validator, Value};

/// Starts as optional; the builders change that.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub requirement: Requirement,
    /// Markdown.
    pub description: Cow<'static, str>,
    pub deprecated: Option<Cow<'static, str>>,
    pub default: Option<Value>,
    /// What holds where the configuration does not set it, in words: see `defaults_to`.
    pub default_in_words: Option<Cow<'static, str>>,
    pub validators: Vec<Validator>,
    /// Hidden in plans and output, but stored.
    pub sensitive: bool,
    /// Only ever in the configuration: null in plan and state.
    pub write_only: bool,
    /// A change replaces the resource.
    pub requires_replace: bool,
    /// With `requires_replace`: while it is unknown, it is taken for another value than before.
    pub unknown_is_another: bool,
    /// The form that all spellings of one text have in common.
    pub canonical: Option<Canonical>,
    /// What a null element of a list, set or map means.
    pub null_elements: NullElements,
    /// Computed, and no apply leaves it null: an unknown value of it is sent with that refinement, so that an expression such as
    /// `k8s_pki.main.id != null` is known at plan.
    pub never_null: bool,
    /// What a change replaces inside the resource, such as `the instance`, while the resource stays.
    pub replaces: Option<&'static str>,
}

/// The one form of a text that may be spelled in several ways, such as an IPv6 address. `None` for what is no such text.
pub type Canonical = fn(&str) -> Option<String>;

/// What a null element of a collection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullElements {
    /// An error at the path of the element.
    Refused,
    /// Only in maps: the key is not there. Resources never see it; plan and state keep it, as engines demand.
    Absent,
}

/// What an attribute holds: a value of a type, or nested attributes with a schema each.
#[derive(Clone, Debug)]
pub enum Kind {
    Value(Type),
    /// An object whose attributes have a schema each, or a collection of such.
    Nested(Nesting, Vec<Attribute>),
}

/// How nested attributes are collected: one object, or a list, set or map of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    Single,
    List,
    Set,
    Map,
}

/// Who sets an attribute: the configuration, the provider, or either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    Required,
    Optional,
    /// Only the provider sets it.
    Computed,
    /// The provider sets it where the configuration does not.
    OptionalComputed,
}

impl Attribute {
    /// An optional attribute of any type.
    pub fn of(name: &'static str, ty: Type) -> Self {
        Attribute::new(name, Kind::Value(ty))
    }

    /// An optional string.
    pub fn string(name: &'static str) -> Self {
        Attribute::of(name, Type::String)
    }

    /// An optional number; whole or fractional is a matter of its validators.
    pub fn number(name: &'static str) -> Self {
        Attribute::of(name, Type::Number)
    }

    /// An optional boolean.
    pub fn bool(name: &'static str) -> Self {
        Attribute::of(name, Type::Bool)
    }

    /// An optional list: ordered, with duplicates.
    pub fn list(name: &'static str, element: Type) -> Self {
        Attribute::of(name, Type::list(element))
    }

    /// An optional set: the engine ignores order and duplicates.
    pub fn set(name: &'static str, element: Type) -> Self {
        Attribute::of(name, Type::set(element))
    }

    /// An optional map from string keys.
    pub fn map(name: &'static str, element: Type) -> Self {
        Attribute::of(name, Type::map(element))
    }

    /// Optional nested attributes: in HCL `name = { … }`, or a list, set or map of such objects.
    pub fn nested(name: &'static str, nesting: Nesting, attributes: Vec<Attribute>) -> Self {
        Attribute::new(name, Kind::Nested(nesting, attributes))
    }

    /// The configuration must set it. Null is an error.
    pub fn required(self) -> Self {
        Attribute { requirement: Requirement::Required, ..self }
    }

    /// The configuration may set it; otherwise it is null.
    pub fn optional(self) -> Self {
        Attribute { requirement: Requirement::Optional, ..self }
    }

    /// Only the provider sets it.
    pub fn computed(self) -> Self {
        Attribute { requirement: Requirement::Computed, ..self }
    }

    /// The provider sets it where the configuration does not.
    pub fn optional_computed(self) -> Self {
        Attribute { requirement: Requirement::OptionalComputed, ..self }
    }

    /// What it is where the configuration does not set it; implies `optional_computed`, without which the engine refuses it.
    pub fn default(self, value: Value) -> Self {
        Attribute { default: Some(value), ..self.optional_computed() }
    }

    /// The default in Markdown, where the plan leaves the value null because it is not a constant or comes from elsewhere: from the
    /// provider block, from another attribute. The page says `Defaults to …`.
    pub fn defaults_to(self, markdown: impl Into<Cow<'static, str>>) -> Self {
        Attribute { default_in_words: Some(markdown.into()), ..self }
    }

    /// Engines show `(sensitive value)`; the state holds it in clear text.
    pub fn sensitive(self) -> Self {
        Attribute { sensitive: true, ..self }
    }

    /// Present only in the configuration: null in every plan and state. Needs Terraform or OpenTofu 1.11.
    pub fn write_only(self) -> Self {
        Attribute { write_only: true, ..self }
    }

    /// A change replaces the resource; the page says `Forces replacement.` A value that is not known yet is no change: it may turn out to
    /// be the one that it was.
    pub fn requires_replace(self) -> Self {
        Attribute { requires_replace: true, ..self }
    }

    /// For the id of an object that this one lives in: it is unknown only while that object is replaced, and then this one goes with it.
    pub fn unknown_is_another(self) -> Self {
        Attribute { unknown_is_another: true, ..self }
    }

    /// Texts with one canonical form mean the same, also as elements of a collection: another spelling is no change.
    pub fn canonical(self, form: Canonical) -> Self {
        Attribute { canonical: Some(form), ..self }
    }

    /// A null element of this map is left out, as if its key were not there. Not for nested maps.
    pub fn null_means_absent(self) -> Self {
        Attribute { null_elements: NullElements::Absent, ..self }
    }

    /// A computed value that is unknown until apply and never null then: engines are told so.
    pub fn never_null(self) -> Self {
        Attribute { never_null: true, ..self }
    }

    /// Only for the page: the resource itself plans what is replaced.
    pub fn replaces(self, part: &'static str) -> Self {
        Attribute { replaces: Some(part), ..self }
    }

    /// The text of the registry page, in Markdown. Leaves out what the generator writes: range, default, replacement.
    pub fn describe(self, markdown: impl Into<Cow<'static, str>>) -> Self {
        Attribute { description: markdown.into(), ..self }
    }

    /// Says what to use instead.
    pub fn deprecated(self, text: impl Into<Cow<'static, str>>) -> Self {
        Attribute { deprecated: Some(text.into()), ..self }
    }

    /// Adds a rule that holds for every value that is known and not null.
    pub fn validator(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }

    /// The type of its values on the wire, write-only and computed nested attributes included.
    pub fn value_type(&self) -> Type {
        match &self.kind {
            Kind::Value(ty) => ty.clone(),
            Kind::Nested(Nesting::Single, attributes) => object_type(attributes),
            Kind::Nested(Nesting::List, attributes) => Type::list(object_type(attributes)),
            Kind::Nested(Nesting::Set, attributes) => Type::set(object_type(attributes)),
            Kind::Nested(Nesting::Map, attributes) => Type::map(object_type(attributes)),
        }
    }

    /// Whether the configuration must set it.
    pub fn is_required(&self) -> bool {
        self.requirement == Requirement::Required
    }

    /// Whether the configuration may set it.
    pub fn is_optional(&self) -> bool {
        matches!(self.requirement, Requirement::Optional | Requirement::OptionalComputed)
    }

    /// Whether the provider may set it.
    pub fn is_computed(&self) -> bool {
        matches!(self.requirement, Requirement::Computed | Requirement::OptionalComputed)
    }

    fn new(name: &'static str, kind: Kind) -> Self {
        Attribute {
            name,
            kind,
            requirement: Requirement::Optional,
            description: Cow::Borrowed(""),
            deprecated: None,
            default: None,
            default_in_words: None,
            validators: Vec::new(),
            sensitive: false,
            write_only: false,
            requires_replace: false,
            unknown_is_another: false,
            canonical: None,
            null_elements: NullElements::Refused,
            never_null: false,
            replaces: None,
        }
    }
}

pub(crate) fn object_type(attributes: &[Attribute]) -> Type {
    let types: BTreeMap<_, _> = attributes.iter().map(|attribute| (attribute.name.to_owned(), attribute.value_type())).collect();
    Type::Object(types)
}
