//! Who asks: a program with a bearer token, or an admin's browser with a session.

use crate::admin_auth::{AuthError, Session};
use crate::app::Shared;
use crate::http::Failure;
use crate::secret;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

/// An admin, by name.
#[derive(Debug, Clone)]
pub struct Principal(pub String);

impl FromRequestParts<Shared> for Principal {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Failure> {
        if let Some(header) = parts.headers.get(AUTHORIZATION) {
            let token = header.to_str().ok().and_then(|header| header.strip_prefix("Bearer "));
            let known = match token {
                Some(token) => app.store.api_token(&secret::hash(token.trim())).await?,
                None => None,
            };
            return known.map(Self).ok_or_else(unknown);
        }
        let session = Session::of(app, &parts.headers).await?.ok_or_else(unknown)?;
        if !parts.method.is_safe() {
            // A browser sends the cookie whoever wrote the page; only our pages know the token.
            let token = parts.headers.get("x-csrf-token").and_then(|token| token.to_str().ok());
            session.check_form(token.ok_or(AuthError::StaleForm)?)?;
        }
        Ok(Self(session.admin))
    }
}

fn unknown() -> Failure {
    Failure::new(
        StatusCode::UNAUTHORIZED,
        "not-logged-in",
        "this address is for admins: send `Authorization: Bearer TOKEN`, or log in to the console",
    )
}
