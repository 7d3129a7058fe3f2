//! nginx as a TCP proxy with a configuration that holds only `stream`. Which backends get traffic is the business of `health`.

use super::{config_folder, config_path, elsewhere, health, in_own_folder, run_folder};
use crate::component::PROXY;
use crate::{Listener, LoadBalancerSpec, RenderError};
use bundle::{Bundle, Check, File, HostPath, OnChange, Unit, UnitName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) fn render(spec: &LoadBalancerSpec) -> Result<Bundle, RenderError> {
    let mut bundle = Bundle::default();
    let (config, prepare) = (config_path(spec, "nginx.conf")?, config_path(spec, "prepare-nginx")?);
    bundle.files.insert(config.clone(), File::public(render_config(spec)));
    bundle.files.insert(prepare.clone(), File::executable(include_str!("prepare-nginx.sh")));
    let (reload, ports) = (config_path(spec, "reload-nginx")?, config_path(spec, "check-ports")?);
    bundle.files.insert(reload, File::executable(include_str!("reload-nginx.sh")));
    bundle.files.insert(ports.clone(), File::executable(include_str!("check-ports.sh")));
    // Debian builds the stream module as a package of its own; `apt-get install` needs both names.
    bundle.packages.insert("nginx".into(), "nginx-light libnginx-mod-stream".into());
    let reads = [config, prepare, health::backends_path(spec)?];
    let unit = PROXY.unit_of(&spec.name)?;
    let ip: IpAddr = if has_ipv6(spec) { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    spec.listeners.values().for_each(|listener| bundle.needs.listen(&unit, Some(SocketAddr::new(ip, listener.port))));
    let check = settings_check(spec, &ports, &unit);
    bundle.add_unit(unit, render_unit(spec), Unit { check: Some(check), ..PROXY.describe(reads, OnChange::Reload) });
    Ok(bundle)
}

/// Apart from the folder that the running nginx includes files from. Addresses in use are no error to it (`ngx_open_listening_sockets`), so
/// that they are looked for first.
fn settings_check(spec: &LoadBalancerSpec, ports: &HostPath, unit: &UnitName) -> Check {
    let config = config_folder(spec);
    let families: &[IpAddr] = match has_ipv6(spec) {
        true => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        false => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    let listeners = spec.listeners.values().flat_map(|listener| families.iter().map(|ip| SocketAddr::new(*ip, listener.port)));
    let addresses: String = listeners.map(|address| format!(" '{address}'")).collect();
    let commands = format!(
        "{ports} {unit}{addresses} && {config}/prepare-nginx {config} \"$run\" && {} && /usr/sbin/nginx -t -q -c \"$run/nginx.conf\"",
        elsewhere(spec, "nginx.conf")
    );
    Check { command: in_own_folder(&commands), got_past: None }
}

fn render_config(spec: &LoadBalancerSpec) -> String {
    let run = run_folder(spec);
    let servers: String = spec.listeners.iter().map(|(name, listener)| render_listener(spec, name, listener)).collect();
    format!(
        "\
include {run}/modules.conf;
pid {run}/nginx.pid;
error_log stderr warn;
worker_processes auto;
worker_rlimit_nofile 16384;
# Watches never end by themselves: a worker of an older configuration is not kept for longer.
worker_shutdown_timeout 10m;

events {{
    worker_connections 8192;
}}

stream {{
    proxy_connect_timeout 1s;
    proxy_next_upstream on;
    proxy_next_upstream_timeout 4s;
    proxy_timeout 1h;
    proxy_socket_keepalive on;
{servers}}}
"
    )
}

fn render_listener(spec: &LoadBalancerSpec, name: &str, listener: &Listener) -> String {
    let port = listener.port;
    let servers = match listener.backends.is_empty() {
        true => "server 127.0.0.1:1 down;".to_string(), // nginx refuses an upstream without servers
        false => format!("include {}/upstream-{name}.conf;", run_folder(spec)),
    };
    // A kernel without IPv6 has no [::] to listen on.
    let ipv6 = match has_ipv6(spec) {
        true => format!("\n        listen [::]:{port} so_keepalive=1m:10s:3;"),
        false => String::new(),
    };
    format!(
        "
    upstream {name} {{
        zone {name} 64k;
        least_conn;
        {servers}
    }}
    server {{
        listen {port} so_keepalive=1m:10s:3;{ipv6}
        proxy_pass {name};
    }}
"
    )
}

fn has_ipv6(spec: &LoadBalancerSpec) -> bool {
    let of_hosts = spec.hosts.values().flat_map(|host| host.addresses());
    of_hosts.chain(spec.virtual_addresses.iter().map(|net| net.addr())).any(|address| address.is_ipv6())
}

fn render_unit(spec: &LoadBalancerSpec) -> String {
    let (name, config, run) = (&spec.name, config_folder(spec), run_folder(spec));
    format!(
        "\
[Unit]
Description=TCP proxy of load balancer {name}
Documentation=https://nginx.org/en/docs/stream/ngx_stream_core_module.html
After=network-online.target nss-lookup.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
# nginx goes to the background when it listens on every port.
Type=forking
PIDFile={run}/nginx.pid
ExecStartPre={config}/prepare-nginx {config} {run}
ExecStart=/usr/sbin/nginx -c {config}/nginx.conf
ExecReload={config}/prepare-nginx {config} {run}
ExecReload=/usr/sbin/nginx -t -q -c {config}/nginx.conf
ExecReload={config}/reload-nginx {run}/nginx.pid 15
# Not a graceful stop: it would close the listeners at once and keep the process, and with it the virtual address, for the watches.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=5
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
