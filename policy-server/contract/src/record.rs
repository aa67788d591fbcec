//! The audit record on its way: the agent's lines, their chain, and their receipt.

mod bounds;
mod chain;
mod definition;
mod line;
pub mod verify;

pub use bounds::OutOfBounds;
pub use chain::{ChainBroken, START, from_hex, to_hex};
pub use definition::{Definition, DefinitionChange, DefinitionFlag, Disapproval, Happened, Part};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// One record. A call that leaves has two: [`What::Call`] before, [`What::Outcome`] after.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "line::Line")]
pub struct Record {
    /// UUIDv7; a record with the same id is the same record, however often it arrives.
    pub id: Uuid,
    /// Unix time in milliseconds.
    pub time_ms: i64,
    /// One guard process: our own run id (the protocol has no session id since 2026-07-28).
    pub run: Uuid,
    /// Counts the records of this run from 1; a hole is a loss.
    pub seq: u64,
    /// Stamped by the resident, not claimed by the guard.
    pub member: String,
    pub device: String,
    /// The operating system user the guard ran as.
    #[serde(default)]
    pub os_user: String,
    #[serde(default)]
    pub client: Client,
    pub server: Server,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub version: String,
    /// `CLAUDE_CODE_SESSION_ID`, where the client set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The name of the credential that it showed at an HTTP door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// What was run or dialled: `npm:@scope/name`, `https://host/path`.
    pub identity: String,
    /// The entry's name in the client's configuration at the time; empty where unknown.
    #[serde(default)]
    pub entry: String,
    /// The policy catalogue's name for it at the time, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<String>,
}

/// Read as a part of [`Record`] only.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// The guard started: a conversation begins.
    Started {
        policy_version: u64,
    },
    /// The conversation ended; why, in a sentence.
    Stopped {
        why: String,
    },
    Call {
        method: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        /// Number of the call in its run; joins it to its outcome.
        call: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_use_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arguments: Option<Box<RawValue>>,
        /// What the client said beside them that the specification does not know: `message` (members beside
        /// `params`), `params` and `_meta`, each an object of those members.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beyond: Option<Box<RawValue>>,
        decision: policy::Outcome,
        rule: String,
        reason: String,
        policy_version: u64,
        /// In how many places something was taken out of it before it was judged.
        #[serde(default, skip_serializing_if = "is_zero")]
        redacted: u64,
        /// Joins the rounds of one call that the server asks back about: the outcome of a round and the
        /// call that goes on with it have the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round: Option<String>,
    },
    Outcome {
        method: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        call: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_use_id: Option<String>,
        fate: Fate,
        duration_us: u64,
        bytes: u64,
        /// In how many places something was taken out of it before it was judged.
        #[serde(default, skip_serializing_if = "is_zero")]
        redacted: u64,
        /// Joins the rounds of one call that the server asks back about: the outcome of a round and the
        /// call that goes on with it have the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round: Option<String>,
    },
    Listed {
        method: String,
        shown: u64,
        hidden: u64,
    },
    Malformed {
        code: String,
        message: String,
        from_client: bool,
    },
    /// A server defined something new, or otherwise than before.
    Definition(Box<Definition>),
    /// Policy took something out of messages that are no call and no answer to one (progress, logging):
    /// told of the first of a method at once, of the others by their number.
    Redacted {
        method: String,
        from_client: bool,
        /// How many since the last record of this method.
        messages: u64,
        /// In how many places of them.
        redacted: u64,
    },
    /// The server's process or session ended under a conversation that goes on.
    Restart {
        phase: Phase,
        /// A sentence.
        why: String,
        /// What a process exited with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit: Option<u8>,
    },
}

/// Where a restart stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The old one is gone; what it had not answered is lost.
    Ended,
    /// A new one has taken its place.
    BegunAnew,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    Ok,
    ToolError,
    Error,
    Cancelled,
    Lost,
}

/// POST /v1/agent/records: a stretch of one device's log. `epoch` changes when the device starts a
/// new log (a new enrolment); `first..=last` count from 1 in it.
///
/// Each record's link is `SHA-256(previous link || bytes of the record's JSON as sent)`; the first
/// previous link of an epoch is 32 zero bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    pub epoch: Uuid,
    pub first: u64,
    /// Hex of the link before `first`.
    pub previous: String,
    /// Hex of the link of the last record of this batch.
    pub head: String,
    pub records: Vec<Box<RawValue>>,
}

/// Everything up to here (in that epoch) is on the server's disk; the agent may forget it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    pub epoch: Uuid,
    pub through: u64,
}

/// The next link of the chain.
#[must_use]
pub fn link(previous: &[u8; 32], record_json: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(record_json);
    hasher.finalize().into()
}
