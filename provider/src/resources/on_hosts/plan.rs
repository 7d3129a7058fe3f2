//! The plan of a resource on hosts: what each host should have, compared with what the state says that it has, put into steps. They are
//! known where they follow whatever becomes of what is not known yet: a plan promises what it knows. Pure.

use super::differences::Drift;
use super::errors::refused;
use super::keeping_stamps;
use super::recorded::{self, HOST_CONTENTS, Recorded, set_desired};
use super::steps::{self, STEPS};
use bundle::{Bundle, Difference, Digest, HostList, HostName, Item, Manifest, Observed, What};
use protocol::PlanResponse;
use render::component;
use rollout::{Disruption, HostState, Refusal, Run, Step};
use schema::{Diagnostic, Diagnostics, Value, encode};
use std::collections::BTreeMap;

/// Fills in the attributes of a plan. `desired` is `None` while it is unknown which hosts, files or units there are; what follows
/// from an unknown content is known.
pub fn plan(
    before: &Before<'_>,
    mut planned: Value,
    desired: Option<BTreeMap<HostName, Bundle>>,
    rollout: &Rollout<'_>,
) -> Result<PlanResponse, Diagnostic> {
    let Before { state, recorded, .. } = before;
    recorded::set_drift(&mut planned, &Drift::new());
    planned.set("unreachable", encode(&recorded.unreachable.clone().unwrap_or_default()));
    let Some(desired) = desired else {
        planned.set(HOST_CONTENTS, Value::Unknown);
        steps::set_unknown(&mut planned);
        return Ok(PlanResponse { planned, ..PlanResponse::default() });
    };
    let if_same = if_same(before, &desired);
    let desired = &keeping_stamps(desired, &before.manifests);
    set_desired(&mut planned, desired)?;
    let mut diagnostics = Diagnostics::default();
    let states = host_states(before, desired)?;
    let steps_on = |states: &[HostState]| (rollout.plan)(states).map_err(|refusal| refused(&refusal));
    let steps = steps_on(&states)?;
    let is_decided = match if_same {
        Some(if_same) => steps_on(&host_states(before, &if_same)?)? == steps,
        None => true,
    };
    let is_settled = rollout.is_settled && is_decided && !recorded.is_drift_unknown();
    let unchanged =
        is_settled && steps.is_empty() && state.is_some_and(|state| state.get(HOST_CONTENTS) == planned.get(HOST_CONTENTS));
    if let (true, Some(state)) = (unchanged, state) {
        ["rollout", STEPS].into_iter().for_each(|name| planned.set(name, state.get(name).clone()));
    } else {
        let runs = rollout::runs(&steps);
        if is_settled {
            steps::set(&mut planned, &runs, states.len());
        } else {
            steps::set_unknown(&mut planned);
        }
        if state.is_some() {
            diagnostics.extend(if is_decided { disruption(&runs) } else { Some(undecided(&runs)) });
        }
    }
    diagnostics.extend(recorded.is_drift_unknown().then(drift_unknown));
    Ok(PlanResponse { planned, diagnostics, ..PlanResponse::default() })
}

/// What a plan starts from.
pub struct Before<'a> {
    pub state: Option<&'a Value>,
    pub recorded: Recorded,
    /// What each host had after the last apply.
    pub manifests: BTreeMap<HostName, Manifest>,
}

impl Before<'_> {
    pub fn of(state: Option<&Value>) -> Result<Before<'_>, Diagnostic> {
        let recorded = Recorded::of(state)?;
        Ok(Before { state, manifests: recorded.manifests()?, recorded })
    }
}

type Planner<'a> = dyn Fn(&[HostState]) -> Result<Vec<Step>, Refusal> + Send + Sync + 'a;

/// The planner of a resource.
pub struct Rollout<'a> {
    pub plan: Box<Planner<'a>>,
    /// Whether the steps of a plan follow from what is known already. Not, for example, while their width is unknown.
    pub is_settled: bool,
}

