//! What the plan of a resource on AWS says while not everything is known, and what it costs.

use super::vpc::Vpc;
use super::{CloudResource, Known, OnCloud, PlannedChange};
use crate::configuration::Shared;
use crate::fakes::FakeWorld;
use async_trait::async_trait;
use cloud::{Cloud, Graph, Kind, Object, ObjectKey};
use protocol::{Call, PlanRequest, PlanResponse, Resource};
use schema::{Attribute, Diagnostic, Diagnostics, Schema, Value, ValueAt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::sync::CancellationToken;

/// `aws` is that of the provider block.
fn shared(aws: Value) -> Shared {
    let (world, _stops) = FakeWorld::new();
    let shared = Shared::new(Arc::new(world));
    shared.configure(&Value::object([("aws", aws)])).unwrap();
    shared
}

/// The plan of a create.
fn plan<R: CloudResource>(resource: R, aws: Value, config: Value) -> Result<PlanResponse, Diagnostic> {
    let resource = OnCloud::new(resource, &shared(aws));
    let schema = resource.schema();
    let proposed = schema.unknown_computed(schema.with_defaults(config.clone(), &config), &config);
    resource.plan_objects(&PlanRequest { prior: None, config, proposed })
}

fn network(zones: &[&str]) -> Value {
    Value::object([("name", "demo".into()), ("cidr", "10.0.0.0/16".into()), ("zones", zones.to_vec().into())])
}

fn network_with(name: &str, value: Value) -> Value {
    let mut config = network(&["us-east-1a"]);
    config.set(name, value);
    config
}

#[test]
fn tags_that_are_not_known_are_on_no_object_yet() {
    let of_block = |tags: Value| plan(Vpc, Value::object([("default_tags", tags)]), network(&["us-east-1a"])).unwrap().planned;
    let whole = |planned: &Value| planned.get("objects").get("vpc/main").clone();
    assert!(whole(&of_block(Value::Unknown)).is_unknown());
    assert!(whole(&plan(Vpc, Value::Unknown, network(&["us-east-1a"])).unwrap().planned).is_unknown());
    assert!(whole(&plan(Vpc, Value::Null, network_with("tags", Value::Unknown)).unwrap().planned).is_unknown());
    // What is known beside it stays so: the addresses, and what it costs.
    assert!(of_block(Value::Unknown).get("subnet_cidrs").is_wholly_known());
    // One value that is not known, among keys that are.
    let one = of_block(Value::object([("Revision", Value::Unknown), ("Team", "a".into())]));
    assert!(whole(&one).get("tag Revision").is_unknown());
    assert_eq!(whole(&one).get("tag Team").as_str(), Some("a"));
    // A tag without a value is none.
    let none = plan(Vpc, Value::Null, network_with("tags", Value::object([("Team", Value::Null)]))).unwrap().planned;
    assert!(whole(&none).as_map().is_some_and(|settings| !settings.contains_key("tag Team")));
}

#[test]
fn what_a_plan_costs_waits_for_prices_and_region() {
    for setting in ["prices", "region"] {
        let mut config = network(&["us-east-1a"]);
        config.set("zones", Value::Null);
        config.set("zone_count", 1.into());
        let planned = plan(Vpc, Value::object([(setting, Value::Unknown)]), config).unwrap().planned;
        assert!(planned.get("cost").is_unknown(), "{setting}");
    }
}

#[test]
fn zones_of_another_region_are_refused_at_plan() {
    let of = |region: Value, zone: &str| plan(Vpc, Value::object([("region", region)]), network(&[zone])).map(|_| ());
    let error = of("eu-west-1".into(), "us-east-1a").unwrap_err();
    assert_eq!(error.summary, "the network is in us-east-1, but the provider works in eu-west-1");
    assert_eq!(error.path.map(|path| path.to_string()).as_deref(), Some("zones"));
    assert_eq!(of("eu-west-1".into(), "eu-west-1a"), Ok(()));
    assert_eq!(of(Value::Unknown, "us-east-1a"), Ok(()));
    // Of the environment, where the block names none: the fake's is us-east-1.
    assert!(of(Value::Null, "eu-west-1a").is_err());
}

#[test]
fn the_cluster_of_a_load_balancer_may_come_later() {
    let listener = Value::object([("port", 6443.into()), ("target", Value::object([("targets", vec!["10.0.1.4"].into())]))]);
    let config = Value::object([
        ("name", "demo-api".into()),
        ("cluster_name", Value::Unknown),
        ("vpc_id", "vpc-1".into()),
        ("subnet_ids", vec!["subnet-1"].into()),
        ("listeners", Value::object([("apiserver", listener)])),
    ]);
    let planned = plan(super::lb_nlb::LbNlb, Value::Null, config).unwrap().planned;
    let balancer = planned.get("objects").get("load_balancer/demo-api").clone();
    for tag in ["tag k8s-hardway/cluster", "tag Name"] {
        assert!(balancer.get(tag).is_unknown(), "{tag}");
    }
    assert_eq!(balancer.get("scheme").as_str(), Some("internal"));
}

/// Counts how often its values become a graph.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

#[async_trait]
impl CloudResource for Counted {
    type Spec = ();

    fn name(&self) -> &'static str {
        "k8s_counted"
    }

    fn schema(&self) -> Schema {
        Schema::new("").attribute(Attribute::string("name").required())
    }

    fn validate(&self, _config: &ValueAt<'_>, _found: &mut Diagnostics) {}

    fn owner_name(&self, planned: &Value) -> Option<String> {
        planned.get("name").as_str().map(str::to_owned)
    }

    fn main_object(&self, _planned: &Value) -> ObjectKey {
        ObjectKey::new(Kind::Vpc, "main")
    }

    fn spec(&self, _planned: &Value) -> Result<Option<()>, Diagnostic> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Some(()))
    }

    fn graph(&self, (): &()) -> Graph {
        [Object::new(Kind::Vpc, "main")].into_iter().collect()
    }

    fn outputs(&self, _spec: Option<&()>, _planned: &Value, _known: &Known<'_>) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    async fn preflight(&self, _cloud: &dyn Cloud, change: &PlannedChange<'_>) -> Diagnostics {
        assert_eq!((change.before.len(), change.after.len()), (0, 1));
        Diagnostics::default()
    }

    async fn import(&self, _cloud: &dyn Cloud, _id: &str) -> Result<Value, Diagnostics> {
        Ok(Value::Null)
    }
}

