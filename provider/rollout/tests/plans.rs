//! The plans as a user reads them.
#![allow(clippy::unwrap_used)]

mod world;

use bundle::{Bundle, Disruption, HostPath};
use rollout::{HostState, Membership, Role, Step, load_balancer, nodes};
use world::{
    Found, Machine, World, bundle, certificate_of, config_of, control_plane_units, host, load_balancer_units, node_units,
    plan_cluster, unit,
};

fn world(prefix: &str, machine: &Machine, count: usize) -> World {
    let machines = (1..=count).map(|number| (host(&format!("{prefix}-{number}")), machine.clone())).collect();
    World { machines, ..World::default() }
}

fn control_plane_bundle() -> Bundle {
    bundle(&control_plane_units(), "new")
}

fn control_plane_world(change: impl Fn(&mut World)) -> Vec<HostState> {
    let mut world = world("cp", &Machine::new(control_plane_bundle()), 3);
    change(&mut world);
    world.states()
}

fn outdate(machine: &mut Machine, name: &str) {
    machine.find(&unit(name), Found::Older);
    machine.outdate(&config_of(&unit(name)));
}

fn load_balancer_world() -> World {
    world("lb", &Machine::new(bundle(&load_balancer_units(), "new")), 2)
}

fn node_machine(of: impl Fn(Bundle) -> Machine) -> Machine {
    of(bundle(&node_units()[..3], "new"))
}

/// One line per step; those that wait do so for what the lines before them did.
#[track_caller]
fn check(steps: Result<Vec<Step>, rollout::Refusal>, expect: &str) {
    let actual: String = steps.unwrap().iter().map(|step| format!("\n{step}")).collect();
    assert_eq!(actual, expect, "{actual}");
}

#[test]
fn a_new_control_plane() {
    let world = world("cp", &Machine::empty(control_plane_bundle()), 3);
    check(
        plan_cluster(&world.states()),
        r"
cp-1, cp-2, cp-3: write /etc/etcd.service.conf (missing), /etc/k8s-csr-approver.service.conf (missing), /etc/kube-apiserver.service.conf (missing) and 9 more
cp-1, cp-2, cp-3: start etcd.service
wait until etcd has a quorum
cp-1, cp-2, cp-3: wait until the etcd member is healthy
cp-1, cp-2, cp-3: start kube-apiserver.service
cp-1, cp-2, cp-3: wait until the API server is ready
apply the cluster's own objects
cp-1, cp-2, cp-3: start k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service
cp-1, cp-2, cp-3: wait until k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service are healthy",
    );
}

fn with_certificates(change: impl Fn(&mut Machine)) -> Vec<HostState> {
    let mut world = world("cp", &Machine::new(world::with_certificates(control_plane_bundle())), 3);
    world.machines.values_mut().for_each(change);
    world.states()
}

#[test]
fn certificates_that_programs_read_again_by_themselves() {
    let states = with_certificates(|machine| {
        machine.outdate(&certificate_of(&unit("etcd.service")));
        machine.outdate(&certificate_of(&unit("kube-apiserver.service")));
    });
    let steps = plan_cluster(&states);
    assert!(steps.iter().flatten().all(|step| rollout::disruption(step) == Disruption::None));
    check(
        steps,
        r"
cp-1: write /etc/etcd.service.crt (content differs), /etc/kube-apiserver.service.crt (content differs)
cp-1: wait until etcd.service serves its new certificate
cp-1: wait until kube-apiserver.service serves its new certificate
cp-2: write /etc/etcd.service.crt (content differs), /etc/kube-apiserver.service.crt (content differs)
cp-2: wait until etcd.service serves its new certificate
cp-2: wait until kube-apiserver.service serves its new certificate
cp-3: write /etc/etcd.service.crt (content differs), /etc/kube-apiserver.service.crt (content differs)
cp-3: wait until etcd.service serves its new certificate
cp-3: wait until kube-apiserver.service serves its new certificate",
    );
}

/// Whatever else a host needs, its certificates do not change while those of another do.
#[test]
fn certificates_that_are_read_again_take_turns_beside_other_needs() {
    let mut states = with_certificates(|machine| {
        machine.outdate(&certificate_of(&unit("etcd.service")));
        machine.find(&unit("kube-scheduler.service"), Found::NotEnabled);
    });
    let scheduler = |state: &mut HostState| {
        let observed = state.observed.as_mut().unwrap();
        observed.units.get_mut(&unit("kube-scheduler.service")).unwrap().active_state = "failed".into();
    };
    scheduler(&mut states[2]);
    check(
        plan_cluster(&states),
        r"
cp-3: write /etc/etcd.service.crt (content differs)
cp-3: wait until the etcd member is healthy
cp-3: wait until etcd.service serves its new certificate
cp-3: wait until the API server is ready
cp-3: start kube-scheduler.service (failed)
cp-3: wait until k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service are healthy
cp-1: write /etc/etcd.service.crt (content differs)
cp-1: wait until the etcd member is healthy
cp-1: wait until etcd.service serves its new certificate
cp-1: wait until the API server is ready
cp-1: start kube-scheduler.service (not enabled at boot)
cp-1: wait until k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service are healthy
cp-2: write /etc/etcd.service.crt (content differs)
cp-2: wait until the etcd member is healthy
cp-2: wait until etcd.service serves its new certificate
cp-2: wait until the API server is ready
cp-2: start kube-scheduler.service (not enabled at boot)
cp-2: wait until k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service are healthy",
    );
}

