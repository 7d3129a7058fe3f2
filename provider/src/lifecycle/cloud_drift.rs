//! Changes that somebody else makes on AWS: each is named by object and setting, and repaired without touching anything else. And what
//! a plan says that may ask AWS.

use super::Stage;
use super::rows::{ROWS, row};
use crate::resources::on_cloud::to_graph;
use ::cloud::{AUTOSCALING_INSTANCE, Found, Graph, Kind, ObjectKey};
use schema::Value;
use std::collections::BTreeMap;

/// One change from outside: what is done to the fake cloud, at which object, and what the plan has to say of it.
struct Damage {
    object: String,
    says: String,
    /// Also where the sentence may stand: what refers to a lost object.
    id: String,
    does: Box<dyn Fn(&mut Found)>,
    loses: bool,
}

/// Whether the loss of an object is made good by a new one and nothing else is replaced: no other object has it for life.
fn is_replaceable(graph: &Graph, object: &str) -> bool {
    let key: ObjectKey = object.parse().unwrap();
    !graph.iter().any(|other| other.immutable_references().any(|refers_to| refers_to == key))
}

/// For each object of a state: every setting that can be changed, something that nobody declared, a lost tag, its loss.
fn damages(stage: &Stage, state: &Value) -> Vec<Damage> {
    let memory = stage.world.memory();
    let graph = to_graph(state.get("objects"));
    let mut damages = Vec::new();
    for (object, id) in state.get("ids").as_map().unwrap() {
        let Some(found) = memory.cloud.objects.get(id.as_str().unwrap()) else { continue };
        let id = id.as_str().unwrap();
        let mut add = |says: String, loses: bool, does: Box<dyn Fn(&mut Found)>| {
            damages.push(Damage { object: object.clone(), says, id: id.to_owned(), does, loses });
        };
        // What an Auto Scaling group registers is nobody's to change, and who has it is no setting.
        let is_own = |key: &String| {
            let is_holder = key.strip_prefix("tag ") == Some(cloud::HOLDER_TAG);
            is_holder || key.starts_with(AUTOSCALING_INSTANCE) || found.kept(key, &found.settings[key]).is_some()
        };
        for key in found.settings.keys().filter(|key| !found.kind.is_immutable(key) && !is_own(key)) {
            let word = key.split(' ').next().unwrap().to_owned();
            let (changed, lost) = (key.clone(), key.clone());
            if found.settings[key] != "drifted" {
                add(word.clone(), false, Box::new(move |found| drop(found.settings.insert(changed.clone(), "drifted".into()))));
            }
            add(word, false, Box::new(move |found| drop(found.settings.remove(&lost))));
        }
        let more = [
            "autoscaling_group by-hand",
            "route 192.0.2.0/24",
            "ingress tcp 1 0.0.0.0/0",
            "subnet subnet-by-hand",
            "target 192.0.2.9",
            "value 192.0.2.9",
        ];
        let is_exclusive = |key: &&str| {
            let declared = object.parse().ok().and_then(|key| graph.get(&key)).is_some_and(|object| object.is_exclusive(key));
            found.kind.is_exclusive(key) || (found.kind.is_shared(key) && declared)
        };
        for key in more.into_iter().filter(is_exclusive) {
            add(key.to_owned(), false, Box::new(move |found| drop(found.settings.insert(key.into(), String::new()))));
        }
        if is_replaceable(&graph, object) {
            add("is gone".into(), true, Box::new(|_| {}));
        }
    }
    damages
}

async fn is_named_and_repaired(stage: &mut Stage, state: &Value, damage: &Damage) {
    let (name, config) = (stage.row.name, stage.config.clone());
    let what = format!("{name}: {} {}", damage.object, damage.says);
    let healthy = stage.world.memory();
    stage.world.change(|memory| {
        if damage.loses {
            memory.cloud.objects.remove(&damage.id);
        } else {
            (damage.does)(memory.cloud.objects.get_mut(&damage.id).unwrap());
        }
    });
    let refreshed = stage.engine.refresh(name, state).await;
    assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]), "{what}");
    let drift = refreshed.state.get("drift").as_map().unwrap();
    let lines: Vec<&str> =
        drift.get(&damage.object).and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str).collect();
    assert!(lines.iter().any(|line| line.contains(&damage.says)), "{what}: {drift:?}");
    assert!(damage.loses || drift.len() == 1, "{what}: {drift:?}");
    let rows = refreshed.state.get("differences").as_list().unwrap();
    let is_it = |row: &&Value| match row.get("setting").as_str() {
        Some(setting) => setting.starts_with(&damage.says) && *row.get("replaces") == Value::from(false),
        None => damage.loses && row.get("problem").as_str() == Some("gone"),
    };
    let is_named = rows.iter().filter(|row| row.get("object").as_str() == Some(&damage.object)).any(|row| is_it(&row));
    assert!(is_named && rows.len() == drift.values().flat_map(Value::as_list).map(<[_]>::len).sum::<usize>(), "{what}: {rows:?}");
    let plan = stage.engine.plan(name, &refreshed.state, &config).await;
    assert!(!plan.is_empty && plan.replaces.is_empty(), "{what}");
    assert_eq!(plan.planned.get("drift").as_map().map(BTreeMap::len), Some(0), "{what}");
    assert_eq!(plan.planned.get("differences"), &Value::List(vec![]), "{what}");
    stage.world.arm(None);
    let repaired = stage.engine.apply(name, &refreshed.state, &config, &plan.planned).await;
    assert_eq!((repaired.errors, repaired.warnings), (vec![], vec![]), "{what}");
    stage.world_is(&healthy, &format!("after the repair of {what}"));
    let calls = stage.world.calls();
    assert!(damage.loses || calls.len() == 1, "{what}: {calls:?}");
    stage.settled(&repaired.state, &config, &format!("after the repair of {what}")).await;
    stage.world.restore(&healthy);
}

