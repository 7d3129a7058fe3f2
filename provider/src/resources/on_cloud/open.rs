//! What stays known of a resource that exists while a part of its declaration is unknown: the unknown part is taken to be what it was,
//! and what it decides on is unknown. Pure.

use cloud::{Graph, Kind, Object, ObjectKey, Setting, UNKNOWN_KEYS};
use schema::{AttributePath, Value};
use std::collections::BTreeSet;

/// What an attribute decides on. Everything else is the same whatever its value is.
pub struct Decides {
    /// The attribute, or a part of it.
    pub path: &'static [&'static str],
    /// Which objects of these kinds there are.
    pub objects: &'static [Kind],
    /// Settings of objects that are there in any case: all of a kind, or one by its name.
    pub settings: &'static [(Kind, Option<&'static str>)],
    /// Computed attributes of the resource's own.
    pub outputs: &'static [&'static str],
}

/// What is not known while attributes are.
#[derive(Default)]
pub struct Open {
    objects: BTreeSet<Kind>,
    settings: BTreeSet<(Kind, Option<&'static str>)>,
    pub outputs: BTreeSet<&'static str>,
}

impl Open {
    /// The values with the prior value of each part that is not known and decides on something, and what that leaves open. Rows go from
    /// parts to the attributes that they are parts of.
    pub fn assume(rows: &[Decides], prior: &Value, planned: &Value) -> (Value, Open) {
        let (mut values, mut open) = (planned.clone(), Open::default());
        for row in rows {
            let path = row.path.iter().fold(AttributePath::root(), |path, name| path.then(*name));
            if values.at(&path).is_wholly_known() {
                continue;
            }
            values.set_at(&path, prior.at(&path).clone());
            open.objects.extend(row.objects);
            open.settings.extend(row.settings);
            open.outputs.extend(row.outputs);
        }
        (values, open)
    }

    /// Whether it is not known which objects there are.
    pub fn has_objects(&self) -> bool {
        !self.objects.is_empty()
    }

    /// The objects that are there in any case; those whose settings are open are unknown as a whole.
    pub fn apply(&self, graph: Graph) -> Graph {
        let open = |object: &Object| {
            let ObjectKey { kind, name } = &object.key;
            self.settings.iter().any(|(of, only)| of == kind && only.is_none_or(|only| only == name))
        };
        let stays = graph.iter().filter(|object| !self.objects.contains(&object.key.kind));
        let opened = stays.map(|object| match open(object) {
            true => object.clone().with(UNKNOWN_KEYS, Setting::Unknown),
            false => object.clone(),
        });
        opened.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[Decides] = &[
        Decides { path: &["groups", "admins"], objects: &[], settings: &[(Kind::SecurityGroup, Some("bastion"))], outputs: &[] },
        Decides { path: &["groups"], objects: &[], settings: &[(Kind::SecurityGroup, None)], outputs: &[] },
        Decides { path: &["endpoints"], objects: &[Kind::VpcEndpoint], settings: &[], outputs: &["endpoint_ids"] },
    ];

    fn values(admins: Value, port: Value, endpoints: Value) -> Value {
        Value::object([("groups", Value::object([("admins", admins), ("port", port)])), ("endpoints", endpoints)])
    }

    fn prior() -> Value {
        values(vec!["10.0.0.0/8"].into(), 6443.into(), vec!["s3"].into())
    }

    /// The objects that stay, with `?` where their settings are open, and the outputs that are unknown.
    #[track_caller]
    fn check(planned: &Value, expect: &[&str], outputs: &[&str]) {
        let (assumed, open) = Open::assume(ROWS, &prior(), planned);
        assert_eq!(assumed, prior());
        let object = |kind, name: &str| Object::new(kind, name);
        let graph = [
            object(Kind::Vpc, "main"),
            object(Kind::SecurityGroup, "bastion"),
            object(Kind::SecurityGroup, "node"),
            object(Kind::VpcEndpoint, "s3"),
        ];
        let left = open.apply(graph.into_iter().collect());
        let mut found: Vec<String> =
            left.iter().map(|object| format!("{}{}", object.key.name, if object.is_open() { "?" } else { "" })).collect();
        found.sort();
        assert_eq!(found, expect);
        assert_eq!(open.outputs.iter().copied().collect::<Vec<_>>(), outputs);
        assert_eq!(open.has_objects(), !outputs.is_empty());
    }

    #[test]
    fn a_part_opens_what_it_decides_on_and_nothing_else() {
        let unknown = || Value::List(vec![Value::Unknown]);
        check(&values(unknown(), 6443.into(), vec!["s3"].into()), &["bastion?", "main", "node", "s3"], &[]);
        check(&values(unknown(), Value::Unknown, vec!["s3"].into()), &["bastion?", "main", "node?", "s3"], &[]);
        check(&values(vec!["10.0.0.0/8"].into(), 6443.into(), unknown()), &["bastion", "main", "node"], &["endpoint_ids"]);
        let mut whole = prior();
        whole.set("groups", Value::Unknown);
        check(&whole, &["bastion?", "main", "node?", "s3"], &[]);
        check(&prior(), &["bastion", "main", "node", "s3"], &[]);
    }
}
