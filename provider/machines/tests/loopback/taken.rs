//! A host takes one cluster and one node group. Runs that look at it at the same time find nobody there; the first push has it.

use crate::host::{Host, apply, bundle, named, quiet};
use bundle::{Bundle, UnitName};
use machines::{Incarnation, Machine, MachineError};
use std::fs;

async fn push(machine: &Machine, owner: &Incarnation, bundle: &Bundle) -> Result<(), MachineError> {
    machine.push(owner, bundle, &Default::default(), &quiet).await
}

#[track_caller]
fn is_taken(answer: Result<(), MachineError>, by: &Incarnation) {
    let Err(error) = answer else { panic!("it was done") };
    assert!(matches!(&error, MachineError::Taken { found, .. } if *found == by.to_string()), "{error}");
    assert!(error.summary().ends_with(&format!(" belongs to {by}")) && error.detail().contains("Nothing was changed"), "{error}");
}

#[tokio::test]
async fn of_two_runs_that_take_a_host_at_the_same_time_one_is_refused() {
    for kind in ["k8s_node_group.demo", "k8s_hardway_cluster"] {
        let host = Host::start();
        let machine = host.connect().await;
        let owners = ["blue", "green"].map(|name| named(&format!("{kind}.{name}")));
        // Neither finds the other.
        for owner in &owners {
            machine.read(owner, &bundle(&host).manifest()).await.unwrap();
        }
        let both = bundle(&host);
        let (first, second) = tokio::join!(push(&machine, &owners[0], &both), push(&machine, &owners[1], &both));
        let (winner, loser) = if first.is_ok() { (&owners[0], &owners[1]) } else { (&owners[1], &owners[0]) };
        is_taken(if first.is_ok() { second } else { first }, winner);
        assert!(!host.tree().iter().any(|path| path.contains(loser.name.as_str())), "{:?}", host.tree());
        apply(&machine, winner, &both).await;
        machine.remove(winner, &both.manifest(), &quiet).await.unwrap();
        assert_eq!(host.tree(), [""; 0]);
        apply(&machine, loser, &both).await;
    }
}

#[tokio::test]
async fn whoever_comes_later_stops_starts_and_removes_nothing() {
    let host = Host::start();
    let machine = host.connect().await;
    let [ours, theirs] = ["k8s_node_group.demo.ours", "k8s_node_group.demo.theirs"].map(named);
    let both = bundle(&host);
    apply(&machine, &theirs, &both).await;
    // Cut off before it named anything.
    host.write("state/k8s_node_group.demo.ours/identity", &format!("version 3\nhost h1\nuid {}\n", ours.uid));
    let (before, calls) = (host.tree(), host.systemctl_calls());
    let units = [UnitName::literal("a.service")];
    is_taken(push(&machine, &ours, &both).await, &theirs);
    is_taken(machine.start(&ours, &units).await, &theirs);
    is_taken(machine.restart(&ours, &units).await, &theirs);
    is_taken(machine.stop(&ours, &units).await, &theirs);
    assert_eq!(
        (host.tree().len(), host.systemctl_calls()),
        (before.len() + 1, calls.clone()),
        "a lock was added, and nothing else"
    );
    machine.remove(&ours, &both.manifest(), &quiet).await.unwrap();
    assert_eq!(host.systemctl_calls(), calls);
    assert!(host.path("fake/etc/a.service").exists() && host.path("data/etcd").exists());
}

/// Load balancers share hosts, and so do a cluster and a node group. A record that says nothing has nothing.
#[tokio::test]
async fn others_share_a_host() {
    let host = Host::start();
    let machine = host.connect().await;
    host.write("state/k8s_node_group.demo.dead/identity", "version 3\nhost h1\n");
    for name in ["k8s_hardway_cluster.demo", "k8s_node_group.demo.workers", "k8s_lb_vrrp.api", "k8s_lb_vrrp.other"] {
        apply(&machine, &named(name), &bundle(&host)).await;
    }
}

/// Two that an earlier version let in: each goes on with what it has, and the last to leave undoes what components did.
#[tokio::test]
async fn two_that_have_a_host_already_go_on_and_the_last_one_cleans_up() {
    let host = Host::start();
    let machine = host.connect().await;
    let [ours, theirs] = ["k8s_node_group.demo.ours", "k8s_node_group.demo.theirs"].map(named);
    let mut both = bundle(&host);
    both.clean_up("containers", format!("echo killed >>{}", host.path("ran").display()));
    apply(&machine, &ours, &both).await;
    apply(&machine, &named("k8s_test.theirs"), &both).await;
    fs::rename(host.path("state/k8s_test.theirs"), host.path("state/k8s_node_group.demo.theirs")).unwrap();
    fs::remove_file(host.path("state/.lock.k8s_test.theirs")).unwrap();
    apply(&machine, &ours, &both).await;
    machine.remove(&theirs, &both.manifest(), &quiet).await.unwrap();
    assert!(!host.path("ran").exists() && host.path("fake/etc/a.service").exists());
    machine.remove(&ours, &both.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), ["ran"]);
}
