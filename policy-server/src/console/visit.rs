//! A page being asked for by a logged-in admin, and a form being sent by one.

use super::frame::{self, Frame, Place};
use super::problem::Problem;
use crate::admin_auth::Session;
use crate::app::Shared;
use crate::clock::now_ms;
use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, FromRequestParts, Path, Query, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, post};
use serde::de::DeserializeOwned;

/// The largest form: a policy document and room to spare.
const MAX_FORM_BYTES: usize = 4 * 1024 * 1024;

/// A logged-in admin at the console. As an extractor it sends everybody else to the log-in page.
pub struct Visit {
    pub app: Shared,
    pub session: Session,
    /// One moment for the whole page, so that its relative times agree.
    pub now_ms: i64,
    notice: Option<&'static str>,
}

impl FromRequestParts<Shared> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        let session = Session::from_request_parts(parts, app).await?;
        let query = parts.uri.query().unwrap_or_default();
        let notice = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "done")
            .and_then(|(_, done)| frame::notice(&done));
        Ok(Self { app: app.clone(), session, now_ms: now_ms(), notice })
    }
}

impl Visit {
    pub async fn frame(&self, here: Option<Place>) -> Result<Frame, Problem> {
        let live = self.app.store.count_live_alerts().await?;
        Ok(Frame {
            organisation: self.app.organisation.clone(),
            admin: Some(self.session.admin.clone()),
            csrf: self.session.csrf.clone(),
            here,
            open_alerts: live.iter().filter(|(state, _)| state == "open").map(|(_, count)| count).sum(),
            notice: self.notice,
        })
    }

    pub fn when(&self, at_ms: i64) -> super::when::When {
        super::when::When::new(at_ms, self.now_ms)
    }

    pub fn by(&self) -> &str {
        &self.session.admin
    }
}

/// A form that this session was given by us, read. There is no other way to a form's fields, so a
/// handler cannot forget to check where it came from.
pub struct Posted<T> {
    pub visit: Visit,
    pub fields: T,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, app).await?;
        let bytes = to_bytes(body, MAX_FORM_BYTES).await.map_err(|_| Problem::TooLarge.into_response())?;
        let csrf =
            url::form_urlencoded::parse(&bytes).find(|(name, _)| name == "csrf").map(|(_, token)| token);
        visit
            .session
            .check_form(csrf.as_deref().unwrap_or_default())
            .map_err(|error| Problem::from(error).into_response())?;
        let request = Request::from_parts(parts, Body::from(bytes));
        let Form(fields) = Form::<T>::from_request(request, app)
            .await
            .map_err(|error| Problem::Unreadable(error.body_text()).into_response())?;
        Ok(Self { visit, fields })
    }
}

/// What stands behind the `?` of an address, read; what cannot be read is answered with a page.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let asked = Query::<T>::try_from_uri(&parts.uri);
        asked.map(|Query(asked)| Self(asked)).map_err(|error| Problem::Unreadable(error.body_text()))
    }
}

/// What an address names: an id, a version. A thing that no id of its kind could name is not there.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let named = Path::<T>::from_request_parts(parts, app).await;
        named.map(|Path(named)| Self(named)).map_err(|_| Problem::NotFound("page of this name"))
    }
}

/// A form's address. Whoever only looks at it (a reload, a bookmark) is sent to where the form stands.
pub fn form<H, T>(handler: H, stands_at: &'static str) -> MethodRouter<Shared>
where
    H: Handler<T, Shared>,
    T: 'static,
{
    post(handler).get(move || async move { Redirect::to(stands_at) })
}

/// A page. Never kept by browser or proxy: it holds what only an admin may see.
pub fn page(template: &impl Template) -> Result<Response, Problem> {
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(template.render()?)).into_response())
}

/// A page that says the form was not accepted as it is.
pub fn page_again(template: &impl Template) -> Result<Response, Problem> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(template)?).into_response())
}

/// After a form: see the result under an address that can be loaded again.
pub fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// One choice of a `<select>`.
pub struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub chosen: bool,
}

pub fn choices(all: &[(&'static str, &'static str)], chosen: &str) -> Vec<Choice> {
    all.iter().map(|&(value, label)| Choice { value, label, chosen: value == chosen }).collect()
}
