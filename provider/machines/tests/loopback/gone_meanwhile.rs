//! A script that waited for a removal does not install again what was just destroyed.

use crate::host::{Host, apply, bundle, owner, quiet};
use machines::MachineError;
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

#[tokio::test]
async fn what_waited_for_a_removal_does_nothing() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    apply(&machine, &owner(), &bundle).await;
    let observed = Default::default();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    std::fs::create_dir_all(host.path("state")).unwrap();
    let go = |line: &str| {
        assert_eq!(line, "waiting for another run on this host");
        host.write("go", "");
    };
    let mut holder = removal(&host);
    let error = machine.push(&owner(), &bundle, &observed, &go).await.unwrap_err();
    assert!(matches!(&error, MachineError::Removed { owner, .. } if owner == "k8s_test.loopback"), "{error}");
    holder.wait().unwrap();
    assert_eq!(host.tree(), ["state"]);
}
