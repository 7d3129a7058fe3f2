//! Who may connect, and how serving ends.

use std::time::Duration;

use crate::client::{ClientCertificate, Engine, Launched, connect, connect_plain};
use protocol::wire::health::HealthCheckRequest;
use protocol::wire::health::health_check_response::ServingStatus;
use protocol::wire::health::health_client::HealthClient;
use protocol::wire::plugin::Empty;
use protocol::wire::plugin::grpc_stdio_client::GrpcStdioClient;
use protocol::wire::tfplugin6::get_metadata;
use protocol::wire::tfplugin6::provider_client::ProviderClient;
use tonic::Code;
use tonic::transport::{Channel, Error};

/// With TLS 1.3 a client only learns by its first request that its certificate was refused.
async fn can_call(channel: Result<Channel, Error>) -> bool {
    let Ok(channel) = channel else { return false };
    ProviderClient::new(channel).get_metadata(get_metadata::Request {}).await.is_ok()
}

#[tokio::test]
async fn only_the_certificate_of_the_engine_is_let_in() {
    let launched = Launched::start();
    let tls = launched.tls(&ClientCertificate::issue());
    assert!(!can_call(connect(launched.socket.clone(), tls).await).await, "another certificate");
    let tls = launched.tls_without_client_certificate();
    assert!(!can_call(connect(launched.socket.clone(), tls).await).await, "no certificate");
    assert!(!can_call(connect_plain(launched.socket.clone()).await).await, "no TLS");
    let tls = launched.tls(&launched.certificate);
    assert!(can_call(connect(launched.socket.clone(), tls).await).await, "the engine, after all of these");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_in_nobodys_way() {
    let launched = Launched::start();
    let _silent = tokio::net::UnixStream::connect(&launched.socket).await.unwrap();
    let tls = launched.tls(&launched.certificate);
    assert!(can_call(connect(launched.socket.clone(), tls).await).await);
}

#[tokio::test]
async fn go_plugin_finds_its_services() {
    let engine = Engine::start().await;
    let mut health = HealthClient::new(engine.channel.clone());
    let check = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let status = health.check(check("plugin")).await.unwrap().into_inner().status;
    assert_eq!(status, i32::from(ServingStatus::Serving));
    assert_eq!(health.check(check("another")).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn shutdown_ends_the_stream_of_output_and_the_server_and_removes_the_socket() {
    let engine = Engine::start().await;
    let directory = engine.socket.parent().unwrap().to_owned();
    let mut output = GrpcStdioClient::new(engine.channel.clone()).stream_stdio(Empty {}).await.unwrap().into_inner();
    let quiet = tokio::time::timeout(Duration::from_millis(100), output.message()).await;
    assert!(quiet.is_err(), "the stream must stay open");
    engine.shut_down().await.unwrap();
    assert_eq!(output.message().await.unwrap(), None);
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_method_of_a_newer_protocol_is_unimplemented() {
    let engine = Engine::start().await;
    let mut client = tonic::client::Grpc::new(engine.channel.clone());
    client.ready().await.unwrap();
    let path = "/tfplugin6.Provider/ValidateListResourceConfig".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<Empty, Empty>::default();
    let status = client.unary(tonic::Request::new(Empty {}), path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
