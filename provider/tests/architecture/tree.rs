//! The files of this tree, as the tests of its architecture read them.

use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files below a folder whose names end like this; what is built is passed over.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// Rust files below `src/` folders.
pub fn sources() -> Vec<PathBuf> {
    let in_src = |path: &PathBuf| path.strip_prefix(root()).unwrap().components().any(|part| part.as_os_str() == "src");
    files(&root(), ".rs").into_iter().filter(in_src).collect()
}

/// Without the tests at its end.
pub fn code(text: &str) -> &str {
    ["", "pub(super) "]
        .iter()
        .fold(text, |text, public| text.split(&format!("\n#[cfg(test)]\n{public}mod tests {{")).next().unwrap())
}

#[track_caller]
pub fn nothing(faults: Vec<String>) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
