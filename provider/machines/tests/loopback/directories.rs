//! Data directories that were there before, and what the inventory says of a host that others use.

use crate::host::{Host, apply, named, owner, push_error, quiet, run};
use bundle::{Bundle, Directory, File, HostPath, UnitName};
use machines::{Incarnation, Inventory, MachineError, Question, Uid};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

fn declaring(host: &Host, name: &str, directory: Directory) -> Bundle {
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("etc/file"), File::public("x"));
    bundle.data_directories.insert(host.host_path(name), directory);
    bundle
}

fn look(host: &Host, name: &str) -> (u32, u32) {
    (host.mode(name), fs::metadata(host.path(name)).unwrap().uid())
}

#[tokio::test]
async fn a_data_directory_with_content_that_nobody_recorded_is_refused_before_anything_is_written() {
    let host = Host::start();
    host.write("data/etcd/member/snap/db", "precious");
    run("chown", &["65534", host.path("data/etcd").to_str().unwrap()]);
    let before = (host.tree(), look(&host, "data/etcd"));
    let machine = host.connect().await;
    let bundle = declaring(&host, "data/etcd", Directory::data(0o700));
    let error = push_error(&machine, &bundle).await;
    assert!(matches!(&error, MachineError::Filled { path, .. } if path.ends_with("data/etcd")), "{error}");
    assert!(error.to_string().contains("member") && error.to_string().contains("move it away there"), "{error}");
    fs::remove_file(host.path("state/.lock")).unwrap();
    fs::remove_dir(host.path("state")).unwrap_or_else(|_| panic!("a record is left: {:?}", host.tree()));
    assert_eq!((host.tree(), look(&host, "data/etcd")), before);
    // A removal by somebody's state, with the record of a version that took such a directory over or with none, takes nothing.
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.text("data/etcd/member/snap/db"), "precious");
}

#[tokio::test]
async fn what_a_record_names_is_pushed_again_whatever_is_in_it() {
    let host = Host::start();
    let machine = host.connect().await;
    let mut bundle = declaring(&host, "data/etcd", Directory::data(0o700));
    apply(&machine, &owner(), &bundle).await;
    host.write("data/etcd/member/wal", "ours");
    bundle.files.insert(host.host_path("etc/other"), File::public("y"));
    apply(&machine, &owner(), &bundle).await;
    let other = named("k8s_test.other");
    apply(&machine, &other, &bundle).await;
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.text("data/etcd/member/wal"), "ours");
    machine.remove(&other, &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), [""; 0]);
}

#[tokio::test]
async fn an_empty_directory_that_was_there_is_given_back_as_it_was() {
    let host = Host::start();
    for name in ["data/etcd", "data/log"] {
        fs::create_dir_all(host.path(name)).unwrap();
        run("chown", &["65534:65534", host.path(name).to_str().unwrap()]);
        run("chmod", &["750", host.path(name).to_str().unwrap()]);
    }
    let machine = host.connect().await;
    let mut bundle = declaring(&host, "data/etcd", Directory::data(0o700));
    bundle.data_directories.insert(host.host_path("data/log"), Directory::shared(0o755));
    apply(&machine, &owner(), &bundle).await;
    assert_eq!((look(&host, "data/etcd"), look(&host, "data/log")), ((0o700, 0), (0o755, 0)));
    host.write("data/etcd/member/wal", "ours");
    host.write("data/etcd/.hidden", "ours");
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), ["data", "data/etcd", "data/log"]);
    assert_eq!((look(&host, "data/etcd"), look(&host, "data/log")), ((0o750, 65534), (0o750, 65534)));
}

#[tokio::test]
async fn of_a_shared_directory_only_what_came_later_goes() {
    let host = Host::start();
    for name in ["log/pods/old", "log/pods/.hidden", "log/pods/with space/x"] {
        host.write(name, "before");
    }
    run("chown", &["65534", host.path("log/pods").to_str().unwrap()]);
    let before = (host.tree(), look(&host, "log/pods"));
    let machine = host.connect().await;
    let bundle = declaring(&host, "log/pods", Directory::shared(0o700));
    for _ in 0..2 {
        apply(&machine, &owner(), &bundle).await;
        assert_eq!(look(&host, "log/pods"), before.1);
        host.write("log/pods/new/x", "ours");
        host.write("log/pods/.new", "ours");
    }
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!((host.tree(), look(&host, "log/pods")), before);
}

