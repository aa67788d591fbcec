//! Alerts.

use super::Principal;
use crate::alerts::{self, Acknowledgement};
use crate::app::Shared;
use crate::http::Failure;
use crate::http::input::{Body, Path, Query};
use crate::store::alerts::{Alert, AlertState};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    responses((status = 204), (status = 404), (status = 409, description = "alert-acknowledged, alert-resolved: it was before"))
)]
pub(super) async fn acknowledge(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    match alerts::acknowledge(&app, &by, &id).await? {
        Acknowledgement::Done => Ok(StatusCode::NO_CONTENT),
        Acknowledgement::Already(alert) => Err(already(&alert)),
        Acknowledgement::Unknown => Err(Failure::not_found(&format!("an alert {id}"))),
    }
}

fn already(alert: &Alert) -> Failure {
    let by = alert.acknowledged_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let (code, how) = match alert.state.as_str() {
        "resolved" => ("alert-resolved", "resolved".to_owned()),
        _ => ("alert-acknowledged", format!("acknowledged{by}")),
    };
    Failure::new(StatusCode::CONFLICT, code, format!("the alert {} is already {how}", alert.id))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    /// Only those of this code; every open one where it is not given.
    #[serde(default)]
    code: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Acknowledged {
    /// How many were open.
    acknowledged: u64,
}

/// Say that somebody looks after all that is open.
#[utoipa::path(
    post, path = "/v1/admin/alerts/acknowledge", tag = "admin", request_body = Open,
    responses((status = 200, body = Acknowledged))
)]
pub(super) async fn acknowledge_all(
    State(app): State<Shared>,
    Principal(by): Principal,
    Body(open): Body<Open>,
) -> Result<Json<Acknowledged>, Failure> {
    let acknowledged = alerts::acknowledge_all(&app, &by, open.code.as_deref()).await?;
    Ok(Json(Acknowledged { acknowledged }))
}
