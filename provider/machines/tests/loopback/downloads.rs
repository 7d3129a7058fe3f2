//! What programs were downloaded as stays on a host while an owner there needs it, and no longer.

use crate::host::{Host, apply, named, owner, run};
use crate::programs::{Server, binary, bundle};
use bundle::{Bundle, Digest};
use std::fs;

const OLD: &[u8] = b"#!/bin/sh\necho old\n";
const NEW: &[u8] = b"#!/bin/sh\necho new\n";
const OTHER: &[u8] = b"#!/bin/sh\necho other\n";
const RECORD: &str = "state/k8s_test.loopback/downloads";

fn stored(host: &Host) -> Vec<String> {
    let files = fs::read_dir(host.path("cache/sha256")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.filter(|file| !file.ends_with(".lock")).collect();
    files.sort();
    files
}

fn digests(contents: &[&[u8]]) -> Vec<String> {
    let mut digests: Vec<String> = contents.iter().map(|content| Digest::of(content).to_string()).collect();
    digests.sort();
    digests
}

fn program(host: &Host, server: &Server, name: &str, content: &[u8]) -> Bundle {
    bundle([(host.host_path(name), binary(server.url(&format!("/{}", Digest::of(content))), content, None))])
}

/// Another owner, and the new program in the place of the old one.
async fn upgraded() -> (Host, Server, machines::Machine, Bundle) {
    let host = Host::start();
    let machine = host.connect().await;
    let paths = [OLD, NEW, OTHER].map(|content| (format!("/{}", Digest::of(content)), content));
    let files: Vec<(&str, &[u8])> = paths.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    let server = Server::start(&files).await;
    apply(&machine, &named("k8s_test.other"), &program(&host, &server, "other", OTHER)).await;
    apply(&machine, &owner(), &program(&host, &server, "p", OLD)).await;
    let new = program(&host, &server, "p", NEW);
    apply(&machine, &owner(), &new).await;
    host.write(&format!("cache/sha256/{}.part", Digest::of(b"cut off")), "cut");
    (host, server, machine, new)
}

#[tokio::test]
async fn downloads_that_no_owner_needs_any_more_go_and_programs_stay() {
    let (host, _server, machine, new) = upgraded().await;
    assert_eq!(stored(&host).len(), 4);
    machine.prune_downloads(&owner(), &new).await.unwrap();
    assert_eq!(stored(&host), digests(&[NEW, OTHER]));
    assert_eq!(
        (run(host.path("p").to_str().unwrap(), &[]), run(host.path("other").to_str().unwrap(), &[])),
        ("new\n".into(), "other\n".into())
    );
    machine.prune_downloads(&owner(), &new).await.unwrap();
    assert_eq!(stored(&host), digests(&[NEW, OTHER]));
}

#[tokio::test]
async fn no_download_goes_while_a_record_of_an_earlier_version_does_not_say_what_it_needs() {
    let (host, server, machine, new) = upgraded().await;
    let before = stored(&host);
    fs::remove_file(host.path("state/k8s_test.other/downloads")).unwrap();
    machine.prune_downloads(&owner(), &new).await.unwrap();
    assert_eq!(stored(&host), before);

    // Something is added to such a record, which does not say the rest by that.
    let other = named("k8s_test.other");
    let both: Bundle = bundle(
        program(&host, &server, "other", OTHER).binaries.into_iter().chain(program(&host, &server, "second", NEW).binaries),
    );
    apply(&machine, &other, &both).await;
    machine.prune_downloads(&owner(), &new).await.unwrap();
    assert_eq!(stored(&host), before);
    machine.prune_downloads(&other, &both).await.unwrap();
    assert_eq!(stored(&host), digests(&[NEW, OTHER]));
}

#[tokio::test]
async fn what_is_being_fetched_for_another_owner_stays() {
    let (host, _server, machine, new) = upgraded().await;
    // As binaries.sh notes it before it fetches.
    fs::write(host.path("state/k8s_test.other/downloads"), digests(&[OTHER, OLD]).join("\n") + "\n").unwrap();
    machine.prune_downloads(&owner(), &new).await.unwrap();
    assert_eq!(stored(&host), digests(&[OLD, NEW, OTHER]));
    assert_eq!(host.text(RECORD), format!("{}\n", Digest::of(NEW)));
}
