//! After `remove` a host is as it was before.

use crate::host::{Host, apply, owner, quiet, run, unit_that_reads};
use crate::pushing::Mount;
use bundle::{Bundle, Digest, Directory, File, UnitName, differences};
use machines::MachineError;
use std::collections::BTreeSet;
use std::fs;

fn everything(host: &Host) -> Bundle {
    let mut bundle = Bundle::default();
    let unit_file = host.host_path("fake/etc/a.service");
    bundle.files.insert(unit_file.clone(), File::public("[Service]\n"));
    bundle.files.insert(host.host_path("etc/new/deep/file"), File::public("x"));
    bundle.files.insert(host.host_path("etc/there-before.conf"), File::public("ours"));
    bundle.units.insert(UnitName::literal("a.service"), unit_that_reads(unit_file));
    bundle.data_directories.insert(host.host_path("data/etcd"), Directory::data(0o700));
    bundle.clean_up("words", format!("echo \"it's clean\" >>{}", host.path("cleaned").display()));
    bundle.clean_up("nothing", "false");
    bundle
}

async fn pushed(host: &Host) -> (machines::Machine, Bundle) {
    host.write("etc/there-before.conf", "foreign");
    run("chmod", &["604", host.path("etc/there-before.conf").to_str().unwrap()]);
    let machine = host.connect().await;
    let bundle = everything(host);
    apply(&machine, &owner(), &bundle).await;
    let unit = UnitName::literal("a.service");
    machine.start(&owner(), std::slice::from_ref(&unit)).await.unwrap();
    host.write("data/etcd/member/wal", "data");
    (machine, bundle)
}

#[tokio::test]
async fn nothing_is_left_what_was_there_before_is_back_and_a_second_run_is_fine() {
    let host = Host::start();
    let (machine, bundle) = pushed(&host).await;
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    for _ in 0..2 {
        assert_eq!(host.tree(), ["cleaned", "etc", "etc/there-before.conf"]);
        assert_eq!((host.text("etc/there-before.conf").as_str(), host.mode("etc/there-before.conf")), ("foreign", 0o604));
        assert_eq!(host.text("cleaned"), "it's clean\n");
        assert!(!host.path("fake/etc/a.service").exists());
        machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    }
    let calls = host.systemctl_calls();
    let of_removal = ["disable -q -- a.service", "stop -- a.service", "daemon-reload", "reset-failed -- a.service"];
    assert!(calls.ends_with(&of_removal.map(String::from)), "{calls:?}");
}

#[tokio::test]
async fn a_removal_that_is_cut_off_anywhere_is_finished_by_the_next_one() {
    let host = Host::start();
    let (machine, bundle) = pushed(&host).await;
    for program in ["systemctl", "rm", "cp", "rmdir", "mv"] {
        let real = fs::read(host.path(&format!("bin/{program}"))).ok();
        host.write_program(&format!("bin/{program}"), "#!/bin/sh\nkill -KILL $PPID\n");
        assert!(machine.remove(&owner(), &bundle.manifest(), &quiet).await.is_err(), "{program}");
        match real {
            Some(text) => fs::write(host.path(&format!("bin/{program}")), text).unwrap(),
            None => fs::remove_file(host.path(&format!("bin/{program}"))).unwrap(),
        }
    }
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), ["cleaned", "etc", "etc/there-before.conf"]);
    assert_eq!(host.text("etc/there-before.conf"), "foreign");
}

#[tokio::test]
async fn what_is_mounted_below_a_data_directory_keeps_its_content_and_a_disk_mounted_there_stays_empty() {
    let host = Host::start();
    let machine = host.connect().await;
    host.write("volume/precious", "data");
    let _disk = Mount::tmpfs(&host, "data/etcd", "1m");
    let mut bundle = Bundle::default();
    for name in ["data/etcd", "data/kubelet"] {
        bundle.data_directories.insert(host.host_path(name), Directory::data(0o700));
    }
    apply(&machine, &owner(), &bundle).await;
    host.write("data/etcd/member", "x");
    let _volume = Mount::bind(&host, "volume", "data/kubelet/pods/volume");
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.text("volume/precious"), "data");
    assert!(!host.path("data/kubelet").exists());
    assert_eq!(fs::read_dir(host.path("data/etcd")).unwrap().count(), 0);
}

