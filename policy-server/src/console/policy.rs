//! The policy: what is in force, its past, editing it, and asking it.

mod edit;
mod explain;
mod history;
mod lines;

use super::fleet::is_there;
use super::frame::{Frame, Place};
use super::problem::Problem;
use super::visit::{Named, Visit, form, page};
use super::when::When;
use super::words::count;
use crate::app::Shared;
use crate::store::policies::PolicyVersion;
use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/policy", get(current))
        .route("/policy/version/{version}", get(version))
        .route("/policy/edit", get(edit::begin))
        .route("/policy/check", form(edit::check, "/policy/edit"))
        .route("/policy/preview", form(edit::preview, "/policy/edit"))
        .route("/policy/publish", form(edit::publish, "/policy/edit"))
        .route("/policy/history", get(history::list))
        .route("/policy/diff", get(history::diff))
        .route("/policy/explain", get(explain::show))
}

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    frame: Frame,
    current: bool,
    version: u64,
    at: When,
    author: String,
    note: String,
    /// How many devices run it.
    running: String,
    lines: Vec<SourceLine>,
    suspended: Vec<String>,
    revoked_devices: u64,
}

struct SourceLine {
    number: usize,
    text: String,
}

async fn current(visit: Visit) -> Result<Response, Problem> {
    let policy = in_force(&visit).await?;
    page(&policy_page(&visit, policy, true).await?)
}

async fn version(visit: Visit, Named(version): Named<u64>) -> Result<Response, Problem> {
    let policy = visit.app.store.policy(version).await?.ok_or(Problem::NotFound("policy of this version"))?;
    page(&policy_page(&visit, policy, false).await?)
}

async fn in_force(visit: &Visit) -> Result<PolicyVersion, Problem> {
    visit.app.store.current_policy().await?.ok_or(Problem::NotFound("policy"))
}

async fn policy_page(visit: &Visit, policy: PolicyVersion, current: bool) -> Result<PolicyPage, Problem> {
    Ok(PolicyPage {
        frame: visit.frame(Some(Place::Policy)).await?,
        current,
        version: policy.version,
        at: visit.when(policy.created_ms),
        author: policy.author,
        note: policy.note,
        running: running(visit, policy.version).await?,
        lines: policy
            .text
            .lines()
            .enumerate()
            .map(|(i, text)| SourceLine { number: i + 1, text: text.to_owned() })
            .collect(),
        suspended: policy.standing.suspended_members.into_iter().collect(),
        revoked_devices: policy.standing.revoked_devices.len() as u64,
    })
}

async fn running(visit: &Visit, version: u64) -> Result<String, Problem> {
    let devices = visit.app.store.devices().await?;
    let there: Vec<_> = devices.iter().filter(|device| is_there(device)).collect();
    let run = there.iter().filter(|device| device.policy_version == version).count();
    Ok(match there.len() {
        0 => "No device runs it yet.".to_owned(),
        all if run == all => format!("Every device ({all}) runs it."),
        all => format!("{run} of {} run it.", count(all, "device", "devices")),
    })
}
