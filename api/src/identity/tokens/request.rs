//! What a client says of itself, and what it wants a token for.

use cuttle_model::identity::{DEFAULT_DOMAIN, DEFAULT_DOMAIN_NAME};
use cuttle_model::ids::{ApplicationCredentialId, ProjectId, UserId};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::web::validation::Schema;

/// A request for a token.
#[derive(Debug)]
pub struct Request {
    pub proof: Proof,
    pub scope: Scope,
}

/// How the client shows who it is.
#[derive(Debug)]
pub enum Proof {
    Password { user: UserName, password: SecretString },
    Token(SecretString),
    ApplicationCredential { named: CredentialName, secret: SecretString },
}

/// How an application credential is named.
#[derive(Debug, PartialEq, Eq)]
pub enum CredentialName {
    Id(ApplicationCredentialId),
    OfUser(UserName, String),
    /// A malformed id.
    Nothing,
}

/// How a user is named.
#[derive(Debug, PartialEq, Eq)]
pub enum UserName {
    Id(UserId),
    Name(String),
    /// A name in a domain that does not exist, or a malformed id.
    Nobody,
}

impl std::fmt::Display for UserName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Nobody => f.write_str("?"),
        }
    }
}

/// What the token shall be for.
#[derive(Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's default project, if there is one.
    Default,
    Unscoped,
    ProjectId(ProjectId),
    ProjectName(String),
    /// Something that nobody has a role in.
    Nothing,
}

pub static SCHEMA: Schema = Schema::new(|_| schema(), &[]);

impl Request {
    /// Reads a body. A malformed one is a 400; a proof of a kind that is not taken a 401.
    pub fn read(body: &Value) -> Result<Self, ApiError> {
        SCHEMA.check_plain(body)?;
        let auth = &body["auth"];
        Ok(Self { proof: proof(&auth["identity"])?, scope: scope(&auth["scope"]) })
    }
}

