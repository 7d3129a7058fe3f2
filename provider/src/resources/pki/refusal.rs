//! What a pki in use cannot take: refusals at plan and apply, and the warnings about what comes. Pure.

use super::config::Config;
use credentials::Credentials;
use pki::{Plan, Reason};
use schema::{AttributePath, Diagnostic, Value};
use std::collections::BTreeMap;
use time::OffsetDateTime;

const CONSEQUENCES: &str = "Hosts that have a new authority and hosts that have the old one do not trust each other: etcd members \
     stop talking to one another, and every component, kubelet and kubeconfig that has a certificate of the old one is refused. \
     A rotation in stages (trust both, reissue, drop the old one) does not exist yet.";
const NEW_CLUSTER: &str =
    "For a new cluster, create a second k8s_pki. One that no cluster uses can be destroyed and created again.";

/// The keys that exist once, and the authorities that `plan` refuses to issue again.
pub fn refuse(name: &str, issued: &Credentials, prior: &Config, wanted: &Config, plan: &Plan) -> Result<(), Diagnostic> {
    if issued.encryption_keys.is_empty() {
        return Err(lost_key(
            name,
            "the key that encrypts Secrets",
            "encryption_keys",
            "no Secret in etcd could be read any more",
        ));
    }
    if !issued.private_keys.contains_key(pki::SERVICE_ACCOUNT) {
        return Err(lost_key(name, "the service account key", "private_keys", "every token of a pod would be refused"));
    }
    refuse_shorter_life(issued, prior, wanted)?;
    if plan.refused.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = plan.refused.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
    let names: Vec<&str> = plan.refused.keys().map(String::as_str).collect();
    let (path, way_out) = match plan.refused.values().next() {
        Some(Reason::KeyAlgorithmChanged(_)) => (
            AttributePath::attribute("key_algorithm"),
            format!("Keep key_algorithm = {:?}.", prior.key_algorithm.known().map_or("", String::as_str)),
        ),
        Some(Reason::Expires(_)) => {
            (AttributePath::attribute("certificates").key(names[0]), "It signs nothing any more.".to_string())
        }
        _ => (
            AttributePath::attribute("certificates").key(names[0]),
            "Restore the state of this k8s_pki from a backup.".to_string(),
        ),
    };
    Err(Diagnostic::error(format!("authorities of {name} cannot be reissued: {}", names.join(", ")))
        .detail(format!("{}\n\n{CONSEQUENCES}\n\n{way_out} {NEW_CLUSTER}", lines.join("\n")))
        .at(path))
}

fn lost_key(cluster: &str, what: &str, attribute: &str, consequence: &str) -> Diagnostic {
    Diagnostic::error(format!("{what} of {cluster} is missing in the state"))
        .detail(format!(
            "A new one would not be the one that the cluster uses: {consequence}. Restore the state of this k8s_pki from a backup. \
             {NEW_CLUSTER}"
        ))
        .at(AttributePath::attribute("bundle").then(attribute))
}

/// An authority cannot be shortened, and is not reissued for it.
fn refuse_shorter_life(issued: &Credentials, prior: &Config, wanted: &Config) -> Result<(), Diagnostic> {
    let (Some(before), Some(hours)) = (prior.authority_validity_hours.known(), wanted.authority_validity_hours.known()) else {
        return Ok(());
    };
    let authorities = issued.authorities.values().filter_map(|authority| authority.as_ref().known());
    let longest = authorities
        .filter_map(|authority| pki::validity(&authority.signing).ok())
        .max()
        .map_or(0, |validity| validity.whole_hours());
    if hours >= before || i64::try_from(*hours).is_ok_and(|hours| hours >= longest) {
        return Ok(());
    }
    Err(Diagnostic::error(format!("authority_validity_hours is shorter than the {longest} hours that authorities were issued for"))
        .detail(format!(
            "Authorities are issued once and keep their end. {CONSEQUENCES}\n\nKeep authority_validity_hours = {before}. {NEW_CLUSTER}"
        ))
        .at(AttributePath::attribute("authority_validity_hours")))
}

/// How a pki ends.
#[derive(Clone, Copy)]
pub enum Loss {
    Destroyed,
    Replaced,
}

/// `prior` is the pki that goes.
pub fn loss_warning(prior: &Value, loss: Loss) -> Diagnostic {
    let name = prior.get("cluster_name").as_str().unwrap_or_default();
    let verb = match loss {
        Loss::Destroyed => "destroying",
        Loss::Replaced => "replacing",
    };
    Diagnostic::warning(format!("{verb} the pki of {name} deletes its authorities and keys")).detail(format!(
        "The authorities, the service account key and the encryption key of {name} are in this state only, and nothing creates the same \
         ones again. A cluster that uses them can no longer be changed, its certificates cannot be renewed and end one after the other, \
         and Secrets in a backup of its etcd cannot be read without the encryption key. If that cluster stays, do not apply this plan. \
         Otherwise destroy the cluster with it, or before it."
    ))
}

/// What is reissued and why. A certificate that is issued for the first time is none of the warning's business.
pub fn reissue_warning(plan: &Plan, perhaps: &[&String]) -> Option<Diagnostic> {
    let reissued = plan.issue.iter().filter(|(_, reason)| **reason != Reason::Missing);
    let mut lines: Vec<String> = reissued.map(|(name, reason)| format!("{name}: {reason}")).collect();
    let summary = match (lines.len(), perhaps.len()) {
        (0, 0) => return None,
        (0, count) => format!("certificates that may be reissued: {count}"),
        (count, _) => format!("certificates that will be reissued: {count}"),
    };
    lines.extend(perhaps.iter().map(|name| format!("{name}: perhaps, for something that it says is not known yet")));
    Some(
        Diagnostic::warning(summary)
            .detail(format!("{}\n\nWhat follows on hosts is in the plan of the cluster that uses them.", lines.join("\n"))),
    )
}

/// Authorities near their end, with the days that are left.
pub fn ending_warning(cluster: &str, ending: &BTreeMap<String, OffsetDateTime>, now: OffsetDateTime) -> Option<Diagnostic> {
    let first = *ending.values().min()?;
    let days = (first - now).whole_days();
    let summary = if first <= now {
        format!("authorities of {cluster} have expired")
    } else {
        format!("authorities of {cluster} end in {days} days")
    };
    let lines: Vec<String> = ending.iter().map(|(name, at)| format!("{name} ends at {}", super::rfc3339(*at))).collect();
    Some(Diagnostic::warning(summary).detail(format!(
        "{}\n\nThey are kept, and certificates that they sign end with them: then no component of the cluster trusts another one. \
         {CONSEQUENCES} Move to a new cluster with a k8s_pki of its own before that day.",
        lines.join("\n")
    )))
}
