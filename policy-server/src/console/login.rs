//! Logging in, by one-time link or by password, and out.

use super::frame::Frame;
use super::problem::{Problem, sentence};
use super::visit::{Posted, form, page, page_again, see};
use crate::admin_auth::{self, AuthError, Session, SessionCookie};
use crate::app::Shared;
use crate::tls::Peer;
use askama::Template;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/login", get(show).post(log_in))
        .route("/login/{link}", get(link).post(redeem))
        .route("/logout", form(log_out, "/"))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    name: String,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    frame: Frame,
    link: String,
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

#[derive(Deserialize)]
struct Nothing {}

async fn show(State(app): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    if Session::of(&app, &headers).await?.is_some() {
        return Ok(see("/"));
    }
    page(&LoginPage { frame: Frame::outside(app.organisation.clone()), name: String::new(), fault: None })
}

async fn log_in(
    State(app): State<Shared>,
    Extension(peer): Extension<Peer>,
    sent: Result<Form<Credentials>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(sent) = sent.map_err(|error| Problem::Unreadable(error.body_text()))?;
    match admin_auth::log_in(&app, peer.address.ip(), &sent.name, &sent.password).await {
        Ok(cookie) => Ok(begun(cookie)),
        Err(error @ (AuthError::Refused | AuthError::TooMany)) => page_again(&LoginPage {
            frame: Frame::outside(app.organisation.clone()),
            name: sent.name,
            fault: Some(sentence(&error.to_string())),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Asks before it uses the link up: whatever looks at links before a person does (mail scanners,
/// previews, prefetch) sends no form.
async fn link(State(app): State<Shared>, Path(link): Path<String>) -> Result<Response, Problem> {
    page(&LinkPage { frame: Frame::outside(app.organisation.clone()), link })
}

async fn redeem(
    State(app): State<Shared>,
    Extension(peer): Extension<Peer>,
    Path(link): Path<String>,
) -> Result<Response, Problem> {
    match admin_auth::redeem_link(&app, peer.address.ip(), &link).await {
        Ok(cookie) => Ok(begun(cookie)),
        Err(AuthError::Refused) => page_again(&LoginPage {
            frame: Frame::outside(app.organisation.clone()),
            name: String::new(),
            fault: Some("This link was used already, or it is too old. Make a new one.".into()),
        }),
        Err(error) => Err(error.into()),
    }
}

async fn log_out(Posted { visit, .. }: Posted<Nothing>) -> Result<Response, Problem> {
    admin_auth::log_out(&visit.app, &visit.session).await?;
    Ok((AppendHeaders([(SET_COOKIE, admin_auth::clear_cookie())]), see("/login")).into_response())
}

fn begun(cookie: SessionCookie) -> Response {
    (AppendHeaders([(SET_COOKIE, cookie.into_header())]), see("/")).into_response()
}
