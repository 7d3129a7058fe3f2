//! What others have on a host of a load balancer that keepalived and nginx of this provider would fight with. Ports that are in use are
//! rules of the network; both programs run beside the distribution's units of the same name, and touch none of their configuration.

use super::{Finding, Look, Newcomer, Rule, each, each_of};
use bundle::UnitName;
use schema::Severity::Error;

/// Where the distributions' keepalived has its configuration; without a file there, Debian's unit does not start
/// (`ConditionFileNotEmpty`).
pub const KEEPALIVED_FOLDER: &str = "/etc/keepalived";
const KEEPALIVED: &str = "keepalived.service";
/// Units that listen on ports of the user's choice.
const PROXIES: [&str; 2] = ["nginx.service", "haproxy.service"];

pub fn units() -> impl Iterator<Item = UnitName> {
    [KEEPALIVED].into_iter().chain(PROXIES).map(UnitName::literal)
}

pub static RULES: [Rule; 2] = [
    Rule {
        says: "No keepalived of the host's own runs, nor starts at boot with a configuration in `/etc/keepalived`.",
        hosts: "load balancer",
        severity: Error,
        check: keepalived,
    },
    Rule {
        says: "No `nginx.service` or `haproxy.service` is enabled that does not run: at a boot it would take its ports first.",
        hosts: "load balancer",
        severity: Error,
        check: idle_proxies,
    },
];

fn keepalived(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let found = new.facts.units.get(&UnitName::literal(KEEPALIVED)).filter(|_| new.bundle.needs.speaks_vrrp)?;
        let configured = new.facts.entries.iter().any(|path| path.as_str() == format!("{KEEPALIVED_FOLDER}/keepalived.conf"));
        let how = match (found.is_running, found.is_enabled && configured) {
            (true, _) => "runs",
            (false, true) => "starts at the next boot",
            (false, false) => return None,
        };
        let detail = format!(
            "It moves addresses of its own over the same interfaces, by its configuration in {KEEPALIVED_FOLDER}: two of them on one host can take \
             each other's addresses and router ids. Where it is not needed any more, switch it off (systemctl disable --now \
             {KEEPALIVED}); its configuration stays. Otherwise declare another host."
        );
        Some((format!("{KEEPALIVED} of somebody else {how}"), detail))
    })
}

fn idle_proxies(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let here = PROXIES.into_iter().filter(|unit| new.bundle.needs.speaks_vrrp && is_idle(new, unit));
        let said = here.map(|unit| {
            let detail = format!(
                "On which ports it listens does not show while it is stopped, and at the next boot it may take those of this load balancer. Start \
                 it, so that they show (systemctl start {unit}), or switch it off (systemctl disable {unit})."
            );
            (format!("{unit} of somebody else is enabled and does not run"), detail)
        });
        said.collect()
    })
}

fn is_idle(new: &Newcomer, unit: &str) -> bool {
    new.facts.units.get(&UnitName::literal(unit)).is_some_and(|found| found.is_enabled && !found.is_running)
}
