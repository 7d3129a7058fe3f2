//! Which hosts have the virtual addresses, of all that answer: there must be one. Two have them when they do not hear each other.

use super::actions::VrrpActions;
use crate::ports::Host;
use crate::resources::on_hosts::execute::StepError;
use crate::resources::on_hosts::fleet::Fleet;
use crate::wait::{Ended, Pace};
use bundle::HostName;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A takeover takes less, unless advertisements are rare.
const LIMIT: Duration = Duration::from_secs(15);
const PACE: Pace = Pace::every(Duration::from_millis(100));
/// A backup that hears nobody takes the addresses after three intervals and a part of a fourth (RFC 5798, section 6.1).
const INTERVALS_OF_A_TAKEOVER: u32 = 4;
const SHORTEST_STEADY: Duration = Duration::from_millis(500);

/// The virtual addresses that each host has, where it has any.
pub struct Holders(BTreeMap<HostName, Vec<IpNet>>);

/// Why nobody counts as the holder.
enum Lack {
    Nobody,
    /// It has these only.
    APart(HostName, Vec<IpNet>),
    Several(Vec<HostName>),
    /// It was this host, and another one shortly before.
    Unsteady(HostName),
}

impl Holders {
    pub async fn look(fleet: &Fleet, addresses: &[IpNet]) -> Result<Holders, StepError> {
        let looks = fleet
            .machines
            .iter()
            .map(|(host, machine)| async move { Ok::<_, StepError>((host.clone(), of(machine.as_ref(), addresses).await?)) });
        let found: Result<BTreeMap<_, _>, StepError> = fleet.on_each(looks).await.into_iter().collect();
        let mut found = found?;
        found.retain(|_, has| !has.is_empty());
        Ok(Holders(found))
    }

    /// The one host that has all addresses, while no other has any.
    fn only(&self, addresses: &[IpNet]) -> Result<&HostName, Lack> {
        let mut all = self.0.iter();
        match (all.next(), all.next()) {
            (None, _) => Err(Lack::Nobody),
            (Some(_), Some(_)) => Err(Lack::Several(self.0.keys().cloned().collect())),
            (Some((host, has)), None) if has.len() < addresses.len() => Err(Lack::APart(host.clone(), has.clone())),
            (Some((host, _)), None) => Ok(host),
        }
    }
}

/// Those of the addresses that this host has.
pub async fn of(machine: &dyn Host, addresses: &[IpNet]) -> Result<Vec<IpNet>, StepError> {
    let text = machine.run("ip -o addr show").await?.stdout_text();
    Ok(addresses.iter().filter(|address| text.contains(&format!(" {address} "))).copied().collect())
}

/// For how long one host has to be the only holder. Until then another one that hears nobody would have taken the addresses too.
pub fn steady(actions: &VrrpActions) -> Duration {
    (actions.advertisement_interval * INTERVALS_OF_A_TAKEOVER).max(SHORTEST_STEADY)
}

/// Waits until one host other than `besides`, and no other host, has had every address for `steady`.
pub async fn wait_until_held(
    fleet: &Fleet,
    actions: &VrrpActions,
    besides: Option<&HostName>,
    steady: Duration,
) -> Result<(), StepError> {
    let addresses = &actions.virtual_addresses;
    let limit = LIMIT + actions.advertisement_interval * (2 * INTERVALS_OF_A_TAKEOVER);
    let mut wait = fleet.waiter().until(format!("one host holds {}", listed(addresses)), limit, PACE);
    let mut held = None;
    loop {
        let holders = wait.ask(Holders::look(fleet, addresses)).await??;
        let now = fleet.clock.instant();
        let only = holders.only(addresses).and_then(|host| if Some(host) == besides { Err(Lack::Nobody) } else { Ok(host) });
        let lack = match only {
            Ok(host) => {
                let (_, since) = held.take().filter(|(before, _)| before == host).unwrap_or((host.clone(), now));
                if now - since >= steady {
                    return Ok(());
                }
                held = Some((host.clone(), since));
                Lack::Unsteady(host.clone())
            }
            Err(lack) => {
                held = None;
                lack
            }
        };
        match wait.pause().await {
            Err(Ended::TimedOut { .. }) => return Err(failure(actions, &lack, limit)),
            ended => ended?,
        }
    }
}

fn listed(addresses: &[IpNet]) -> String {
    let plural = if addresses.len() == 1 { "" } else { "es" };
    let addresses: Vec<String> = addresses.iter().map(|address| address.addr().to_string()).collect();
    format!("the virtual address{plural} {}", addresses.join(", "))
}

fn failure(actions: &VrrpActions, lack: &Lack, waited: Duration) -> StepError {
    let (addresses, seconds) = (listed(&actions.virtual_addresses), waited.as_secs());
    let unit = &actions.keepalived;
    let names = |hosts: &[HostName]| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(" and ");
    let (summary, why) = match lack {
        Lack::Nobody => (
            format!("no host holds {addresses} after {seconds} s"),
            format!("Look at `journalctl -u {unit}` on the load-balancer hosts."),
        ),
        Lack::APart(host, has) => (
            format!("{host} holds only a part of {addresses} after {seconds} s"),
            format!("It has {}. Look at `journalctl -u {unit}` there.", listed(has)),
        ),
        Lack::Several(hosts) => (
            format!("{} {} hold {addresses} after {seconds} s", names(hosts), if hosts.len() == 2 { "both" } else { "all" }),
            format!(
                "Each of them has not heard the others, and connections reach now one, now the other. The likely cause is a firewall, on the \
                 hosts or between them, that drops VRRP (IP protocol 112, unicast): allow it in both directions between {}. Else look at \
                 `journalctl -u {unit}` there: all must run with the same virtual_router_id and advertisement interval.",
                between(&actions.peers)
            ),
        ),
        Lack::Unsteady(host) => (
            format!("{addresses} did not stay on one host within {seconds} s"),
            format!(
                "{host} had them last. Look at `journalctl -u {unit}` on the load-balancer hosts: advertisements (VRRP, IP protocol 112) get \
                 lost between them, or their nginx does not stay up."
            ),
        ),
    };
    StepError::Gate { summary, detail: format!("{why}\n\nRunning apply again is safe.") }
}

fn between(peers: &[IpAddr]) -> String {
    if peers.is_empty() {
        return "the hosts".into();
    }
    peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
