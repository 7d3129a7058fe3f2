//! The program that every push leaves on its host, for root who cleans it without a state.

use crate::host::{Host, apply, bundle, named, owner};
use crate::pushing::Mount;
use std::process::{Command, Output};

pub fn remove(host: &Host, arguments: &[&str]) -> Output {
    let path = format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", host.folder.path().display());
    let mut command = Command::new("sh");
    command.arg(host.path("state/remove")).args(arguments).env("PATH", path).env("FAKE", host.path("fake"));
    command.env("K8S_HARDWAY_STATE", host.path("state")).env("K8S_HARDWAY_CACHE", host.path("cache"));
    command.env("K8S_HARDWAY_ROOT", host.path("root")).output().unwrap()
}

#[tokio::test]
async fn it_does_what_a_destroy_does_and_goes_with_the_last_owner() {
    let host = Host::start();
    let machine = host.connect().await;
    host.write("etc/file", "foreign");
    host.write("volume/precious", "data");
    let (bundle, other) = (bundle(&host), named("k8s_test.other"));
    apply(&machine, &owner(), &bundle).await;
    apply(&machine, &other, &bundle).await;
    host.write("data/etcd/member/wal", "ours");
    let _volume = Mount::bind(&host, "volume", "data/etcd/volume");
    for (name, left) in [("k8s_test.other", "x"), ("k8s_test.loopback", "foreign")] {
        let output = remove(&host, &[name]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!((host.text("etc/file").as_str(), host.text("volume/precious").as_str()), (left, "data"));
    }
    assert_eq!(host.tree(), ["etc", "etc/file", "volume", "volume/precious"]);
    assert!(host.systemctl_calls().contains(&"stop -- a.service".to_string()));
}

#[tokio::test]
async fn without_the_name_of_an_owner_it_says_who_is_there_and_does_nothing() {
    let host = Host::start();
    apply(&host.connect().await, &owner(), &bundle(&host)).await;
    let before = host.tree();
    for arguments in [&[][..], &["k8s_test.nobody"], &["../state/k8s_test.loopback"], &["k8s_test.loopback", "all"]] {
        let output = remove(&host, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("k8s_test.loopback"), "{output:?}");
        assert_eq!((host.tree(), host.systemctl_calls()), (before.clone(), vec![]));
    }
}
