//! Units that another owner on the host has too go on.

use crate::host::{Host, apply, bundle, named, owner, quiet};
use std::fs;

#[tokio::test]
async fn a_removal_without_a_record_leaves_the_units_of_another_owner() {
    let host = Host::start();
    let machine = host.connect().await;
    let other = named("k8s_test.other");
    apply(&machine, &other, &bundle(&host)).await;
    machine.remove(&owner(), &bundle(&host).manifest(), &quiet).await.unwrap();
    assert_eq!(host.systemctl_calls(), [""; 0]);
    assert!(host.path("fake/etc/a.service").exists());
    machine.remove(&other, &bundle(&host).manifest(), &quiet).await.unwrap();
    assert!(host.systemctl_calls().contains(&"stop -- a.service".to_string()));
}

#[tokio::test]
async fn so_do_a_prune_and_a_removal_by_the_record() {
    let host = Host::start();
    let machine = host.connect().await;
    for name in ["k8s_test.loopback", "k8s_test.other"] {
        apply(&machine, &named(name), &bundle(&host)).await;
    }
    let mut rest = bundle(&host);
    rest.units.clear();
    rest.files.clear();
    machine.prune(&owner(), &rest, &quiet).await.unwrap();
    assert!(!host.path("state/k8s_test.loopback/units/a.service").exists(), "it is declared no more");
    apply(&machine, &owner(), &bundle(&host)).await;
    machine.remove(&owner(), &bundle(&host).manifest(), &quiet).await.unwrap();
    assert!(!host.systemctl_calls().iter().any(|call| call.contains("a.service")), "{:?}", host.systemctl_calls());
    assert!(fs::exists(host.path("fake/etc/a.service")).unwrap());
}
