//! Connects to a server of this crate as an engine does: go-plugin's client certificate, a pinned server certificate, HTTP/2
//! over the Unix socket. Values go in and come out as the fake provider's types.

use std::path::PathBuf;
use std::sync::Arc;

use ::schema::{Type, Value};
use hyper_util::rt::TokioIo;
use protocol::wire::plugin::Empty;
use protocol::wire::plugin::grpc_controller_client::GrpcControllerClient;
use protocol::wire::tfplugin6::provider_client::ProviderClient;
use protocol::wire::tfplugin6::*;
use protocol::{Launch, Provider, ServeError, Server};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::fake::FakeProvider;

pub struct Engine {
    pub provider: ProviderClient<Channel>,
    pub channel: Channel,
    pub notes: TempDir,
    pub socket: PathBuf,
    server: JoinHandle<Result<(), ServeError>>,
    note_type: Type,
}

impl Engine {
    /// Serves a fake provider over mutual TLS, connects and configures it.
    pub async fn start() -> Engine {
        let launched = Launched::start();
        let channel = connect(launched.socket.clone(), launched.tls(&launched.certificate)).await.unwrap();
        let Launched { socket, server, .. } = launched;
        let provider =
            ProviderClient::new(channel.clone()).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
        let notes = tempfile::tempdir().unwrap();
        let note_type = FakeProvider::default().resources()[0].schema().value_type();
        let mut engine = Engine { provider, channel, notes, socket, server, note_type };
        engine.configure().await;
        engine
    }

    pub async fn configure(&mut self) {
        let directory = self.notes.path().to_string_lossy().into_owned();
        let config = Value::object([("directory", directory.into())]);
        let config = Some(to_wire(&config, &Type::object([("directory", Type::String)])));
        let request = configure_provider::Request { terraform_version: "1.11.4".into(), config, client_capabilities: None };
        assert_eq!(self.provider.configure_provider(request).await.unwrap().into_inner().diagnostics, []);
    }

    pub fn note(&self, value: &Value) -> Option<DynamicValue> {
        Some(to_wire(value, &self.note_type))
    }

    pub fn note_from(&self, value: Option<DynamicValue>) -> Value {
        Value::from_msgpack(&value.unwrap().msgpack, &self.note_type).unwrap()
    }

    /// Proposes as the engine does: the configuration, and prior values where it has none.
    pub async fn plan(&mut self, prior: &Value, config: &Value) -> plan_resource_change::Response {
        let mut proposed = config.clone();
        for name in ["copies", "sealed", "tag_count", "uid"] {
            if proposed.get(name).is_null() && !proposed.is_null() {
                proposed.set(name, prior.get(name).clone());
            }
        }
        let request = plan_resource_change::Request {
            type_name: "fake_note".into(),
            prior_state: self.note(prior),
            proposed_new_state: self.note(&proposed),
            config: self.note(config),
            prior_private: b"private".into(),
            ..Default::default()
        };
        self.provider.plan_resource_change(request).await.unwrap().into_inner()
    }

    pub async fn apply(
        &mut self,
        prior: &Value,
        config: &Value,
        planned: Option<DynamicValue>,
    ) -> apply_resource_change::Response {
        let request = self.apply_request(prior, config, planned);
        self.provider.apply_resource_change(request).await.unwrap().into_inner()
    }

    pub fn apply_request(&self, prior: &Value, config: &Value, planned: Option<DynamicValue>) -> apply_resource_change::Request {
        apply_resource_change::Request {
            type_name: "fake_note".into(),
            prior_state: self.note(prior),
            planned_state: planned,
            config: self.note(config),
            planned_private: b"private".into(),
            ..Default::default()
        }
    }

    /// Plans and applies without trouble.
    pub async fn change(&mut self, prior: &Value, config: &Value) -> Value {
        let planned = self.plan(prior, config).await;
        assert_eq!(planned.diagnostics, []);
        let applied = self.apply(prior, config, planned.planned_state).await;
        assert_eq!(applied.diagnostics, []);
        self.note_from(applied.new_state)
    }

    pub async fn read(&mut self, state: &Value) -> read_resource::Response {
        let current_state = self.note(state);
        let request = read_resource::Request { type_name: "fake_note".into(), current_state, ..Default::default() };
        self.provider.read_resource(request).await.unwrap().into_inner()
    }

    /// Ends the server as go-plugin does and returns how it ended.
    pub async fn shut_down(self) -> Result<(), ServeError> {
        GrpcControllerClient::new(self.channel.clone()).shutdown(Empty {}).await.unwrap();
        drop((self.provider, self.channel));
        self.server.await.unwrap()
    }
}

/// A running server and what is needed to connect to it.
pub struct Launched {
    pub socket: PathBuf,
    pub certificate: ClientCertificate,
    pub server: JoinHandle<Result<(), ServeError>>,
    server_certificate: CertificateDer<'static>,
}

impl Launched {
    pub fn start() -> Launched {
        let certificate = ClientCertificate::issue();
        let launch = Launch { client_certificate: Some(certificate.pem.clone()), socket_directory: std::env::temp_dir() };
        let server = Server::bind(&launch).unwrap();
        let line = server.handshake_line();
        let fields: Vec<_> = line.split('|').collect();
        assert_eq!((fields[..3].join("|"), fields[4]), ("1|6|unix".to_owned(), "grpc"));
        let server_certificate = decode_base64(fields[5]).into();
        let socket = PathBuf::from(fields[3]);
        let server = tokio::spawn(server.serve(Arc::new(FakeProvider::default())));
        Launched { socket, certificate, server, server_certificate }
    }

    pub fn tls(&self, client: &ClientCertificate) -> TlsConnector {
        let key = PrivateKeyDer::Pkcs8(client.key.serialize_der().into());
        let builder = self.client_config().with_client_auth_cert(vec![client.der.clone()], key);
        connector(builder.unwrap())
    }

    pub fn tls_without_client_certificate(&self) -> TlsConnector {
        connector(self.client_config().with_no_client_auth())
    }

    fn client_config(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedServer(self.server_certificate.clone())))
    }
}

fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

pub async fn connect(socket: PathBuf, tls: TlsConnector) -> Result<Channel, tonic::transport::Error> {
    let connector = tower::service_fn(move |_: Uri| {
        let (socket, tls) = (socket.clone(), tls.clone());
        async move {
            let stream = UnixStream::connect(socket).await?;
            let stream = tls.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://plugin").connect_with_connector(connector).await
}

pub async fn connect_plain(socket: PathBuf) -> Result<Channel, tonic::transport::Error> {
    let connector = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://plugin").connect_with_connector(connector).await
}

/// As go-plugin's `generateCert` makes it: P-521, self-signed, an authority used as a leaf.
pub struct ClientCertificate {
    pub pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl ClientCertificate {
    pub fn issue() -> ClientCertificate {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyAgreement,
            KeyUsagePurpose::KeyCertSign,
        ];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.self_signed(&key).unwrap();
        ClientCertificate { pem: certificate.pem(), der: certificate.der().clone(), key }
    }
}

#[derive(Debug)]
struct PinnedServer(CertificateDer<'static>);

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        assert_eq!(*end_entity, self.0);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub fn to_wire(value: &Value, ty: &Type) -> DynamicValue {
    DynamicValue { msgpack: value.to_msgpack(ty).unwrap(), json: Vec::new() }
}

fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).unwrap()
}
