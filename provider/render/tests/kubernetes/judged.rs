//! What is rendered, judged by the programs that read it: systemd, a YAML parser, a shell and shellcheck. The rest of them
//! (containerd, kubelet, nft …) judge in the acceptance tests.

use crate::cases::{CASES, text};
use bundle::HostPath;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn systemd_accepts_every_unit() {
    for case in CASES {
        for (host, bundle) in case.bundles().into_iter().chain([case.controller()]) {
            let folder = tempfile::tempdir().unwrap();
            let mut units = Vec::new();
            for name in bundle.units.keys() {
                // The programs are not here; that they are in the bundle is a property of its own.
                let mut unit = text(&bundle, &name.path());
                let programs = bundle.binaries.keys().chain(bundle.files.keys()).map(HostPath::as_str);
                for program in programs.filter(|path| path.starts_with("/usr/local/")) {
                    for start in ["ExecStart=", "ExecStartPre="] {
                        unit = unit.replace(&format!("{start}{program} "), &format!("{start}/bin/true "));
                    }
                }
                let path = folder.path().join(name.as_str());
                std::fs::write(&path, unit).unwrap();
                units.push(path);
            }
            let mut verify = Command::new("systemd-analyze");
            let output = verify.args(["verify", "--man=no", "--recursive-errors=no"]).args(&units).output().unwrap();
            let complaints = String::from_utf8_lossy(&output.stderr).to_string();
            // Of the machine that runs the test, not of the unit.
            let ours: Vec<&str> = complaints.lines().filter(|line| line.contains(&*folder.path().to_string_lossy())).collect();
            assert!(ours.is_empty() && output.status.success(), "{} {host}: {complaints}", case.name());
        }
    }
}

#[test]
fn yaml_files_parse_and_say_what_they_are() {
    for (host, bundle) in CASES.into_iter().flat_map(|case| case.bundles()) {
        for path in bundle.files.keys().filter(|path| path.as_str().ends_with(".yaml") || path.as_str().ends_with(".kubeconfig"))
        {
            let value: serde_json::Value = serde_saphyr::from_str(&text(&bundle, path)).unwrap();
            assert!(value["apiVersion"].is_string() && value["kind"].is_string(), "{host} {path}");
        }
    }
}

#[test]
fn toml_files_parse() {
    for (_, bundle) in CASES.into_iter().flat_map(|case| case.bundles()) {
        for path in bundle.files.keys().filter(|path| path.as_str().ends_with(".toml")) {
            toml::from_str::<toml::Table>(&text(&bundle, path)).unwrap();
        }
    }
}

#[test]
fn scripts_are_posix_shell_without_findings() {
    let (_, control_plane) = CASES[0].bundles().remove(0);
    let (_, node) = CASES[0].bundles().remove(1);
    for bundle in [control_plane, node] {
        for path in bundle.files.keys().filter(|path| path.as_str().starts_with("/usr/local/lib/")) {
            let script = text(&bundle, path);
            if path.as_str().ends_with(".awk") {
                // 2: what awk cannot read.
                run(path, &script, &["sh", "-c", r#"awk "$(cat)" </dev/null; [ $? -ne 2 ]"#]);
                continue;
            }
            run(path, &script, &["sh", "-n", "/dev/stdin"]);
            run(path, &script, &["shellcheck", "--shell=sh", "-"]);
        }
        for bundle::Cleanup { command, .. } in &bundle.cleanup {
            run(&HostPath::literal("/cleanup"), command, &["sh", "-n", "/dev/stdin"]);
        }
    }
}

#[track_caller]
fn run(path: &HostPath, script: &str, command: &[&str]) {
    let child =
        Command::new(command[0]).args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{} must be installed for this test: {error}", command[0]));
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&said));
}