#[tokio::test]
async fn a_graph_is_planned_once_per_plan() {
    let (world, _stops) = FakeWorld::new();
    let shared = Shared::new(Arc::new(world));
    shared.configure(&Value::object([("preflight", true.into())])).unwrap();
    let counted = Counted::default();
    let resource = OnCloud::new(counted.clone(), &shared);
    let config = Value::object([("name", "demo".into())]);
    let proposed = resource.schema().unknown_computed(config.clone(), &config);
    let call = Call { cancelled: CancellationToken::new() };
    let response = resource.plan(&call, PlanRequest { prior: None, config, proposed }).await;
    assert!(!response.diagnostics.has_errors(), "{}", response.diagnostics);
    assert_eq!(counted.0.load(Ordering::Relaxed), 1);
}

/// `cargo test -p provider --lib plan_takes -- --nocapture` prints what the network of `examples/aws-dual-stack` takes.
#[test]
fn the_plan_takes_little_more_than_its_graph() {
    let mut config = network(&["us-east-1a", "us-east-1b", "us-east-1c"]);
    config.set("ipv6", Value::object([("source", "amazon".into())]));
    config.set("nat", Value::object([("mode", "per_zone".into())]));
    let groups = [("admin_cidrs", vec!["192.0.2.0/24"].into()), ("network_addon", "calico-vxlan".into())];
    config.set("security_groups", Value::object(groups));
    let began = std::time::Instant::now();
    let planned = plan(Vpc, Value::Null, config).unwrap().planned;
    let whole = began.elapsed();
    let began = std::time::Instant::now();
    let spec = Vpc.spec(&planned).unwrap().unwrap();
    let once = began.elapsed();
    let objects = Vpc.graph(&spec).len();
    println!("plan of {objects} objects: {whole:?}, of which the spec {once:?}; three specs would be {:?}", whole + once * 2);
    assert!(objects > 20, "{objects}");
}
