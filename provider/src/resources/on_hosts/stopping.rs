//! Ctrl-C ends every wait on hosts and for the cluster within two seconds, however long they take.

use super::execute::{Actions, StepError};
use super::fleet::Fleet;
use super::hardway_cluster::actions::ControlPlaneActions;
use super::lb_vrrp::actions::VrrpActions;
use super::node_group::drain::drain;
use super::node_group::others::Disturbance;
use super::node_group::ready::{Expected, wait_until_ready};
use super::{health, served};
use crate::etcd::SnapshotPlace;
use crate::fakes::{FakeClock, FakeFile, FakeUnit, FakeWorld, Memory, Node, Record};
use crate::ports::Clock;
use crate::progress::Progress;
use crate::resources::in_cluster::ignored::Ignored;
use crate::resources::in_cluster::own_apply::OwnApply;
use crate::resources::in_cluster::own_objects::OwnObjects;
use bundle::{Bundle, HostName, HostPath, OnChange, UnitName};
use ipnet::IpNet;
use machines::{Incarnation, Owner, Uid};
use render::component::{API_SERVER, CONTAINERD, ETCD, KUBELET, VIRTUAL_ADDRESSES};
use render::control_plane::{ADMIN_KUBECONFIG, Endpoints};
use render::spec::PodNetwork;
use rollout::Gate;
use schema::Field;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(2);
const ADDRESS: &str = "192.0.2.100/24";

fn host() -> HostName {
    HostName::literal("worker-1")
}

fn owner() -> Incarnation {
    Incarnation { name: Owner::parse("k8s_lb_vrrp.api").unwrap(), uid: Uid::default(), holder: Uid::default() }
}

fn keepalived() -> UnitName {
    VIRTUAL_ADDRESSES.unit_of("api").unwrap()
}

/// `cp-1` serves a cluster with a node `worker-1`, which was never Ready and has a pod that cannot move, and one that is Ready and takes
/// pods, `worker-2`. The first of them carries a virtual address.
fn fill(memory: &mut Memory) {
    let running = FakeUnit { active_state: "active".into(), enabled: true, ..FakeUnit::default() };
    let control_plane = memory.host(&HostName::literal("cp-1"));
    for path in [ETCD.unit().path(), API_SERVER.unit().path(), HostPath::literal(ADMIN_KUBECONFIG)] {
        control_plane.files.insert(path, FakeFile::default());
    }
    control_plane.units.extend([ETCD, API_SERVER].map(|component| (component.unit(), running.clone())));
    memory.cluster.nodes.insert("worker-1".into(), Node { has_pod: true, ..Node::default() });
    memory.cluster.nodes.insert("worker-2".into(), Node::default());
    let kubelet = [KUBELET, CONTAINERD].map(|component| (component.unit(), running.clone()));
    memory.host(&HostName::literal("worker-2")).units.extend(kubelet);
    let worker = memory.host(&host());
    worker.files.insert(keepalived().path(), FakeFile::default());
    worker.units.insert(keepalived(), FakeUnit { addresses: vec![ADDRESS.parse().unwrap()], ..running });
    worker.records.insert(owner().name, Record { units: BTreeMap::from([(keepalived(), None)]), ..Record::default() });
}

/// The user stops in the middle of the first pause, which would never end by itself. What is left of the world is returned.
async fn stops(wait: impl AsyncFnOnce(&Fleet, &FakeWorld) -> Result<(), StepError>) -> Memory {
    let (world, _stops) = FakeWorld::new();
    world.change(fill);
    let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
    clock.stop_at_pause(&cancelled);
    let begin = clock.instant();
    let answers = ["worker-1", "worker-2"].map(|name| (HostName::literal(name), Ok(world.host(name))));
    let fleet = Fleet::new(owner(), answers, Progress::new(None), cancelled.clone(), Arc::new(clock.clone()));
    let ended = tokio::time::timeout(LIMIT, wait(&fleet, &world)).await.unwrap();
    assert!(cancelled.is_cancelled(), "nothing was waited for: {ended:?}");
    assert!(ended.as_ref().is_err_and(StepError::is_cancelled), "{ended:?}");
    assert!(clock.instant() - begin < LIMIT);
    world.memory()
}

async fn control_plane(gate: Option<Gate>) {
    let endpoints = Endpoints {
        etcd: "https://192.0.2.1:2379".into(),
        etcd_peer: "https://192.0.2.1:2380".into(),
        api_server: "https://127.0.0.1:6443".into(),
    };
    let snapshots = SnapshotPlace { folder: HostPath::literal("/var/lib/etcd-snapshots"), cluster: "demo".into(), kept: 3 };
    let endpoints = BTreeMap::from([(host(), endpoints)]);
    let actions = ControlPlaneActions {
        endpoints,
        own: OwnApply::new(OwnObjects { declared: Vec::new(), ignored: Ignored::of("", &Field::Null) }, "the cluster's"),
        snapshots,
        snapshot_trigger: Field::Null,
    };
    match gate {
        Some(gate) => stops(async |fleet, _| actions.gate(fleet, &gate).await).await,
        None => stops(async |fleet, _| actions.snapshot_etcd(fleet).await).await,
    };
}

