//! A bastion: an instance that nodes are reached through by SSH, and nothing else.

use super::images::Packages;
use super::instance::DescribedRule;
use super::security_groups::{SSH, anywhere};
use super::user_data::{File, UserData};
use cloud::{Direction, Ports, Protocol, Rule};
use ipnet::IpNet;

/// Description of the security group, which AWS cannot change later.
pub const DESCRIPTION: &str = "SSH to a bastion of Kubernetes nodes";

/// Files of this folder are read in the order of their names, and the first value of an option holds: before that of cloud-init (50).
const SSHD: &str = "/etc/ssh/sshd_config.d/10-hardened.conf";
/// Jumping (`ssh -J`) needs only TCP forwarding. An agent that is forwarded could be used by whoever is root here.
const SSHD_OPTIONS: &str = "PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
AllowAgentForwarding no
AllowTcpForwarding yes
X11Forwarding no
LoginGraceTime 30
ClientAliveInterval 120
ClientAliveCountMax 3
";
const AUTO_UPGRADES: &str = "APT::Periodic::Update-Package-Lists \"1\";
APT::Periodic::Unattended-Upgrade \"1\";
";
/// Debian's unit is ssh, Amazon's sshd.
const RELOAD_SSHD: [&str; 3] =
    ["sh", "-c", "systemctl try-reload-or-restart ssh.service || systemctl try-reload-or-restart sshd.service"];

/// The cloud-init user data: SSH hardened, security updates where the image has apt.
pub fn user_data(authorized_keys: &[String], packages: Option<Packages>) -> String {
    hardened(authorized_keys, packages).render()
}

/// SSH only by key, no root; security updates by themselves where the image has apt.
pub fn hardened(authorized_keys: &[String], packages: Option<Packages>) -> UserData {
    let mut files = vec![File { path: SSHD, content: SSHD_OPTIONS.into() }];
    let mut installed = Vec::new();
    if packages == Some(Packages::Apt) {
        files.push(File { path: "/etc/apt/apt.conf.d/20auto-upgrades", content: AUTO_UPGRADES.into() });
        installed.push("unattended-upgrades".to_owned());
    }
    UserData {
        upgrades: packages != Some(Packages::Dnf),
        packages: installed,
        files,
        authorized_keys: authorized_keys.to_vec(),
        commands: vec![RELOAD_SSHD.map(str::to_owned).to_vec()],
    }
}

/// SSH from these networks; everything out, for it reaches nodes and its own updates.
pub fn rules(ssh_cidrs: &[IpNet], ipv6: bool) -> Vec<DescribedRule> {
    let mut rules = ssh_rules(ssh_cidrs);
    let out = |peer| Rule::new(Direction::Egress, Protocol::All, Ports::All, peer);
    rules.extend(anywhere(ipv6).into_iter().map(|peer| DescribedRule { rule: out(peer), description: "nodes and updates" }));
    rules
}

/// SSH from these networks.
pub fn ssh_rules(ssh_cidrs: &[IpNet]) -> Vec<DescribedRule> {
    let rule = |peer: &IpNet| Rule::new(Direction::Ingress, Protocol::Tcp, SSH, *peer);
    ssh_cidrs.iter().map(|peer| DescribedRule { rule: rule(peer), description: "SSH" }).collect()
}
