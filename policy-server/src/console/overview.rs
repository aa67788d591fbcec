//! The first page: is everything governed, what was called, what was refused, what needs a person.

use super::alerts::{AlertRow, rank};
use super::fleet::{Names, is_there};
use super::frame::{Frame, Place};
use super::hours::Hours;
use super::problem::Problem;
use super::record::{EntryRow, rows};
use super::visit::{Visit, page};
use crate::store::alerts::AlertState;
use crate::store::devices::Device;
use crate::store::records::{RecordFilter, RecordRow};
use askama::Template;
use axum::response::Response;
use policy::{Document, Mode};

const DAY_MS: i64 = 24 * 3_600_000;
/// Rows in each list; the rest is a link away.
const SHOWN: u32 = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    devices: u64,
    live: u64,
    dark: u64,
    current: u64,
    servers: u64,
    governed: u64,
    policy_version: u64,
    monitor: bool,
    calls_24h: u64,
    refused_24h: u64,
    would_refuse_24h: u64,
    hours: Hours,
    alerts: Vec<AlertRow>,
    ungoverned: Vec<Ungoverned>,
    rows: Vec<EntryRow>,
}

struct Ungoverned {
    entry: String,
    client: String,
    device_id: String,
    hostname: String,
    why: String,
}

pub async fn show(visit: Visit) -> Result<Response, Problem> {
    let visit = &visit;
    let store = &visit.app.store;
    let numbers = crate::fleet::overview(&visit.app).await?;
    let devices = store.devices().await?;
    let names = Names::new(&devices);
    let hourly = store.hourly_decisions(visit.now_ms - DAY_MS).await?;
    let mut alerts = store.alerts(Some(AlertState::Open), 200).await?;
    alerts.sort_by_key(|alert| rank(&alert.severity));
    alerts.truncate(SHOWN as usize);
    let refusals = latest_refusals(visit).await?;
    page(&OverviewPage {
        frame: visit.frame(Some(Place::Overview)).await?,
        devices: numbers.devices,
        live: numbers.devices - numbers.dark,
        dark: numbers.dark,
        current: numbers.up_to_date,
        servers: numbers.servers,
        governed: numbers.governed,
        policy_version: numbers.policy_version,
        monitor: in_monitor(visit).await?,
        calls_24h: numbers.allowed + numbers.refused + numbers.would_refuse,
        refused_24h: numbers.refused,
        would_refuse_24h: numbers.would_refuse,
        hours: Hours::new(&hourly, visit.now_ms),
        alerts: alerts.into_iter().map(|alert| AlertRow::new(visit, &names, alert)).collect(),
        ungoverned: devices.iter().flat_map(ungoverned).take(SHOWN as usize).collect(),
        rows: rows(visit, &names, refusals).await?,
    })
}

fn ungoverned(device: &Device) -> impl Iterator<Item = Ungoverned> + '_ {
    let there = is_there(device);
    device.coverage.servers.iter().filter(move |server| there && !server.governed).map(|server| Ungoverned {
        entry: server.entry.clone(),
        client: server.client.clone(),
        device_id: device.id.clone(),
        hostname: device.machine.hostname.clone(),
        why: server.why.clone(),
    })
}

/// Refused and would-be-refused together, newest first.
async fn latest_refusals(visit: &Visit) -> Result<Vec<RecordRow>, Problem> {
    let mut found = Vec::new();
    for decision in ["refused", "would-refuse"] {
        let filter = RecordFilter { decision: Some(decision.into()), ..RecordFilter::default() };
        found.extend(visit.app.store.search_records(&filter, None, SHOWN).await?.records);
    }
    found.sort_by_key(|row| std::cmp::Reverse((row.time_ms, row.n)));
    found.truncate(SHOWN as usize);
    Ok(found)
}

/// Does the policy in force only watch, as a whole?
async fn in_monitor(visit: &Visit) -> Result<bool, Problem> {
    let Some(current) = visit.app.store.current_policy().await? else { return Ok(false) };
    Ok(Document::parse(&current.text).is_ok_and(|document| document.defaults().mode == Mode::Monitor))
}
