//! From any partial state, with a kill after any step, the controller runs on every host; two that lead in turn never restart at the same time.
#![allow(clippy::unwrap_used)]

mod world;

use bundle::{Disruption, Health, OnChange};
use proptest::prelude::*;
use proptest::sample::select;
use rollout::control_plane::Objects;
use rollout::{Step, controllers};
use world::{Found, Machine, World, bundle, config_of, host, traits, unit};

const CONTROLLER: &str = "controller.service";

fn machine(of: fn(bundle::Bundle) -> Machine) -> Machine {
    let traits = traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp);
    of(bundle(&[(unit(CONTROLLER), OnChange::Restart, traits)], "new"))
}

fn world(of: fn(bundle::Bundle) -> Machine, hosts: usize) -> World {
    let machines = (1..=hosts).map(|number| (host(&format!("cp-{number}")), machine(of))).collect();
    World { machines, ..World::default() }
}

fn plan(world: &World) -> Vec<Step> {
    controllers::plan(&world.states(), world.objects)
}

#[track_caller]
fn check(world: &World, expect: &str) {
    let actual: String = plan(world).iter().map(|step| format!("\n{step}")).collect();
    assert_eq!(actual, expect, "{actual}");
}

fn outdate(world: &mut World, name: &str) {
    world.machine(name).find(&unit(CONTROLLER), Found::Older);
    world.machine(name).outdate(&config_of(&unit(CONTROLLER)));
}

#[test]
fn a_new_one_starts_everywhere_once_it_may_do_something() {
    let mut world = world(Machine::empty, 2);
    world.objects = Objects::Due;
    check(
        &world,
        r"
cp-1, cp-2: write /etc/controller.service.conf (missing), /etc/motd (missing), /etc/systemd/system/controller.service (missing), sysctl net.ipv4.ip_forward (missing)
apply the controller's objects
cp-1, cp-2: start controller.service
cp-1, cp-2: wait until controller.service is healthy
cp-2: wait until a controller leads",
    );
}

#[test]
fn a_change_goes_from_host_to_host_and_a_host_that_leaves_goes_last() {
    let mut world = world(Machine::new, 3);
    ["cp-1", "cp-2"].into_iter().for_each(|name| outdate(&mut world, name));
    world.machine("cp-3").leaves = true;
    check(
        &world,
        r"
cp-1: write /etc/controller.service.conf (content differs)
cp-1: restart controller.service (/etc/controller.service.conf changed)
cp-1: wait until controller.service is healthy
cp-2: write /etc/controller.service.conf (content differs)
cp-2: restart controller.service (/etc/controller.service.conf changed)
cp-2: wait until controller.service is healthy
cp-2: wait until a controller leads
cp-3: stop controller.service
cp-3: remove everything that was installed",
    );
}

#[test]
fn what_it_may_do_alone_touches_no_host_and_nobody_is_asked_where_none_answers() {
    let mut world = world(Machine::new, 2);
    world.objects = Objects::Due;
    check(&world, "\napply the controller's objects");
    world.machines.values_mut().for_each(|machine| machine.answers = false);
    check(&world, "");
}

/// An apply that ends before a controller was seen to lead has not seen the last one healthy: the next looks again.
#[test]
fn what_was_not_seen_to_lead_is_planned_again() {
    let mut world = world(Machine::new, 2);
    ["cp-1", "cp-2"].into_iter().for_each(|name| outdate(&mut world, name));
    let steps = plan(&world);
    assert!(!world.run(&steps, &mut { steps.len() - 1 }, &mut |_, _| {}));
    check(
        &world,
        r"
cp-2: restart controller.service (not seen healthy with its configuration)
cp-2: wait until controller.service is healthy
cp-2: wait until a controller leads",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_partial_state_converges_after_any_kill(
        found in prop::collection::vec((select(&Found::ALL[..]), any::<bool>()), 1..4),
        kills in prop::collection::vec(0..10_usize, 0..3),
    ) {
        let mut world = world(Machine::new, found.len());
        for (machine, (found, is_outdated)) in world.machines.values_mut().zip(&found) {
            machine.find(&unit(CONTROLLER), *found);
            if *is_outdated {
                machine.outdate(&config_of(&unit(CONTROLLER)));
            }
        }
        world.objects = Objects::Due;
        for limit in kills.iter().copied().chain([usize::MAX]) {
            let steps = plan(&world);
            for step in &steps {
                let is_up = |step: &&Step| matches!(step, Step::Restart { host, .. } if world.machines[host].runs(&unit(CONTROLLER)));
                prop_assert!(!matches!(step, Step::Parallel(all) if all.iter().filter(is_up).count() > 1), "{step}");
            }
            world.run(&steps, &mut { limit }, &mut |_, _| {});
        }
        prop_assert_eq!(plan(&world), vec![]);
    }
}
