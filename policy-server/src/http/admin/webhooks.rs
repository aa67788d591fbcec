//! Where alerts are sent.

use super::Principal;
use crate::alerts;
use crate::app::Shared;
use crate::http::Failure;
use crate::http::input::{Body, Path};
use crate::store::webhooks::Webhook;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    url: String,
    /// What deliveries are signed with; made here where it is not given.
    #[serde(default)]
    secret: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Added {
    webhook: Webhook,
    /// Shown this once.
    secret: String,
}

/// Every target, with what waits for it.
#[utoipa::path(get, path = "/v1/admin/webhooks", tag = "admin", responses((status = 200, body = Vec<Webhook>)))]
pub(super) async fn list(State(app): State<Shared>, _: Principal) -> Result<Json<Vec<Webhook>>, Failure> {
    Ok(Json(app.store.webhooks().await?))
}

/// Send alerts to this address, too.
#[utoipa::path(
    post, path = "/v1/admin/webhooks", tag = "admin", request_body = NewWebhook,
    responses((status = 201, body = Added), (status = 409, description = "webhook-known"), (status = 422, description = "webhook-malformed"))
)]
pub(super) async fn add(
    State(app): State<Shared>,
    Principal(by): Principal,
    Body(wanted): Body<NewWebhook>,
) -> Result<(StatusCode, Json<Added>), Failure> {
    let (webhook, secret) = alerts::add_webhook(&app, &by, &wanted.url, wanted.secret).await?;
    Ok((StatusCode::CREATED, Json(Added { webhook, secret })))
}

/// Send no alerts there any more.
#[utoipa::path(
    delete, path = "/v1/admin/webhooks/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 204), (status = 404))
)]
pub(super) async fn remove(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    if alerts::remove_webhook(&app, &by, &id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Failure::not_found(&format!("webhook {id}")))
}
