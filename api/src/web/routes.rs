//! The route table: each route with who may use it. Declaring a route is what protects it, and the
//! table is what `docs/compatibility.md` and the authorization tests are made from.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};

use crate::shared::Shared;
use crate::web::caller::authorize;
use crate::web::validation::Schema;

/// The services of the public listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Identity,
    Compute,
    Image,
    /// What OpenStack has no API for: the `cuttle` command's.
    Operator,
}

impl Service {
    /// All of them, in the order of the catalog.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Compute, Self::Image, Self::Operator];

    /// Where it is on the listener.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Identity => "/identity",
            Self::Compute => "/compute",
            Self::Image => "/image",
            Self::Operator => "/operator",
        }
    }
}

/// Who may use a route. Each holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a valid token, scoped or not.
    Token,
    /// Readers of the token's project.
    Reader,
    Member,
    /// Managers of the token's project.
    Manager,
    /// Administrators of the cloud.
    Admin,
}

impl Access {
    /// The word in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "anybody",
            Self::Token => "any token",
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }
}

/// The path of the route that answered, as it was declared: put into each answer, for metrics.
#[derive(Debug, Clone)]
pub struct Template(pub Arc<str>);

/// What the layer on a route needs to know of it.
#[derive(Clone)]
pub struct Guard {
    pub shared: Shared,
    pub access: Access,
    pub template: Template,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Route {
    pub service: Service,
    pub method: Method,
    /// With the service's prefix.
    pub path: String,
    pub access: Access,
    /// What its JSON body is checked against.
    pub body: Option<&'static Schema>,
}

/// Routes under construction.
pub struct Routes<S> {
    router: Router<S>,
    /// The same routes, whose handlers do nothing: what the authorization tests call.
    #[cfg(test)]
    pub(crate) shadow: Router,
    table: Vec<Route>,
    shared: Shared,
    service: Service,
    base: &'static str,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// Routes of `service` below `base` (such as `/v3`), which is for the table only.
    pub fn new(shared: &Shared, service: Service, base: &'static str) -> Self {
        Self {
            router: Router::new(),
            #[cfg(test)]
            shadow: Router::new(),
            table: Vec::new(),
            shared: shared.clone(),
            service,
            base,
        }
    }

    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, access: Access, handler: H) -> Self {
        self.add(MethodFilter::GET, Method::GET, path, access, handler)
    }

    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(self, path: &'static str, access: Access, handler: H) -> Self {
        self.add(MethodFilter::POST, Method::POST, path, access, handler)
    }

    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(self, path: &'static str, access: Access, handler: H) -> Self {
        self.add(MethodFilter::PUT, Method::PUT, path, access, handler)
    }

    #[must_use]
    pub fn patch<H: Handler<T, S>, T: 'static>(self, path: &'static str, access: Access, handler: H) -> Self {
        self.add(MethodFilter::PATCH, Method::PATCH, path, access, handler)
    }

    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(self, path: &'static str, access: Access, handler: H) -> Self {
        self.add(MethodFilter::DELETE, Method::DELETE, path, access, handler)
    }

    fn add<H: Handler<T, S>, T: 'static>(
        mut self,
        filter: MethodFilter,
        method: Method,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        let template: Arc<str> = format!("{}{}{}", self.service.prefix(), self.base, path).into();
        let guard = Guard { shared: self.shared.clone(), access, template: Template(template.clone()) };
        let guard = from_fn_with_state(guard, authorize);
        #[cfg(test)]
        {
            let nothing = on(filter, || async { axum::http::StatusCode::IM_A_TEAPOT }).route_layer(guard.clone());
            self.shadow = self.shadow.route(path, nothing);
        }
        self.router = self.router.route(path, on(filter, handler).route_layer(guard));
        let path = template.to_string();
        self.table.push(Route { service: self.service, method, path, access, body: None });
        self
    }

    /// The JSON body of the route that was declared last.
    #[must_use]
    pub fn takes(mut self, body: &'static Schema) -> Self {
        if let Some(route) = self.table.last_mut() {
            route.body = Some(body);
        }
        self
    }

    /// These routes with the state that their handlers need.
    pub fn with_state(self, state: S) -> Routes<()> {
        Routes {
            router: self.router.with_state(state),
            #[cfg(test)]
            shadow: self.shadow,
            table: self.table,
            shared: self.shared,
            service: self.service,
            base: self.base,
        }
    }

    /// These routes and those.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        #[cfg(test)]
        {
            self.shadow = self.shadow.merge(other.shadow);
        }
        self.table.extend(other.table);
        self
    }

    /// What has been declared.
    pub fn table(&self) -> &[Route] {
        &self.table
    }

    /// The router that serves them.
    pub fn into_router(self) -> Router<S> {
        self.router
    }
}
