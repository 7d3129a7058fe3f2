//! Links that somebody put where a directory of a record was, as a pod can that may write above it: a removal takes nothing behind them,
//! and a push changes nothing there that another owner has.

use crate::host::{Host, apply, named, owner, push_error, quiet, run};
use bundle::{Bundle, Directory, File};
use machines::MachineError;
use std::fs;
use std::os::unix::fs::symlink;

fn declaring(host: &Host) -> Bundle {
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("etc/file"), File::public("x"));
    bundle.files.insert(host.host_path("opt/cni/bin/bridge"), File::public("ours"));
    bundle.data_directories.insert(host.host_path("log/pods"), Directory::shared(0o755));
    bundle
}

/// How the directory of logs was before: not there, empty, or with content.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Absent,
    Empty,
    Filled,
}

const ALL: [Before; 3] = [Before::Absent, Before::Empty, Before::Filled];

fn prepare(host: &Host, before: Before) {
    host.write("alice/thesis", "precious");
    run("chmod", &["700", host.path("alice").to_str().unwrap()]);
    match before {
        Before::Absent => {}
        Before::Empty => fs::create_dir_all(host.path("log/pods")).unwrap(),
        Before::Filled => host.write("log/pods/old", "before"),
    }
}

/// `name` is now a link to the directory of somebody else.
fn swap(host: &Host, name: &str) {
    fs::rename(host.path(name), host.path(&format!("{name}.away"))).unwrap();
    symlink(host.path("alice"), host.path(name)).unwrap();
}

#[track_caller]
fn is_untouched(host: &Host, what: &str) {
    assert_eq!((host.text("alice/thesis").as_str(), host.mode("alice")), ("precious", 0o700), "{what}");
}

#[tokio::test]
async fn a_removal_takes_nothing_behind_a_link_that_took_the_place_of_a_directory() {
    for before in ALL {
        for is_older in [false, true] {
            let host = Host::start();
            let (machine, bundle) = (host.connect().await, declaring(&host));
            prepare(&host, before);
            apply(&machine, &owner(), &bundle).await;
            if is_older {
                fs::remove_file(host.path("state/k8s_test.loopback/places")).unwrap();
            }
            host.write("log/pods/ours", "x");
            swap(&host, "log/pods");
            let said = std::sync::Mutex::new(String::new());
            let note = |line: &str| *said.lock().unwrap() += line;
            machine.remove(&owner(), &bundle.manifest(), &note).await.unwrap();
            let what = format!("{before:?}, older: {is_older}");
            is_untouched(&host, &what);
            assert!(said.lock().unwrap().contains("log/pods leads there by a link now"), "{what}: {said:?}");
            // The place of one that we made is as free as it was.
            assert_eq!(fs::symlink_metadata(host.path("log/pods")).is_err(), before == Before::Absent, "{what}");
            assert!(!host.path("etc").exists() && !host.path("state").exists(), "{what}");
        }
    }
}

/// Whoever asks where such a link leads gets nothing, which is also how the path of the root directory begins.
#[tokio::test]
async fn nothing_is_unmounted_or_deleted_for_a_link_that_leads_nowhere() {
    for before in ALL {
        for (is_older, target) in [(false, "gone/disk/pods"), (false, "log/pods"), (true, "gone/disk/pods"), (true, "log/pods")] {
            let host = Host::start();
            let (machine, bundle) = (host.connect().await, declaring(&host));
            prepare(&host, before);
            apply(&machine, &owner(), &bundle).await;
            if is_older {
                fs::remove_file(host.path("state/k8s_test.loopback/places")).unwrap();
            }
            fs::rename(host.path("log/pods"), host.path("log/pods.away")).unwrap();
            symlink(host.path(target), host.path("log/pods")).unwrap();
            for program in ["umount", "find"] {
                host.write_program(&format!("bin/{program}"), "#!/bin/sh\necho \"$0 $*\" >>\"$FAKE/called\"\n");
            }
            machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
            let what = format!("{before:?}, older: {is_older}, {target}");
            assert!(!host.path("fake/called").exists(), "{what}: {}", host.text("fake/called"));
            assert!(!host.path("etc").exists() && !host.path("state").exists(), "{what}");
            is_untouched(&host, &what);
        }
    }
}

#[tokio::test]
async fn nor_behind_one_further_up() {
    for before in ALL {
        let host = Host::start();
        let (machine, bundle) = (host.connect().await, declaring(&host));
        prepare(&host, before);
        apply(&machine, &owner(), &bundle).await;
        swap(&host, "log");
        host.write("alice/pods/theirs", "precious");
        machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
        is_untouched(&host, &format!("{before:?}"));
        assert_eq!(host.text("alice/pods/theirs"), "precious", "{before:?}");
    }
}

#[tokio::test]
async fn files_of_the_same_names_behind_a_link_stay() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, declaring(&host));
    prepare(&host, Before::Absent);
    host.write("opt/cni/bin/bridge", "foreign");
    apply(&machine, &owner(), &bundle).await;
    host.write("alice/bridge", "theirs");
    swap(&host, "opt/cni/bin");
    // What was there before has nowhere to go, and is not lost for it.
    let error = machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap_err().detail();
    let backup = host.path("state/k8s_test.loopback/backup").join(host.path("opt/cni/bin/bridge").strip_prefix("/").unwrap());
    assert!(error.contains(backup.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_to_string(&backup).unwrap(), "foreign");
    fs::remove_file(&backup).unwrap();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    is_untouched(&host, "a file");
    assert_eq!(host.text("alice/bridge"), "theirs");
}

