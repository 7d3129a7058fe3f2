//! Every resource of the registry through its whole life on fakes, over the protocol: created, planned again, drifted and repaired,
//! changed, replaced, destroyed; and cut off at every single call in three ways. What is tried with what stands in `rows.rs`.

mod absent;
mod addons;
mod addresses;
mod adoption;
mod another_cluster;
mod certificates;
mod cloud_controller;
mod cloud_drift;
mod cloud_provider;
mod contract;
mod copies;
mod coverage;
mod create_before_destroy;
mod create_before_destroy_on_cloud;
mod cut_off;
mod differences;
mod downloads;
mod drains;
mod engine;
mod expired;
mod first_look;
mod foundation;
mod host_versions;
mod image_digests;
mod lost_members;
mod manifests;
mod nodes;
mod not_yet_known;
mod open_on_cloud;
mod other_host;
mod other_life;
mod others_on_cloud;
mod outputs;
mod own_objects;
mod own_settings;
mod ownership;
mod plans;
mod pod_networks;
mod promises;
mod replacements;
mod repointed;
mod rolls;
mod rows;
mod secrets;
mod sensitive;
mod settings;
mod sizes;
mod snapshots;
mod spellings;
mod undecided;
mod unknowns;
mod versions;
mod virtual_addresses;
mod whole;

use crate::fakes::{FakeWorld, Fault, Memory, Moment, Node};
use crate::provider::K8s;
use bundle::NodeObject;
use engine::{Engine, Outcome};
use protocol::Provider;
use rows::{ROWS, Row, States};
use schema::Value;
use std::collections::BTreeMap;

/// One resource, about to be created, in a world in which those that it needs are there.
struct Stage {
    row: &'static Row,
    world: FakeWorld,
    engine: Engine,
    config: Value,
    /// The world before this resource.
    before: Memory,
    states: States,
}

impl Stage {
    async fn of(row: &'static Row) -> Stage {
        let (world, stops) = FakeWorld::new();
        let mut engine = Engine::start(&world, stops).await;
        let mut states = States::new();
        for earlier in ROWS.iter().take_while(|earlier| earlier.name != row.name) {
            let config = (earlier.config)(&states);
            let planned = engine.plan(earlier.name, &Value::Null, &config).await.planned;
            let created = engine.apply(earlier.name, &Value::Null, &config, &planned).await;
            assert_eq!(created.errors, Vec::<String>::new());
            states.insert(earlier.name, created.state);
        }
        world.arm(None);
        let config = complete(engine.schema(row.name), &(row.config)(&states));
        engine.validate(row.name, &config).await;
        Stage { row, before: world.memory(), world, engine, config, states }
    }

    /// Plans and applies without trouble.
    async fn apply(&mut self, prior: &Value, config: &Value) -> Value {
        let name = self.row.name;
        let planned = self.engine.plan(name, prior, config).await.planned;
        let applied = self.engine.apply(name, prior, config, &planned).await;
        assert_eq!(applied.errors, Vec::<String>::new(), "apply of {name}");
        applied.state
    }

    /// Plans and applies after the faults that are armed have gone, whatever comes of it.
    async fn attempt(&mut self, prior: &Value, config: &Value) -> Outcome {
        let name = self.row.name;
        let planned = self.engine.plan(name, prior, config).await.planned;
        self.world.arm(None);
        self.engine.apply(name, prior, config, &planned).await
    }

    /// Plans and applies twice from the same world: as it should be, and with this call failing. The world after the first, and what came
    /// of the second.
    async fn fail_at(&mut self, call: &str, prior: &Value, config: &Value) -> (Memory, Outcome) {
        let (name, begin) = (self.row.name, self.world.memory());
        let planned = self.engine.plan(name, prior, config).await.planned;
        self.world.arm(None);
        let applied = self.engine.apply(name, prior, config, &planned).await;
        assert_eq!(applied.errors, Vec::<String>::new(), "apply of {name}");
        let place = self.world.calls().iter().position(|made| made == call).unwrap() + 1;
        let whole = self.world.memory();
        self.world.restore(&begin);
        self.world.arm(Some((Fault::Fail(Moment::Before), place)));
        let failed = self.engine.apply(name, prior, config, &planned).await;
        assert_eq!(failed.errors.len(), 1, "{:?}", failed.errors);
        self.world.arm(None);
        (whole, failed)
    }

    /// Units that were started or restarted since the world was armed.
    fn starts(&self) -> Vec<String> {
        self.world.calls().into_iter().filter(|call| call.contains(": Restart ") || call.contains(": Start ")).collect()
    }

    fn node_object(&self, name: &str) -> NodeObject {
        self.change_node(name, |node| node.object.clone())
    }

    /// The lines of the plan's rollout.
    async fn rollout(&mut self, state: &Value, config: &Value) -> Vec<String> {
        texts(self.engine.plan(self.row.name, state, config).await.planned.get("rollout"))
    }

