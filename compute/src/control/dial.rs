//! One connection to a control node: HTTP/2 over TLS, with certificates of our own authority on both sides.
//!
//! The host's certificate is read at each dial, so that the next one is used without a restart. A
//! connection that is dead without saying so is noticed by HTTP/2's pings.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls;
use crate::identity::{Identity, IdentityError};

/// The agents' port where the URL names none.
const DEFAULT_PORT: u16 = 8775;
/// The longest answer that is read.
const LONGEST_ANSWER: usize = 4 << 20;
/// How much of an error's answer is shown.
const SHOWN: usize = 300;
const PING_EVERY: Duration = Duration::from_secs(3);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What is needed to dial.
#[derive(Debug, Clone)]
pub struct Dialer {
    /// The host's identity, as [`Identity`] keeps it.
    pub identity: PathBuf,
    /// For connecting, and for each exchange.
    pub timeout: Duration,
}

/// Why a connection could not be made or used. It names no token.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("'{url}' is not the https address of a control node: {reason}")]
    Url { url: String, reason: String },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot use the certificate in {}: {reason}", .path.display())]
    Certificate { path: PathBuf, reason: String },
    #[error("cannot prepare TLS: {0}")]
    Tls(String),
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("no answer from {to} within {} s", .waited.as_secs())]
    Timeout { to: String, waited: Duration },
    #[error("the exchange at {path} broke off: {source}")]
    Exchange { path: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path} was answered with {status}: {answer}")]
    Status { path: &'static str, status: StatusCode, answer: String },
    #[error("the answer to {path} is not understood: {source}")]
    Answer { path: &'static str, source: serde_json::Error },
}

impl LinkError {
    /// The control plane understood, and does not want it: asking again changes nothing.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status, .. } if status.is_client_error())
    }
}

impl Dialer {
    /// Connects, and shows the host's certificate.
    pub async fn dial(&self, url: &str) -> Result<(Link, Identity), LinkError> {
        let bad = |reason: String| LinkError::Certificate { path: self.identity.clone(), reason };
        let identity = Identity::load(&self.identity)?.ok_or_else(|| bad("it is not there".to_owned()))?;
        let connector = tls::connector(&identity).map_err(bad)?;
        Ok((open(url, connector, self.timeout).await?, identity))
    }
}

/// Connects to a control node of the authority with this fingerprint, and shows nothing.
pub async fn dial_to_join(url: &str, authority_sha256: [u8; 32], timeout: Duration) -> Result<Link, LinkError> {
    open(url, tls::connector_to_join(authority_sha256).map_err(LinkError::Tls)?, timeout).await
}

async fn open(url: &str, connector: TlsConnector, timeout: Duration) -> Result<Link, LinkError> {
    let place = Place::parse(url)?;
    let late = || LinkError::Timeout { to: place.address(), waited: timeout };
    let (sender, driver) = tokio::time::timeout(timeout, connect(&place, connector)).await.map_err(|_| late())??;
    Ok(Link { sender, driver: Driver(driver), authority: place.authority, timeout })
}

/// Where a control node listens.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    host: String,
    port: u16,
    authority: String,
}

impl Place {
    fn parse(url: &str) -> Result<Self, LinkError> {
        let bad = |reason: &str| LinkError::Url { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(bad("it does not start with https://"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad("it has a path"));
        }
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        let port = authority.port_u16().unwrap_or(DEFAULT_PORT);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { authority: format!("{}:{port}", authority.host()), host, port })
    }

    fn address(&self) -> String {
        self.authority.clone()
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn connect(place: &Place, connector: TlsConnector) -> Result<(Sender, JoinHandle<()>), LinkError> {
    let failed = |source| LinkError::Connect { address: place.address(), source };
    let name = ServerName::try_from(place.host.clone())
        .map_err(|_| LinkError::Url { url: place.address(), reason: "its host is neither a name nor an address".to_owned() })?;
    let tcp = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    let tls = connector.connect(name, tcp).await.map_err(failed)?;
    if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(failed(io::Error::other("the other side does not speak HTTP/2")));
    }
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(tls))
        .await
        .map_err(|error| failed(io::Error::other(error)))?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the control plane ended");
        }
    });
    Ok((sender, driver))
}

/// The task that moves a connection's bytes; it ends with the connection's last user.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An open connection. Exchanges may run at the same time.
pub struct Link {
    sender: Sender,
    /// Held for its end.
    #[expect(dead_code, reason = "aborts its task when dropped")]
    driver: Driver,
    authority: String,
    timeout: Duration,
}

impl Link {
    /// Posts a message and reads the answer.
    pub async fn post<M: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        path: &'static str,
        message: &M,
    ) -> Result<A, LinkError> {
        let body = serde_json::to_vec(message).map_err(|source| LinkError::Exchange { path, source: source.into() })?;
        let exchange = async {
            let response = self.send(Method::POST, path, body.into()).await?;
            let bytes = read(path, response.into_body()).await?;
            serde_json::from_slice(&bytes).map_err(|source| LinkError::Answer { path, source })
        };
        self.in_time(path, exchange).await
    }

    /// Opens an endless answer.
    pub async fn stream(&self, path: &'static str) -> Result<Incoming, LinkError> {
        let opening = self.send(Method::GET, path, Bytes::new());
        Ok(self.in_time(path, opening).await?.into_body())
    }

    async fn in_time<T>(&self, path: &'static str, work: impl Future<Output = Result<T, LinkError>>) -> Result<T, LinkError> {
        let late = |_| LinkError::Timeout { to: format!("{}{path}", self.authority), waited: self.timeout };
        tokio::time::timeout(self.timeout, work).await.map_err(late)?
    }

    async fn send(&self, method: Method, path: &'static str, body: Bytes) -> Result<Response<Incoming>, LinkError> {
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| LinkError::Exchange { path, source };
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.authority))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| broken(error.into()))?;
        let mut sender = self.sender.clone();
        sender.ready().await.map_err(|error| broken(error.into()))?;
        let response = sender.send_request(request).await.map_err(|error| broken(error.into()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let answer = read(path, response.into_body()).await.unwrap_or_default();
        let answer = String::from_utf8_lossy(&answer).chars().take(SHOWN).collect();
        Err(LinkError::Status { path, status, answer })
    }
}

async fn read(path: &'static str, body: Incoming) -> Result<Bytes, LinkError> {
    let collected = Limited::new(body, LONGEST_ANSWER).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|source| LinkError::Exchange { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_control_nodes() {
        let place = |url| Place::parse(url).map(|place| (place.host, place.port));
        assert_eq!(place("https://control1").unwrap(), ("control1".to_owned(), 8775));
        assert_eq!(place("https://10.0.0.1:99/").unwrap(), ("10.0.0.1".to_owned(), 99));
        assert_eq!(place("https://[fd00::1]:99").unwrap(), ("fd00::1".to_owned(), 99));
        for bad in ["http://control1", "control1:8775", "https://control1/agent", ""] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
