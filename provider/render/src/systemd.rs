//! Text of systemd units: command lines with one flag per line, and the sandbox of services that need nothing of their host.
//! Not here: which units there are.

use std::collections::BTreeMap;

/// Flags of one program in the order in which a reader should meet them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(Vec<(String, FlagValue)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum FlagValue {
    Text(String),
    /// Of the unit's environment.
    Variable(&'static str),
}

impl Flags {
    /// No flags yet.
    pub fn new() -> Self {
        Flags::default()
    }

    /// Appends a flag with its value.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_string(), FlagValue::Text(value.into())));
        self
    }

    /// Appends a flag that has a value.
    pub fn set_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Appends a flag whose value is a variable of the unit's environment.
    pub fn set_from(mut self, name: &str, variable: &'static str) -> Self {
        self.0.push((name.to_string(), FlagValue::Variable(variable)));
        self
    }

    /// The user's value takes the place of ours; flags that we do not set follow in the order of their names.
    pub fn overridden_by(mut self, user: &BTreeMap<String, String>) -> Self {
        for (name, value) in user {
            let value = FlagValue::Text(value.clone());
            match self.0.iter_mut().find(|(ours, _)| ours == name) {
                Some((_, ours)) => *ours = value,
                None => self.0.push((name.clone(), value)),
            }
        }
        self
    }

    /// What the flag is set to; the last one counts. `None` also where it is a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        match self.0.iter().rev().find(|(ours, _)| ours == name)? {
            (_, FlagValue::Text(value)) => Some(value),
            (_, FlagValue::Variable(_)) => None,
        }
    }

    /// The flags that are set to this value.
    pub fn naming(&self, value: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, set)| matches!(set, FlagValue::Text(set) if set == value)).map(|(name, _)| name.as_str())
    }

    /// Whether it is set.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(ours, _)| ours == name)
    }

    /// `program '--name=value' …` for a shell; variables are looked up in these files, which are the unit's `EnvironmentFile=`.
    pub fn shell_command(&self, program: &str, environment: &[&str]) -> String {
        let files = environment.join(" ");
        let flags = self.0.iter().map(|(name, value)| match value {
            FlagValue::Text(value) => shell_word(&format!("--{name}={value}")),
            FlagValue::Variable(variable) => format!("\"--{name}=$(sed -n 's/^{variable}=//p' {files})\""),
        });
        std::iter::once(program.to_string()).chain(flags).collect::<Vec<_>>().join(" ")
    }

    /// `program \`, then one `--name=value \` per line, as a value of `ExecStart=`.
    pub fn command_line(&self, program: &str) -> String {
        let flags = self.0.iter().map(|(name, value)| match value {
            FlagValue::Text(value) => quote_argument(&format!("--{name}={value}")),
            FlagValue::Variable(variable) => format!("--{name}=${{{variable}}}"),
        });
        std::iter::once(program.to_string()).chain(flags).collect::<Vec<_>>().join(" \\\n    ")
    }
}

/// One argument of a command line in a unit file: systemd expands `%` and `$` and splits at white space.
/// Source: systemd.service(5), "Command lines".
pub fn quote_argument(argument: &str) -> String {
    let escaped = argument.replace('\\', "\\\\").replace('%', "%%").replace('$', "$$");
    let plain = !escaped.is_empty() && escaped.chars().all(|c| !c.is_whitespace() && !"\"'\\;".contains(c));
    if plain { escaped } else { format!("\"{}\"", escaped.replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")) }
}

/// One word for a POSIX shell.
fn shell_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// For services that only read their files, write to the paths they name themselves, and talk over the network.
/// What they hold, keys among it, is in no core dump: systemd-coredump keeps none where the limit is 0. Netlink is among the address families because Go lists the host's addresses by it.
pub const SANDBOX: &str = "\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077
LimitCORE=0
";

/// The unit file of a controller beside an API server. `service` are the lines of `[Service]` that say what runs and when it starts again.
pub fn controller_unit(description: &str, documentation: &str, service: &str) -> String {
    format!(
        "[Unit]
Description={description}
Documentation={documentation}
After=network-online.target kube-apiserver.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
{service}
LimitNOFILE=65536
OOMScoreAdjust=-997
CapabilityBoundingSet=
{SANDBOX}
[Install]
WantedBy=multi-user.target
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argument: &str, expect: &str) {
        assert_eq!(quote_argument(argument), expect);
    }

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        check("--a=b", "--a=b");
        check("--a=50%", "--a=50%%");
        check("--a=$HOME", "--a=$$HOME");
        check("--a=b c", "\"--a=b c\"");
        check("--a=\"b\"", "\"--a=\\\"b\\\"\"");
        check("--a=b\\c", "\"--a=b\\\\c\"");
        check("", "\"\"");
    }

    #[test]
    fn flags_of_the_user_win_in_place_and_others_follow() {
        let user = BTreeMap::from([("v".to_string(), "4".to_string()), ("b".to_string(), "9".to_string())]);
        let flags = Flags::new().set("b", "1").set("c", "2").overridden_by(&user);
        assert_eq!(flags.command_line("/bin/p"), "/bin/p \\\n    --b=9 \\\n    --c=2 \\\n    --v=4");
    }
}
