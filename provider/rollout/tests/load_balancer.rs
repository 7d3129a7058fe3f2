//! From any partial state, with a kill after any step, the load balancer converges, and no host that holds the virtual addresses stops
//! what stands behind them.
#![allow(clippy::unwrap_used)]

mod world;

use proptest::prelude::*;
use proptest::sample::select;
use rollout::{Disruption, Refusal, Step, disruption, load_balancer};
use world::{Found, Machine, World, bundle, config_of, host, load_balancer_units, single, unit};

const NGINX: &str = "k8s-lb-api-nginx.service";
const HEALTH: &str = "k8s-lb-api-health.service";
const KEEPALIVED: &str = "k8s-lb-api-keepalived.service";

fn machine() -> Machine {
    Machine::new(bundle(&load_balancer_units(), "new"))
}

fn running(hosts: usize) -> World {
    let machines = (1..=hosts).map(|number| (host(&format!("lb-{number}")), machine())).collect();
    World { machines, holder: Some(host("lb-1")), ..World::default() }
}

/// `Err` is a refusal. Whoever holds the addresses when a step runs must not be restarted by it, unless nobody else could take over.
#[track_caller]
fn apply(world: &mut World, kills: &[usize]) -> Result<(), Refusal> {
    for limit in kills.iter().copied().chain([usize::MAX]) {
        let steps = load_balancer::plan(&world.states(), world.holder.as_ref())?;
        let serving = world.machines.iter().filter(|(_, machine)| machine.carries_traffic());
        let was_serving: Vec<_> = serving.map(|(name, _)| name.clone()).collect();
        let can_hand_over = world.machines.values().filter(|machine| machine.in_state && !machine.leaves).count() > 1;
        world.run(&steps, &mut { limit }, &mut |world, step| {
            if let Step::Restart { host, .. } = step
                && disruption(step) == Disruption::MovesVirtualAddress
                && was_serving.contains(host)
                && can_hand_over
            {
                assert_ne!(world.holder.as_ref(), Some(host), "{step} while it holds the virtual addresses");
            }
        });
    }
    world.machines.values_mut().for_each(|machine| machine.in_state = true);
    assert_eq!(load_balancer::plan(&world.states(), world.holder.as_ref())?, [], "a second plan is not empty");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_partial_state_converges_after_any_kill(
        found in prop::collection::vec((prop::collection::vec((select(&Found::ALL[..]), any::<bool>()), 3), 0..4_u8), 2..4),
        kills in prop::collection::vec(0..20_usize, 0..4),
    ) {
        let mut world = running(found.len());
        for (machine, (units_found, kind)) in world.machines.values_mut().zip(&found) {
            machine.in_state = *kind != 1;
            for ((unit, ..), (found, outdated)) in load_balancer_units().iter().zip(units_found) {
                machine.find(unit, *found);
                if *outdated {
                    machine.outdate(&config_of(unit));
                }
            }
        }
        prop_assert_eq!(apply(&mut world, &kills), Ok(()));
    }
}

fn outdate(world: &mut World, name: &str) {
    for machine in world.machines.values_mut() {
        machine.find(&unit(name), Found::Older);
        machine.outdate(&config_of(&unit(name)));
    }
}

#[test]
fn a_changed_configuration_reloads_backups_first_and_moves_no_address() {
    let mut world = running(3);
    outdate(&mut world, NGINX);
    let steps = load_balancer::plan(&world.states(), Some(&host("lb-1"))).unwrap();
    let reloaded: Vec<&str> = single(&steps)
        .iter()
        .filter_map(|step| if let Step::Reload { host, .. } = step { Some(host.as_str()) } else { None })
        .collect();
    assert_eq!(reloaded, ["lb-2", "lb-3", "lb-1"]);
    assert_eq!(steps.iter().map(disruption).max(), Some(Disruption::ReloadsProxy));
}

#[test]
fn the_health_service_restarts_without_a_hand_over() {
    let mut world = running(2);
    outdate(&mut world, HEALTH);
    let steps = load_balancer::plan(&world.states(), None).unwrap();
    assert!(steps.iter().all(|step| disruption(step) == Disruption::None), "{steps:?}");
}

#[test]
fn the_holder_is_not_restarted_when_nobody_could_take_over() {
    let mut world = running(2);
    world.machine("lb-1").find(&unit(NGINX), Found::Older);
    world.machine("lb-2").answers = false;
    assert_eq!(
        load_balancer::plan(&world.states(), Some(&host("lb-1"))).unwrap_err().to_string(),
        "lb-1 has to restart what stands behind the virtual addresses, but lb-2 does not answer and cannot take them over: \
         Bring lb-2 back, or take it out of the hosts of this load balancer."
    );
    world.machines.remove(&host("lb-2"));
    assert!(load_balancer::plan(&world.states(), Some(&host("lb-1"))).is_ok(), "a single host has nobody to hand over to");
}

#[test]
fn a_host_leaves_before_the_others_forget_it_and_joins_after_they_know_it() {
    let mut world = running(2);
    world.machine("lb-1").leaves = true;
    world.machines.insert(host("lb-3"), Machine::empty(bundle(&load_balancer_units(), "new")));
    world.machine("lb-2").find(&unit(KEEPALIVED), Found::Older);
    world.machine("lb-2").outdate(&config_of(&unit(KEEPALIVED)));
    let steps = load_balancer::plan(&world.states(), Some(&host("lb-1"))).unwrap();
    let at = |matches: &dyn Fn(&Step) -> bool| single(&steps).iter().position(|step| matches(step)).unwrap();
    let stop = at(&|step| matches!(step, Step::Stop { .. }));
    let reload = at(&|step| matches!(step, Step::Reload { .. }));
    let start = at(&|step| matches!(step, Step::Start { host: started, .. } if *started == host("lb-3")));
    assert!(stop < reload && reload < start, "{steps:?}");
    assert_eq!(apply(&mut world, &[]), Ok(()));
    assert_eq!(world.machines.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["lb-2", "lb-3"]);
}
