//! Which device asks, and in what standing it is.

use crate::app::{App, Shared};
use crate::http::Failure;
use crate::store::devices::Device;
use crate::tls::{Peer, PeerCertificate};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

/// A device of ours, revoked ones included: those may still learn that they are (from the policy), and
/// hand in what they recorded.
pub(super) struct Known(pub Device);

/// A device in good standing.
pub(super) struct Enrolled(pub Device);

/// A device in good standing whose certificate may have expired.
pub(super) struct Renewing(pub Device);

impl FromRequestParts<Shared> for Known {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Failure> {
        match certificate(parts) {
            PeerCertificate::Device { id } => Ok(Self(device(app, id).await?)),
            other => Err(not_a_device(other)),
        }
    }
}

impl FromRequestParts<Shared> for Enrolled {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Failure> {
        let Known(device) = Known::from_request_parts(parts, app).await?;
        in_good_standing(&device)?;
        Ok(Self(device))
    }
}

impl FromRequestParts<Shared> for Renewing {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Failure> {
        let device = match certificate(parts) {
            PeerCertificate::Device { id } | PeerCertificate::Expired { id } => device(app, id).await?,
            other => return Err(not_a_device(other)),
        };
        in_good_standing(&device)?;
        Ok(Self(device))
    }
}

fn certificate(parts: &Parts) -> &PeerCertificate {
    parts.extensions.get::<Peer>().map_or(&PeerCertificate::None, |peer| &peer.certificate)
}

async fn device(app: &App, id: &str) -> Result<Device, Failure> {
    let unknown = || {
        Failure::new(
            StatusCode::FORBIDDEN,
            "device-unknown",
            "this device is not in the fleet; enrol it again",
        )
    };
    let device = app.store.device(id).await?.ok_or_else(unknown)?;
    if device.unenrolled_ms.is_some() {
        return Err(unknown());
    }
    app.presence.heard(&device.id);
    Ok(device)
}

fn in_good_standing(device: &Device) -> Result<(), Failure> {
    if device.revoked_ms.is_some() {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "device-revoked",
            "this device's access was ended by an admin; it has to be enrolled again",
        ));
    }
    Ok(())
}

fn not_a_device(certificate: &PeerCertificate) -> Failure {
    match certificate {
        PeerCertificate::Foreign { why } => Failure::new(
            StatusCode::FORBIDDEN,
            "certificate-foreign",
            format!("this client certificate is not one of this organisation's devices: {why}"),
        ),
        PeerCertificate::Expired { .. } => Failure::new(
            StatusCode::FORBIDDEN,
            "certificate-expired",
            "this device's certificate has expired; renew it",
        ),
        PeerCertificate::None | PeerCertificate::Device { .. } => Failure::new(
            StatusCode::UNAUTHORIZED,
            "certificate-missing",
            "this address is for enrolled devices, which present a client certificate",
        ),
    }
}
