//! How hosts are reached: the `ssh` attribute of the provider, of a resource and of one host, merged into one target.
//! The nearest wins: host, then resource, then provider.

use bundle::HostName;
use credentials::Secret;
use machines::{Authentication, KnownHosts, Target};
use schema::{Attribute, Diagnostic, Diagnostics, Field, Nesting, ValueAt};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_PORT: u16 = 22;
const DEFAULT_CONNECT_TIMEOUT_SECONDS: u64 = 10;

#[derive(Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct Ssh {
    pub user: Field<String>,
    pub port: Field<u16>,
    pub private_key: Field<Secret>,
    pub private_key_file: Field<String>,
    pub agent: Field<bool>,
    pub known_hosts: Field<String>,
    pub known_hosts_file: Field<String>,
    pub connect_timeout_seconds: Field<u64>,
    pub jump_host: Field<JumpHost>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct JumpHost {
    pub address: Field<String>,
    pub port: Field<u16>,
    pub user: Field<String>,
    pub private_key_file: Field<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct HostSsh {
    pub address: Field<String>,
    pub port: Field<u16>,
    pub user: Field<String>,
}

fn common(user: &'static str, default_user: &'static str, default_port: &'static str) -> Vec<Attribute> {
    vec![
        Attribute::string("user").optional().validator(schema::not_empty()).describe(user).defaults_to(default_user),
        Attribute::number("port")
            .optional()
            .validator(schema::port())
            .describe("Port of the SSH server.")
            .defaults_to(default_port),
    ]
}

const USER: &str = "User to log in as. A user other than `root` needs `sudo` without a password.";
/// Of one host: the nearest wins.
const INHERITED: &str = "that of the resource, or else of the provider block";

pub fn attribute() -> Attribute {
    let mut attributes = common(USER, "`root`", "`22`");
    attributes.extend([
        Attribute::string("private_key").optional().sensitive().describe(
            "Private key in PEM or OpenSSH format. Prefer `private_key_file`: on a resource, this value is stored in the state.",
        ),
        Attribute::string("private_key_file")
            .optional()
            .describe("Path of the private key on the machine that runs the engine. `~` is the home directory. A certificate beside it, `<path>-cert.pub`, is shown first. With `agent = true` it may have a passphrase, or be the public half: the agent then shows this key before its others, of which sshd takes six at most."),
        Attribute::bool("agent")
            .optional()
            .describe("Whether to use the SSH agent at `SSH_AUTH_SOCK`. Keys are tried in this order until one is accepted: `private_key`, `private_key_file`, the agent's with their certificates. One that cannot be used is passed over.")
            .defaults_to("`true` when no private key is set"),
        Attribute::string("known_hosts").optional().describe("Lines in the format of `known_hosts`, `@cert-authority` and `@revoked` among them."),
        Attribute::string("known_hosts_file")
            .optional()
            .describe("Path of a `known_hosts` file. A host whose key is not in it is refused; the error shows the line to add.")
            .defaults_to("`~/.ssh/known_hosts` when `known_hosts` is not set either"),
        Attribute::number("connect_timeout_seconds")
            .optional()
            .describe(
                "How long one attempt to connect may take. A host that is new to a resource may still be booting: until it is up, it is \
                 tried again for up to five minutes.",
            )
            .defaults_to("`10`"),
        Attribute::nested("jump_host", Nesting::Single, {
            let address = Attribute::string("address").required().canonical(crate::spelling::of_network).validator(schema::not_empty());
            let mut jump = vec![address.describe("Name or address of the jump host.")];
            jump.extend(common("User to log in as on the jump host.", "the user of the hosts", "`22`"));
            jump.push(
                Attribute::string("private_key_file")
                    .optional()
                    .describe("Path of its private key, if it differs from that of the hosts. With it, no other key and no agent is tried there."),
            );
            jump
        })
        .optional()
        .describe("Host through which all others are reached, such as a bastion. Its key has to be in `known_hosts` too, like that of each host behind it under the address of that host."),
    ]);
    Attribute::nested("ssh", Nesting::Single, attributes).optional().describe(
        "How hosts are reached over SSH. Settings of a host win over those of its resource, and these over the provider block.",
    )
}

pub fn host_attribute() -> Attribute {
    let mut attributes = vec![
        Attribute::string("address")
            .optional()
            .canonical(crate::spelling::of_network)
            .validator(schema::not_empty())
            .describe("Name or address for SSH, if it is not the host's primary address."),
    ];
    attributes.extend(common(USER, INHERITED, INHERITED));
    Attribute::nested("ssh", Nesting::Single, attributes)
        .optional()
        .describe("How this host is reached, where it differs from the others of the resource.")
}

/// Of the provider block or of a resource. Pure.
pub fn validate(ssh: &ValueAt<'_>, found: &mut Diagnostics) {
    validate_address(&ssh.get("jump_host").get("address"), found);
    let timeout = ssh.get("connect_timeout_seconds");
    if timeout.as_i64().is_some_and(|seconds| seconds < 1) {
        found.push(timeout.error("connect_timeout_seconds is less than 1", "No host could answer in time. Give for example 10."));
    }
}

/// A name or an address, and nothing around it.
pub fn validate_address(address: &ValueAt<'_>, found: &mut Diagnostics) {
    let is_good = |text: &str| text.parse::<IpAddr>().is_ok() || is_host_name(text);
    let Some(text) = address.as_str().filter(|text| !text.is_empty() && !is_good(text)) else { return };
    found.push(address.error(
        format!("{text:?} is neither a host name nor an IP address"),
        "Give the name or the address only, such as bastion.example.net or 203.0.113.9. User and port have attributes of their own: user \
         and port.",
    ));
}

/// Also one with underscores, which name servers and hosts files may know, and an address with its zone.
fn is_host_name(text: &str) -> bool {
    let (text, _) = text.split_once('%').unwrap_or((text, ""));
    text.parse::<IpAddr>().is_ok() || text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Where SSH really goes: two hosts with the same endpoint are the same machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    address: String,
    port: u16,
    /// Address and port of the host that reaches this one.
    jump: Option<(String, u16)>,
}

/// `192.0.2.1 port 2222 through bastion.example.net`: what is usual is left out.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: u16| if port == DEFAULT_PORT { String::new() } else { format!(" port {port}") };
        write!(f, "{}{}", self.address, port(self.port))?;
        self.jump.iter().try_for_each(|(address, jump_port)| write!(f, " through {address}{}", port(*jump_port)))
    }
}

