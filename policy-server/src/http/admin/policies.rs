//! Policy: what is in force, what was, and what would be.

use super::Principal;
use super::overview::Limit;
use crate::app::Shared;
use crate::author::{self, PublishError, Published, Question, Unanswered};
use crate::http::Failure;
use crate::http::input::{Body, Path, Query};
use crate::store::policies::PolicyVersion;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct Policy {
    version: u64,
    text: String,
    author: String,
    note: String,
    created_ms: i64,
    suspended_members: Vec<String>,
    revoked_devices: Vec<String>,
}

impl From<PolicyVersion> for Policy {
    fn from(policy: PolicyVersion) -> Self {
        Self {
            version: policy.version,
            text: policy.text,
            author: policy.author,
            note: policy.note,
            created_ms: policy.created_ms,
            suspended_members: policy.standing.suspended_members.into_iter().collect(),
            revoked_devices: policy.standing.revoked_devices.into_iter().collect(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    text: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    text: String,
    /// Why, for those who read the history.
    note: String,
    /// The version it was written against; another one in force is a conflict.
    base: u64,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Explain {
    #[serde(flatten)]
    question: Question,
    /// A text to ask in the place of the policy in force.
    #[serde(default)]
    text: Option<String>,
}

/// The policy in force.
#[utoipa::path(get, path = "/v1/admin/policy", tag = "admin", responses((status = 200, body = Policy)))]
pub(super) async fn current(State(app): State<Shared>, _: Principal) -> Result<Json<Policy>, Failure> {
    Ok(Json(in_force(&app).await?.into()))
}

/// Every version, newest first.
#[utoipa::path(get, path = "/v1/admin/policy/history", tag = "admin", params(Limit), responses((status = 200, body = Vec<Policy>)))]
pub(super) async fn history(
    State(app): State<Shared>,
    _: Principal,
    Query(limit): Query<Limit>,
) -> Result<Json<Vec<Policy>>, Failure> {
    let versions = app.store.policy_history(limit.get()).await?;
    Ok(Json(versions.into_iter().map(Policy::from).collect()))
}

/// One version.
#[utoipa::path(
    get, path = "/v1/admin/policy/versions/{version}", tag = "admin", params(("version" = u64, Path)),
    responses((status = 200, body = Policy), (status = 404))
)]
pub(super) async fn version(
    State(app): State<Shared>,
    _: Principal,
    Path(version): Path<u64>,
) -> Result<Json<Policy>, Failure> {
    let found = app.store.policy(version).await?;
    Ok(Json(found.ok_or_else(|| Failure::not_found(&format!("policy version {version}")))?.into()))
}

/// Parse, compile and test a text.
#[utoipa::path(
    post, path = "/v1/admin/policy/validate", tag = "admin", request_body = Text,
    responses((status = 200, body = serde_json::Value, description = "problems and advice (line, column, message, help), tests"))
)]
pub(super) async fn validate(_: Principal, Body(asked): Body<Text>) -> Json<author::Checked> {
    Json(author::check(&asked.text).await)
}

/// What publishing a text would change, tried on the latest recorded calls.
#[utoipa::path(
    post, path = "/v1/admin/policy/preview", tag = "admin", request_body = Text,
    responses((status = 200, body = serde_json::Value, description = "base, problems, advice, tests, sentences, diff, replayed, changes"))
)]
pub(super) async fn preview(
    State(app): State<Shared>,
    _: Principal,
    Body(asked): Body<Text>,
) -> Result<Json<author::Preview>, Failure> {
    Ok(Json(author::preview(&app, &asked.text).await?))
}

/// Publish a text: checked, signed, and pushed to every agent.
#[utoipa::path(
    post, path = "/v1/admin/policy/publish", tag = "admin", request_body = Publish,
    responses(
        (status = 200, body = Published),
        (status = 409, description = "policy-changed-meanwhile or policy-base-unknown, with `current`"),
        (status = 422, description = "policy-has-problems, with `problems`; note-missing"),
    )
)]
pub(super) async fn publish(
    State(app): State<Shared>,
    Principal(by): Principal,
    Body(asked): Body<Publish>,
) -> Result<Json<Published>, Failure> {
    let note = asked.note.trim();
    if note.is_empty() {
        let why = "say in the note why this version is published; the history keeps it";
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "note-missing", why));
    }
    Ok(Json(author::publish(&app, &by, &asked.text, note, asked.base).await?))
}

/// What the policy says to one call, or another use of a server, and why. Name one of `tool`, `resource`,
/// `prompt`, `client_feature` and `method`.
#[utoipa::path(
    post, path = "/v1/admin/policy/explain", tag = "admin", request_body = Explain,
    responses((status = 200, body = serde_json::Value, description = "outcome, verdict, mode, rule, reason, contact, server, roles, considered, redactions"), (status = 422, description = "question-unclear; policy-has-problems"))
)]
pub(super) async fn explain(
    State(app): State<Shared>,
    _: Principal,
    Body(asked): Body<Explain>,
) -> Result<Json<author::Answer>, Failure> {
    let current = in_force(&app).await?;
    let text = asked.text.unwrap_or(current.text);
    let answered = tokio::task::spawn_blocking(move || {
        author::explain(&text, &current.standing, current.version, &asked.question)
    })
    .await
    .map_err(|_| PublishError::CutShort)?;
    Ok(Json(answered.map_err(|why| match why {
        Unanswered::NotOne(why) => {
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "question-unclear", why.to_string())
        }
        Unanswered::Problems(problems) => PublishError::Problems(problems).into(),
    })?))
}

async fn in_force(app: &Shared) -> Result<PolicyVersion, Failure> {
    app.store.current_policy().await?.ok_or_else(|| Failure::not_found("a policy"))
}
