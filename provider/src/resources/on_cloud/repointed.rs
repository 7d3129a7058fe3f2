//! Records of hosted zones have no tags: where one points is all that shows whose it is. One that somebody has pointed elsewhere since is
//! not deleted when it is no longer declared. Pure.

use cloud::{Found, Graph, Matching, ObjectKey, Resolver};
use schema::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// Where records point that are ours: settings of their targets, as AWS has them.
#[derive(Default)]
pub struct Targets(BTreeSet<(String, String)>);

impl Targets {
    /// Those that a graph declares. `found` are the objects that it refers to.
    pub fn of(graph: &Graph, found: &BTreeMap<ObjectKey, Found>) -> Targets {
        let mut targets = Targets::default();
        targets.extend(graph, found);
        targets
    }

    /// Those of a graph beside what was found: also by way of an object whose place another one takes.
    pub fn and_of(&mut self, graph: &Graph, matching: &Matching) {
        self.extend(graph, &matching.matched);
        for (key, found) in matching.superseded.iter().chain(&matching.leaving) {
            self.extend(graph, &BTreeMap::from([(key.clone(), found.clone())]));
        }
    }

    fn extend(&mut self, graph: &Graph, found: &BTreeMap<ObjectKey, Found>) {
        let resolver = Resolver::new(found);
        for record in graph.iter().filter(|object| !object.key.kind.has_tags()) {
            let targets = record.settings.iter().filter(|(key, _)| record.key.kind.is_target(key));
            let resolved = targets.filter_map(|(key, value)| Some((resolver.resolve(key)?, resolver.resolve(value.known()?)?)));
            self.0.extend(resolved);
        }
    }

    /// Whether it points only to where ours do.
    fn has(&self, found: &Found) -> bool {
        let mut targets = found.settings.iter().filter(|(key, _)| found.kind.is_target(key));
        targets.all(|(key, value)| self.0.contains(&(key.clone(), value.clone())))
    }

    /// Takes out of what is to go what points elsewhere, and names it.
    pub fn keep_repointed(&self, going: &mut Vec<(ObjectKey, Found)>) -> Option<Diagnostic> {
        let is_ours = |(_, found): &(ObjectKey, Found)| found.kind.has_tags() || self.has(found);
        let (ours, repointed): (Vec<_>, Vec<_>) = std::mem::take(going).into_iter().partition(is_ours);
        *going = ours;
        let lines: Vec<String> = repointed.iter().map(|(_, found)| shown(found)).collect();
        (!lines.is_empty()).then(|| {
            Diagnostic::warning("DNS records stay, because they do not point to what this resource has").detail(format!(
                "They were created by this resource. Somebody has changed where they point since, or what they pointed to is gone, so that \
                 nothing shows whether they are still its own. From now on they are in no state: delete them in their hosted zone if they are \
                 of no use any more.\n{}",
                lines.join("\n")
            ))
        })
    }
}

fn shown(found: &Found) -> String {
    let setting = |key: &str| found.settings.get(key).map(String::as_str).unwrap_or_default();
    let targets = found.settings.iter().filter(|(key, _)| found.kind.is_target(key));
    let targets: Vec<&str> = targets.map(|(key, value)| if value.is_empty() { last_word(key) } else { value }).collect();
    format!("{} {} in zone {}: {}", setting("type"), setting("record_name"), setting("zone"), targets.join(", "))
}

fn last_word(key: &str) -> &str {
    key.rsplit(' ').next().unwrap_or(key)
}
