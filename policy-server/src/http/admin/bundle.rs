//! The signed bundle in force, for carrying to machines that cannot fetch it themselves.

use super::Principal;
use crate::app::Shared;
use crate::http::Failure;
use crate::http::input::Query;
use crate::publish::{SIGNATURE_LASTS, Signed};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Seconds for which it can be adopted and used; at most what agents' own signatures last.
    expires: Option<u64>,
}

/// The signed bundle in force, as agents fetch it; with `expires`, signed anew for that long.
#[utoipa::path(
    get, path = "/v1/admin/policy/bundle", tag = "admin", params(Wanted),
    responses(
        (status = 200, body = serde_json::Value, description = "files: name to contents"),
        (status = 422, description = "expiry-out-of-bounds"),
        (status = 503, description = "policy-not-ready"),
    )
)]
pub(super) async fn bundle(
    State(app): State<Shared>,
    _: Principal,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let Signed { bytes, etag, .. } = match wanted.expires {
        Some(seconds) => {
            let lasts = bounded(seconds)?;
            app.publisher.turn().await.sign_apart(&app, lasts).await?.ok_or_else(not_ready)?
        }
        None => app.publisher.signed().ok_or_else(not_ready)?.as_ref().clone(),
    };
    Ok(([(ETAG, etag), (CONTENT_TYPE, "application/json".to_owned())], bytes).into_response())
}

fn bounded(seconds: u64) -> Result<Duration, Failure> {
    if (1..=SIGNATURE_LASTS.as_secs()).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    let days = SIGNATURE_LASTS.as_secs() / 86_400;
    let detail = format!("a bundle lasts at least one second and at most {days} days");
    Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "expiry-out-of-bounds", detail))
}

fn not_ready() -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "policy-not-ready", "no policy is signed yet")
}
