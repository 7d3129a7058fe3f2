//! Sources of keys in their order, agents that hold many, certificates of users and of hosts, against a real sshd.

use crate::host::{Host, run};
use credentials::Secret;
use machines::{Authentication, KnownHosts, Machine, MachineError, Target};
use std::fs;
use std::path::{Path, PathBuf};

async fn refused(target: &Target) -> MachineError {
    match Machine::connect(target).await {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

fn key(path: &Path, kind: &str) {
    run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "", "-f", path.to_str().unwrap()]);
}

/// A copy of the user's key that has a passphrase.
fn with_passphrase(host: &Host) -> PathBuf {
    let path = host.path("user_with_passphrase");
    fs::copy(host.path("user_ed25519"), &path).unwrap();
    run("chmod", &["600", path.to_str().unwrap()]);
    run("ssh-keygen", &["-q", "-p", "-P", "", "-N", "secret words", "-f", path.to_str().unwrap()]);
    path
}

/// An agent for as long as it lives.
struct Agent {
    pid: String,
    socket: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        run("kill", &[&self.pid]);
    }
}

impl Agent {
    fn start(host: &Host) -> Agent {
        let socket = host.path("agent");
        let said = run("ssh-agent", &["-s", "-a", socket.to_str().unwrap()]);
        let pid = said.split("SSH_AGENT_PID=").nth(1).unwrap().split(';').next().unwrap().to_string();
        Agent { pid, socket }
    }

    fn add(&self, key: &Path) {
        let environment = format!("SSH_AUTH_SOCK={}", self.socket.display());
        run("env", &[&environment, "ssh-add", "-q", key.to_str().unwrap()]);
    }

    fn source(&self) -> Authentication {
        Authentication::AgentSocket(self.socket.clone())
    }
}

fn by(host: &Host, authentication: Vec<Authentication>) -> Target {
    Target { authentication, ..host.target() }
}

fn file(path: impl Into<PathBuf>) -> Authentication {
    Authentication::PrivateKeyFile(path.into())
}

