//! A token from Identity, and where the catalog says the operator's API is.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Error;
use crate::auth::settings::{Auth, Method, Settings};
use crate::client::{Transport, answer};

/// The catalog's word for the operator's API.
pub const SERVICE_TYPE: &str = "cuttle-operator";

/// What Identity has granted.
#[derive(Debug, Clone)]
pub struct Granted {
    pub token: SecretString,
    /// Where the operator's API is.
    pub endpoint: String,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    interface: String,
    #[serde(default)]
    region: Option<String>,
    url: String,
}

/// Asks for a token. `prompt` is called where a password is needed and missing.
pub async fn ask(
    settings: &Settings,
    transport: &Transport,
    prompt: impl FnOnce(&str) -> Result<SecretString, Error>,
) -> Result<Granted, Error> {
    let url = format!("{}/auth/tokens", settings.identity_url()?);
    let body = body(settings, prompt)?;
    let response = transport.send(transport.http.post(&url).json(&body), &url).await?;
    let token = response.headers().get("x-subject-token").and_then(|value| value.to_str().ok()).map(SecretString::from);
    let body = answer(response, &url).await?;
    let token = token.ok_or_else(|| Error::BadAnswer { url, problem: "it holds no token".into(), request_id: None })?;
    Ok(Granted { token, endpoint: endpoint(settings, &body)? })
}

