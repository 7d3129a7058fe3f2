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
    pub validators: Vec<Validator>,
    /// Hidden in plans and output, but stored.
    pub sensitive: bool,
    /// Only ever in the configuration: null in plan and state.
    pub write_only: bool,
    /// A change makes a new object.
    pub requires_replace: bool,
    /// What a null element of a list, set or map means.
    pub null_elements: NullElements,
    /// Computed, and no apply leaves it null: an unknown value of it is sent with that refinement, so that an expression such as
    /// `k8s_pki.main.id != null` is known at plan.
    pub never_null: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullElements {
    /// An error at the path of the element.
    Refused,
    /// Only in maps: the key is not there. Resources never see it; plan and state keep it, as engines demand.
    Absent,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Value(Type),
    /// An object whose attributes have a schema each, or a collection of such.
    Nested(Nesting, Vec<Attribute>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    Single,
    List,
    Set,
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    Required,
    Optional,
    /// The provider alone sets it.
    Computed,
    /// The provider sets it where the configuration does not.
    OptionalComputed,
}

impl Attribute {
    pub fn of(name: &'static str, ty: Type) -> Self {
        Attribute::new(name, Kind::Value(ty))
    }

    pub fn string(name: &'static str) -> Self {
        Attribute::of(name, Type::String)
    }

    pub fn number(name: &'static str) -> Self {
        Attribute::of(name, Type::Number)
    }

    pub fn bool(name: &'static str) -> Self {
        Attribute::of(name, Type::Bool)
    }

    pub fn list(name: &'static str, element: Type) -> Self {
        Attribute::of(name, Type::list(element))
    }

    pub fn set(name: &'static str, element: Type) -> Self {
        Attribute::of(name, Type::set(element))
    }

    pub fn map(name: &'static str, element: Type) -> Self {
        Attribute::of(name, Type::map(element))
    }

    pub fn nested(name: &'static str, nesting: Nesting, attributes: Vec<Attribute>) -> Self {
        Attribute::new(name, Kind::Nested(nesting, attributes))
    }

    pub fn required(self) -> Self {
        Attribute { requirement: Requirement::Required, ..self }
    }

    pub fn optional(self) -> Self {
        Attribute { requirement: Requirement::Optional, ..self }
    }

    pub fn computed(self) -> Self {
        Attribute { requirement: Requirement::Computed, ..self }
    }

    pub fn optional_computed(self) -> Self {
        Attribute { requirement: Requirement::OptionalComputed, ..self }
    }

    /// What it is where the configuration does not set it; implies `optional_computed`, without which the engine refuses it.
    pub fn default(self, value: Value) -> Self {
        Attribute { default: Some(value), ..self.optional_computed() }
    }

    pub fn sensitive(self) -> Self {
        Attribute { sensitive: true, ..self }
    }

    pub fn write_only(self) -> Self {
        Attribute { write_only: true, ..self }
    }

    pub fn requires_replace(self) -> Self {
        Attribute { requires_replace: true, ..self }
    }

    /// A null element of this map is left out, as if its key were not there.
    pub fn null_means_absent(self) -> Self {
        Attribute { null_elements: NullElements::Absent, ..self }
    }

    pub fn never_null(self) -> Self {
        Attribute { never_null: true, ..self }
    }

    pub fn describe(self, markdown: impl Into<Cow<'static, str>>) -> Self {
        Attribute { description: markdown.into(), ..self }
    }

    /// Says what to use instead.
    pub fn deprecated(self, text: impl Into<Cow<'static, str>>) -> Self {
        Attribute { deprecated: Some(text.into()), ..self }
    }

    pub fn validator(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }

    pub fn value_type(&self) -> Type {
        match &self.kind {
            Kind::Value(ty) => ty.clone(),
            Kind::Nested(Nesting::Single, attributes) => object_type(attributes),
            Kind::Nested(Nesting::List, attributes) => Type::list(object_type(attributes)),
            Kind::Nested(Nesting::Set, attributes) => Type::set(object_type(attributes)),
            Kind::Nested(Nesting::Map, attributes) => Type::map(object_type(attributes)),
        }
    }

    pub fn is_required(&self) -> bool {
        self.requirement == Requirement::Required
    }

    pub fn is_optional(&self) -> bool {
        matches!(self.requirement, Requirement::Optional | Requirement::OptionalComputed)
    }

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
            validators: Vec::new(),
            sensitive: false,
            write_only: false,
            requires_replace: false,
            null_elements: NullElements::Refused,
            never_null: false,
        }
    }
}

pub(crate) fn object_type(attributes: &[Attribute]) -> Type {
    let types: BTreeMap<_, _> = attributes.iter().map(|attribute| (attribute.name.to_owned(), attribute.value_type())).collect();
    Type::Object(types)
}
