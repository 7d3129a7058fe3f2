//! What there is besides managed resources: schemas, the provider itself, data sources, functions.

use crate::client::{Engine, to_wire};
use ::schema::{Type, Value};
use protocol::wire::tfplugin6::*;

#[tokio::test]
async fn everything_is_announced() {
    let mut engine = Engine::start().await;
    let schema = engine.provider.get_provider_schema(get_provider_schema::Request {}).await.unwrap().into_inner();
    let capabilities = schema.server_capabilities.unwrap();
    assert!(capabilities.plan_destroy && capabilities.get_provider_schema_optional && capabilities.move_resource_state);
    assert!(schema.resource_schemas.contains_key("fake_note"));
    assert!(schema.data_source_schemas.contains_key("fake_count"));
    let variadic = schema.functions["shout"].variadic_parameter.as_ref().unwrap();
    assert!(variadic.allow_unknown_values && !variadic.allow_null_value);
    assert_eq!(schema.resource_schemas["fake_note"].version, 2);

    let metadata = engine.provider.get_metadata(get_metadata::Request {}).await.unwrap().into_inner();
    assert_eq!(metadata.resources[0].type_name, "fake_note");
    let functions = engine.provider.get_functions(get_functions::Request {}).await.unwrap().into_inner();
    assert_eq!(functions.functions, schema.functions);
    let request = get_resource_identity_schemas::Request {};
    let identities = engine.provider.get_resource_identity_schemas(request).await.unwrap().into_inner();
    assert_eq!(identities.identity_schemas["fake_note"].identity_attributes[0].r#type, br#""string""#);
}

#[tokio::test]
async fn the_configuration_of_the_provider_is_validated() {
    let mut engine = Engine::start().await;
    let ty = Type::object([("directory", Type::String)]);
    for (directory, errors) in [(Value::from("/tmp"), 0), (Value::from(""), 1), (Value::Unknown, 0)] {
        let config = Some(to_wire(&Value::object([("directory", directory)]), &ty));
        let request = validate_provider_config::Request { config };
        let response = engine.provider.validate_provider_config(request).await.unwrap().into_inner();
        assert_eq!(response.diagnostics.len(), errors);
    }
}

#[tokio::test]
async fn a_data_source_is_read_with_its_defaults() {
    let mut engine = Engine::start().await;
    std::fs::write(engine.notes.path().join("a"), "").unwrap();
    let ty = Type::object([("prefix", Type::String), ("total", Type::Number)]);
    let config = Some(to_wire(&Value::object([]), &ty));
    let request = validate_data_resource_config::Request { type_name: "fake_count".into(), config: config.clone() };
    assert_eq!(engine.provider.validate_data_resource_config(request).await.unwrap().into_inner().diagnostics, []);
    let request = read_data_source::Request { type_name: "fake_count".into(), config, ..Default::default() };
    let response = engine.provider.read_data_source(request).await.unwrap().into_inner();
    let state = Value::from_msgpack(&response.state.unwrap().msgpack, &ty).unwrap();
    assert_eq!(state, Value::object([("prefix", "".into()), ("total", 1.into())]));
}

#[tokio::test]
async fn a_function_answers_or_names_the_argument() {
    let mut engine = Engine::start().await;
    let mut call = async |text: &str| {
        let arguments = vec![to_wire(&text.into(), &Type::String)];
        engine.provider.call_function(call_function::Request { name: "shout".into(), arguments }).await.unwrap().into_inner()
    };
    assert_eq!(call("hello").await.result, Some(to_wire(&"HELLO".into(), &Type::String)));
    let refused = call("").await.error.unwrap();
    assert_eq!((refused.text.as_str(), refused.function_argument), ("there is nothing to say", Some(0)));
    let panicked = call("panic").await.error.unwrap();
    assert!(panicked.text.contains("provider bug") && panicked.text.contains("shout"), "{}", panicked.text);
}

#[tokio::test]
async fn a_function_takes_any_number_of_arguments_known_or_not() {
    let mut engine = Engine::start().await;
    let mut call = async |more: &[Value]| {
        let text = to_wire(&"hello".into(), &Type::String);
        let arguments = std::iter::once(text).chain(more.iter().map(|value| to_wire(value, &Type::Dynamic))).collect();
        engine.provider.call_function(call_function::Request { name: "shout".into(), arguments }).await.unwrap().into_inner()
    };
    assert_eq!(call(&["!".into(), "?".into()]).await.result, Some(to_wire(&"HELLO!?".into(), &Type::String)));
    assert_eq!(call(&[Value::Unknown]).await.result, Some(to_wire(&Value::Unknown, &Type::String)));
}