/// The request; it holds secrets and is not to be shown.
fn body(settings: &Settings, prompt: impl FnOnce(&str) -> Result<SecretString, Error>) -> Result<Value, Error> {
    let auth = &settings.auth;
    let identity = match settings.method()? {
        Method::Password => {
            let mut user = user(auth)?.ok_or(Error::Missing("OS_USERNAME (username)"))?;
            let password = match &auth.password {
                Some(password) => password.clone(),
                None => prompt(auth.username.as_deref().or(auth.user_id.as_deref()).unwrap_or(""))?,
            };
            user["password"] = json!(password.expose_secret());
            json!({"methods": ["password"], "password": {"user": user}})
        }
        Method::Token => {
            let token = auth.token.as_ref().ok_or(Error::Missing("OS_TOKEN (token)"))?;
            json!({"methods": ["token"], "token": {"id": token.expose_secret()}})
        }
        Method::ApplicationCredential => {
            let secret = auth.application_credential_secret.as_ref();
            let secret = secret.ok_or(Error::Missing("OS_APPLICATION_CREDENTIAL_SECRET (application_credential_secret)"))?;
            let mut credential = json!({"secret": secret.expose_secret()});
            if let Some(id) = &auth.application_credential_id {
                credential["id"] = json!(id);
            } else {
                let name = auth.application_credential_name.as_ref();
                credential["name"] =
                    json!(name.ok_or(Error::Missing("OS_APPLICATION_CREDENTIAL_ID (application_credential_id)"))?);
                credential["user"] = user(auth)?.ok_or(Error::Missing("OS_USERNAME (username)"))?;
            }
            // Its project is its own: no scope may be named.
            return Ok(
                json!({"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}}),
            );
        }
    };
    let mut request = json!({"auth": {"identity": identity}});
    if let Some(project) = project(auth) {
        request["auth"]["scope"] = json!({"project": project});
    }
    Ok(request)
}

fn user(auth: &Auth) -> Result<Option<Value>, Error> {
    Ok(match (&auth.user_id, &auth.username) {
        (Some(id), _) => Some(json!({"id": id})),
        (None, Some(name)) => {
            Some(json!({"name": name, "domain": domain(auth.user_domain_id.as_ref(), auth.user_domain_name.as_ref())}))
        }
        (None, None) => None,
    })
}

fn project(auth: &Auth) -> Option<Value> {
    match (&auth.project_id, &auth.project_name) {
        (Some(id), _) => Some(json!({"id": id})),
        (None, Some(name)) => {
            Some(json!({"name": name, "domain": domain(auth.project_domain_id.as_ref(), auth.project_domain_name.as_ref())}))
        }
        (None, None) => None,
    }
}

/// There is one domain, so that is meant where none is named.
fn domain(id: Option<&String>, name: Option<&String>) -> Value {
    match (id, name) {
        (Some(id), _) => json!({"id": id}),
        (None, Some(name)) => json!({"name": name}),
        (None, None) => json!({"id": "default"}),
    }
}

fn endpoint(settings: &Settings, body: &Value) -> Result<String, Error> {
    let catalog = body["token"]["catalog"].as_array().into_iter().flatten();
    let service = catalog.clone().find(|entry| entry["type"] == SERVICE_TYPE);
    let Some(service) = service else {
        let unscoped = if catalog.count() == 0 { " (it is empty: name a project with OS_PROJECT_NAME)" } else { "" };
        return Err(Error::NoEndpoint(unscoped.into()));
    };
    let endpoints: Vec<Endpoint> = serde_json::from_value(service["endpoints"].clone()).unwrap_or_default();
    let interface = settings.interface.as_deref().unwrap_or("public").trim_end_matches("URL");
    let region = settings.region_name.as_deref();
    let wanted = |endpoint: &&Endpoint| {
        endpoint.interface == interface && region.is_none_or(|region| endpoint.region.as_deref() == Some(region))
    };
    let found = endpoints.iter().find(wanted).map(|endpoint| endpoint.url.trim_end_matches('/').to_owned());
    let asked = format!(" with a {interface} endpoint{}", region.map(|name| format!(" in region {name}")).unwrap_or_default());
    found.ok_or(Error::NoEndpoint(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(auth: Auth) -> Settings {
        Settings { auth, ..Settings::default() }
    }

    fn unasked(_: &str) -> Result<SecretString, Error> {
        panic!("nothing is to be asked for")
    }

    #[test]
    fn each_method_has_its_body() {
        let text = |text: &str| Some(text.to_owned());
        let password = Auth { username: text("u"), project_name: text("p"), ..Auth::default() };
        let asked = body(&settings(password), |user| Ok(SecretString::from(format!("{user}-secret")))).unwrap();
        assert_eq!(
            asked,
            json!({"auth": {
                "identity": {"methods": ["password"],
                    "password": {"user": {"name": "u", "domain": {"id": "default"}, "password": "u-secret"}}},
                "scope": {"project": {"name": "p", "domain": {"id": "default"}}},
            }})
        );
        let token = Auth { token: Some("t".into()), ..Auth::default() };
        assert_eq!(
            body(&settings(token), unasked).unwrap(),
            json!({"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}}}})
        );
        let credential = Auth {
            application_credential_id: text("c"),
            application_credential_secret: Some("s".into()),
            project_name: text("ignored"),
            ..Auth::default()
        };
        assert_eq!(
            body(&settings(credential), unasked).unwrap(),
            json!({"auth": {"identity": {"methods": ["application_credential"],
                "application_credential": {"id": "c", "secret": "s"}}}})
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |auth: Auth| body(&settings(auth), unasked).unwrap_err().to_string();
        assert!(missing(Auth::default()).contains("OS_USERNAME"));
        let credential = Auth { application_credential_id: Some("c".into()), ..Auth::default() };
        assert!(missing(credential).contains("OS_APPLICATION_CREDENTIAL_SECRET"));
    }

    #[test]
    fn the_endpoint_is_that_of_interface_and_region() {
        let catalog = json!({"token": {"catalog": [{"type": "cuttle-operator", "endpoints": [
            {"interface": "public", "region": "a", "url": "http://a/operator/v1/"},
            {"interface": "public", "region": "b", "url": "http://b/operator/v1"},
            {"interface": "internal", "region": "b", "url": "http://c/operator/v1"},
        ]}]}});
        let find = |region: Option<&str>, interface: Option<&str>| {
            let settings = Settings {
                region_name: region.map(str::to_owned),
                interface: interface.map(str::to_owned),
                ..Settings::default()
            };
            endpoint(&settings, &catalog)
        };
        assert_eq!(find(None, None).unwrap(), "http://a/operator/v1");
        assert_eq!(find(Some("b"), None).unwrap(), "http://b/operator/v1");
        assert_eq!(find(Some("b"), Some("internalURL")).unwrap(), "http://c/operator/v1");
        assert!(find(Some("c"), None).unwrap_err().to_string().contains("region c"));
        let other = json!({"token": {"catalog": []}});
        assert!(endpoint(&Settings::default(), &other).unwrap_err().to_string().contains("OS_PROJECT_NAME"));
    }
}