#[tokio::test]
async fn every_change_from_outside_is_named_by_object_and_repaired_alone() {
    let mut count = 0;
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_cloud() {
            continue;
        }
        if let Some(config) = super::others_on_cloud::exclusive(row.name, &stage.config) {
            stage.config = super::complete(stage.engine.schema(row.name), &config);
        }
        let state = stage.create().await;
        for damage in damages(&stage, &state) {
            stage.engine.configure().await;
            is_named_and_repaired(&mut stage, &state, &damage).await;
            count += 1;
        }
    }
    assert!(count > 100, "only {count} changes were tried");
}

#[tokio::test]
async fn what_was_made_twice_is_found_and_one_of_it_removed() {
    let row = row("k8s_vpc");
    let mut stage = Stage::of(row).await;
    let state = stage.create().await;
    let healthy = stage.world.memory();
    stage.world.change(|memory| {
        let mut twin = memory.cloud.objects.values().find(|found| found.kind == Kind::ElasticIp).unwrap().clone();
        twin.id = "eipalloc-9999".into();
        memory.cloud.objects.insert(twin.id.clone(), twin);
    });
    let refreshed = stage.engine.refresh(row.name, &state).await;
    assert!(format!("{:?}", refreshed.state.get("drift")).contains("eipalloc-9999 is not declared"));
    let config = stage.config.clone();
    let state = stage.apply(&refreshed.state, &config).await;
    stage.world_is(&healthy, "after one of two was removed");
    stage.settled(&state, &config, "after one of two was removed").await;
}

/// The engine changes a network before the load balancer in it, which lets go of a subnet only then.
#[tokio::test]
async fn what_another_resource_still_uses_goes_with_the_next_apply() {
    let row = row("k8s_vpc");
    let mut stage = Stage::of(row).await;
    let state = stage.create().await;
    let small = stage.world.memory();
    let (config, mut two_zones) = (stage.config.clone(), stage.config.clone());
    two_zones.set("zones", vec!["us-east-1a", "us-east-1b"].into());
    let state = stage.apply(&state, &two_zones).await;
    let subnet = state.get("subnet_ids").get("private-2").as_str().unwrap().to_owned();
    stage.world.change(|memory| {
        let mut user = Found::new(Kind::LoadBalancer, "lb-of-another");
        user.settings.insert(format!("subnet {subnet}"), String::new());
        memory.cloud.objects.insert(user.id.clone(), user);
    });

    let planned = stage.engine.plan(row.name, &state, &config).await.planned;
    let applied = stage.engine.apply(row.name, &state, &config, &planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(applied.warnings.len() == 1 && applied.warnings[0].contains("subnet/private-2"), "{:?}", applied.warnings);
    assert!(applied.state.get("subnet_ids").get("private-2").is_null());

    stage.world.change(|memory| drop(memory.cloud.objects.remove("lb-of-another")));
    let refreshed = stage.engine.refresh(row.name, &applied.state).await;
    assert!(format!("{:?}", refreshed.state.get("drift")).contains(&format!("{subnet} is not declared")));
    let state = stage.apply(&refreshed.state, &config).await;
    stage.world_is(&small, "after the second apply");
    stage.settled(&state, &config, "after the second apply").await;
}

#[tokio::test]
async fn a_plan_that_may_ask_says_what_is_not_allowed() {
    let row = row("k8s_vpc");
    let mut stage = Stage::of(row).await;
    stage.world.change(|memory| memory.cloud.denied = ["ec2:CreateVpc", "ec2:RunInstances"].map(str::to_owned).into());
    let config = stage.config.clone();
    assert!(stage.engine.try_plan(row.name, &Value::Null, &config).await.is_ok(), "a plan that may not ask cannot know");
    stage.engine.preflight = true;
    stage.engine.configure().await;
    let errors = stage.engine.try_plan(row.name, &Value::Null, &config).await.unwrap_err();
    // Of what is denied, what this resource needs.
    assert!(errors.len() == 1 && errors[0].starts_with("ec2:CreateVpc is not allowed"), "{errors:?}");
}
