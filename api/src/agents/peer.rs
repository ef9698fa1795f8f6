//! Who is at the other end of an agent's connection: its address and the certificate that it has shown.

use std::io;
use std::net::SocketAddr;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use futures::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tower::Layer;

/// The other end, as each request of its connection carries it.
#[derive(Debug, Clone)]
pub struct Peer {
    pub address: SocketAddr,
    /// SHA-256 of its certificate (DER); `None`: it has shown none.
    pub certificate_sha256: Option<[u8; 32]>,
}

/// Accepts TLS connections, and notes who is at the other end.
#[derive(Clone)]
pub struct PeerAcceptor(RustlsAcceptor<NoDelayAcceptor>);

impl PeerAcceptor {
    pub fn new(config: RustlsConfig) -> Self {
        Self(RustlsAcceptor::new(config).acceptor(NoDelayAcceptor::new()))
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for PeerAcceptor {
    type Stream = TlsStream<TcpStream>;
    type Service = AddExtension<S, Peer>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let acceptor = self.0.clone();
        Box::pin(async move {
            let address = stream.peer_addr()?;
            let (stream, service) = acceptor.accept(stream, service).await?;
            let shown = stream.get_ref().1.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
            let certificate_sha256 = shown.map(|certificate| Sha256::digest(certificate).into());
            let service = Extension(Peer { address, certificate_sha256 }).layer(service);
            Ok((stream, service))
        })
    }
}
