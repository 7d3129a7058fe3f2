//! From any partial state, with a kill after any step, nodes converge, and no more of those that were Ready are disturbed than allowed.
#![allow(clippy::unwrap_used)]

mod world;

use bundle::HostName;
use proptest::prelude::*;
use proptest::sample::select;
use rollout::nodes::{self, Bounds};
use rollout::{Step, disruption};
use std::collections::BTreeSet;
use world::{Found, Machine, World, bundle, config_of, host, node_units, single, unit};

const UNITS: [&str; 4] = ["containerd.service", "kubelet.service", "kube-proxy.service", "pod-network.service"];

fn world(machines: usize, machine: Machine) -> World {
    let machines = (1..=machines).map(|number| (host(&format!("w-{number}")), machine.clone())).collect();
    World { machines, ..World::default() }
}

fn running(count: usize) -> World {
    let mut world = world(count, Machine::new(bundle(&node_units(), "new")));
    world.nodes = world.machines.keys().cloned().collect();
    world
}

fn new(count: usize) -> World {
    world(count, Machine::empty(bundle(&node_units(), "new")))
}

fn ready(world: &World) -> BTreeSet<HostName> {
    let is_ready = |machine: &Machine| UNITS.iter().all(|name| machine.serves(&unit(name)));
    let ready = world.machines.iter().filter(|(name, machine)| is_ready(machine) && world.nodes.contains(name));
    ready.map(|(name, _)| name.clone()).collect()
}

#[track_caller]
fn apply(world: &mut World, bounds: Bounds, kills: &[usize]) {
    let leaving: BTreeSet<HostName> =
        world.machines.iter().filter(|(_, machine)| machine.leaves).map(|(name, _)| name.clone()).collect();
    for limit in kills.iter().copied().chain([usize::MAX]) {
        let was_ready: BTreeSet<HostName> = ready(world).difference(&leaving).cloned().collect();
        let steps = nodes::plan(&world.states(), bounds).unwrap();
        world.run(&steps, &mut { limit }, &mut |world, step| {
            let disturbed = was_ready.difference(&ready(world)).count();
            assert!(disturbed <= bounds.max_unavailable, "after {step}: {disturbed} nodes are disturbed");
        });
    }
    for machine in world.machines.values_mut() {
        machine.in_state = true;
    }
    assert_eq!(nodes::plan(&world.states(), bounds), Ok(vec![]), "a second plan is not empty");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_partial_state_converges_after_any_kill(
        found in prop::collection::vec((prop::collection::vec((select(&Found::ALL[..]), any::<bool>()), 4), 0..5_u8), 1..6),
        kills in prop::collection::vec(0..30_usize, 0..4),
        max_unavailable in 1..3_usize,
    ) {
        let mut world = running(found.len());
        for (machine, (units_found, kind)) in world.machines.values_mut().zip(&found) {
            for ((unit, ..), (found, outdated)) in node_units().iter().zip(units_found) {
                machine.find(unit, *found);
                if *outdated {
                    machine.outdate(&config_of(unit));
                }
            }
            machine.leaves = *kind == 0;
            (machine.in_state, machine.joined) = (*kind != 1, *kind != 1);
        }
        apply(&mut world, Bounds { joining: 2, max_unavailable }, &kills);
        prop_assert_eq!(world.machines.keys().collect::<Vec<_>>(), world.nodes.iter().filter(|name| world.machines.contains_key(*name)).collect::<Vec<_>>());
    }
}

#[test]
fn new_nodes_join_many_at_a_time_up_to_the_bound() {
    let steps = nodes::plan(&new(5).states(), Bounds { joining: 2, max_unavailable: 1 }).unwrap();
    let joins: Vec<usize> = steps
        .iter()
        .filter(|step| matches!(single(std::slice::from_ref(step))[0], Step::Join { .. }))
        .map(|step| single(std::slice::from_ref(step)).len())
        .collect();
    assert_eq!(joins, [2, 2, 1]);
}

#[test]
fn a_stopped_kubelet_starts_without_a_new_token() {
    let mut world = running(3);
    world.machine("w-2").find(&unit("kubelet.service"), Found::Failed);
    let steps = nodes::plan(&world.states(), Bounds::default()).unwrap();
    let [Step::Start { host: started, .. }, gates] = &steps[..] else { panic!("{steps:?}") };
    let is_gate = |step: &&Step| matches!(step, Step::Gate { host: waited_for, .. } if *waited_for == Some(host("w-2")));
    assert!(*started == host("w-2") && single(std::slice::from_ref(gates)).iter().all(is_gate), "{steps:?}");
}

#[test]
fn a_node_that_was_reinstalled_joins_again() {
    let mut world = running(2);
    let machine = world.machine("w-2");
    (machine.observed, machine.joined) = (bundle::Observed::default(), false);
    apply(&mut world, Bounds::default(), &[]);
    assert!(world.machine("w-2").joined);
}

#[test]
fn a_dead_node_holds_up_no_other_and_can_leave() {
    let mut world = running(3);
    world.machine("w-1").answers = false;
    world.machine("w-2").find(&unit("kubelet.service"), Found::Older);
    world.machine("w-3").answers = false;
    world.machine("w-3").leaves = true;
    let steps = nodes::plan(&world.states(), Bounds::default()).unwrap();
    world.run(&steps, &mut 100, &mut |_, _| ());
    assert!(world.machine("w-2").serves(&unit("kubelet.service")));
    assert!(!world.nodes.contains(&host("w-3")), "its node is deleted, though nothing on it is");
    assert!(steps.iter().all(|step| !matches!(step, Step::Drain { .. })), "a drain of a dead node never ends");
    assert!(steps.iter().any(|step| disruption(step) > rollout::Disruption::None));
}