#[tokio::test]
async fn a_member_that_gives_a_snapshot() {
    control_plane(None).await;
}

#[tokio::test]
async fn a_quorum() {
    control_plane(Some(Gate::EtcdQuorum)).await;
    control_plane(Some(Gate::QuorumWithout { host: host() })).await;
}

#[tokio::test]
async fn a_member_of_etcd() {
    control_plane(Some(Gate::EtcdMemberHealthy { host: host() })).await;
}

#[tokio::test]
async fn an_api_server() {
    control_plane(Some(Gate::ApiServerReady { host: host() })).await;
}

#[tokio::test]
async fn units_that_are_down() {
    let units = [UnitName::literal("x.service")];
    stops(async |fleet, _| health::wait_until_healthy(fleet, &Bundle::default(), &host(), &units).await).await;
}

#[tokio::test]
async fn certificates_that_are_not_served() {
    let (unit, path) = (ETCD.unit(), HostPath::literal("/etc/etcd/server.crt"));
    let mut described = ETCD.describe([path.clone()], OnChange::ReadAgain);
    described.serves.insert(path, "timeout 5 openssl s_client -connect 192.0.2.1:2379".into());
    let mut bundle = Bundle::default();
    bundle.add_unit(unit.clone(), "[Service]\n".into(), described);
    stops(async |fleet, _| match served::wait_until_served(fleet, &bundle, &host(), &[unit]).await {
        Ok(()) => Ok(()),
        Err(served::NotServed::Late { error, .. } | served::NotServed::Other(error)) => Err(error),
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_not_ready() {
    stops(async |fleet, world| {
        let api = world.host("cp-1").kubernetes().await?;
        let expected = Expected { version: "1.36.3", pod_network: PodNetwork::Routed };
        wait_until_ready(fleet.waiter(), &*api, fleet.machine(&host())?, expected).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_drain() {
    let memory = stops(async |fleet, world| {
        let api = world.host("cp-1").kubernetes().await?;
        drain(fleet.waiter(), &*api, "worker-1", Duration::from_secs(300), |_, _| true).await.map(drop)
    });
    assert!(memory.await.cluster.nodes["worker-1"].cordoned_by.is_some());
}

#[tokio::test]
async fn nodes_that_are_down_while_another_is_to_restart() {
    stops(async |fleet, world| {
        let api = world.host("cp-1").kubernetes().await?;
        let (host, down) = (HostName::literal("worker-2"), host());
        let disturbance = Disturbance { host: &host, group: vec![&host, &down], restarting: 1, max_unavailable: 1 };
        disturbance.wait(fleet.waiter(), || async { Ok(Arc::new(api.nodes().await?)) }, |_| async { false }).await
    })
    .await;
}

#[tokio::test]
async fn virtual_addresses_that_nobody_holds() {
    let actions = |address: &str| VrrpActions {
        keepalived: keepalived(),
        virtual_addresses: vec![address.parse::<IpNet>().unwrap()],
        advertisement_interval: Duration::from_millis(200),
        peers: Vec::new(),
        spec: None,
    };
    stops(async |fleet, _| actions("192.0.2.200/24").gate(fleet, &Gate::VirtualAddressServed).await).await;
    let memory = stops(async |fleet, _| actions(ADDRESS).hand_over(fleet, &host()).await).await;
    assert!(memory.is_up(&host(), keepalived().as_str()), "a host is left without its keepalived");
}

/// Nobody takes the addresses over: the holder gets its keepalived back, and where it does not start again, the error says so.
#[tokio::test]
async fn a_handover_that_fails_leaves_the_holder_as_it_was() {
    let actions = VrrpActions {
        keepalived: keepalived(),
        virtual_addresses: vec![ADDRESS.parse::<IpNet>().unwrap()],
        advertisement_interval: Duration::from_millis(200),
        peers: Vec::new(),
        spec: None,
    };
    for can_start in [true, false] {
        let (world, _stops) = FakeWorld::new();
        world.change(fill);
        if !can_start {
            world.change_host(host().as_str(), |memory| memory.files.remove(&keepalived().path()));
        }
        let answers = ["worker-1", "worker-2"].map(|name| (HostName::literal(name), Ok(world.host(name))));
        let clock = Arc::new(FakeClock::default());
        let fleet = Fleet::new(owner(), answers, Progress::new(None), CancellationToken::new(), clock);
        let failed = actions.hand_over(&fleet, &host()).await.unwrap_err();
        assert_eq!(failed.summary(), "no host holds the virtual address 192.0.2.100 after 16 s");
        let unit = keepalived();
        let is_told = failed.detail().contains(&format!("systemctl start {unit} failed on {}", host()));
        assert_eq!((is_told, world.memory().is_up(&host(), keepalived().as_str())), (!can_start, can_start));
    }
}
