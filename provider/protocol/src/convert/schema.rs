//! Schemas, identities and functions as the wire has them.

use schema::{Attribute, Kind, Nesting, Schema, Type};

use crate::identity::Identity;
use crate::provider::{Function, Parameter};
use crate::wire::tfplugin6 as wire;
use crate::wire::tfplugin6::StringKind;
use crate::wire::tfplugin6::resource_identity_schema::IdentityAttribute;
use crate::wire::tfplugin6::schema::object::NestingMode;

pub(crate) fn schema_to_wire(schema: &Schema) -> wire::Schema {
    wire::Schema {
        version: schema.version,
        block: Some(wire::schema::Block {
            version: schema.version,
            attributes: attributes_to_wire(&schema.attributes),
            description: schema.description.to_string(),
            description_kind: StringKind::Markdown.into(),
            deprecated: schema.deprecated.is_some(),
            deprecation_message: schema.deprecated.as_deref().unwrap_or_default().to_owned(),
        }),
    }
}

fn attributes_to_wire(attributes: &[Attribute]) -> Vec<wire::schema::Attribute> {
    attributes.iter().map(attribute_to_wire).collect()
}

fn attribute_to_wire(attribute: &Attribute) -> wire::schema::Attribute {
    let (value_type, nested_type) = match &attribute.kind {
        Kind::Value(ty) => (type_to_wire(ty), None),
        Kind::Nested(nesting, attributes) => (Vec::new(), Some(object_to_wire(*nesting, attributes))),
    };
    wire::schema::Attribute {
        name: attribute.name.to_owned(),
        r#type: value_type,
        nested_type,
        description: attribute.description.to_string(),
        description_kind: StringKind::Markdown.into(),
        required: attribute.is_required(),
        optional: attribute.is_optional(),
        computed: attribute.is_computed(),
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.as_deref().unwrap_or_default().to_owned(),
    }
}

fn object_to_wire(nesting: Nesting, attributes: &[Attribute]) -> wire::schema::Object {
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    wire::schema::Object { attributes: attributes_to_wire(attributes), nesting: nesting.into() }
}

pub(crate) fn identity_to_wire(identity: &Identity) -> wire::ResourceIdentitySchema {
    let attributes = identity.attributes().map(|(name, description, ty)| IdentityAttribute {
        name: name.to_owned(),
        r#type: type_to_wire(ty),
        required_for_import: true,
        optional_for_import: false,
        description: description.to_owned(),
    });
    wire::ResourceIdentitySchema { version: Identity::VERSION, identity_attributes: attributes.collect() }
}

pub(crate) fn function_to_wire(function: &dyn Function) -> wire::Function {
    let parameter = |parameter: Parameter| wire::function::Parameter {
        name: parameter.name.to_owned(),
        r#type: type_to_wire(&parameter.value_type),
        allow_null_value: false,
        allow_unknown_values: function.accepts_unknown(),
        description: parameter.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
    };
    wire::Function {
        parameters: function.parameters().into_iter().map(parameter).collect(),
        variadic_parameter: function.variadic().map(parameter),
        r#return: Some(wire::function::Return { r#type: type_to_wire(&function.result()) }),
        summary: function.summary().to_owned(),
        description: function.description().to_owned(),
        description_kind: StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}

fn type_to_wire(ty: &Type) -> Vec<u8> {
    ty.to_json().to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use schema::Value;

    use super::*;

    #[test]
    fn an_attribute_has_a_type_or_nested_attributes_but_never_both() {
        let plain = attribute_to_wire(&Attribute::list("cidrs", Type::String).required());
        assert_eq!((plain.r#type.as_slice(), plain.nested_type.is_none()), (&br#"["list","string"]"#[..], true));

        let nested = attribute_to_wire(&Attribute::nested("hosts", Nesting::Map, vec![Attribute::string("address")]));
        assert!(nested.r#type.is_empty());
        assert_eq!(nested.nested_type.map(|object| object.nesting), Some(NestingMode::Map.into()));
    }

    #[test]
    fn a_default_is_announced_as_optional_and_computed() {
        let attribute = attribute_to_wire(&Attribute::number("port").default(Value::from(6443)));
        assert!(attribute.optional && attribute.computed && !attribute.required);
    }
}
