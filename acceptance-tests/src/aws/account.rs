//! An AWS account as a test has it: an emulator, the proxy before it, and a workspace whose provider knows no other endpoint.

use super::{Emulator, FaultProxy, Moment};
use crate::command::Output;
use crate::workspace::kill_programs_in;
use crate::{Engine, Plan, Workspace};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub const ZONE_NAME: &str = "example.net";
/// A public key without a private one.
const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKbnfDV8zpRaHE5J6uFr4NyM6aFFsaEqkHM3Zm6VDk7B test";

pub struct Account {
    pub emulator: Emulator,
    pub proxy: FaultProxy,
    pub workspace: Workspace,
    /// What is there before anything is applied: a hosted zone.
    pub before: Vec<String>,
}

impl Account {
    pub fn of_example(engine: &Engine, example: &str, name: &str) -> Account {
        Account::with(Workspace::of_example(engine, example, name))
    }

    pub fn with(mut workspace: Workspace) -> Account {
        let emulator = Emulator::start();
        let proxy = FaultProxy::start(&emulator);
        workspace.environment = proxy.environment().map(|(name, value)| (name.to_owned(), value)).to_vec();
        let mut account = Account { emulator, proxy, workspace, before: Vec::new() };
        account.reset();
        account
    }

    /// A new account, and no state.
    pub fn reset(&mut self) {
        self.emulator.reset();
        self.proxy.reset();
        self.proxy.show_tags_in_metadata();
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{ZONE_NAME}</Name>\
             <CallerReference>test</CallerReference></CreateHostedZoneRequest>"
        );
        let answer = self.emulator.route53("POST", "/2013-04-01/hostedzone", &body);
        let zone = super::xml::values(&answer, "Id").into_iter().next().unwrap_or_default().replace("/hostedzone/", "");
        self.set(json!({ "route53_zone_id": zone, "domain": format!("demo.{ZONE_NAME}"), "public_key": PUBLIC_KEY }));
        self.before = self.emulator.inventory();
        for state in ["terraform.tfstate", "terraform.tfstate.backup", ".terraform.tfstate.lock.info"] {
            let _ = std::fs::remove_file(self.workspace.folder.join(state));
        }
    }

    /// Variables of the configuration, beside those that every run has.
    pub fn set(&self, more: Value) {
        let mut variables = self.variables();
        for (name, value) in more.as_object().into_iter().flatten() {
            variables[name] = value.clone();
        }
        self.workspace.write("lab.auto.tfvars.json", &variables.to_string());
    }

    /// Those that the configuration declares: an engine warns of others.
    fn variables(&self) -> Value {
        let declared = std::fs::read_to_string(self.workspace.folder.join("variables.tf")).unwrap_or_default();
        let known = std::fs::read_to_string(self.workspace.folder.join("lab.auto.tfvars.json")).unwrap_or_default();
        let mut known: Value = serde_json::from_str(&known).unwrap_or_else(|_| json!({}));
        if let Some(all) = known.as_object_mut() {
            all.retain(|name, _| declared.contains(&format!("variable \"{name}\"")));
        }
        known
    }

    #[track_caller]
    pub fn apply(&self) -> Output {
        self.workspace.apply(None)
    }

    #[track_caller]
    pub fn destroy(&self) -> Output {
        self.workspace.destroy(None)
    }

    #[track_caller]
    pub fn plan(&self) -> Plan {
        self.workspace.plan(None)
    }

    /// What there is that was not there before.
    pub fn inventory(&self) -> Vec<String> {
        self.emulator.inventory().into_iter().filter(|line| !self.before.contains(line)).collect()
    }

    /// Runs `apply` or `destroy` and kills the provider just before or after the n-th call that may change something. False when
    /// there were fewer.
    pub fn killed(&self, subcommand: &str, number: usize, moment: Moment) -> bool {
        self.proxy.clear_log();
        let struck = Arc::new(AtomicBool::new(false));
        let (seen, folder) = (struck.clone(), self.workspace.folder.clone());
        self.proxy.interrupt_at(number, moment, move || {
            seen.store(kill_programs_in(&folder), Ordering::SeqCst);
        });
        let mut command = self.workspace.command(None, subcommand);
        command.args(["-auto-approve", "-input=false", "-no-color"]).stdout(Stdio::null()).stderr(Stdio::null());
        let ended = command.status().unwrap_or_else(|error| panic!("cannot run the engine: {error}"));
        self.proxy.no_faults();
        let was_killed = struck.load(Ordering::SeqCst);
        assert!(!(was_killed && ended.success()), "the provider was killed, and {subcommand} reports success");
        was_killed
    }

    /// Calls since the log was cleared, as `ec2 DescribeVpcs`.
    pub fn calls(&self) -> Vec<String> {
        self.proxy.calls().iter().map(|call| format!("{} {}", call.service, call.action)).collect()
    }
}
