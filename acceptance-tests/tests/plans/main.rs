//! What plans say in the situations that people report of providers: null where a value belongs, objects that are not known yet,
//! hosts that change their name, and the styles in which modules are written. Every scenario runs under every engine, plans against
//! nobody (no host, no AWS, no network), and names what the plan shows or refuses.

#![allow(clippy::unwrap_used)] // a test may panic

mod cloud;
mod first_day;
mod modules;
mod said;
mod second_day;
mod site;
mod styles;

use acceptance_tests::scenarios;
use acceptance_tests::suite::main as run;
use cloud::*;
use first_day::*;
use modules::*;
use second_day::*;
use site::Plans;
use std::process::ExitCode;
use styles::*;

fn main() -> ExitCode {
    run::<Plans>(
        None,
        &scenarios![
            a_null_in_a_list_or_among_hosts_is_refused_at_its_place,
            a_tag_that_is_null_is_left_out_and_a_tier_or_listener_is_refused,
            a_required_argument_that_is_null_is_refused,
            a_host_object_that_is_not_known_yet_is_carried,
            a_pki_that_is_passed_in_parts_is_carried_while_it_is_unknown,
            a_load_balancer_whose_listener_is_its_own_backend_is_refused,
            digests_are_planned_as_they_are_given,
            a_pool_of_nodes_may_be_empty,
            names_in_capitals_have_one_rule,
            tags_that_are_not_known_yet_leave_their_objects_open,
            the_policy_of_several_resources_takes_a_list,
            a_zone_of_another_region_is_refused,
            keys_and_lengths_of_a_network_are_known_at_the_first_plan,
            new_authorities_for_a_cluster_that_exists_are_refused,
            a_member_of_etcd_keeps_its_address,
            members_that_swap_their_addresses_are_refused,
            a_frozen_cluster_has_an_empty_plan,
            a_renamed_worker_is_refused,
            a_worker_that_moves_is_named,
            a_renamed_load_balancer_is_refused,
            a_load_balancer_that_moves_is_named,
            load_balancers_whose_ssh_addresses_are_swapped_are_refused,
            another_way_of_ssh_is_named,
            an_ephemeral_pki_is_in_no_plan_file,
            certificates_of_a_short_life_give_an_empty_second_plan,
            hosts_out_of_modules_give_a_wholly_known_plan,
            optional_attributes_that_are_null_are_not_given,
            a_network_out_of_yaml_is_wholly_known,
            a_switched_off_module_plans_nothing,
            a_module_that_waits_defers_its_kubeconfig,
            a_pki_that_moves_into_a_module_is_not_reissued,
            a_workspace_whose_name_is_no_cluster_name_is_refused,
            taints_out_of_a_regular_expression_are_taken,
            ssh_by_switches_plans_even_with_an_unknown_bastion,
            a_mocked_provider_runs_the_tests_of_a_module,
        ],
    )
}
