//! The fleet as it is now: who is there, who has gone dark, and the numbers of the overview.

mod dark;

pub use dark::{DARK, Presence, watch};

use crate::app::App;
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::store::devices::Device;
use serde::{Deserialize, Serialize};

/// One word for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceStatus {
    /// Heard of lately.
    Live,
    /// Silent for too long.
    Dark,
    /// Its access was ended.
    Revoked,
    /// It took itself out.
    Unenrolled,
}

#[must_use]
pub fn status(device: &Device) -> DeviceStatus {
    if device.unenrolled_ms.is_some() {
        DeviceStatus::Unenrolled
    } else if device.revoked_ms.is_some() {
        DeviceStatus::Revoked
    } else if device.dark {
        DeviceStatus::Dark
    } else {
        DeviceStatus::Live
    }
}

/// The numbers of the first page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Overview {
    pub organisation: String,
    pub policy_version: u64,
    /// Devices that are neither revoked nor unenrolled.
    pub devices: u64,
    pub dark: u64,
    /// Devices that have the policy version in force.
    pub up_to_date: u64,
    /// MCP servers found on those devices, and how many of them go through us.
    pub servers: u64,
    pub governed: u64,
    pub members: u64,
    /// Judged calls in the last 24 hours.
    pub allowed: u64,
    pub refused: u64,
    pub would_refuse: u64,
    /// Alerts that are open, and those that are acknowledged but still hold.
    pub open_alerts: u64,
    pub acknowledged_alerts: u64,
    /// Records on devices that are not here yet.
    pub spooled: u64,
}

/// Counts everything the overview shows.
pub async fn overview(app: &App) -> Result<Overview, StoreError> {
    let mut overview = Overview {
        organisation: app.organisation.clone(),
        policy_version: app.store.current_policy().await?.map_or(0, |policy| policy.version),
        members: app.store.members().await?.len() as u64,
        ..Overview::default()
    };
    for device in app.store.devices().await? {
        count_device(&mut overview, &device);
    }
    for (decision, count) in app.store.count_decisions(now_ms() - 24 * 3_600_000).await? {
        match decision.as_str() {
            "allowed" => overview.allowed = count,
            "refused" => overview.refused = count,
            _ => overview.would_refuse += count,
        }
    }
    for (state, count) in app.store.count_live_alerts().await? {
        match state.as_str() {
            "open" => overview.open_alerts = count,
            _ => overview.acknowledged_alerts += count,
        }
    }
    Ok(overview)
}

fn count_device(overview: &mut Overview, device: &Device) {
    let status = status(device);
    if !matches!(status, DeviceStatus::Live | DeviceStatus::Dark) {
        return;
    }
    overview.devices += 1;
    overview.dark += u64::from(status == DeviceStatus::Dark);
    overview.up_to_date += u64::from(device.policy_version == overview.policy_version);
    overview.servers += device.coverage.servers.len() as u64;
    overview.governed += device.coverage.servers.iter().filter(|server| server.governed).count() as u64;
    overview.spooled += device.spool_depth;
}
