//! Refuses a `pki` that a cluster which exists cannot take: other authorities, another service account key, other encryption
//! keys. They are compared with the files that the state records, so that a replaced `k8s_pki`, a lost state of it and another
//! pki are all found, at plan. Pure.

use bundle::{HostName, Manifest};
use credentials::{Authority, Credentials};
use render::control_plane::foundation::{Changed, Foundation, changed};
use schema::{AttributePath, Diagnostic, Value};
use std::collections::{BTreeMap, BTreeSet};

const KUBELET_CLIENT_AUTHORITY: &str = "kubelet-client-ca";
const WAY_OUT: &str = "Pass the `bundle` of the k8s_pki that the cluster was created with: do not replace it, and if its state is lost, \
     restore that from a backup. A further encryption key may follow those in use, in the order of their names. \
     Another pki needs another cluster: destroy this one first. A rotation in stages does not exist yet.";

/// `state` is that of a cluster that stays. What it does not record, and what is not among the credentials because it is not
/// known yet which there are, is not compared: apply compares again, before it reaches a host.
pub fn refuse_change(
    state: &Value,
    recorded: &BTreeMap<HostName, Manifest>,
    credentials: &Credentials,
) -> Result<(), Diagnostic> {
    let mut found: BTreeSet<Changed> = recorded.values().flat_map(|host| changed(host, credentials)).collect();
    found.extend(changed_for_nodes(state, credentials));
    if found.is_empty() {
        return Ok(());
    }
    let name = state.get("name").as_str().unwrap_or_default();
    let lines: Vec<String> = found.iter().map(line).collect();
    let consequences: BTreeSet<&str> = found.iter().map(|(what, _)| consequence(*what)).collect();
    let consequences = consequences.into_iter().collect::<Vec<_>>().join(" ");
    Err(Diagnostic::error(format!("cluster {name} runs with another pki"))
        .detail(format!("{}.\n\n{consequences}\n\n{WAY_OUT}", lines.join("\n")))
        .at(AttributePath::attribute("pki")))
}

/// The authority that nodes trust for the API server stands in `join`, and in no file of a control-plane host.
fn changed_for_nodes(state: &Value, credentials: &Credentials) -> Option<Changed> {
    let recorded = state.get("join").get("kubelet_client_authority").as_str().filter(|pem| !pem.is_empty())?;
    let text = credentials.authorities.get(KUBELET_CLIENT_AUTHORITY)?.as_ref().map(Authority::trusted_text).known();
    (text.as_deref() != Some(recorded)).then_some((Foundation::Authority(KUBELET_CLIENT_AUTHORITY), text.is_some()))
}

fn line((what, is_known): &Changed) -> String {
    let what = match what {
        Foundation::Authority(name) => name,
        Foundation::ServiceAccountKey => "the service account key",
        Foundation::EncryptionKeys => "the encryption key",
    };
    match is_known {
        true => format!("{what}: another one than the hosts have"),
        false => format!("{what}: not known yet, so it would be a new one"),
    }
}

fn consequence(what: Foundation) -> &'static str {
    match what {
        Foundation::Authority(_) => {
            "Hosts with different authorities do not trust each other: members of etcd stop talking to one another, and every \
             component, kubelet and kubeconfig is refused."
        }
        Foundation::ServiceAccountKey => "With another service account key, the token of every pod is refused.",
        Foundation::EncryptionKeys => "Without the encryption key in use, every Secret in etcd is unreadable, for good.",
    }
}
