//! Enrolment tokens, and the managed profile that carries one.

use super::Principal;
use crate::app::Shared;
use crate::enrolment::{self, NewToken};
use crate::http::Failure;
use crate::http::input::{Body, Path};
use crate::store::tokens::EnrolmentToken;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct Made {
    token: EnrolmentToken,
    /// What IT places on the machines. Holds the secret, and is shown this once.
    #[schema(value_type = Object)]
    profile: contract::enrolment::ManagedProfile,
}

/// Every token, without its secret.
#[utoipa::path(get, path = "/v1/admin/enrolment-tokens", tag = "admin", responses((status = 200, body = Vec<EnrolmentToken>)))]
pub(super) async fn list(
    State(app): State<Shared>,
    _: Principal,
) -> Result<Json<Vec<EnrolmentToken>>, Failure> {
    Ok(Json(app.store.enrolment_tokens().await?))
}

/// A new token.
#[utoipa::path(
    post, path = "/v1/admin/enrolment-tokens", tag = "admin", request_body = NewToken,
    responses((status = 201, body = Made), (status = 422))
)]
pub(super) async fn create(
    State(app): State<Shared>,
    Principal(by): Principal,
    Body(wanted): Body<NewToken>,
) -> Result<(StatusCode, Json<Made>), Failure> {
    let made = enrolment::new_token(&app, &by, &wanted).await?;
    Ok((StatusCode::CREATED, Json(Made { token: made.token, profile: made.profile })))
}

/// Make a token useless. Devices that enrolled by it stay.
#[utoipa::path(
    delete, path = "/v1/admin/enrolment-tokens/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 204), (status = 404))
)]
pub(super) async fn withdraw(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    if enrolment::withdraw_token(&app, &by, &id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Failure::not_found(&format!("a usable enrolment token {id}")))
}
