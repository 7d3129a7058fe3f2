//! Programs are asked whether they take their settings, and what a push replaced comes back when one does not.

use crate::host::{Host, apply, owner, quiet, unit_that_reads};
use bundle::{Binary, Bundle, Check, Digest, File, OnChange, UnitName};
use machines::{Machine, MachineError};
use std::os::unix::fs::MetadataExt as _;

const UNIT: &str = "a.service";

/// A unit whose program takes a file when it holds `good`, and a file that it reads again by itself.
fn bundle(host: &Host, setting: &str, rest: &[&str]) -> Bundle {
    let mut bundle = Bundle::default();
    let (unit_file, file) = (host.host_path("fake/etc/a.service"), host.host_path("etc/settings"));
    let certificate = host.host_path("etc/a.crt");
    bundle.files.insert(unit_file.clone(), File::public("[Service]\n"));
    bundle.files.insert(file.clone(), File::private(setting));
    bundle.files.insert(certificate.clone(), File::public(setting));
    let command = format!("grep -q good {file} || {{ echo \"Error: $(cat {file})\" >&2; exit 7; }}");
    let mut unit = unit_that_reads(unit_file);
    unit.reads.extend([(file, OnChange::Restart), (certificate, OnChange::ReadAgain)]);
    for path in rest {
        let path = host.host_path(path);
        bundle.files.insert(path.clone(), File::public(setting));
        unit.reads.insert(path, OnChange::Restart);
    }
    unit.check = Some(Check { command, got_past: None });
    bundle.units.insert(UnitName::literal(UNIT), unit);
    bundle
}

fn checks(bundle: &Bundle) -> Vec<(UnitName, Check)> {
    bundle.units.iter().filter_map(|(name, unit)| Some((name.clone(), unit.check.clone()?))).collect()
}

async fn push(machine: &Machine, bundle: &Bundle) {
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    machine.push(&owner(), bundle, &observed, &quiet).await.unwrap();
}

fn record(host: &Host) -> Vec<String> {
    host.tree().into_iter().filter(|path| path.contains("/old") || path.contains("replaced") || path.contains("checks")).collect()
}

#[tokio::test]
async fn what_a_program_takes_stays_and_what_it_replaced_goes() {
    let host = Host::start();
    let machine = host.connect().await;
    for setting in ["good", "good too"] {
        push(&machine, &bundle(&host, setting, &[])).await;
        machine.check(&owner(), &checks(&bundle(&host, setting, &[]))).await.unwrap();
        assert_eq!((host.text("etc/settings"), record(&host)), (setting.to_string(), vec![]));
    }
    assert_eq!(host.systemctl_calls(), [""; 0]);
}

#[tokio::test]
async fn what_a_program_refuses_goes_and_what_was_there_comes_back() {
    let host = Host::start();
    let machine = host.connect().await;
    apply(&machine, &owner(), &bundle(&host, "good", &[])).await;
    machine.check(&owner(), &checks(&bundle(&host, "good", &[]))).await.unwrap();
    let bad = bundle(&host, "unknown flag: --x", &["etc/more"]);
    push(&machine, &bad).await;
    assert_eq!((host.text("etc/settings"), host.text("etc/more")), ("unknown flag: --x".into(), "unknown flag: --x".into()));
    // A second push before the first was checked: what runs is what the first one found.
    let worse = bundle(&host, "worse", &["etc/more"]);
    push(&machine, &worse).await;
    let error = machine.check(&owner(), &checks(&worse)).await.unwrap_err();
    assert!(matches!(&error, MachineError::Settings { unit, said, .. } if unit == UNIT && said == "Error: worse"), "{error}");
    assert!(
        error.to_string().starts_with("a.service on h1 (127.0.0.1) would not start with its new settings")
            || error.to_string().contains("would not start"),
        "{error}"
    );
    assert_eq!((host.text("etc/settings"), host.mode("etc/settings")), ("good".into(), 0o600));
    assert!(!host.path("etc/more").exists());
    assert_eq!(host.text("etc/a.crt"), "worse", "it is read again by itself");
    assert_eq!(record(&host), [""; 0]);
    assert!(!host.path("etc/.k8s-hardway.k8s_test.loopback.old").exists());
    // Again, from what is there.
    push(&machine, &bad).await;
    machine.check(&owner(), &checks(&bad)).await.unwrap_err();
    assert_eq!(host.text("etc/settings"), "good");
    push(&machine, &bundle(&host, "good again", &[])).await;
    machine.check(&owner(), &checks(&bundle(&host, "good again", &[]))).await.unwrap();
}

