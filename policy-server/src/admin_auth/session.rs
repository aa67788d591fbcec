//! Sessions live on the server; the browser holds a random id that is kept here as a hash only.

use super::AuthError;
use crate::app::{App, Shared};
use crate::clock::now_ms;
use crate::secret::{self, Secret};
use crate::store::StoreError;
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// `__Host-`: the browser takes it only over TLS, for this host alone and for every path.
const COOKIE_NAME: &str = "__Host-portreeve";
const IDLE: Duration = Duration::from_hours(12);
const AT_MOST: Duration = Duration::from_hours(24 * 7);

/// A logged-in admin. As an extractor it sends everybody else to the log-in page.
#[derive(Debug, Clone)]
pub struct Session {
    pub admin: String,
    /// To be put into every form (`<input type="hidden" name="csrf">`) or the header `X-CSRF-Token`.
    pub csrf: String,
    hash: Vec<u8>,
}

impl Session {
    pub(super) fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// Is this form one that we gave to this session?
    ///
    /// # Errors
    /// [`AuthError::StaleForm`].
    pub fn check_form(&self, csrf: &str) -> Result<(), AuthError> {
        if bool::from(self.csrf.as_bytes().ct_eq(csrf.as_bytes())) {
            Ok(())
        } else {
            Err(AuthError::StaleForm)
        }
    }

    /// The session a request's cookie names, where it is alive.
    pub async fn of(app: &App, headers: &HeaderMap) -> Result<Option<Self>, StoreError> {
        let Some(id) = cookie(headers) else { return Ok(None) };
        let hash = secret::hash(id);
        let Some(row) = app.store.session(&hash).await? else { return Ok(None) };
        let now = now_ms();
        if older(row.seen_ms, now, IDLE) || older(row.created_ms, now, AT_MOST) {
            app.store.end_session(&hash).await?;
            return Ok(None);
        }
        if older(row.seen_ms, now, Duration::from_mins(1)) {
            app.store.touch_session(&hash).await?;
        }
        Ok(Some(Self { admin: row.admin, csrf: row.csrf, hash }))
    }
}

impl FromRequestParts<Shared> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        match Self::of(app, &parts.headers).await {
            Ok(Some(session)) => Ok(session),
            Ok(None) => Err(Redirect::to("/login").into_response()),
            Err(error) => Err(crate::http::Failure::from(error).into_response()),
        }
    }
}

/// The `Set-Cookie` of a session that just began.
#[derive(Debug)]
pub struct SessionCookie(HeaderValue);

impl SessionCookie {
    #[must_use]
    pub fn into_header(self) -> HeaderValue {
        self.0
    }
}

/// The `Set-Cookie` that makes a browser forget its session.
#[must_use]
pub fn clear_cookie() -> HeaderValue {
    HeaderValue::from_static("__Host-portreeve=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

pub(super) async fn begin(app: &App, admin: &str) -> Result<SessionCookie, AuthError> {
    let id = Secret::generate()?;
    let csrf = Secret::generate()?;
    app.store.add_session(&id.hash(), admin, csrf.reveal()).await?;
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
        id.reveal(),
        AT_MOST.as_secs()
    );
    let mut header =
        HeaderValue::try_from(cookie).expect("URL-safe base64 and our own text are visible ASCII");
    header.set_sensitive(true);
    Ok(SessionCookie(header))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

fn older(than_ms: i64, now: i64, limit: Duration) -> bool {
    now - than_ms > i64::try_from(limit.as_millis()).unwrap_or(i64::MAX)
}
