//! What cannot be undone is refused: authorities, the service account key and encryption keys of what exists stay.

use super::rows::{ROWS, row};
use super::{Stage, complete};
use schema::Value;
use std::collections::BTreeMap;

async fn pki() -> (Stage, Value) {
    let mut stage = Stage::of(row("k8s_pki")).await;
    let state = stage.create().await;
    (stage, state)
}

async fn cluster() -> (Stage, Value) {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let state = stage.create().await;
    (stage, state)
}

impl Stage {
    fn with(&self, changes: &[(&str, Value)]) -> Value {
        let mut config = self.config.clone();
        changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
        complete(self.engine.schema(self.row.name), &config)
    }

    /// The plan of this change is an error that says all of this.
    #[track_caller]
    fn refuses(&mut self, state: &Value, changes: &[(&str, Value)], expect: &[&str]) -> impl Future<Output = ()> {
        let (config, name) = (self.with(changes), self.row.name);
        async move {
            let errors = self.engine.try_plan(name, state, &config).await.unwrap_err().join("\n");
            for text in expect {
                assert!(errors.contains(text), "{text:?} is not in: {errors}");
            }
        }
    }
}

#[tokio::test]
async fn a_pki_that_exists_keeps_the_algorithm_of_its_keys() {
    let (mut stage, state) = pki().await;
    let expect = [
        "of demo cannot be reissued: apiserver-ca, cluster-ca, controller-manager-ca, etcd-ca, etcd-peer-ca",
        "etcd-ca: gets a key of ECDSA-P384",
        "do not trust each other",
        "Keep key_algorithm = \"ECDSA-P256\"",
        "create a second k8s_pki",
    ];
    stage.refuses(&state, &[("key_algorithm", "ECDSA-P384".into())], &expect).await;
}

#[tokio::test]
async fn the_life_of_authorities_is_not_cut_short() {
    let (mut stage, state) = pki().await;
    let expect = ["shorter than the 87600 hours that authorities were issued for", "Keep authority_validity_hours = 87600"];
    stage.refuses(&state, &[("authority_validity_hours", 50_000.into())], &expect).await;
    let longer = stage.with(&[("authority_validity_hours", 100_000.into())]);
    let longer_state = stage.apply(&state, &longer).await;
    assert_eq!(longer_state.get("certificates"), state.get("certificates"));
    let config = stage.config.clone();
    let back = stage.apply(&longer_state, &config).await;
    assert_eq!(back, state);
}

#[tokio::test]
async fn a_damaged_state_is_not_made_up_for_by_new_keys() {
    let (mut stage, state) = pki().await;
    let with = |map: &str, change: &dyn Fn(&mut BTreeMap<String, Value>)| {
        let mut damaged = state.clone();
        let mut bundle = state.get("bundle").clone();
        let mut texts = bundle.get(map).as_map().unwrap().clone();
        change(&mut texts);
        bundle.set(map, Value::Map(texts));
        damaged.set("bundle", bundle);
        damaged
    };
    let no_encryption_key = with("encryption_keys", &|keys| keys.clear());
    let expect = ["key that encrypts Secrets of demo is missing", "no Secret in etcd could be read any more", "from a backup"];
    stage.refuses(&no_encryption_key, &[], &expect).await;
    let no_service_account_key = with("private_keys", &|keys| drop(keys.remove("service-account")));
    stage.refuses(&no_service_account_key, &[], &["service account key of demo is missing"]).await;
    let lost = with("certificates", &|all| drop(all.remove("etcd-ca")));
    stage.refuses(&lost, &[], &["cannot be reissued: etcd-ca", "is lost, although", "from a backup"]).await;
    let unreadable = with("certificates", &|all| drop(all.insert("etcd-ca".into(), "x".into())));
    stage.refuses(&unreadable, &[], &["cannot be reissued: etcd-ca", "cannot be read back"]).await;
}

