//! A record of the same owner that was created before or after: nothing is taken from the host, written to it or removed from it.

use crate::host::{Host, apply, bundle, owner, quiet};
use bundle::{Digest, UnitName};
use machines::{Incarnation, MachineError, Uid};
use std::fs;

/// The same name, created again.
fn created_again() -> Incarnation {
    Incarnation { uid: Uid::of_random([2; 16]), ..owner() }
}

#[track_caller]
fn is_other<T>(answer: Result<T, MachineError>, found: &Uid, what: &str) {
    let Err(error) = answer else { panic!("{what} was done") };
    assert!(matches!(&error, MachineError::OtherUid { found: there, .. } if there == found), "{what}: {error}");
    assert!(error.summary().ends_with("carries another k8s_test.loopback than this state knows"), "{}", error.summary());
    assert!(error.detail().contains(found.as_str()), "{}", error.detail());
}

#[tokio::test]
async fn every_script_of_an_owner_refuses_the_record_of_another_life() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    let older = Incarnation { uid: Uid::default(), ..owner() };
    for (there, other) in [(owner(), created_again()), (owner(), older.clone()), (older, owner())] {
        apply(&machine, &there, &bundle).await;
        if there.uid.is_nil() {
            // As commit 29eb745 left it.
            fs::remove_file(host.path("state/k8s_test.loopback/identity")).unwrap();
        }
        let (before, calls) = (host.tree(), host.systemctl_calls());
        let (manifest, observed) = (bundle.manifest(), machine.read(&there, &bundle.manifest()).await.unwrap());
        let units = [UnitName::literal("a.service")];
        let stamps = [(units[0].clone(), Digest::of(b"s"))];
        is_other(machine.read(&other, &manifest).await, &there.uid, "read");
        is_other(machine.push(&other, &bundle, &observed, &quiet).await, &there.uid, "push");
        is_other(machine.start(&other, &units).await, &there.uid, "start");
        is_other(machine.restart(&other, &units).await, &there.uid, "restart");
        is_other(machine.reload(&other, &units).await, &there.uid, "reload");
        is_other(machine.note_stamps(&other, &stamps).await, &there.uid, "note");
        is_other(machine.withdraw_stamps(&other, &units).await, &there.uid, "withdraw");
        is_other(machine.stop(&other, &units).await, &there.uid, "stop");
        is_other(machine.prune(&other, &bundle, &quiet).await, &there.uid, "prune");
        is_other(machine.remove(&other, &manifest, &quiet).await, &there.uid, "remove");
        assert_eq!((host.tree(), host.systemctl_calls()), (before, calls));
        machine.remove(&there, &manifest, &quiet).await.unwrap();
        assert_eq!(host.tree(), [""; 0]);
    }
}

/// Killed before anything else was written: there is nothing whose life it could be.
#[tokio::test]
async fn a_record_that_names_nothing_yet_is_nobodys() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    host.write("state/k8s_test.loopback/identity", &format!("version 3\nhost h1\nuid {}\n", owner().uid));
    apply(&machine, &created_again(), &bundle).await;
    assert!(host.text("state/k8s_test.loopback/identity").contains(created_again().uid.as_str()));
    machine.remove(&created_again(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), [""; 0]);
}

/// Else a push that is cut off leaves a record that says nothing, which is what older versions wrote.
#[tokio::test]
async fn a_record_says_whose_it_is_before_it_names_anything() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    // The list cannot be written: a directory is in its place.
    fs::create_dir_all(host.path("state/k8s_test.loopback/files.part")).unwrap();
    let error = crate::host::push_error(&machine, &bundle).await;
    assert!(error.summary().contains("state/k8s_test.loopback/files"), "{error}");
    assert!(host.text("state/k8s_test.loopback/identity").contains(owner().uid.as_str()));
}
