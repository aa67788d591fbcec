//! What detection remembers over a restart, so that what was changed meanwhile is still a finding.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::report::Finding;
use platform::files::{private_folder, read_bounded, replace_private};
use serde::{Deserialize, Serialize};

use crate::steward::Steward;

const LARGEST: u64 = 256 * 1024 * 1024;

/// How a server stood when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub governed: bool,
    pub identity: String,
}

/// A finding, and since when it is put right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    pub finding: Finding,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed_ms: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// A first look was taken: what is new from here on is new.
    pub begun: bool,
    /// By configuration file, by subject.
    pub files: BTreeMap<String, BTreeMap<String, Seen>>,
    pub noted: Vec<Noted>,
}

fn path(steward: &Steward) -> PathBuf {
    steward.folder().join("seen.json")
}

/// `None` at a first start, and where it cannot be read: then the journal has to tell.
pub fn load(steward: &Steward) -> Option<Memory> {
    let path = path(steward);
    let bytes = match read_bounded(&path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) => {
            if !error.is_not_found() {
                tracing::warn!(%error, "detect.memory_unreadable");
            }
            return None;
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(memory) => Some(memory),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "detect.memory_malformed");
            None
        }
    }
}

pub fn save(steward: &Steward, memory: &Memory) {
    let path = path(steward);
    let saved = private_folder(steward.folder()).and_then(|()| {
        let bytes = serde_json::to_vec(memory).unwrap_or_default();
        replace_private(&path, &bytes)
    });
    if let Err(error) = saved {
        tracing::warn!(%error, "detect.memory_unwritable");
    }
}

/// Forgets what was seen, so that a later enrolment begins anew.
pub fn forget(steward: &Steward) {
    let path = path(steward);
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "detect.memory_stays");
    }
}
