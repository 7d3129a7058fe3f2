//! A managed resource from the engine's side: its life, and what happens when the resource misbehaves.

use crate::client::Engine;
use crate::fake;
use ::schema::Value;
use protocol::wire::tfplugin6::diagnostic::Severity;
use protocol::wire::tfplugin6::*;

fn note(name: &str, text: &str) -> Value {
    Value::object([("name", name.into()), ("text", text.into())])
}

fn texts(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{}\n{}\n", diagnostic.summary, diagnostic.detail)).collect()
}

#[track_caller]
fn assert_bug(diagnostics: &[Diagnostic], about: &str) {
    let text = texts(diagnostics);
    assert!(text.contains("Provider bug") && text.contains(about) && text.contains("report"), "{text}");
}

#[tokio::test]
async fn a_note_lives_and_its_second_plan_is_empty() {
    let mut engine = Engine::start().await;
    let config = note("a", "hello");

    let created = engine.change(&Value::Null, &config).await;
    assert_eq!(created.get("uid"), &Value::from("uid of a"));
    assert_eq!(created.get("copies"), &Value::from(1), "the default");

    let read = engine.read(&created).await;
    assert_eq!(engine.note_from(read.new_state), created);
    let again = engine.plan(&created, &config).await;
    assert_eq!(engine.note_from(again.planned_state), created);
    assert_eq!((again.requires_replace, again.planned_private), (Vec::new(), b"private".to_vec()));

    let updated = engine.change(&created, &note("a", "good bye")).await;
    assert_eq!(std::fs::read_to_string(engine.notes.path().join("a")).unwrap(), "good bye");

    let destroy = engine.plan(&updated, &Value::Null).await;
    assert_eq!(destroy.diagnostics[0].severity, i32::from(Severity::Warning));
    let deleted = engine.apply(&updated, &Value::Null, destroy.planned_state).await;
    assert!(engine.note_from(deleted.new_state).is_null());
    assert!(!engine.notes.path().join("a").exists());
}

#[tokio::test]
async fn what_vanished_outside_of_the_engine_is_null_after_a_read() {
    let mut engine = Engine::start().await;
    let created = engine.change(&Value::Null, &note("a", "hello")).await;
    std::fs::remove_file(engine.notes.path().join("a")).unwrap();
    let read = engine.read(&created).await;
    assert!(engine.note_from(read.new_state).is_null());
    assert_eq!(read.new_identity, None);
}

#[tokio::test]
async fn another_name_is_another_note() {
    let mut engine = Engine::start().await;
    let created = engine.change(&Value::Null, &note("a", "hello")).await;
    let planned = engine.plan(&created, &note("b", "hello")).await;
    let paths: Vec<_> = planned.requires_replace.iter().map(|path| path.steps.len()).collect();
    assert_eq!(paths, [1]);
    let created_again = engine.plan(&Value::Null, &note("b", "hello")).await;
    assert_eq!(created_again.requires_replace, [], "nothing is replaced by a create");
}

#[tokio::test]
async fn a_write_only_value_reaches_apply_and_nothing_else() {
    let mut engine = Engine::start().await;
    let mut config = note("a", "hello");
    config.set("seal", "canary".into());
    let planned = engine.plan(&Value::Null, &config).await;
    let planned_state = planned.planned_state.clone();
    assert!(engine.note_from(planned_state.clone()).get("seal").is_null());
    let applied = engine.apply(&Value::Null, &config, planned_state).await;
    let state = engine.note_from(applied.new_state);
    assert_eq!((state.get("seal"), state.get("sealed")), (&Value::Null, &Value::from(true)));
}

