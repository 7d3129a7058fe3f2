//! Lives with accidents: a create, an update and a destroy that fail, are stopped (Ctrl-C) or are killed at every single mutating call.
//! Whatever happened, the next run ends where an undisturbed one would have, and a destroy finds everything. With `CUT_OFFS=all`
//! (`make cut-offs`) every fault strikes every call; without it one strikes each, in turn.

use super::engine::Outcome;
use super::rows::{Change, ROWS, row};
use super::{Stage, complete};
use crate::fakes::{Fault, Memory, Moment};
use schema::Value;

/// A death before a call leaves what one after the call before it leaves.
const FAULTS: [Fault; 5] = [
    Fault::Fail(Moment::Before),
    Fault::Die(Moment::Halfway),
    Fault::Cancel,
    Fault::Fail(Moment::Halfway),
    Fault::Die(Moment::After),
];

/// What is done to the resource while something goes wrong.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Create,
    Update(&'static Change),
    /// Certificates of API servers that programs read again by themselves.
    NewCertificates,
    Destroy,
}

/// Where an operation begins, and where it ends when nothing disturbs it.
struct Trial {
    stage: Stage,
    operation: Operation,
    begin: Memory,
    prior: Value,
    config: Value,
    end: Memory,
    /// What changes something when nothing disturbs it.
    calls: Vec<String>,
}

impl Trial {
    async fn of(name: &str, operation: Operation) -> Trial {
        let row = row(name);
        let mut stage = Stage::of(row).await;
        let mut config = stage.config.clone();
        let mut prior = Value::Null;
        if !matches!(operation, Operation::Create) {
            prior = stage.create().await;
        }
        if let Operation::Update(change) = operation {
            config = complete(stage.engine.schema(name), &row.changed(&stage.config, change));
        }
        if matches!(operation, Operation::NewCertificates) {
            config = stage.with_one_more_name().await.1;
        }
        stage.world.arm(None);
        let (begin, end) = (stage.world.memory(), Memory::default());
        let mut trial = Trial { begin, end, calls: Vec::new(), stage, operation, prior, config };
        let undisturbed = trial.run(&trial.prior.clone()).await;
        assert_eq!(undisturbed.errors, Vec::<String>::new());
        trial.end = trial.stage.world.memory();
        trial.calls = trial.stage.world.calls();
        trial
    }

    /// The cluster's own objects are applied one after the other, alike: the first and the last of them are cut off, and those beside these.
    fn is_one_of_many(&self, at: usize) -> bool {
        let is_own = |at: usize| {
            at.checked_sub(1).and_then(|place| self.calls.get(place)).is_some_and(|call| call.starts_with("cluster: apply "))
        };
        self.stage.row.name == "k8s_hardway_cluster" && (at.saturating_sub(2)..=at + 2).all(is_own)
    }

    /// What strikes that call. Trials of different lengths begin with different faults.
    fn faults_at(&self, at: usize) -> Vec<Fault> {
        // Of few calls.
        let is_short = self.stage.row.name == "k8s_addon";
        if is_short || std::env::var_os("CUT_OFFS").is_some_and(|which| which == "all") {
            return FAULTS.to_vec();
        }
        vec![FAULTS[(at + self.calls.len()) % FAULTS.len()]]
    }

    /// From a state that an engine has. One whose plan is refused has changed nothing.
    async fn run(&mut self, prior: &Value) -> Outcome {
        let name = self.stage.row.name;
        if matches!(self.operation, Operation::Destroy) {
            return self.stage.engine.destroy(name, prior).await;
        }
        match self.stage.engine.try_plan(name, prior, &self.config).await {
            Ok(plan) if plan.is_empty => Outcome { state: plan.planned, errors: Vec::new(), warnings: Vec::new() },
            Ok(plan) => self.stage.engine.apply(name, prior, &self.config, &plan.planned).await,
            Err(errors) => Outcome { state: prior.clone(), errors, warnings: Vec::new() },
        }
    }

    /// Runs it once with the fault at that call; `None` when it has fewer calls.
    async fn disturbed(&mut self, fault: Fault, at: usize) -> Option<Outcome> {
        self.stage.world.restore(&self.begin);
        self.stage.engine.configure().await;
        self.stage.world.arm(Some((fault, at)));
        let outcome = self.run(&self.prior.clone()).await;
        let struck = self.stage.world.has_struck();
        self.forget_what_does_nothing(fault, at);
        self.stage.world.arm(None);
        self.stage.engine.configure().await;
        struck.then_some(outcome)
    }

