//! Numbers, what admins did, and a fresh link into the console.

use super::Principal;
use crate::admin_auth;
use crate::app::Shared;
use crate::fleet::{self, Overview};
use crate::http::Failure;
use crate::http::input::Query;
use crate::store::deeds::Deed;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

/// How many of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Limit {
    /// At most this many; 100 where it is not given, and 1000 at most.
    limit: Option<u32>,
}

impl Limit {
    pub(super) fn get(&self) -> u32 {
        self.limit.unwrap_or(100).clamp(1, 1000)
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Link {
    /// Works once, for 15 minutes.
    console: String,
}

/// The numbers of the first page.
#[utoipa::path(get, path = "/v1/admin/overview", tag = "admin", responses((status = 200, body = Overview)))]
pub(super) async fn overview(State(app): State<Shared>, _: Principal) -> Result<Json<Overview>, Failure> {
    Ok(Json(fleet::overview(&app).await?))
}

/// What admins did, newest first.
#[utoipa::path(get, path = "/v1/admin/deeds", tag = "admin", params(Limit), responses((status = 200, body = Vec<Deed>)))]
pub(super) async fn deeds(
    State(app): State<Shared>,
    _: Principal,
    Query(limit): Query<Limit>,
) -> Result<Json<Vec<Deed>>, Failure> {
    Ok(Json(app.store.deeds(limit.get()).await?))
}

/// A new one-time link into the console, for the admin who asks.
#[utoipa::path(post, path = "/v1/admin/link", tag = "admin", responses((status = 200, body = Link)))]
pub(super) async fn link(State(app): State<Shared>, Principal(by): Principal) -> Result<Json<Link>, Failure> {
    let console = admin_auth::new_link(&app, &by).await?.into();
    app.store.add_deed(&by, "console-link-made", &by, "").await?;
    Ok(Json(Link { console }))
}
