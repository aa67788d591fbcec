//! Signed policy: one response that holds a whole TUF repository, and its verification.
//!
//! Follows the client workflow of the TUF specification (section 5); the numbered steps in
//! [`verify`] are the ones a reader can tick off.

use policy::Standing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use time::OffsetDateTime;

/// The largest bundle taken, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;
/// Target names in the repository.
pub const POLICY_TARGET: &str = "policy.toml";
pub const STANDING_TARGET: &str = "standing.json";
/// The version of this shape; an agent refuses one it does not know.
pub const FORMAT: u32 = 1;

/// A TUF repository in one JSON document: file name (as a TUF client would ask for it, with
/// `metadata/` or `targets/` before it) to contents as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    pub files: BTreeMap<String, String>,
}

/// The `custom` member of both targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    pub organisation: String,
    pub format: u32,
    /// The published policy version; the same in both targets.
    pub policy_version: u64,
}

/// What an agent was given at enrolment to verify policy by.
#[derive(Debug, Clone)]
pub struct Anchor {
    pub organisation: String,
    /// TUF root metadata.
    pub root: Vec<u8>,
}

/// A bundle that passed every step.
#[derive(Debug, Clone)]
pub struct Verified {
    pub policy_version: u64,
    pub policy_toml: String,
    pub standing: Standing,
    /// The earliest expiry of its signatures.
    pub expires: OffsetDateTime,
}

/// Why a bundle was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("{0}")]
    Todo(String),
}

impl Rejection {
    /// Stable, for programs: `truncated`, `forged`, `rolled-back`, `expired`, `foreign-organisation`,
    /// `unknown-format`, `clock-stepped-back`, `store`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        todo!()
    }
}

/// Verifies a bundle against the anchor and against what was seen before (`trusted`, a folder that
/// only this procedure writes: version floors and the last known time).
///
/// # Errors
/// The first step that failed.
pub async fn verify(_bytes: &[u8], _anchor: &Anchor, _trusted: &Path) -> Result<Verified, Rejection> {
    todo!()
}
