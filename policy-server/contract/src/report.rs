//! What a device says of itself, and what the server says back.

use serde::{Deserialize, Serialize};

/// POST /v1/agent/report: the whole present state, at every change and at least as often as the
/// server asked. The server raises and resolves alerts from it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    pub machine: crate::enrolment::Machine,
    /// The policy version in force on the device; 0 for none yet.
    pub policy_version: u64,
    /// The last bundle that was refused, until a later one is adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_refused: Option<PolicyRefused>,
    /// Records on the device that are not upstream yet.
    pub spool_depth: u64,
    pub coverage: Coverage,
    /// Everything that is wrong now. A finding that is no longer listed is resolved.
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRefused {
    /// Stable: see `bundle::Rejection::code`.
    pub code: String,
    pub detail: String,
}

/// N of M servers governed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub servers: Vec<CoveredServer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoveredServer {
    /// `claude-code`, `claude-desktop`.
    pub client: String,
    /// `user`, `local`, `project`, `desktop`.
    pub scope: String,
    /// The project's folder for local and project scope; empty otherwise.
    #[serde(default)]
    pub project: String,
    pub entry: String,
    pub identity: String,
    pub governed: bool,
    /// Why not, in a sentence; empty where governed.
    #[serde(default)]
    pub why: String,
}

/// One thing that is wrong on a device, or went around us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable reason code: `entry-unwrapped` (an entry we governed was put back by hand),
    /// `entry-direct` (a new entry that does not go through us), `entry-steered` (an entry's variables
    /// may make it run something else), `config-malformed`, `config-unwritable`, `policy-refused`,
    /// `spool-failing`, `spool-lost` (the log was taken away), `spool-tampered` (records in it were altered),
    /// `record-gap` (a guard's file lacks records).
    pub code: String,
    pub severity: Severity,
    /// What it is about, stable over time, for deduplication: `claude-code/user/github`.
    pub subject: String,
    /// A whole sentence for the person who reads the alert.
    pub detail: String,
    /// It was put right by the agent itself (then it is an event, not a state).
    #[serde(default)]
    pub healed: bool,
    /// Unix time in milliseconds when first seen.
    pub since_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportReply {
    /// Report again within this many milliseconds, or be shown as dark.
    pub next_report_ms: u64,
}

/// One event of the stream. `event:` is the tag, `data:` the rest as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum StreamEvent {
    /// A policy version was published; fetch it now. Sent once at connect, too.
    Policy { version: u64 },
}
