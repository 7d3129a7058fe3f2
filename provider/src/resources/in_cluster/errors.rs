//! What is said of objects that cannot be applied, waited for or deleted, or that are not ours. Pure.

use super::ownership::{Keys, Kind, Owner, Ownership, listed};
use super::waits::WaitError;
use crate::kubernetes::KubernetesError;
use crate::wait::Ended;
use objects::ObjectKey;
use schema::Diagnostic;
use std::collections::BTreeMap;
use std::time::Duration;

pub fn unanswered(error: KubernetesError) -> Diagnostic {
    Diagnostic::error(error.to_string())
}

pub fn failed(error: WaitError) -> Diagnostic {
    match error {
        WaitError::Ended(Ended::Cancelled { what }) => {
            Diagnostic::error("stopped on request").detail(format!("While waiting until {what}. Another apply continues."))
        }
        error => Diagnostic::error(error.to_string()),
    }
}

pub fn not_gone(left: &BTreeMap<ObjectKey, String>, limit: Duration) -> Diagnostic {
    Diagnostic::error(format!("objects are being deleted and are still there after {} s", limit.as_secs()))
        .detail(format!("{}\n\nAnother run waits for them again.", lines(left)))
}

pub fn not_ready(lacking: &BTreeMap<ObjectKey, String>, limit: Duration) -> Diagnostic {
    Diagnostic::error("objects are not ready").detail(format!(
        "{}\n\nThey were applied, and waited for up to {} s or until one had failed. An apply that goes on with them waits again; a Job that has \
         failed has to be deleted before.",
        lines(lacking),
        limit.as_secs()
    ))
}

/// Of Jobs that were gone before anybody saw how they ended.
pub fn end_unseen(keys: &Keys) -> Option<Diagnostic> {
    let warning = Diagnostic::warning(format!("it was not seen how these ended: {}", listed(keys)));
    (!keys.is_empty()).then(|| {
        warning.detail(
            "A Job with ttlSecondsAfterFinished goes away when it fails as when it completes. A longer time to live, such as 300, lets an apply see which of the two it was.",
        )
    })
}

pub fn nodes_not_ready(lacking: &BTreeMap<ObjectKey, String>, limit: Duration) -> Diagnostic {
    Diagnostic::error(format!("nodes are not Ready after {} s", limit.as_secs()))
        .detail(format!("{}\n\nThe objects were applied. An apply that goes on with them waits for nodes again.", lines(lacking)))
}

/// It has come, or come to somebody else, since the objects were looked at.
pub fn taken_meanwhile(key: &ObjectKey, stranger: &Ownership) -> Diagnostic {
    let by = match stranger {
        Ownership::Other(name) => format!("{name} has it by now"),
        Ownership::OfAnotherState => "another state has it by now".to_string(),
        Ownership::None | Ownership::Ours => "somebody else has created it meanwhile".to_string(),
    };
    Diagnostic::error(format!("{key} was not applied: {by}")).detail(
        "It was not so when this apply began. Declare each object once, and in one state; another apply says what is to be done.",
    )
}

/// Objects that were to be deleted.
pub fn left_to_others(theirs: &Keys) -> Option<Diagnostic> {
    let warning = || {
        Diagnostic::warning("objects that are somebody else's by now were left").detail(format!(
            "They are {}. They were created again, somebody has taken their annotations away, or another state has them.",
            listed(theirs)
        ))
    };
    (!theirs.is_empty()).then(warning)
}

/// `left` says why it is this resource's all the same.
pub fn created_meanwhile(key: &ObjectKey, left: Option<&str>) -> Diagnostic {
    let detail = match left {
        None => {
            "It was not there when this apply looked, and it has the declared fields now. Fields that another k8s_manifests or k8s_addon had applied are not \
             among them any more. No resource has it until the next apply of the other one, which restores it. Declare each object once."
                .to_string()
        }
        Some(reason) => format!(
            "It was not there when this apply looked, and it is this resource's now, because it could not be let go: {reason}. A destroy of this \
             resource, which a failed create is planned for, deletes it: take it out of the configuration and apply the other one before, or untaint \
             this one."
        ),
    };
    Diagnostic::error(format!("somebody else has created {key} at the same moment")).detail(detail)
}

fn lines(reasons: &BTreeMap<ObjectKey, String>) -> String {
    let lines: Vec<String> = reasons.iter().map(|(key, reason)| format!("{key}: {reason}")).collect();
    lines.join("\n")
}

pub fn refused(key: &ObjectKey, message: &str, is_there: bool) -> Diagnostic {
    let remedy = if is_there {
        format!(
            " If it is a field that cannot be changed, may_replace = [{:?}] lets the object be deleted and created again.",
            key.to_string()
        )
    } else {
        String::new()
    };
    Diagnostic::error(format!("the API server does not take {key}")).detail(format!("{message}{remedy}"))
}

pub fn not_applied(key: &ObjectKey, ended: &Ended, reason: &str) -> Diagnostic {
    match ended {
        Ended::Cancelled { .. } => Diagnostic::error("stopped on request").detail(format!("{key} is not applied: {reason}")),
        Ended::TimedOut { limit, .. } => Diagnostic::error(format!("{key} cannot be applied after {} s", limit.as_secs()))
            .detail(format!("The API server says: {reason}")),
    }
}

pub fn taken_over(owner: &Owner) -> Diagnostic {
    Diagnostic::warning(format!("{owner} was in the cluster already, and is in this state now")).detail(
        "A create goes on with the objects that are there, as after one that was cut off or when a state is lost. A state that had them \
         before can no longer change or destroy them.",
    )
}

pub fn of_another_state(owner: &Owner) -> Diagnostic {
    let way_out = match owner.kind {
        Kind::Manifests => "Use that state, or another name.",
        Kind::Addon => "Use that state: a cluster has each add-on once.",
    };
    Diagnostic::error(format!("{owner} is in another state now")).detail(format!(
        "Something was created under this name since: by another state of this configuration, or by another configuration with the same \
         `name`. Nothing was changed. {way_out}"
    ))
}

pub fn has_more(owner: &Owner, theirs: &Keys) -> Diagnostic {
    Diagnostic::error(format!("{owner} is in the cluster already, with objects that are not declared here")).detail(
        format!(
            "They are {}. Another configuration has them: {}. Or its state is lost: declare them too, or delete them with kubectl. Nothing was changed.",
            listed(theirs),
            match owner.kind {
                Kind::Manifests => "choose another `name`",
                Kind::Addon => "a cluster has each add-on once",
            }
        ),
    )
}