#[tokio::test]
async fn an_engine_without_write_only_attributes_is_told_so() {
    let mut engine = Engine::start().await;
    let mut config = note("a", "hello");
    config.set("seal", "canary".into());
    for (allowed, expect) in [(true, ""), (false, "seal")] {
        let capabilities = ClientCapabilities { write_only_attributes_allowed: allowed, ..Default::default() };
        let request = validate_resource_config::Request {
            type_name: "fake_note".into(),
            config: engine.note(&config),
            client_capabilities: Some(capabilities),
        };
        let text = texts(&engine.provider.validate_resource_config(request).await.unwrap().into_inner().diagnostics);
        assert!(text.is_empty() == allowed && text.contains(expect) && !text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn an_invalid_configuration_is_told_with_its_attribute() {
    let mut engine = Engine::start().await;
    let config = engine.note(&note("a/b", "hello"));
    let request = validate_resource_config::Request { type_name: "fake_note".into(), config, ..Default::default() };
    let diagnostics = engine.provider.validate_resource_config(request).await.unwrap().into_inner().diagnostics;
    let steps = &diagnostics[0].attribute.as_ref().unwrap().steps;
    let name = attribute_path::step::Selector::AttributeName("name".into());
    assert_eq!(steps[0].selector, Some(name));
}

#[tokio::test]
async fn what_is_required_and_null_is_told_with_its_path() {
    let mut engine = Engine::start().await;
    let host = Value::object([("address", Value::Null)]);
    let config = Value::object([("name", Value::Null), ("hosts", Value::object([("a", host), ("b", Value::Null)]))]);
    let config = engine.note(&config);
    let request = validate_resource_config::Request { type_name: "fake_note".into(), config, ..Default::default() };
    let diagnostics = engine.provider.validate_resource_config(request).await.unwrap().into_inner().diagnostics;
    let summaries: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect();
    let expect = ["`name` is required, but null", "`hosts[\"a\"].address` is required, but null", "`hosts[\"b\"]` is null"];
    assert_eq!(summaries, expect);
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.attribute.is_some()));
}

#[tokio::test]
async fn an_element_that_is_null_to_be_absent_is_kept_in_plan_and_state_and_seen_by_nobody() {
    let mut engine = Engine::start().await;
    let mut config = note("a", "hello");
    config.set("tags", Value::object([("team", "x".into()), ("none", Value::Null)]));
    let created = engine.change(&Value::Null, &config).await;
    assert_eq!((created.get("tags"), created.get("tag_count")), (config.get("tags"), &Value::from(1)));
    let read = engine.read(&created).await;
    assert_eq!(engine.note_from(read.new_state), created);
    let again = engine.plan(&created, &config).await;
    assert_eq!(engine.note_from(again.planned_state), created);
}

#[tokio::test]
async fn what_is_never_null_is_so_at_plan_already() {
    let mut engine = Engine::start().await;
    let planned = engine.plan(&Value::Null, &note("a", "hello")).await;
    let bytes = planned.planned_state.unwrap().msgpack;
    let of = |name: &[u8], value: &[u8]| [name, value].concat();
    let has = |part: Vec<u8>| bytes.windows(part.len()).any(|window| window == part);
    assert!(has(of(b"\xa3uid", b"\xc7\x03\x0c\x81\x01\xc2")) && has(of(b"\xa6sealed", b"\xd4\0\0")));

    let config = note("a", fake::FORGETS_ID);
    let planned = engine.plan(&Value::Null, &config).await;
    let applied = engine.apply(&Value::Null, &config, planned.planned_state).await;
    assert_bug(&applied.diagnostics, "`uid` is declared never to be null");
}

#[tokio::test]
async fn an_import_is_by_id_or_by_identity() {
    let mut engine = Engine::start().await;
    engine.change(&Value::Null, &note("a", "hello")).await;
    let planned = engine.plan(&Value::Null, &note("a", "hello")).await;
    let requests = [
        import_resource_state::Request { id: "a".into(), ..Default::default() },
        import_resource_state::Request { identity: planned.planned_identity, ..Default::default() },
    ];
    for request in requests {
        let request = import_resource_state::Request { type_name: "fake_note".into(), ..request };
        let response = engine.provider.import_resource_state(request).await.unwrap().into_inner();
        assert_eq!(response.diagnostics, []);
        let imported = response.imported_resources.into_iter().next().unwrap();
        assert!(imported.identity.is_some());
        let read = engine.read(&engine.note_from(imported.state)).await;
        let state = engine.note_from(read.new_state);
        assert_eq!((state.get("text"), state.get("uid")), (&"hello".into(), &"uid of a".into()));
    }
}

#[tokio::test]
async fn an_older_state_is_upgraded_and_a_newer_one_refused() {
    let mut engine = Engine::start().await;
    let mut upgrade = async |version, json: &str| {
        let raw_state = Some(RawState { json: json.into() });
        let request = upgrade_resource_state::Request { type_name: "fake_note".into(), version, raw_state };
        engine.provider.upgrade_resource_state(request).await.unwrap().into_inner()
    };
    let old = upgrade(1, r#"{"title":"a","text":"hello","dropped":1}"#).await;
    let current = upgrade(2, r#"{"name":"a","text":"hello"}"#).await;
    let newer = upgrade(3, r#"{"name":"a","text":"hello"}"#).await;
    assert_eq!(old.upgraded_state, current.upgraded_state);
    let state = engine.note_from(old.upgraded_state);
    assert_eq!((state.get("name"), state.get("text"), state.get("uid")), (&"a".into(), &"hello".into(), &Value::Null));
    assert!(texts(&newer.diagnostics).contains("newer"));
}

#[tokio::test]
async fn a_state_of_another_type_is_not_moved() {
    let mut engine = Engine::start().await;
    let request = move_resource_state::Request {
        source_provider_address: "registry.terraform.io/example/fake".into(),
        source_type_name: "fake_memo".into(),
        source_schema_version: 1,
        source_state: Some(RawState { json: br#"{"title":"a","text":"hello"}"#.to_vec() }),
        target_type_name: "fake_note".into(),
        ..Default::default()
    };
    let refused = engine.provider.move_resource_state(request).await.unwrap().into_inner();
    assert!(refused.target_state.is_none());
    assert!(texts(&refused.diagnostics).contains("annot move fake_memo to fake_note"), "{:?}", refused.diagnostics);
}

#[tokio::test]
async fn an_identity_that_is_stored_is_read_back() {
    let mut engine = Engine::start().await;
    let request = upgrade_resource_identity::Request {
        type_name: "fake_note".into(),
        version: 0,
        raw_identity: Some(RawState { json: br#"{"name":"a"}"#.to_vec() }),
    };
    let upgraded = engine.provider.upgrade_resource_identity(request).await.unwrap().into_inner();
    let planned = engine.plan(&Value::Null, &note("a", "hello")).await;
    assert_eq!(upgraded.upgraded_identity, planned.planned_identity);
}

#[tokio::test]
async fn a_panic_is_a_diagnostic_and_the_plugin_goes_on() {
    let mut engine = Engine::start().await;
    let planned = engine.plan(&Value::Null, &note("a", fake::PANICS_IN_PLAN)).await;
    assert_bug(&planned.diagnostics, "plan of fake_note panicked");

    let config = note("a", fake::PANICS_IN_APPLY);
    let planned = engine.plan(&Value::Null, &config).await;
    let applied = engine.apply(&Value::Null, &config, planned.planned_state).await;
    assert_bug(&applied.diagnostics, "apply of fake_note panicked");
    let state = engine.note_from(applied.new_state);
    assert_eq!(state.get("name"), &"a".into(), "what may exist is kept");

    engine.change(&Value::Null, &note("b", "hello")).await;
}

#[tokio::test]
async fn a_plan_that_changes_the_configuration_is_a_bug_told_without_the_secret() {
    let mut engine = Engine::start().await;
    let planned = engine.plan(&Value::Null, &note("a", fake::CHANGES_CONFIG)).await;
    assert_bug(&planned.diagnostics, "`text`");
    assert!(planned.diagnostics[0].attribute.is_some());
    let text = texts(&planned.diagnostics);
    assert!(!text.contains("another") && !text.contains(fake::CHANGES_CONFIG), "{text}");
}

#[tokio::test]
async fn an_apply_that_forgets_the_plan_is_a_bug_and_its_state_is_kept() {
    let mut engine = Engine::start().await;
    let config = note("a", fake::FORGETS_PLAN);
    let planned = engine.plan(&Value::Null, &config).await;
    let applied = engine.apply(&Value::Null, &config, planned.planned_state).await;
    assert_bug(&applied.diagnostics, "`text`");
    assert_eq!(engine.note_from(applied.new_state).get("text"), &"another".into());
}

#[tokio::test]
async fn a_failed_apply_keeps_what_exists_and_nothing_unknown() {
    let mut engine = Engine::start().await;
    let config = note("a", fake::FAILS_HALFWAY);
    let planned = engine.plan(&Value::Null, &config).await;
    let applied = engine.apply(&Value::Null, &config, planned.planned_state).await;
    assert_eq!(texts(&applied.diagnostics), "No space left\n\n");
    let state = engine.note_from(applied.new_state);
    assert_eq!((state.get("name"), state.get("uid")), (&"a".into(), &Value::Null));
}

#[tokio::test]
async fn stop_reaches_work_under_way_which_answers_with_its_state() {
    let mut engine = Engine::start().await;
    let config = note("a", fake::WAITS_FOR_STOP);
    let planned = engine.plan(&Value::Null, &config).await;
    let request = engine.apply_request(&Value::Null, &config, planned.planned_state);
    let mut client = engine.provider.clone();
    let apply = tokio::spawn(async move { client.apply_resource_change(request).await });
    while !engine.notes.path().join("a").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.provider.stop_provider(stop_provider::Request {}).await.unwrap().into_inner().error, "");
    let applied = apply.await.unwrap().unwrap().into_inner();
    assert_eq!(texts(&applied.diagnostics), "Stopped\n\n");
    assert_eq!(engine.note_from(applied.new_state).get("uid"), &"uid of a".into());
}

#[tokio::test]
async fn a_state_of_many_megabytes_passes() {
    let mut engine = Engine::start().await;
    let text = "x".repeat(8 << 20);
    let created = engine.change(&Value::Null, &note("a", &text)).await;
    assert_eq!(created.get("text").as_str().map(str::len), Some(text.len()));
}

#[tokio::test]
async fn a_type_that_does_not_exist_is_a_diagnostic() {
    let mut engine = Engine::start().await;
    let request = read_resource::Request { type_name: "fake_nothing".into(), ..Default::default() };
    let read = engine.provider.read_resource(request).await.unwrap().into_inner();
    assert_bug(&read.diagnostics, "fake_nothing");
}
