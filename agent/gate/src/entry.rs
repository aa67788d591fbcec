//! What goes on record: one entry before a call leaves, one when it is over.

use policy::Outcome;
use serde_json::value::RawValue;

/// One entry of the record, before the agent adds who and where.
#[derive(Debug, Clone)]
pub struct Entry {
    pub kind: EntryKind,
    /// `claudecode/toolUseId` of the request's `_meta`, where the client gave one.
    pub tool_use_id: Option<String>,
    /// The JSON-RPC method: `tools/call`, `tools/list`, …
    pub method: String,
    /// The tool's name; `None` for what is not about one tool.
    pub tool: Option<String>,
    /// In how many places something was taken out before the message was judged; never what.
    pub redacted: u64,
    /// Joins the rounds of one call (2026-07-28, `requestState`): the outcome of a round and the call that
    /// goes on with it have the same.
    pub round: Option<String>,
}

#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A call that is about to leave, or was refused. `number` counts calls of this session from 1
    /// and joins it to its [`EntryKind::Outcome`].
    Call {
        number: u64,
        /// The arguments as sent, secrets masked; `None` where there were none.
        arguments: Option<Box<RawValue>>,
        /// What the client said beside them: members of the message, its `params` and its `_meta` that the
        /// specification does not know, by where they stood; secrets masked, shortened as arguments are.
        beyond: Option<Box<RawValue>>,
        outcome: Outcome,
        rule: String,
        reason: String,
        policy_version: u64,
    },
    /// A call that came back, or never will. Only for calls that left.
    Outcome { number: u64, fate: Fate, duration_us: u64, bytes: u64 },
    /// A list that was filtered: how many items came, how many were shown.
    Listed { shown: u64, hidden: u64 },
    /// A message that was refused before it could be judged, and why: stable code and sentence.
    Malformed { code: String, message: String, from_client: bool },
    /// Something was taken out of messages that have no entry of their own (progress, logging): so many of
    /// this method since the last entry about it, and in [`Entry::redacted`] in how many places.
    Redacted { messages: u64, from_client: bool },
    /// The server defined something new, or otherwise than before.
    Definition { sighting: Box<crate::definitions::Sighting>, policy_version: u64 },
}

/// How a call that left ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Ok,
    /// The tool's own failure (`isError: true`).
    ToolError,
    /// A JSON-RPC error of the server's.
    Error,
    /// The client cancelled it.
    Cancelled,
    /// The server went away before it answered.
    Lost,
}
