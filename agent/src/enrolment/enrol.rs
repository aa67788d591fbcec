//! Becoming a device: a key made here, a certificate from the policy server, and the end of it.

use super::profile::{self, ProfileError};
use super::{Enrolment, Identity, certificate, server_ca_path};
use crate::resident::door::clients;
use crate::resident::log_marker;
use crate::upstream::{CallError, Credentials, UnusableTls, Upstream};
use contract::enrolment::{EnrolReply, EnrolRequest, Machine, ManagedProfile, trust_root_digest};
use contract::paths;
use platform::Layout;
use platform::files::{self, FileError};
use platform::layout::Kind;
use platform::managed::ManagedError;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;
use url::Url;

/// The old device's farewell gets this long.
const RETIREMENT: Duration = Duration::from_secs(5);

/// Why this machine did not become a device. Nothing of a try that failed is left on disk.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Profile(ProfileError),
    #[error(
        "{0}. On a managed machine that is the administrator's: run it as root (sudo portreeve enroll), or let \
         the service enrol (portreeve run --enroll)"
    )]
    NotAdministrator(String),
    #[error("the policy server {server} did not enrol this machine: {call}")]
    Refused { server: String, call: CallError },
    #[error(transparent)]
    Unreached(CallError),
    #[error(
        "the policy server {server} is of the organisation `{theirs}`, the managed profile of `{ours}`: \
         nothing was enrolled"
    )]
    Foreign { server: String, theirs: String, ours: String },
    #[error("the policy server sent a certificate that cannot be read: {0}")]
    Certificate(String),
    #[error("no device key can be made: {0}")]
    Key(#[from] rcgen::Error),
    #[error(transparent)]
    Tls(#[from] UnusableTls),
    #[error(transparent)]
    File(FileError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the identity cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<ProfileError> for EnrolError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Unreadable(ManagedError::File(error)) if is_not_ours(&error) => {
                Self::NotAdministrator(error.to_string())
            }
            error => Self::Profile(error),
        }
    }
}

impl From<FileError> for EnrolError {
    fn from(error: FileError) -> Self {
        if is_not_ours(&error) { Self::NotAdministrator(error.to_string()) } else { Self::File(error) }
    }
}

