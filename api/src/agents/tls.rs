//! TLS of the agents' listener: our own certificate, HTTP/2 first, one provider (ring).
//!
//! A client certificate of our authority is asked for, and looked at by [`super::host`]; without one a
//! connection is good for joining alone. The authority's certificate is sent along, so that a host that
//! joins can tell it by the fingerprint in its token.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

/// Why the listener has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}; `cuttle-api init` makes it")]
    Read {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("the certificate and the key in {directory} cannot be used")]
    Use {
        directory: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("the authority in {directory} cannot be trusted with hosts' certificates")]
    Verify {
        directory: PathBuf,
        #[source]
        source: VerifierBuilderError,
    },
}

/// The listener's configuration, from `server.pem`, `server.key` and `ca.pem` in `directory`.
pub fn server_config(directory: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let path = directory.join("server.pem");
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect);
    let mut certificates = certificates.map_err(|source| TlsError::Read { path, source })?;
    let path = directory.join("ca.pem");
    let authority = CertificateDer::from_pem_file(&path).map_err(|source| TlsError::Read { path, source })?;
    let path = directory.join("server.key");
    let key = PrivateKeyDer::from_pem_file(&path).map_err(|source| TlsError::Read { path, source })?;
    let wrong = |source| TlsError::Use { directory: directory.to_owned(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(wrong)?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(wrong)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).allow_unauthenticated().build();
    let verifier = verifier.map_err(|source| TlsError::Verify { directory: directory.to_owned(), source })?;
    certificates.push(authority);
    let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(certificates, key).map_err(wrong)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