fn proof(identity: &Value) -> Result<Proof, ApiError> {
    let methods: Vec<&str> = identity["methods"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match methods.as_slice() {
        ["password"] => {
            let user = &identity["password"]["user"];
            let password = user["password"].as_str().ok_or_else(|| missing("password"))?;
            Ok(Proof::Password { user: user_name(user)?, password: SecretString::from(password) })
        }
        ["token"] => {
            let token = identity["token"]["id"].as_str().ok_or_else(|| missing("token"))?;
            Ok(Proof::Token(SecretString::from(token)))
        }
        ["application_credential"] => {
            let credential = &identity["application_credential"];
            let secret = credential["secret"].as_str().ok_or_else(|| missing("secret"))?;
            Ok(Proof::ApplicationCredential { named: credential_name(credential)?, secret: SecretString::from(secret) })
        }
        [] => Err(missing("methods")),
        // Other methods, and several at once, are not known here.
        _ => Err(ApiError::Unauthorized),
    }
}

fn credential_name(credential: &Value) -> Result<CredentialName, ApiError> {
    if let Some(id) = credential["id"].as_str() {
        return Ok(id.parse().map_or(CredentialName::Nothing, CredentialName::Id));
    }
    let name = credential["name"].as_str().ok_or_else(|| missing("id"))?;
    Ok(CredentialName::OfUser(user_name(&credential["user"])?, name.to_owned()))
}

fn user_name(user: &Value) -> Result<UserName, ApiError> {
    if let Some(id) = user["id"].as_str() {
        return Ok(id.parse().map_or(UserName::Nobody, UserName::Id));
    }
    let name = user["name"].as_str().ok_or_else(|| missing("user"))?;
    if user["domain"].is_null() {
        return Err(missing("domain"));
    }
    Ok(if is_default_domain(&user["domain"]) { UserName::Name(name.to_owned()) } else { UserName::Nobody })
}

fn scope(scope: &Value) -> Scope {
    let project = &scope["project"];
    if scope.is_null() {
        return Scope::Default;
    }
    if scope == "unscoped" || !scope["unscoped"].is_null() {
        return Scope::Unscoped;
    }
    match (project["id"].as_str(), project["name"].as_str()) {
        (Some(id), _) => id.parse().map_or(Scope::Nothing, Scope::ProjectId),
        (None, Some(name)) if is_default_domain(&project["domain"]) => Scope::ProjectName(name.to_owned()),
        _ => Scope::Nothing,
    }
}

fn is_default_domain(domain: &Value) -> bool {
    match (domain["id"].as_str(), domain["name"].as_str()) {
        (Some(id), _) => id == DEFAULT_DOMAIN,
        (None, Some(name)) => name == DEFAULT_DOMAIN_NAME,
        (None, None) => false,
    }
}

fn missing(field: &str) -> ApiError {
    ApiError::BadRequest(format!(
        "Expecting to find {field} in the request. The server could not comply with the request since it is either malformed or otherwise incorrect."
    ))
}

/// Keystone's own bounds; what it does not name it lets pass.
fn schema() -> Value {
    let text = json!({"type": "string", "maxLength": 255});
    let reference = json!({"type": "object", "properties": {"id": text, "name": text}});
    let mut of_domain = reference.clone();
    of_domain["properties"]["domain"] = reference.clone();
    let mut user = of_domain.clone();
    user["properties"]["password"] = json!({"type": "string"});
    let credential = json!({"id": text, "name": text, "user": of_domain, "secret": {"type": "string", "maxLength": 255}});
    json!({
        "type": "object",
        "properties": {"auth": {
            "type": "object",
            "properties": {
                "identity": {
                    "type": "object",
                    "properties": {
                        "methods": {"type": "array", "items": text, "maxItems": 10},
                        "password": {"type": "object", "properties": {"user": user}, "required": ["user"]},
                        "token": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
                        "application_credential":
                            {"type": "object", "properties": credential, "required": ["secret"]},
                    },
                    "required": ["methods"],
                },
                "scope": {"type": ["object", "string", "null"], "properties": {"project": of_domain}},
            },
            "required": ["identity"],
        }},
        "required": ["auth"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: Value, scope: Value) -> Result<Request, ApiError> {
        Request::read(&json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}))
    }

    #[test]
    fn users_and_projects_are_named_by_id_or_by_name_and_domain() {
        let user = json!({"name": "admin", "domain": {"name": "Default"}, "password": "p"});
        let scope = json!({"project": {"name": "admin", "domain": {"id": "default"}}});
        let request = password(user, scope).unwrap();
        assert_eq!(request.scope, Scope::ProjectName("admin".into()));
        assert!(matches!(request.proof, Proof::Password { user: UserName::Name(name), .. } if name == "admin"));
        let request = password(json!({"id": "x", "password": "p"}), json!("unscoped")).unwrap();
        assert_eq!(request.scope, Scope::Unscoped);
        assert!(matches!(request.proof, Proof::Password { user: UserName::Nobody, .. }));
    }

    #[test]
    fn scopes_that_nobody_has_are_told_from_none() {
        let user = json!({"id": "x", "password": "p"});
        assert_eq!(password(user.clone(), Value::Null).unwrap().scope, Scope::Default);
        for scope in [
            json!({"system": {"all": true}}),
            json!({"domain": {"id": "default"}}),
            json!({"project": {"name": "a", "domain": {"id": "other"}}}),
        ] {
            assert_eq!(password(user.clone(), scope).unwrap().scope, Scope::Nothing);
        }
    }

    #[test]
    fn malformed_requests_are_400_and_say_what_is_missing() {
        let bad = [
            json!({}),
            json!({"auth": []}),
            json!({"auth": {}}),
            json!({"auth": {"identity": {}}}),
            json!({"auth": {"identity": {"methods": []}}}),
            json!({"auth": {"identity": {"methods": ["password"]}}}),
            json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "a", "domain": {"id": "default"}}}}}}),
            json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "a", "password": "p"}}}}}),
            json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": 5, "password": "p"}}}}}),
            json!({"auth": {"identity": {"methods": "password"}}}),
        ];
        for body in bad {
            assert_eq!(Request::read(&body).unwrap_err().status().as_u16(), 400, "{body}");
        }
    }

    #[test]
    fn a_password_is_in_no_debug_output() {
        let request = password(json!({"id": "x", "password": "hunter2"}), Value::Null).unwrap();
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
