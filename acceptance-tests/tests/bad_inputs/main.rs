//! What is wrong with a configuration is said before anything is reached: by which sentence, and at which attribute. All rows stand in
//! one configuration, each in a block of its own, so that an engine runs once for all of them. What only the first use of AWS can show
//! is said there, soon. Needs no hosts.

#![allow(clippy::unwrap_used)] // a test may panic

mod addons;
mod aws;
mod cloud_controller;
mod configuration;
mod first_use;
mod hosts;
mod manifests;
mod vpc;

use acceptance_tests::suite::{Shared, main as run};
use acceptance_tests::{Engine, scenarios};
use configuration::Configuration;
use first_use::{nobody_at_the_endpoint_is_said_with_its_address, without_credentials_the_sources_that_were_tried_are_named};
use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;

/// A block with something that is wrong, where the error must point, and what it must say.
struct Row {
    block: &'static str,
    /// Attributes, one a line.
    wrong: &'static str,
    path: &'static str,
    summary: &'static str,
}

const fn bad(block: &'static str, wrong: &'static str, path: &'static str, summary: &'static str) -> Row {
    Row { block, wrong, path, summary }
}

struct Section {
    rows: &'static [Row],
    /// What makes each kind of block complete; wrong attributes take the place of these.
    complete: &'static [(&'static str, &'static [&'static str])],
}

const SECTIONS: [Section; 6] =
    [hosts::SECTION, vpc::SECTION, aws::SECTION, manifests::SECTION, addons::SECTION, cloud_controller::SECTION];

const PROVIDER: &str = "provider \"k8s\"";
const LOCALS: &str = "locals";

fn main() -> ExitCode {
    run::<BadInputs>(
        None,
        &scenarios![
            the_table_without_its_faults_is_valid,
            every_fault_is_named_at_its_attribute_by_every_engine,
            nobody_at_the_endpoint_is_said_with_its_address,
            without_credentials_the_sources_that_were_tried_are_named,
        ],
    )
}

/// Stands where AWS would: nobody may knock.
struct BadInputs(TcpListener);

impl Shared for BadInputs {
    fn begin() -> Self {
        let aws = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        aws.set_nonblocking(true).unwrap();
        BadInputs(aws)
    }
}

impl BadInputs {
    fn validate(&self, configuration: &Configuration, engine: &Engine) -> Vec<Value> {
        let diagnostics = configuration.validate(engine, self.0.local_addr().unwrap());
        assert!(self.0.accept().is_err(), "AWS is asked at validate");
        diagnostics
    }
}

fn the_table_without_its_faults_is_valid(inputs: &mut BadInputs) {
    assert_eq!(inputs.validate(&Configuration::of(&[]), &Engine::first()), Vec::<Value>::new());
}

fn every_fault_is_named_at_its_attribute_by_every_engine(inputs: &mut BadInputs) {
    let rows: Vec<&Row> = SECTIONS.iter().flat_map(|section| section.rows).collect();
    let configuration = Configuration::of(&rows);
    for engine in Engine::all() {
        let diagnostics = inputs.validate(&configuration, &engine);
        let faults: Vec<String> =
            rows.iter().zip(&configuration.rows).filter_map(|(row, place)| place.judge(row, &diagnostics).err()).collect();
        assert!(faults.is_empty(), "{}: {} of {} rows:\n{}", engine.name, faults.len(), rows.len(), faults.join("\n"));
    }
}
