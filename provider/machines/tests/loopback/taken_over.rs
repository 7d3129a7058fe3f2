//! Another state went on with what a record names: scripts for the one that had it before read, change and remove nothing.

use crate::host::{Host, apply, bundle, owner, quiet};
use crate::remove_program::remove;
use bundle::{Digest, UnitName};
use machines::{Incarnation, MachineError, Uid};

fn held_by(number: u8) -> Incarnation {
    Incarnation { holder: Uid::of_random([number; 16]), ..owner() }
}

#[track_caller]
fn is_refused<T>(answer: Result<T, MachineError>, what: &str) {
    let Err(error) = answer else { panic!("{what} was done") };
    assert!(matches!(&error, MachineError::TakenOver { owner, .. } if owner == "k8s_test.loopback"), "{what}: {error}");
    assert!(error.summary().ends_with("was taken over from this state"), "{}", error.summary());
}

/// `owner()` is of a state from before there were holders.
#[tokio::test]
async fn every_script_for_a_holder_that_was_superseded_is_refused() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    let new = held_by(3);
    for old in [owner(), held_by(2)] {
        apply(&machine, &old, &bundle).await;
        let (manifest, observed) = (bundle.manifest(), machine.read(&old, &bundle.manifest()).await.unwrap());
        machine.read(&new, &manifest).await.unwrap();
        machine.take_over(&new).await.unwrap();
        let lists = ["holders", "superseded"].map(|list| host.text(&format!("state/k8s_test.loopback/{list}")));
        assert!(lists[0].ends_with(&format!("{}\n", new.holder)), "{lists:?}");
        assert!(lists[1].starts_with(&format!("{}\n", Uid::NIL)) && !lists[1].contains(new.holder.as_str()), "{lists:?}");
        let (before, calls) = (host.tree(), host.systemctl_calls());
        let units = [UnitName::literal("a.service")];
        let stamps = [(units[0].clone(), Digest::of(b"s"))];
        is_refused(machine.read(&old, &manifest).await, "read");
        is_refused(machine.push(&old, &bundle, &observed, &quiet).await, "push");
        is_refused(machine.take_over(&old).await, "take over");
        is_refused(machine.start(&old, &units).await, "start");
        is_refused(machine.restart(&old, &units).await, "restart");
        is_refused(machine.reload(&old, &units).await, "reload");
        is_refused(machine.note_stamps(&old, &stamps).await, "note");
        is_refused(machine.withdraw_stamps(&old, &units).await, "withdraw");
        is_refused(machine.stop(&old, &units).await, "stop");
        is_refused(machine.prune(&old, &bundle, &quiet).await, "prune");
        is_refused(machine.remove(&old, &manifest, &quiet).await, "remove");
        assert_eq!((host.tree(), host.systemctl_calls()), (before, calls));
        machine.take_over(&new).await.unwrap();
        assert_eq!(["holders", "superseded"].map(|list| host.text(&format!("state/k8s_test.loopback/{list}"))), lists);
        apply(&machine, &new, &bundle).await;
        machine.remove(&new, &manifest, &quiet).await.unwrap();
        assert_eq!(host.tree(), [""; 0]);
    }
}

#[tokio::test]
async fn the_inventory_names_holders_and_a_host_whose_record_went_meanwhile_is_not_taken_for_one_of_ours() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    let error = machine.take_over(&held_by(2)).await.unwrap_err();
    assert!(matches!(error, MachineError::Removed { .. }), "{error}");
    assert_eq!(host.tree(), ["state"]);
    apply(&machine, &held_by(2), &bundle).await;
    machine.take_over(&held_by(3)).await.unwrap();
    let inventory = machine.inventory(&machines::Question::default()).await.unwrap();
    let record = &inventory.records[&owner().name];
    assert_eq!(record.holders, [2, 3].map(|number| held_by(number).holder).into());
    assert_eq!(record.superseded, [Uid::default(), held_by(2).holder].into());
}

/// Root has no state.
#[tokio::test]
async fn root_can_remove_what_was_taken_over() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, bundle(&host));
    apply(&machine, &held_by(2), &bundle).await;
    machine.take_over(&held_by(3)).await.unwrap();
    let output = remove(&host, &[owner().name.as_str()]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(host.tree(), [""; 0]);
}
