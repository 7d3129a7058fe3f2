//! A script that waited for a removal does not install again what was just destroyed, and another removal has nothing left to do.

use crate::host::{Host, apply, bundle, owner, quiet};
use bundle::Bundle;
use machines::{Incarnation, Machine, MachineError, Uid};
use std::process::{Child, Command};

/// Holds the owner's lock, as a removal does, until the file `go` is there; deletes it then.
fn removal(host: &Host) -> Child {
    let lock = host.path("state/.lock.k8s_test.loopback");
    let hold = "touch \"$0.held\"; until [ -e \"$1/go\" ]; do sleep 0.02; done; rm \"$0\" \"$0.held\" \"$1/go\"";
    let mut command = Command::new("flock");
    let child = command.arg(&lock).args(["sh", "-c", hold]).arg(&lock).arg(host.folder.path()).spawn().unwrap();
    while !host.path("state/.lock.k8s_test.loopback.held").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

/// A host from which the resource was just removed, and the removal that still holds the lock.
async fn during_a_removal() -> (Host, Machine, Bundle, Child) {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    apply(&machine, &owner(), &bundle).await;
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    std::fs::create_dir_all(host.path("state")).unwrap();
    let holder = removal(&host);
    (host, machine, bundle, holder)
}

/// Lets the removal end once the script says that it waits for it.
fn end_removal(host: &Host) -> impl Fn(&str) + Send + Sync {
    let go = host.path("go");
    move |line: &str| {
        assert_eq!(line, "waiting for another run on this host");
        std::fs::write(&go, "").unwrap();
    }
}

#[tokio::test]
async fn what_waited_for_a_removal_does_nothing() {
    let (host, machine, bundle, mut holder) = during_a_removal().await;
    let error = machine.push(&owner(), &bundle, &Default::default(), &end_removal(&host)).await.unwrap_err();
    assert!(matches!(&error, MachineError::Removed { owner, .. } if owner == "k8s_test.loopback"), "{error}");
    holder.wait().unwrap();
    assert_eq!(host.tree(), ["state"]);
}

/// A destroy that was killed leaves its scripts running, and the next destroy comes while they do.
#[tokio::test]
async fn a_removal_that_waited_for_another_is_done() {
    let (host, machine, bundle, mut holder) = during_a_removal().await;
    machine.remove(&owner(), &bundle.manifest(), &end_removal(&host)).await.unwrap();
    holder.wait().unwrap();
    assert_eq!(host.tree(), Vec::<String>::new());
}

#[tokio::test]
async fn a_removal_that_waited_for_another_leaves_what_was_created_again() {
    let (host, machine, bundle, mut holder) = during_a_removal().await;
    let again = Incarnation { uid: Uid::of_random([7; 16]), ..owner() };
    let record = host.path("state/k8s_test.loopback");
    let end = end_removal(&host);
    let create_again = move |line: &str| {
        std::fs::create_dir_all(&record).unwrap();
        std::fs::write(record.join("files"), "/etc/its-own\n").unwrap();
        std::fs::write(record.join("identity"), format!("uid {}\n", again.uid)).unwrap();
        end(line);
    };
    let error = machine.remove(&owner(), &bundle.manifest(), &create_again).await.unwrap_err();
    assert!(matches!(&error, MachineError::OtherUid { .. }), "{error}");
    holder.wait().unwrap();
}