#[tokio::test]
async fn the_inventory_names_records_what_is_filled_and_certificates_without_keys() {
    let host = Host::start();
    let machine = host.connect().await;
    let question = Question {
        filled: ["data/etcd", "data/empty", "data/none", "etc/file"].map(|name| host.host_path(name)).into(),
        certificates: ["pki/both.pem", "pki/none.pem"].map(|name| host.host_path(name)).into(),
        ..Question::default()
    };
    let machine_id = fs::read_to_string("/etc/machine-id").ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    assert_eq!(machine.inventory(&question).await.unwrap(), Inventory { machine_id, ..Inventory::default() });
    fs::create_dir_all(host.path("data/empty/lost+found")).unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    host.write(
        "pki/both.pem",
        &format!("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n{certificate}{certificate}"),
    );
    host.write("log/pods/old", "before");
    let mut bundle = declaring(&host, "data/etcd", Directory::data(0o700));
    bundle.data_directories.insert(host.host_path("log/pods"), Directory::shared(0o755));
    bundle.identity.insert("hosts".into(), "h1=192.0.2.1 h2=192.0.2.2".into());
    apply(&machine, &owner(), &bundle).await;
    host.write("data/etcd/member/wal", "ours");
    host.write("state/k8s_test.loopback/units/a.service", "digest\n");
    host.write("state/k8s_test.loopback/units/b.service", "");
    let found = machine.inventory(&question).await.unwrap();
    let record = &found.records[&owner().name];
    assert_eq!(record.directories, [host.host_path("data/etcd")].into());
    assert_eq!(record.kept, [host.host_path("log/pods")].into());
    assert_eq!(record.started, [UnitName::literal("a.service")].into());
    let identity = |key: &str| record.identity[key].as_str();
    assert_eq!(record.uid(), owner().uid);
    assert_eq!((identity("version"), record.host(), identity("hosts")), ("4", Some("h1"), "h1=192.0.2.1 h2=192.0.2.2"));
    let machine_id = fs::read_to_string("/etc/machine-id").ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    assert_eq!(record.identity.get("machine-id"), machine_id.as_ref());
    assert_eq!(found.filled, ["data/etcd", "etc/file"].map(|name| host.host_path(name)).into());
    let pem = &found.certificates[&host.host_path("pki/both.pem")];
    assert_eq!((pem.as_str(), found.certificates.len()), (format!("{certificate}{certificate}").as_str(), 1));
}

/// It ended on 2020-01-02 at 00:00 UTC.
const EXPIRED: &str = "-----BEGIN CERTIFICATE-----
MIIBCzCBsgIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdleHBpcmVkMB4XDTIw
MDEwMTAwMDAwMFoXDTIwMDEwMjAwMDAwMFowEjEQMA4GA1UEAwwHZXhwaXJlZDBZ
MBMGByqGSM49AgEGCCqGSM49AwEHA0IABCm+o7c8NUF6fiH4EDcrzulIYcnv7I7w
rlepBtzZxi4PaxJQ6bWTsCDkbUnmeh2ssMiDhvTNgu0ecz5OkekG478wCgYIKoZI
zj0EAwIDSAAwRQIgVLpaVo/yhnj09cs0NAs+Z6ygKdDe+AnBzyt7blN3GskCIQCB
PfYS7fRIq9mE82PhB4BQELfe8MVYY6aRHjnDFBGyKQ==
-----END CERTIFICATE-----
";

#[tokio::test]
async fn the_inventory_tells_when_certificates_expire() {
    let host = Host::start();
    let machine = host.connect().await;
    host.write("pki/old.crt", EXPIRED);
    host.write("pki/new.crt", "");
    let arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=a"];
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(arguments).args(["-days", "1", "-out"]).arg(host.path("pki/new.crt")).arg("-keyout").arg(host.path("key"));
    assert!(openssl.output().unwrap().status.success());
    host.write("pki/none.crt", "no certificate");
    let names = ["pki/old.crt", "pki/new.crt", "pki/none.crt", "pki/missing.crt"];
    let expiring = names.map(|name| host.host_path(name)).into();
    let found = machine.inventory(&Question { expiring, ..Question::default() }).await.unwrap().expires_in;
    assert_eq!(found.keys().collect::<Vec<_>>(), [&host.host_path("pki/new.crt"), &host.host_path("pki/old.crt")]);
    let [new, old] = ["pki/new.crt", "pki/old.crt"].map(|name| found[&host.host_path(name)]);
    assert!((86_000..=86_400).contains(&new), "{new}");
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64 - 1_577_923_200;
    assert!((since - 60..=since).contains(&-old), "{old}");
}

/// As commit 29eb745 left it: lists without a version, and no identity.
#[tokio::test]
async fn a_record_of_an_older_version_is_read_and_gone_on_with() {
    let host = Host::start();
    let machine = host.connect().await;
    let bundle = declaring(&host, "data/etcd", Directory::data(0o700));
    apply(&machine, &owner(), &bundle).await;
    fs::remove_file(host.path("state/k8s_test.loopback/identity")).unwrap();
    // What had the name then, had no uid.
    let owner = || Incarnation { uid: Uid::default(), ..crate::host::owner() };
    host.write("data/etcd/member/wal", "ours");
    let data: HostPath = host.host_path("data/etcd");
    let found = machine.inventory(&Question { filled: [data.clone()].into(), ..Question::default() }).await.unwrap();
    assert!(found.records[&owner().name].directories.contains(&data) && found.records[&owner().name].identity.is_empty());
    apply(&machine, &owner(), &bundle).await;
    assert_eq!(host.text("data/etcd/member/wal"), "ours");
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), [""; 0]);
}
