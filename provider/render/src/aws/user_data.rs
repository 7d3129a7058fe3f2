//! User data: what cloud-init does on the first boot of an instance, as the `#cloud-config` that it reads.

use serde_json::{Value, json};

/// EC2 takes no more bytes, counted before the encoding.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html>
pub const LIMIT: usize = 16 * 1024;

/// Installs what its arguments name, again and again for two minutes: an Elastic IP that an instance is given while it downloads ends
/// its connections. Configuration files that are there stay, as with cloud-init.
const INSTALL: &str = "tries=0
until if command -v apt-get >/dev/null; then apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy -o Dpkg::Options::=--force-confold install \"$@\"; else dnf -qy install \"$@\"; fi
do tries=$((tries + 1)); [ $tries -lt 12 ] || exit 1; sleep 10; done
";

/// A cloud-init document: packages, files and commands of the first boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserData {
    /// Everything that the image has is brought up to date first. Not by dnf: it is killed where there are 512 MB, and the
    /// repositories of Amazon Linux 2023 are those of its image's release.
    pub upgrades: bool,
    pub packages: Vec<String>,
    /// Written before packages are installed: apt (`--force-confold`) and rpm (`noreplace`) keep what is there, so that no service
    /// ever runs with its package's own configuration.
    pub files: Vec<File>,
    /// Of the image's own user, besides the instance's key pair.
    pub authorized_keys: Vec<String>,
    pub commands: Vec<Vec<String>>,
}

/// A file that cloud-init writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub path: &'static str,
    /// Lines that begin with no blank; the last one ends with a line feed.
    pub content: String,
}

impl UserData {
    /// The document with its `#cloud-config` line.
    pub fn render(&self) -> String {
        let mut text = String::from("#cloud-config\n");
        let mut push = |key: &str, value: Value| text.push_str(&crate::yaml::to_yaml(&json!({ key: value })));
        push("disable_root", json!(true));
        push("ssh_pwauth", json!(false));
        if !self.authorized_keys.is_empty() {
            push("ssh_authorized_keys", json!(self.authorized_keys));
        }
        if self.upgrades {
            push("package_update", json!(true));
            push("package_upgrade", json!(true));
        }
        if !self.files.is_empty() {
            text.push_str("write_files:\n");
            self.files.iter().for_each(|file| text.push_str(&file.render()));
        }
        let mut commands = self.commands.clone();
        if !self.packages.is_empty() {
            let install = ["sh", "-c", INSTALL, "install"].map(str::to_owned);
            commands.insert(0, install.into_iter().chain(self.packages.iter().cloned()).collect());
        }
        if !commands.is_empty() {
            text.push_str(&crate::yaml::to_yaml(&json!({ "runcmd": commands })));
        }
        text
    }
}

impl File {
    /// With a literal block, so that people can read it where the instance shows its user data.
    fn render(&self) -> String {
        let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("      {line}\n") };
        let lines: String = self.content.lines().map(indented).collect();
        format!("  - path: {}\n    permissions: \"0644\"\n    content: |\n{lines}", Value::from(self.path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_what_a_yaml_parser_reads() {
        let file = File { path: "/etc/a.conf", content: "# a: b\n\nacl x \"y\" # z\n".into() };
        let user_data = UserData {
            upgrades: true,
            packages: vec!["squid".into()],
            files: vec![file.clone()],
            authorized_keys: vec!["ssh-ed25519 AAAA \"me\": x".into()],
            commands: vec![vec!["sh".into(), "-c".into(), "a || b".into()]],
        };
        let text = user_data.render();
        assert!(text.starts_with("#cloud-config\n"));
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read["write_files"][0]["content"], file.content);
        assert_eq!(read["write_files"][0]["permissions"], "0644");
        assert_eq!(read["ssh_authorized_keys"][0], "ssh-ed25519 AAAA \"me\": x");
        assert_eq!(read["runcmd"][0], json!(["sh", "-c", INSTALL, "install", "squid"]));
        assert_eq!(read["runcmd"][1][2], "a || b");
        assert_eq!(read["package_upgrade"], json!(true));
        assert_eq!(read["ssh_pwauth"], json!(false));
    }
}
