//! Is it up? For load balancers and scripts; says nothing that is worth hiding.

use crate::app::Shared;
use crate::http::Failure;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(Serialize, utoipa::ToSchema)]
struct Health {
    status: &'static str,
    policy_version: u64,
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(health))
}

/// The server answers and its database reads.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Health)))]
async fn health(State(app): State<Shared>) -> Result<Json<Health>, Failure> {
    let policy_version = app.store.current_policy().await?.map_or(0, |policy| policy.version);
    Ok(Json(Health { status: "ok", policy_version }))
}
