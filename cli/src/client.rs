//! Requests to the operator's API, and what a refusal says.

use std::fs;
use std::time::Duration;

use reqwest::{Certificate, Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::timeout;

use crate::Error;
use crate::auth::{Granted, Settings};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take that looks at everything there is.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long an answer may take, but for streams.
const ANSWER: Duration = Duration::from_secs(120);
/// How long a stream of lines may be silent: the server writes an empty line each 10 seconds.
const SILENCE: Duration = Duration::from_secs(35);
/// The longest message of a server that does not speak our language, in characters.
const SHOWN: usize = 300;

/// Connections, as the settings want them.
#[derive(Debug, Clone)]
pub struct Transport {
    pub http: reqwest::Client,
}

impl Transport {
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        // Somebody else may have been first: then it is theirs, and the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .user_agent(concat!("cuttle/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &settings.cacert {
            let pem = fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| Error::BadFile { path: path.clone(), problem: error.to_string() })?;
            builder = builder.tls_certs_only(certificates);
        }
        if settings.verify == Some(false) {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        Ok(Self { http: builder.build().map_err(Error::Http)? })
    }

    /// Sends a request to `url`; any answer is one.
    pub async fn send(&self, request: RequestBuilder, url: &str) -> Result<Response, Error> {
        request.timeout(ANSWER).send().await.map_err(|source| unreachable(url, source))
    }
}

/// The operator's API, as the user whose token it is.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    endpoint: Url,
    token: SecretString,
}

impl Client {
    pub fn new(transport: Transport, granted: Granted) -> Result<Self, Error> {
        let endpoint = Url::parse(&granted.endpoint).ok().filter(|url| !url.cannot_be_a_base());
        let endpoint = endpoint.ok_or_else(|| Error::NoEndpoint(format!(" with a usable address: '{}'", granted.endpoint)))?;
        Ok(Self { transport, endpoint, token: granted.token })
    }

    pub async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Error> {
        let (request, url) = self.request(Method::GET, path);
        answer(self.transport.send(request.query(query), &url).await?, &url).await
    }

    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        let (request, url) = self.request(Method::POST, path);
        answer(self.transport.send(request.json(body), &url).await?, &url).await
    }

    /// As `post`, where the answer takes as long as there is to look at.
    pub async fn post_patiently(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        let (request, url) = self.request(Method::POST, path);
        let sent = request.json(body).timeout(PATIENCE).send().await.map_err(|source| unreachable(&url, source))?;
        answer(sent, &url).await
    }

    pub async fn delete(&self, path: &[&str]) -> Result<Value, Error> {
        let (request, url) = self.request(Method::DELETE, path);
        answer(self.transport.send(request, &url).await?, &url).await
    }

    /// An answer that comes line by line, each a JSON value.
    pub async fn lines(&self, path: &[&str]) -> Result<Lines, Error> {
        let (request, url) = self.request(Method::GET, path);
        let sent = timeout(ANSWER, request.send()).await.map_err(|_| Error::Silent { url: url.clone() })?;
        let response = sent.map_err(|source| unreachable(&url, source))?;
        if !response.status().is_success() {
            // It is a refusal, so this is its error.
            answer(response, &url).await?;
            return Err(Error::BadAnswer { url, problem: "it has no lines".into(), request_id: None });
        }
        Ok(Lines { response, url, buffer: Vec::new() })
    }

    /// A request with the token. Each part of the path is one segment, whatever is in it.
    fn request(&self, method: Method, path: &[&str]) -> (RequestBuilder, String) {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let shown = url.to_string();
        (self.transport.http.request(method, url).header("X-Auth-Token", self.token.expose_secret()), shown)
    }
}

/// Lines that come one after another.
pub struct Lines {
    response: Response,
    url: String,
    buffer: Vec<u8>,
}

impl Lines {
    /// The next value; `None` once the server has ended the answer. An empty line only shows that it lives.
    pub async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let value = serde_json::from_slice(&line);
                let problem =
                    |_| Error::BadAnswer { url: self.url.clone(), problem: "a line is no JSON".into(), request_id: None };
                return value.map(Some).map_err(problem);
            }
            match timeout(SILENCE, self.response.chunk()).await {
                Err(_) => return Err(Error::Silent { url: self.url.clone() }),
                Ok(Err(source)) => return Err(unreachable(&self.url, source)),
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(chunk))) => self.buffer.extend_from_slice(&chunk),
            }
        }
    }
}

pub(crate) fn unreachable(url: &str, source: reqwest::Error) -> Error {
    Error::Unreachable { url: url.to_owned(), source: source.without_url() }
}

/// The JSON of an answer, or the refusal that it is. An answer without a body is `null`.
pub async fn answer(response: Response, url: &str) -> Result<Value, Error> {
    let status = response.status();
    let request_id = response.headers().get("x-openstack-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let text = response.text().await.map_err(|source| unreachable(url, source))?;
    if !status.is_success() {
        return Err(Error::Refused { status: status.as_u16(), message: refusal(status.as_u16(), &text), request_id });
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).map_err(|_| Error::BadAnswer { url: url.to_owned(), problem: "it is no JSON".into(), request_id })
}

/// The message in an error's body, in whichever shape it is.
fn refusal(status: u16, text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let told = body.as_object().and_then(|object| object.values().find_map(|inner| inner["message"].as_str()));
    match told {
        Some(message) => message.to_owned(),
        None => {
            let said: String = text.chars().filter(|character| !character.is_control()).take(SHOWN).collect();
            format!("the answer was {status}{}{said}", if said.is_empty() { "" } else { ": " })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_the_servers_own_words() {
        assert_eq!(refusal(404, r#"{"error": {"code": 404, "message": "Not here."}}"#), "Not here.");
        assert_eq!(refusal(409, r#"{"conflictingRequest": {"message": "Busy."}}"#), "Busy.");
        assert_eq!(refusal(502, "<html>\nBad Gateway"), "the answer was 502: <html>Bad Gateway");
        assert_eq!(refusal(500, ""), "the answer was 500");
    }

    #[test]
    fn what_is_typed_stays_one_segment() {
        let transport = Transport::new(&Settings::default()).unwrap();
        let granted = Granted { token: "t".into(), endpoint: "http://a:1/operator/v1".into() };
        let client = Client::new(transport, granted).unwrap();
        let url = client.request(Method::GET, &["hosts", "a/b?c#d"]).1;
        assert_eq!(url, "http://a:1/operator/v1/hosts/a%2Fb%3Fc%23d");
    }
}