#[tokio::test]
async fn without_a_record_only_files_with_the_declared_content_go() {
    let host = Host::start();
    let (machine, bundle) = pushed(&host).await;
    fs::remove_dir_all(host.path("state")).unwrap();
    host.write("etc/there-before.conf", "changed by someone");
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert!(!host.path("etc/new/deep/file").exists() && !host.path("fake/etc/a.service").exists());
    assert_eq!(host.text("etc/there-before.conf"), "changed by someone");
    assert!(host.systemctl_calls().contains(&"stop -- a.service".to_string()));
}

#[tokio::test]
async fn what_cannot_be_removed_is_named_and_the_record_kept() {
    let host = Host::start();
    let (machine, bundle) = pushed(&host).await;
    fs::remove_file(host.path("etc/new/deep/file")).unwrap();
    host.write("etc/new/deep/file/child", "a folder where the file was");
    let error = machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap_err();
    assert!(matches!(&error, MachineError::Remove { object, .. } if object.ends_with("etc/new/deep/file")), "{error}");
    assert_eq!(host.text("etc/there-before.conf"), "foreign");
    fs::remove_dir_all(host.path("etc/new/deep/file")).unwrap();
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), ["cleaned", "etc", "etc/there-before.conf"]);
}

/// The record names the unit until everything of it is gone, so that the next prune goes on.
#[tokio::test]
async fn what_a_unit_did_is_undone_once_it_goes_and_never_again() {
    let host = Host::start();
    let (machine, mut bundle) = pushed(&host).await;
    let unit = UnitName::literal("a.service");
    bundle.units.clear();
    bundle.files.remove(&host.host_path("fake/etc/a.service"));
    bundle.retired.insert("words", unit.clone());
    let recorded = async || machine.read(&owner(), &bundle.manifest()).await.unwrap().recorded;
    assert_eq!(recorded().await, BTreeSet::from([unit]));
    fs::create_dir(host.path("cleaned")).unwrap();
    let error = machine.prune(&owner(), &bundle, &quiet).await.unwrap_err();
    assert!(matches!(&error, MachineError::Remove { object, .. } if object.ends_with("-words")), "{error}");
    assert_eq!(recorded().await.len(), 1);
    fs::remove_dir(host.path("cleaned")).unwrap();
    machine.prune(&owner(), &bundle, &quiet).await.unwrap();
    assert_eq!(host.text("cleaned"), "it's clean\n");
    assert_eq!(recorded().await.len(), 0);
    fs::remove_file(host.path("cleaned")).unwrap();
    machine.prune(&owner(), &bundle, &quiet).await.unwrap();
    assert!(!host.path("cleaned").exists());
}

#[tokio::test]
async fn prune_takes_away_what_is_declared_no_more_and_nothing_else() {
    let host = Host::start();
    let (machine, mut bundle) = pushed(&host).await;
    bundle.files.remove(&host.host_path("etc/there-before.conf"));
    bundle.files.remove(&host.host_path("fake/etc/a.service"));
    bundle.units.clear();
    machine.prune(&owner(), &bundle, &quiet).await.unwrap();
    machine.prune(&owner(), &bundle, &quiet).await.unwrap();
    assert_eq!(host.text("etc/there-before.conf"), "foreign");
    assert!(
        !host.path("fake/etc/a.service").exists() && host.path("data/etcd/member/wal").exists() && !host.path("cleaned").exists()
    );
    assert!(host.systemctl_calls().contains(&"stop -- a.service".to_string()));
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    assert_eq!((differences(&bundle.manifest(), &observed), observed.recorded.len()), (vec![], 0));
    // Declared again, the file that was there before is kept again.
    host.write("etc/there-before.conf", "foreign and newer");
    apply(&machine, &owner(), &everything(&host)).await;
    machine.remove(&owner(), &everything(&host).manifest(), &quiet).await.unwrap();
    assert_eq!(host.text("etc/there-before.conf"), "foreign and newer");
    assert_eq!(Digest::of(host.text("cleaned").as_bytes()), Digest::of(b"it's clean\n"));
}
