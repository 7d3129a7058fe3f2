//! All rows in one configuration, and what an engine says of it.

use super::{LOCALS, PROVIDER, Row, SECTIONS, bad, hosts::PKI};
use acceptance_tests::command::run;
use acceptance_tests::{Engine, Workspace, lab};
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

const HEAD: &str = "terraform {\n  required_providers {\n    k8s = { source = \"k8s-hardway/k8s\" }\n  }\n}\n";

pub struct Configuration {
    text: String,
    pub rows: Vec<Place>,
}

/// The lines of a block, and which of its attributes begins on each.
pub struct Place {
    lines: RangeInclusive<usize>,
    attributes: Vec<(String, usize)>,
}

impl Configuration {
    /// One good block of each kind, called `base`, then one block for each row.
    pub fn of(rows: &[&Row]) -> Configuration {
        let mut configuration = Configuration { text: HEAD.into(), rows: Vec::new() };
        for (block, _) in SECTIONS.iter().flat_map(|section| section.complete) {
            configuration.add("base", &bad(block, "", "", ""));
        }
        configuration.rows =
            rows.iter().enumerate().map(|(number, row)| configuration.add(&format!("row_{number}"), row)).collect();
        configuration
    }

    fn add(&mut self, name: &str, row: &Row) -> Place {
        let (_, complete) = SECTIONS.iter().flat_map(|section| section.complete).find(|(block, _)| *block == row.block).unwrap();
        let is_kept = |line: &&str| row.wrong.lines().all(|wrong| attribute_of(wrong) != attribute_of(line));
        let mut body: Vec<String> =
            complete.iter().copied().filter(is_kept).chain(row.wrong.lines()).map(str::to_string).collect();
        let header = match row.block {
            LOCALS => LOCALS.to_string(),
            PROVIDER if name == "base" => PROVIDER.to_string(),
            PROVIDER => {
                body.push(format!("alias = \"{name}\""));
                self.add(&format!("of_{name}"), &bad(PKI, "provider = k8s.NAME", "", "")); // an engine passes over one that nobody uses
                self.text = self.text.replace("k8s.NAME", &format!("k8s.{name}"));
                PROVIDER.to_string()
            }
            block => format!("{block} \"{name}\""),
        };
        let first = self.text.lines().count() + 1;
        let attributes =
            body.iter().enumerate().map(|(index, line)| (attribute_of(line).to_string(), first + 1 + index)).collect();
        self.text += &format!("{header} {{\n{}\n}}\n", body.join("\n"));
        Place { lines: first..=self.text.lines().count(), attributes }
    }

    /// Nothing can be asked of AWS but at this address.
    pub fn validate(&self, engine: &Engine, aws: SocketAddr) -> Vec<Value> {
        let source = lab::folder().join("bad-inputs-source");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("main.tf"), &self.text).unwrap();
        let workspace = Workspace::new(engine, &source, "bad-inputs");
        let mut command = workspace.command(None, "validate");
        let answer = run(command.arg("-json").env("AWS_ENDPOINT_URL", format!("http://{aws}")));
        let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
        workspace.remove();
        answer["diagnostics"].as_array().unwrap().clone()
    }
}

impl Place {
    /// Some diagnostic of the block says it, at the attribute. Engines can point at an attribute and at an element of it, not below:
    /// there the detail names the whole path.
    pub fn judge(&self, row: &Row, diagnostics: &[Value]) -> Result<(), String> {
        let fault = |what: &str, seen: &dyn std::fmt::Debug| Err(format!("{}: {}: {what}: {seen:?}", row.block, row.wrong));
        let line = |diagnostic: &Value| usize::try_from(diagnostic["range"]["start"]["line"].as_u64().unwrap_or(0)).unwrap_or(0);
        let here: Vec<&Value> = diagnostics.iter().filter(|diagnostic| self.lines.contains(&line(diagnostic))).collect();
        let text = |diagnostic: &Value, key: &str| diagnostic[key].as_str().unwrap_or_default().to_string();
        let says_it = |diagnostic: &&&Value| text(diagnostic, "summary").to_lowercase().contains(&row.summary.to_lowercase());
        let Some(found) = here.iter().find(says_it) else {
            return fault("nobody says it, but", &here.iter().map(|diagnostic| text(diagnostic, "summary")).collect::<Vec<_>>());
        };
        let attribute: String = row.path.chars().take_while(|c| !".[".contains(*c)).collect();
        let expected = self.attributes.iter().find(|(name, _)| *name == attribute).map(|(_, line)| *line);
        if expected.is_some_and(|expected| expected != line(found)) {
            return fault("the engine points elsewhere", &text(&found["snippet"], "code"));
        }
        let is_deep = steps(row.path) > 2 || steps(row.path) == 2 && !row.path.contains('[');
        if is_deep && !text(found, "detail").contains(row.path) {
            return fault("the detail does not name the path", &text(found, "detail"));
        }
        if text(found, "detail").is_empty() {
            return fault("no way out is shown", &found);
        }
        Ok(())
    }
}

/// `hosts["cp-1"].address` has three. What stands in brackets is one, whatever is in it.
fn steps(path: &str) -> usize {
    path.split('"').step_by(2).map(|outside| outside.matches(['.', '[']).count()).sum::<usize>() + 1
}

fn attribute_of(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}
