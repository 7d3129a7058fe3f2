//! Differences as data, for the state and for programs that read a plan. The sentence of a difference may be worded in another way at any
//! time; the words here may not without an upgrade of the state.

use super::{Difference, Instead, Item, What};
use crate::{HostPath, Sysctl, UnitName};

/// One way in which one item differs. A file of which both mode and owner differ makes two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// `file`, `program`, `unit`, `module`, `sysctl`, `node`, `kubelet`, `label`, `annotation`, `taint` or `provider_id`.
    pub kind: String,
    /// A path, the name of a unit or module, a key; of a taint `dedicated:NoSchedule`. `None` where a host has one of that kind.
    pub name: Option<String>,
    /// In lower-case words: `missing`, `older_configuration`.
    pub problem: String,
    pub found: Option<String>,
    pub declared: Option<String>,
}

/// What needs no further word than its name.
const PLAIN: [(What, &str); 13] = [
    (What::Missing, "missing"),
    (What::NotInstalled, "not_installed"),
    (What::Replaced, "replaced"),
    (What::UnknownToSystemd, "unknown_to_systemd"),
    (What::NotEnabled, "not_enabled"),
    (What::OlderConfiguration, "older_configuration"),
    (What::Unproven, "unproven"),
    (What::Unread, "unread"),
    (What::NotLoaded, "not_loaded"),
    (What::OtherValue, "other_value"),
    (What::NoLongerDeclared, "no_longer_declared"),
    (What::NotRegistered, "not_registered"),
    (What::LeftCordoned, "left_cordoned"),
];
const NOT_RUNNING: &str = "not_running";
const VALUE: &str = "value";
const CONTENT: &str = "content";
const MODE: &str = "mode";
const OWNER: &str = "owner";

impl Item {
    /// Its `kind` and `name`, as a [`Finding`] has them.
    fn to_words(&self) -> (&'static str, Option<String>) {
        match self {
            Item::File(path) => ("file", Some(path.to_string())),
            Item::Binary(path) => ("program", Some(path.to_string())),
            Item::Unit(name) => ("unit", Some(name.to_string())),
            Item::Module(name) => ("module", Some(name.clone())),
            Item::Sysctl(key) => ("sysctl", Some(key.to_string())),
            Item::Node => ("node", None),
            Item::Kubelet => ("kubelet", None),
            Item::Label(key) => ("label", Some(key.clone())),
            Item::Annotation(key) => ("annotation", Some(key.clone())),
            Item::Taint(key) => ("taint", Some(key.to_string())),
            Item::ProviderId => ("provider_id", None),
        }
    }

    fn from_words(kind: &str, name: Option<&str>) -> Option<Item> {
        Some(match (kind, name) {
            ("file", Some(path)) => Item::File(HostPath::parse(path).ok()?),
            ("program", Some(path)) => Item::Binary(HostPath::parse(path).ok()?),
            ("unit", Some(name)) => Item::Unit(UnitName::parse(name).ok()?),
            ("module", Some(name)) => Item::Module(name.into()),
            ("sysctl", Some(key)) => Item::Sysctl(Sysctl::parse(key).ok()?),
            ("node", None) => Item::Node,
            ("kubelet", None) => Item::Kubelet,
            ("label", Some(key)) => Item::Label(key.into()),
            ("annotation", Some(key)) => Item::Annotation(key.into()),
            ("taint", Some(key)) => Item::Taint(key.parse().ok()?),
            ("provider_id", None) => Item::ProviderId,
            _ => return None,
        })
    }
}

impl What {
    /// `problem`, `found` and `declared` of each of its [`Finding`]s.
    fn to_words(&self) -> Vec<(&'static str, Option<String>, Option<String>)> {
        let instead = |problem, instead: &Instead| (problem, Some(instead.found.clone()), Some(instead.declared.clone()));
        match self {
            What::File { content, mode, owner } => {
                let content = content.then_some((CONTENT, None, None));
                let mode = mode.as_ref().map(|mode| instead(MODE, mode));
                let owner = owner.as_ref().map(|owner| instead(OWNER, owner));
                [content, mode, owner].into_iter().flatten().collect()
            }
            What::NotRunning(state) => vec![(NOT_RUNNING, Some(state.clone()), None)],
            What::Value(value) => vec![instead(VALUE, value)],
            plain => PLAIN.iter().filter(|(what, _)| what == plain).map(|(_, problem)| (*problem, None, None)).collect(),
        }
    }

    fn from_words(finding: &Finding) -> Option<What> {
        let instead = || Some(Instead { found: finding.found.clone()?, declared: finding.declared.clone()? });
        Some(match finding.problem.as_str() {
            NOT_RUNNING => What::NotRunning(finding.found.clone()?),
            VALUE => What::Value(instead()?),
            CONTENT => What::File { content: true, mode: None, owner: None },
            MODE => What::File { content: false, mode: Some(instead()?), owner: None },
            OWNER => What::File { content: false, mode: None, owner: Some(instead()?) },
            problem => PLAIN.iter().find(|(_, name)| *name == problem).map(|(what, _)| what.clone())?,
        })
    }

    /// Takes in what else differs of the same file. False when it is none.
    fn take_in(&mut self, other: &What) -> bool {
        let What::File { content, mode, owner } = self else { return false };
        let What::File { content: also_content, mode: also_mode, owner: also_owner } = other else { return false };
        *content |= also_content;
        *mode = mode.take().or_else(|| also_mode.clone());
        *owner = owner.take().or_else(|| also_owner.clone());
        true
    }
}

impl Difference {
    /// One for each way in which the item differs.
    pub fn findings(&self) -> Vec<Finding> {
        let (kind, name) = self.item.to_words();
        let finding = |(problem, found, declared): (&str, _, _)| Finding {
            kind: kind.into(),
            name: name.clone(),
            problem: problem.into(),
            found,
            declared,
        };
        self.what.to_words().into_iter().map(finding).collect()
    }
}

impl Finding {
    /// What the findings of one host stand for, in any order. `None` when one of them is none that [`Difference::findings`] makes.
    pub fn differences<'a>(all: impl IntoIterator<Item = &'a Finding>) -> Option<Vec<Difference>> {
        let mut differences: Vec<Difference> = Vec::new();
        for finding in all {
            let item = Item::from_words(&finding.kind, finding.name.as_deref())?;
            let what = What::from_words(finding)?;
            let mut same_item = differences.iter_mut().filter(|known| known.item == item);
            if !same_item.any(|known| known.what.take_in(&what)) {
                differences.push(Difference { item, what });
            }
        }
        Some(differences)
    }
}
