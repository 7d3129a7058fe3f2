//! Resource identity: a few attributes of the state that name the object. The service copies them, so that no resource can
//! forget or contradict its own.

use schema::{AttributePath, Diagnostic, Diagnostics, Schema, Type, Value};

use crate::bug::bug;
use crate::convert::value::{object_from_wire, value_to_wire};
use crate::provider::IdentityAttribute;
use crate::wire::tfplugin6 as wire;

/// Names and types of the identity attributes of one resource type, in the order of their declaration.
pub(crate) struct Identity {
    attributes: Vec<(IdentityAttribute, Type)>,
    value_type: Type,
}

impl Identity {
    /// Identities of another version are never equal, so this only changes when the attributes do.
    pub(crate) const VERSION: i64 = 0;

    /// Each identity attribute is one of the schema too; it has its type from there.
    pub(crate) fn new(resource: &str, declared: Vec<IdentityAttribute>, schema: &Schema) -> Result<Identity, Diagnostic> {
        let typed = declared.into_iter().map(|attribute| match schema.get(attribute.name) {
            Some(found) => Ok((attribute, found.value_type())),
            None => Err(bug(
                &format!("the identity of {resource} is no part of its schema"),
                &format!("There is no attribute `{}`.", attribute.name),
            )),
        });
        let attributes = typed.collect::<Result<Vec<_>, _>>()?;
        let types = attributes.iter().map(|(attribute, ty)| (attribute.name.to_owned(), ty.clone())).collect();
        Ok(Identity { attributes, value_type: Type::Object(types) })
    }

    /// Name, description and type of each.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, &'static str, &Type)> {
        self.attributes.iter().map(|(attribute, ty)| (attribute.name, attribute.description, ty))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().map(|(attribute, _)| attribute.name)
    }

    /// `None` while a part is null or unknown: an engine refuses such an identity.
    pub(crate) fn of_state(&self, state: &Value) -> Option<Value> {
        let is_missing = |name| state.get(name).is_null() || !state.get(name).is_wholly_known();
        if self.attributes.is_empty() || self.names().any(is_missing) {
            return None;
        }
        Some(Value::Map(self.names().map(|name| (name.to_owned(), state.get(name).clone())).collect()))
    }

    pub(crate) fn to_wire(&self, identity: &Value) -> Result<wire::ResourceIdentityData, Diagnostics> {
        let identity_data = value_to_wire(identity, &self.value_type, "identity")?;
        Ok(wire::ResourceIdentityData { identity_data: Some(identity_data) })
    }

    /// The identity that goes along with `state`; what the engine had before stands in while the state does not tell.
    pub(crate) fn beside(
        &self,
        state: Option<&Value>,
        before: Option<wire::ResourceIdentityData>,
    ) -> Result<Option<wire::ResourceIdentityData>, Diagnostics> {
        match state.and_then(|state| self.of_state(state)) {
            Some(identity) => self.to_wire(&identity).map(Some),
            None => Ok(before),
        }
    }

    /// An identity from an `import` block. `None` when the import is by id.
    pub(crate) fn parse_import(&self, identity: Option<wire::ResourceIdentityData>) -> Result<Option<Value>, Diagnostics> {
        let Some(data) = identity.and_then(|identity| identity.identity_data) else { return Ok(None) };
        let Some(identity) = object_from_wire(Some(data), &self.value_type, "identity")? else { return Ok(None) };
        match self.names().find(|name| identity.get(name).is_null()) {
            Some(name) => Err(Diagnostic::error(format!("the identity lacks `{name}`"))
                .detail(format!("An import by identity needs all of: {}.", self.names().collect::<Vec<_>>().join(", ")))
                .at(AttributePath::attribute(name))
                .into()),
            None => Ok(Some(identity)),
        }
    }

    /// What an older state stored. There has been one version so far.
    pub(crate) fn parse_stored(&self, json: &serde_json::Value, version: i64) -> Result<Value, Diagnostics> {
        if version > Identity::VERSION {
            let detail = format!("Its identity has version {version}, this provider knows {}.", Identity::VERSION);
            return Err(Diagnostic::error("a newer version of this provider wrote the state").detail(detail).into());
        }
        Value::from_json(json, &self.value_type).map_err(|error| bug("cannot read the identity", &error.to_string()).into())
    }
}

#[cfg(test)]
mod tests {
    use schema::Attribute;

    use super::*;

    fn identity() -> Identity {
        let schema = Schema::new("").attribute(Attribute::string("cluster")).attribute(Attribute::string("name"));
        let names = ["cluster", "name"].map(|name| IdentityAttribute { name, description: "" });
        Identity::new("k8s_node", names.into(), &schema).unwrap()
    }

    #[test]
    fn an_identity_is_whole_or_absent() {
        let full = Value::object([("cluster", "a".into()), ("name", "b".into()), ("other", "c".into())]);
        assert_eq!(identity().of_state(&full), Some(Value::object([("cluster", "a".into()), ("name", "b".into())])));
        let unknown = Value::object([("cluster", "a".into()), ("name", Value::Unknown)]);
        assert_eq!(identity().of_state(&unknown), None);
        assert_eq!(identity().of_state(&Value::object([("cluster", "a".into())])), None);
    }

    #[test]
    fn an_identity_attribute_outside_the_schema_is_a_bug() {
        let declared = vec![IdentityAttribute { name: "uid", description: "" }];
        let error = Identity::new("k8s_node", declared, &Schema::new("")).err().unwrap();
        assert!(error.summary.starts_with("provider bug") && error.detail.contains("uid"));
    }

    #[test]
    fn an_import_with_half_an_identity_says_what_is_missing() {
        let half = identity().to_wire(&Value::object([("cluster", "a".into())])).unwrap();
        let error = identity().parse_import(Some(half)).unwrap_err().to_string();
        assert!(error.contains("lacks `name`"), "{error}");
    }
}
