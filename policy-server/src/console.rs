//! The admin console: pages rendered on the server, complete without any script.
//!
//! It decides nothing and keeps nothing: every page asks the store or the modules beside it, every
//! button calls the same functions as the API and the command line. Sessions, CSRF tokens and
//! security headers are `admin_auth`'s and `http`'s.

mod account;
mod alerts;
mod assets;
mod fleet;
mod frame;
mod hours;
mod login;
mod mark;
mod overview;
mod people;
mod policy;
mod problem;
mod record;
mod said;
mod visit;
mod when;
mod words;

use crate::app::Shared;
use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// The page for an address that is none of ours. It says no more than that, so anybody may see it.
pub fn nothing_here() -> Response {
    problem::Problem::NotFound("page at this address").into_response()
}

/// Every page and every form of the console.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(overview::show))
        .route("/assets/{hash}/{name}", get(assets::serve))
        .merge(login::routes())
        .merge(account::routes())
        .merge(fleet::routes())
        .merge(policy::routes())
        .merge(record::routes())
        .merge(alerts::routes())
        .merge(people::routes())
}
