//! Mutual TLS with the engine: each side holds a throw-away certificate that the other learnt beforehand, over the environment
//! and the handshake line. There is no authority and no chain.

use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use crate::handshake::ServeError;

/// The name that go-plugin's client expects in the certificate.
const SERVER_NAME: &str = "localhost";

pub(crate) struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
    /// Goes into the handshake line; the engine trusts exactly this certificate.
    pub(crate) certificate: CertificateDer<'static>,
}

/// Serves only the client whose certificate is `client_certificate` (PEM).
pub(crate) fn server_tls(client_certificate: &str) -> Result<ServerTls, ServeError> {
    let pinned = CertificateDer::from_pem_slice(client_certificate.as_bytes())
        .map_err(|error| ServeError::Tls(format!("PLUGIN_CLIENT_CERT is not a PEM certificate: {error}")))?;
    let (certificate, key) = issue_certificate().map_err(|error| ServeError::Tls(error.to_string()))?;

    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = PinnedClient { certificate: pinned, provider: provider.clone() };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_client_cert_verifier(Arc::new(verifier)))
        .and_then(|builder| builder.with_single_cert(vec![certificate.clone()], key))
        .map_err(|error| ServeError::Tls(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // One connection per process: tickets would only draw randomness.
    config.send_tls13_tickets = 0;
    Ok(ServerTls { config: Arc::new(config), certificate })
}

/// Self-signed, P-256: quicker to make than go-plugin's P-521, which only its own client certificate has to be.
fn issue_certificate() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new([SERVER_NAME.to_owned()])?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = parameters.self_signed(&key)?;
    Ok((certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into())))
}

/// Accepts one certificate, byte for byte. go-plugin's is a self-signed authority used as a leaf, which no chain verifier
/// takes; comparing the bytes says more, and the signature over the handshake proves that the peer holds the key.
#[derive(Debug)]
struct PinnedClient {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PinnedClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_else_than_a_certificate_is_refused_by_name() {
        let error = server_tls("not a certificate").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("PLUGIN_CLIENT_CERT"), "{error}");
    }
}
