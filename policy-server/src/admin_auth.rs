//! Who an admin is: one-time links, passwords, server-side sessions, API tokens.
//!
//! A failed log-in says the same whatever was wrong with it, and takes the same time.

mod limits;
mod password;
mod session;

pub use limits::Limits;
pub use session::{Session, SessionCookie, clear_cookie};

use crate::app::App;
use crate::clock::now_ms;
use crate::secret::{self, Secret};
use crate::store::StoreError;
use std::net::IpAddr;
use std::time::Duration;
use url::Url;

/// How long a one-time console link works.
pub const LINK_LASTS: Duration = Duration::from_mins(15);
/// The admin that exists from the first start.
pub const FIRST_ADMIN: &str = "admin";
/// Shorter passwords are not taken.
pub const SHORTEST_PASSWORD: usize = 12;

#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Unknown name, wrong password, used or expired link: nobody outside learns which.
    #[error("that did not work: the name, the password or the link is not valid (any more)")]
    Refused,
    #[error("too many attempts; wait a minute and try again")]
    TooMany,
    #[error("the password is too short: at least 12 characters are needed")]
    ShortPassword,
    #[error("this page is out of date; load it again and repeat what you did")]
    StaleForm,
    #[error("no randomness is to be had from the operating system")]
    NoRandomness,
    #[error("the password could not be processed: {0}")]
    Hashing(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<aws_lc_rs::error::Unspecified> for AuthError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::NoRandomness
    }
}

/// A new one-time link into the console: `https://…/login/SECRET`.
pub async fn new_link(app: &App, admin: &str) -> Result<Url, AuthError> {
    let secret = Secret::generate()?;
    let expires_ms = now_ms() + i64::try_from(LINK_LASTS.as_millis()).unwrap_or(i64::MAX);
    app.store.add_login_link(&secret.hash(), admin, expires_ms).await?;
    let mut link = app.public_url.clone();
    link.set_path(&format!("/login/{}", secret.reveal()));
    Ok(link)
}

/// Uses a one-time link up and begins a session.
pub async fn redeem_link(app: &App, peer: IpAddr, presented: &str) -> Result<SessionCookie, AuthError> {
    app.limits.log_in(peer)?;
    let admin = app.store.take_login_link(&secret::hash(presented)).await?.ok_or(AuthError::Refused)?;
    app.store.add_deed(&admin, "console-link-used", &admin, &format!("from {peer}")).await?;
    session::begin(app, &admin).await
}

/// Begins a session by name and password.
pub async fn log_in(app: &App, peer: IpAddr, name: &str, password: &str) -> Result<SessionCookie, AuthError> {
    app.limits.log_in(peer)?;
    let known = app.store.password_hash(name).await?;
    if !password::matches(known, password.to_owned()).await? {
        return Err(AuthError::Refused);
    }
    app.store.add_deed(name, "logged-in", name, &format!("from {peer}")).await?;
    session::begin(app, name).await
}

pub async fn log_out(app: &App, session: &Session) -> Result<(), AuthError> {
    Ok(app.store.end_session(session.hash()).await?)
}

/// Sets the admin's own password and ends their other sessions.
pub async fn set_password(app: &App, session: &Session, password: &str) -> Result<(), AuthError> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(AuthError::ShortPassword);
    }
    let hash = password::hash(password.to_owned()).await?;
    app.store.set_password_hash(&session.admin, &hash, session.hash()).await?;
    app.store.add_deed(&session.admin, "password-set", &session.admin, "").await?;
    Ok(())
}