    fn change_node<T>(&self, name: &str, change: impl FnOnce(&mut Node) -> T) -> T {
        self.world.change(|memory| change(memory.cluster.nodes.get_mut(name).unwrap()))
    }

    async fn create(&mut self) -> Value {
        let config = self.config.clone();
        self.apply(&Value::Null, &config).await
    }

    /// Refreshes and plans as an engine does, and finds nothing to do.
    async fn settled(&mut self, state: &Value, config: &Value, what: &str) {
        let name = self.row.name;
        let refreshed = self.engine.refresh(name, state).await;
        assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]), "refresh of {name} {what}");
        assert_eq!(difference(&without_steps(state), &refreshed.state), Vec::<String>::new(), "refresh of {name} {what}");
        let plan = self.engine.plan(name, &refreshed.state, config).await;
        assert!(plan.is_empty, "the plan of {name} {what} changes {:#?} {:?}", difference(state, &plan.planned), plan.replaces);
    }

    /// Destroys, and finds the world as it was before.
    async fn destroy(&mut self, state: &Value, what: &str) {
        let name = self.row.name;
        let destroyed = self.engine.destroy(name, state).await;
        assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null), "destroy of {name} {what}");
        self.world_is(&self.before.clone(), &format!("after the destroy {what}"));
    }

    #[track_caller]
    fn world_is(&self, expect: &Memory, when: &str) {
        let (expect, found) = (expect.lines(), self.world.memory().lines());
        let keys: std::collections::BTreeSet<&String> = expect.keys().chain(found.keys()).collect();
        let wrong: BTreeMap<_, _> = keys
            .into_iter()
            .filter(|key| expect.get(*key) != found.get(*key))
            .map(|key| (key, (expect.get(key), found.get(key))))
            .collect();
        assert!(wrong.is_empty(), "{} {when}: (expected, found) {wrong:#?}", self.row.name);
    }

    fn is_on_cloud(&self) -> bool {
        self.engine.schema(self.row.name).get("objects").is_some_and(|objects| objects.is_computed())
    }

    fn is_in_cluster(&self) -> bool {
        self.engine.schema(self.row.name).get("fields").is_some()
    }

    fn is_on_hosts(&self) -> bool {
        self.engine.schema(self.row.name).get("host_contents").is_some()
    }
}

/// Of a list of strings.
fn texts(value: &Value) -> Vec<String> {
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_string).collect()
}

/// `host_contents` host by host: item to line, null where that is unknown. Read with another eye than the provider's.
fn contents(state: &Value) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut hosts: BTreeMap<String, BTreeMap<String, Value>> =
        state.get("hosts").as_map().unwrap().keys().map(|host| (host.clone(), BTreeMap::new())).collect();
    for (key, line) in state.get("host_contents").as_map().unwrap() {
        let (names, item) = key.split_once(": ").map_or((None, key.as_str()), |(names, item)| (Some(names), item));
        for (_, lines) in
            hosts.iter_mut().filter(|(host, _)| names.is_none_or(|names| names.split(", ").any(|name| name == *host)))
        {
            lines.insert(item.to_string(), line.clone());
        }
    }
    hosts.retain(|_, lines| !lines.is_empty());
    hosts
}

/// The state that a plan leads to, as far as no host is asked for it: what is created gets a uid.
fn as_applied(planned: &Value) -> Value {
    let mut state = planned.clone();
    ["uid", "holder"].into_iter().for_each(|id| state.set(id, machines::Uid::NIL.into()));
    let mut join = state.get("join").clone();
    if join.get("cluster_uid").is_unknown() {
        join.set("cluster_uid", machines::Uid::NIL.into());
        state.set("join", join);
    }
    state
}

/// As a refresh leaves it: the change that it was written by is over.
fn without_steps(state: &Value) -> Value {
    let mut state = state.clone();
    if state.get("rollout").as_list().is_some() {
        state.set("rollout", Value::List(Vec::new()));
    }
    if state.get("steps").as_list().is_some() {
        state.set("steps", Value::List(Vec::new()));
    }
    state
}

/// The engine sends every attribute, null where the configuration leaves it out.
fn complete(schema: &schema::Schema, config: &Value) -> Value {
    let ty = schema.value_type();
    Value::from_msgpack(&config.to_msgpack(&ty).unwrap(), &ty).unwrap()
}

/// Names of top-level attributes, with values where they are short.
fn difference(one: &Value, other: &Value) -> Vec<String> {
    let (Value::Map(one), other) = (one, other) else { return vec!["no object".into()] };
    let differing = one.iter().filter(|(name, value)| *value != other.get(name));
    differing
        .map(|(name, value)| {
            let text = format!("{name}: {value:?} -> {:?}", other.get(name));
            if text.len() < 2000 { text } else { name.clone() }
        })
        .collect()
}

#[test]
fn every_resource_of_the_registry_has_a_row() {
    let (world, _stops) = FakeWorld::new();
    let registry: Vec<&str> =
        K8s::of_world(std::sync::Arc::new(world)).resources().iter().map(|resource| resource.name()).collect();
    let rows: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(rows, registry);
}
