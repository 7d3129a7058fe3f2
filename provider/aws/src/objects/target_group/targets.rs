//! The targets of a group, as settings `target <id or address>` = port.

use crate::clients::Clients;
use crate::error::{failed, unusable};
use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealthDescription, TargetHealthStateEnum};
use cloud::{ALL_ZONES, Change, CloudError, Found, Health, Registration, Registrations, TargetKey};
use std::collections::BTreeMap;

/// How many targets one call takes.
const TARGETS: usize = 100;

/// Sets the settings and the health.
pub(super) async fn read(clients: &Clients, found: &mut Found) -> Result<(), CloudError> {
    let call = clients.elbv2.describe_target_health().target_group_arn(&found.id);
    let answer = call.send().await.map_err(|error| failed("elasticloadbalancing:DescribeTargetHealth", error))?;
    let there: Vec<&TargetHealthDescription> =
        answer.target_health_descriptions().iter().filter(|one| !is_draining(one)).collect();
    let healthy = there.iter().filter(|one| state(one) == Some(&TargetHealthStateEnum::Healthy)).count();
    found.health = Some(Health { healthy, targets: there.len() });
    found.settings.extend(settings(there.iter().filter_map(|one| one.target())));
    Ok(())
}

/// New ones come before others go. One that changes its port goes first: not every emulator of AWS distinguishes its two ports.
pub(super) async fn update(clients: &Clients, arn: &str, changes: &[Change]) -> Result<(), CloudError> {
    let (register, gone) = difference(changes)?;
    let stays = |target: &TargetDescription| register.iter().any(|other| other.id() == target.id());
    let (moving, leaving): (Targets, Targets) = gone.into_iter().partition(stays);
    deregister(clients, arn, &moving).await?;
    for targets in register.chunks(TARGETS) {
        let call = clients.elbv2.register_targets().target_group_arn(arn).set_targets(Some(targets.to_vec()));
        call.send().await.map_err(|error| failed("elasticloadbalancing:RegisterTargets", error))?;
    }
    deregister(clients, arn, &leaving).await
}

async fn deregister(clients: &Clients, arn: &str, targets: &[TargetDescription]) -> Result<(), CloudError> {
    for targets in targets.chunks(TARGETS) {
        let call = clients.elbv2.deregister_targets().target_group_arn(arn).set_targets(Some(targets.to_vec()));
        call.send().await.map_err(|error| failed("elasticloadbalancing:DeregisterTargets", error))?;
    }
    Ok(())
}

fn state(target: &TargetHealthDescription) -> Option<&TargetHealthStateEnum> {
    target.target_health().and_then(|health| health.state())
}

fn is_draining(target: &TargetHealthDescription) -> bool {
    matches!(state(target), Some(TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining))
}

/// A target that is registered with several ports has them all, joined by commas: what is declared is one.
fn settings<'a>(targets: impl Iterator<Item = &'a TargetDescription>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<TargetKey, Registrations> = BTreeMap::new();
    for target in targets {
        let port = target.port().and_then(|port| u16::try_from(port).ok());
        let registration = Registration { port, all_zones: target.availability_zone() == Some(ALL_ZONES) };
        all.entry(TargetKey::new(target.id().unwrap_or_default())).or_default().0.push(registration);
    }
    all.into_iter().map(|(target, registrations)| (target.to_string(), registrations.to_string())).collect()
}

type Targets = Vec<TargetDescription>;

/// What has to be registered, and what deregistered.
fn difference(changes: &[Change]) -> Result<(Targets, Targets), CloudError> {
    let (mut register, mut deregister) = (Vec::new(), Vec::new());
    for change in changes {
        let Ok(key) = change.key.parse::<TargetKey>() else { continue };
        let (from, to) = (registrations(&key, change.from.as_deref())?, registrations(&key, change.to.as_deref())?);
        register.extend(to.iter().filter(|one| !from.contains(one)).map(|one| target(&key, *one)));
        deregister.extend(from.iter().filter(|one| !to.contains(one)).map(|one| target(&key, *one)));
    }
    Ok((register, deregister))
}

fn registrations(key: &TargetKey, value: Option<&str>) -> Result<Vec<Registration>, CloudError> {
    let all = value.map(str::parse::<Registrations>).transpose();
    let unusable = |error| unusable("elasticloadbalancing:RegisterTargets", format!("{key}: {error}"));
    Ok(all.map_err(unusable)?.map(|all| all.0).unwrap_or_default())
}

fn target(key: &TargetKey, registration: Registration) -> TargetDescription {
    let zone = registration.all_zones.then(|| ALL_ZONES.to_owned());
    let port = registration.port.map(i32::from);
    TargetDescription::builder().id(&key.id).set_port(port).set_availability_zone(zone).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, from: Option<&str>, to: Option<&str>) -> Change {
        Change { key: key.into(), from: from.map(str::to_owned), to: to.map(str::to_owned) }
    }

    #[test]
    fn targets_go_out_and_come_back() {
        let changes = [change("target 2001:db8::a", None, Some("6443")), change("target 192.0.2.1", None, Some("6443 all"))];
        let (register, deregister) = difference(&changes).unwrap();
        assert!(deregister.is_empty());
        let settings = settings(register.iter());
        assert_eq!(settings.get("target 2001:db8::a").map(String::as_str), Some("6443"));
        assert_eq!(settings.get("target 192.0.2.1").map(String::as_str), Some("6443 all"));
    }

    #[test]
    fn only_ports_that_differ_are_touched() {
        let changes = [
            change("target i-1", Some("6443,8443"), Some("6443")),
            change("target i-2", Some("80"), Some("6443")),
            change("target i-3", Some("6443"), None),
            change("tag Name", None, Some("x")),
        ];
        let (register, deregister) = difference(&changes).unwrap();
        let shown = |targets: &[TargetDescription]| -> Vec<String> {
            targets.iter().map(|one| format!("{} {}", one.id().unwrap(), one.port().unwrap())).collect()
        };
        assert_eq!(shown(&register), ["i-2 6443"]);
        assert_eq!(shown(&deregister), ["i-1 8443", "i-2 80", "i-3 6443"]);
    }

    #[test]
    fn a_port_is_a_number() {
        assert!(difference(&[change("target i-1", None, Some("https"))]).is_err());
    }
}
