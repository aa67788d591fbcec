//! Claude Code's own tools (Bash, Write, WebFetch, …), judged and recorded like those of a server.
//!
//! What its hooks tell us of a call is played through the pipeline of every other call, as the `tools/call`
//! of a server of the identity [`IDENTITY`]: one law, one kind of refusal, one record. How an event reaches
//! us is the business of [`crate::commands::hook`] and of the resident.

mod conversation;
mod event;
mod tools;
mod verdict;

pub use conversation::{Conversation, Ear};
pub use event::{BadEvent, Event, Happening, LONGEST as LONGEST_EVENT};
pub use tools::Tools;
pub use verdict::Verdict;

/// What policy matches: `[servers.claude-code] match = ["client:claude-code"]`.
pub const IDENTITY: &str = "client:claude-code";

/// Its name in the record, where others have that of their entry.
pub const ENTRY: &str = "claude-code";
