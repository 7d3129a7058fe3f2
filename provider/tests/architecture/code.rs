//! How code reads: what each file is, how long it and its functions are, and what of it is documented.

use crate::tree::{code, files, nothing, read, root, sources};

/// Crates whose public items are documented, and the share of them that has to be, in percent.
const DOCUMENTED: [&str; 7] = [
    "schema",
    "provider/bundle",
    "provider/cloud",
    "provider/credentials",
    "provider/pki",
    "provider/render",
    "provider/rollout",
];
const DOCUMENTED_PERCENT: usize = 90;
const ITEMS: [&str; 7] = ["fn ", "struct ", "enum ", "trait ", "const ", "static ", "type "];
const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 60;

#[test]
fn every_source_file_says_what_it_is_and_is_short_enough_to_read() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = read(&path);
        if !text.starts_with("//!") {
            faults.push(format!("{} does not begin with //!", path.display()));
        }
        let length = code(&text).lines().count();
        if length > LONGEST_FILE {
            faults.push(format!("{} has {length} lines", path.display()));
        }
    }
    nothing(faults);
}

/// `pub fn`, `pub async fn`, `pub const`: not `pub use`, not fields.
fn is_public_item(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("pub ") else { return false };
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    ITEMS.iter().any(|item| rest.starts_with(item))
}

#[test]
fn public_items_of_pure_crates_are_documented() {
    for folder in DOCUMENTED {
        let (mut all, mut bare) = (0, Vec::new());
        for file in files(&root().join(folder).join("src"), ".rs") {
            let text = read(&file);
            let mut above = "";
            for line in code(&text).lines() {
                if is_public_item(line) {
                    all += 1;
                    if !above.trim_start().starts_with("///") {
                        bare.push(format!("{}: {}", file.display(), line.trim()));
                    }
                }
                if !line.trim_start().starts_with("#[") {
                    above = line;
                }
            }
        }
        let documented = all - bare.len();
        assert!(
            documented * 100 >= all * DOCUMENTED_PERCENT,
            "{folder}: {documented} of {all} are documented; not:\n{}",
            bare.join("\n")
        );
    }
}

/// Names and lengths. Formatted code closes a function at the depth at which it opens it.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let is_function = |line: &str| {
        let words = line.trim_start().split(' ');
        let mut rest = words.skip_while(|word| word.starts_with("pub") || ["const", "async", "unsafe"].contains(word));
        rest.next() == Some("fn")
    };
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let name = line.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next()).unwrap_or_default();
        let is_end = |other: &&str| depth(other) == depth(line) && (other.trim() == "}" || other.ends_with(';'));
        let length = lines[start..].iter().position(is_end).map_or(1, |end| end + 1);
        found.push((name, length));
    }
    found
}

#[test]
fn no_function_is_too_long_to_read() {
    let sample = "    fn long(\n        a: u8,\n    ) -> u8 {\n        a\n    }\n    fn short();\nfn other() {}\n";
    assert_eq!(functions(sample)[..2], [("long", 5), ("short", 1)]);
    let mut faults = Vec::new();
    for path in sources().into_iter().filter(|path| !path.ends_with("tests.rs")) {
        let text = read(&path);
        let long = functions(code(&text)).into_iter().filter(|(_, length)| *length > LONGEST_FUNCTION);
        faults.extend(long.map(|(name, length)| format!("{}: {name} has {length} lines", path.display())));
    }
    nothing(faults);
}
