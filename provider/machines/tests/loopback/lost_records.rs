//! A record that is lost, or that a power cut left without its content: what the state names is removed by its content, or it is said
//! that nothing is.

use crate::host::{Host, apply, bundle, named, owner, quiet};
use bundle::UnitName;
use machines::{Machine, MachineError};
use std::fs;

async fn pushed(host: &Host) -> Machine {
    let machine = host.connect().await;
    apply(&machine, &owner(), &bundle(host)).await;
    machine
}

#[tokio::test]
async fn a_stop_makes_no_record_and_the_removal_after_it_goes_by_content() {
    let host = Host::start();
    let machine = pushed(&host).await;
    fs::remove_dir_all(host.path("state")).unwrap();
    machine.stop(&owner(), &[UnitName::literal("a.service")]).await.unwrap();
    assert!(!host.path("state/k8s_test.loopback").exists());
    machine.remove(&owner(), &bundle(&host).manifest(), &quiet).await.unwrap();
    assert!(!host.path("etc/file").exists() && !host.path("fake/etc/a.service").exists());
}

#[tokio::test]
async fn a_record_whose_list_is_empty_names_nothing() {
    let host = Host::start();
    let machine = pushed(&host).await;
    host.write("state/k8s_test.loopback/files", "");
    machine.remove(&owner(), &bundle(&host).manifest(), &quiet).await.unwrap();
    assert!(!host.path("etc/file").exists() && !host.path("fake/etc/a.service").exists());
    assert!(!host.path("data").exists());
}

#[tokio::test]
async fn where_neither_record_nor_content_says_what_is_ours_a_removal_fails_and_takes_nothing() {
    let host = Host::start();
    let machine = pushed(&host).await;
    fs::remove_dir_all(host.path("state")).unwrap();
    for name in ["etc/file", "fake/etc/a.service"] {
        host.write(name, "of somebody else");
    }
    let before = host.tree();
    let error = machine.remove(&owner(), &bundle(&host).manifest(), &quiet).await.unwrap_err();
    assert!(matches!(&error, MachineError::Unrecorded { path, .. } if path.ends_with("etc/file")), "{error}");
    assert!(host.systemctl_calls().is_empty() && !host.path("state/k8s_test.loopback").exists());
    fs::remove_dir_all(host.path("state")).unwrap();
    assert_eq!(host.tree(), before);
    // What another owner has there is his, and what is not there is gone.
    apply(&machine, &named("k8s_test.other"), &bundle(&host)).await;
    for name in ["etc/file", "fake/etc/a.service"] {
        host.write(name, "changed");
    }
    machine.remove(&owner(), &bundle(&host).manifest(), &quiet).await.unwrap();
    assert_eq!(host.text("etc/file"), "changed");
}

#[tokio::test]
async fn lists_and_backups_are_on_the_disk_before_they_take_their_places() {
    let host = Host::start();
    host.write_program("bin/sync", "#!/bin/sh\n[ -s \"$1\" ] && echo \"$1\" >>\"$FAKE/synced\"\n");
    host.write("etc/file", "foreign");
    pushed(&host).await;
    let synced = host.text("fake/synced");
    let record = host.path("state/k8s_test.loopback");
    let backup = format!("backup{}.part", host.path("etc/file").display());
    for name in ["identity.part", "files.part", "directories.part", "made.part", &backup] {
        assert!(synced.contains(&format!("{}/{name}\n", record.display())), "{name}: {synced}");
    }
}
