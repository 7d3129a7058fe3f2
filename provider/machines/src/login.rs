//! Logging in: the sources of keys in their order, and what is said when none of them is accepted.

use crate::connection::Client;
use crate::target::expand_home;
use crate::{Authentication, MachineError, Target};
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::{self, private::KeypairData};
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key};
use russh::{AgentAuthError, MethodSet, Signer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixStream;

type Connected = Handle<Client>;

/// What became of a source that did not log in.
enum Left {
    /// The host was asked, and did not take it.
    Refused(MethodSet),
    /// It has no key that could be shown; why.
    Unusable(String),
    /// The host ended the connection after so many keys.
    HungUp(usize),
}

/// Sources are tried in their order. One that cannot be used, such as a key with a passphrase, is passed over while there is another:
/// an agent may hold the same key.
pub(crate) async fn log_in(handle: &mut Connected, target: &Target) -> Result<(), MachineError> {
    let (mut tried, mut unusable, mut offered) = (Vec::new(), Vec::new(), MethodSet::empty());
    let first = preferred_keys(target).await;
    for authentication in &target.authentication {
        let name = source_name(authentication);
        let left = match authentication {
            Authentication::PrivateKey(pem) => by_key(handle, target, pem.reveal(), None).await,
            Authentication::PrivateKeyFile(path) => by_file(handle, target, &expand_home(path)).await,
            Authentication::Agent => by_agent(handle, target, AgentClient::connect_env().await, &first).await,
            Authentication::AgentSocket(path) => {
                by_agent(handle, target, AgentClient::connect_uds(expand_home(path)).await, &first).await
            }
        };
        match left {
            None => return Ok(()),
            Some(Left::Refused(methods)) => {
                offered = methods;
                tried.push(name);
            }
            Some(Left::Unusable(reason)) => unusable.push((name, reason)),
            Some(Left::HungUp(keys)) => return Err(too_many(target, &name, keys)),
        }
    }
    Err(match tried.is_empty() && !unusable.is_empty() {
        true => nothing_usable(target, unusable),
        false => refused(target, tried, unusable, &offered),
    })
}

fn nothing_usable(target: &Target, unusable: Vec<(String, String)>) -> MachineError {
    let host = target.to_string();
    let sources: Vec<String> = unusable.iter().map(|(name, _)| name.clone()).collect();
    let reason = match unusable.as_slice() {
        [(_, reason)] => reason.clone(),
        several => several.iter().map(|(name, reason)| format!("{name}: {reason}")).collect::<Vec<_>>().join("\n"),
    };
    MachineError::Key { host, source_name: sources.join(" or "), reason }
}

fn refused(target: &Target, tried: Vec<String>, unusable: Vec<(String, String)>, offered: &MethodSet) -> MachineError {
    let offered: Vec<&str> = offered.iter().map(Into::into).collect();
    let unusable = unusable.into_iter().map(|(name, reason)| format!(" ({name} cannot be used: {reason})"));
    let tried = if tried.is_empty() { "nothing: no key is configured".into() } else { tried.join(", ") };
    MachineError::Authentication {
        host: target.to_string(),
        user: target.user.clone(),
        tried: tried + &unusable.collect::<String>(),
        offered: if offered.is_empty() { "nothing more".into() } else { offered.join(", ") },
    }
}

fn too_many(target: &Target, source: &str, keys: usize) -> MachineError {
    MachineError::TooManyKeys { host: target.to_string(), user: target.user.clone(), source_name: source.into(), keys }
}

fn source_name(authentication: &Authentication) -> String {
    match authentication {
        Authentication::PrivateKey(_) => "the configured private key".into(),
        Authentication::PrivateKeyFile(path) => format!("private key {}", path.display()),
        Authentication::Agent => "the SSH agent".into(),
        Authentication::AgentSocket(path) => format!("the SSH agent at {}", path.display()),
    }
}

/// Refusals count at the host (`MaxAuthTries` of sshd_config(5), six by default), so an agent shows first the keys that the
/// configuration names. A key with a passphrase shows its public half without one; a file may also hold nothing else.
async fn preferred_keys(target: &Target) -> Vec<PublicKey> {
    let mut keys = Vec::new();
    for authentication in &target.authentication {
        let text = match authentication {
            Authentication::PrivateKey(pem) => pem.reveal().to_string(),
            Authentication::PrivateKeyFile(path) => {
                let path = expand_home(path);
                keys.extend(read(&beside(&path, ".pub")).await.and_then(|text| PublicKey::from_openssh(text.trim()).ok()));
                read(&path).await.unwrap_or_default()
            }
            Authentication::Agent | Authentication::AgentSocket(_) => continue,
        };
        keys.extend(PublicKey::from_openssh(text.trim()));
        keys.extend(PrivateKey::from_openssh(&text).map(|key| key.public_key().clone()));
    }
    keys
}

/// `~/.ssh/id` and `.pub` make `~/.ssh/id.pub`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

async fn read(path: &Path) -> Option<String> {
    tokio::fs::read_to_string(path).await.ok()
}

/// With the certificate that ssh would find beside the key, `<key>-cert.pub`.
async fn by_file(handle: &mut Connected, target: &Target, path: &Path) -> Option<Left> {
    let pem = match tokio::fs::read_to_string(path).await {
        Ok(pem) => pem,
        Err(error) => return Some(Left::Unusable(error.to_string())),
    };
    let certificate = read(&beside(path, "-cert.pub")).await.and_then(|text| Certificate::from_openssh(text.trim()).ok());
    by_key(handle, target, &pem, certificate).await
}

/// A host that does not take the certificate may take the key.
async fn by_key(handle: &mut Connected, target: &Target, pem: &str, certificate: Option<Certificate>) -> Option<Left> {
    let key = match decode_secret_key(pem, None) {
        Ok(key) => Arc::new(key),
        Err(error) => return Some(Left::Unusable(why_not_a_key(pem, &error))),
    };
    let certificate = certificate.filter(|certificate| certificate.public_key() == key.public_key().key_data());
    let hash = if key.algorithm().is_rsa() { rsa_hash(handle).await } else { None };
    if let Some(certificate) = certificate {
        let mut signer = OwnKey { key: key.clone(), hash };
        let answer = handle.authenticate_certificate_with(&target.user, certificate, hash, &mut signer).await;
        if answer.is_ok_and(|answer| answer.success()) {
            return None;
        }
    }
    let answer = handle.authenticate_publickey(&target.user, PrivateKeyWithHashAlg::new(key, hash)).await;
    after(answer.map_err(|error| error.to_string()), handle, 1)
}

/// Signs for a certificate, with SHA-2 where it is one of an RSA key, which `authenticate_openssh_cert` does not do.
struct OwnKey {
    key: Arc<PrivateKey>,
    hash: Option<HashAlg>,
}

impl OwnKey {
    /// As an agent answers: what was to be signed, and the signature.
    fn signed(&self, mut text: Vec<u8>) -> Result<Vec<u8>, ssh_key::Error> {
        let signature = match self.key.key_data() {
            KeypairData::Rsa(key) => (key, self.hash).try_sign(&text)?,
            key => key.try_sign(&text)?,
        };
        let signature = Vec::try_from(signature)?;
        text.extend(u32::try_from(signature.len()).unwrap_or_default().to_be_bytes());
        text.extend(signature);
        Ok(text)
    }
}

impl Signer for OwnKey {
    type Error = AgentAuthError;

    async fn auth_sign(&mut self, _: &AgentIdentity, _: Option<HashAlg>, text: Vec<u8>) -> Result<Vec<u8>, AgentAuthError> {
        self.signed(text).map_err(|error| AgentAuthError::Key(error.into()))
    }
}

fn why_not_a_key(text: &str, error: &russh::keys::Error) -> String {
    match error {
        russh::keys::Error::KeyIsEncrypted => {
            "it is protected by a passphrase. Load it into an agent (ssh-add) and set `agent = true`, or name a key without one"
                .into()
        }
        _ if PublicKey::from_openssh(text.trim()).is_ok() => {
            "it is a public key: an agent has to hold its private half. Set `agent = true`, or name the private key".into()
        }
        // The parser's own text may quote what it read.
        _ => "it is not a private key in OpenSSH, PKCS#8, PKCS#1 or SEC1 format".into(),
    }
}

/// The keys that the configuration names first, certificates before keys, then as the agent lists them.
async fn by_agent(
    handle: &mut Connected,
    target: &Target,
    agent: Result<AgentClient<UnixStream>, russh::keys::Error>,
    first: &[PublicKey],
) -> Option<Left> {
    let advice = |error: russh::keys::Error| {
        Some(Left::Unusable(format!("{error}. Start one (eval $(ssh-agent); ssh-add) or name a private key")))
    };
    let mut agent = match agent {
        Ok(agent) => agent,
        Err(error) => return advice(error),
    };
    let mut identities = match agent.request_identities().await {
        Ok(identities) => identities,
        Err(error) => return advice(error),
    };
    if identities.is_empty() {
        return Some(Left::Unusable("it holds no key. Add one (ssh-add), or name a private key".into()));
    }
    identities.sort_by_key(|identity| (!is_named(identity, first), matches!(identity, AgentIdentity::PublicKey { .. })));
    let mut left = None;
    for (index, identity) in identities.into_iter().enumerate() {
        let is_rsa = identity.public_key().algorithm().is_rsa();
        let hash = if is_rsa { rsa_hash(handle).await } else { None };
        let answer = match identity {
            AgentIdentity::PublicKey { key, .. } => handle.authenticate_publickey_with(&target.user, key, hash, &mut agent).await,
            AgentIdentity::Certificate { certificate, .. } => {
                handle.authenticate_certificate_with(&target.user, certificate, hash, &mut agent).await
            }
        };
        left = after(answer.map_err(|error| error.to_string()), handle, index + 1);
        if matches!(left, None | Some(Left::HungUp(_))) {
            break;
        }
    }
    left
}

fn is_named(identity: &AgentIdentity, keys: &[PublicKey]) -> bool {
    let own = identity.public_key();
    keys.iter().any(|key| key.key_data() == own.key_data())
}

/// `None`: logged in.
fn after(answer: Result<AuthResult, String>, handle: &Connected, keys: usize) -> Option<Left> {
    match answer {
        Ok(AuthResult::Success) => None,
        // An agent's key that does not sign, as one that has to be confirmed, is no reason to stop.
        Err(_) | Ok(AuthResult::Failure { .. }) if handle.is_closed() => Some(Left::HungUp(keys)),
        Ok(AuthResult::Failure { remaining_methods, .. }) => Some(Left::Refused(remaining_methods)),
        Err(reason) => Some(Left::Unusable(reason)),
    }
}

/// SHA-1 signatures are never made: no server of the last ten years needs them.
async fn rsa_hash(handle: &Connected) -> Option<HashAlg> {
    let best = handle.best_supported_rsa_hash().await.ok().flatten().flatten();
    Some(best.unwrap_or(HashAlg::Sha256))
}
