//! A replacement with `create_before_destroy`: the new object is created on the hosts of the old one and goes on with what is there. The
//! destroy of the old object, in the same run or in a later one, takes nothing away. So does a state that was lost and comes back.

use super::engine::Replaced;
use super::rows::{ROWS, row};
use super::{Stage, complete, without_steps};
use crate::fakes::{Fault, Memory, Moment};
use machines::Uid;
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";

/// Each resource on hosts, created, with its state.
async fn created() -> Vec<(Stage, Value)> {
    created_where(Stage::is_on_hosts).await
}

pub(super) async fn created_where(is_one: fn(&Stage) -> bool) -> Vec<(Stage, Value)> {
    let mut all = Vec::new();
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if is_one(&stage) {
            let state = stage.create().await;
            stage.world.draw_again();
            all.push((stage, state));
        }
    }
    assert!(all.len() >= 3);
    all
}

#[track_caller]
pub(super) fn says(texts: &[String], parts: &[&str]) {
    let text = texts.join("\n");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

impl Stage {
    /// As a run of an engine does in a process of its own.
    pub(super) async fn in_a_new_run(&mut self) {
        self.world.arm(None);
        self.engine.configure().await;
    }

    /// The old object goes, and the world stays as it is.
    pub(super) async fn destroys_without_harm(&mut self, deposed: &Value, what: &str) {
        let (name, before) = (self.row.name, self.world.memory());
        self.world.arm(None);
        let destroyed = self.engine.destroy(name, deposed).await;
        assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null), "{name} {what}");
        says(&destroyed.warnings, &["othing was removed: ", "was taken over from this state", "create_before_destroy"]);
        assert_eq!(self.world.calls(), [""; 0], "{name} {what}");
        self.world_is(&before, what);
    }

    /// The new object is one like any other.
    pub(super) async fn changes_and_goes(&mut self, new: &Value) {
        let changed = self.changed();
        let new = self.apply(new, &changed).await;
        self.settled(&new, &changed, "after a change of what was replaced").await;
        self.destroy(&new, "of the new object").await;
    }

    /// With something to do for a create.
    pub(super) fn changed(&self) -> Value {
        let config = self.row.changed(&self.config, &self.row.updates[0]);
        complete(self.engine.schema(self.row.name), &config)
    }
}

#[tokio::test]
async fn a_replacement_that_creates_first_destroys_nothing() {
    for (mut stage, old) in created().await {
        let (name, before, config) = (stage.row.name, stage.world.memory(), stage.config.clone());
        let replaced = stage.engine.replace_by_creating_first(name, &old, &config).await;
        assert_eq!(replaced.created.errors, [""; 0]);
        says(&replaced.created.warnings, &["was on its hosts already", "create_before_destroy"]);
        let new = replaced.current;
        assert_eq!((old.get("uid"), old.get("holder") == new.get("holder")), (new.get("uid"), false), "{name}");
        stage.destroys_without_harm(&replaced.deposed, "the old object").await;
        stage.world_is(&before, "after a replacement");
        stage.settled(&new, &config, "after a replacement").await;
        stage.changes_and_goes(&new).await;
    }
}

/// Engines give both halves another order by default.
#[tokio::test]
async fn a_replacement_that_destroys_first_is_another_one() {
    for (mut stage, old) in created().await {
        stage.destroy(&old, "of the old object").await;
        let new = stage.create().await;
        let differ = |id: &str| old.get(id) != new.get(id);
        assert!(differ("uid") && differ("holder"), "{}", stage.row.name);
    }
}

/// Whatever the create left, what is deposed is destroyed by the next run, which knows nothing of the first.
#[tokio::test]
async fn a_create_that_was_cut_off_leaves_no_old_object_that_destroys_anything() {
    let faults = [Fault::Fail(Moment::Halfway), Fault::Cancel, Fault::Die(Moment::After)];
    for (mut stage, old) in created().await {
        let (name, begin, config) = (stage.row.name, stage.world.memory(), stage.changed());
        for fault in faults {
            for at in 1.. {
                let Some(replaced) = stage.cut_off(&begin, &old, &config, (fault, at)).await else { break };
                let what = format!("{name}, {fault:?} at call {at}");
                if replaced.deposed.is_null() {
                    assert_eq!(begin.cluster.nodes.len(), stage.world.memory().cluster.nodes.len(), "{what}");
                    let again = stage.replaced_again(&replaced.current, &config, &what).await;
                    stage.destroys_without_harm(&again.deposed, &what).await;
                    stage.settled(&again.current, &config, &what).await;
                } else {
                    stage.ends(&replaced, &config, &what).await;
                }
            }
        }
    }
}

impl Stage {
    /// A replacement in which a fault strikes at a call, as the next run of the engine finds it. `None` when it was over before.
    pub(super) async fn cut_off(
        &mut self,
        begin: &Memory,
        old: &Value,
        config: &Value,
        (fault, at): (Fault, usize),
    ) -> Option<Replaced> {
        self.world.restore(begin);
        self.in_a_new_run().await;
        self.world.arm(Some((fault, at)));
        let mut replaced = self.engine.replace_by_creating_first(self.row.name, old, config).await;
        if !self.world.has_struck() {
            return None;
        }
        if matches!(fault, Fault::Die(_)) {
            // Nobody answered: the engine has what it had.
            (replaced.current, replaced.deposed) = (old.clone(), Value::Null);
        }
        self.in_a_new_run().await;
        Some(replaced)
    }

