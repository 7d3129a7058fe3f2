//! Before a virtual address is used for the first time, the hosts ask their link whether somebody has it: a second machine with it
//! would take connections from the first. What this load balancer holds already, also from an apply that was cut off, is its own.

use crate::resources::on_hosts::errors::{machine_error, render_error};
use crate::resources::on_hosts::fleet::Fleet;
use bundle::{HostList, HostName};
use ipnet::IpNet;
use machines::Inventory;
use render::{LoadBalancerSpec, load_balancer};
use schema::{AttributePath, Diagnostic, Diagnostics, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

const NOTHING_CHANGED: &str = "Nothing was changed on any host.";

/// What a host was told, by address.
#[derive(Debug, Default, PartialEq)]
struct Answers {
    /// Interfaces of this host that have the address.
    here: BTreeMap<IpAddr, String>,
    elsewhere: BTreeMap<IpAddr, Answer>,
}

#[derive(Clone, Debug, PartialEq)]
struct Answer {
    mac: String,
    interface: String,
    /// The machine is a gateway of the host, and may answer for addresses of others.
    is_router: bool,
}

/// Asks from every host that answers, for addresses that the state does not have.
pub async fn check(
    fleet: &Fleet,
    spec: &LoadBalancerSpec,
    prior: Option<&Value>,
    inventories: &BTreeMap<HostName, Inventory>,
) -> Diagnostics {
    let known = known_addresses(prior);
    let new: Vec<IpNet> = spec.virtual_addresses.iter().filter(|net| !known.contains(&net.addr())).copied().collect();
    let asking = fleet.machines.iter().filter(|(host, _)| !new.is_empty() && spec.hosts.contains_key(*host));
    let questions = asking.map(|(host, machine)| {
        let question = load_balancer::question(spec, host, &new);
        async move {
            let question = question.map_err(render_error)?;
            let output = machine.run(&question).await.map_err(|error| machine_error(&error))?;
            let answers = Answers::parse(&output.stdout_text()).ok_or_else(|| not_asked(host, &output.stderr_text()))?;
            Ok::<_, Diagnostic>((host, answers))
        }
    });
    let (mut found, mut all) = (Diagnostics::default(), BTreeMap::new());
    for answer in fleet.on_each(questions).await {
        match answer {
            Ok((host, answers)) => drop(all.insert(host, answers)),
            Err(diagnostic) => found.push(diagnostic),
        }
    }
    let is_ours = |host: &HostName| inventories.get(host).is_some_and(|found| found.records.contains_key(&fleet.owner.name));
    let absent = HostList(spec.hosts.keys().filter(|host| fleet.absent.contains_key(*host)).cloned().collect());
    for diagnostic in new.iter().flat_map(|net| judge(net.addr(), &all, is_ours)) {
        found.push(if absent.0.is_empty() { diagnostic } else { mention(diagnostic, &absent) });
    }
    found
}

/// Those that the last apply served.
fn known_addresses(prior: Option<&Value>) -> BTreeSet<IpAddr> {
    let texts = prior.and_then(|prior| prior.get("virtual_addresses").as_list()).into_iter().flatten().filter_map(Value::as_str);
    texts.filter_map(|text| text.parse::<IpNet>().ok()).map(|net| net.addr()).collect()
}

/// `is_ours`: this load balancer has been on the host before.
fn judge(address: IpAddr, all: &BTreeMap<&HostName, Answers>, is_ours: impl Fn(&HostName) -> bool) -> Option<Diagnostic> {
    let mut here = all.iter().filter_map(|(host, answers)| Some((*host, answers.here.get(&address)?)));
    if let Some((host, interface)) = here.next() {
        return (!is_ours(host)).then(|| has_it_itself(address, host, interface));
    }
    let told: Vec<(&HostName, &Answer)> =
        all.iter().filter_map(|(host, answers)| Some((*host, answers.elsewhere.get(&address)?))).collect();
    // One answer that is not a gateway's is enough.
    let (_, answer) = told.iter().find(|(_, answer)| !answer.is_router).or(told.first())?;
    let hosts = HostList(told.iter().map(|(host, _)| (*host).clone()).collect());
    Some(if answer.is_router { answered_by_router(address, answer, &hosts) } else { answered(address, answer, &hosts) })
}

/// A host that does not answer may have what an apply gave it that was cut off.
fn mention(mut diagnostic: Diagnostic, absent: &HostList) -> Diagnostic {
    diagnostic.detail.push_str(&format!(" {absent} could not be asked, and may have the address from an earlier apply."));
    diagnostic
}

fn at_addresses(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.at(AttributePath::attribute("virtual_addresses"))
}

fn answered(address: IpAddr, Answer { mac, interface, .. }: &Answer, hosts: &HostList) -> Diagnostic {
    let detail = format!(
        "{hosts} asked on {interface} who has it. Two machines with one address take each other's connections: give this load balancer an \
         address that is free, or take {address} from the machine with {mac} (`ip neighbour show {address}` finds it again). Where \
         another load balancer has it, such as one of a state that was lost, destroy that one first.\n\n{NOTHING_CHANGED}"
    );
    at_addresses(Diagnostic::error(format!("{address} is in use already: {mac} answers for it")).detail(detail))
}

fn answered_by_router(address: IpAddr, Answer { mac, interface, .. }: &Answer, hosts: &HostList) -> Diagnostic {
    let detail = format!(
        "{hosts} asked on {interface} who has it. A router that answers for addresses of others (proxy ARP) answers for free ones too, so \
         that nobody can tell whether this one is. If it is an address of the router itself, choose another."
    );
    at_addresses(Diagnostic::warning(format!("the router {mac} answers for {address}")).detail(detail))
}

fn has_it_itself(address: IpAddr, host: &HostName, interface: &str) -> Diagnostic {
    let detail = format!(
        "Its interface {interface} has the address, and no record of this load balancer is there. keepalived would take it away with the next \
         handover. Choose an address that is free, or remove it from the host's network configuration, or stop what put it \
         there, such as another load balancer.\n\n{NOTHING_CHANGED}"
    );
    at_addresses(Diagnostic::error(format!("{host} has {address} itself")).detail(detail))
}

fn not_asked(host: &HostName, said: &str) -> Diagnostic {
    let detail = format!("Whether another machine has one of them is not known. {}", said.lines().last().unwrap_or_default());
    at_addresses(Diagnostic::warning(format!("{host} could not ask who has the virtual addresses")).detail(detail.trim_end()))
}

impl Answers {
    /// `None` when the answer was cut off.
    fn parse(text: &str) -> Option<Answers> {
        let mut answers = Answers::default();
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["end"] => return Some(answers),
                ["here", address, interface] => drop(answers.here.insert(address.parse().ok()?, interface.into())),
                ["answers", address, mac, interface, ref rest @ ..] => {
                    let answer = Answer { mac: mac.into(), interface: interface.into(), is_router: rest == ["router"] };
                    answers.elsewhere.insert(address.parse().ok()?, answer);
                }
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "192.0.2.100";

    /// What is said of the address by what lb-1 and lb-2 were told.
    #[track_caller]
    fn check_told(told: [&str; 2], is_ours: bool, expect: Option<&str>) {
        let hosts = ["lb-1", "lb-2"].map(HostName::literal);
        let all = hosts.iter().zip(told).map(|(host, text)| (host, Answers::parse(&format!("{text}end\n")).unwrap())).collect();
        let found = judge(ADDRESS.parse().unwrap(), &all, |_| is_ours);
        assert_eq!(found.map(|diagnostic| diagnostic.summary).as_deref(), expect);
    }

    #[test]
    fn an_address_is_free_when_nobody_answers_and_ours_when_this_load_balancer_has_it() {
        let stranger = "answers 192.0.2.100 02:00:00:00:00:09 eth0\n";
        let router = "answers 192.0.2.100 02:00:00:00:00:01 eth0 router\n";
        let here = "here 192.0.2.100 eth0\n";
        check_told(["", ""], false, None);
        let in_use = "192.0.2.100 is in use already: 02:00:00:00:00:09 answers for it";
        check_told([stranger, ""], false, Some(in_use));
        check_told([router, stranger], true, Some(in_use));
        check_told([router, router], false, Some("the router 02:00:00:00:00:01 answers for 192.0.2.100"));
        check_told([here, stranger], true, None);
        check_told([stranger, here], false, Some("lb-2 has 192.0.2.100 itself"));
        check_told(["answers 192.0.2.101 02:00:00:00:00:09 eth0\n", ""], false, None);
    }

    #[test]
    fn an_answer_that_was_cut_off_says_nothing() {
        for text in ["", "here 192.0.2.100 eth0\n", "odd\nend\n", "answers x y z\nend\n"] {
            assert_eq!(Answers::parse(text), None, "{text:?}");
        }
    }
}
