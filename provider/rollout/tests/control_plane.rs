//! From any partial state, with a kill after any step, the control plane converges; one host at a time, and never without quorum.
#![allow(clippy::unwrap_used)]

mod world;

use bundle::{Bundle, HostName, HostPath};
use proptest::prelude::*;
use proptest::sample::select;
use rollout::control_plane::{Objects, Snapshots};
use rollout::{EtcdData, Gate, History, HostState, Membership, Refusal, Role, Step, control_plane};
use std::collections::BTreeSet;
use world::{
    Found, Machine, World, bundle, certificate_of, config_of, control_plane_units, host, plan_cluster, plan_with_objects, single,
    unit, with_certificates,
};

const CRITICAL: [&str; 2] = ["etcd.service", "kube-apiserver.service"];

fn declared() -> Bundle {
    with_certificates(bundle(&control_plane_units(), "new"))
}

fn cluster(hosts: usize, machine: Machine) -> World {
    let machines = (1..=hosts).map(|number| (host(&format!("cp-{number}")), machine.clone())).collect();
    World { machines, ..World::default() }
}

fn running(hosts: usize) -> World {
    cluster(hosts, Machine::new(declared()))
}

fn new(hosts: usize) -> World {
    cluster(hosts, Machine::empty(declared()))
}

/// As after a change of the declaration: other files, all units on the older ones.
fn to_update(hosts: usize) -> World {
    let mut world = running(hosts);
    for machine in world.machines.values_mut() {
        for (unit, ..) in control_plane_units() {
            machine.find(&unit, Found::Older);
            machine.outdate(&config_of(&unit));
        }
    }
    world
}

/// Hosts whose etcd and API server serve.
fn serving(world: &World) -> BTreeSet<HostName> {
    let serves = |machine: &Machine| CRITICAL.iter().all(|name| machine.serves(&unit(name)));
    world.machines.iter().filter(|(_, machine)| serves(machine)).map(|(name, _)| name.clone()).collect()
}

/// Applies with kills after the given numbers of steps, then once to the end. `Err` is a refusal.
#[track_caller]
fn apply(world: &mut World, kills: &[usize]) -> Result<(), Refusal> {
    let hosts = world.machines.len();
    let had_quorum = world.etcd_serving() > hosts / 2;
    let was_healthy = if had_quorum { serving(world) } else { BTreeSet::new() };
    for limit in kills.iter().copied().chain([usize::MAX]) {
        let steps = plan_with_objects(&world.states(), world.objects)?;
        let members = world.machines.values().filter(|machine| !machine.answers || machine.runs(&unit("etcd.service")));
        world.owes_snapshot = members.count() > hosts / 2;
        if world.owes_snapshot && hosts > 2 {
            see_quorum_looked_at(world, &steps);
        }
        world.run(&steps, &mut { limit }, &mut |world, step| {
            let serving = serving(world);
            let down: Vec<&HostName> = was_healthy.difference(&serving).collect();
            assert!(down.len() <= 1, "after {step}: {down:?} are down");
            assert!(hosts < 3 || !had_quorum || world.etcd_serving() > hosts / 2, "after {step}: etcd has lost its quorum");
        });
    }
    let left = plan_with_objects(&world.states(), world.objects)?;
    assert_eq!(left, [], "a second plan is not empty");
    let answering = world.machines.values().filter(|machine| machine.answers);
    let mut running = answering.flat_map(|machine| machine.observed.units.values()).filter(|unit| unit.is_running());
    assert!(running.all(|unit| !unit.unread), "nobody saw whether a certificate was read again");
    Ok(())
}

/// Nothing is written between the last look at the quorum and the restart of a member that runs.
#[track_caller]
fn see_quorum_looked_at(world: &World, steps: &[Step]) {
    let etcd = unit("etcd.service");
    let mut without = None;
    for step in single(steps) {
        match step {
            Step::Gate { gate: Gate::QuorumWithout { host }, .. } => without = Some(host),
            Step::Push { .. } => without = None,
            Step::Restart { host, units, .. } if units.contains(&etcd) && world.machines[host].runs(&etcd) => {
                assert_eq!(without, Some(host), "the quorum was not looked at right before {step}: {steps:?}");
            }
            _ => {}
        }
    }
}

