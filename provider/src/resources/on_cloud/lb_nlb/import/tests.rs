//! What is inferred from simulated objects is the configuration that they were made from.

use super::super::{attributes, config::Config};
use super::*;
use cloud::{Graph, OBJECT_TAG, Resolver};
use schema::decode;

const ARN: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012";

fn config(listeners: Value) -> Value {
    Value::object([
        ("name", "demo-api".into()),
        ("cluster_name", "demo".into()),
        ("vpc_id", "vpc-1".into()),
        ("subnet_ids", vec!["subnet-1", "subnet-2"].into()),
        ("security_group_ids", vec!["sg-1"].into()),
        ("listeners", listeners),
    ])
}

fn complete(config: &Value) -> Value {
    attributes::schema().with_defaults(config.clone(), config)
}

fn graph_of(config: &Value) -> Graph {
    let config: Config = decode(config).unwrap();
    nlb::graph(&config.spec().unwrap())
}

/// As AWS would show the objects of a graph.
fn simulate(graph: &Graph) -> Vec<Found> {
    let id = |object: &cloud::Object| match object.key.kind {
        Kind::LoadBalancer => format!("{ARN}:loadbalancer/net/{}/1", object.key.name),
        Kind::TargetGroup => format!("{ARN}:targetgroup/{}/2", object.get("target_group_name").unwrap()),
        Kind::Listener => format!("{ARN}:listener/net/{}/1/3", object.key.name),
        _ => ["zone", "record_name", "type"].map(|setting| object.get(setting).unwrap()).join(" "),
    };
    let mut world: BTreeMap<ObjectKey, Found> =
        graph.iter().map(|object| (object.key.clone(), Found::new(object.key.kind, id(object)))).collect();
    for found in world.values_mut().filter(|found| found.kind == Kind::LoadBalancer) {
        found.outputs = [("dns_name", "x.elb.example"), ("zone_id", "Z9")].map(|(key, value)| (key.into(), value.into())).into();
    }
    let resolver = Resolver::new(&world);
    let shown = graph.iter().map(|object| {
        let mut found = world[&object.key].clone();
        found.settings =
            object.settings.iter().map(|(key, value)| (key.clone(), resolver.resolve(value.known().unwrap()).unwrap())).collect();
        if object.key.kind.has_tags() {
            found.settings.insert(format!("tag {OBJECT_TAG}"), format!("k8s_lb_nlb/demo-api {}", object.key));
            found.settings.insert("tag k8s-hardway/cluster".into(), "demo".into());
        }
        found
    });
    shown.collect()
}

#[track_caller]
fn check(config: &Value) {
    let config = complete(config);
    let graph = graph_of(&config);
    let record = config.get("dns").get("name").as_str().map(|name| ("Z1".to_owned(), name.to_owned()));
    let inferred = infer(&Request { name: "demo-api".into(), record }, &simulate(&graph)).unwrap();
    let ids = inferred.get("ids").as_map().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids, graph.iter().map(|object| object.key.to_string()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    let own = inferred.as_map().into_iter().flatten().filter(|(name, _)| *name != "ids");
    let inferred = Value::Map(own.map(|(name, value)| (name.clone(), value.clone())).collect());
    let ty = attributes::schema().value_type();
    assert!(inferred.equal(&config, &ty), "{inferred:#?}\nis not {config:#?}");
}

fn listener<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    let mut listener = Value::object([("port", 6443.into()), ("target", Value::object([("targets", vec!["10.0.1.4"].into())]))]);
    attributes.into_iter().for_each(|(name, value)| listener.set(name, value));
    Value::object([("apiserver", listener)])
}

#[test]
fn a_balancer_of_api_servers() {
    let health_check = Value::object([("protocol", "HTTPS".into()), ("path", "/readyz".into()), ("matcher", "200".into())]);
    let mut config = config(listener([("health_check", health_check)]));
    check(&config);
    config.set("ip_address_type", "dualstack".into());
    let target = Value::object([("address_family", "ipv6".into()), ("targets", vec!["2001:db8::53"].into())]);
    let dns = Value::object([("port", 53.into()), ("protocol", "TCP_UDP".into()), ("target", target)]);
    config.set("listeners", Value::object([("dns", dns)]));
    check(&config);
    config.set("dns", Value::object([("zone_id", "Z1".into()), ("name", "api.example.net".into())]));
    check(&config);
}

