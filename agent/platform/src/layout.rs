//! Where Portreeve's own files live.
//!
//! | file | who writes | what |
//! |---|---|---|
//! | `etc/managed.json` | MDM | the managed profile (Linux; elsewhere see [`crate`]) |
//! | `state/device/key.pem`, `cert.pem` | resident | the device key (0600) and certificate |
//! | `state/device/identity.json` | resident | device id, member, organisation, server |
//! | `state/policy/root.json` | enrolment | the trust anchor |
//! | `state/policy/adopted.json` | resident | the bundle in force |
//! | `state/policy/trusted/` | resident | version floors of the TUF workflow |
//! | `state/spool.sqlite` | resident | the audit log that is not upstream yet |
//! | `state/steward/` | resident | journal and originals of edited configurations |
//! | `run/resident.sock` | resident | the local socket |
//! | `guard_spool/RUN.jsonl` | guard | records the resident has not taken yet |

use std::path::{Path, PathBuf};

/// The folders of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub etc: PathBuf,
    pub state: PathBuf,
    pub run: PathBuf,
    pub guard_spool: PathBuf,
    /// The `--root` this layout was made from, to be handed on to guards; `None` for the machine's own.
    pub root: Option<PathBuf>,
}

/// Why a layout cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// On a machine that IT manages, a private root would be a way around its policy.
    #[error("this machine is managed by your organisation ({managed}); --root is not taken here")]
    Managed { managed: PathBuf },
    #[error("{0} is not an absolute path")]
    NotAbsolute(PathBuf),
    #[error("no home folder is known for this user")]
    Homeless,
}

impl Layout {
    /// Everything under one folder: trials, containers, tests.
    ///
    /// # Errors
    /// The machine is managed, or the path is relative.
    pub fn under(_root: &Path) -> Result<Self, Unusable> {
        todo!()
    }

    /// The machine's own: system-wide where a managed profile or an enrolment is there, else the user's own folders.
    ///
    /// # Errors
    /// No home folder.
    pub fn of_machine() -> Result<Self, Unusable> {
        todo!()
    }
}
