//! Whatever waits does it through `wait.rs`, by the clock port: it ends when the user stops, and tests need not take the time.

use crate::tree::{code, files, nothing, read, root};

const BY_ITSELF: [&str; 4] = ["tokio::time::", "Instant::now", "SystemTime", "sleep("];
/// The port, what waits by it, and why others read a clock all the same.
const ARGUED: [(&str, &str); 3] = [
    ("provider/src/ports.rs", "the port itself"),
    ("provider/src/wait.rs", "the one way to wait"),
    ("provider/src/progress.rs", "prints how long a phase took, and waits for nothing"),
];
const IN_TESTS: [&str; 4] = ["/fakes/", "/lifecycle/", "/tests.rs", "/stopping.rs"];

fn found(code: &str) -> Vec<&'static str> {
    BY_ITSELF.into_iter().filter(|word| code.contains(word)).collect()
}

#[test]
fn nothing_waits_by_a_clock_of_its_own() {
    let mut faults = Vec::new();
    for path in files(&root().join("provider/src"), ".rs") {
        let name = path.display().to_string();
        if IN_TESTS.iter().any(|part| name.contains(part)) || ARGUED.iter().any(|(file, _)| name.ends_with(file)) {
            continue;
        }
        let words = found(code(&read(&path)));
        faults.extend(words.iter().map(|word| format!("{name}: {word} (wait through `wait.rs`, see docs/adr/0012)")));
    }
    nothing(faults);
}

#[test]
fn a_pause_of_its_own_is_found() {
    assert_eq!(found("() = tokio::time::sleep(POLL) => {}"), ["tokio::time::", "sleep("]);
    assert_eq!(found("let began = Instant::now();"), ["Instant::now"]);
    assert_eq!(found("fleet.waiter().until(what, LIMIT, PACE)"), Vec::<&str>::new());
}