fn is_not_ours(error: &FileError) -> bool {
    matches!(error, FileError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Enrols by the managed profile. Asks the server first and touches the disk only with its answer.
///
/// # Errors
/// See [`EnrolError`]; an enrolment that was there before still stands.
pub async fn enrol(layout: &Layout) -> Result<Identity, EnrolError> {
    let profile = profile::read(layout)?;
    let server = Url::parse(&profile.server).map_err(|error| ProfileError::Wrong {
        from: layout.managed_profile(),
        faults: vec![format!("the key `server` is not an address ({error})")],
    })?;
    layout.create()?;
    let key_pem = certificate::make_key()?;
    let reply = ask(&server, &profile, &key_pem).await?;
    certificate::Validity::of(&reply.certificate_pem).map_err(EnrolError::Certificate)?;
    if reply.organisation != profile.organisation {
        return Err(EnrolError::Foreign {
            server: server.into(),
            theirs: reply.organisation,
            ours: profile.organisation,
        });
    }
    retire(layout, &reply.device_id).await;
    keep(layout, &profile, server, &key_pem, reply)
}

/// The device that this machine was until now leaves the fleet, as far as its server can be told;
/// where it cannot, the machine is shown twice until somebody takes the old device out.
async fn retire(layout: &Layout, next: &str) {
    let Ok(Some(before)) = Enrolment::load(layout) else { return };
    if before.identity.device_id == next {
        return;
    }
    let device = before.identity.device_id.clone();
    let Ok(upstream) = before.upstream() else { return };
    match tokio::time::timeout(RETIREMENT, upstream.tell(paths::UNENROL)).await {
        Ok(Ok(())) => tracing::info!(device, "device.retired"),
        Ok(Err(error)) => tracing::warn!(device, %error, "device.not_retired"),
        Err(_) => tracing::warn!(device, "device.not_retired"),
    }
}

async fn ask(server: &Url, profile: &ManagedProfile, key_pem: &str) -> Result<EnrolReply, EnrolError> {
    let credentials = Credentials { server_ca: profile.server_ca.clone(), device: None };
    let upstream = Upstream::new(server.clone(), &credentials)?;
    let machine = machine();
    let request = EnrolRequest {
        token: profile.enrolment_token.clone(),
        csr_pem: certificate::request(key_pem, &machine.hostname)?,
        member: profile.member.clone(),
        machine,
        organisation: Some(profile.organisation.clone()),
        trust_root_digest: trust_root_digest(&profile.trust_root),
    };
    upstream.post(paths::ENROL, &request).await.map_err(|call| match call {
        CallError::Refused(_) => EnrolError::Refused { server: server.to_string(), call },
        other => EnrolError::Unreached(other),
    })
}

/// `identity.json` goes first where one is, and comes last: between the two the machine counts as
/// not enrolled, and never as half of each.
fn keep(
    layout: &Layout,
    profile: &ManagedProfile,
    server: Url,
    key_pem: &str,
    reply: EnrolReply,
) -> Result<Identity, EnrolError> {
    remove_file(&layout.identity())?;
    files::replace_private(&layout.device_key(), key_pem.as_bytes())?;
    files::replace_private(&layout.device_certificate(), reply.certificate_pem.as_bytes())?;
    match &profile.server_ca {
        Some(pem) => files::replace_private(&server_ca_path(layout), pem.as_bytes())?,
        None => remove_file(&server_ca_path(layout))?,
    }
    // Version floors are kept as long as the anchor is the same: enrolling again is no way back to
    // an older policy.
    let anchor = std::fs::read(layout.trust_root()).unwrap_or_default();
    if anchor != profile.trust_root.as_bytes() {
        forget_policy(layout)?;
        write_readable(layout, &layout.trust_root(), profile.trust_root.as_bytes())?;
    }
    let identity = Identity {
        device_id: reply.device_id,
        member: reply.member,
        organisation: reply.organisation,
        server,
        enrolled_at: OffsetDateTime::now_utc(),
    };
    write_readable(layout, &layout.identity(), &serde_json::to_vec_pretty(&identity)?)?;
    Ok(identity)
}

/// Takes the device's identity and its policy off the disk.
///
/// # Errors
/// A file stays; `identity.json` is gone first.
pub fn remove(layout: &Layout) -> Result<(), EnrolError> {
    for path in [layout.identity(), layout.device_key(), layout.device_certificate(), server_ca_path(layout)]
    {
        remove_file(&path)?;
    }
    remove_file(&log_marker::path(layout))?;
    remove_file(&clients::path(layout))?;
    forget_policy(layout)
}

fn forget_policy(layout: &Layout) -> Result<(), EnrolError> {
    remove_file(&layout.adopted_policy())?;
    remove_file(&layout.trust_root())?;
    let trusted = layout.trusted();
    match std::fs::remove_dir_all(&trusted) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(EnrolError::Io { path: trusted, source })
        }
        _ => Ok(files::private_folder(&trusted)?),
    }
}

fn remove_file(path: &Path) -> Result<(), EnrolError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(EnrolError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// What every user's guards read is readable by all in the machine's own layout.
pub fn write_readable(layout: &Layout, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match layout.kind {
        Kind::System => files::replace_shared(path, bytes),
        Kind::User | Kind::Root => files::replace_private(path, bytes),
    }
}

/// What this machine says of itself.
#[must_use]
pub fn machine() -> Machine {
    Machine {
        hostname: sysinfo::System::host_name().unwrap_or_default(),
        os: std::env::consts::OS.to_owned(),
        os_version: sysinfo::System::long_os_version().unwrap_or_default(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

#[cfg(test)]
mod tests;