/// `None` while a setting that decides it is unknown, or has no value that would do.
pub fn endpoint(address: &Field<String>, host: &Field<HostSsh>, layers: &[&Field<Ssh>]) -> Option<Endpoint> {
    if host.is_unknown() || layers.iter().any(|layer| layer.is_unknown()) {
        return None;
    }
    let host = host.known().cloned().unwrap_or_default();
    let layers: Vec<&Ssh> = layers.iter().filter_map(|layer| layer.known()).collect();
    let own = known(&host.address).ok()?;
    let jump = match nearest(&Field::Null, &layers, |ssh| &ssh.jump_host).ok()? {
        None => None,
        Some(jump) => Some((spelled_alike(&known(&jump.address).ok()??), known(&jump.port).ok()?.unwrap_or(DEFAULT_PORT))),
    };
    Some(Endpoint {
        address: spelled_alike(&own.or_else(|| address.known().cloned())?),
        port: nearest(&host.port, &layers, |ssh| &ssh.port).ok()?.unwrap_or(DEFAULT_PORT),
        jump,
    })
}

/// One address can be written in several ways, and case does not count in a name.
fn spelled_alike(address: &str) -> String {
    address.parse().map_or_else(|_| address.trim_end_matches('.').to_lowercase(), |address: IpAddr| address.to_string())
}

