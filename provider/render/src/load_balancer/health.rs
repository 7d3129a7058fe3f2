//! The service that probes backends. The list it reads is also what `prepare-nginx` starts from.

use super::{config_folder, config_path, run_folder};
use crate::component::BACKEND_HEALTH;
use crate::spec::HealthCheck;
use crate::{LoadBalancerSpec, RenderError};
use bundle::{Bundle, File, HostPath, NameError, OnChange};

pub(super) fn render(spec: &LoadBalancerSpec) -> Result<Bundle, RenderError> {
    let mut bundle = Bundle::default();
    let (script, backends) = (config_path(spec, "health")?, backends_path(spec)?);
    bundle.files.insert(script.clone(), File::executable(include_str!("health.sh")));
    bundle.files.insert(backends.clone(), File::public(render_backends(spec)));
    bundle.packages.extend([("bash".into(), "bash".into()), ("curl".into(), "curl".into())]);
    bundle.add_unit(
        BACKEND_HEALTH.unit_of(&spec.name)?,
        render_unit(spec),
        BACKEND_HEALTH.describe([script, backends], OnChange::Restart),
    );
    Ok(bundle)
}

pub(super) fn backends_path(spec: &LoadBalancerSpec) -> Result<HostPath, NameError> {
    config_path(spec, "backends")
}

/// One line per backend: listener, server, and the URL to probe or `tcp`.
fn render_backends(spec: &LoadBalancerSpec) -> String {
    let mut text = String::new();
    for (name, listener) in &spec.listeners {
        for backend in &listener.backends {
            let probe = match &listener.health_check {
                HealthCheck::Tcp => "tcp".to_string(),
                HealthCheck::Https { path } => format!("https://{backend}{path}"),
            };
            text.push_str(&format!("{name} {backend} {probe}\n"));
        }
    }
    text
}

fn render_unit(spec: &LoadBalancerSpec) -> String {
    let (name, config, run) = (&spec.name, config_folder(spec), run_folder(spec));
    format!(
        "\
[Unit]
Description=Health of the backends of load balancer {name}
After=network-online.target k8s-lb-{name}-nginx.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/bin/bash {config}/health {config} {run}
Restart=always
RestartSec=1
RuntimeDirectory=k8s-lb/{name}
RuntimeDirectoryPreserve=yes
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes

[Install]
WantedBy=multi-user.target
"
    )
}
