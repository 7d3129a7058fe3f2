//! A script whose input ends early, after any byte of it, does nothing: what a list does not name may only have been lost on the way.

use crate::host::{Host, owner, quiet, unit_that_reads};
use bundle::{Bundle, Digest, File, UnitName};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const COMMON: &str = include_str!("../../src/scripts/common.sh");

/// Runs a script as `Machine` does, with this much of its input.
pub fn run(host: &Host, shell: &[&str], script: &str, arguments: &str, input: &[u8]) -> Output {
    let folder = host.folder.path().display();
    let path = format!("{folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("-c").arg(format!("set -- {arguments}\n{COMMON}\n{script}")).env("PATH", path);
    command.env("K8S_HARDWAY_STATE", host.path("state")).env("K8S_HARDWAY_CACHE", host.path("cache"));
    command
        .env("FAKE", host.path("fake"))
        .env("K8S_HARDWAY_ROOT", host.path("root"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A script that stops early reads no further.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

const SHELLS: [&[&str]; 2] = [&["dash"], &["bash", "--posix"]];

#[track_caller]
fn check(host: &Host, script: &str, arguments: &str, input: &str) {
    let before = (host.tree(), host.systemctl_calls());
    for shell in SHELLS {
        for length in 0..input.trim_end().len() {
            let output = run(host, shell, script, arguments, &input.as_bytes()[..length]);
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            let what = format!("{shell:?} with {:?}: {answer}", &input[..length]);
            assert!(!output.status.success() && answer.contains("error\tcut-off\t"), "{what}");
            assert!(!answer.lines().any(|line| line == "end" || line == "installed"), "{what}");
            assert_eq!((host.tree(), host.systemctl_calls()), before, "{what}");
        }
    }
    for shell in SHELLS {
        let output = run(host, shell, script, arguments, input.as_bytes());
        assert!(output.status.success(), "{shell:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// For whom a script works and on which host, and the rest.
pub fn arguments(rest: &str) -> String {
    let owner = owner();
    format!("{} h1 {} {} {rest}", owner.name, owner.uid, owner.holder)
}

/// With two files, a unit that runs and a record of them.
async fn pushed(host: &Host) {
    let machine = host.connect().await;
    let mut bundle = Bundle::default();
    let unit_file = host.host_path("fake/etc/a.service");
    bundle.files.insert(unit_file.clone(), File::public("[Service]\n"));
    bundle.files.insert(host.host_path("etc/file"), File::public("x"));
    bundle.units.insert(UnitName::literal("a.service"), unit_that_reads(unit_file));
    let stamp = bundle.unit_stamp(&UnitName::literal("a.service"));
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    machine.push(&owner(), &bundle, &observed, &quiet).await.unwrap();
    let unit = UnitName::literal("a.service");
    machine.start(&owner(), std::slice::from_ref(&unit)).await.unwrap();
    machine.note_stamps(&owner(), &[(unit, stamp.unwrap())]).await.unwrap();
    std::fs::create_dir_all(host.path("state/k8s_test.loopback/programs")).unwrap();
    std::fs::create_dir_all(host.path("cache/sha256")).unwrap();
}

#[tokio::test]
async fn a_prune_whose_list_is_cut_off_removes_nothing() {
    let host = Host::start();
    pushed(&host).await;
    let list = format!("unit a.service\nfile {0}/fake/etc/a.service x\nfile {0}/etc/file x\nend\n", host.folder.path().display());
    let script = include_str!("../../src/scripts/remove.sh");
    check(&host, script, &arguments("rest"), &list);
    assert!(host.path("etc/file").exists() && host.path("fake/etc/a.service").exists());
    for length in 0..list.trim_end().len() {
        let output = run(&host, SHELLS[0], script, &arguments("all").replace("loopback", "other"), &list.as_bytes()[..length]);
        assert!(!output.status.success() && !host.path("state/k8s_test.other").exists(), "a record of nothing is left");
    }
}

#[tokio::test]
async fn an_action_on_units_whose_list_is_cut_off_touches_none() {
    let host = Host::start();
    pushed(&host).await;
    let script = include_str!("../../src/scripts/units.sh");
    check(&host, script, &arguments("stop"), "a.service -\nb.service -\nend\n");
}

#[tokio::test]
async fn questions_that_are_cut_off_are_not_answered() {
    let host = Host::start();
    pushed(&host).await;
    let question =
        format!("file {0}/etc/file\nunit a.service\nmodule overlay overlay overlay -\nend\n", host.folder.path().display());
    check(&host, include_str!("../../src/scripts/read.sh"), &arguments(""), &question);
    let question = "filled /var/lib/none\ncertificates /etc/none.crt\nend\n";
    check(&host, include_str!("../../src/scripts/inventory.sh"), "", question);
}

#[tokio::test]
async fn programs_are_installed_by_a_whole_list_only() {
    let host = Host::start();
    pushed(&host).await;
    std::fs::remove_dir_all(host.path("state/k8s_test.loopback/programs")).unwrap();
    let digest = Digest::of(b"program");
    host.write(&format!("cache/sha256/{digest}"), "program");
    let folder = host.folder.path().display();
    let list = format!("fetch {digest} https://x.invalid/p\ninstall {digest} {digest} - {folder}/etc/p\nend\n");
    let lines: Vec<usize> = list.match_indices('\n').map(|(at, _)| at + 1).collect();
    // Between lines and in the middle of each: a process for each byte would take a minute.
    let lengths = lines.iter().flat_map(|at| [at.saturating_sub(7), *at]).filter(|at| *at < list.trim_end().len());
    let script = include_str!("../../src/scripts/binaries.sh");
    for length in lengths {
        for shell in SHELLS {
            let output = run(&host, shell, script, &arguments(""), &list.as_bytes()[..length]);
            assert!(!output.status.success() && !host.path("etc/p").exists(), "{:?}", &list[..length]);
        }
    }
    let output = run(&host, SHELLS[0], script, &arguments(""), list.as_bytes());
    assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), host.text("etc/p").as_str()), ("installed\n", "program"));
}

#[tokio::test]
async fn no_download_is_deleted_by_a_list_that_is_cut_off() {
    let host = Host::start();
    pushed(&host).await;
    let digest = Digest::of(b"program");
    host.write(&format!("cache/sha256/{digest}"), "program");
    host.write(&format!("cache/sha256/{}", Digest::of(b"old")), "old");
    let script = include_str!("../../src/scripts/downloads.sh");
    check(&host, script, &arguments(""), &format!("{digest}\nend\n"));
    assert_eq!(std::fs::read_dir(host.path("cache/sha256")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_secret_that_is_cut_off_takes_nobodys_place() {
    let host = Host::start();
    host.write("secret", "before");
    let (script, path) = (include_str!("../../src/scripts/write_file.sh"), host.path("secret"));
    for shell in SHELLS {
        for length in 0..6 {
            let output = run(&host, shell, script, &format!("{} 0600 root:root 6", path.display()), &b"canary"[..length]);
            assert!(!output.status.success() && host.text("secret") == "before");
        }
    }
    let output = run(&host, SHELLS[0], script, &format!("{} 0600 root:root 6", path.display()), b"canary");
    assert!(output.status.success() && host.text("secret") == "canary" && host.mode("secret") == 0o600);
    assert_eq!(host.tree(), ["secret"]);
}
