//! The outermost layer: gives each request its id and address, and writes one line of log about it.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use cuttle_model::ids::RequestId;
use tracing::Instrument;

use crate::observability::metrics;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::routes::Template;

/// Identifies the request in the answer and in the log. An id that the client sent is logged beside
/// ours, so that one id can be followed through several services.
pub async fn identify(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new(shared.ids.as_ref());
    let address = Address::of(&shared, request.headers(), request.uri().authority().map(|authority| authority.as_str()));
    let span = tracing::info_span!("request", id = id.as_str(), global_id = global_id(&request));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(address);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = begun.elapsed();
    let milliseconds = took.as_millis();
    let route = response.extensions().get::<Template>();
    metrics::answered(&method, route.map_or("none", |Template(route)| route), response.status(), took);
    span.in_scope(|| tracing::info!(%method, path, status = response.status().as_u16(), milliseconds, "answered"));
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert("x-openstack-request-id", value);
    }
    response
}

/// The client's own id, if it looks like one.
fn global_id(request: &Request) -> &str {
    let given = request.headers().get("x-openstack-request-id").and_then(|value| value.to_str().ok()).unwrap_or("");
    let plain =
        given.starts_with("req-") && given.len() <= 64 && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain { given } else { "" }
}
