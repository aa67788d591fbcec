//! The fleet.

use super::Principal;
use crate::app::Shared;
use crate::fleet::{self, DeviceStatus};
use crate::http::Failure;
use crate::http::input::Path;
use crate::members::{self, Revocation};
use crate::store::devices::Device;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct DeviceState {
    id: String,
    member: String,
    status: DeviceStatus,
    hostname: String,
    os: String,
    os_version: String,
    agent_version: String,
    enrolled_ms: i64,
    contact_ms: i64,
    certificate_expires_ms: i64,
    policy_version: u64,
    /// `code` and `detail` of the bundle it refused last.
    #[schema(value_type = Option<Object>)]
    policy_refused: Option<contract::report::PolicyRefused>,
    spool_depth: u64,
    /// `servers`: client, scope, project, entry, identity, governed, why.
    #[schema(value_type = Object)]
    coverage: contract::report::Coverage,
    #[schema(value_type = Vec<Object>)]
    findings: Vec<contract::report::Finding>,
}

impl From<Device> for DeviceState {
    fn from(device: Device) -> Self {
        Self {
            status: fleet::status(&device),
            id: device.id,
            member: device.member,
            hostname: device.machine.hostname,
            os: device.machine.os,
            os_version: device.machine.os_version,
            agent_version: device.machine.agent_version,
            enrolled_ms: device.enrolled_ms,
            contact_ms: device.contact_ms,
            certificate_expires_ms: device.certificate_expires_ms,
            policy_version: device.policy_version,
            policy_refused: device.policy_refused,
            spool_depth: device.spool_depth,
            coverage: device.coverage,
            findings: device.findings,
        }
    }
}

/// Every device, with what it last said of itself.
#[utoipa::path(get, path = "/v1/admin/devices", tag = "admin", responses((status = 200, body = Vec<DeviceState>)))]
pub(super) async fn list(State(app): State<Shared>, _: Principal) -> Result<Json<Vec<DeviceState>>, Failure> {
    let devices = app.store.devices().await?;
    Ok(Json(devices.into_iter().map(DeviceState::from).collect()))
}

/// One device.
#[utoipa::path(
    get, path = "/v1/admin/devices/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = DeviceState), (status = 404))
)]
pub(super) async fn one(
    State(app): State<Shared>,
    _: Principal,
    Path(id): Path<String>,
) -> Result<Json<DeviceState>, Failure> {
    let device = app.store.device(&id).await?;
    Ok(Json(device.ok_or_else(|| Failure::not_found(&format!("device {id}")))?.into()))
}

/// End one device's access, for good.
#[utoipa::path(
    post, path = "/v1/admin/devices/{id}/revoke", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = Revocation), (status = 404, description = "device-unknown"))
)]
pub(super) async fn revoke(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(id): Path<String>,
) -> Result<Json<Revocation>, Failure> {
    Ok(Json(members::revoke_device(&app, &by, &id).await?))
}

/// Forget a machine that is gone for good. Its alerts are closed; its records stay.
#[utoipa::path(
    delete, path = "/v1/admin/devices/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "device-unknown"), (status = 409, description = "device-live"))
)]
pub(super) async fn remove(
    State(app): State<Shared>,
    Principal(by): Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    members::remove_device(&app, &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
