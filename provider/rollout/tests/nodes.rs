//! From any partial state, with a kill after any step, nodes converge, and no more of those that were Ready are disturbed than allowed.
#![allow(clippy::unwrap_used)]

mod world;

use bundle::{Difference, HostName, Item, What};
use proptest::prelude::*;
use proptest::sample::select;
use rollout::nodes::{self, Bounds};
use rollout::{Cause, CordonedBy, Step, disruption};
use std::collections::BTreeSet;
use world::{Found, Machine, World, bundle, config_of, host, node_units, single, unit};

fn world(machines: usize, machine: Machine) -> World {
    let machines = (1..=machines).map(|number| (host(&format!("w-{number}")), machine.clone())).collect();
    World { machines, asked: true, ..World::default() }
}

fn running(count: usize) -> World {
    let mut world = world(count, Machine::new(bundle(&node_units(), "new")));
    world.nodes = world.machines.keys().cloned().collect();
    world
}

fn new(count: usize) -> World {
    world(count, Machine::empty(bundle(&node_units(), "new")))
}

/// Nodes that stay and are registered: those that are Ready, and the others.
fn staying(world: &World) -> (BTreeSet<HostName>, BTreeSet<HostName>) {
    let staying = world.machines.iter().filter(|(name, machine)| !machine.leaves && world.nodes.contains(*name));
    staying.map(|(name, _)| name.clone()).partition(|name| world.is_ready(name))
}

/// Runs steps; whether to their end. Nodes that were Ready are only disturbed while no more are down in all than are allowed to, and not
/// the last of them if others are down for another reason.
#[track_caller]
fn run(world: &mut World, bounds: Bounds, steps: &[Step], mut limit: usize) -> bool {
    let (were_ready, mut stay_down) = staying(world);
    world.run(steps, &mut limit, &mut |world, step| {
        let (ready, down) = staying(world);
        let disturbed = were_ready.intersection(&down).count();
        assert!(disturbed == 0 || down.len() <= bounds.max_unavailable, "after {step}: {disturbed} are disturbed, {down:?} down");
        stay_down.retain(|name| down.contains(name));
        assert!(disturbed == 0 || stay_down.is_empty() || !ready.is_empty(), "after {step}: the last node that served is down");
    })
}

/// Plans and runs, each time up to one of the kills; whether the last run came to its end.
#[track_caller]
fn apply(world: &mut World, bounds: Bounds, kills: &[usize]) -> bool {
    let mut is_done = false;
    for limit in kills.iter().copied().chain([usize::MAX]) {
        let steps = nodes::plan(&world.states(), bounds).unwrap();
        is_done = run(world, bounds, &steps, limit);
    }
    if is_done {
        world.machines.values_mut().for_each(|machine| machine.in_state = true);
        assert_eq!(nodes::plan(&world.states(), bounds), Ok(vec![]), "a second plan is not empty");
    }
    is_done
}

fn cordoned(world: &World, by: CordonedBy) -> BTreeSet<HostName> {
    let cordoned = world.machines.iter().filter(|(_, machine)| machine.cordoned_by == Some(by));
    cordoned.map(|(name, _)| name.clone()).collect()
}

/// What is found of one machine and its node.
#[derive(Clone, Debug)]
struct Surprise {
    units: Vec<(Found, bool)>,
    kind: u8,
    is_deleted: bool,
    is_expired: bool,
    cordoned_by: Option<CordonedBy>,
    is_labelled: bool,
    is_older_minor: bool,
    is_sick: bool,
}

fn surprise() -> impl Strategy<Value = Surprise> {
    let rarely = || prop::bool::weighted(0.2);
    let units = prop::collection::vec((select(&Found::ALL[..]), any::<bool>()), 4);
    // Most machines run as they should: else there are few nodes that could be disturbed.
    let units = prop_oneof![3 => units, 2 => Just(vec![(Found::AsDeclared, false); 4]), 3 => Just(vec![(Found::Older, true); 4])];
    let cordoned_by = || prop::option::weighted(0.3, select(&[CordonedBy::Provider, CordonedBy::SomebodyElse][..]));
    (units, 0..5_u8, rarely(), rarely(), cordoned_by(), any::<bool>(), prop::bool::weighted(0.1), rarely()).prop_map(
        |(units, kind, is_deleted, is_expired, cordoned_by, is_labelled, is_sick, is_older_minor)| Surprise {
            units,
            kind,
            is_deleted,
            is_expired,
            cordoned_by,
            is_labelled,
            is_sick,
            is_older_minor,
        },
    )
}