fn machines_found() -> impl Strategy<Value = Vec<(u8, Vec<Found>, Vec<bool>)>> {
    let likely = prop_oneof![2 => Just(Found::AsDeclared), 2 => Just(Found::Older), 2 => select(&Found::ALL[..])];
    let machine = (0..10u8, prop::collection::vec(likely, 5), prop::collection::vec(any::<bool>(), 5));
    select(vec![1_usize, 3, 5]).prop_flat_map(move |hosts| prop::collection::vec(machine.clone(), hosts))
}

fn world_of(found: &[(u8, Vec<Found>, Vec<bool>)], in_state: bool, unreachable: bool) -> World {
    let mut world = running(found.len());
    for (machine, (dice, units_found, outdated)) in world.machines.values_mut().zip(found) {
        machine.in_state = in_state;
        machine.answers = !unreachable || *dice > 0;
        for (place, (((unit, ..), found), outdated)) in (*dice..).zip(control_plane_units().iter().zip(units_found).zip(outdated))
        {
            machine.find(unit, *found);
            if *outdated {
                machine.outdate(&config_of(unit));
            }
            match place % 4 {
                0 => machine.outdate(&certificate_of(unit)),
                1 => machine.forget_whether_it_was_read(unit),
                _ => {}
            }
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_partial_state_converges_after_any_kill(
        found in machines_found(), in_state: bool, kills in prop::collection::vec(0..40_usize, 0..4),
    ) {
        let mut world = world_of(&found, in_state, false);
        prop_assert_eq!(apply(&mut world, &kills), Ok(()));
    }

    #[test]
    fn with_hosts_that_do_not_answer_it_converges_or_refuses(
        found in machines_found(), kills in prop::collection::vec(0..40_usize, 0..4),
    ) {
        let mut world = world_of(&found, true, true);
        let is_complete = world.machines.values().all(|machine| machine.answers);
        let applied = apply(&mut world, &kills);
        prop_assert!(applied.is_ok() || !is_complete, "{applied:?}");
    }

    #[test]
    fn objects_that_are_due_are_applied_whatever_else_is_found_and_after_any_kill(
        found in machines_found(), kills in prop::collection::vec(0..40_usize, 0..4),
    ) {
        let mut world = world_of(&found, true, false);
        world.objects = Objects::Due;
        apply(&mut world, &kills).unwrap();
        prop_assert_eq!(world.objects, Objects::AsDeclared);
    }
}

#[test]
fn every_kill_of_a_create_and_of_an_update_is_resumed() {
    for (name, start) in [("create", new as fn(usize) -> World), ("update", to_update)] {
        for hosts in [1, 3, 5] {
            let count = single(&plan_cluster(&start(hosts).states()).unwrap()).len();
            for first in 0..=count {
                for second in [0, 1, count / 2] {
                    let mut world = start(hosts);
                    world.objects = Objects::Due;
                    assert_eq!(
                        apply(&mut world, &[first, second]),
                        Ok(()),
                        "{name} of {hosts}, killed after {first} and {second}"
                    );
                    assert_eq!(world.objects, Objects::AsDeclared, "{name} of {hosts}, killed after {first} and {second}");
                }
            }
        }
    }
}

/// Writing takes minutes, and what the quorum was before it does not count.
#[test]
fn a_member_that_goes_down_while_files_are_written_costs_no_quorum() {
    let steps = plan_cluster(&to_update(3).states()).unwrap();
    let pushes = (0..steps.len()).filter_map(|place| match &steps[place] {
        Step::Push { host, .. } => Some((place, host)),
        _ => None,
    });
    let mut lost = 0;
    for (place, pushed) in pushes {
        for other in ["cp-1", "cp-2", "cp-3"].map(host).iter().filter(|other| *other != pushed) {
            let mut world = to_update(3);
            let (before, after) = steps.split_at(place + 1);
            assert!(world.run(before, &mut 100, &mut |_, _| ()), "{pushed}");
            world.machine(other.as_str()).find(&unit("etcd.service"), Found::Failed);
            lost += usize::from(!world.run(after, &mut 100, &mut |world, step| {
                assert!(world.etcd_serving() >= 2, "after {step}: etcd has lost its quorum");
            }));
            assert_eq!(apply(&mut world, &[]), Ok(()), "{other} is started, and the roll goes on");
        }
    }
    assert_eq!(lost, 6, "a roll goes on without a quorum");
}

/// Certificates that a member reads again take effect when they are written. They are what a member needs whose own have expired.
#[test]
fn the_quorum_is_also_looked_at_before_files_are_written_unless_they_repair_the_member() {
    let looks_before_push = |states: &[HostState]| -> Vec<String> {
        let steps = plan_cluster(states).unwrap();
        let pushed = steps.windows(2).filter_map(|pair| match pair {
            [Step::Gate { gate: Gate::QuorumWithout { .. }, .. }, Step::Push { host, .. }] => Some(host.to_string()),
            _ => None,
        });
        pushed.collect()
    };
    let world = to_update(3);
    assert_eq!(looks_before_push(&world.states()), ["cp-1", "cp-2", "cp-3"]);
    assert_eq!(looks_before_push(&expired(&world, &["cp-2"])), ["cp-1", "cp-3"]);
}

#[test]
fn a_stopped_unit_starts_without_touching_other_hosts() {
    for stopped in control_plane_units() {
        let mut world = running(3);
        world.machine("cp-2").find(&stopped.0, Found::Failed);
        let steps = plan_cluster(&world.states()).unwrap();
        let is_on_this_host = |step: &&Step| match step {
            Step::Start { host: started, units, .. } => *started == host("cp-2") && *units == [stopped.0.clone()],
            Step::Gate { host: waited_for, .. } => *waited_for == Some(host("cp-2")),
            _ => false,
        };
        assert!(single(&steps).iter().all(is_on_this_host), "{steps:?}");
    }
}

#[test]
fn a_drifted_sysctl_or_a_file_that_nothing_reads_gives_a_push_alone() {
    let mut world = running(3);
    world.machine("cp-2").observed.sysctls.clear();
    world.machine("cp-3").outdate(&HostPath::literal("/etc/motd"));
    let steps = plan_cluster(&world.states()).unwrap();
    assert!(
        matches!(&steps[..], [Step::Parallel(pushes)] if pushes.iter().all(|step| matches!(step, Step::Push { .. }))),
        "{steps:?}"
    );
}

#[test]
fn a_snapshot_comes_before_members_restart_and_when_it_is_asked_for() {
    let taken = |world: &World, before_restarts, is_requested| {
        let steps =
            control_plane::plan(&world.states(), Snapshots { before_restarts, is_requested }, Objects::AsDeclared).unwrap();
        let places: Vec<usize> = (0..steps.len()).filter(|place| steps[*place] == Step::SnapshotEtcd).collect();
        match places[..] {
            [] => Taken::Not,
            [0] => Taken::First,
            [place] if place + 1 == steps.len() => Taken::Last,
            _ => panic!("{steps:?}"),
        }
    };
    let mut without_etcd = running(3);
    without_etcd.machine("cp-1").find(&unit("kube-apiserver.service"), Found::Older);
    let mut down = to_update(3);
    down.machines.values_mut().for_each(|machine| machine.find(&unit("etcd.service"), Found::FailedWithOlder));
    for (world, before, asked) in [
        (&running(3), Taken::Not, Taken::First),
        (&without_etcd, Taken::Not, Taken::First),
        (&to_update(1), Taken::First, Taken::First),
        (&to_update(3), Taken::First, Taken::First),
        (&down, Taken::Not, Taken::Last),
    ] {
        assert_eq!((taken(world, true, false), taken(world, false, true)), (before, asked));
        assert_eq!(taken(world, false, false), Taken::Not);
    }
    assert_eq!(taken(&new(3), true, false), Taken::Not);
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Not,
    First,
    Last,
}

#[test]
fn a_plan_that_reaches_no_host_assumes_what_the_last_apply_left() {
    assert_eq!(plan_cluster(&running(3).states()), Ok(vec![]));
}

#[test]
fn a_host_that_does_not_answer_is_a_reason_to_refuse_only_when_another_has_to_go_down() {
    let mut idle = running(3);
    idle.machine("cp-3").answers = false;
    assert_eq!(plan_cluster(&idle.states()), Ok(vec![]));

    let mut world = to_update(3);
    world.machine("cp-3").answers = false;
    assert_eq!(
        plan_cluster(&world.states()).unwrap_err().to_string(),
        "cp-1 has to restart, but cp-3 does not answer: Of 3 members of etcd that vote, 2 have to stay up. Bring cp-3 back. Then apply again."
    );
    let mut five = to_update(5);
    five.machine("cp-3").answers = false;
    assert!(plan_cluster(&five.states()).is_ok(), "five hosts survive the loss of two");
    five.machine("cp-4").answers = false;
    assert!(plan_cluster(&five.states()).is_err());
}

#[test]
fn an_api_server_restarts_while_a_host_is_away_as_long_as_etcd_has_its_quorum() {
    let api_server = unit("kube-apiserver.service");
    let mut world = running(3);
    world.machines.values_mut().for_each(|machine| machine.find(&api_server, Found::Older));
    world.machine("cp-3").answers = false;
    let steps = plan_cluster(&world.states()).unwrap();
    assert!(steps.iter().any(|step| matches!(step, Step::Restart { .. })), "{steps:?}");
    apply(&mut world, &[]).unwrap();
    world.machine("cp-2").answers = false;
    world.machine("cp-1").find(&api_server, Found::Older);
    assert!(plan_cluster(&world.states()).is_err(), "etcd has lost its quorum, and no API server would come up");
}

#[test]
fn a_cluster_that_cannot_get_a_quorum_says_which_hosts_it_needs() {
    let mut new = new(3);
    new.machine("cp-2").answers = false;
    assert_eq!(
        plan_cluster(&new.states()).unwrap_err().to_string(),
        "cp-2 does not answer: The first etcd cluster forms from all of its hosts. Make every host reachable over SSH, then apply again."
    );
    let mut stopped = running(5);
    for name in ["cp-1", "cp-2", "cp-3"] {
        stopped.machine(name).find(&unit("etcd.service"), Found::Failed);
    }
    stopped.machine("cp-4").answers = false;
    assert!(plan_cluster(&stopped.states()).is_ok());
    stopped.machine("cp-2").answers = false;
    stopped.machine("cp-3").answers = false;
    assert!(plan_cluster(&stopped.states()).is_ok(), "the three may well run: what is down starts");
    let mut two = running(2);
    two.machine("cp-1").find(&unit("etcd.service"), Found::Failed);
    two.machine("cp-2").answers = false;
    assert_eq!(
        plan_cluster(&two.states()).unwrap_err().to_string(),
        "etcd has no quorum and cannot get one: cp-2 does not answer. Bring enough of the hosts back, \
         or restore the cluster from a snapshot."
    );
}

#[test]
fn members_neither_join_nor_leave() {
    let mut world = running(3);
    world.machine("cp-2").in_state = false;
    assert_eq!(
        plan_cluster(&world.states()).unwrap_err().to_string(),
        "cp-2 cannot join: The control-plane hosts of an existing cluster do not change yet. Declare the hosts that it was created with."
    );
    let mut world = running(3);
    world.machine("cp-3").leaves = true;
    assert!(matches!(plan_cluster(&world.states()), Err(Refusal::HostsLeave { hosts }) if hosts == [host("cp-3")]));
}

#[test]
fn a_destroy_leaves_no_host_and_passes_by_the_one_that_does_not_answer() {
    let mut world = running(3);
    world.machines.values_mut().for_each(|machine| machine.leaves = true);
    world.machine("cp-2").answers = false;
    let steps = plan_cluster(&world.states()).unwrap();
    assert!(world.run(&steps, &mut 100, &mut |_, _| ()));
    assert_eq!(world.machines.keys().collect::<Vec<_>>(), [&host("cp-2")]);
}

#[test]
fn a_host_that_did_not_come_up_is_the_next_one_that_a_plan_touches() {
    let scheduler = unit("kube-scheduler.service");
    for failed in ["cp-1", "cp-2", "cp-3"] {
        // Those before it are done, and its stamp was withdrawn.
        let mut world = running(3);
        for (name, machine) in world.machines.iter_mut().filter(|(name, _)| name.as_str() >= failed) {
            machine.find(&scheduler, Found::Older);
            if name.as_str() > failed {
                machine.outdate(&config_of(&scheduler));
            }
        }
        let steps = plan_cluster(&world.states()).unwrap();
        let first = single(&steps).into_iter().find_map(|step| step.changes().first().map(|host| host.as_str().to_string()));
        assert_eq!(first.as_deref(), Some(failed));
    }
}

#[test]
fn no_host_is_changed_before_the_controllers_of_the_others_are_seen_to_stay_up() {
    let scheduler = unit("kube-scheduler.service");
    let mut world = running(3);
    world.machine("cp-3").find(&scheduler, Found::Older);
    let steps = plan_cluster(&world.states()).unwrap();
    let before = single(&steps).into_iter().take_while(|step| step.changes().is_empty());
    let seen = |step: &Step| match step {
        Step::Gate { gate: Gate::UnitsHealthy { host, units }, .. } => units.contains(&scheduler).then(|| host.clone()),
        _ => None,
    };
    assert_eq!(before.filter_map(seen).collect::<Vec<_>>(), [host("cp-1"), host("cp-2")]);
}

/// Hosts with the data and the history that a cluster has which serves.
fn with_etcd(world: &World, emptied: &[&str]) -> Vec<HostState> {
    let data = |name: &HostName| if emptied.contains(&name.as_str()) { EtcdData::Absent } else { EtcdData::Present };
    world
        .states()
        .into_iter()
        .map(|state| {
            let data = data(&state.name);
            state.with_etcd(data, History::Served)
        })
        .collect()
}

#[test]
fn an_empty_member_of_a_cluster_that_stored_data_is_never_started() {
    let mut world = running(3);
    for emptied in [&["cp-1"][..], &["cp-1", "cp-3"], &["cp-1", "cp-2", "cp-3"]] {
        for away in [None, Some("cp-2")] {
            world.machines.values_mut().for_each(|machine| machine.answers = true);
            away.into_iter().for_each(|name| world.machine(name).answers = false);
            let empty: Vec<HostName> = emptied.iter().filter(|name| Some(**name) != away).map(|name| host(name)).collect();
            let refusal = plan_cluster(&with_etcd(&world, emptied)).unwrap_err();
            assert!(matches!(&refusal, Refusal::EmptyMembers { empty: found, .. } if *found == empty), "{refusal}");
        }
    }
    assert_eq!(plan_cluster(&with_etcd(&running(3), &[])), Ok(vec![]));
}

#[test]
fn an_empty_member_is_started_in_a_new_cluster_and_where_it_was_prepared_to_join() {
    for history in [History::Begun, History::Missing] {
        let states: Vec<HostState> =
            new(3).states().into_iter().map(|state| state.with_etcd(EtcdData::Absent, history)).collect();
        assert!(!plan_cluster(&states).unwrap().is_empty());
    }
    let joining: Vec<HostState> =
        to_update(3).states().into_iter().map(|state| state.with_etcd(EtcdData::Joining, History::Served)).collect();
    assert!(plan_cluster(&joining).is_ok());
}

/// A create that was cut off leaves a record on one host at least; when the state knows hosts and none has one, they are others.
#[test]
fn hosts_that_the_state_knows_and_that_have_no_record_any_more_have_lost_their_data() {
    let mut states: Vec<HostState> =
        running(3).states().into_iter().map(|state| state.with_etcd(EtcdData::Absent, History::Missing)).collect();
    assert!(matches!(plan_cluster(&states), Err(Refusal::EmptyMembers { .. })));
    states[0].history = History::Begun;
    assert!(plan_cluster(&states).is_ok());
}

/// What etcd says of the members of `cp-1`, `cp-2` and so on.
fn with_members(world: &World, members: &[Membership]) -> Vec<HostState> {
    with_etcd(world, &[]).into_iter().zip(members).map(|(state, member)| state.with_membership(*member)).collect()
}

fn member(id: u64, role: Role) -> Membership {
    Membership::Member { id, role }
}

fn waits_for_quorum(steps: &[Step]) -> bool {
    steps.iter().flat_map(Step::gates).any(|gate| *gate == Gate::EtcdQuorum)
}

#[test]
fn a_learner_has_no_vote() {
    let two_voters = [member(1, Role::Follower), member(2, Role::Leader), member(3, Role::Learner)];
    assert_eq!(
        plan_cluster(&with_members(&to_update(3), &two_voters)).unwrap_err().to_string(),
        "cp-1 has to restart, but the etcd member of cp-3 has no vote: Of 2 members of etcd that vote, 2 have to stay up. Promote the \
         learner of cp-3 (`etcdctl member promote`). Then apply again."
    );
    let mut only_the_learner = running(3);
    only_the_learner.machine("cp-3").find(&unit("etcd.service"), Found::Older);
    assert!(plan_cluster(&with_members(&only_the_learner, &two_voters)).is_ok(), "both voters stay up");

    // A voter is down, and of two voters that is the quorum: with the learner counted, two of three would be up.
    let mut down = running(3);
    down.machine("cp-1").find(&unit("etcd.service"), Found::Failed);
    let steps = plan_cluster(&with_members(&down, &two_voters)).unwrap();
    assert!(waits_for_quorum(&steps), "{steps:?}");
    let three_voters = [1, 2, 3].map(|id| member(id, Role::Follower));
    let steps = plan_cluster(&with_members(&down, &three_voters)).unwrap();
    assert!(!waits_for_quorum(&steps), "{steps:?}");
}

/// Two of five were removed, and their hosts are off: three members vote, and one of them may restart.
#[test]
fn hosts_whose_members_were_removed_count_for_nothing() {
    let mut world = to_update(5);
    ["cp-4", "cp-5"].into_iter().for_each(|name| world.machine(name).answers = false);
    let (there, gone) = ([1, 2, 3].map(|id| member(id, Role::Follower)), [Membership::Missing; 2]);
    assert!(plan_cluster(&with_members(&world, &[there.as_slice(), &gone].concat())).is_ok());
    assert!(plan_cluster(&with_members(&world, &[Membership::Unknown; 5])).is_err(), "two of five would be left");
    world.machine("cp-3").answers = false;
    let refusal = plan_cluster(&with_members(&world, &[there.as_slice(), &gone].concat())).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::QuorumAtRisk { unavailable, voters: 3, .. } if *unavailable == [host("cp-3")]),
        "{refusal}"
    );
}

