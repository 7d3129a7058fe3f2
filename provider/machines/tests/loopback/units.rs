//! Which calls of systemctl are made, and when a stamp is written. The real systemd is met in the acceptance tests.

use crate::host::{Host, apply, owner, unit_that_reads};
use bundle::{Bundle, Digest, File, OnChange, UnitName, differences};
use machines::{Machine, MachineError, Question};

/// Unit files go where the stand-in for systemctl looks.
fn units(host: &Host, names: &[&str]) -> (Bundle, Vec<(UnitName, Digest)>) {
    let mut bundle = Bundle::default();
    let mut starts = Vec::new();
    for name in names {
        let path = host.host_path(&format!("fake/etc/{name}"));
        bundle.files.insert(path.clone(), File::public("[Service]\n"));
        let unit = UnitName::literal(name);
        bundle.units.insert(unit.clone(), unit_that_reads(path));
        let stamp = bundle.unit_stamp(&unit).unwrap();
        starts.push((unit, stamp));
    }
    (bundle, starts)
}

fn names(starts: &[(UnitName, Digest)]) -> Vec<UnitName> {
    starts.iter().map(|(unit, _)| unit.clone()).collect()
}

/// Started, and seen healthy.
async fn come_up(machine: &Machine, starts: &[(UnitName, Digest)]) {
    machine.start(&owner(), &names(starts)).await.unwrap();
    machine.note_stamps(&owner(), starts).await.unwrap();
}

async fn drift(machine: &Machine, bundle: &Bundle) -> Vec<String> {
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    differences(&bundle.manifest(), &observed).iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn units_are_enabled_started_and_stamped_and_then_nothing_differs() {
    let host = Host::start();
    let machine = host.connect().await;
    let (bundle, starts) = units(&host, &["a.service", "b.service"]);
    assert!(drift(&machine, &bundle).await.contains(&"a.service: unknown to systemd".to_string()));
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(drift(&machine, &bundle).await, ["a.service: inactive, not running", "b.service: inactive, not running"]);
    assert_eq!(host.systemctl_calls(), [""; 0]);
    machine.start(&owner(), &names(&starts)).await.unwrap();
    let unproven = |unit: &str| format!("{unit}: not seen healthy with its configuration");
    assert_eq!(drift(&machine, &bundle).await, ["a.service", "b.service"].map(unproven));
    machine.note_stamps(&owner(), &starts[..1]).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, [unproven("b.service")]);
    machine.note_stamps(&owner(), &starts).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, [""; 0]);
    machine.start(&owner(), &names(&starts)).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, [""; 0], "what runs was not started again");
    let calls = ["enable -q -- a.service b.service", "reset-failed -- a.service b.service", "start -- a.service b.service"];
    assert_eq!(host.systemctl_calls()[..3], calls);
    machine.stop(&owner(), &[UnitName::literal("a.service")]).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, ["a.service: inactive, not running"]);
}

#[tokio::test]
async fn a_unit_whose_stamp_is_withdrawn_is_not_up_to_date_and_goes_on_running() {
    let host = Host::start();
    let machine = host.connect().await;
    let (bundle, starts) = units(&host, &["a.service", "b.service"]);
    apply(&machine, &owner(), &bundle).await;
    come_up(&machine, &starts).await;
    let calls = host.systemctl_calls().len();
    machine.withdraw_stamps(&owner(), &[UnitName::literal("a.service")]).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, ["a.service: not seen healthy with its configuration"]);
    assert_eq!(host.systemctl_calls().len(), calls);
}

#[tokio::test]
async fn a_running_unit_is_marked_until_it_was_seen_to_read_a_new_file_again() {
    let host = Host::start();
    let machine = host.connect().await;
    let (mut bundle, starts) = units(&host, &["a.service", "b.service"]);
    let certificate = host.host_path("etc/a.crt");
    bundle.files.insert(certificate.clone(), File::public("one"));
    bundle.units.get_mut(&starts[0].0).unwrap().reads.insert(certificate.clone(), OnChange::ReadAgain);
    apply(&machine, &owner(), &bundle).await;
    come_up(&machine, &starts).await;
    assert_eq!(drift(&machine, &bundle).await, [""; 0], "a start reads everything");
    let calls = host.systemctl_calls().len();

    bundle.files.insert(certificate.clone(), File::public("two"));
    for _ in 0..2 {
        apply(&machine, &owner(), &bundle).await;
        assert_eq!(drift(&machine, &bundle).await, ["a.service: not yet seen to read its new files"]);
    }
    machine.note_stamps(&owner(), &starts[..1]).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, [""; 0]);
    assert_eq!(host.systemctl_calls().len(), calls, "a unit was touched");

    bundle.files.insert(certificate.clone(), File::public("three"));
    apply(&machine, &owner(), &bundle).await;
    machine.restart(&owner(), &names(&starts[..1])).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, ["a.service: not seen healthy with its configuration"]);
    machine.note_stamps(&owner(), &starts[..1]).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, [""; 0], "a restart reads everything");

    machine.withdraw_stamps(&owner(), &[starts[0].0.clone()]).await.unwrap();
    bundle.files.insert(certificate, File::public("four"));
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(drift(&machine, &bundle).await, ["a.service: not seen healthy with its configuration"]);
}

