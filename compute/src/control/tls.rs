//! How the agent knows control nodes, and they it: TLS with certificates of Cuttle's own authority on
//! both sides. A host that joins knows the authority by its fingerprint alone, and shows nothing.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::identity::Identity;

/// For a host that has joined. The error names no key.
pub fn connector(identity: &Identity) -> Result<TlsConnector, String> {
    let authority = CertificateDer::from_pem_slice(identity.authority.as_bytes()).map_err(|error| error.to_string())?;
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(identity.private_key.as_bytes())
        .map_err(|_| "its private key cannot be read".to_owned())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(authority).map_err(|error| error.to_string())?);
    let config = builder.with_client_auth_cert(vec![certificate], key).map_err(|error| error.to_string())?;
    Ok(http2(config))
}

/// For a host that joins: the control node must show a certificate of the authority with this fingerprint.
pub fn connector_to_join(authority_sha256: [u8; 32]) -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { authority_sha256, provider }))
        .with_no_client_auth();
    Ok(http2(config))
}

fn http2(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

fn roots(authority: CertificateDer<'static>) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    Ok(Arc::new(roots))
}

/// Trusts what is signed by the authority with this fingerprint, whose certificate the other side sends
/// along. All the rest (names, times, signatures) is looked at as always.
#[derive(Debug)]
struct Pinned {
    authority_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_pinned = |sent: &&CertificateDer<'_>| <[u8; 32]>::from(Sha256::digest(sent)) == self.authority_sha256;
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.iter().find(is_pinned).ok_or(unknown)?.clone().into_owned();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots(authority)?, Arc::clone(&self.provider)).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    struct Cloud {
        authority: CertificateDer<'static>,
        server: CertificateDer<'static>,
    }

    fn cloud() -> Cloud {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().der().clone();
        let server = CertificateParams::new(vec!["control1".to_owned()]).unwrap();
        let server = server.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key)).unwrap().der().clone();
        Cloud { authority, server }
    }

    #[test]
    fn only_the_authority_of_the_token_is_trusted() {
        let (ours, foreign) = (cloud(), cloud());
        let pinned =
            Pinned { authority_sha256: Sha256::digest(&ours.authority).into(), provider: Arc::new(ring::default_provider()) };
        let verify = |server: &CertificateDer<'_>, sent: &[CertificateDer<'_>], name: &'static str| {
            pinned.verify_server_cert(server, sent, &ServerName::try_from(name).unwrap(), &[], UnixTime::now()).is_ok()
        };
        let sent = [ours.authority.clone()];
        assert!(verify(&ours.server, &sent, "control1"));
        assert!(!verify(&ours.server, &sent, "control2"), "another name");
        assert!(!verify(&ours.server, &[], "control1"), "the authority was not sent");
        assert!(!verify(&foreign.server, std::slice::from_ref(&foreign.authority), "control1"), "another authority");
        // The right authority's certificate is public: sending it along proves nothing.
        assert!(!verify(&foreign.server, &sent, "control1"));
        assert!(!verify(&foreign.server, &[foreign.authority, ours.authority], "control1"));
    }
}