/// A file that somebody else had changed was replaced, and no unit had to be asked.
#[tokio::test]
async fn what_a_push_replaced_that_needs_no_check_never_comes_back() {
    let host = Host::start();
    let machine = host.connect().await;
    let good = bundle(&host, "good", &[]);
    apply(&machine, &owner(), &good).await;
    machine.check(&owner(), &checks(&good)).await.unwrap();
    std::fs::write(host.path("etc/settings"), "edited").unwrap();
    push(&machine, &good).await;
    machine.check(&owner(), &[]).await.unwrap();
    assert_eq!(record(&host), [""; 0]);
    let bad = bundle(&host, "bad", &[]);
    push(&machine, &bad).await;
    machine.check(&owner(), &checks(&bad)).await.unwrap_err();
    assert_eq!(host.text("etc/settings"), "good");
}

/// `apply` has read it again, and found it as declared.
#[tokio::test]
async fn a_program_comes_back_as_the_one_that_the_record_knows() {
    let host = Host::start();
    let machine = host.connect().await;
    let with_program = |content: &str| {
        host.write(&format!("dl/{content}"), content);
        let mut bundle = bundle(&host, "good", &[]);
        let path = host.host_path("bin2/prog");
        let url = format!("file://{}/{content}", host.path("dl").display());
        let binary = Binary { url: url.as_str().into(), sha256: Some(Digest::of(content.as_bytes())), member: None };
        bundle.binaries.insert(path.clone(), binary);
        let unit = bundle.units.get_mut(&UnitName::literal(UNIT)).unwrap();
        unit.reads.insert(path.clone(), OnChange::Restart);
        unit.check.as_mut().unwrap().command = format!("grep -q old {path}");
        bundle
    };
    let old = with_program("old");
    apply(&machine, &owner(), &old).await;
    machine.check(&owner(), &checks(&old)).await.unwrap();
    let inode = std::fs::metadata(host.path("bin2/prog")).unwrap().ino();
    push(&machine, &with_program("new")).await;
    assert_eq!(host.text("bin2/prog"), "new");
    machine.check(&owner(), &checks(&with_program("new"))).await.unwrap_err();
    assert_eq!(host.text("bin2/prog"), "old");
    assert_eq!(std::fs::metadata(host.path("bin2/prog")).unwrap().ino(), inode);
    let observed = machine.read(&owner(), &old.manifest()).await.unwrap();
    assert_eq!(observed.binaries[&host.host_path("bin2/prog")].identity, old.binaries[&host.host_path("bin2/prog")].identity());
}

#[track_caller]
fn says(error: &MachineError, expect: &str) {
    assert!(matches!(error, MachineError::Settings { said, .. } if said == expect), "{error}");
}

#[tokio::test]
async fn the_end_of_a_check_tells_whether_the_program_got_past_its_settings() {
    let host = Host::start();
    let machine = host.connect().await;
    let ask = async |command: &str, got_past: Option<&'static str>| {
        let check = Check { command: command.into(), got_past };
        machine.check(&owner(), &[(UnitName::literal(UNIT), check)]).await
    };
    ask("echo nothing; exit 1", Some("nothing")).await.unwrap();
    ask("true", Some("nothing")).await.unwrap();
    // What no setting is to blame for is left to the gate.
    ask("kill -9 $$", None).await.unwrap();
    ask("exec timeout 0.1 sleep 5", None).await.unwrap();
    says(&ask("echo E; exit 1", None).await.unwrap_err(), "E");
    says(&ask("echo 'no thing'; exit 1", Some("nothing")).await.unwrap_err(), "no thing");
    says(&ask("exit 3", None).await.unwrap_err(), "(it gave no reason)");
    // As klog ends a program, which no signal does.
    says(&ask("echo E; exit 255", None).await.unwrap_err(), "E");
    assert!(ask("/no/such/program", None).await.unwrap_err().to_string().contains("not found"));
    let flags = "{\"level\":\"info\",\"msg\":\"x\"}\n{\"level\":\"fatal\",\"msg\":\"no\",\"error\":\"way\"}";
    says(&ask(&format!("printf '%s\\n' '{flags}'; yes | head -n 100000; exit 1"), None).await.unwrap_err(), "no: way");
}

/// The first that is refused is the error, whatever the others say.
#[tokio::test]
async fn all_checks_run_at_the_same_time() {
    let host = Host::start();
    let machine = host.connect().await;
    let check = |command: &str| Check { command: command.into(), got_past: None };
    let units: Vec<(UnitName, Check)> =
        (0..6).map(|n| (UnitName::literal(&format!("{n}.service")), check("sleep 0.5; test \"$0\" = x"))).collect();
    let begin = std::time::Instant::now();
    let error = machine.check(&owner(), &units).await.unwrap_err();
    assert!(error.to_string().contains("0.service on h1"), "{error}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(2), "{:?}", begin.elapsed());
}