#[test]
fn a_certificate_that_was_written_and_not_seen_to_be_served() {
    let mut states = with_certificates(|_| {});
    states[1].observed.as_mut().unwrap().units.get_mut(&unit("kube-apiserver.service")).unwrap().unread = true;
    check(plan_cluster(&states), "\ncp-2: wait until kube-apiserver.service serves its new certificate");
}

/// The API server starts with what is there; etcd goes on, and reads its own again.
#[test]
fn a_new_certificate_of_a_unit_that_restarts_anyway() {
    let states = with_certificates(|machine| {
        outdate(machine, "kube-apiserver.service");
        machine.outdate(&certificate_of(&unit("etcd.service")));
        machine.outdate(&certificate_of(&unit("kube-apiserver.service")));
    });
    let steps = plan_cluster(&states[..1]);
    check(
        steps,
        r"
cp-1: write /etc/etcd.service.crt (content differs), /etc/kube-apiserver.service.conf (content differs), /etc/kube-apiserver.service.crt (content differs)
cp-1: wait until the etcd member is healthy
cp-1: wait until etcd.service serves its new certificate
cp-1: restart kube-apiserver.service (/etc/kube-apiserver.service.conf changed)
cp-1: wait until the API server is ready",
    );
}

/// The hosts in the order of their turns.
fn turns(states: &[HostState]) -> Vec<String> {
    let steps = plan_cluster(states).unwrap();
    let mut turns: Vec<String> = steps.iter().flat_map(Step::changes).map(ToString::to_string).collect();
    turns.dedup();
    turns
}

#[test]
fn the_leader_of_etcd_has_its_turn_last_and_where_the_last_roll_stopped_the_next_begins() {
    let stale = |world: &mut World| world.machines.values_mut().for_each(|machine| outdate(machine, "kube-apiserver.service"));
    let led_by = |name: &str| -> Vec<HostState> {
        let role = |state: &HostState| if state.name == host(name) { Role::Leader } else { Role::Follower };
        let states = control_plane_world(stale).into_iter();
        states
            .map(|state| {
                let role = role(&state);
                state.with_membership(Membership::Member { id: 1, role })
            })
            .collect()
    };
    assert_eq!(turns(&control_plane_world(stale)), ["cp-1", "cp-2", "cp-3"]);
    assert_eq!(turns(&led_by("cp-1")), ["cp-2", "cp-3", "cp-1"]);
    assert_eq!(turns(&led_by("cp-2")), ["cp-1", "cp-3", "cp-2"]);
    let mut stopped = led_by("cp-2");
    let unit_of = |state: &mut HostState| {
        let observed = state.observed.as_mut().unwrap();
        observed.units.get_mut(&unit("kube-apiserver.service")).unwrap().stamp = None;
    };
    unit_of(&mut stopped[1]);
    assert_eq!(turns(&stopped), ["cp-2", "cp-1", "cp-3"]);
}

#[test]
fn an_update_of_the_api_server() {
    let states =
        control_plane_world(|world| world.machines.values_mut().for_each(|machine| outdate(machine, "kube-apiserver.service")));
    check(
        plan_cluster(&states),
        r"
cp-2, cp-3: wait until the etcd member is healthy; cp-2, cp-3: wait until the API server is ready; cp-2, cp-3: wait until k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service are healthy
cp-1: write /etc/kube-apiserver.service.conf (content differs)
cp-1: wait until the etcd member is healthy
cp-1: restart kube-apiserver.service (/etc/kube-apiserver.service.conf changed)
cp-1: wait until the API server is ready
cp-2: write /etc/kube-apiserver.service.conf (content differs)
cp-2: wait until the etcd member is healthy
cp-2: restart kube-apiserver.service (/etc/kube-apiserver.service.conf changed)
cp-2: wait until the API server is ready
cp-3: write /etc/kube-apiserver.service.conf (content differs)
cp-3: wait until the etcd member is healthy
cp-3: restart kube-apiserver.service (/etc/kube-apiserver.service.conf changed)
cp-3: wait until the API server is ready",
    );
}

#[test]
fn an_update_of_etcd_looks_at_the_quorum_before_it_writes_and_again_before_each_restart() {
    let states = control_plane_world(|world| world.machines.values_mut().for_each(|machine| outdate(machine, "etcd.service")));
    let steps = plan_cluster(&states).unwrap();
    let lines: Vec<String> = rollout::runs(&steps).iter().skip(4).map(ToString::to_string).collect();
    let turn = [
        "wait until etcd has a quorum of healthy members without it",
        "write /etc/etcd.service.conf (content differs)",
        "wait until etcd has a quorum of healthy members without it",
        "restart etcd.service (/etc/etcd.service.conf changed)",
        "wait until the etcd member is healthy",
    ];
    let expect: Vec<String> =
        (1..).zip(turn).map(|(place, text)| format!("cp-1, cp-2, cp-3, one at a time ({place} of 5): {text}")).collect();
    assert_eq!(lines, expect);
}

