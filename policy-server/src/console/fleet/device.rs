//! One device: its servers, what is wrong on it, its last records, and the end of its access.

use super::{DeviceRow, Names, in_force, is_there};
use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::Problem;
use crate::console::record::{EntryRow, rows};
use crate::console::visit::{Named, Posted, Visit, page, see};
use crate::console::when::When;
use crate::enrolment::meaning;
use crate::fleet::{DeviceStatus, status};
use crate::members;
use crate::store::alerts::severity_name;
use crate::store::records::RecordFilter;
use askama::Template;
use axum::response::Response;
use contract::report::{CoveredServer, Finding};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    frame: Frame,
    device: DeviceRow,
    servers: Vec<ServerRow>,
    findings: Vec<FindingRow>,
    rows: Vec<EntryRow>,
    enrolled: When,
    policy_refused: String,
    revocable: bool,
    /// It is gone or dark, so it may be forgotten.
    removable: bool,
    /// Tokens by which it could come back.
    could_enrol_again: Vec<String>,
}

struct ServerRow {
    entry: String,
    client: String,
    scope: String,
    project: String,
    identity: String,
    mark: Mark,
    why: String,
}

struct FindingRow {
    severity: Mark,
    detail: String,
    subject: String,
    healed: bool,
    since: When,
}

#[derive(Deserialize)]
pub struct Nothing {}

pub async fn show(visit: Visit, Named(id): Named<String>) -> Result<Response, Problem> {
    let device = visit.app.store.device(&id).await?.ok_or(Problem::NotFound("device"))?;
    let could_enrol_again = members::tokens_for(&visit.app, &device.member).await?;
    let filter = RecordFilter { device: Some(id), kind: Some("call".into()), ..RecordFilter::default() };
    let records = visit.app.store.search_records(&filter, None, 15).await?.records;
    let names = Names::new(std::slice::from_ref(&device));
    page(&DevicePage {
        frame: visit.frame(Some(Place::Fleet)).await?,
        rows: rows(&visit, &names, records).await?,
        enrolled: visit.when(device.enrolled_ms),
        policy_refused: device
            .policy_refused
            .as_ref()
            .map(|refused| refused.detail.clone())
            .unwrap_or_default(),
        revocable: is_there(&device),
        removable: status(&device) != DeviceStatus::Live,
        could_enrol_again: could_enrol_again.iter().map(meaning).collect(),
        servers: device.coverage.servers.iter().map(ServerRow::from).collect(),
        findings: device.findings.iter().map(|finding| FindingRow::new(&visit, finding)).collect(),
        device: DeviceRow::new(&visit, &device, in_force(&visit).await?),
    })
}

pub async fn revoke(
    Named(id): Named<String>,
    Posted { visit, .. }: Posted<Nothing>,
) -> Result<Response, Problem> {
    members::revoke_device(&visit.app, visit.by(), &id).await?;
    Ok(see(&format!("/fleet/{id}?done=revoked")))
}

pub async fn remove(
    Named(id): Named<String>,
    Posted { visit, .. }: Posted<Nothing>,
) -> Result<Response, Problem> {
    members::remove_device(&visit.app, visit.by(), &id).await?;
    Ok(see("/fleet?done=removed"))
}

impl From<&CoveredServer> for ServerRow {
    fn from(server: &CoveredServer) -> Self {
        Self {
            entry: server.entry.clone(),
            client: server.client.clone(),
            scope: server.scope.clone(),
            project: server.project.clone(),
            identity: server.identity.clone(),
            mark: if server.governed { Mark::ok("governed") } else { Mark::bad("not governed") },
            why: server.why.clone(),
        }
    }
}

impl FindingRow {
    fn new(visit: &Visit, finding: &Finding) -> Self {
        Self {
            severity: Mark::severity(severity_name(finding.severity)),
            detail: finding.detail.clone(),
            subject: finding.subject.clone(),
            healed: finding.healed,
            since: visit.when(finding.since_ms),
        }
    }
}
