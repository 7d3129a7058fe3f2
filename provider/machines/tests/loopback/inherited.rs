//! What was there before the first owner comes back with the removal of the last one, in whatever order they go.

use crate::host::{Host, apply, named, quiet, run};
use bundle::{Bundle, Directory, File};
use machines::{Incarnation, Machine};
use std::fs;
use std::os::unix::fs::symlink;

fn both_declare(host: &Host) -> Bundle {
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("etc/there-before.conf"), File::public("ours"));
    bundle.files.insert(host.host_path("etc/link"), File::public("ours"));
    bundle.files.insert(host.host_path("etc/new"), File::public("ours"));
    bundle.data_directories.insert(host.host_path("data/empty"), Directory::data(0o700));
    bundle.data_directories.insert(host.host_path("data/linked"), Directory::data(0o700));
    bundle.data_directories.insert(host.host_path("log/pods"), Directory::shared(0o755));
    bundle
}

async fn two_owners() -> (Host, Machine, Bundle, [Incarnation; 2]) {
    let host = Host::start();
    host.write("etc/there-before.conf", "foreign");
    run("chmod", &["604", host.path("etc/there-before.conf").to_str().unwrap()]);
    symlink("/nowhere", host.path("etc/link")).unwrap();
    for name in ["data/empty", "disk"] {
        fs::create_dir_all(host.path(name)).unwrap();
        run("chmod", &["750", host.path(name).to_str().unwrap()]);
    }
    symlink(host.path("disk"), host.path("data/linked")).unwrap();
    host.write("log/pods/old", "before");
    let (machine, bundle) = (host.connect().await, both_declare(&host));
    let owners = ["k8s_test.one", "k8s_test.two"].map(named);
    for owner in &owners {
        apply(&machine, owner, &bundle).await;
        // Of the first one's, the second one finds some.
        host.write(&format!("log/pods/of-{owner}"), "later");
        host.write("data/empty/ours", "later");
        host.write("disk/ours", "later");
    }
    (host, machine, bundle, owners)
}

#[track_caller]
fn is_as_before(host: &Host, what: &str) {
    let before = [
        "data",
        "data/empty",
        "data/linked",
        "disk",
        "etc",
        "etc/link",
        "etc/there-before.conf",
        "log",
        "log/pods",
        "log/pods/old",
    ];
    assert_eq!(host.tree(), before, "{what}");
    assert_eq!((host.text("etc/there-before.conf").as_str(), host.mode("etc/there-before.conf")), ("foreign", 0o604), "{what}");
    assert_eq!(fs::read_link(host.path("etc/link")).unwrap().to_str(), Some("/nowhere"), "{what}");
    assert_eq!((host.mode("data/empty"), host.mode("disk")), (0o750, 0o750), "{what}");
}

#[tokio::test]
async fn what_was_there_before_comes_back_whoever_goes_first() {
    for order in [[0, 1], [1, 0]] {
        let (host, machine, bundle, owners) = two_owners().await;
        machine.remove(&owners[order[0]], &bundle.manifest(), &quiet).await.unwrap();
        assert_eq!(host.text("etc/there-before.conf"), "ours");
        assert!(host.path("data/empty/ours").exists() && host.path("log/pods/of-k8s_test.one").exists());
        machine.remove(&owners[order[1]], &bundle.manifest(), &quiet).await.unwrap();
        is_as_before(&host, &format!("{order:?}"));
    }
}

#[tokio::test]
async fn also_when_the_first_one_declares_it_no_more() {
    let (host, machine, bundle, [one, two]) = two_owners().await;
    let mut less = bundle.clone();
    less.files.remove(&host.host_path("etc/there-before.conf"));
    less.files.remove(&host.host_path("etc/link"));
    machine.prune(&one, &less, &quiet).await.unwrap();
    assert_eq!(host.text("etc/there-before.conf"), "ours");
    machine.remove(&one, &less.manifest(), &quiet).await.unwrap();
    machine.remove(&two, &bundle.manifest(), &quiet).await.unwrap();
    is_as_before(&host, "after a prune");
}

#[tokio::test]
async fn also_when_the_first_removal_is_cut_off_anywhere() {
    for program in ["cp", "mkdir", "mv", "sync", "rm", "cat"] {
        let (host, machine, bundle, [one, two]) = two_owners().await;
        for nth in 1..4 {
            let counter = host.path("fake/calls-of-it");
            let _ = fs::remove_file(&counter);
            host.write_program(
                &format!("bin/{program}"),
                &format!(
                    "#!/bin/sh\necho x >>{0}\n[ \"$(wc -l <{0})\" -lt {nth} ] || kill -KILL $PPID\nexec /usr/bin/{program} \"$@\"\n",
                    counter.display()
                ),
            );
            let _ = machine.remove(&one, &bundle.manifest(), &quiet).await;
            fs::remove_file(host.path(&format!("bin/{program}"))).unwrap();
        }
        for owner in [one, two] {
            machine.remove(&owner, &bundle.manifest(), &quiet).await.unwrap();
        }
        is_as_before(&host, program);
    }
}

/// What was put back once and is gone since is not put back a second time.
#[tokio::test]
async fn a_backup_of_an_earlier_time_is_not_put_back() {
    let host = Host::start();
    let machine = host.connect().await;
    let owner = named("k8s_test.one");
    let (bundle, mut less) = (both_declare(&host), both_declare(&host));
    less.files.remove(&host.host_path("etc/new"));
    host.write("etc/new", "foreign");
    apply(&machine, &owner, &bundle).await;
    machine.prune(&owner, &less, &quiet).await.unwrap();
    assert_eq!(host.text("etc/new"), "foreign");
    fs::remove_file(host.path("etc/new")).unwrap();
    apply(&machine, &owner, &bundle).await;
    machine.remove(&owner, &bundle.manifest(), &quiet).await.unwrap();
    assert!(!host.path("etc/new").exists());
}