fn surprised(found: &[Surprise]) -> World {
    let mut world = running(found.len());
    for ((name, machine), surprise) in world.machines.iter_mut().zip(found) {
        for ((unit, ..), (found, outdated)) in node_units().iter().zip(&surprise.units) {
            machine.find(unit, *found);
            if *outdated {
                machine.outdate(&config_of(unit));
            }
        }
        machine.leaves = surprise.kind == 0;
        machine.in_state = surprise.kind != 1;
        let has_joined = machine.in_state || !surprise.is_deleted;
        (machine.joined, machine.expired) = (has_joined, surprise.is_expired && has_joined);
        (machine.cordoned_by, machine.is_labelled) = (surprise.cordoned_by, surprise.is_labelled);
        machine.older_minor = surprise.is_older_minor;
        machine.sick = surprise.is_sick;
        if surprise.is_deleted {
            world.nodes.remove(name);
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_partial_state_converges_after_any_kill(
        found in prop::collection::vec(surprise(), 1..6),
        kills in prop::collection::vec(0..30_usize, 0..4),
        max_unavailable in 1..4_usize,
        asked in any::<bool>(),
    ) {
        let mut world = surprised(&found);
        // A certificate that has expired is only found by asking; so is a node that is gone, or one that no state knows and that serves.
        let is_only_found_by_asking = |found: &Surprise| {
            let of_node = found.is_older_minor || found.cordoned_by == Some(CordonedBy::Provider);
            found.is_expired || found.is_deleted || !found.is_labelled || found.kind == 1 || of_node
        };
        world.asked = asked || found.iter().any(is_only_found_by_asking);
        let others: BTreeSet<HostName> = cordoned(&world, CordonedBy::SomebodyElse);
        let is_done = apply(&mut world, Bounds { joining: 2, max_unavailable }, &kills);
        let is_sick = world.machines.values().any(|machine| machine.sick);
        prop_assert!(is_done || is_sick, "a gate never opens");
        if is_done {
            let registered = world.machines.keys().all(|name| world.nodes.contains(name));
            let is_as_declared = |machine: &Machine| machine.is_labelled && !machine.expired && !machine.older_minor;
            prop_assert!(registered && world.machines.values().all(is_as_declared));
            prop_assert_eq!(cordoned(&world, CordonedBy::Provider), BTreeSet::new());
            prop_assert!(others.iter().filter(|name| world.machines.contains_key(*name)).eq(&cordoned(&world, CordonedBy::SomebodyElse)));
        }
    }
}

fn is_push(step: &Step) -> bool {
    single(std::slice::from_ref(step)).iter().all(|step| matches!(step, Step::Push { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Writing takes minutes, and how many nodes were Ready before it does not count.
    #[test]
    fn a_node_that_goes_down_while_files_are_written_holds_up_the_restart_of_others(
        found in prop::collection::vec(surprise(), 2..6),
        (at, other) in any::<(prop::sample::Index, prop::sample::Index)>(),
        max_unavailable in 1..4_usize,
    ) {
        let mut world = surprised(&found);
        // A node that is drained by then is down, for its users.
        world.machines.values_mut().for_each(|machine| machine.older_minor = false);
        let bounds = Bounds { joining: 2, max_unavailable };
        let steps = nodes::plan(&world.states(), bounds).unwrap();
        let pushes: Vec<usize> = (0..steps.len()).filter(|place| is_push(&steps[*place])).collect();
        prop_assume!(!pushes.is_empty());
        let (before, after) = steps.split_at(pushes[at.index(pushes.len())] + 1);
        if run(&mut world, bounds, before, usize::MAX) {
            let names: Vec<HostName> = world.machines.keys().cloned().collect();
            world.machine(other.get(&names).as_str()).sick = true;
            run(&mut world, bounds, after, usize::MAX);
        }
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
fn a_dead_node_can_leave() {
    let mut world = running(3);
    world.machine("w-2").find(&unit("kubelet.service"), Found::Older);
    world.machine("w-3").answers = false;
    world.machine("w-3").leaves = true;
    let steps = nodes::plan(&world.states(), Bounds::default()).unwrap();
    assert!(world.run(&steps, &mut 100, &mut |_, _| ()));
    assert!(world.machine("w-2").serves(&unit("kubelet.service")));
    assert!(!world.nodes.contains(&host("w-3")), "its node is deleted, though nothing on it is");
    assert!(steps.iter().all(|step| !matches!(step, Step::Drain { .. })), "a drain of a dead node never ends");
    assert!(steps.iter().any(|step| disruption(step) > rollout::Disruption::None));
}

/// Hosts whose kubelet restarts, in their order.
fn restarted(world: &World, max_unavailable: usize) -> Vec<String> {
    let steps = nodes::plan(&world.states(), Bounds { joining: 2, max_unavailable }).unwrap();
    let restarts = single(&steps).into_iter().filter_map(|step| match step {
        Step::Restart { host, .. } => Some(host.to_string()),
        _ => None,
    });
    restarts.collect()
}

fn outdated(count: usize) -> World {
    let mut world = running(count);
    for machine in world.machines.values_mut() {
        machine.find(&unit("kubelet.service"), Found::Older);
    }
    world
}

#[test]
fn a_node_that_is_down_counts_as_one_that_is_unavailable() {
    for (max_unavailable, is_dead, is_done) in [(1, false, false), (1, true, false), (2, false, true), (2, true, true)] {
        let mut world = outdated(3);
        world.machine("w-1").sick = true;
        world.machine("w-1").answers = !is_dead;
        world.machine("w-1").find(&unit("kubelet.service"), Found::AsDeclared);
        let steps = nodes::plan(&world.states(), Bounds { joining: 2, max_unavailable }).unwrap();
        let ran = world.run(&steps, &mut 100, &mut |world, step| {
            let down = world.machines.keys().filter(|name| !world.is_ready(name)).count();
            assert!(down <= max_unavailable, "after {step}");
        });
        assert_eq!(ran, is_done, "{max_unavailable}");
        let healthy = world.is_ready(&host("w-2")) && world.is_ready(&host("w-3"));
        assert!(healthy, "a roll that does not go on leaves nodes down");
    }
}

#[test]
fn the_last_node_that_serves_stays_up_while_others_are_down() {
    let mut world = outdated(3);
    for name in ["w-1", "w-2"] {
        world.machine(name).sick = true;
        world.machine(name).find(&unit("kubelet.service"), Found::AsDeclared);
    }
    let steps = nodes::plan(&world.states(), Bounds { joining: 2, max_unavailable: 3 }).unwrap();
    assert!(!world.run(&steps, &mut 100, &mut |_, _| ()));
    assert!(world.is_ready(&host("w-3")));
}

#[test]
fn nodes_that_are_down_come_first_and_then_those_without_new_pods() {
    let mut world = outdated(4);
    world.machine("w-3").sick = true;
    world.machine("w-4").cordoned_by = Some(CordonedBy::SomebodyElse);
    assert_eq!(restarted(&world, 1), ["w-3", "w-4", "w-1", "w-2"]);
    world.machine("w-2").observed.units.get_mut(&unit("kubelet.service")).unwrap().stamp = None;
    assert_eq!(restarted(&world, 1), ["w-2", "w-3", "w-4", "w-1"], "a roll that stopped goes on with another host");
}

#[test]
fn a_kubelet_whose_node_is_gone_restarts_for_that() {
    let mut world = running(3);
    world.nodes.remove(&host("w-2"));
    let steps = nodes::plan(&world.states(), Bounds::default()).unwrap();
    let [Step::Restart { host: restarted, units, because, .. }, _, Step::AmendNode { .. }] = &steps[..] else {
        panic!("{steps:?}")
    };
    assert_eq!(
        (restarted, units.as_slice(), because.as_slice()),
        (&host("w-2"), [unit("kubelet.service")].as_slice(), [Cause::NotRegistered].as_slice())
    );
    assert!(apply(&mut world, Bounds::default(), &[]) && world.is_ready(&host("w-2")));
}

#[test]
fn a_kubelet_that_cannot_identify_itself_joins_again_running_or_not() {
    for found in [Found::AsDeclared, Found::Failed] {
        let mut world = running(2);
        world.machine("w-1").expired = true;
        world.machine("w-1").find(&unit("kubelet.service"), found);
        let steps = nodes::plan(&world.states(), Bounds::default()).unwrap();
        assert!(matches!(&steps[..], [Step::Join { .. }, Step::Start { .. } | Step::Restart { .. }, _]), "{steps:?}");
        assert!(apply(&mut world, Bounds::default(), &[]) && world.is_ready(&host("w-1")));
    }
}

#[test]
fn labels_and_taints_restart_nothing_and_need_no_connection() {
    let mut world = running(2);
    world.machine("w-1").answers = false;
    world.machines.values_mut().for_each(|machine| machine.is_labelled = false);
    let steps = nodes::plan(&world.states(), Bounds { joining: 2, max_unavailable: 1 }).unwrap();
    let [step] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(step.to_string(), "w-1, w-2: set labels of the node (label pool: missing)");
    assert_eq!(disruption(step), rollout::Disruption::None);
    let taint = |effect: &str, what| Difference { item: Item::Taint(format!("dedicated:{effect}").parse().unwrap()), what };
    for (difference, expect) in [
        (taint("NoExecute", What::Missing), rollout::Disruption::DrainsNode),
        (taint("NoExecute", What::NoLongerDeclared), rollout::Disruption::None),
        (taint("NoSchedule", What::Missing), rollout::Disruption::None),
    ] {
        let step = Step::AmendNode { host: host("w-1"), differences: vec![difference] };
        assert_eq!(disruption(&step), expect, "{step}");
    }
}

#[test]
fn all_nodes_that_leave_are_cordoned_before_the_first_is_drained() {
    let mut world = running(3);
    world.machines.values_mut().for_each(|machine| machine.leaves = true);
    let steps = nodes::plan(&world.states(), Bounds::default()).unwrap();
    let first = single(&steps[..1]);
    assert!(first.len() == 3 && first.iter().all(|step| matches!(step, Step::Cordon { .. })), "{steps:?}");
    assert!(apply(&mut world, Bounds::default(), &[1, 5, 2]));
}
