//! What the door serves, left in a file for `portreeve door list`. Holds no secret.

use platform::Layout;
use platform::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const LARGEST: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The resident's.
    pub pid: u32,
    pub servers: Vec<Offered>,
    /// Governed entries that are not served, each with the reason.
    pub left_out: Vec<(String, String)>,
    /// What a client has to trust, where the door speaks HTTPS.
    pub certificate: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    pub name: String,
    pub identity: String,
    /// Streamable HTTP.
    pub url: String,
    /// The older HTTP with server-sent events.
    pub sse: String,
}

impl Notice {
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, layout: &Layout) -> Result<(), FileError> {
        // Texts only: it cannot fail.
        files::replace_private(&path(layout), &serde_json::to_vec(self).unwrap_or_default())
    }

    /// `None` where the door is shut.
    pub fn read(layout: &Layout) -> Option<Self> {
        let notice: Self = serde_json::from_slice(&files::read_bounded(&path(layout), LARGEST).ok()?).ok()?;
        platform::process::started(notice.pid).is_some().then_some(notice)
    }
}

pub fn take_down(layout: &Layout) {
    if let Err(error) = std::fs::remove_file(path(layout)) {
        tracing::debug!(%error, "door.notice");
    }
}

fn path(layout: &Layout) -> PathBuf {
    super::folder(layout).join("open.json")
}
