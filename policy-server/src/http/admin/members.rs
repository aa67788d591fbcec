//! The people, and the end of their access.

use super::Principal;
use crate::app::Shared;
use crate::http::Failure;
use crate::http::input::Path;
use crate::members::{self, StandingChange};
use crate::store::members::Member;
use axum::Json;
use axum::extract::State;

/// Everybody who ever enrolled a device.
#[utoipa::path(get, path = "/v1/admin/members", tag = "admin", responses((status = 200, body = Vec<Member>)))]
pub(super) async fn list(State(app): State<Shared>, _: Principal) -> Result<Json<Vec<Member>>, Failure> {
    Ok(Json(app.store.members().await?))
}

/// End a member's access on every device, now.
#[utoipa::path(
    post, path = "/v1/admin/members/{address}/offboard", tag = "admin", params(("address" = String, Path)),
    responses((status = 200, body = StandingChange), (status = 404, description = "member-unknown"))
)]
pub(super) async fn offboard(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(address): Path<String>,
) -> Result<Json<StandingChange>, Failure> {
    Ok(Json(members::offboard(&app, &by, &address).await?))
}

/// Give a member their access back.
#[utoipa::path(
    post, path = "/v1/admin/members/{address}/restore", tag = "admin", params(("address" = String, Path)),
    responses((status = 200, body = StandingChange), (status = 404, description = "member-unknown"))
)]
pub(super) async fn restore(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(address): Path<String>,
) -> Result<Json<StandingChange>, Failure> {
    Ok(Json(members::restore(&app, &by, &address).await?))
}