/// One host's target. Fails with a sentence for the user when something that is needed now is still unknown.
pub fn target(name: &HostName, address: &str, host: &Field<HostSsh>, layers: &[&Field<Ssh>]) -> Result<Target, Diagnostic> {
    let host = host.known().cloned().unwrap_or_default();
    let layers: Vec<&Ssh> = layers.iter().filter_map(|layer| layer.known()).collect();
    let user = nearest(&host.user, &layers, |ssh| &ssh.user)?.unwrap_or_else(|| "root".into());
    let port = nearest(&host.port, &layers, |ssh| &ssh.port)?.unwrap_or(DEFAULT_PORT);
    let address = known(&host.address)?.unwrap_or_else(|| address.to_string());
    let authentication = authentication(&layers)?;
    let known_hosts = known_hosts(&layers)?;
    let seconds = nearest(&Field::Null, &layers, |ssh| &ssh.connect_timeout_seconds)?.unwrap_or(DEFAULT_CONNECT_TIMEOUT_SECONDS);
    let connect_timeout = Duration::from_secs(seconds.max(1));
    let jump = match nearest(&Field::Null, &layers, |ssh| &ssh.jump_host)? {
        None => None,
        Some(jump) => Some(Box::new(jump_target(jump, &user, &authentication, &known_hosts, connect_timeout)?)),
    };
    Ok(Target { name: name.clone(), address, port, user, authentication, known_hosts, jump, connect_timeout })
}

fn jump_target(
    jump: JumpHost,
    user: &str,
    keys: &[Authentication],
    known_hosts: &KnownHosts,
    connect_timeout: Duration,
) -> Result<Target, Diagnostic> {
    let user = known(&jump.user)?.unwrap_or_else(|| user.to_string());
    let authentication = match known(&jump.private_key_file)? {
        Some(path) => vec![Authentication::PrivateKeyFile(expand(&path))],
        None => keys.to_vec(),
    };
    Ok(Target {
        name: HostName::literal("jump-host"),
        address: known(&jump.address)?.unwrap_or_default(),
        port: known(&jump.port)?.unwrap_or(DEFAULT_PORT),
        user,
        authentication,
        known_hosts: known_hosts.clone(),
        jump: None,
        connect_timeout,
    })
}

fn authentication(layers: &[&Ssh]) -> Result<Vec<Authentication>, Diagnostic> {
    let mut all = Vec::new();
    if let Some(pem) = nearest(&Field::Null, layers, |ssh| &ssh.private_key)? {
        all.push(Authentication::PrivateKey(pem));
    }
    if let Some(path) = nearest(&Field::Null, layers, |ssh| &ssh.private_key_file)? {
        all.push(Authentication::PrivateKeyFile(expand(&path)));
    }
    if nearest(&Field::Null, layers, |ssh| &ssh.agent)?.unwrap_or(all.is_empty()) {
        all.push(Authentication::Agent);
    }
    Ok(all)
}

fn known_hosts(layers: &[&Ssh]) -> Result<KnownHosts, Diagnostic> {
    if let Some(lines) = nearest(&Field::Null, layers, |ssh| &ssh.known_hosts)? {
        return Ok(KnownHosts::Lines(lines));
    }
    let path = nearest(&Field::Null, layers, |ssh| &ssh.known_hosts_file)?;
    Ok(KnownHosts::File(expand(path.as_deref().unwrap_or("~/.ssh/known_hosts"))))
}

