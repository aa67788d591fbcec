//! The admin's own account: a password for later log-ins.

use super::frame::Frame;
use super::problem::{Problem, sentence};
use super::visit::{Posted, Visit, form, page, page_again, see};
use crate::admin_auth::{self, AuthError};
use crate::app::Shared;
use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

pub fn routes() -> Router<Shared> {
    Router::new().route("/account", get(show)).route("/account/password", form(set_password, "/account"))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    name: String,
    has_password: bool,
    fault: Option<String>,
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
    again: String,
}

async fn show(visit: Visit) -> Result<Response, Problem> {
    page(&account(&visit, None).await?)
}

async fn set_password(Posted { visit, fields }: Posted<NewPassword>) -> Result<Response, Problem> {
    if fields.password != fields.again {
        return page_again(&account(&visit, Some("The two passwords are not the same.".into())).await?);
    }
    match admin_auth::set_password(&visit.app, &visit.session, &fields.password).await {
        Ok(()) => Ok(see("/account?done=password")),
        Err(error @ AuthError::ShortPassword) => {
            page_again(&account(&visit, Some(sentence(&error.to_string()))).await?)
        }
        Err(error) => Err(error.into()),
    }
}

async fn account(visit: &Visit, fault: Option<String>) -> Result<AccountPage, Problem> {
    Ok(AccountPage {
        frame: visit.frame(None).await?,
        name: visit.by().to_owned(),
        has_password: visit.app.store.password_hash(visit.by()).await?.is_some(),
        fault,
    })
}