/// What hosts should have if nothing changes that may stay as it is. `None` where that is decided.
fn if_same(before: &Before<'_>, desired: &BTreeMap<HostName, Bundle>) -> Option<BTreeMap<HostName, Bundle>> {
    let is_undecided =
        |(host, bundle): (&HostName, &Bundle)| before.manifests.get(host).is_some_and(|had| bundle.is_undecided(had));
    if !desired.iter().any(is_undecided) {
        return None;
    }
    let mut bundles = desired.clone();
    recorded::recall(&before.manifests, &mut bundles, |_| true);
    Some(keeping_stamps(bundles, &before.manifests))
}

fn undecided(runs: &[Run]) -> Diagnostic {
    let lines: Vec<String> = runs.iter().map(ToString::to_string).collect();
    Diagnostic::warning("the steps of this change are known only during apply").detail(format!(
        "Some files are made of values that are not known yet, and may turn out to be what they are. If all of them change, this follows, in \
         this order:\n{}",
        lines.join("\n")
    ))
}

fn drift_unknown() -> Diagnostic {
    Diagnostic::warning("what was changed on hosts from outside is known only during apply").detail(
        "An earlier version of this provider found something and wrote it down in words only. Apply finds it again and repairs it. To see the steps before, plan with a refresh.",
    )
}

fn disruption(runs: &[Run]) -> Option<Diagnostic> {
    let disruptive: Vec<&Run> = runs.iter().filter(|run| run.disruption() != Disruption::None).collect();
    if disruptive.is_empty() {
        return None;
    }
    let lines: Vec<String> = disruptive.iter().map(ToString::to_string).collect();
    let mut hosts: Vec<HostName> = disruptive.iter().flat_map(|run| run.hosts.0.clone()).collect();
    hosts.sort_by(|one, other| one.by_number(other));
    hosts.dedup();
    Some(
        Diagnostic::warning(format!("this change disrupts {}", HostList(hosts)))
            .detail(format!("In this order, each after the one before is healthy:\n{}", lines.join("\n"))),
    )
}

/// What a plan assumes that hosts have: what the state says, less the drift that the last refresh found.
fn host_states(before: &Before<'_>, desired: &BTreeMap<HostName, Bundle>) -> Result<Vec<HostState>, Diagnostic> {
    let (manifests, drift) = (&before.manifests, before.recorded.differences()?);
    let mut names: Vec<&HostName> = desired.keys().chain(manifests.keys()).collect();
    names.sort_by(|one, other| one.by_number(other));
    names.dedup();
    let states = names.into_iter().map(|name| {
        let reachable = !before.recorded.unreachable.as_ref().is_some_and(|all| all.contains_key(name.as_str()));
        let mut observed = manifests.get(name).map(Manifest::as_observed).unwrap_or_default();
        drift.get(name).into_iter().flatten().for_each(|difference| forget(&mut observed, difference));
        HostState::new(name.clone(), desired.get(name), reachable.then_some(observed), component::tier_of)
            .in_state(manifests.contains_key(name))
    });
    Ok(states.collect())
}

