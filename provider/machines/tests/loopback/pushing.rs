//! What a push writes, what it does not touch, and how it fails.

use crate::host::{Host, apply, named, owner, push_error, quiet, run};
use bundle::{Bundle, Content, Digest, Directory, File, Sysctl, differences};
use machines::MachineError;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

const FREE_SYSCTL: &str = "net.ipv4.conf.lo.tag"; // means nothing to the kernel

#[tokio::test]
async fn a_pushed_host_shows_no_difference_and_only_what_differs_is_written_again() {
    let host = Host::start();
    let machine = host.connect().await;
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("etc/a/public.conf"), File::public("text\n"));
    bundle.files.insert(host.host_path("etc/a/secret.key"), File::private("canary"));
    let odd = File { mode: 0o2750, owner: "1234:daemon".into(), content: Content::new([0, 1, 255]) };
    bundle.files.insert(host.host_path("etc/odd+name@1%:x"), odd);
    bundle.modules.insert("overlay".into());
    bundle
        .data_directories
        .insert(host.host_path("data/x"), Directory { owner: "nobody:nogroup".into(), ..Directory::data(0o700) });
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(
        (host.text("etc/a/public.conf").as_str(), host.mode("etc/a/secret.key"), host.mode("etc/a")),
        ("text\n", 0o600, 0o755)
    );
    assert_eq!((host.mode("data/x"), fs::metadata(host.path("data/x")).unwrap().uid()), (0o700, 65534));
    let inode = |name: &str| fs::metadata(host.path(name)).unwrap().ino();
    let before = (inode("etc/a/public.conf"), inode("etc/a/secret.key"));
    host.write("etc/a/secret.key", "tampered");
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(host.text("etc/a/secret.key"), "canary");
    assert_eq!(inode("etc/a/public.conf"), before.0);
    run("chmod", &["644", host.path("etc/a/secret.key").to_str().unwrap()]);
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(host.mode("etc/a/secret.key"), 0o600);
    assert!(!host.tree().iter().any(|path| path.contains(".k8s-hardway") || path.contains("staging")), "{:?}", host.tree());
}

#[tokio::test]
async fn two_hundred_files_are_pushed_and_read_quickly() {
    let host = Host::start();
    let machine = host.connect().await;
    let mut bundle = Bundle::default();
    for number in 0..200 {
        bundle.files.insert(host.host_path(&format!("etc/{}/{number}", number % 10)), File::public(vec![b'x'; 3000]));
    }
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    let begin = Instant::now();
    machine.push(&owner(), &bundle, &observed, &quiet).await.unwrap();
    let pushed = begin.elapsed();
    let begin = Instant::now();
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    println!("200 files: pushed in {pushed:?}, read in {:?}", begin.elapsed());
    assert_eq!(differences(&bundle.manifest(), &observed), []);
    // An idle host takes a tenth of it.
    assert!(pushed < Duration::from_secs(8), "{pushed:?}");
}

#[tokio::test]
async fn a_file_on_another_mount_and_one_that_was_a_link_are_replaced_as_a_whole() {
    let host = Host::start();
    let machine = host.connect().await;
    let mount = Mount::tmpfs(&host, "other", "1m");
    host.write("elsewhere", "foreign");
    std::os::unix::fs::symlink(host.path("elsewhere"), host.path("link")).unwrap();
    let mut bundle = Bundle::default();
    let owned = File { mode: 0o640, owner: "root:daemon".into(), content: Content::new("mounted") };
    bundle.files.insert(host.host_path("other/deep/file"), owned);
    bundle.files.insert(host.host_path("link"), File::public("own"));
    apply(&machine, &owner(), &bundle).await;
    assert_eq!((host.text("elsewhere"), host.text("link")), ("foreign".into(), "own".into()));
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(fs::read_link(host.path("link")).unwrap(), host.path("elsewhere"));
    drop(mount);
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_says_so_and_leaves_what_was_there() {
    let host = Host::start();
    let machine = host.connect().await;
    let _mount = Mount::tmpfs(&host, "small", "128k");
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("small/file"), File::public("old"));
    apply(&machine, &owner(), &bundle).await;
    bundle.files.insert(host.host_path("small/file"), File::private([b"canary".as_slice(), &[7; 300_000]].concat()));
    let error = push_error(&machine, &bundle).await;
    assert!(matches!(&error, MachineError::DiskFull { object, .. } if object.ends_with("small/file")), "{error}");
    assert!(error.to_string().starts_with("no space is left on h1") && !error.to_string().contains("canary"), "{error}");
    assert_eq!((host.text("small/file").as_str(), fs::read_dir(host.path("small")).unwrap().count()), ("old", 1));
    // The record's own disk being full is no different.
    fs::rename(host.path("state"), host.path("state.old")).unwrap();
    let _state = Mount::tmpfs(&host, "state", "64k");
    bundle.files.insert(host.host_path("file"), File::public(vec![7; 300_000]));
    let error = push_error(&machine, &bundle).await;
    assert!(matches!(error, MachineError::DiskFull { .. }), "{error}");
    assert!(!host.path("file").exists());
}

