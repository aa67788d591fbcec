//! The machine as a device of its organisation: what enrolment left on disk, read back.
//!
//! `identity.json` is written last and removed first: where it is, everything else is.

mod certificate;
mod enrol;
mod profile;

pub use certificate::{Validity, request as certificate_request};
pub use enrol::{EnrolError, enrol, machine, remove, write_readable};
pub use profile::{ProfileError, read as read_profile};

use crate::upstream::{Credentials, UnusableTls, Upstream};
use platform::Layout;
use platform::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use url::Url;

const LARGEST: u64 = 1024 * 1024;

/// `state/device/identity.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub device_id: String,
    pub member: String,
    pub organisation: String,
    /// Base URL of the policy server.
    pub server: Url,
    #[serde(with = "time::serde::rfc3339")]
    pub enrolled_at: OffsetDateTime,
}

/// Why an enrolment that is there cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is damaged ({source}); `portreeve enroll --again` makes it anew", path.display())]
    Identity { path: PathBuf, source: serde_json::Error },
    #[error("{} is damaged ({why}); `portreeve enroll --again` makes it anew", path.display())]
    Certificate { path: PathBuf, why: String },
    #[error(transparent)]
    Tls(#[from] UnusableTls),
}

/// Everything the resident needs of it.
#[derive(Clone)]
pub struct Enrolment {
    pub identity: Identity,
    pub credentials: Credentials,
    pub certificate: Validity,
    /// PKCS #8 PEM; asks for the renewal.
    pub key_pem: String,
    /// TUF root metadata.
    pub trust_root: Vec<u8>,
}

impl Enrolment {
    /// `None` where this machine is not enrolled.
    ///
    /// # Errors
    /// It is, and something of it is missing or damaged.
    pub fn load(layout: &Layout) -> Result<Option<Self>, EnrolmentError> {
        let Some(identity) = read_identity(layout)? else { return Ok(None) };
        let key_pem = read_text(&layout.device_key())?;
        let certificate_pem = read_text(&layout.device_certificate())?;
        let certificate = Validity::of(&certificate_pem)
            .map_err(|why| EnrolmentError::Certificate { path: layout.device_certificate(), why })?;
        let server_ca = match read_text(&server_ca_path(layout)) {
            Ok(pem) => Some(pem),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        let trust_root = files::read_bounded(&layout.trust_root(), LARGEST)?;
        let device = format!("{key_pem}\n{certificate_pem}").into_bytes();
        let credentials = Credentials { server_ca, device: Some(device) };
        Ok(Some(Self { identity, credentials, certificate, key_pem, trust_root }))
    }

    /// The policy server, called as this device.
    ///
    /// # Errors
    /// Key or certificate cannot be used.
    pub fn upstream(&self) -> Result<Upstream, EnrolmentError> {
        Ok(Upstream::new(self.identity.server.clone(), &self.credentials)?)
    }
}

/// Who this machine is; readable by every user's guards. `None` where it is not enrolled.
///
/// # Errors
/// It is there and cannot be read.
pub fn read_identity(layout: &Layout) -> Result<Option<Identity>, EnrolmentError> {
    let path = layout.identity();
    match files::read_bounded(&path, LARGEST) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| EnrolmentError::Identity { path, source }),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The authority of the server's own TLS certificate, where the managed profile named one.
#[must_use]
pub fn server_ca_path(layout: &Layout) -> PathBuf {
    layout.device().join("server_ca.pem")
}

fn read_text(path: &Path) -> Result<String, FileError> {
    files::read_bounded(path, LARGEST).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
