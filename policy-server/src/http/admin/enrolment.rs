//! Enrolment tokens, and the managed profile that carries one.

use super::Principal;
use crate::app::Shared;
use crate::enrolment::{self, NewToken, Withdrawal};
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
    /// What it is good for, in words.
    meaning: String,
    /// Sentences about what may surprise whoever made it.
    warnings: Vec<String>,
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
    let meaning = enrolment::meaning(&made.token);
    let caution = enrolment::caution(&made.token).map(str::to_owned);
    let warnings = made.warnings.into_iter().chain(caution).collect();
    Ok((StatusCode::CREATED, Json(Made { token: made.token, profile: made.profile, meaning, warnings })))
}

/// Make a token useless. Devices that enrolled by it stay.
#[utoipa::path(
    delete, path = "/v1/admin/enrolment-tokens/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 204), (status = 404), (status = 409, description = "token-withdrawn: it was before"))
)]
pub(super) async fn withdraw(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    match enrolment::withdraw_token(&app, &by, &id).await? {
        Withdrawal::Done => Ok(StatusCode::NO_CONTENT),
        Withdrawal::Already => {
            let detail = format!("the enrolment token {id} is already withdrawn");
            Err(Failure::new(StatusCode::CONFLICT, "token-withdrawn", detail))
        }
        Withdrawal::Unknown => Err(Failure::not_found(&format!("an enrolment token {id}"))),
    }
}