fn nearest<T: Clone>(host: &Field<T>, layers: &[&Ssh], field: fn(&Ssh) -> &Field<T>) -> Result<Option<T>, Diagnostic> {
    for candidate in std::iter::once(host).chain(layers.iter().map(|ssh| field(ssh))) {
        if let Some(value) = known(candidate)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn known<T: Clone>(field: &Field<T>) -> Result<Option<T>, Diagnostic> {
    match field {
        Field::Known(value) => Ok(Some(value.clone())),
        Field::Null => Ok(None),
        Field::Unknown => Err(Diagnostic::error("the SSH settings are not known yet").detail(
            "A value in `ssh` comes from a resource that does not exist yet. Apply that resource first, or give the value directly.",
        )),
    }
}

/// `~` at the start of a path is the home directory, as in a shell. Read here, at the edge, and nowhere else.
fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_setting_wins() {
        let provider = Field::Known(Ssh { user: Field::Known("admin".into()), port: Field::Known(2222), ..Ssh::default() });
        let resource = Field::Known(Ssh { port: Field::Known(2022), ..Ssh::default() });
        let host = Field::Known(HostSsh { user: Field::Known("root".into()), ..HostSsh::default() });
        let name = HostName::literal("cp-1");
        let merged = target(&name, "192.0.2.1", &host, &[&resource, &provider]).unwrap();
        assert_eq!((merged.user.as_str(), merged.port), ("root", 2022));
        let merged = target(&name, "192.0.2.1", &Field::Null, &[&Field::Null, &provider]).unwrap();
        assert_eq!((merged.user.as_str(), merged.port), ("admin", 2222));
    }

    #[test]
    fn addresses_have_no_user_and_no_port() {
        use schema::Value;
        let said = |address: Value, seconds: Value| -> Vec<String> {
            let jump = Value::object([("address", address)]);
            let ssh = Value::object([("jump_host", jump), ("connect_timeout_seconds", seconds)]);
            let mut found = Diagnostics::default();
            validate(&ValueAt::of(&Value::object([("ssh", ssh)])).get("ssh"), &mut found);
            found.iter().map(|said| said.path.as_ref().map(ToString::to_string).unwrap_or_default()).collect()
        };
        for good in ["203.0.113.9", "2001:db8::9", "fe80::1%eth0", "bastion.example.net", "my_host", "bastion.example.net."] {
            assert_eq!(said(good.into(), 10.into()), [""; 0], "{good}");
        }
        for bad in ["jump@203.0.113.9", "203.0.113.9:2222", "[2001:db8::9]:22", "ssh://bastion", "a b"] {
            assert_eq!(said(bad.into(), Value::Null), ["ssh.jump_host.address"], "{bad}");
        }
        assert_eq!(said(Value::Unknown, 0.into()), ["ssh.connect_timeout_seconds"]);
    }

    #[test]
    fn an_endpoint_is_where_ssh_really_goes() {
        let known = |text: &str| Field::Known(text.to_owned());
        let jump = JumpHost { address: known("Bastion.example.net."), port: Field::Known(2222), ..JumpHost::default() };
        let provider = Field::Known(Ssh { port: Field::Known(2022), jump_host: Field::Known(jump), ..Ssh::default() });
        let host = |address: &str, port| Field::Known(HostSsh { address: known(address), port, user: Field::Unknown });
        let show = |address: &Field<String>, host: &Field<HostSsh>, layers: &[&Field<Ssh>]| {
            endpoint(address, host, layers).map(|endpoint| endpoint.to_string())
        };
        let shown = show(&known("2001:0db8::1"), &Field::Null, &[&Field::Null, &provider]);
        assert_eq!(shown.as_deref(), Some("2001:db8::1 port 2022 through bastion.example.net port 2222"));
        assert_eq!(show(&Field::Unknown, &host("A.example", Field::Known(22)), &[]).as_deref(), Some("a.example"));
        assert_eq!(show(&known("192.0.2.1"), &host("a", Field::Unknown), &[]), None);
        assert_eq!(show(&known("192.0.2.1"), &Field::Null, &[&Field::Unknown]), None);
        assert_eq!(show(&Field::Unknown, &Field::Null, &[]), None);
    }

    #[test]
    fn an_unknown_setting_is_refused_only_when_it_is_needed() {
        let unknown = Field::Known(Ssh { user: Field::Unknown, ..Ssh::default() });
        let error = target(&HostName::literal("a"), "192.0.2.1", &Field::Null, &[&unknown]).err().unwrap();
        assert_eq!(error.summary, "the SSH settings are not known yet");
        let host = Field::Known(HostSsh { user: Field::Known("root".into()), ..HostSsh::default() });
        assert!(target(&HostName::literal("a"), "192.0.2.1", &host, &[&unknown]).is_ok());
    }
}
