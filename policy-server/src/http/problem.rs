//! Every error the server answers with: a stable code and a whole sentence (RFC 9457).

use crate::admin_auth::AuthError;
use crate::alerts::WebhookError;
use crate::author::PublishError;
use crate::enrolment::EnrolmentError;
use crate::ingest::IngestError;
use crate::members::MemberError;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use contract::enrolment::ApiProblem;
use serde::Serialize;

/// An answer that is an error.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    code: &'static str,
    detail: String,
    more: More,
}

/// What some problems carry beside code and sentence.
#[derive(Debug, Default, Serialize)]
struct More {
    /// How far the log is durable: where an upload has to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    durable: Option<contract::record::Durable>,
    /// Faults in a policy document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<policy::Problem>,
    /// The policy version that is in force instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<u64>,
}

#[derive(Serialize)]
struct Body {
    #[serde(flatten)]
    problem: ApiProblem,
    #[serde(flatten)]
    more: More,
}

impl Failure {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: More::default() }
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("{what} is not known here"))
    }

    /// Ours, not the caller's: the cause goes to the log and not over the wire.
    fn ours(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server-failed",
            "the policy server could not do this; its log says why",
        )
    }

    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem =
            ApiProblem { code: self.code.to_owned(), detail: self.detail, status: self.status.as_u16() };
        let mut response = (self.status, axum::Json(Body { problem, more: self.more })).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

pub(super) fn panicked(_cause: Box<dyn std::any::Any + Send>) -> Response {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "server-failed",
        "the policy server met a fault of its own",
    )
    .into_response()
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::ours(&error)
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        let (status, code) = match &error {
            AuthError::Refused => (StatusCode::UNAUTHORIZED, "not-logged-in"),
            AuthError::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts"),
            AuthError::ShortPassword => (StatusCode::UNPROCESSABLE_ENTITY, "password-too-short"),
            AuthError::StaleForm => (StatusCode::FORBIDDEN, "stale-form"),
            AuthError::NoRandomness | AuthError::Hashing(_) | AuthError::Store(_) => {
                return Self::ours(&error);
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<EnrolmentError> for Failure {
    fn from(error: EnrolmentError) -> Self {
        use EnrolmentError as E;
        let (status, code) = match error {
            E::TooMany(error) => return error.into(),
            E::Store(error) => return error.into(),
            E::TokenUnknown => (StatusCode::FORBIDDEN, "token-unknown"),
            E::TokenExpired => (StatusCode::FORBIDDEN, "token-expired"),
            E::TokenWithdrawn => (StatusCode::FORBIDDEN, "token-withdrawn"),
            E::TokenUsed => (StatusCode::FORBIDDEN, "token-used"),
            E::MemberSuspended(_) => (StatusCode::FORBIDDEN, "member-suspended"),
            E::NoMember => (StatusCode::UNPROCESSABLE_ENTITY, "member-missing"),
            E::BadMember(_) => (StatusCode::UNPROCESSABLE_ENTITY, "member-malformed"),
            E::BadRequest(_) => (StatusCode::UNPROCESSABLE_ENTITY, "certificate-request-malformed"),
            E::MemberNotOfToken(_) => (StatusCode::FORBIDDEN, "member-not-of-token"),
            E::BadPattern(_) => (StatusCode::UNPROCESSABLE_ENTITY, "member-pattern-malformed"),
            E::TokenForWhom => (StatusCode::UNPROCESSABLE_ENTITY, "token-for-whom"),
            E::TokenForAnybody => (StatusCode::UNPROCESSABLE_ENTITY, "token-for-anybody"),
            E::BadToken => (StatusCode::UNPROCESSABLE_ENTITY, "token-out-of-bounds"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        match error {
            PublishError::Problems(problems) => Self {
                more: More { problems, ..More::default() },
                ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "policy-has-problems", detail)
            },
            PublishError::Conflict { current } => Self {
                more: More { current: Some(current), ..More::default() },
                ..Self::new(StatusCode::CONFLICT, "policy-changed-meanwhile", detail)
            },
            PublishError::NoSuchBase { current, .. } => Self {
                more: More { current: Some(current), ..More::default() },
                ..Self::new(StatusCode::CONFLICT, "policy-base-unknown", detail)
            },
            PublishError::Sign(error) => Self::ours(&error),
            PublishError::CutShort => Self::ours(&PublishError::CutShort),
            PublishError::Store(error) => error.into(),
        }
    }
}

impl From<MemberError> for Failure {
    fn from(error: MemberError) -> Self {
        let detail = error.to_string();
        match error {
            MemberError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, "member-unknown", detail),
            MemberError::UnknownDevice(_) => Self::new(StatusCode::NOT_FOUND, "device-unknown", detail),
            MemberError::StillLive(_) => Self::new(StatusCode::CONFLICT, "device-live", detail),
            MemberError::Publish(error) => error.into(),
            MemberError::Store(error) => error.into(),
        }
    }
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        let detail = error.to_string();
        match error {
            WebhookError::BadAddress(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "webhook-malformed", detail)
            }
            WebhookError::Known(_) => Self::new(StatusCode::CONFLICT, "webhook-known", detail),
            WebhookError::NoRandomness => Self::ours(&WebhookError::NoRandomness),
            WebhookError::Store(error) => error.into(),
        }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        let detail = error.to_string();
        match error {
            IngestError::Broken { durable, .. } => Self {
                more: More { durable: Some(durable), ..More::default() },
                ..Self::new(StatusCode::CONFLICT, "record-chain-broken", detail)
            },
            IngestError::Malformed { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "record-malformed", detail)
            }
            IngestError::TooLong => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "batch-too-long", detail),
            IngestError::Store(error) => error.into(),
        }
    }
}
