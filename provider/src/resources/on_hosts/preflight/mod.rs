//! What must hold on a host before it gets anything for the first time: rules over what one look at each of them found. All findings of
//! all hosts come at once. Pure: the facts come in. Whose a host is stands in `ownership`. Why stands in
//! docs/adr/0035-a-first-look-at-a-host.md.

mod kernel;
mod load_balancer;
mod machine;
mod network;
mod others;

use bundle::{Bundle, HostList, HostName, HostPath, UnitName};
use machines::{Facts, Inventory, Wanted};
use schema::{AttributePath, Diagnostic, Diagnostics, Severity};
use std::collections::BTreeMap;

/// A host that is seen for the first time.
pub struct Newcomer<'a> {
    pub name: &'a HostName,
    pub host: &'a render::Host,
    /// What it is to have.
    pub bundle: &'a Bundle,
    pub facts: &'a Facts,
    pub found: &'a Inventory,
}

/// The hosts of one resource that are seen for the first time in an apply.
pub struct Look<'a> {
    pub newcomers: Vec<Newcomer<'a>>,
    /// All that the resource has.
    pub hosts: &'a render::Hosts,
}

/// One thing that is looked at.
pub struct Rule {
    /// What is looked at, and what would do; a line of the guide.
    says: &'static str,
    /// On which hosts; for the guide.
    hosts: &'static str,
    /// An error is what would not work, or would destroy or fight with what is there; a warning is what works worse.
    severity: Severity,
    check: fn(&Look) -> Vec<Finding>,
}

/// What a rule found, on which hosts.
pub struct Finding {
    hosts: Vec<HostName>,
    /// Goes before "on cp-1".
    what: String,
    /// Why, and the way out.
    detail: String,
}

fn rules() -> impl Iterator<Item = &'static Rule> {
    machine::RULES.iter().chain(&others::RULES).chain(&load_balancer::RULES).chain(&network::RULES).chain(&kernel::RULES)
}

/// The rules as a table in Markdown, for the guide.
pub fn table() -> String {
    let line = |rule: &Rule| {
        let otherwise = if rule.severity == Severity::Error { "error" } else { "warning" };
        format!("| {} | {} | {otherwise} |\n", rule.says, rule.hosts)
    };
    let lines: String = rules().map(line).collect();
    format!("| What must hold | Hosts | Otherwise |\n|---|---|---|\n{lines}")
}

/// What to look for on a host that is to have this bundle.
pub fn wanted(bundle: &Bundle) -> Wanted {
    let rivals = others::RIVALS.iter().map(|rival| UnitName::literal(rival.unit));
    Wanted {
        units: bundle.units.keys().cloned().chain(rivals).chain(load_balancer::units()).collect(),
        modules: bundle.modules.clone(),
        directories: [others::CNI_FOLDER, load_balancer::KEEPALIVED_FOLDER].map(HostPath::literal).into(),
        tunnel: bundle.needs.tunnel,
    }
}

/// Whether a host is seen for the first time by the owner of the bundle: it has no record of it, or one that was written on another
/// machine.
pub fn is_new(owner: &machines::Owner, found: &Inventory) -> bool {
    let record = found.records.get(owner);
    record.is_none_or(|record| record.is_of_another_machine(found.machine_id.as_deref()))
}

/// Errors say what to change; nothing has been done to any host yet. What is the same on several hosts is said once.
pub fn check(look: &Look) -> Diagnostics {
    rules().flat_map(|rule| folded((rule.check)(look)).into_iter().map(|finding| finding.diagnostic(rule.severity))).collect()
}

fn folded(findings: Vec<Finding>) -> Vec<Finding> {
    let mut all: BTreeMap<(String, String), Vec<HostName>> = BTreeMap::new();
    for finding in findings {
        all.entry((finding.what, finding.detail)).or_default().extend(finding.hosts);
    }
    let mut all: Vec<Finding> = all.into_iter().map(|((what, detail), hosts)| Finding { hosts, what, detail }).collect();
    all.iter_mut().for_each(|finding| finding.hosts.sort_by(|one, other| one.by_number(other)));
    all.sort_by(|one, other| one.hosts.first().cmp(&other.hosts.first()));
    all
}

impl Finding {
    fn diagnostic(self, severity: Severity) -> Diagnostic {
        let path = match &self.hosts[..] {
            [host] => AttributePath::attribute("hosts").key(host.as_str()),
            _ => AttributePath::attribute("hosts"),
        };
        let summary = format!("{} on {}", self.what, HostList(self.hosts));
        let diagnostic = match severity {
            Severity::Error => Diagnostic::error(summary).detail(format!("{}\n\nNothing was changed on any host.", self.detail)),
            Severity::Warning => Diagnostic::warning(summary).detail(self.detail),
        };
        diagnostic.at(path)
    }
}

/// For rules that look at one host at a time.
fn each(look: &Look, found: impl Fn(&Newcomer) -> Option<(String, String)>) -> Vec<Finding> {
    each_of(look, |newcomer| found(newcomer).into_iter().collect())
}

fn each_of(look: &Look, found: impl Fn(&Newcomer) -> Vec<(String, String)>) -> Vec<Finding> {
    let of_one = |newcomer: &Newcomer| {
        let hosts = vec![newcomer.name.clone()];
        let findings = found(newcomer).into_iter();
        findings.map(|(what, detail)| Finding { hosts: hosts.clone(), what, detail }).collect::<Vec<_>>()
    };
    look.newcomers.iter().flat_map(of_one).collect()
}

impl Newcomer<'_> {
    /// Whether the unit came up by a record that this provider left there.
    fn is_ours(&self, unit: &UnitName) -> bool {
        self.found.records.values().any(|record| record.started.contains(unit))
    }

    /// Whether a component of a cluster is to run there.
    fn runs_kubernetes(&self) -> bool {
        self.bundle.needs.runs_containers || self.bundle.needs.tunnel.is_some()
    }
}

#[cfg(test)]
mod tests;
