//! Why a bundle was refused: one variant per kind of attack or accident, and the translation of the
//! TUF client's errors into them.

use std::error::Error as _;
use tough::TransportErrorKind;
use tough::error::Error as TufError;

/// Why a bundle was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the policy is larger than the {limit} bytes that are taken")]
    Oversized { limit: usize },
    #[error("the policy arrived incomplete: {0}")]
    Truncated(String),
    #[error("the policy's signatures do not hold: {0}")]
    Forged(String),
    #[error("the policy is older than one that was seen before: {0}")]
    RolledBack(String),
    #[error(
        "the policy is too far ahead of what was seen before ({0}): its signer may want no later one to be taken"
    )]
    VersionJump(String),
    #[error("the {role} signature of the policy has expired")]
    Expired { role: String },
    #[error("the policy is put together from parts that do not belong together: {0}")]
    Mixed(String),
    #[error("the policy is of another organisation: {theirs:?}, and this machine belongs to {ours:?}")]
    ForeignOrganisation { theirs: String, ours: String },
    #[error("the policy is in format {format}, which this version does not know")]
    UnknownFormat { format: u32 },
    #[error("the policy is signed but cannot be understood: {0}")]
    Malformed(String),
    #[error("this machine's clock was set back: {0}")]
    ClockSteppedBack(String),
    #[error("the trust root of this machine cannot be used: {0}")]
    Anchor(String),
    #[error("what was verified before cannot be read or kept: {0}")]
    Store(String),
}

impl Rejection {
    /// Stable, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Oversized { .. } => "oversized",
            Self::Truncated(_) => "truncated",
            Self::Forged(_) => "forged",
            Self::RolledBack(_) => "rolled-back",
            Self::VersionJump(_) => "version-jump",
            Self::Expired { .. } => "expired",
            Self::Mixed(_) => "mixed",
            Self::ForeignOrganisation { .. } => "foreign-organisation",
            Self::UnknownFormat { .. } => "unknown-format",
            Self::Malformed(_) => "malformed",
            Self::ClockSteppedBack(_) => "clock-stepped-back",
            Self::Anchor(_) => "trust-root",
            Self::Store(_) => "store",
        }
    }

    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Store(error.to_string())
    }

    /// An error of steps 2 to 5.
    pub(super) fn from_metadata(error: &TufError) -> Self {
        match error {
            TufError::Transport { url, source, .. } => Self::from_transport(url.path(), source, Self::Mixed),
            other => Self::from_tuf(other),
        }
    }

    /// An error of step 6: the metadata holds, so contents that differ were exchanged.
    pub(super) fn from_target(name: &str, error: &TufError) -> Self {
        match error {
            TufError::Transport { source, .. } => Self::from_transport(name, source, Self::Forged),
            TufError::HashMismatch { .. } | TufError::MaxSizeExceeded { .. } => {
                Self::Forged(format!("{name}: {error}"))
            }
            other => Self::from_tuf(other),
        }
    }

    fn from_transport(name: &str, error: &tough::TransportError, differs: fn(String) -> Self) -> Self {
        if error.kind() == TransportErrorKind::FileNotFound {
            return Self::Truncated(format!("{name} is missing"));
        }
        match error.source().and_then(|cause| cause.downcast_ref::<TufError>()) {
            Some(cause @ (TufError::HashMismatch { .. } | TufError::MaxSizeExceeded { .. })) => {
                differs(format!("{name}: {cause}"))
            }
            _ => Self::Truncated(format!("{name}: {error}")),
        }
    }

    fn from_tuf(error: &TufError) -> Self {
        let text = error.to_string();
        match error {
            TufError::ParseTrustedMetadata { .. } | TufError::VerifyTrustedMetadata { .. } => {
                Self::Anchor(text)
            }
            TufError::ParseMetadata { .. } => Self::Truncated(text),
            TufError::OlderMetadata { .. }
            | TufError::OlderSnapshotInTimestamp { .. }
            | TufError::SnapshotRoleMissing { .. }
            | TufError::SnapshotRoleRollback { .. } => Self::RolledBack(text),
            TufError::ExpiredMetadata { role, .. } => Self::Expired { role: role.to_string() },
            TufError::VersionMismatch { .. }
            | TufError::MetaMissing { .. }
            | TufError::TimestampMetaLength { .. }
            | TufError::MissingSnapshotMeta { .. }
            | TufError::SnapshotTargetsMetaMissing { .. } => Self::Mixed(text),
            TufError::SystemTimeSteppedBackward { .. } => Self::ClockSteppedBack(text),
            TufError::DatastoreInit { .. }
            | TufError::DatastoreCreate { .. }
            | TufError::DatastoreOpen { .. }
            | TufError::DatastoreRemove { .. }
            | TufError::DatastoreSerialize { .. } => Self::Store(text),
            // Signatures and hashes that do not hold; and whatever errors the library may grow.
            _ => Self::Forged(text),
        }
    }
}
