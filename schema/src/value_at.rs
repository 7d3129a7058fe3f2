//! A value of a configuration and its path, which is what rules look at: each takes one and pushes what is wrong with it, so
//! that no rule spells a path beside its value.

use crate::{AttributePath, Diagnostic, Value};

/// A value, which may be null or unknown, and where it stands.
#[derive(Clone, Debug)]
pub struct ValueAt<'a> {
    value: &'a Value,
    path: AttributePath,
}

impl<'a> ValueAt<'a> {
    /// The whole object.
    pub fn of(config: &'a Value) -> ValueAt<'a> {
        ValueAt { value: config, path: AttributePath::root() }
    }

    /// An attribute of an object: null where there is none, unknown where the object is.
    pub fn get(&self, attribute: &str) -> ValueAt<'a> {
        ValueAt { value: self.value.get(attribute), path: self.path.clone().then(attribute) }
    }

    /// Elements of a list with their positions; nothing while it is null or unknown.
    pub fn items(&self) -> impl Iterator<Item = ValueAt<'a>> + use<'a> {
        let path = self.path.clone();
        let items = self.value.as_list().unwrap_or_default().iter().enumerate();
        items.map(move |(position, value)| ValueAt { value, path: path.clone().index(position) })
    }

    /// Elements of a set, which have no path of their own; nothing while it is null or unknown.
    pub fn members(&self) -> impl Iterator<Item = ValueAt<'a>> + use<'a> {
        let path = self.path.clone();
        let members = self.value.as_list().unwrap_or_default().iter();
        members.map(move |value| ValueAt { value, path: path.clone() })
    }

    /// Elements of a map with their keys; nothing while it is null or unknown.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, ValueAt<'a>)> + use<'a> {
        let path = self.path.clone();
        let entries = self.value.as_map().into_iter().flatten();
        entries.map(move |(key, value)| (key.as_str(), ValueAt { value, path: path.clone().key(key.as_str()) }))
    }

    /// The same value, about which is spoken at another path: parts of a set's members have none.
    pub fn at(self, path: AttributePath) -> ValueAt<'a> {
        ValueAt { path, ..self }
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Where it stands in the configuration.
    pub fn path(&self) -> &AttributePath {
        &self.path
    }

    /// Text that is set and known.
    pub fn as_str(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// A whole number that is set and known.
    pub fn as_i64(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// A truth value that is set and known.
    pub fn as_bool(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// Not given. An attribute that the object does not have is null too.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// Known only after another resource is applied.
    pub fn is_unknown(&self) -> bool {
        self.value.is_unknown()
    }

    /// How many elements a known list or map has.
    pub fn len(&self) -> Option<usize> {
        self.value.as_list().map(<[Value]>::len).or_else(|| self.value.as_map().map(|entries| entries.len()))
    }

    /// Known, and without a single element.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Neither null nor unknown: only then can a rule say that it must not be there.
    pub fn is_set(&self) -> bool {
        self.value.is_set()
    }

    /// `detail` says the rule, and a value that would do.
    pub fn error(&self, summary: impl Into<String>, detail: impl Into<String>) -> Diagnostic {
        Diagnostic::error(summary).detail(detail).at(self.path.clone())
    }

    /// As [`error`](Self::error), for what may be meant.
    pub fn warning(&self, summary: impl Into<String>, detail: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(summary).detail(detail).at(self.path.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_knows_its_path() {
        let config = Value::object([
            ("hosts", Value::object([("cp-1", Value::object([("address", "10.0.1.4".into())]))])),
            ("ports", Value::List(vec![80.into(), Value::Unknown])),
            ("later", Value::Unknown),
        ]);
        let root = ValueAt::of(&config);
        let found: Vec<String> = root
            .get("hosts")
            .entries()
            .map(|(name, host)| {
                let address = host.get("address");
                format!("{name} {} {:?}", address.path(), address.as_str())
            })
            .collect();
        assert_eq!(found, [r#"cp-1 hosts["cp-1"].address Some("10.0.1.4")"#]);
        let ports: Vec<_> = root.get("ports").items().map(|port| (port.path().to_string(), port.as_i64())).collect();
        assert_eq!(ports, [("ports[0]".to_owned(), Some(80)), ("ports[1]".to_owned(), None)]);
        assert_eq!((root.get("ports").len(), root.get("later").len(), root.get("none").is_empty()), (Some(2), None, false));
        assert_eq!(root.get("later").get("x").entries().count(), 0);
        let error = root.get("later").get("x").error("x is wrong", "Take y.");
        assert_eq!(error.to_string(), "error: x is wrong (at later.x)\nTake y.");
    }
}
