//! The fleet: every device, what it says of itself, and how a new one joins.

mod device;
mod enrol;

use super::frame::{Frame, Place};
use super::mark::Mark;
use super::problem::Problem;
use super::visit::{Asked, Choice, Visit, choices, form, page};
use super::when::When;
use crate::app::Shared;
use crate::fleet::{DeviceStatus, status};
use crate::store::devices::Device;
use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use std::collections::HashMap;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/fleet", get(list))
        .route("/fleet/enrol", get(enrol::form).post(enrol::make))
        .route("/fleet/enrol/withdraw", form(enrol::withdraw, "/fleet/enrol"))
        .route("/fleet/{id}", get(device::show))
        .route("/fleet/{id}/revoke", form(device::revoke, "/fleet"))
        .route("/fleet/{id}/remove", form(device::remove, "/fleet"))
}

/// Host names by device id, for pages that list records or alerts.
pub struct Names(HashMap<String, String>);

impl Names {
    pub fn new(devices: &[Device]) -> Self {
        Self(devices.iter().map(|d| (d.id.clone(), d.machine.hostname.clone())).collect())
    }

    /// The host name; the id itself where the device is not known or has no name.
    pub fn of(&self, id: &str) -> String {
        self.0.get(id).filter(|name| !name.is_empty()).map_or(id, String::as_str).to_owned()
    }
}

/// A page of a large fleet; the search narrows it.
const SHOWN: usize = 500;

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage {
    frame: Frame,
    q: String,
    statuses: Vec<Choice>,
    devices: Vec<DeviceRow>,
    found: usize,
    total: usize,
    policy_version: u64,
}

pub struct DeviceRow {
    pub id: String,
    pub hostname: String,
    pub member: String,
    pub system: String,
    pub agent_version: String,
    pub status: Mark,
    pub policy: PolicyCell,
    pub servers: usize,
    pub governed: usize,
    pub findings: usize,
    pub spool_depth: u64,
    pub last_contact: When,
}

/// The version a device runs, against the one in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyCell {
    runs: u64,
    in_force: u64,
}

impl askama::filters::HtmlSafe for PolicyCell {}

impl std::fmt::Display for PolicyCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.runs {
            0 => write!(f, "{}", Mark::warn("none yet")),
            runs if runs < self.in_force => {
                write!(f, r#"<span class="st warn">{runs}, {} behind</span>"#, self.in_force - runs)
            }
            runs => write!(f, "{runs}"),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    q: String,
    status: String,
}

const STATUSES: [(&str, &str); 5] =
    [("", "any"), ("live", "live"), ("dark", "dark"), ("revoked", "revoked"), ("unenrolled", "unenrolled")];

async fn list(visit: Visit, Asked(wanted): Asked<Wanted>) -> Result<Response, Problem> {
    if !STATUSES.iter().any(|(status, _)| *status == wanted.status) {
        let fault = format!("there is no status {:?}; say live, dark, revoked or unenrolled", wanted.status);
        return Err(Problem::Unreadable(fault));
    }
    let devices = visit.app.store.devices().await?;
    let in_force = in_force(&visit).await?;
    let mut found: Vec<_> = devices.iter().filter(|device| wanted.fits(device)).collect();
    found.sort_by_key(|device| rank(device));
    page(&FleetPage {
        frame: visit.frame(Some(Place::Fleet)).await?,
        statuses: choices(&STATUSES, &wanted.status),
        total: devices.len(),
        policy_version: in_force,
        found: found.len(),
        devices: found.iter().take(SHOWN).map(|device| DeviceRow::new(&visit, device, in_force)).collect(),
        q: wanted.q,
    })
}

/// It belongs to the fleet: neither revoked nor unenrolled.
pub fn is_there(device: &Device) -> bool {
    matches!(status(device), DeviceStatus::Live | DeviceStatus::Dark)
}

pub async fn in_force(visit: &Visit) -> Result<u64, Problem> {
    Ok(visit.app.store.current_policy().await?.map_or(0, |policy| policy.version))
}

/// What needs a person first; what is gone last. The sort is stable, so the rest stays by name.
fn rank(device: &Device) -> u8 {
    let ungoverned = device.coverage.servers.iter().any(|server| !server.governed);
    match status(device) {
        DeviceStatus::Dark => 0,
        DeviceStatus::Live if ungoverned || !device.findings.is_empty() => 1,
        DeviceStatus::Live => 2,
        DeviceStatus::Revoked | DeviceStatus::Unenrolled => 3,
    }
}

impl Wanted {
    fn fits(&self, device: &Device) -> bool {
        let q = self.q.trim().to_lowercase();
        let found = [&device.member, &device.machine.hostname, &device.id]
            .into_iter()
            .any(|text| text.to_lowercase().contains(&q));
        found && (self.status.is_empty() || self.status == name(status(device)))
    }
}

fn name(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::Live => "live",
        DeviceStatus::Dark => "dark",
        DeviceStatus::Revoked => "revoked",
        DeviceStatus::Unenrolled => "unenrolled",
    }
}

fn mark(status: DeviceStatus) -> Mark {
    match status {
        DeviceStatus::Live => Mark::ok(name(status)),
        DeviceStatus::Dark => Mark::bad(name(status)),
        DeviceStatus::Revoked | DeviceStatus::Unenrolled => Mark::off(name(status)),
    }
}

impl DeviceRow {
    fn new(visit: &Visit, device: &Device, in_force: u64) -> Self {
        let machine = &device.machine;
        Self {
            id: device.id.clone(),
            hostname: if machine.hostname.is_empty() { device.id.clone() } else { machine.hostname.clone() },
            member: device.member.clone(),
            system: format!("{} {}", system_name(&machine.os), machine.os_version),
            agent_version: machine.agent_version.clone(),
            status: mark(status(device)),
            policy: PolicyCell {
                runs: device.policy_version,
                // A device that is gone is behind nothing.
                in_force: if is_there(device) { in_force } else { device.policy_version },
            },
            servers: device.coverage.servers.len(),
            governed: device.coverage.servers.iter().filter(|server| server.governed).count(),
            findings: device.findings.iter().filter(|finding| !finding.healed).count(),
            spool_depth: device.spool_depth,
            last_contact: visit.when(device.contact_ms),
        }
    }
}

fn system_name(os: &str) -> &str {
    match os {
        "macos" => "macOS",
        "linux" => "Linux",
        "windows" => "Windows",
        other => other,
    }
}
