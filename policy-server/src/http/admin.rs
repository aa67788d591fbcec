//! The admins' API: what the console and the command line do, for programs.

mod alerts;
mod bundle;
mod devices;
mod enrolment;
mod members;
mod overview;
mod policies;
mod principal;
mod records;
mod webhooks;

pub use principal::Principal;

use super::ADMIN_BODY;
use crate::app::Shared;
use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(overview::overview))
        .routes(routes!(overview::deeds))
        .routes(routes!(overview::link))
        .routes(routes!(policies::current))
        .routes(routes!(policies::history))
        .routes(routes!(policies::version))
        .routes(routes!(policies::validate))
        .routes(routes!(policies::preview))
        .routes(routes!(policies::publish))
        .routes(routes!(policies::explain))
        .routes(routes!(bundle::bundle))
        .routes(routes!(members::list))
        .routes(routes!(members::offboard))
        .routes(routes!(members::restore))
        .routes(routes!(devices::list))
        .routes(routes!(devices::one, devices::remove))
        .routes(routes!(devices::revoke))
        .routes(routes!(enrolment::list, enrolment::create))
        .routes(routes!(enrolment::withdraw))
        .routes(routes!(records::search))
        .routes(routes!(records::export))
        .routes(routes!(records::one))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::acknowledge_all))
        .routes(routes!(alerts::acknowledge))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::remove))
        .layer(DefaultBodyLimit::max(ADMIN_BODY))
}
