//! States that earlier versions of a schema wrote, as they stood in state files. Keys in them were made for this.

use super::{Stage, complete, rows::row};
use schema::Value;

/// Written by the version of commit 29eb745 for the configuration of the row, with one of its hosts.
const PKI_0: &str = include_str!("k8s_pki.version-0.json");

#[tokio::test]
async fn a_pki_of_version_0_is_taken_on_unchanged_with_each_private_key_once() {
    let mut stage = Stage::of(row("k8s_pki")).await;
    let stored: serde_json::Value = serde_json::from_str(PKI_0).unwrap();
    let state = stage.engine.upgrade("k8s_pki", 0, PKI_0.into()).await;
    let kept = state.to_json(&stage.engine.schema("k8s_pki").value_type()).unwrap();
    assert_eq!(kept["bundle"], stored["bundle"]);
    let keys = stored["private_keys"].as_object().unwrap();
    assert!(keys.len() > 20, "the stored state has no keys");
    for (name, key) in keys {
        let escaped = key.to_string();
        let count = |state: &serde_json::Value| state.to_string().matches(&escaped).count();
        assert_eq!((count(&stored), count(&kept)), (2, 1), "{name}");
    }

    let mut config = stage.config.clone();
    config.set("hosts", Value::object([("cp-1", config.get("hosts").get("cp-1").clone())]));
    let config = complete(stage.engine.schema("k8s_pki"), &config);
    stage.settled(&state, &config, "of version 0").await;
}
