//! The proxy before the emulator of AWS: it fails on demand, and where the emulator differs from what AWS documents it is the
//! proxy that is right. Needs no hosts.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "aws_proxy/attributes.rs"]
mod attributes;
#[path = "aws_proxy/corrections.rs"]
mod corrections;
#[path = "aws_proxy/dependencies.rs"]
mod dependencies;
#[path = "aws_proxy/failures.rs"]
mod failures;
#[path = "aws_proxy/topology.rs"]
mod topology;

use acceptance_tests::aws::{Element, Emulator, Failure, FaultProxy};
use acceptance_tests::scenarios;
use acceptance_tests::suite::{Scenario, Shared, main as run};
use std::process::ExitCode;

fn main() -> ExitCode {
    use attributes::*;
    use corrections::*;
    use dependencies::*;
    use failures::*;
    let failures = scenarios![
        calls_are_logged_with_parameters_and_caller,
        every_protocol_is_understood,
        bodies_in_chunks_are_understood,
        a_throttled_call_does_nothing_and_gets_the_error_of_its_protocol,
        an_internal_error_does_nothing_and_has_the_shape_of_its_protocol,
        a_connection_that_ends_before_leaves_nothing_and_one_that_ends_after_leaves_the_object,
        a_delayed_call_is_done_in_the_end,
        the_nth_mutating_call_fails_and_no_other,
        calls_fail_where_a_predicate_says_so,
        the_same_seed_gives_the_same_faults_at_about_the_rate_asked_for,
        a_hook_before_the_effect_sees_nothing_and_one_after_sees_all,
        a_dry_run_is_answered_and_does_nothing,
        a_repeated_token_gets_the_first_answer,
        a_token_with_other_parameters_is_refused,
        the_token_of_a_call_that_failed_is_free,
        one_token_from_two_callers_at_once_makes_one_object,
    ];
    let dependencies = scenarios![
        what_others_depend_on_cannot_be_deleted_until_they_are_gone,
        security_groups_that_refer_to_each_other_go_after_their_rules,
        a_group_of_a_load_balancer_or_an_endpoint_cannot_be_deleted,
        a_gateway_stays_while_public_addresses_are_mapped,
        an_address_in_use_is_not_released,
        what_is_there_once_cannot_be_made_twice,
        two_attributes_are_not_changed_in_one_call,
        a_target_group_is_attached_to_a_group_that_exists_and_detached_once,
        tags_that_metadata_would_show_have_plain_keys,
    ];
    let corrections = scenarios![
        attributes_of_subnets_are_read_back,
        address_families_of_endpoints_are_read_back,
        a_load_balancer_becomes_active_after_two_descriptions,
        making_a_load_balancer_target_group_or_listener_again_gives_the_same_one,
        lists_come_in_pages,
        instances_get_the_ipv6_addresses_they_are_launched_with,
        instances_of_auto_scaling_groups_get_ipv6_addresses,
        terminated_instances_and_deleted_nat_gateways_leave_nothing,
        dhcp_options_have_their_tags_and_outlive_their_vpc,
        rules_with_groups_are_described_and_each_is_in_the_answer,
        a_private_address_moves_from_one_interface_to_another,
        a_route_to_a_deleted_nat_gateway_is_a_black_hole,
        a_zone_with_a_vpc_is_private_and_its_reference_is_used_once,
        equal_topologies_have_equal_inventories_and_nothing_is_left_of_them,
    ];
    let attributes = scenarios![
        attributes_of_instances_are_read_back,
        an_endpoint_follows_its_subnets_and_route_tables,
        settings_of_load_balancers_and_targets_are_read_back,
        a_dual_stack_load_balancer_takes_udp_with_source_nat_and_ipv6_targets,
        protocols_of_rules_are_named_as_at_aws_and_need_no_ports,
        a_record_is_deleted_once_and_with_its_own_values,
        what_is_public_at_aws_is_known,
    ];
    let all: Vec<Scenario<Aws>> = failures.into_iter().chain(dependencies).chain(corrections).chain(attributes).collect();
    run::<Aws>(None, &all)
}

pub struct Aws {
    pub emulator: Emulator,
    pub proxy: FaultProxy,
}

impl Shared for Aws {
    fn begin() -> Self {
        let emulator = Emulator::start();
        let proxy = FaultProxy::start(&emulator);
        Aws { emulator, proxy }
    }
}

impl Aws {
    /// Every scenario begins with nothing.
    pub fn reset(&self) {
        self.emulator.reset();
        self.proxy.reset();
    }

    pub fn try_ec2(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Element, Failure> {
        self.proxy.api.ask("ec2", &[&[("Action", action)], parameters].concat())
    }

    #[track_caller]
    pub fn ec2(&self, action: &str, parameters: &[(&str, &str)]) -> Element {
        self.try_ec2(action, parameters).unwrap_or_else(|failure| panic!("{action} {parameters:?}: {failure:?}"))
    }

    pub fn try_elb(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Element, Failure> {
        self.proxy.api.ask("elasticloadbalancing", &[&[("Action", action)], parameters].concat())
    }

    #[track_caller]
    pub fn elb(&self, action: &str, parameters: &[(&str, &str)]) -> Element {
        self.try_elb(action, parameters).unwrap_or_else(|failure| panic!("{action} {parameters:?}: {failure:?}"))
    }

    /// How many VPCs there are besides the default one, past the proxy.
    pub fn vpcs(&self) -> usize {
        self.emulator.inventory().iter().filter(|line| line.starts_with("vpc ")).count()
    }
}

/// The call was refused with this code.
#[track_caller]
pub fn refused(answer: Result<Element, Failure>, code: &str) {
    let seen = answer.map_err(|failure| failure.code);
    assert_eq!(seen.as_ref().map_err(String::as_str), Err(code));
}