#[tokio::test]
async fn an_authority_that_a_newer_provider_adds_is_issued() {
    let (mut stage, state) = pki().await;
    let mut older = state.clone();
    let without = |map: &Value| {
        let names = map.as_map().unwrap().iter().filter(|(name, _)| !name.starts_with("front-proxy"));
        Value::Map(names.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    let mut bundle = state.get("bundle").clone();
    for map in ["certificates", "private_keys"] {
        bundle.set(map, without(bundle.get(map)));
    }
    older.set("bundle", bundle);
    for map in ["certificates", "private_keys", "fingerprints", "expires_at"] {
        if !state.get(map).is_null() {
            older.set(map, without(state.get(map)));
        }
    }
    let config = stage.config.clone();
    let newer = stage.apply(&older, &config).await;
    let certificate = |state: &Value, name: &str| state.get("certificates").get(name).clone();
    assert!(certificate(&newer, "front-proxy-ca").as_str().is_some());
    assert_eq!(certificate(&newer, "etcd-ca"), certificate(&state, "etcd-ca"));
    stage.settled(&newer, &config, "with one more authority").await;
}

#[tokio::test]
async fn an_authority_near_its_end_is_kept_and_the_plan_says_how_many_days_are_left() {
    let (mut stage, state) = pki().await;
    let config = stage.config.clone();
    stage.world.advance(time::Duration::days(3_650 - 100));
    let plan = stage.engine.plan("k8s_pki", &state, &config).await;
    assert_eq!(plan.planned.get("certificates").get("etcd-ca"), state.get("certificates").get("etcd-ca"));
    let warnings = plan.warnings.join("\n");
    for text in ["of demo end in 100 days", "etcd-ca ends at 2036-11-18T12:00:00Z", "Move to a new cluster"] {
        assert!(warnings.contains(text), "{text:?} is not in: {warnings}");
    }
    let state = stage.engine.refresh("k8s_pki", &state).await.state;
    let renewed = stage.apply(&state, &config).await;
    // The new leaves end with their authorities, and are not renewed over and over.
    assert_eq!(renewed.get("expires_at").get("admin"), renewed.get("expires_at").get("cluster-ca"));
    stage.world.advance(time::Duration::days(99));
    assert!(stage.engine.plan("k8s_pki", &renewed, &config).await.is_empty);
    stage.world.advance(time::Duration::days(2));
    let late = stage.engine.plan("k8s_pki", &renewed, &config).await;
    assert!(late.is_empty && late.warnings.join("\n").contains("of demo have expired"), "{:?}", late.warnings);
    let other_names: Value = vec!["api.demo.internal"].into();
    stage.refuses(&renewed, &[("endpoints", other_names)], &["apiserver-ca: expires at", "It signs nothing any more"]).await;
}

#[tokio::test]
async fn a_pki_that_is_replaced_or_lost_is_refused_by_the_cluster_that_uses_it() {
    let (mut stage, state) = cluster().await;
    let pki_config = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    let created = stage.engine.plan("k8s_pki", &Value::Null, &pki_config).await.planned;
    let expect = [
        "demo runs with another pki",
        "etcd-ca: not known yet",
        "kubelet-client-ca: not known yet",
        "the service account key: not known yet",
        "the encryption key: not known yet",
        "every Secret in etcd is unreadable",
        "do not trust each other",
        "restore that from a backup",
    ];
    stage.refuses(&state, &[("pki", created.get("bundle").clone())], &expect).await;

    let mut renamed = pki_config.clone();
    renamed.set("cluster_name", "other".into());
    let replaced = stage.engine.plan("k8s_pki", &stage.states["k8s_pki"].clone(), &renamed).await;
    assert_eq!(replaced.replaces.len(), 1);
    stage.refuses(&state, &[("pki", replaced.planned.get("bundle").clone())], &expect).await;
}

#[tokio::test]
async fn a_plan_that_destroys_or_renames_a_pki_warns_of_what_is_lost() {
    let (mut stage, state) = pki().await;
    let lost = |verb: &str, warnings: Vec<String>| {
        let text = warnings.join("\n");
        assert!(text.contains(&format!("{verb} the pki of demo deletes its authorities and keys")), "{text}");
        assert!(text.contains("Secrets in a backup of its etcd cannot be read"), "{text}");
    };
    lost("Destroying", stage.engine.plan_destroy("k8s_pki", &state).await);
    let renamed = stage.with(&[("cluster_name", "other".into())]);
    lost("Replacing", stage.engine.plan("k8s_pki", &state, &renamed).await.warnings);
    let unknown = stage.with(&[("cluster_name", Value::Unknown)]);
    let plan = stage.engine.plan("k8s_pki", &state, &unknown).await;
    assert!(plan.replaces.is_empty() && plan.warnings.join("\n").contains("another value would need a replacement"), "{plan:?}");
    let config = stage.config.clone();
    assert_eq!(stage.engine.plan("k8s_pki", &state, &config).await.warnings, Vec::<String>::new());
    assert_eq!(stage.engine.plan("k8s_pki", &Value::Null, &config).await.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn another_pki_is_refused_at_plan_and_again_at_apply() {
    let (mut stage, state) = cluster().await;
    let pki_config = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    let planned = stage.engine.plan("k8s_pki", &Value::Null, &pki_config).await.planned;
    let other = stage.engine.apply("k8s_pki", &Value::Null, &pki_config, &planned).await.state;
    let other = stage.with(&[("pki", other.get("bundle").clone())]);
    let expect = ["another one than the hosts have", "cluster-ca", "the encryption key", "the service account key"];
    stage.refuses(&state, &[("pki", other.get("pki").clone())], &expect).await;

    // As when the whole of it was unknown at plan.
    let unknown = stage.with(&[("pki", Value::Unknown)]);
    let planned = stage.engine.plan("k8s_hardway_cluster", &state, &unknown).await.planned;
    stage.world.arm(None);
    let applied = stage.engine.apply("k8s_hardway_cluster", &state, &other, &planned).await;
    assert!(applied.errors.join("\n").contains("demo runs with another pki"), "{:?}", applied.errors);
    assert_eq!((applied.state, stage.world.calls()), (state, vec![]), "a host was reached");
}

#[tokio::test]
async fn a_cluster_that_is_replaced_as_well_may_take_another_pki() {
    let (mut stage, state) = cluster().await;
    let mut pki_config = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    pki_config.set("cluster_name", "other".into());
    let created = stage.engine.plan("k8s_pki", &Value::Null, &pki_config).await.planned;
    let config = stage.with(&[("name", "other".into()), ("pki", created.get("bundle").clone())]);
    assert_eq!(stage.engine.plan("k8s_hardway_cluster", &state, &config).await.replaces.len(), 1);
}

#[tokio::test]
async fn encryption_keys_may_follow_those_in_use_and_none_may_go_or_come_first() {
    let (mut stage, state) = cluster().await;
    let bundle = stage.states["k8s_pki"].get("bundle").clone();
    let with_keys = |change: &dyn Fn(&mut BTreeMap<String, Value>)| {
        let mut keys = bundle.get("encryption_keys").as_map().unwrap().clone();
        change(&mut keys);
        let mut bundle = bundle.clone();
        bundle.set("encryption_keys", Value::Map(keys));
        bundle
    };
    let second = Value::from("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let first = with_keys(&|keys| drop(keys.insert("a-new-one".into(), second.clone())));
    stage.refuses(&state, &[("pki", first)], &["the encryption key: another one"]).await;
    let changed = with_keys(&|keys| drop(keys.insert("secrets-encryption".into(), second.clone())));
    stage.refuses(&state, &[("pki", changed)], &["the encryption key: another one"]).await;

    let behind = with_keys(&|keys| drop(keys.insert("z-new-one".into(), second.clone())));
    let config = stage.with(&[("pki", behind)]);
    let state = stage.apply(&state, &config).await;
    stage.settled(&state, &config, "with a second encryption key").await;
    stage.refuses(&state, &[("pki", bundle.clone())], &["the encryption key: another one"]).await;
}

#[tokio::test]
async fn a_name_that_an_endpoint_gains_makes_only_the_certificates_of_api_servers_unknown() {
    let (mut stage, state) = pki().await;
    let unknown_endpoint = Value::List(vec!["api.demo.internal".into(), Value::Unknown]);
    for endpoints in [vec!["api.demo.internal", "api.example.net"].into(), unknown_endpoint, Value::Unknown] {
        let config = stage.with(&[("endpoints", endpoints)]);
        let plan = stage.engine.plan("k8s_pki", &state, &config).await;
        let open = |map: &Value| -> Vec<String> {
            let all = map.as_map().unwrap().iter();
            all.filter(|(_, value)| value.is_unknown()).map(|(name, _)| name.clone()).collect()
        };
        let api_servers = ["apiserver/cp-1", "apiserver/cp-2", "apiserver/cp-3"];
        let bundle = plan.planned.get("bundle");
        assert_eq!(bundle.get("cluster_name").as_str(), Some("demo"));
        for map in ["certificates", "fingerprints", "expires_at"].map(|name| plan.planned.get(name)) {
            assert_eq!(open(map), api_servers);
        }
        assert_eq!(open(bundle.get("certificates")), api_servers);
        assert_eq!(open(bundle.get("private_keys")), [""; 0], "other names are no reason for another key");
        for map in ["public_keys", "encryption_keys"] {
            assert_eq!(bundle.get(map), state.get("bundle").get(map));
        }
        let warnings = plan.warnings.join("\n");
        assert!(warnings.contains("apiserver/cp-1: ") && !warnings.contains("etcd-ca"), "{warnings}");
        assert!(!warnings.contains("restart"), "a claim about restarts: {warnings}");
    }
}

#[tokio::test]
async fn hosts_that_are_not_known_yet_leave_every_key_that_is_made_once_known() {
    let (mut stage, state) = pki().await;
    let config = stage.with(&[("hosts", Value::Unknown)]);
    let planned = stage.engine.plan("k8s_pki", &state, &config).await.planned;
    assert!(planned.get("certificates").is_unknown() && planned.get("bundle").get("certificates").is_unknown());
    for map in ["public_keys", "encryption_keys"] {
        assert_eq!(planned.get("bundle").get(map), state.get("bundle").get(map));
    }
}

/// Part by part, as outputs of a module are passed on; and as a whole, at the first plan and at one that reissues certificates.
#[tokio::test]
async fn a_pki_of_which_parts_are_unknown_can_be_planned_with() {
    let (mut stage, state) = cluster().await;
    let pki_config = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    let first = stage.engine.plan("k8s_pki", &Value::Null, &pki_config).await.planned;
    let config = stage.with(&[("pki", first.get("bundle").clone())]);
    let plan = stage.engine.plan("k8s_hardway_cluster", &Value::Null, &config).await;
    assert!(!plan.is_empty);

    let mut renamed = pki_config;
    renamed.set("endpoints", vec!["api.example.net"].into());
    let partly = stage.engine.plan("k8s_pki", &stage.states["k8s_pki"].clone(), &renamed).await.planned;
    let config = stage.with(&[("pki", partly.get("bundle").clone())]);
    let plan = stage.engine.plan("k8s_hardway_cluster", &state, &config).await;
    assert!(!plan.is_empty && plan.replaces.is_empty());
}
