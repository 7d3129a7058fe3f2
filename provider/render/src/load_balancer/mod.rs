//! A highly available load balancer on ordinary hosts: keepalived carries the virtual addresses, nginx passes TCP connections on,
//! and a health service keeps backends that cannot serve out of nginx. The three units are this provider's own, so that neither a
//! change by the distribution's package nor a second load balancer on the same hosts gets in their way.

mod health;
mod keepalived;
mod nginx;
#[cfg(test)]
mod tests;

use crate::{LoadBalancerSpec, RenderError};
use bundle::{Bundle, Directory, HostName, HostPath, NameError, UnitName};
use ipnet::IpNet;

/// Key of the identity of a load balancer: its hosts, `lb-1=192.0.2.2 lb-2=192.0.2.3`.
pub const HOSTS: &str = "hosts";

/// Everything that `host` needs to be one of the load balancer's hosts.
pub fn render(spec: &LoadBalancerSpec, host: &HostName) -> Result<Bundle, RenderError> {
    if !spec.hosts.contains_key(host) {
        return Err(RenderError::UnknownHost(host.clone()));
    }
    check_names(spec)?;
    let mut bundle = Bundle::default();
    bundle.merge(nginx::render(spec)?);
    bundle.merge(health::render(spec)?);
    bundle.merge(keepalived::render(spec, host)?);
    for folder in [config_folder(spec), run_folder(spec)] {
        bundle.data_directories.insert(HostPath::parse(folder)?, Directory::data(0o755));
    }
    bundle.clean_up("run-folder", format!("rm -rf {}", run_folder(spec)));
    let hosts = spec.hosts.iter().map(|(name, host)| format!("{name}={}", host.address));
    bundle.identity.insert(HOSTS.into(), hosts.collect::<Vec<_>>().join(" "));
    Ok(bundle)
}

/// A script for `host` that asks its link who has these of the virtual addresses. What it prints stands at its head.
///
/// # Errors
/// Those of [`render`].
pub fn question(spec: &LoadBalancerSpec, host: &HostName, asked: &[IpNet]) -> Result<String, RenderError> {
    check_names(spec)?;
    keepalived::render_question(spec, host, asked)
}

fn config_folder(spec: &LoadBalancerSpec) -> String {
    format!("/etc/k8s-lb/{}", spec.name)
}

fn run_folder(spec: &LoadBalancerSpec) -> String {
    format!("/run/k8s-lb/{}", spec.name)
}

fn config_path(spec: &LoadBalancerSpec, file: &str) -> Result<HostPath, NameError> {
    HostPath::parse(format!("{}/{file}", config_folder(spec)))
}

/// Commands with a folder `$run` that goes with them.
fn in_own_folder(commands: &str) -> String {
    format!("run=$(mktemp -d) && trap 'rm -rf \"$run\"' EXIT && {commands}")
}

/// Writes a configuration into `$run` as if that were the folder of the running programs.
fn elsewhere(spec: &LoadBalancerSpec, file: &str) -> String {
    format!("sed \"s|{}/|$run/|g\" {}/{file} >\"$run/{file}\"", run_folder(spec), config_folder(spec))
}

/// Nothing that the user wrote may end a line, a statement or a path of the files that it goes into.
fn check_names(spec: &LoadBalancerSpec) -> Result<(), NameError> {
    UnitName::parse(format!("{}.service", spec.name))?;
    spec.interface.as_deref().map_or(Ok(()), |interface| check_word(interface, ""))?;
    for (name, listener) in &spec.listeners {
        UnitName::parse(format!("{name}.service"))?;
        listener.backends.iter().try_for_each(|backend| check_word(backend, "[]"))?;
        if let crate::spec::HealthCheck::Https { path } = &listener.health_check {
            check_word(path, "?=&~,")?;
        }
    }
    Ok(())
}

fn check_word(word: &str, also_allowed: &str) -> Result<(), NameError> {
    HostPath::parse(format!("/{}", word.replace(|c| also_allowed.contains(c), ""))).map(drop)
}
