//! What was changed from outside, in states of versions that wrote it down in words only: a plan promises nothing that it does not know, and a
//! refresh finds it again.

use super::rows::{ROWS, row};
use super::{Stage, texts};
use bundle::HostPath;
use schema::Value;

/// As an earlier version wrote it, read back by this one.
async fn with_words_only(stage: &mut Stage, state: &Value, version: i64) -> Value {
    let mut json = state.to_json(&stage.engine.schema(stage.row.name).value_type()).unwrap();
    assert!(json.as_object_mut().unwrap().remove("differences").is_some());
    stage.engine.upgrade(stage.row.name, version, json.to_string()).await
}

#[tokio::test]
async fn drift_in_words_leaves_the_steps_open_until_a_refresh_finds_it_again() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let (state, config, name) = (stage.create().await, stage.config.clone(), row.name);
        let healthy = stage.world.memory();
        let host = state.get("hosts").as_map().unwrap().keys().next().unwrap().clone();
        let item = super::contents(&state)[&host].keys().find(|item| item.ends_with(".service")).unwrap().clone();
        stage.world.change_host(&host, |memory| drop(memory.files.remove(&HostPath::literal(&item))));
        let refreshed = stage.engine.refresh(name, &state).await.state;
        let known = stage.engine.plan(name, &refreshed, &config).await;
        assert!(texts(known.planned.get("rollout")).iter().any(|line| line.contains(&item)), "{:?}", known.warnings);

        let old = with_words_only(&mut stage, &refreshed, 3).await;
        assert!(old.get("differences").is_null() && old.get("drift") == refreshed.get("drift"));
        assert_eq!(stage.engine.refresh(name, &old).await.state, refreshed, "{name}");
        let open = stage.engine.plan(name, &old, &config).await;
        assert!(open.planned.get("rollout").is_unknown() && open.planned.get("steps").is_unknown(), "{name}");
        assert!(open.warnings.iter().any(|warning| warning.contains("plan with a refresh")), "{:?}", open.warnings);
        let repaired = stage.engine.apply(name, &old, &config, &open.planned).await;
        assert_eq!(repaired.errors, Vec::<String>::new());
        assert_eq!(repaired.state.get("steps"), known.planned.get("steps"), "{name}");
        stage.world_is(&healthy, "after a repair without a refresh");
        stage.settled(&repaired.state, &config, "after a repair without a refresh").await;

        // Without drift, nothing is open.
        let old = with_words_only(&mut stage, &repaired.state, 3).await;
        assert!(stage.engine.plan(name, &old, &config).await.is_empty, "{name}");
    }
}

#[tokio::test]
async fn drift_in_words_leaves_the_ids_of_its_objects_open_until_a_refresh_finds_it_again() {
    let mut stage = Stage::of(row("k8s_vpc")).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let healthy = stage.world.memory();
    let (object, id) = state.get("ids").as_map().unwrap().iter().find(|(key, _)| key.starts_with("route_table/")).unwrap();
    stage.world.change(|memory| memory.cloud.objects.remove(id.as_str().unwrap()));
    let refreshed = stage.engine.refresh("k8s_vpc", &state).await.state;
    let old = with_words_only(&mut stage, &refreshed, 0).await;
    assert!(old.get("differences").is_null());
    let open = stage.engine.plan("k8s_vpc", &old, &config).await.planned;
    let known = stage.engine.plan("k8s_vpc", &refreshed, &config).await.planned;
    assert!(open.get("ids").get(object).is_unknown() && open == known, "{:?}", super::difference(&known, &open));
    let repaired = stage.engine.apply("k8s_vpc", &old, &config, &open).await;
    assert_eq!(repaired.errors, Vec::<String>::new());
    assert_eq!(repaired.state.get("objects"), state.get("objects"));
    assert_eq!(stage.world.memory().cloud.objects.len(), healthy.cloud.objects.len());
    let old = with_words_only(&mut stage, &repaired.state, 0).await;
    assert!(stage.engine.plan("k8s_vpc", &old, &config).await.is_empty);
}