#[test]
fn a_host_that_was_cut_off_with_another_to_update() {
    let states = control_plane_world(|world| {
        world.machine("cp-3").find(&unit("etcd.service"), Found::Older);
        world.machine("cp-2").find(&unit("kube-scheduler.service"), Found::Failed);
    });
    check(
        plan_cluster(&states),
        r"
take a snapshot of etcd
cp-2: wait until the etcd member is healthy
cp-2: wait until the API server is ready
cp-2: start kube-scheduler.service (failed)
cp-2: wait until k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service are healthy
cp-1, cp-2: wait until the etcd member is healthy; cp-1, cp-2: wait until the API server is ready; cp-1: wait until k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service are healthy; cp-2: wait until k8s-csr-approver.service, kube-controller-manager.service are healthy
cp-3: wait until etcd has a quorum of healthy members without it
cp-3: restart etcd.service (runs with an older configuration)
cp-3: wait until the etcd member is healthy",
    );
}

#[test]
fn drift_that_no_unit_reads() {
    let states = control_plane_world(|world| {
        world.machine("cp-1").observed.sysctls.clear();
        world.machine("cp-3").outdate(&HostPath::literal("/etc/motd"));
    });
    check(
        plan_cluster(&states),
        r"
cp-1: write sysctl net.ipv4.ip_forward (missing); cp-3: write /etc/motd (content differs)",
    );
}

#[test]
fn a_control_plane_that_goes() {
    let states = control_plane_world(|world| world.machines.values_mut().for_each(|machine| machine.leaves = true));
    check(
        plan_cluster(&states),
        r"
cp-1, cp-2, cp-3: stop k8s-csr-approver.service, kube-controller-manager.service, kube-scheduler.service, kube-apiserver.service, etcd.service
cp-1, cp-2, cp-3: remove everything that was installed",
    );
}

#[test]
fn a_load_balancer_whose_proxy_is_reloaded_on_one_host_and_restarted_on_the_other() {
    let mut world = load_balancer_world();
    outdate(world.machine("lb-1"), "k8s-lb-api-nginx.service");
    world.machine("lb-1").outdate(&HostPath::literal("/etc/systemd/system/k8s-lb-api-nginx.service"));
    outdate(world.machine("lb-2"), "k8s-lb-api-nginx.service");
    check(
        load_balancer::plan(&world.states(), Some(&host("lb-1"))),
        r"
lb-2: write /etc/k8s-lb-api-nginx.service.conf (content differs)
lb-2: reload k8s-lb-api-nginx.service (/etc/k8s-lb-api-nginx.service.conf changed)
lb-2: wait until k8s-lb-api-nginx.service is healthy
lb-1: write /etc/k8s-lb-api-nginx.service.conf (content differs), /etc/systemd/system/k8s-lb-api-nginx.service (content differs)
lb-1: hand the virtual addresses over to another host
lb-1: restart k8s-lb-api-nginx.service (/etc/k8s-lb-api-nginx.service.conf changed, /etc/systemd/system/k8s-lb-api-nginx.service changed)
lb-1: wait until k8s-lb-api-nginx.service is healthy
wait until one host serves every virtual address",
    );
}

#[test]
fn new_nodes_beside_one_that_changes_and_one_that_leaves() {
    let mut world = world("w", &node_machine(Machine::empty), 4);
    for name in ["w-3", "w-4"] {
        world.machines.insert(host(name), node_machine(Machine::new));
    }
    outdate(world.machine("w-3"), "kubelet.service");
    world.machine("w-4").leaves = true;
    check(
        nodes::plan(&world.states(), nodes::Bounds::default()),
        r"
w-1, w-2: write /etc/containerd.service.conf (missing), /etc/kube-proxy.service.conf (missing), /etc/kubelet.service.conf (missing) and 5 more
w-1, w-2: give the kubelet a bootstrap token
w-1, w-2: start containerd.service
w-1, w-2: start kube-proxy.service, kubelet.service
w-1, w-2: wait until containerd.service, kube-proxy.service, kubelet.service are healthy; w-1, w-2: wait until the node is Ready
w-3: wait until all other nodes are Ready
w-3: write /etc/kubelet.service.conf (content differs)
w-3: wait until all other nodes are Ready
w-3: restart kubelet.service (/etc/kubelet.service.conf changed)
w-3: wait until containerd.service, kube-proxy.service, kubelet.service are healthy; w-3: wait until the node is Ready
w-4: drain the node
w-4: stop kube-proxy.service, kubelet.service, containerd.service
w-4: delete the node from the cluster
w-4: remove everything that was installed",
    );
}
