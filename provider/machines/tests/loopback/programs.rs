//! Downloads, archives, digests, hosts without a way out.

use crate::host::{Host, apply, owner, push_error, quiet, run};
use bundle::{Binary, Bundle, Digest, HostPath, differences};
use machines::MachineError;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A web server with ranges that notes what it is asked for.
pub struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(files: &[(&str, &[u8])]) -> Server {
        let files: BTreeMap<String, Vec<u8>> = files.iter().map(|(path, content)| (path.to_string(), content.to_vec())).collect();
        let (files, asked) = (Arc::new(files), Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let notes = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, files.clone(), notes.clone()));
            }
        });
        Server { port, asked }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://user:canary@127.0.0.1:{}{path}?token=canary", self.port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, files: Arc<BTreeMap<String, Vec<u8>>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut lines = BufReader::new(&mut stream).lines();
    let (mut path, mut from) = (String::new(), 0);
    while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(['?', ' ']).next().unwrap().to_string();
        } else if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    asked.lock().unwrap().push(format!("{path} from {from}"));
    let (status, body) = match files.get(&path) {
        None => ("404 Not Found", &[][..]),
        Some(content) if from > 0 => ("206 Partial Content", &content[from..]),
        Some(content) => ("200 OK", &content[..]),
    };
    let total = files.get(&path).map_or(0, Vec::len);
    let range = if from > 0 { format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1) } else { String::new() };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{range}Connection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
}

fn archive(host: &Host) -> Vec<u8> {
    host.write("archive/bin/one", "#!/bin/sh\necho one\n");
    host.write("archive/bin/two", "#!/bin/sh\necho two\n");
    let folder = host.path("archive");
    run("tar", &["-czf", host.path("a.tgz").to_str().unwrap(), "-C", folder.to_str().unwrap(), "--owner=1001", "./bin"]);
    let bytes = fs::read(host.path("a.tgz")).unwrap();
    fs::remove_dir_all(folder).unwrap();
    fs::remove_file(host.path("a.tgz")).unwrap();
    bytes
}

pub fn binary(url: String, content: &[u8], member: Option<&str>) -> Binary {
    Binary { url: url.into(), sha256: Some(Digest::of(content)), member: member.map(Into::into) }
}

pub fn bundle(binaries: impl IntoIterator<Item = (HostPath, Binary)>) -> Bundle {
    Bundle { binaries: binaries.into_iter().collect(), ..Bundle::default() }
}

#[tokio::test]
async fn programs_are_fetched_once_checked_installed_and_seen_when_they_change() {
    let host = Host::start();
    let machine = host.connect().await;
    let (plain, packed) = (b"#!/bin/sh\necho plain\n".to_vec(), archive(&host));
    let server = Server::start(&[("/plain", &plain), ("/a.tgz", &packed)]).await;
    let path = |name: &str| host.host_path(&format!("bin2/{name}"));
    let bundle = bundle([
        (path("plain"), binary(server.url("/plain"), &plain, None)),
        (path("one"), binary(server.url("/a.tgz"), &packed, Some("bin/one"))),
        (path("two"), binary(server.url("/a.tgz"), &packed, Some("./bin/two"))),
    ]);
    apply(&machine, &owner(), &bundle).await;
    for name in ["plain", "one", "two"] {
        assert_eq!(run(path(name).as_str(), &[]).trim(), name);
        assert_eq!(
            (
                host.mode(&format!("bin2/{name}")),
                fs::metadata(path(name).as_str()).map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap()
            ),
            (0o755, 0)
        );
    }
    let mut asked = server.asked();
    asked.sort();
    assert_eq!(asked, ["/a.tgz from 0", "/plain from 0"]);
    host.write("bin2/one", "tampered");
    fs::remove_file(path("two").as_str()).unwrap();
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    let seen: Vec<String> = differences(&bundle.manifest(), &observed).iter().map(ToString::to_string).collect();
    assert_eq!(seen, [format!("{}: not the program that was installed", path("one")), format!("{}: not installed", path("two"))]);
    // Repaired from the host's cache.
    apply(&machine, &owner(), &bundle).await;
    assert_eq!((run(path("one").as_str(), &[]).as_str(), server.asked().len()), ("one\n", 2));
    machine.remove(&owner(), &bundle.manifest(), &quiet).await.unwrap();
    assert_eq!(host.tree(), [""; 0]);
}