#[tokio::test]
async fn a_unit_that_was_not_restarted_with_what_it_reads_now_is_seen() {
    let host = Host::start();
    let machine = host.connect().await;
    let (mut bundle, starts) = units(&host, &["a.service"]);
    apply(&machine, &owner(), &bundle).await;
    come_up(&machine, &starts).await;
    bundle.files.values_mut().for_each(|file| *file = File::public("[Service]\n# changed\n"));
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(drift(&machine, &bundle).await, ["a.service: runs with an older configuration"]);
    let unit = UnitName::literal("a.service");
    let stamp = bundle.unit_stamp(&unit).unwrap();
    machine.reload(&owner(), std::slice::from_ref(&unit)).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, ["a.service: not seen healthy with its configuration"]);
    machine.note_stamps(&owner(), &[(unit.clone(), stamp)]).await.unwrap();
    assert_eq!(drift(&machine, &bundle).await, [""; 0]);
    machine.restart(&owner(), &[unit]).await.unwrap();
    assert!(host.systemctl_calls().ends_with(&["reset-failed -- a.service".into(), "restart -- a.service".into()]));
}

#[tokio::test]
async fn that_a_unit_came_up_once_outlasts_its_stamp() {
    let host = Host::start();
    let machine = host.connect().await;
    let (bundle, starts) = units(&host, &["a.service", "b.service"]);
    apply(&machine, &owner(), &bundle).await;
    let (a, b) = (starts[0].0.clone(), starts[1].0.clone());
    machine.start(&owner(), &names(&starts[..1])).await.unwrap();
    machine.restart(&owner(), &names(&starts[..1])).await.unwrap();
    machine.withdraw_stamps(&owner(), &[a.clone(), b]).await.unwrap();
    let found = machine.inventory(&Question::default()).await.unwrap();
    assert_eq!(found.records[&owner().name].started, [a.clone()].into());
    assert_eq!(host.text("state/k8s_test.loopback/started"), "a.service\n");
    // Records of older versions have stamps and no list.
    for withdraw in [true, false] {
        std::fs::remove_file(host.path("state/k8s_test.loopback/started")).unwrap();
        machine.note_stamps(&owner(), &starts[..1]).await.unwrap();
        match withdraw {
            true => machine.withdraw_stamps(&owner(), std::slice::from_ref(&a)).await.unwrap(),
            false => machine.restart(&owner(), std::slice::from_ref(&a)).await.unwrap(),
        }
        assert_eq!(host.text("state/k8s_test.loopback/started"), "a.service\n");
    }
}

#[tokio::test]
async fn a_unit_that_does_not_start_is_an_error_with_its_journal_and_the_others_run() {
    let host = Host::start();
    let machine = host.connect().await;
    let (bundle, starts) = units(&host, &["a.service", "b.service"]);
    apply(&machine, &owner(), &bundle).await;
    host.write("fake/units/a.service.broken", "");
    let error = machine.start(&owner(), &names(&starts)).await.unwrap_err();
    assert!(matches!(&error, MachineError::Unit { unit, .. } if unit == "a.service"));
    let text = error.to_string();
    for part in [
        "cannot start a.service on h1",
        "ActiveState=failed",
        "Job for a.service failed.",
        "the last words",
        "Running apply again is safe",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let lines = ["a.service: failed, not running", "b.service: not seen healthy with its configuration"];
    assert_eq!(drift(&machine, &bundle).await, lines);
}

#[tokio::test]
async fn a_unit_without_a_unit_file_is_an_error_that_says_so() {
    let host = Host::start();
    let error = host.connect().await.start(&owner(), &[UnitName::literal("none.service")]).await.unwrap_err().to_string();
    assert!(error.contains("its unit file is missing"), "{error}");
}
