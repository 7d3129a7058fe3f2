//! Records of versions that kept no list of units that came up, but only their stamps, which a failed roll withdraws.

use crate::host::{Host, apply, owner, quiet, unit_that_reads};
use bundle::{Bundle, Directory, File, UnitName};
use machines::{Incarnation, Question, Uid};
use std::collections::BTreeSet;
use std::fs;

const RECORD: &str = "state/k8s_test.loopback";

/// Two units of which the first came up, in a record as such a version left it. What had the name then, had no uid.
async fn older(identity: Option<&str>) -> (Host, Bundle, Incarnation) {
    let host = Host::start();
    let machine = host.connect().await;
    let mut bundle = Bundle::default();
    for name in ["a.service", "b.service"] {
        let path = host.host_path(&format!("fake/etc/{name}"));
        bundle.files.insert(path.clone(), File::public("[Service]\n"));
        bundle.units.insert(UnitName::literal(name), unit_that_reads(path));
    }
    bundle.data_directories.insert(host.host_path("data/etcd"), Directory::data(0o700));
    let owner = Incarnation { uid: Uid::default(), ..owner() };
    apply(&machine, &owner, &bundle).await;
    let unit = UnitName::literal("a.service");
    machine.start(&owner, std::slice::from_ref(&unit)).await.unwrap();
    machine.note_stamps(&owner, &[(unit.clone(), bundle.unit_stamp(&unit).unwrap())]).await.unwrap();
    fs::remove_file(host.path(&format!("{RECORD}/started"))).unwrap();
    match identity {
        None => fs::remove_file(host.path(&format!("{RECORD}/identity"))).unwrap(),
        Some(text) => host.write(&format!("{RECORD}/identity"), text),
    }
    (host, bundle, owner)
}

async fn started(host: &Host, owner: &Incarnation) -> (BTreeSet<UnitName>, bool) {
    let found = host.connect().await.inventory(&Question::default()).await.unwrap();
    let record = &found.records[&owner.name];
    (record.started.clone(), record.knows_what_started())
}

#[tokio::test]
async fn a_withdrawn_stamp_leaves_word_that_there_was_one() {
    for identity in [None, Some("version 1\nhosts h1=192.0.2.1\n")] {
        let (host, _, owner) = older(identity).await;
        let [a, b] = ["a.service", "b.service"].map(UnitName::literal);
        host.connect().await.withdraw_stamps(&owner, &[a.clone(), b]).await.unwrap();
        assert_eq!(started(&host, &owner).await, ([a].into(), false));
    }
}

/// Stamps that an older version withdrew are gone: where there is data, a unit counts as started.
#[tokio::test]
async fn a_push_that_takes_a_record_on_keeps_what_it_cannot_know() {
    for (data, expect) in [(true, &["a.service", "b.service"][..]), (false, &[])] {
        let (host, bundle, owner) = older(None).await;
        host.write(&format!("{RECORD}/units/a.service"), "");
        if data {
            host.write("data/etcd/member/wal", "ours");
        }
        let machine = host.connect().await;
        assert_eq!(started(&host, &owner).await, ([].into(), false));
        apply(&machine, &owner, &bundle).await;
        let expect: BTreeSet<UnitName> = expect.iter().copied().map(UnitName::literal).collect();
        assert_eq!(started(&host, &owner).await, (expect, true));
        machine.remove(&owner, &bundle.manifest(), &quiet).await.unwrap();
        assert_eq!(host.tree(), [""; 0]);
    }
}
