//! A machine that was set up as one host, reached as another: nothing is taken from it, written to it or removed from it.

use crate::host::{Host, apply, bundle, owner, quiet};
use bundle::{Digest, HostName, UnitName};
use machines::{Incarnation, Machine, MachineError, Uid};
use std::fs;

#[track_caller]
fn is_other<T>(answer: Result<T, MachineError>, what: &str) {
    let Err(error) = answer else { panic!("{what} was done") };
    assert!(matches!(&error, MachineError::OtherHost { found, .. } if found == "h1"), "{what}: {error}");
    assert!(error.summary().starts_with("SSH to h2 (127.0.0.1 port") && error.summary().ends_with("reaches the machine of h1"));
}

#[tokio::test]
async fn every_script_of_an_owner_refuses_the_machine_of_another_host() {
    let host = Host::start();
    let (h1, bundle) = (host.connect().await, bundle(&host));
    apply(&h1, &owner(), &bundle).await;
    let mut target = host.target();
    target.name = HostName::literal("h2");
    let h2 = Machine::connect(&target).await.unwrap();
    let (before, calls) = (host.tree(), host.systemctl_calls());
    let (owner, manifest) = (owner(), bundle.manifest());
    let observed = h1.read(&owner, &manifest).await.unwrap();
    let units = [UnitName::literal("a.service")];
    let stamps = [(units[0].clone(), Digest::of(b"s"))];
    is_other(h2.read(&owner, &manifest).await, "read");
    is_other(h2.push(&owner, &bundle, &observed, &quiet).await, "push");
    is_other(h2.start(&owner, &units).await, "start");
    is_other(h2.restart(&owner, &units).await, "restart");
    is_other(h2.reload(&owner, &units).await, "reload");
    is_other(h2.note_stamps(&owner, &stamps).await, "note");
    is_other(h2.withdraw_stamps(&owner, &units).await, "withdraw");
    is_other(h2.stop(&owner, &units).await, "stop");
    is_other(h2.prune(&owner, &bundle, &quiet).await, "prune");
    is_other(h2.remove(&owner, &manifest, &quiet).await, "remove");
    assert_eq!((host.tree(), host.systemctl_calls()), (before, calls));
}

/// As commit 29eb745 left it, and every version before the name.
#[tokio::test]
async fn a_record_without_a_name_is_anybodys_and_the_next_push_names_it() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    // What had the name then, had no uid.
    let owner = || Incarnation { uid: Uid::default(), ..crate::host::owner() };
    apply(&machine, &owner(), &bundle).await;
    let identity = host.path("state/k8s_test.loopback/identity");
    for older in [None, Some("version 1\nhosts h1=192.0.2.1\n")] {
        match older {
            None => fs::remove_file(&identity).unwrap(),
            Some(text) => fs::write(&identity, text).unwrap(),
        }
        let unit = UnitName::literal("a.service");
        machine.start(&owner(), std::slice::from_ref(&unit)).await.unwrap();
        machine.note_stamps(&owner(), &[(unit.clone(), bundle.unit_stamp(&unit).unwrap())]).await.unwrap();
        let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
        assert_eq!(bundle::differences(&bundle.manifest(), &observed), []);
        machine.push(&owner(), &bundle, &observed, &quiet).await.unwrap();
        assert!(fs::read_to_string(&identity).unwrap().starts_with("version 4\nhost h1\nuid 00000000-"));
    }
}
