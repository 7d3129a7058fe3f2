//! containerd, the container runtime, with runc and the CNI plugins.

use super::{Context, add_file};
use crate::catalogue;
use crate::component::CONTAINERD;
use crate::spec::{PodNetwork, RenderError, is_below_a_path};
use bundle::{Binary, Bundle, Check, Directory, File, HostPath};
use std::collections::BTreeMap;

const CONFIGURATION: &str = "/etc/containerd/config.toml";
const REGISTRIES: &str = "/etc/containerd/certs.d";
const PLUGINS: &str = "/opt/cni/bin";
/// Where an add-on connects pods, the other folder is the add-on's, which writes plugins of the same names there.
const OWN_PLUGINS: &str = "/usr/local/lib/k8s-hardway/cni";
const RUNC: &str = "/usr/local/sbin/runc";
/// containerd's default.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";

/// Where each program is installed.
pub(super) fn place(binaries: &BTreeMap<HostPath, Binary>, pod_network: PodNetwork) -> BTreeMap<HostPath, Binary> {
    let place = |path: &HostPath| match path.as_str().strip_prefix(PLUGINS) {
        Some(name) if pod_network == PodNetwork::None => {
            HostPath::parse(format!("{OWN_PLUGINS}{name}")).unwrap_or_else(|_| path.clone())
        }
        _ => path.clone(),
    };
    binaries.iter().map(|(path, binary)| (place(path), binary.clone())).collect()
}

pub(super) fn render(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let release = catalogue::release(&context.spec.kubernetes_version)?;
    let mut reads: Vec<HostPath> =
        [CONTAINERD.program, "/usr/local/bin/containerd-shim-runc-v2", RUNC].map(HostPath::literal).into();
    reads.push(add_file(bundle, CONFIGURATION, File::public(configuration(&release.pause_image, context.spec.pod_network))));
    // Looked up at each pull: a change of a mirror restarts nothing.
    for (registry, text) in registry_files(&context.spec.registry_mirrors) {
        let path = HostPath::parse(format!("{REGISTRIES}/{registry}/hosts.toml"))?;
        bundle.files.insert(path, File::public(text));
    }
    CONTAINERD.add_with_checks(bundle, unit_file(), reads, (None, Some(settings_check())));
    for (path, mode) in [("/var/lib/containerd", 0o711), ("/var/lib/cni", 0o700)] {
        bundle.data_directories.insert(HostPath::literal(path), Directory::data(mode));
    }
    Ok(())
}

fn configuration(pause_image: &str, pod_network: PodNetwork) -> String {
    let plugins = match pod_network {
        PodNetwork::Routed => format!("'{PLUGINS}'"),
        PodNetwork::None => format!("'{OWN_PLUGINS}', '{PLUGINS}'"),
    };
    format!(
        "version = 3
root = '/var/lib/containerd'
state = '/run/containerd'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{pause_image}'

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '{REGISTRIES}'

[plugins.'io.containerd.cri.v1.runtime']
  # Hosts that are containers themselves may not lower the score below their own.
  restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [{plugins}]
  conf_dir = '/etc/cni/net.d'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '{RUNC}'
  SystemdCgroup = true
"
    )
}

/// Every plugin's part of the configuration is decoded; what it names is not looked at (cmd/containerd/command/config.go).
fn settings_check() -> Check {
    Check { command: format!("exec {} --config={CONFIGURATION} config dump >/dev/null", CONTAINERD.program), got_past: None }
}

/// One hosts.toml per registry: the mirror first, then the registry itself.
/// Source: docs/hosts.md of containerd 2.
fn registry_files(mirrors: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, String)> {
    mirrors.iter().map(|(registry, mirror)| {
        let origin = match registry.as_str() {
            "_default" => String::new(),
            "docker.io" => "server = 'https://registry-1.docker.io'\n\n".to_string(),
            registry => format!("server = 'https://{registry}'\n\n"),
        };
        let mirror = mirror.trim_end_matches('/');
        let override_path = if is_below_a_path(mirror) { "  override_path = true\n" } else { "" };
        (registry, format!("{origin}[host.'{mirror}']\n  capabilities = ['pull', 'resolve']\n{override_path}"))
    })
}

fn unit_file() -> String {
    "[Unit]
Description=containerd, the container runtime
Documentation=https://containerd.io
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/containerd --config=/etc/containerd/config.toml
Restart=always
RestartSec=2
# Containers outlive a restart of containerd.
KillMode=process
Delegate=yes
LimitNPROC=infinity
LimitCORE=infinity
LimitNOFILE=1048576
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
"
    .to_string()
}