#[test]
fn a_member_that_was_removed_is_not_started() {
    let mut world = running(3);
    world.machine("cp-2").find(&unit("etcd.service"), Found::Failed);
    let members = [member(1, Role::Leader), Membership::Missing, member(3, Role::Follower)];
    let refusal = plan_cluster(&with_members(&world, &members)).unwrap_err();
    let expect = Refusal::RemovedMembers { removed: vec![host("cp-2")], members: vec![host("cp-1"), host("cp-3")] };
    assert_eq!(refusal, expect);
    world.machine("cp-2").answers = false;
    assert_eq!(plan_cluster(&with_members(&world, &members)), Ok(vec![]), "nothing of it is started");
}

#[test]
fn an_empty_member_is_named_by_its_id() {
    let states = with_etcd(&running(3), &["cp-2"]);
    let members = [member(1, Role::Leader), member(0xabc, Role::Follower), member(3, Role::Follower)];
    let states: Vec<HostState> = states.into_iter().zip(members).map(|(state, member)| state.with_membership(member)).collect();
    let refusal = plan_cluster(&states).unwrap_err();
    assert!(matches!(refusal, Refusal::EmptyMembers { member: Some(0xabc), .. }), "{refusal:?}");
}

/// All leaves were issued again; what etcd and the API server run with has expired on the named hosts.
fn expired(world: &World, hosts: &[&str]) -> Vec<HostState> {
    let mut states = world.states();
    for state in states.iter_mut().filter(|state| hosts.contains(&state.name.as_str())) {
        state.expires_in = CRITICAL.map(|name| (unit(name), -1)).into();
    }
    states
}

