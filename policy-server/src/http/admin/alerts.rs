//! Alerts.

use super::Principal;
use crate::alerts;
use crate::app::Shared;
use crate::http::Failure;
use crate::http::input::{Path, Query};
use crate::store::alerts::{Alert, AlertState};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only these; all where it is not given.
    state: Option<AlertState>,
    limit: Option<u32>,
}

/// Alerts, newest first.
#[utoipa::path(get, path = "/v1/admin/alerts", tag = "admin", params(Which), responses((status = 200, body = Vec<Alert>)))]
pub(super) async fn list(
    State(app): State<Shared>,
    _: Principal,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Alert>>, Failure> {
    let limit = which.limit.unwrap_or(100).clamp(1, 1000);
    Ok(Json(app.store.alerts(which.state, limit).await?))
}

/// Say that somebody looks after it.
#[utoipa::path(
    post, path = "/v1/admin/alerts/{id}/acknowledge", tag = "admin", params(("id" = String, Path)),
    responses((status = 204), (status = 404))
)]
pub(super) async fn acknowledge(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    if alerts::acknowledge(&app, &by, &id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Failure::not_found(&format!("an open alert {id}")))
}
