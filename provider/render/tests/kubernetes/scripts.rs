//! The scripts that run on hosts, run here: with a stand-in for kubectl (and for ip and nft), and the real openssl and awk.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const RESOLV_CONF: &str = include_str!("../../src/node/resolv-conf.sh");

/// For all the lines that a test waits for.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

pub fn executable(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Starts the script in a process group of its own and returns the first `count` lines that it says; then it is ended.
pub fn first_lines(command: &mut Command, count: usize) -> Vec<String> {
    use std::os::unix::process::CommandExt;
    let mut child: Child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (group, (done, waiting)) = (format!("-{}", child.id()), std::sync::mpsc::channel::<()>());
    let end = move |group: &str| Command::new("kill").args(["-KILL", "--", group]).status().unwrap().success();
    let watched = group.clone();
    let watchdog = std::thread::spawn(move || waiting.recv_timeout(LONGEST).is_err_and(|_| end(&watched)));
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(count).map(Result::unwrap).collect();
    let _ = done.send(());
    let was_late = watchdog.join().unwrap();
    end(&group);
    child.wait().unwrap();
    assert!(!was_late, "after {LONGEST:?} it has said only {lines:#?}");
    lines
}

/// A `timeout` that ends what it runs after two seconds, whatever it is asked for: minutes would be long for a test.
pub fn short_timeout(folder: &Path) -> String {
    let real = Command::new("sh").args(["-c", "command -v timeout"]).output().unwrap().stdout;
    executable(folder, "timeout", &format!("shift; exec {} 2 \"$@\"", String::from_utf8(real).unwrap().trim()));
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn pods_always_get_a_name_server() {
    #[track_caller]
    fn check(host: Option<&str>, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("host");
        if let Some(text) = host {
            fs::write(&source, text).unwrap();
        }
        let script = RESOLV_CONF
            .replace("/run/systemd/resolve/resolv.conf", "/nowhere")
            .replace("/etc/resolv.conf", source.to_str().unwrap());
        let output = folder.path().join("out");
        let status = Command::new("sh").args(["-c", &script, "kubelet-resolv-conf", "10.0.0.1"]).arg(&output).status().unwrap();
        assert!(status.success());
        assert_eq!(fs::read_to_string(output).unwrap(), expect, "{host:?}");
    }
    check(None, "nameserver fe80::1\n");
    check(Some(""), "nameserver fe80::1\n");
    check(Some("# nothing\nsearch example\n"), "nameserver fe80::1\n");
    check(Some("nameserver 127.0.0.53\noptions edns0\n"), "nameserver 10.0.0.1\n");
    check(Some("nameserver ::1\n"), "nameserver 10.0.0.1\n");
    check(Some("nameserver 192.0.2.1\n"), "nameserver 192.0.2.1\n");
    check(Some("# c\nnameserver 127.0.0.1\nnameserver ::12\nsearch a b\n"), "nameserver ::12\nsearch a b\n");
}
