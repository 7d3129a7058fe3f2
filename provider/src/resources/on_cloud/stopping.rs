//! Ctrl-C ends every wait on AWS within two seconds, however long AWS takes.

use super::CloudResource;
use super::apply::Before;
use super::holder::{Held, Holder};
use super::lb_nlb::LbNlb;
use super::reconcile::{Reconciled, Reconciler};
use super::removal::{Reason, Removal};
use super::vpc::{leftovers, volumes};
use crate::fakes::{FakeClock, FakeWorld};
use crate::ports::World;
use crate::progress::Progress;
use crate::tokens::Tokens;
use crate::wait::Waiter;
use cloud::{Cloud, Connection, Found, Graph, Kind, Leftover, Object, ObjectKey, Volume};
use schema::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The user stops in the middle of the first pause, which would never end by itself.
async fn stopped<T>(prepare: impl FnOnce(&FakeWorld), wait: impl AsyncFnOnce(&dyn Cloud, Waiter<'_>) -> T) -> T {
    let (world, _stops) = FakeWorld::new();
    prepare(&world);
    let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
    clock.stop_at_pause(&cancelled);
    let cloud = world.cloud(&Connection::default());
    let waiter = Waiter { clock: &clock, cancelled: &cancelled };
    let ended = tokio::time::timeout(Duration::from_secs(2), wait(&*cloud, waiter)).await;
    assert!(cancelled.is_cancelled(), "nothing was waited for");
    ended.unwrap()
}

fn object(kind: Kind, id: &str) -> Found {
    Found::new(kind, id)
}

async fn reconciled(object: Object) -> Reconciled {
    let graph: Graph = [object].into_iter().collect();
    let (ids, progress, tokens) = (BTreeMap::new(), Progress::new(None), Tokens::of_run([0; 16]));
    let reconciled = stopped(
        |_| {},
        async |cloud, waiter| {
            let (graph, ids, progress, tokens) = (&graph, &ids, &progress, &tokens);
            Reconciler {
                cloud,
                holder: Holder { owner: "k8s_vpc/demo", main: &ObjectKey::new(Kind::Vpc, "main"), id: None },
                graph,
                ids,
                before: &Before::of(None),
                is_new: true,
                progress,
                waiter,
                tokens,
                held: &Held::default(),
            }
            .run()
            .await
        },
    );
    reconciled.await
}

#[tokio::test]
async fn what_becomes_ready() {
    let reconciled = reconciled(Object::new(Kind::NatGateway, "main")).await;
    assert!(reconciled.cancelled && !reconciled.diagnostics.has_errors());
    assert_eq!(reconciled.found.len(), 1, "what was made is kept");
}

#[tokio::test]
async fn a_create_that_is_tried_again() {
    // It refers to what AWS does not show yet.
    assert!(reconciled(Object::new(Kind::Subnet, "a").with("vpc", "vpc-1")).await.cancelled);
}

async fn removed(prepare: impl FnOnce(&FakeWorld)) -> usize {
    let progress = Progress::new(None);
    let going = vec![(ObjectKey::new(Kind::NatGateway, "main"), object(Kind::NatGateway, "nat-1"))];
    let removed = stopped(prepare, async |cloud, waiter| {
        Removal { cloud, progress: &progress, waiter, reason: Reason::Destroy }.run(going).await
    });
    let removed = removed.await;
    assert!(!removed.diagnostics.has_errors());
    removed.left.len()
}

#[tokio::test]
async fn what_is_being_deleted() {
    let there = |world: &FakeWorld| {
        world.change(|memory| memory.cloud.objects.insert("nat-1".into(), object(Kind::NatGateway, "nat-1")));
    };
    assert_eq!(removed(there).await, 1);
}

#[tokio::test]
async fn what_is_still_in_use() {
    let used = |world: &FakeWorld| {
        let mut user = object(Kind::FlowLog, "fl-1");
        user.settings.insert("resource".into(), "nat-1".into());
        world.change(|memory| {
            memory.cloud.objects.insert("nat-1".into(), object(Kind::NatGateway, "nat-1"));
            memory.cloud.objects.insert("fl-1".into(), user);
        });
    };
    assert_eq!(removed(used).await, 1);
}

#[tokio::test]
async fn what_kubernetes_left_in_a_network() {
    let group = Leftover { kind: "security_group".into(), id: "sg-1".into(), name: String::new() };
    let own = BTreeSet::new();
    let network = leftovers::Network { vpc_id: "vpc-1", cluster: "demo", own: &own, destroys_leftovers: true };
    let cleared = stopped(
        |world| {
            world.change(|memory| memory.cloud.leftovers.insert(group));
        },
        async |cloud, waiter| leftovers::clear(cloud, &network, waiter).await,
    );
    assert_eq!(cleared.await.unwrap_err().summary, "stopped on request");
}

#[tokio::test]
async fn volumes_that_are_detached() {
    let volume = Volume { id: "vol-1".into(), name: String::new(), is_in_use: true };
    let cleared = stopped(
        |world| {
            world.change(|memory| memory.cloud.volumes.insert(volume));
        },
        async |cloud, waiter| volumes::clear(cloud, "demo", true, waiter).await,
    );
    assert_eq!(cleared.await.unwrap_err().summary, "stopped on request");
}

#[tokio::test]
async fn targets_that_become_healthy() {
    let targets = Value::object([("targets", vec!["10.0.1.4"].into())]);
    let listener = Value::object([("port", 6443.into()), ("target", targets)]);
    let planned = Value::object([
        ("name", "demo-api".into()),
        ("cluster_name", "demo".into()),
        ("vpc_id", "vpc-1".into()),
        ("subnet_ids", vec!["subnet-1"].into()),
        ("listeners", Value::object([("apiserver", listener)])),
        ("wait_for_healthy_targets", true.into()),
    ]);
    let planned = LbNlb.schema().with_defaults(planned.clone(), &planned);
    let spec = LbNlb.spec(&planned).unwrap().unwrap();
    let settled = stopped(|_| {}, async |cloud, waiter| LbNlb.settle(cloud, &spec, &planned, waiter).await);
    assert_eq!(settled.await.map_err(|error| error.summary), Ok(()));
}
