//! What only shows when AWS is asked for the first time: nobody answers, or nothing says who asks.

use super::BadInputs;
use acceptance_tests::command::{Output, run};
use acceptance_tests::{Engine, Workspace, lab};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// Somebody sits before the screen.
const SOON: Duration = Duration::from_secs(20);

pub fn nobody_at_the_endpoint_is_said_with_its_address(_: &mut BadInputs) {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let endpoint_url = format!("http://{nobody}");
    let endpoint = format!("endpoint = \"{endpoint_url}\"");
    let aws = ["region = \"us-east-9\"", &endpoint, "access_key = \"test\"", "secret_key = \"canary\""];
    refused_soon(&aws.join("\n    "), &["annot list the availability zones", &endpoint_url, "Connection refused"]);
}

pub fn without_credentials_the_sources_that_were_tried_are_named(_: &mut BadInputs) {
    refused_soon(
        "region = \"us-east-1\"",
        &["no credentials from the default chain", "environment", "instance metadata", "access_key"],
    );
    refused_soon("region = \"us-east-1\"\n    profile = \"prod\"", &["no credentials from profile \"prod\""]);
    refused_soon("", &["AWS_REGION", "instance metadata", "set region in the aws block"]);
}

/// Plans with this `aws` block and nothing else that could say how AWS is reached.
#[track_caller]
fn refused_soon(aws: &str, expect: &[&str]) {
    let source = lab::folder().join("first-use-source");
    std::fs::create_dir_all(&source).unwrap();
    let text = format!(
        "terraform {{\n  required_providers {{\n    k8s = {{ source = \"k8s-hardway/k8s\" }}\n  }}\n}}\n\n\
         provider \"k8s\" {{\n  aws = {{\n    {aws}\n  }}\n}}\n\ndata \"k8s_aws_zones\" \"all\" {{}}\n"
    );
    std::fs::write(source.join("main.tf"), text).unwrap();
    for engine in Engine::all() {
        let workspace = Workspace::new(&engine, &source, "first-use");
        let began = Instant::now();
        let output = plan(&workspace);
        assert!(began.elapsed() < SOON, "{}: it is said after {:?}", engine.name, began.elapsed());
        assert!(!output.is_success(), "{}: the plan succeeds", engine.name);
        let said = unwrapped(&output.stderr);
        let missing: Vec<&&str> = expect.iter().filter(|text| !said.contains(**text)).collect();
        assert!(missing.is_empty(), "{}: {missing:?} is not said:\n{}", engine.name, output.stderr);
        assert!(!said.contains("canary"), "a secret is shown");
        workspace.remove();
    }
}

fn plan(workspace: &Workspace) -> Output {
    let mut command = workspace.command(None, "plan");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    let home = workspace.folder.join("home");
    run(command.args(["-input=false", "-no-color"]).env("HOME", home).env("AWS_EC2_METADATA_DISABLED", "true"))
}

/// Engines break lines and draw a frame.
fn unwrapped(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || "│╷╵".contains(c)).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
