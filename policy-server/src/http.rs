//! The one HTTP surface: the agents' API, the admins' API, its description, and the console.

pub mod admin;
pub mod agents;
mod health;
mod input;
pub mod openapi;
pub mod problem;

pub use problem::Failure;

use crate::app::Shared;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;

/// Admins' requests: a policy document fits, an upload does not.
const ADMIN_BODY: usize = 4 * 1024 * 1024;
/// Until an answer begins; streams and exports may then go on. Against bodies that come byte by byte.
const ANSWER: Duration = Duration::from_secs(60);

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The documented routes, without state: the same list serves and is described.
pub fn documented() -> OpenApiRouter<Shared> {
    openapi::described().merge(agents::routes()).merge(admin::routes()).merge(health::routes())
}

/// Everything this server answers.
pub fn router(app: Shared) -> Router {
    let (api, _) = documented().split_for_parts();
    let console = crate::console::routes().layer(DefaultBodyLimit::max(ADMIN_BODY));
    let all = api.merge(openapi::routes()).merge(console);
    all.fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(app).layer(
        ServiceBuilder::new()
            .layer(header(CACHE_CONTROL, "no-store"))
            .layer(header(CONTENT_SECURITY_POLICY, POLICY))
            .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(header(REFERRER_POLICY, "no-referrer"))
            .layer(header(STRICT_TRANSPORT_SECURITY, "max-age=31536000"))
            .layer(CatchPanicLayer::custom(problem::panicked))
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER))
            // Agents send neither `Origin` nor `Sec-Fetch-Site` and pass; a foreign page cannot.
            .layer(CsrfLayer::new()),
    )
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// The path is not repeated: it may be a mistyped one-time link.
async fn unknown(asked: Request) -> Response {
    if !asked.uri().path().starts_with("/v1/") && wants_a_page(asked.headers()) {
        return crate::console::nothing_here();
    }
    Failure::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this address; see /openapi.json")
        .into_response()
}

/// A browser asks for HTML by name; programs ask for JSON or for anything.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}

async fn wrong_method() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "this address is not asked in this way; see /openapi.json",
    )
}