#[tokio::test]
async fn what_the_host_cannot_do_is_named() {
    let host = Host::start();
    let machine = host.connect().await;
    let file = |owner: &str| File { owner: owner.into(), ..File::public("x") };
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("file"), file("nobody-of-this-name:root"));
    let error = push_error(&machine, &bundle).await;
    assert!(matches!(&error, MachineError::UnknownUser { owner, .. } if owner == "nobody-of-this-name:root"), "{error}");
    assert!(!host.path("file").exists());

    let modules = Bundle { modules: ["no_such_module".into()].into(), ..Bundle::default() };
    let error = push_error(&machine, &modules).await;
    assert!(matches!(&error, MachineError::Module { module, .. } if module == "no_such_module"), "{error}");
    assert!(error.to_string().contains("FATAL"), "{error}");

    for (key, value) in [("net.ipv4.no_such_key", "1"), ("net.ipv4.ip_forward", "word")] {
        let sysctls = Bundle { sysctls: [(Sysctl::literal(key), value.to_string())].into(), ..Bundle::default() };
        let error = push_error(&machine, &sysctls).await;
        assert!(matches!(&error, MachineError::Sysctl { key: named, .. } if named == key), "{error}");
    }

    let mut unknown = Bundle::default();
    let content = Content::by_digest(Digest::of(b"elsewhere"));
    unknown.files.insert(host.host_path("file"), File { content, ..File::public("") });
    assert!(matches!(push_error(&machine, &unknown).await, MachineError::NoContent { .. }));

    fs::create_dir(host.path("folder")).unwrap();
    let mut folder = Bundle::default();
    folder.files.insert(host.host_path("folder"), File::public("x"));
    let error = push_error(&machine, &folder).await;
    assert!(matches!(&error, MachineError::File { path, .. } if path.ends_with("/folder")), "{error}");
}

#[tokio::test]
async fn a_push_that_is_cut_off_is_finished_by_the_next_one_and_can_be_removed() {
    let host = Host::start();
    let mut bundle = Bundle::default();
    for number in 0..50 {
        bundle.files.insert(host.host_path(&format!("etc/{number}")), File::public(format!("{number}")));
    }
    host.write("etc/7", "foreign");
    // Each of these ends the push somewhere else: the program that the script needs there ends the connection.
    for program in ["tar", "mkdir", "cp", "stat", "mv"] {
        let machine = host.connect().await;
        let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
        host.write_program(&format!("bin/{program}"), "#!/bin/sh\nkill -KILL $PPID\n");
        assert!(machine.push(&owner(), &bundle, &observed, &quiet).await.is_err(), "{program}");
        fs::remove_file(host.path(&format!("bin/{program}"))).unwrap();
    }
    let machine = host.connect().await;
    apply(&machine, &owner(), &bundle).await;
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!((host.tree(), host.text("etc/7")), (vec!["etc".to_string(), "etc/7".into()], "foreign".into()));
}

#[tokio::test]
async fn a_provider_that_is_killed_while_it_pushes_leaves_whole_files_and_the_next_push_goes_on() {
    let host = Host::start();
    let mut bundle = Bundle::default();
    for number in 0..40 {
        bundle.files.insert(host.host_path(&format!("etc/{number}")), File::public(vec![b'a'; 20_000]));
    }
    for milliseconds in [1, 10, 30, 60, 100, 150, 250] {
        let machine = host.connect().await;
        let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
        let owner = owner();
        let push = machine.push(&owner, &bundle, &observed, &quiet);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), push).await;
        drop(machine);
        for number in 0..40 {
            let size = fs::metadata(host.path(&format!("etc/{number}"))).map_or(20_000, |file| file.len());
            assert_eq!(size, 20_000);
        }
    }
    let machine = host.connect().await;
    apply(&machine, &owner(), &bundle).await;
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), [""; 0]);
}

#[tokio::test]
async fn two_owners_push_at_the_same_time_and_share_what_both_declare() {
    let host = Host::start();
    let machine = host.connect().await;
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("etc/shared/file"), File::public("shared"));
    bundle.sysctls.insert(Sysctl::literal(FREE_SYSCTL), "5".into());
    let before = run("cat", &["/proc/sys/net/ipv4/conf/lo/tag"]);
    let owners = ["k8s_test.one", "k8s_test.two"].map(named);
    tokio::join!(apply(&machine, &owners[0], &bundle), apply(&machine, &owners[1], &bundle));
    machine.remove(&owners[0], &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!((host.text("etc/shared/file").as_str(), run("cat", &["/proc/sys/net/ipv4/conf/lo/tag"]).trim()), ("shared", "5"));
    machine.remove(&owners[1], &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), [""; 0]);
    assert_eq!(run("cat", &["/proc/sys/net/ipv4/conf/lo/tag"]), before);
}

#[tokio::test]
async fn a_file_outside_the_record_is_written_and_read_in_one_piece() {
    let host = Host::start();
    let machine = host.connect().await;
    let path = host.host_path("some/where/file");
    machine.write_file(&path, 0o640, "root:daemon", b"content\0").await.unwrap();
    assert_eq!(machine.read_file(&path).await.unwrap(), b"content\0");
    assert_eq!(
        (host.mode("some/where/file"), host.tree()),
        (0o640, ["some", "some/where", "some/where/file"].map(Into::into).to_vec())
    );
    let error = machine.read_file(&host.host_path("none")).await.unwrap_err();
    assert!(matches!(error, MachineError::NoFile { .. }), "{error}");
}

/// A file system of its own, unmounted when dropped.
pub struct Mount(String);

impl Mount {
    pub fn tmpfs(host: &Host, name: &str, size: &str) -> Mount {
        let path = host.path(name).to_str().unwrap().to_string();
        fs::create_dir_all(&path).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", &path]);
        Mount(path)
    }

    pub fn bind(host: &Host, from: &str, name: &str) -> Mount {
        let path = host.path(name).to_str().unwrap().to_string();
        fs::create_dir_all(&path).unwrap();
        run("mount", &["--bind", host.path(from).to_str().unwrap(), &path]);
        Mount(path)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").args(["-l", &self.0]).output();
    }
}
