//! A client of the cloud's API that shows every status and body as they are.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::eventually;

/// How long anything may take on a small machine that emulates its guests.
const LIMIT: Duration = Duration::from_secs(180);

/// The cloud, as one user sees it.
#[derive(Debug, Clone)]
pub struct Cloud {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    microversion: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

/// A server that a test has made. The test deletes it.
#[derive(Debug, Clone)]
pub struct Server {
    pub id: String,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start a lab with ./lab up, then eval \"$(./lab env)\""))
}

impl Cloud {
    /// The cloud that `OS_*` names, as the user whom they name.
    pub async fn from_env() -> Self {
        let auth_url = variable("OS_AUTH_URL");
        let base = auth_url.split("/identity").next().unwrap_or_default().to_owned();
        // No connection is kept: the tests kill and restart what is at its other end.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("an HTTP client");
        let mut cloud = Self { http, base, token: None, microversion: "2.1".to_owned() };
        let answer =
            cloud.authenticate(&variable("OS_USERNAME"), &variable("OS_PASSWORD"), Some(&variable("OS_PROJECT_NAME"))).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        cloud.token = Some(answer.headers["x-subject-token"].to_str().unwrap().to_owned());
        cloud
    }

    /// The same cloud, asked through another of the lab's control nodes: their addresses follow each other.
    pub fn at_control_node(&self, number: u8) -> Self {
        let (host, port) = self.base.rsplit_once(':').expect("an address with a port");
        let (network, first) = host.rsplit_once('.').expect("an address of IPv4");
        let first: u8 = first.parse().expect("an address of IPv4");
        Self { base: format!("{network}.{}:{port}", first + number - 1), ..self.clone() }
    }

    /// The token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same cloud without a token.
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same cloud with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same cloud, asked in another microversion of Compute.
    pub fn with_microversion(&self, version: &str) -> Self {
        Self { microversion: version.to_owned(), ..self.clone() }
    }

    /// Asks for a token with a password.
    pub async fn authenticate(&self, user: &str, password: &str, project: Option<&str>) -> Answer {
        let domain = json!({"id": "default"});
        let mut auth = json!({"identity": {"methods": ["password"],
            "password": {"user": {"name": user, "domain": domain, "password": password}}}});
        if let Some(project) = project {
            auth["scope"] = json!({"project": {"name": project, "domain": domain}});
        }
        self.post("/identity/v3/auth/tokens", &json!({"auth": auth})).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Sends bytes as they are.
    pub async fn put_bytes(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.request(Method::PUT, path).header("content-type", "application/octet-stream").body(body)).await
    }

    /// A request with the token and the microversion, to be changed and sent.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.header("OpenStack-API-Version", format!("compute {}", self.microversion));
        match &self.token {
            Some(token) => request.header("X-Auth-Token", token),
            None => request,
        }
    }

    /// Sends a request; a body that is no JSON comes as text.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    /// How many compute hosts there are.
    pub async fn hosts(&self) -> usize {
        let answer = self.get("/compute/v2.1/os-hypervisors").await;
        answer.body["hypervisors"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).len()
    }

    /// The id of the image of that name.
    pub async fn image(&self, name: &str) -> String {
        let answer = self.get(&format!("/image/v2/images?name={name}")).await;
        answer.body["images"][0]["id"].as_str().unwrap_or_else(|| panic!("no image {name}: {}", answer.body)).to_owned()
    }

    /// The id of the flavor of that name.
    pub async fn flavor(&self, name: &str) -> String {
        let answer = self.get("/compute/v2.1/flavors").await;
        let flavors = answer.body["flavors"].as_array().cloned().unwrap_or_default();
        let found = flavors.iter().find(|flavor| flavor["name"] == name);
        found.unwrap_or_else(|| panic!("no flavor {name}: {}", answer.body))["id"].as_str().unwrap().to_owned()
    }

    /// Asks for a server of image and flavor `tiny`.
    pub async fn create_server(&self, name: &str) -> Server {
        self.create_server_with(json!({ "name": name })).await
    }

    /// As `create_server`, with these fields.
    pub async fn create_server_with(&self, mut fields: Value) -> Server {
        fields["imageRef"] = json!(self.image("tiny").await);
        fields["flavorRef"] = json!(self.flavor("tiny").await);
        let answer = self.post("/compute/v2.1/servers", &json!({ "server": fields })).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        Server { id: answer.body["server"]["id"].as_str().unwrap().to_owned() }
    }

    /// The server as it is shown.
    pub async fn server(&self, server: &Server) -> Value {
        let answer = self.get(&format!("/compute/v2.1/servers/{}", server.id)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["server"].clone()
    }

    /// Waits until the server has this status and no task; an unexpected `ERROR` ends the wait.
    pub async fn wait_for(&self, server: &Server, status: &str) -> Value {
        eventually(&format!("server {} {status}", server.id), LIMIT, || async {
            let shown = self.server(server).await;
            assert!(status == "ERROR" || shown["status"] != "ERROR", "{shown:#}");
            (shown["status"] == status && shown["OS-EXT-STS:task_state"].is_null()).then_some(shown)
        })
        .await
    }

    /// Does something to a server.
    pub async fn act(&self, server: &Server, action: Value) -> Answer {
        self.post(&format!("/compute/v2.1/servers/{}/action", server.id), &action).await
    }

    /// The server's console.
    pub async fn console(&self, server: &Server) -> String {
        let answer = self.act(server, json!({"os-getConsoleOutput": {}})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["output"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the console shows `text` at least `times` times.
    pub async fn wait_for_console(&self, server: &Server, text: &str, times: usize) -> String {
        eventually(&format!("'{text}' on the console of {}", server.id), LIMIT, || async {
            let console = self.console(server).await;
            (console.matches(text).count() >= times).then_some(console)
        })
        .await
    }

    /// Deletes a server and waits until it is gone.
    pub async fn delete_server(&self, server: &Server) {
        let answer = self.delete(&format!("/compute/v2.1/servers/{}", server.id)).await;
        assert!(answer.status == 204 || answer.status == 404, "{} {}", answer.status, answer.body);
        self.wait_until_gone(server).await;
    }

    /// Waits until the server does not exist.
    pub async fn wait_until_gone(&self, server: &Server) {
        eventually(&format!("the end of server {}", server.id), LIMIT, || async {
            let answer = self.get(&format!("/compute/v2.1/servers/{}", server.id)).await;
            (answer.status == 404).then_some(())
        })
        .await;
    }
}
