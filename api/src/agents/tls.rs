//! TLS of the agents' listener: our own certificate, HTTP/2 first, one provider (ring).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
}

/// The listener's configuration, from `server.pem` and `server.key` in `directory`.
pub fn server_config(directory: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let path = directory.join("server.pem");
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect);
    let certificates = certificates.map_err(|source| TlsError::Read { path, source })?;
    let path = directory.join("server.key");
    let key = PrivateKeyDer::from_pem_file(&path).map_err(|source| TlsError::Read { path, source })?;
    let wrong = |source| TlsError::Use { directory: directory.to_owned(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(wrong)?;
    let mut config = builder.with_no_client_auth().with_single_cert(certificates, key).map_err(wrong)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