#[tokio::test]
async fn nothing_is_written_behind_a_link_that_took_the_place_of_a_directory() {
    let host = Host::start();
    let (machine, mut bundle) = (host.connect().await, declaring(&host));
    prepare(&host, Before::Absent);
    apply(&machine, &owner(), &bundle).await;
    host.write("alice/bridge", "theirs");
    swap(&host, "opt/cni/bin");
    bundle.files.insert(host.host_path("opt/cni/bin/bridge"), File::public("newer"));
    let error = push_error(&machine, &bundle).await;
    assert!(matches!(&error, MachineError::Elsewhere { moved, .. } if moved.is.ends_with("alice")), "{error}");
    assert_eq!(host.text("alice/bridge"), "theirs");
    is_untouched(&host, "a push");
    let backups = fs::read_dir(host.path("state/k8s_test.loopback/backup")).unwrap();
    assert_eq!(backups.count(), 0, "what is behind the link is nobody's original");
    // What goes elsewhere is written, and where there is no link any more, all is.
    bundle.files.insert(host.host_path("opt/cni/bin/bridge"), File::public("ours"));
    bundle.files.insert(host.host_path("etc/file"), File::public("newer"));
    host.write("alice/bridge", "ours");
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(host.text("etc/file"), "newer");
    fs::remove_file(host.path("opt/cni/bin")).unwrap();
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(host.text("opt/cni/bin/bridge"), "ours");
}

#[tokio::test]
async fn what_was_there_before_comes_back_into_a_directory_that_somebody_deleted() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, declaring(&host));
    host.write("opt/cni/bin/bridge", "foreign");
    apply(&machine, &owner(), &bundle).await;
    fs::remove_dir_all(host.path("opt/cni")).unwrap();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!((host.text("opt/cni/bin/bridge").as_str(), host.mode("opt/cni")), ("foreign", 0o755));
}

#[tokio::test]
async fn what_is_put_back_is_not_written_through_a_link() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, declaring(&host));
    prepare(&host, Before::Absent);
    host.write("opt/cni/bin/bridge", "foreign");
    apply(&machine, &owner(), &bundle).await;
    symlink(host.path("alice/thesis"), host.path("opt/cni/bin/.k8s-hardway.k8s_test.loopback.back")).unwrap();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    is_untouched(&host, "a backup");
    assert_eq!(host.text("opt/cni/bin/bridge"), "foreign");
}

#[tokio::test]
async fn a_second_owner_gives_no_mode_to_what_is_behind_a_link_and_takes_nothing_there() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, declaring(&host));
    prepare(&host, Before::Absent);
    apply(&machine, &owner(), &bundle).await;
    fs::rename(host.path("alice/thesis"), host.path("thesis")).unwrap();
    swap(&host, "log/pods");
    apply(&machine, &named("k8s_test.other"), &bundle).await;
    fs::rename(host.path("thesis"), host.path("alice/thesis")).unwrap();
    is_untouched(&host, "a push");
    for owner in [owner(), named("k8s_test.other")] {
        machine.remove(&owner, &bundle.manifest(), &quiet).await.unwrap();
        is_untouched(&host, "a removal");
    }
}

/// A link that was there at the push is how the user wants it, also in a record that is gone on with.
#[tokio::test]
async fn places_are_noted_once_and_of_an_older_record_where_there_is_no_link() {
    let host = Host::start();
    let (machine, mut bundle) = (host.connect().await, declaring(&host));
    prepare(&host, Before::Empty);
    bundle.data_directories.insert(host.host_path("log/links"), Directory::shared(0o755));
    fs::create_dir_all(host.path("disk")).unwrap();
    symlink(host.path("disk"), host.path("log/links")).unwrap();
    apply(&machine, &owner(), &bundle).await;
    let line = |name: &str, to: &str| format!("{}\t{}\n", host.path(name).display(), host.path(to).display());
    let places = host.text("state/k8s_test.loopback/places");
    assert!(places.contains(&line("log/links", "disk")) && places.contains(&line("log/pods", "log/pods")), "{places}");
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(host.text("state/k8s_test.loopback/places"), places);
    fs::remove_file(host.path("state/k8s_test.loopback/places")).unwrap();
    apply(&machine, &owner(), &bundle).await;
    let places = host.text("state/k8s_test.loopback/places");
    assert!(!places.contains("log/links") && places.contains(&line("log/pods", "log/pods")), "{places}");
    assert!(places.contains(&line("etc", "etc")) && places.contains(&line("opt/cni/bin", "opt/cni/bin")), "{places}");
}

/// There is nothing to leave alone, and nothing to say.
#[tokio::test]
async fn a_directory_that_is_gone_is_no_link() {
    let host = Host::start();
    let (machine, bundle) = (host.connect().await, declaring(&host));
    prepare(&host, Before::Absent);
    apply(&machine, &owner(), &bundle).await;
    for name in ["opt", "log", "etc"] {
        fs::remove_dir_all(host.path(name)).unwrap();
    }
    let said = std::sync::Mutex::new(String::new());
    let note = |line: &str| *said.lock().unwrap() += line;
    machine.remove(&owner(), &bundle.manifest(), &note).await.unwrap();
    assert!(!said.lock().unwrap().contains(" stays "), "{said:?}");
    assert_eq!(host.tree(), ["alice", "alice/thesis"]);
}
