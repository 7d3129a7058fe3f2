//! The same on AWS: a create adopts what has its tags, and from then on the state that had it before changes and removes nothing.

use super::Stage;
use super::create_before_destroy::{created_where, says};
use crate::fakes::{Fault, Moment};
use schema::Value;

async fn created() -> Vec<(Stage, Value)> {
    created_where(Stage::is_on_cloud).await
}

impl Stage {
    /// Of this resource.
    fn has(&self, found: &cloud::Found) -> bool {
        found.tag(cloud::OBJECT_TAG).is_some_and(|tag| tag.starts_with(&format!("{}/", self.row.name)))
    }

    fn tag(&self, holder: &str) {
        self.world.change(|memory| {
            let own = memory.cloud.objects.values_mut().filter(|found| self.has(found));
            own.filter_map(|found| found.settings.get_mut(TAG)).for_each(|tag| *tag = holder.to_owned());
        });
    }
}

const TAG: &str = "tag k8s-hardway/holder";

#[tokio::test]
async fn a_replacement_that_creates_first_destroys_nothing() {
    for (mut stage, old) in created().await {
        let (name, config) = (stage.row.name, stage.config.clone());
        let replaced = stage.engine.replace_by_creating_first(name, &old, &config).await;
        assert_eq!(replaced.created.errors, [""; 0], "{name}");
        says(&replaced.created.warnings, &["existed already", "create_before_destroy"]);
        let new = replaced.current;
        assert_eq!((old.get("id"), old.get("holder") == new.get("holder")), (new.get("id"), false), "{name}");
        // As long as AWS shows what was before.
        stage.tag(old.get("holder").as_str().unwrap());
        stage.destroys_without_harm(&replaced.deposed, "the old object").await;
        stage.tag(new.get("holder").as_str().unwrap());
        stage.settled(&new, &config, "after a replacement").await;
        stage.in_a_new_run().await;
        stage.destroys_without_harm(&replaced.deposed, "the old object, in another run").await;
        stage.changes_and_goes(&new).await;
    }
}

/// Whatever the create left: what is deposed is destroyed by the next run, and where nothing is, the old object goes on.
#[tokio::test]
async fn a_create_that_was_cut_off_leaves_no_old_object_that_destroys_anything() {
    for (mut stage, old) in created().await {
        let (name, config) = (stage.row.name, stage.config.clone());
        lose_an_object(&stage);
        let begin = stage.world.memory();
        for fault in [Fault::Fail(Moment::Before), Fault::Fail(Moment::After), Fault::Cancel, Fault::Die(Moment::After)] {
            for at in 1.. {
                let Some(mut replaced) = stage.cut_off(&begin, &old, &config, (fault, at)).await else { break };
                let what = format!("{name}, {fault:?} at call {at}");
                if replaced.deposed.is_null() {
                    replaced = stage.replaced_again(&replaced.current, &config, &what).await;
                }
                stage.ends(&replaced, &config, &what).await;
            }
        }
    }
}

/// Any but the main one, so that a create has something to do.
fn lose_an_object(stage: &Stage) {
    stage.world.change(|memory| {
        let is_main = |found: &cloud::Found| found.settings.contains_key(TAG);
        let is_lost = |found: &&cloud::Found| stage.has(found) && !is_main(found);
        let lost = memory.cloud.objects.values().rev().find(is_lost).unwrap().id.clone();
        memory.cloud.objects.remove(&lost)
    });
}

#[tokio::test]
async fn a_state_that_was_taken_over_from_changes_and_removes_nothing() {
    for (mut stage, old) in created().await {
        stage.comes_back(&old, "Nothing was changed").await;
    }
}

/// As an earlier version left them: neither the state nor the objects know of holders.
#[tokio::test]
async fn an_old_object_from_before_there_were_holders_destroys_nothing_either() {
    for (mut stage, mut old) in created().await {
        let (name, config) = (stage.row.name, stage.config.clone());
        old.set("holder", Value::Null);
        let forgotten = stage.world.change(|memory| {
            let own = memory.cloud.objects.values_mut().filter(|found| stage.has(found));
            own.filter_map(|found| found.settings.remove(TAG)).count()
        });
        assert_eq!(forgotten, 1, "{name}");
        stage.in_a_new_run().await;
        stage.settled(&old, &config, "of an earlier version").await;
        let changed = stage.changed();
        let state = stage.apply(&old, &changed).await;
        stage.settled(&state, &changed, "of an earlier version, after a change").await;
        let replaced = stage.engine.replace_by_creating_first(name, &state, &changed).await;
        assert_eq!(replaced.created.errors, [""; 0], "{name}");
        stage.in_a_new_run().await;
        stage.destroys_without_harm(&replaced.deposed, "of an earlier version").await;
        stage.settled(&replaced.current, &changed, "after it").await;
        stage.destroy(&replaced.current, "of the new object").await;
    }
}
