//! What is rendered, as files to read and to review: `tests/golden/<case>/<host>/<path>.txt`, and `bundle.txt` for the rest.
//! `UPDATE=1` rewrites them and fails once. Certificates and keys are listed without content; scripts stand in `src`.

use crate::cases::{CASES, text};
use bundle::{Bundle, Needs, OnChange};
use render::{cloud_controller, objects};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[test]
fn bundles_are_as_reviewed() {
    let mut expected = BTreeMap::new();
    for case in CASES {
        for (host, bundle) in case.bundles() {
            let folder = PathBuf::from(case.name()).join(host.as_str());
            expected.insert(folder.join("bundle.txt"), summary(&bundle));
            let shown = bundle.files.keys().filter(|path| is_shown(path.as_str()));
            expected.extend(shown.map(|path| (folder.join(format!("{}.txt", &path.as_str()[1..])), text(&bundle, path))));
        }
        let (_, controller) = case.controller();
        let folder = PathBuf::from(case.name()).join("controller");
        expected.insert(folder.join("bundle.txt"), summary(&controller));
        let shown = controller.files.keys().filter(|path| is_shown(path.as_str()));
        expected.extend(shown.map(|path| (folder.join(format!("{}.txt", &path.as_str()[1..])), text(&controller, path))));
        let objects = objects::bootstrap_objects(&case.objects()).unwrap();
        let objects = serde_json::to_string_pretty(&objects).unwrap() + "\n";
        expected.insert(PathBuf::from(case.name()).join("objects.json"), objects);
    }
    let objects = serde_json::to_string_pretty(&cloud_controller::objects()).unwrap() + "\n";
    expected.insert(PathBuf::from("controller-objects.json"), objects);
    compare(&expected);
}

fn is_shown(path: &str) -> bool {
    !(path.ends_with(".crt") || path.ends_with(".key") || path.ends_with(".pub") || path.starts_with("/usr/local/lib/"))
}

fn summary(bundle: &Bundle) -> String {
    let mut lines = Vec::new();
    for (path, file) in &bundle.files {
        lines.push(format!("file {path} {:04o} {}", file.mode, file.owner));
    }
    for (path, binary) in &bundle.binaries {
        lines.push(format!("binary {path} {} {}", binary.url, binary.member.as_deref().unwrap_or("")).trim_end().to_string());
    }
    for (name, unit) in &bundle.units {
        lines.push(format!("unit {name}"));
        lines.extend(unit.reads.iter().map(|(path, on_change)| match on_change {
            OnChange::Restart => format!("  reads {path}"),
            OnChange::Reload => format!("  reads {path}, reloads"),
            OnChange::ReadAgain => format!("  reads {path}, again by itself"),
        }));
        lines.extend(unit.serves.iter().map(|(path, shown)| format!("  serves {path}, shown by {shown}")));
    }
    lines.extend(bundle.modules.iter().map(|module| format!("module {module}")));
    lines.extend(bundle.sysctls.iter().map(|(key, value)| format!("sysctl {key} {value}")));
    lines.extend(bundle.packages.iter().map(|(program, package)| format!("package {package} for {program}")));
    for (path, directory) in &bundle.data_directories {
        lines.push(format!("data directory {path} {:04o} {} {:?}", directory.mode, directory.owner, directory.if_filled));
    }
    lines.extend(bundle.identity.iter().map(|(key, value)| format!("identity {key} {value}")));
    lines.extend(
        bundle
            .cleanup
            .iter()
            .map(|cleanup| format!("cleanup {}: {}", cleanup.of, cleanup.command.lines().next().unwrap_or_default())),
    );
    lines.extend(needs(&bundle.needs));
    lines.join("\n") + "\n"
}

fn needs(needs: &Needs) -> Vec<String> {
    let mut lines: Vec<String> = needs.listens.iter().map(|(address, unit)| format!("listens {address} {unit}")).collect();
    lines.extend(needs.receives.iter().map(|what| format!("receives {what}")));
    lines.extend(needs.kernel.iter().map(|kernel| format!("kernel {}.{} for {}", kernel.major, kernel.minor, kernel.wanted_by)));
    lines.extend(needs.routed.iter().map(|network| format!("routes {network}")));
    lines.extend(needs.tunnel.iter().map(|address| format!("tunnel {address}")));
    let flags = [(needs.no_swap, "no swap"), (needs.cgroup_v2, "cgroup v2"), (needs.runs_containers, "to run containers alone")];
    lines.extend(flags.iter().filter(|(is_needed, _)| *is_needed).map(|(_, what)| format!("needs {what}")));
    if needs.processors > 0 {
        lines.push(format!("wants {} processors, {} MiB", needs.processors, needs.memory_bytes >> 20));
    }
    lines
}

fn compare(expected: &BTreeMap<PathBuf, String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders: Vec<PathBuf> = CASES.iter().map(|case| root.join(case.name())).collect();
    let mut stale: Vec<PathBuf> = folders.iter().flat_map(|folder| files_below(folder)).collect();
    stale.retain(|path| !expected.contains_key(path.strip_prefix(&root).unwrap()));
    let differing: Vec<&PathBuf> = expected
        .iter()
        .filter(|(path, text)| std::fs::read_to_string(root.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path)
        .collect();
    if stale.is_empty() && differing.is_empty() {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        stale.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        for path in &differing {
            let path_on_disk = root.join(path);
            std::fs::create_dir_all(path_on_disk.parent().unwrap()).unwrap();
            std::fs::write(path_on_disk, &expected[*path]).unwrap();
        }
        panic!("goldens were rewritten: {differing:?}, removed: {stale:?}; review them and run again without UPDATE=1");
    }
    let first = differing.first().map(|path| {
        let before = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        format!("first difference, {}:\n--- reviewed\n{before}\n--- rendered\n{}", path.display(), expected[*path])
    });
    panic!("not as reviewed: {differing:?}, not rendered any more: {stale:?}\n{}", first.unwrap_or_default());
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
