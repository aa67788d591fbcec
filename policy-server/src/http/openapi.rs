//! The API's description, made from the routes themselves.

use crate::app::Shared;
use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

#[derive(OpenApi)]
#[openapi(
    info(title = "Portreeve policy server", description = "Agents identify themselves by a client certificate, admins by a bearer token or a console session. Every error is a problem with a stable `code` and a sentence in `detail`."),
    tags(
        (name = "agents", description = "What enrolled devices ask and say."),
        (name = "admin", description = "What admins see and do."),
        (name = "health"),
    )
)]
struct Description;

pub(super) fn described() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Description::openapi())
}

/// The document: OpenAPI 3.1 as JSON.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    super::documented().into_openapi()
}

pub(super) fn routes() -> Router<Shared> {
    let document = document();
    Router::new().route("/openapi.json", get(async move || axum::Json(document.clone())))
}
