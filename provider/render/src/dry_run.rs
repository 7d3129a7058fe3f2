//! How programs check what they read without serving: with which arguments each reads and validates its flags and files, and then ends
//! before it does anything. What each of them leaves unchecked is left to the gates (docs/adr/0043).

use crate::component::Component;
use crate::systemd::Flags;
use bundle::Check;

/// Arguments that follow those of the unit, of which the last one counts where a flag stands twice.
#[derive(Debug, PartialEq, Eq)]
pub struct DryRun {
    arguments: &'static str,
    /// What it says when it got past all that it checks; `None` where it then ends with success.
    got_past: Option<&'static str>,
    /// It listens before it has read everything: in a network of its own it is in nobody's way. A host that gives it none has its flags
    /// parsed, no more.
    is_in_own_network: bool,
    /// With this flag of the user's it would heed others no more, and serve: its flags are parsed then, no more.
    parsed_only_with: Option<&'static str>,
}

const PLAIN: DryRun = DryRun { arguments: "", got_past: None, is_in_own_network: false, parsed_only_with: None };

/// No file is below `/dev/null`. Flags may be logged, so that their names and values prove nothing.
const NO_KUBECONFIG: &str = "error loading config file";

/// Flags are parsed and verified (`newConfig().parse` in server/etcdmain/config.go, `Validate` in server/embed/config.go), then the data
/// directory is looked at, before anything listens (`identifyDataDirOrDie` in server/etcdmain/etcd.go). `config-file` makes it ignore
/// all flags. Unchecked: certificates, addresses, what is in the data directory.
pub const ETCD: DryRun = DryRun {
    arguments: "--data-dir=/dev/null/checked",
    got_past: Some("failed to list data directory"),
    parsed_only_with: Some("config-file"),
    ..PLAIN
};

/// In `BuildGenericConfig` of pkg/controlplane/apiserver/config.go the audit webhook is read last: after the options were validated
/// (cmd/kube-apiserver/app/server.go), and its certificates, the encryption configuration, the configurations of authentication and authorization and
/// the audit policy were read. The storage comes later, so that etcd is not needed. Unchecked: the configuration of admission
/// plugins, the user's audit webhook, and whatever etcd or another server has to answer.
pub const API_SERVER: DryRun = DryRun {
    // No other address is there.
    arguments: "--bind-address=0.0.0.0 --audit-log-path=- --audit-webhook-config-file=/dev/null/checked",
    got_past: Some("initializing audit webhook"),
    is_in_own_network: true,
    ..PLAIN
};

/// Options are validated, then the kubeconfig is read, before it listens (`Config` in cmd/kube-controller-manager/app/options/options.go).
/// Unchecked: the contents of its kubeconfig, certificates and keys.
pub const CONTROLLER_MANAGER: DryRun =
    DryRun { arguments: "--kubeconfig=/dev/null/checked", got_past: Some(NO_KUBECONFIG), ..PLAIN };

/// As the controller manager (`ApplyTo` in cmd/kube-scheduler/app/options/options.go). With `config` it takes the kubeconfig from that file.
pub const SCHEDULER: DryRun = DryRun {
    arguments: "--kubeconfig=/dev/null/checked",
    got_past: Some(NO_KUBECONFIG),
    parsed_only_with: Some("config"),
    ..PLAIN
};

/// As the controller manager (`Config` in options/options.go of k8s.io/cloud-provider). Unchecked: its configuration of the cloud.
pub const CLOUD_CONTROLLER: DryRun =
    DryRun { arguments: "--kubeconfig=/dev/null/checked", got_past: Some(NO_KUBECONFIG), ..PLAIN };

/// Flags and configuration are parsed and validated, also against the host's version of control groups; the lock file is looked at
/// before clients, the container runtime or the node are (`run` in cmd/kubelet/app/server.go). Unchecked: fields that it does not know,
/// which it leaves out; certificates; and what it finds when it runs, such as reserved resources that the host does not have.
pub const KUBELET: DryRun = DryRun {
    arguments: "--exit-on-lock-contention=true --lock-file=",
    got_past: Some("cannot exit on lock file contention: no lock file specified"),
    ..PLAIN
};

/// Configuration completed and validated, then written instead of used (`Run` in cmd/kube-proxy/app/options.go).
/// Unchecked: as of the kubelet; and what the kernel has.
pub const KUBE_PROXY: DryRun = DryRun { arguments: "--write-config-to=/dev/null", ..PLAIN };

impl Component {
    /// The check of a program that runs with these flags; `environment` are the files that its unit takes variables from.
    pub(crate) fn check(&self, flags: &Flags, environment: &[&str]) -> Option<Check> {
        let run = self.dry_run.as_ref()?;
        let command = flags.shell_command(self.program, environment);
        if run.parsed_only_with.is_some_and(|flag| flags.has(flag)) {
            return Some(Check { command: format!("exec {command} --version"), got_past: None });
        }
        let arguments = run.arguments;
        let command = match run.is_in_own_network {
            false => format!("exec {command} {arguments}"),
            true => format!(
                "set -- {command}\nif unshare --net true 2>/dev/null; then exec unshare --net \"$@\" {arguments}; fi\nexec \"$@\" --version"
            ),
        };
        Some(Check { command, got_past: run.got_past })
    }
}
