//! What is mounted in a data directory keeps its content, also where links lead there and where a mount is from the same disk.

use crate::host::{Host, apply, owner, quiet, run};
use crate::pushing::Mount;
use bundle::{Bundle, Directory};
use machines::MachineError;
use std::fs;
use std::os::unix::fs::symlink;

fn declaring(host: &Host, directory: Directory) -> Bundle {
    let mut bundle = Bundle::default();
    bundle.data_directories.insert(host.host_path("lib/kubelet"), directory);
    bundle
}

/// `lib/kubelet` is itself a link, or is below one.
fn links(host: &Host, parent: bool) {
    fs::create_dir_all(host.path(if parent { "disk" } else { "disk/kubelet" })).unwrap();
    if parent {
        symlink(host.path("disk"), host.path("lib")).unwrap();
    } else {
        fs::create_dir(host.path("lib")).unwrap();
        symlink(host.path("disk/kubelet"), host.path("lib/kubelet")).unwrap();
        run("chmod", &["750", host.path("disk/kubelet").to_str().unwrap()]);
    }
}

#[tokio::test]
async fn a_volume_below_a_link_keeps_its_content() {
    for parent in [false, true] {
        let host = Host::start();
        let machine = host.connect().await;
        host.write("volume/precious", "data");
        links(&host, parent);
        let before = host.tree();
        let bundle = declaring(&host, Directory::data(0o700));
        apply(&machine, &owner(), &bundle).await;
        let _volume = Mount::bind(&host, "volume", "lib/kubelet/pods/with space/volume");
        machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
        assert_eq!((host.text("volume/precious").as_str(), host.tree()), ("data", before), "{parent}");
        if !parent {
            assert_eq!(host.mode("disk/kubelet"), 0o750, "as it was, and not as the link is");
        }
    }
}

#[tokio::test]
async fn where_something_stays_mounted_nothing_is_deleted_and_the_record_is_kept() {
    let host = Host::start();
    let machine = host.connect().await;
    host.write("volume/precious", "data");
    let bundle = declaring(&host, Directory::data(0o700));
    apply(&machine, &owner(), &bundle).await;
    host.write("lib/kubelet/config", "ours");
    let _volume = Mount::bind(&host, "volume", "lib/kubelet/pods/volume");
    host.write_program("bin/umount", "#!/bin/sh\necho 'target is busy' >&2\nexit 32\n");
    let error = machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap_err();
    assert!(matches!(&error, MachineError::Remove { object, .. } if object.ends_with("lib/kubelet")), "{error}");
    assert!(error.detail().contains("pods/volume is mounted there and cannot be unmounted"), "{error}");
    assert_eq!((host.text("volume/precious").as_str(), host.text("lib/kubelet/config").as_str()), ("data", "ours"));
    fs::remove_file(host.path("bin/umount")).unwrap();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), ["volume", "volume/precious"]);
}

#[tokio::test]
async fn of_a_shared_directory_behind_a_link_what_was_there_and_what_is_mounted_stays() {
    let host = Host::start();
    let machine = host.connect().await;
    host.write("disk/kubelet/old", "before");
    host.write("volume/precious", "data");
    fs::create_dir(host.path("lib")).unwrap();
    symlink(host.path("disk/kubelet"), host.path("lib/kubelet")).unwrap();
    let bundle = declaring(&host, Directory::shared(0o700));
    apply(&machine, &owner(), &bundle).await;
    host.write("lib/kubelet/new", "ours");
    let _volume = Mount::bind(&host, "volume", "lib/kubelet/theirs");
    let _below = Mount::bind(&host, "volume", "lib/kubelet/ours/volume");
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!((host.text("disk/kubelet/old").as_str(), host.text("lib/kubelet/theirs/precious").as_str()), ("before", "data"));
    assert_eq!(host.text("volume/precious"), "data");
    assert!(!host.path("disk/kubelet/new").exists() && !host.path("disk/kubelet/ours").exists());

    // An earlier version saw nothing behind the link.
    apply(&machine, &owner(), &bundle).await;
    fs::remove_file(host.path("state/k8s_test.loopback/kept-entries")).unwrap();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.text("disk/kubelet/old"), "before");
}

#[tokio::test]
async fn a_data_directory_that_somebody_moved_stays_where_it_is_now() {
    let host = Host::start();
    let machine = host.connect().await;
    let bundle = declaring(&host, Directory::data(0o700));
    apply(&machine, &owner(), &bundle).await;
    fs::create_dir(host.path("disk")).unwrap();
    host.write("disk/other", "theirs");
    fs::remove_dir(host.path("lib/kubelet")).unwrap();
    symlink(host.path("disk"), host.path("lib/kubelet")).unwrap();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), ["disk", "disk/other"]);
}