#[tokio::test]
async fn a_source_that_cannot_be_used_is_passed_over_and_named_when_no_other_is_accepted() {
    let (host, other) = (Host::start(), Host::start());
    let (missing, locked) = (host.path("none"), with_passphrase(&host));
    let sources =
        vec![file(&missing), file(&locked), Authentication::PrivateKey(Secret::new("canary")), file(host.path("user_ed25519"))];
    Machine::connect(&by(&host, sources)).await.unwrap();

    let error = refused(&by(&host, vec![file(&locked)])).await;
    assert!(
        matches!(&error, MachineError::Key { reason, .. } if reason.contains("passphrase") && reason.contains("ssh-add")),
        "{error}"
    );
    let error = refused(&by(&host, vec![file(&missing), file(&locked)])).await.to_string();
    for part in ["cannot use private key", " or private key", "No such file", "protected by a passphrase"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = refused(&by(&host, vec![file(&locked), file(other.path("user_ed25519"))])).await;
    assert!(matches!(error, MachineError::Authentication { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("user_with_passphrase cannot be used: it is protected by a passphrase"), "{error}");
    let error = refused(&by(&host, vec![file(host.path("user_ed25519.pub"))])).await.to_string();
    assert!(error.contains("it is a public key") && error.contains("agent = true"), "{error}");
}

/// sshd hangs up after six refusals.
#[tokio::test]
async fn an_agent_with_many_keys_shows_first_the_one_that_the_configuration_names() {
    let host = Host::start();
    let agent = Agent::start(&host);
    for number in 0..8 {
        let path = host.path(&format!("user_other_{number}"));
        key(&path, "ed25519");
        agent.add(&path);
    }
    agent.add(&host.path("user_ed25519"));
    let locked = with_passphrase(&host);
    for named in [locked, host.path("user_ed25519.pub")] {
        Machine::connect(&by(&host, vec![file(named), agent.source()])).await.unwrap();
    }
    let error = refused(&by(&host, vec![agent.source()])).await;
    assert!(matches!(error, MachineError::TooManyKeys { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("MaxAuthTries") && error.contains("private_key_file") && error.contains("agent at"), "{error}");
}

#[tokio::test]
async fn an_agent_without_keys_says_so() {
    let host = Host::start();
    let agent = Agent::start(&host);
    let error = refused(&by(&host, vec![agent.source()])).await.to_string();
    assert!(error.contains("it holds no key") && error.contains("ssh-add"), "{error}");
}

fn sign(authority: &Path, public: &Path, more: &[&str]) {
    let fixed = ["-q", "-s", authority.to_str().unwrap(), "-I", "test"];
    run("ssh-keygen", &[&fixed[..], more, &[public.to_str().unwrap()]].concat());
}

#[tokio::test]
async fn a_certificate_of_the_user_logs_in_from_a_file_and_from_an_agent() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let authority = folder.path().join("ca");
    key(&authority, "ed25519");
    let host = Host::start_configured(&format!("TrustedUserCAKeys {}.pub\n", authority.display()));
    fs::write(host.path("authorized_keys"), "").unwrap();
    for kind in ["ed25519", "rsa"] {
        let own = folder.path().join(kind);
        key(&own, kind);
        let error = refused(&by(&host, vec![file(&own)])).await;
        assert!(matches!(error, MachineError::Authentication { .. }), "{error}");
        sign(&authority, &own.with_extension("pub"), &["-n", "root", "-V", "+1h"]);
        Machine::connect(&by(&host, vec![file(&own)])).await.unwrap();
        let agent = Agent::start(&host);
        agent.add(&own);
        Machine::connect(&by(&host, vec![agent.source()])).await.unwrap();
    }
    // One that does not count leaves the key, which may be known.
    let own = folder.path().join("ed25519");
    sign(&authority, &own.with_extension("pub"), &["-n", "somebody", "-V", "+1h"]);
    refused(&by(&host, vec![file(&own)])).await;
    fs::copy(own.with_extension("pub"), host.path("authorized_keys")).unwrap();
    Machine::connect(&by(&host, vec![file(&own)])).await.unwrap();
}

/// A host with a certificate, and what known_hosts says of its authority.
fn certified(folder: &Path, name: &str, more: &[&str]) -> (Host, String) {
    let (authority, own) = (folder.join("ca"), folder.join(name));
    if !authority.exists() {
        key(&authority, "ed25519");
    }
    key(&own, "ecdsa");
    sign(&authority, &own.with_extension("pub"), &[&["-h"], more].concat());
    let lines = format!("HostKey {0}\nHostCertificate {0}-cert.pub\n", own.display());
    let public = fs::read_to_string(authority.with_extension("pub")).unwrap();
    (Host::start_configured(&lines), public)
}

fn known(host: &Host, text: String) -> Target {
    Target { known_hosts: KnownHosts::Lines(text), ..host.target() }
}

#[tokio::test]
async fn a_certificate_of_the_host_makes_it_known() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let (host, authority) = certified(folder.path(), "good", &["-n", "127.0.0.1", "-V", "+1h"]);
    for patterns in ["*".to_string(), "127.0.0.1".into(), format!("[127.0.0.1]:{}", host.port)] {
        Machine::connect(&known(&host, format!("@cert-authority {patterns} {authority}"))).await.unwrap();
    }
    let error = refused(&known(&host, format!("@cert-authority example.com {authority}"))).await;
    assert!(matches!(error, MachineError::UnknownHostKey { .. }), "{error}");
    let error = refused(&known(&host, format!("@cert-authority * {authority}@revoked * {authority}"))).await.to_string();
    assert!(error.contains("no @cert-authority line"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_does_not_count_is_refused_with_its_fault() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let stranger = folder.path().join("stranger");
    key(&stranger, "ed25519");
    let stranger = fs::read_to_string(stranger.with_extension("pub")).unwrap();
    let (host, authority) = certified(folder.path(), "other-name", &["-n", "192.0.2.1", "-V", "+1h"]);
    let (old, _) = certified(folder.path(), "old", &["-n", "127.0.0.1", "-V", "20200101:20200102"]);
    let (nameless, _) = certified(folder.path(), "nameless", &["-V", "+1h"]);
    for (host, authority, fault) in [
        (&host, &authority, "it is for other names"),
        (&nameless, &authority, "it is for other names"),
        (&old, &authority, "it is not valid now"),
        (&host, &stranger, "no @cert-authority line for this host has the key that signed it"),
    ] {
        let error = refused(&known(host, format!("@cert-authority * {authority}"))).await;
        assert!(matches!(error, MachineError::UnknownHostKey { .. }), "{error}");
        assert!(error.to_string().contains(fault), "{fault}: {error}");
    }
    // Its key may be known by itself.
    let own = fs::read_to_string(folder.path().join("old.pub")).unwrap();
    Machine::connect(&known(&old, format!("@cert-authority * {authority}[127.0.0.1]:{} {own}", old.port))).await.unwrap();
}