#[tokio::test]
async fn no_program_is_installed_behind_a_link_that_took_the_place_of_its_directory() {
    let host = Host::start();
    let machine = host.connect().await;
    let server = Server::start(&[("/old", b"old"), ("/new", b"new")]).await;
    let of = |name: &str| {
        let program = binary(server.url(&format!("/{name}")), name.as_bytes(), None);
        bundle([(host.host_path("bin2/plain"), program)])
    };
    apply(&machine, &owner(), &of("old")).await;
    host.write("alice/plain", "theirs");
    fs::rename(host.path("bin2"), host.path("bin3")).unwrap();
    std::os::unix::fs::symlink(host.path("alice"), host.path("bin2")).unwrap();
    let error = push_error(&machine, &of("new")).await;
    assert!(matches!(&error, MachineError::Elsewhere { .. }), "{error}");
    assert_eq!(host.text("alice/plain"), "theirs");
}

#[tokio::test]
async fn a_download_goes_on_where_it_was_cut_off() {
    let host = Host::start();
    let machine = host.connect().await;
    let content = b"0123456789".repeat(1000);
    let server = Server::start(&[("/p", &content)]).await;
    host.write(&format!("cache/sha256/{}.part", Digest::of(&content)), "0123456789");
    apply(&machine, &owner(), &bundle([(host.host_path("p"), binary(server.url("/p"), &content, None))])).await;
    assert_eq!(server.asked(), ["/p from 10"]);
    // What exists and is wrong is fetched again.
    let other = b"abcdefghij".repeat(1000);
    let server = Server::start(&[("/q", &other)]).await;
    host.write(&format!("cache/sha256/{}.part", Digest::of(&other)), "nonsense");
    apply(&machine, &owner(), &bundle([(host.host_path("q"), binary(server.url("/q"), &other, None))])).await;
    assert_eq!(server.asked(), ["/q from 8", "/q from 0"]);
}

#[tokio::test]
async fn a_wrong_digest_is_an_error_with_both_and_nothing_is_installed() {
    let host = Host::start();
    let machine = host.connect().await;
    let server = Server::start(&[("/p", b"evil")]).await;
    let bundle = bundle([(host.host_path("p"), binary(server.url("/p"), b"good", None))]);
    let error = push_error(&machine, &bundle).await;
    let text = error.to_string();
    for part in [format!("127.0.0.1:{}/p", server.port), Digest::of(b"good").to_string(), Digest::of(b"evil").to_string()] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    assert!(matches!(error, MachineError::Digest { .. }) && !text.contains("canary"), "{text}");
    assert!(!host.path("p").exists());
}

#[tokio::test]
async fn a_host_without_a_way_out_gets_its_programs_through_the_provider() {
    let host = Host::start();
    let downloads = tempfile::tempdir().unwrap();
    let machine = host.connect().await.keeping_downloads_in(downloads.path());
    host.write_program("bin/curl", "#!/bin/sh\necho 'curl: (7) Failed to connect' >&2\nexit 7\n");
    let (plain, packed) = (b"plain".to_vec(), archive(&host));
    let server = Server::start(&[("/plain", &plain), ("/a.tgz", &packed)]).await;
    let bundle = bundle([
        (host.host_path("plain"), binary(server.url("/plain"), &plain, None)),
        (host.host_path("one"), binary(server.url("/a.tgz"), &packed, Some("bin/one"))),
    ]);
    apply(&machine, &owner(), &bundle).await;
    assert_eq!((host.text("plain").as_str(), server.asked().len()), ("plain", 2));
    // The next host is served from the provider's folder.
    let other = Host::start();
    other.write_program("bin/curl", "#!/bin/sh\nexit 6\n");
    let second = other.connect().await.keeping_downloads_in(downloads.path());
    apply(&second, &owner(), &bundle).await;
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_program_that_neither_can_fetch_is_an_error_with_both_reasons() {
    let host = Host::start();
    let downloads = tempfile::tempdir().unwrap();
    let machine = host.connect().await.keeping_downloads_in(downloads.path());
    let server = Server::start(&[]).await;
    let error = push_error(&machine, &bundle([(host.host_path("p"), binary(server.url("/gone"), b"p", None))])).await;
    assert!(matches!(error, MachineError::Download { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("The host says curl: (22)") && text.contains("the provider says") && text.contains("404"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn a_member_that_the_archive_lacks_is_named() {
    let host = Host::start();
    let machine = host.connect().await;
    let packed = archive(&host);
    let server = Server::start(&[("/a.tgz", &packed)]).await;
    let error =
        push_error(&machine, &bundle([(host.host_path("p"), binary(server.url("/a.tgz"), &packed, Some("bin/three")))])).await;
    assert!(matches!(&error, MachineError::Binary { url, .. } if url.to_string().ends_with("/a.tgz")), "{error}");
    assert!(error.to_string().contains("bin/three"), "{error}");
}