#[test]
fn defaults_are_left_out_and_everything_else_is_not() {
    check(&config(listener([])));
    let target = Value::object([
        ("group_name", "mine".into()),
        ("port", 7443.into()),
        ("protocol", "TCP_UDP".into()),
        ("targets", vec!["10.9.0.4", "10.9.0.5"].into()),
        ("outside_vpc", true.into()),
        ("connection_termination", false.into()),
        ("proxy_protocol", true.into()),
        ("deregistration_delay_seconds", 0.into()),
    ]);
    check(&config(listener([("target", target)])));
    let instances =
        Value::object([("type", "instance".into()), ("targets", vec!["i-1"].into()), ("preserve_client_ip", true.into())]);
    let tls = listener([("protocol", "TLS".into()), ("certificate_arn", "arn".into()), ("target", instances)]);
    check(&config(tls));
    let none = Value::object([]);
    let policies = [
        ("protocol", "TLS".into()),
        ("certificate_arn", "arn".into()),
        ("ssl_policy", "ELBSecurityPolicy-2016-08".into()),
        ("alpn_policy", "HTTP2Only".into()),
        ("target", none),
        ("health_check", Value::object([("port", "10256".into()), ("interval_seconds", 30.into())])),
    ];
    check(&config(listener(policies)));
}

#[test]
fn instances_of_attached_groups_are_not_declared() {
    let target = Value::object([
        ("type", "instance".into()),
        ("targets", vec!["i-1"].into()),
        ("autoscaling_group_names", vec!["nodes", "others"].into()),
    ]);
    let config = config(listener([("target", target)]));
    check(&config);
    let mut found = simulate(&graph_of(&complete(&config)));
    for group in found.iter_mut().filter(|found| found.kind == Kind::TargetGroup) {
        group.settings.insert("target i-2".into(), "6443".into());
        group.settings.insert("autoscaling_instance i-2".into(), "nodes".into());
    }
    let inferred = infer(&Request { name: "demo-api".into(), record: None }, &found).unwrap();
    assert_eq!(inferred.get("listeners").get("apiserver").get("target").get("targets"), &Value::from(vec!["i-1"]));
}

#[test]
fn fixed_addresses() {
    let mut config = config(listener([]));
    config.set("subnet_ids", Value::Null);
    let subnet = |id: &str, name: &str, address: &str| Value::object([("subnet_id", id.into()), (name, address.into())]);
    let internal =
        vec![subnet("subnet-1", "private_ipv4_address", "10.0.1.9"), subnet("subnet-2", "ipv6_address", "2001:db8::9")];
    config.set("subnets", Value::List(internal));
    check(&config);
    config.set("subnets", Value::List(vec![subnet("subnet-1", "allocation_id", "eipalloc-1")]));
    config.set("security_group_ids", Value::Null);
    check(&config);
}

#[test]
fn a_listener_of_somebody_else_is_named_after_its_port() {
    let mut found = Found::new(Kind::Listener, "arn");
    found.settings = [("protocol", "TCP_UDP"), ("port", "53")].map(|(key, value)| (key.into(), value.into())).into();
    assert_eq!(listener_name(&found), "tcp-udp-53");
}

#[test]
fn what_cannot_be_imported_says_why() {
    let refuse = |id: &str, found: &[Found]| infer(&Request::parse(id)?, found).map(|_| ());
    let said = |id: &str, found: &[Found]| refuse(id, found).unwrap_err().summary;
    assert_eq!(said("demo-api,Z1", &[]), "\"demo-api,Z1\" cannot be imported");
    assert_eq!(said(&format!("{ARN}:loadbalancer/net/web/1"), &[]), "there is no load balancer web in this region");
    let found = simulate(&graph_of(&complete(&config(listener([])))));
    let message = said("demo-api,Z1,api.example.net", &found);
    assert_eq!(message, "there is no record api.example.net in hosted zone Z1");
    let mut application = found.clone();
    for found in application.iter_mut().filter(|found| found.kind == Kind::LoadBalancer) {
        found.settings.insert("type".into(), "application".into());
    }
    assert_eq!(said("demo-api", &application), "load balancer demo-api is of type application");
    let alone: Vec<Found> = found.into_iter().filter(|found| found.kind != Kind::TargetGroup).collect();
    assert_eq!(said("demo-api", &alone), "listener 6443 of demo-api forwards to no single target group");
}
