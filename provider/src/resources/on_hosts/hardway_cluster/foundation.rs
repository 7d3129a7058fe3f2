//! Refuses a `pki` that a cluster which exists cannot take: other authorities, another service account key, other encryption
//! keys. They are compared with the files that the state records, so that a replaced `k8s_pki`, a lost state of it and another
//! pki are all found, at plan. Pure.

use crate::resources::on_hosts::recorded::Recorded;
use crate::resources::pki::{Given, Parts};
use bundle::Manifest;
use render::control_plane::foundation;
use schema::{AttributePath, Diagnostic, Field, Value};

const AUTHORITIES: &str = "Hosts with different authorities do not trust each other: members of etcd stop talking to one another, \
     and every component, kubelet and kubeconfig is refused.";
const SERVICE_ACCOUNTS: &str = "With another service account key, the token of every pod is refused.";
const ENCRYPTION: &str = "Without the encryption key in use, every Secret in etcd is unreadable, for good.";
const WAY_OUT: &str = "Pass the `bundle` of the k8s_pki that the cluster was created with: do not replace it, and if its state is lost, \
     restore that from a backup. A further encryption key may follow those in use, in the order of their names. \
     Another pki needs another cluster: destroy this one first. A rotation in stages does not exist yet.";

/// `state` is that of a cluster that stays. Parts of which it records nothing are not compared, nor are those that may be
/// anything, because the whole of `pki` or of `certificates` is unknown: apply compares again, before it reaches a host.
pub fn refuse_change(state: &Value, pki: &Field<Given>) -> Result<(), Diagnostic> {
    let Some(pki) = pki.known() else { return Ok(()) };
    let manifests = Recorded::of(Some(state))?.manifests()?;
    let any = |differs: &dyn Fn(&Manifest) -> bool| manifests.values().any(differs);
    let kubelet_client_authority = state.get("join").get("kubelet_client_authority").as_str().filter(|pem| !pem.is_empty());
    let mut found = Vec::new();
    let mut consequences = Vec::new();
    let mut add = |what: String, consequence: &'static str| {
        found.push(what);
        consequences.extend((!consequences.contains(&consequence)).then_some(consequence));
    };
    for name in foundation::authorities() {
        let Some(pem) = part(&pki.certificates, name) else { continue };
        if any(&|host| foundation::has_other_authority(host, name, pem)) {
            add(said(name, pem.is_some()), AUTHORITIES);
        }
    }
    if let (Some(recorded), Some(pem)) = (kubelet_client_authority, part(&pki.certificates, "kubelet-client-ca"))
        && pem != Some(recorded)
    {
        add(said("kubelet-client-ca", pem.is_some()), AUTHORITIES);
    }
    if let Some(key) = part(&pki.public_keys, pki::SERVICE_ACCOUNT)
        && any(&|host| foundation::has_other_service_account(host, key))
    {
        add(said("the service account key", key.is_some()), SERVICE_ACCOUNTS);
    }
    if let Field::Known(keys) = &pki.encryption_keys {
        let keys: Vec<(&str, Option<&str>)> =
            keys.iter().map(|(name, key)| (name.as_str(), key.known().map(String::as_str))).collect();
        if any(&|host| foundation::has_other_encryption_keys(host, &keys)) {
            add(said("the encryption key", keys.iter().all(|(_, key)| key.is_some())), ENCRYPTION);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let name = state.get("name").as_str().unwrap_or_default();
    Err(Diagnostic::error(format!("cluster {name} runs with another pki"))
        .detail(format!("{}.\n\n{}\n\n{WAY_OUT}", found.join("\n"), consequences.join(" ")))
        .at(AttributePath::attribute("pki")))
}

fn said(what: &str, is_known: bool) -> String {
    match is_known {
        true => format!("{what}: another one than the hosts have"),
        false => format!("{what}: not known yet, so it would be a new one"),
    }
}

/// `None` when nothing can be said: the map is unknown. A part that is missing is reported where it is needed.
fn part<'a>(parts: &'a Parts, name: &str) -> Option<Option<&'a str>> {
    match parts.known()?.get(name)? {
        Field::Null => None,
        part => Some(part.known().map(String::as_str)),
    }
}