    /// No token is left behind, unless it was the call about it that was cut off; then it has expired by the next run. Names that
    /// the approver may sign for are declared before any host is touched, and may stay when the answer is lost; so may the pod that
    /// has pulled images, which runs nothing and goes with the next one.
    fn forget_what_does_nothing(&self, fault: Fault, at: usize) {
        let calls = self.stage.world.calls();
        if calls.get(at - 1).is_some_and(|call| call == "cluster: declare nodes") && matches!(fault, Fault::Fail(_)) {
            let before = &self.begin.cluster.declared;
            self.stage.world.change(|memory| {
                memory.cluster.declared.retain(|name, _| before.contains_key(name));
                memory.cluster.declared.iter_mut().for_each(|(name, text)| text.clone_from(&before[name]));
            });
        }
        let is_removal = |call: &String| call.starts_with("cluster: delete Pod/kube-system/k8s-hardway-images-");
        if calls.get(at - 1).is_some_and(is_removal) && matches!(fault, Fault::Fail(_)) {
            self.stage.world.change(|memory| memory.cluster.manifests.retain(|key, _| !key.is("", "Pod")));
        }
        let is_about_token = calls.get(at - 1).is_none_or(|call| call.ends_with(" token"));
        let tokens = self.stage.world.change(|memory| std::mem::take(&mut memory.cluster.tokens));
        assert!(
            tokens.is_empty() || is_about_token || matches!(fault, Fault::Die(_)),
            "a token is left {}",
            self.what(fault, at)
        );
    }

    /// Again, as a user does who runs the engine again: refresh, plan, apply, and a plan that is empty.
    async fn run_again(&mut self, state: &Value, what: &str) {
        let name = self.stage.row.name;
        let state = match state {
            Value::Null => Value::Null,
            state => {
                let refreshed = self.stage.engine.refresh(name, state).await;
                assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]), "refresh {what}");
                refreshed.state
            }
        };
        let outcome = if state.is_null() && matches!(self.operation, Operation::Destroy) {
            Outcome { state, errors: Vec::new(), warnings: Vec::new() }
        } else {
            self.run(&state).await
        };
        assert_eq!(outcome.errors, Vec::<String>::new(), "again {what}");
        self.stage.world_is(&self.end, &format!("again {what}"));
        if !outcome.state.is_null() {
            let config = self.config.clone();
            self.stage.settled(&outcome.state, &config, &format!("again {what}")).await;
        }
    }

    fn what(&self, fault: Fault, at: usize) -> String {
        format!("after {:?} of {} with {fault:?} at call {at}", self.operation, self.stage.row.name)
    }

    /// Whether there is such a call. A killed provider answers nothing: the engine has the state from before.
    async fn survives(&mut self, fault: Fault, at: usize) -> bool {
        let Some(outcome) = self.disturbed(fault, at).await else { return false };
        let what = self.what(fault, at);
        if let Fault::Die(_) = fault {
            let prior = self.prior.clone();
            self.run_again(&prior, &what).await;
        } else {
            self.leads_on(&outcome, &what).await;
        }
        true
    }

    /// The state of a failed or stopped operation leads on, and finds everything for a destroy.
    async fn leads_on(&mut self, outcome: &Outcome, what: &str) {
        if outcome.errors.is_empty() && !outcome.warnings.iter().any(|warning| warning.starts_with("Stopped")) {
            self.stage.world_is(&self.end, &format!("{what}, which reports no error"));
        }
        if outcome.state.is_null() && matches!(self.operation, Operation::Create) {
            self.stage.world_is(&self.begin, &format!("{what}, which returns no state"));
        }
        let cut_off = self.stage.world.memory();
        self.run_again(&outcome.state, what).await;
        if !outcome.state.is_null() {
            self.stage.world.restore(&cut_off);
            self.stage.destroy(&outcome.state, what).await;
        }
    }
}

async fn survives_everything(name: &str, operation: Operation) {
    let mut trial = Trial::of(name, operation).await;
    let mut calls = 0;
    for at in 1.. {
        let mut is_call = trial.is_one_of_many(at);
        let faults = if is_call { Vec::new() } else { trial.faults_at(at) };
        for fault in faults {
            is_call |= trial.survives(fault, at).await;
        }
        if !is_call {
            break;
        }
        calls += 1;
    }
    assert!(calls >= trial.calls.len(), "{name}: {operation:?} makes {} calls, and {calls} were looked at", trial.calls.len());
    // What reaches the world can be cut off.
    let reaches_world = trial.stage.is_on_cloud() || trial.stage.is_on_hosts() || trial.stage.is_in_cluster();
    assert_eq!(calls > 0, reaches_world, "{name}: {operation:?} was cut off at {calls} calls");
}

#[tokio::test]
async fn every_create_survives_being_cut_off_anywhere() {
    for row in ROWS {
        survives_everything(row.name, Operation::Create).await;
    }
}

#[tokio::test]
async fn every_update_survives_being_cut_off_anywhere() {
    for row in ROWS {
        for change in row.updates {
            survives_everything(row.name, Operation::Update(change)).await;
        }
    }
}

#[tokio::test]
async fn new_certificates_that_nothing_restarts_for_survive_being_cut_off_anywhere() {
    survives_everything("k8s_hardway_cluster", Operation::NewCertificates).await;
}

#[tokio::test]
async fn every_destroy_survives_being_cut_off_anywhere() {
    for row in ROWS {
        survives_everything(row.name, Operation::Destroy).await;
    }
}
