//! The local wire between the resident and everybody else on the machine (guards, the command
//! line): JSON lines over a Unix socket or named pipe whose peer credentials name the user.
//!
//! A guard decides nothing by what it hears here: policy comes verified from disk, and a silent
//! resident only means that records wait in the guard's own segment.
//!
//! The enums are tagged from outside (`{"records":{…}}`): an inside tag would make serde buffer the
//! message, and the recorded arguments would not come through byte for byte.

use contract::record::Record;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Said by a guard or the command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToResident {
    /// A guard's first line.
    Hello {
        run: Uuid,
        pid: u32,
        /// The entry's name in the client's configuration; empty where unknown.
        entry: String,
        identity: String,
    },
    /// Records of the guard's run, in order. `member` and `device` are stamped by the resident.
    Records { records: Vec<Record> },
    /// Tell me everything (the `status` command).
    Status,
    /// The last refusals, newest first (the `explain` command).
    Refusals { limit: u32 },
    /// A command changed the configurations or the enrolment: look again now.
    LookAgain,
}

/// Said by the resident.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromResident {
    Welcome {
        policy_version: u64,
    },
    /// Records of this run up to here are committed; the guard may forget them.
    Taken {
        run: Uuid,
        through: u64,
    },
    /// A policy version was adopted: read it again.
    PolicyChanged {
        version: u64,
    },
    Status {
        status: serde_json::Value,
    },
    Refusals {
        records: Vec<Record>,
    },
    Done,
    /// What was asked could not be done; a sentence.
    Failed {
        message: String,
    },
}