/// Takes what differs out of what the host is assumed to have.
fn forget(observed: &mut Observed, difference: &Difference) {
    match (&difference.item, &difference.what) {
        (Item::Module(module), _) => drop(observed.modules.remove(module)),
        (Item::Sysctl(key), _) => drop(observed.sysctls.remove(key)),
        // Nothing that a host has: see `HostResource::assume`.
        (Item::Node | Item::Kubelet | Item::Label(_) | Item::Annotation(_) | Item::Taint(_) | Item::ProviderId, _) => {}
        // Earlier versions wrote a missing program down as a missing file.
        (Item::File(path) | Item::Binary(path), _) => {
            observed.files.remove(path);
            observed.binaries.remove(path);
        }
        (Item::Unit(name), what) => {
            let Some(unit) = observed.units.get_mut(name) else { return };
            match what {
                What::Unproven => unit.stamp = None,
                What::OlderConfiguration => unit.stamp = Some(Digest::of(b"")),
                What::NotEnabled => unit.enabled = false,
                What::Unread => unit.unread = true,
                What::NotRunning(state) => unit.active_state.clone_from(state),
                _ => unit.active_state = "inactive".into(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::after_read;
    use super::*;
    use bundle::{File, HostPath, OnChange, Sysctl, UnitName};

    fn bundle_of(content: &str) -> Bundle {
        let mut bundle = Bundle::default();
        let config = HostPath::literal("/etc/x.conf");
        bundle.files.insert(config.clone(), File::public(content));
        let unit = component::PROXY.describe([config], OnChange::Restart);
        bundle.add_unit(UnitName::literal("x.service"), "[Service]\n".into(), unit);
        bundle.sysctls.insert(Sysctl::literal("net.ipv4.ip_forward"), "1".into());
        bundle
    }

    fn one_host(content: &str) -> BTreeMap<HostName, Bundle> {
        BTreeMap::from([(HostName::literal("cp-1"), bundle_of(content))])
    }

    fn load_balancer() -> Rollout<'static> {
        Rollout { plan: Box::new(|hosts| rollout::load_balancer::plan(hosts, None)), is_settled: true }
    }

    fn create(desired: &BTreeMap<HostName, Bundle>) -> Value {
        let hosts = desired.keys().map(|name| (name.to_string(), Value::object([]))).collect();
        let proposed = Value::object([("hosts", Value::Map(hosts))]);
        plan(&Before::of(None).unwrap(), proposed, Some(desired.clone()), &load_balancer()).unwrap().planned
    }

    fn update(prior: Value, desired: &BTreeMap<HostName, Bundle>) -> Value {
        plan(&Before::of(Some(&prior)).unwrap(), prior.clone(), Some(desired.clone()), &load_balancer()).unwrap().planned
    }

    #[test]
    fn the_second_plan_changes_nothing() {
        let desired = one_host("a");
        let state = create(&desired);
        assert_eq!(update(state.clone(), &desired), state);
    }

    #[test]
    fn drift_is_set_to_empty_and_its_repair_is_planned() {
        let desired = one_host("a");
        let manifest = desired.values().next().unwrap().manifest();
        for (damage, expect) in [
            ("/etc/x.conf", "/etc/x.conf: missing"),
            ("x.service", "x.service: inactive, not running"),
            ("net.ipv4.ip_forward", "sysctl net.ipv4.ip_forward: missing"),
        ] {
            let mut observed = manifest.as_observed();
            observed.files.retain(|path, _| path.as_str() != damage);
            observed.sysctls.retain(|key, _| key.as_str() != damage);
            observed
                .units
                .iter_mut()
                .filter(|(name, _)| name.as_str() == damage)
                .for_each(|(_, unit)| unit.active_state = "inactive".into());
            let drift = BTreeMap::from([(HostName::literal("cp-1"), bundle::differences(&manifest, &observed))]);
            let state = after_read(create(&desired), &drift, &BTreeMap::new());
            assert_eq!(state.get("drift").get("cp-1").as_list().unwrap()[0].as_str(), Some(expect));
            let planned = update(state, &desired);
            assert_eq!(planned.get("drift").as_map().map(BTreeMap::len), Some(0));
            assert!(!planned.get("rollout").as_list().unwrap().is_empty(), "{damage}");
        }
    }

    #[test]
    fn a_host_that_does_not_answer_changes_no_plan_by_itself() {
        let desired = one_host("a");
        let unreachable = BTreeMap::from([(HostName::literal("cp-1"), "no answer within 10 s".to_string())]);
        let state = after_read(create(&desired), &BTreeMap::new(), &unreachable);
        assert_eq!(update(state.clone(), &desired), state);
    }
}