    /// The old object is the current one again, and the replacement is tried again.
    pub(super) async fn replaced_again(&mut self, old: &Value, config: &Value, what: &str) -> Replaced {
        self.world.draw_again();
        let again = self.engine.replace_by_creating_first(self.row.name, old, config).await;
        assert_eq!(again.created.errors, [""; 0], "{what}");
        again
    }

    /// The old object goes without harm, and the new one becomes what is declared.
    pub(super) async fn ends(&mut self, replaced: &Replaced, config: &Value, what: &str) {
        self.destroys_without_harm(&replaced.deposed, what).await;
        let refreshed = self.engine.refresh(self.row.name, &replaced.current).await.state;
        let state = self.apply(&refreshed, config).await;
        self.settled(&without_steps(&state), config, what).await;
    }
}

/// A create that fails before it has what it found: the state that has it goes on as if nothing had been.
#[tokio::test]
async fn a_create_that_failed_takes_nothing_from_the_state_that_has_it() {
    for (mut stage, old) in created().await {
        let (name, config) = (stage.row.name, stage.changed());
        stage.world.arm(Some((Fault::Fail(Moment::Before), 2)));
        let replaced = stage.engine.replace_by_creating_first(name, &old, &config).await;
        assert!(stage.world.has_struck() && replaced.deposed.is_null(), "{name}: {:?}", replaced.created);
        says(&replaced.created.warnings, &["othing of this resource is in the state yet"]);
        stage.in_a_new_run().await;
        let refreshed = stage.engine.refresh(name, &replaced.current).await;
        assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]), "{name}");
        let state = stage.apply(&refreshed.state, &config).await;
        stage.settled(&state, &config, "after the old object went on").await;
        stage.destroy(&state, "by the old object").await;
    }
}

/// A state is lost, and what it had is gone on with. Then it comes back: a backup, another workspace.
#[tokio::test]
async fn a_state_that_was_taken_over_from_changes_and_removes_nothing() {
    for (mut stage, old) in created().await {
        stage.comes_back(&old, "Nothing was changed on any host").await;
    }
}

impl Stage {
    /// The state of an object that another create has adopted since.
    pub(super) async fn comes_back(&mut self, old: &Value, nothing_changed: &str) {
        let (name, config) = (self.row.name, self.config.clone());
        let new = self.create().await;
        let before = self.world.memory();
        self.in_a_new_run().await;
        let refreshed = self.engine.refresh(name, old).await;
        assert_eq!((refreshed.errors.len(), refreshed.warnings.len()), (0, 1), "{:#?}", refreshed.warnings);
        says(
            &refreshed.warnings,
            &["was taken over from this state", "a destroy takes it out of this state and removes nothing"],
        );
        let changed = self.changed();
        let planned = self.engine.plan(name, old, &changed).await.planned;
        self.world.arm(None);
        let refused = self.engine.apply(name, old, &changed, &planned).await;
        says(&refused.errors, &["was taken over from this state", nothing_changed, "state rm"]);
        let calls: Vec<String> = self.world.calls().into_iter().filter(|call| call != "cluster: declare nodes").collect();
        assert_eq!((calls, &refused.state), (vec![], old), "{name}");
        self.destroys_without_harm(old, "by the state that came back").await;
        self.world_is(&before, "after all that");
        self.settled(&new, &config, "after the state that came back").await;
    }
}

/// As an earlier version left them: neither the state nor the records know of holders.
#[tokio::test]
async fn an_old_object_from_before_there_were_holders_destroys_nothing_either() {
    for (mut stage, mut old) in created().await {
        old.set("holder", Uid::NIL.into());
        stage.world.change(|memory| {
            let records = memory.hosts.values_mut().flat_map(|host| &mut host.records);
            let own = records.filter(|(owner, _)| owner.as_str().starts_with(stage.row.name));
            own.for_each(|(_, record)| {
                record.holders.clear();
                record.identity.insert("version".into(), "3".into());
                ["pod-cidrs", "service-cidrs", "cluster-domain"].iter().for_each(|key| drop(record.identity.remove(*key)));
            });
        });
        let config = stage.config.clone();
        stage.settled(&old, &config, "of an earlier version").await;
        let replaced = stage.engine.replace_by_creating_first(stage.row.name, &old, &config).await;
        assert_eq!(replaced.created.errors, [""; 0]);
        stage.destroys_without_harm(&replaced.deposed, "of an earlier version").await;
        stage.settled(&replaced.current, &config, "after it").await;
    }
}

/// Pods and services keep the networks that they have: what is there cannot become what is declared.
#[tokio::test]
async fn a_create_on_a_cluster_with_other_networks_is_refused_before_anything_is_written() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let old = stage.create().await;
    stage.world.draw_again();
    let (before, config) = (stage.world.memory(), stage.config.clone());
    let other = complete(stage.engine.schema(CLUSTER), &stage.row.replaced(&config));
    stage.world.arm(None);
    let replaced = stage.engine.replace_by_creating_first(CLUSTER, &old, &other).await;
    says(
        &replaced.created.errors,
        &[
            "cp-1 carries k8s_hardway_cluster.demo with other pod_cidrs",
            "172.18.0.0/16",
            "172.20.0.0/16",
            "create_before_destroy",
        ],
    );
    assert_eq!((stage.world.calls(), replaced.deposed), (vec![], Value::Null));
    stage.world_is(&before, "after a create that was refused");
    stage.settled(&replaced.current, &config, "after a create that was refused").await;
}