/// A gate on a member whose peers run with expired certificates never passes.
#[test]
fn where_most_certificates_have_expired_new_ones_go_to_all_hosts_before_any_gate() {
    let mut world = running(3);
    for (unit, ..) in control_plane_units() {
        world.machines.values_mut().for_each(|machine| machine.outdate(&certificate_of(&unit)));
    }
    let first_gate = |states: &[HostState]| {
        let steps = plan_cluster(states).unwrap();
        let before = single(&steps).into_iter().take_while(|step| step.gates().is_empty());
        before.flat_map(Step::changes).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(first_gate(&world.states()), 1, "a renewal in time goes from host to host");
    assert_eq!(first_gate(&expired(&world, &["cp-2"])), 1);
    assert_eq!(first_gate(&expired(&world, &["cp-1", "cp-2"])), 3);
    assert_eq!(first_gate(&expired(&world, &["cp-1", "cp-2", "cp-3"])), 3);
}

/// Neither is a host whose certificates have expired waited for before it has new ones.
#[test]
fn a_host_whose_certificates_have_expired_comes_first_and_no_gate_waits_for_it_before() {
    let world = to_update(5);
    let steps = plan_cluster(&expired(&world, &["cp-3", "cp-4"])).unwrap();
    let mut changed = BTreeSet::new();
    for step in single(&steps) {
        changed.extend(step.changes().into_iter().cloned());
        for gate in step.gates() {
            let waits_for = |name: &str| matches!(gate, Gate::EtcdMemberHealthy { host: at } | Gate::ApiServerReady { host: at } if *at == host(name));
            let early = ["cp-3", "cp-4"].into_iter().find(|name| waits_for(name) && !changed.contains(&host(name)));
            assert_eq!(early, None, "{steps:?}");
        }
    }
    let first = single(&steps).into_iter().find_map(|step| step.changes().first().map(ToString::to_string));
    assert_eq!(first.as_deref(), Some("cp-3"));
}

/// Stamps may have been withdrawn from it, so that it does not say that nothing ever came up.
#[test]
fn an_empty_member_with_a_record_of_an_older_version_starts_only_in_a_create() {
    let emptied = |world: &World| -> Vec<HostState> {
        world.states().into_iter().map(|state| state.with_etcd(EtcdData::Absent, History::Unrecorded)).collect()
    };
    for hosts in [1, 3] {
        let refused = plan_cluster(&emptied(&running(hosts)));
        assert!(matches!(refused, Err(Refusal::EmptyMembers { .. })), "{refused:?}");
        assert!(!plan_cluster(&emptied(&new(hosts))).unwrap().is_empty());
    }
}
