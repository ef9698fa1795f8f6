//! Tests over HTTP against the real routers, with a real SQLite database and without Ceph.

mod accounts;
mod authorization;
mod bad_input;
mod compute;
mod documentation;
mod flavor_access;
mod hosts;
mod http;
mod identity;
mod image;
mod keypairs;
mod migrations;
mod notes;
mod openapi;
mod operator;
mod operator_work;
mod placement;
mod quotas;
mod statements;
// The same rows as in the database's own tests.
#[allow(dead_code)]
#[path = "../../../database/tests/support/rows.rs"]
pub(crate) mod rows;
// And the same counting.
#[path = "../../../database/tests/support/statements.rs"]
mod counter;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use cuttle_database::Inserted;
use cuttle_model::clock::SystemClock;
use cuttle_model::identity::{AuthMethod, Project, Role, TokenGrant, User};
use cuttle_model::ids::{Ids, ProjectId, RandomIds, UserId};
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::authority::Authority;
use crate::config::{Agents, Quota};
use crate::identity::passwords::{self, Passwords};
use crate::public;
use crate::shared::{Limits, Parts, Shared};
use crate::web::caller::token_sha256;

/// A cloud with a database of its own.
struct Cloud {
    shared: Shared,
    router: Router,
    directory: std::path::PathBuf,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Cloud {
    async fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("cuttle-api-{}", RandomIds.uuid()));
        std::fs::create_dir_all(&directory).unwrap();
        let url = format!("sqlite:{}", directory.join("cuttle.db").display());
        let database = cuttle_database::connect(&url, None, &cuttle_database::Options::default()).await.unwrap();
        database.migrate().await.unwrap();
        let shared = Shared::new(Parts {
            database,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            passwords: Passwords::new(),
            authority: Arc::new(Authority::ephemeral(&Agents::default()).unwrap()),
            public_url: Some("http://cloud.test:8774".into()),
            region: "RegionOne".into(),
            token_lifetime: Duration::from_secs(3600),
            host_down_after: Duration::from_secs(10),
            limits: Limits { failed_logins_per_minute: 0, ..Limits::default() },
            stopping: CancellationToken::new(),
            default_zone: "nova".into(),
            quota: Quota::default().amounts(),
            tls_directory: directory.join("tls"),
        });
        let router = public::router_without_ceph(&shared);
        Self { shared, router, directory }
    }

    async fn project(&self, name: &str) -> Project {
        let project = Project { id: ProjectId::new(&RandomIds), name: name.into(), description: String::new(), enabled: true };
        assert_eq!(self.shared.database.insert_project(&project).await.unwrap(), Inserted::Inserted);
        project
    }

    /// A user with a password and, where given, a role.
    async fn user(&self, name: &str, password: &str, role: Option<(&Project, Role)>) -> User {
        let user = User { default_project_id: role.map(|(project, _)| project.id), ..new_user(name) };
        let hash = passwords::hash(&SecretString::from(password)).unwrap();
        assert_eq!(self.shared.database.insert_user(&user, &hash).await.unwrap(), Inserted::Inserted);
        if let Some((project, role)) = role {
            self.shared.database.assign_role(user.id, project.id, role).await.unwrap();
        }
        user
    }

    /// A token for a new user with this role in `project`, without the cost of a password.
    async fn token(&self, project: &Project, role: Role) -> String {
        let user = new_user(&RandomIds.uuid().to_string());
        self.shared.database.insert_user(&user, "").await.unwrap();
        self.shared.database.assign_role(user.id, project.id, role).await.unwrap();
        self.insert_token(user, Some((project.clone(), role))).await
    }

    async fn insert_token(&self, user: User, scope: Option<(Project, Role)>) -> String {
        let token = RandomIds.uuid().to_string();
        let (project, role) = scope.unzip();
        let now = self.shared.now();
        let expires_at = now.plus(Duration::from_secs(60));
        let grant = TokenGrant {
            user,
            project,
            role,
            custom_roles: Vec::new(),
            methods: vec![AuthMethod::Password],
            application_credential: None,
            audit_id: "a".into(),
            issued_at: now,
            expires_at,
        };
        self.shared.database.insert_token(&token_sha256(&token), &grant).await.unwrap();
        token
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(self.router.clone(), request).await
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.get_at(token, path, "2.1").await
    }

    async fn get_at(&self, token: &str, path: &str, version: &str) -> Answer {
        let request =
            Request::get(path).header("x-auth-token", token).header("openstack-api-version", format!("compute {version}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.post_at(token, path, body, "2.1").await
    }

    async fn post_at(&self, token: &str, path: &str, body: &Value, version: &str) -> Answer {
        let request = Request::post(path)
            .header("x-auth-token", token)
            .header("content-type", "application/json")
            .header("openstack-api-version", format!("compute {version}"));
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn put_at(&self, token: &str, path: &str, body: &Value, version: &str) -> Answer {
        let request = Request::put(path)
            .header("x-auth-token", token)
            .header("content-type", "application/json")
            .header("openstack-api-version", format!("compute {version}"));
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn delete_at(&self, token: &str, path: &str, version: &str) -> Answer {
        let request =
            Request::delete(path).header("x-auth-token", token).header("openstack-api-version", format!("compute {version}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(Request::delete(path).header("x-auth-token", token).body(Body::empty()).unwrap()).await
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn new_user(name: &str) -> User {
    User {
        id: UserId::new(&RandomIds),
        name: name.into(),
        enabled: true,
        default_project_id: None,
        description: None,
        email: None,
    }
}

async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, body }
}

fn flavor(name: &str) -> Value {
    json!({"flavor": {"name": name, "ram": 64, "vcpus": 1, "disk": 1, "id": name}})
}
