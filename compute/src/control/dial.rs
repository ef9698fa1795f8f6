//! One connection to a control node: HTTP/2 over TLS, pinned to our own authority, with the host's token.
//!
//! Certificate and token are read at each dial, so that either can be replaced without a restart. A
//! connection that is dead without saying so is noticed by HTTP/2's pings.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

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
    pub ca: PathBuf,
    pub token_file: PathBuf,
    /// For connecting, and for each exchange.
    pub timeout: Duration,
}

/// Why a connection could not be made or used. It names no token.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("'{url}' is not the https address of a control node: {reason}")]
    Url { url: String, reason: String },
    #[error("cannot use the authority's certificate in {}: {reason}", .path.display())]
    Authority { path: PathBuf, reason: String },
    #[error("cannot use the host's token in {}: {reason}", .path.display())]
    Token { path: PathBuf, reason: String },
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

impl Dialer {
    /// Connects.
    pub async fn dial(&self, url: &str) -> Result<Link, LinkError> {
        let place = Place::parse(url)?;
        let authorization = self.authorization()?;
        let connector = self.connector()?;
        let connecting = connect(&place, connector);
        let late = || LinkError::Timeout { to: place.address(), waited: self.timeout };
        let (sender, driver) = tokio::time::timeout(self.timeout, connecting).await.map_err(|_| late())??;
        Ok(Link { sender, driver: Driver(driver), authority: place.authority, authorization, timeout: self.timeout })
    }

    /// Checks what can be checked without a connection, so that a mistake shows at the start.
    pub fn check(&self) -> Result<(), LinkError> {
        self.authorization()?;
        self.connector().map(|_| ())
    }

    fn authorization(&self) -> Result<HeaderValue, LinkError> {
        let bad = |reason: String| LinkError::Token { path: self.token_file.clone(), reason };
        let token = read_token(&self.token_file).map_err(|error| bad(error.to_string()))?;
        let text = SecretString::from(format!("Bearer {}", token.expose_secret()));
        let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| bad("it is not plain text".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn connector(&self) -> Result<TlsConnector, LinkError> {
        let bad = |reason: String| LinkError::Authority { path: self.ca.clone(), reason };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.ca).map_err(|error| bad(error.to_string()))? {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots.add(certificate).map_err(|error| bad(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(bad("it holds no certificate".to_owned()));
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Reads a token from a file that nobody but its owner may read.
fn read_token(path: &Path) -> io::Result<SecretString> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!("others than its owner may use it (mode {:03o}, expected 600)", mode & 0o777)));
    }
    let text = SecretString::from(std::fs::read_to_string(path)?);
    match text.expose_secret().trim() {
        "" => Err(io::Error::other("it is empty")),
        token => Ok(SecretString::from(token.to_owned())),
    }
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
    authorization: HeaderValue,
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
            .header(AUTHORIZATION, self.authorization.clone())
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

    #[test]
    fn a_token_that_others_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        let mode = |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o600);
        assert_eq!(read_token(file.path()).unwrap().expose_secret(), "s3cret");
        for others in [0o644, 0o640, 0o604] {
            mode(others);
            let error = read_token(file.path()).unwrap_err().to_string();
            assert!(error.contains("expected 600") && !error.contains("s3cret"), "{error}");
        }
    }
}
