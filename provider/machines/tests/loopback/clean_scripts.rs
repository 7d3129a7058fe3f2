//! The shell scripts, as their own judge sees them.

use std::process::Command;

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scripts");
    let scripts = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let output =
        Command::new("shellcheck").args(scripts).output().expect("this test needs shellcheck: apt-get install shellcheck");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
