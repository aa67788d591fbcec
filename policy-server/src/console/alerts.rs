//! Alerts: what needs a person now, what was resolved, and where alerts are sent.

mod meaning;
mod webhooks;

use super::fleet::Names;
use super::frame::{Frame, Place};
use super::mark::Mark;
use super::problem::Problem;
use super::visit::{Named, Posted, Visit, form, page, see};
use super::when::When;
use crate::app::Shared;
use crate::store::alerts::{Alert, AlertState};
use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/alerts", get(list))
        .route("/alerts/webhooks", get(webhooks::show).post(webhooks::add))
        .route("/alerts/webhooks/remove", form(webhooks::remove, "/alerts/webhooks"))
        .route("/alerts/acknowledge", form(acknowledge_all, "/alerts"))
        .route("/alerts/{id}", get(show))
        .route("/alerts/{id}/acknowledge", form(acknowledge, "/alerts"))
}

/// Beyond this the page says so; a fleet with more open alerts has one problem, not many.
const SHOWN: u32 = 200;

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    open: Vec<AlertRow>,
    /// Open ones that nobody looks after; the button for all of them needs more than one.
    unattended: usize,
    resolved: Vec<AlertRow>,
}

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage {
    frame: Frame,
    alert: AlertRow,
    meaning: &'static str,
    acknowledgeable: bool,
}

pub struct AlertRow {
    pub id: String,
    pub code: String,
    pub severity: Mark,
    /// What happened, in a few words.
    pub title: String,
    pub detail: String,
    /// What stands below the sentence: a difference, line by line.
    pub below: String,
    pub subject: String,
    pub device: String,
    pub device_id: String,
    pub member: String,
    pub state: Mark,
    pub healed: bool,
    pub since: When,
    pub opened: When,
    pub acknowledged: Option<When>,
    pub acknowledged_by: Option<String>,
    pub resolved: Option<When>,
}

impl AlertRow {
    pub fn new(visit: &Visit, names: &Names, alert: Alert) -> Self {
        let device = names.of(&alert.device);
        let (detail, below) = alert.detail.split_once('\n').unwrap_or((&alert.detail, ""));
        let (detail, below) = (detail.to_owned(), below.to_owned());
        Self {
            title: meaning::title(&alert.code, &alert.subject, &device),
            severity: Mark::severity(&alert.severity),
            state: match alert.state.as_str() {
                "resolved" => Mark::off("resolved"),
                "acknowledged" => Mark::warn("acknowledged"),
                _ => Mark::bad("open"),
            },
            device,
            since: visit.when(alert.since_ms),
            opened: visit.when(alert.opened_ms),
            acknowledged: alert.acknowledged_ms.map(|at| visit.when(at)),
            resolved: alert.resolved_ms.map(|at| visit.when(at)),
            id: alert.id,
            code: alert.code,
            detail,
            below,
            subject: alert.subject,
            device_id: alert.device,
            member: alert.member,
            healed: alert.healed,
            acknowledged_by: alert.acknowledged_by,
        }
    }
}

async fn list(visit: Visit) -> Result<Response, Problem> {
    let store = &visit.app.store;
    let names = Names::new(&store.devices().await?);
    let mut open = store.alerts(Some(AlertState::Open), SHOWN).await?;
    open.sort_by_key(|alert| rank(&alert.severity));
    let unattended = open.len();
    open.extend(store.alerts(Some(AlertState::Acknowledged), SHOWN).await?);
    let resolved = store.alerts(Some(AlertState::Resolved), SHOWN).await?;
    page(&AlertsPage {
        frame: visit.frame(Some(Place::Alerts)).await?,
        unattended,
        open: open.into_iter().map(|alert| AlertRow::new(&visit, &names, alert)).collect(),
        resolved: resolved.into_iter().map(|alert| AlertRow::new(&visit, &names, alert)).collect(),
    })
}

/// The worst first; the sort is stable, so the newest stay first among equals.
pub fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    }
}

async fn show(visit: Visit, Named(id): Named<String>) -> Result<Response, Problem> {
    let alert = visit.app.store.alert(&id).await?.ok_or(Problem::NotFound("alert"))?;
    let names = Names::new(&visit.app.store.devices().await?);
    page(&AlertPage {
        frame: visit.frame(Some(Place::Alerts)).await?,
        meaning: meaning::meaning(&alert.code),
        acknowledgeable: alert.state == "open",
        alert: AlertRow::new(&visit, &names, alert),
    })
}

#[derive(Deserialize)]
struct Nothing {}

async fn acknowledge_all(Posted { visit, .. }: Posted<Nothing>) -> Result<Response, Problem> {
    crate::alerts::acknowledge_all(&visit.app, visit.by(), None).await?;
    Ok(see("/alerts?done=all-acknowledged"))
}

/// One that was acknowledged or resolved meanwhile is no fault: the page says how it stands.
async fn acknowledge(
    Named(id): Named<String>,
    Posted { visit, .. }: Posted<Nothing>,
) -> Result<Response, Problem> {
    crate::alerts::acknowledge(&visit.app, visit.by(), &id).await?;
    Ok(see("/alerts?done=acknowledged"))
}
