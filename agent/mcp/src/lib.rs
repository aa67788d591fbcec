//! The grammar: bytes to messages and back, for both protocol eras of MCP (up to 2025-11-25, and
//! 2026-07-28). Pure: no I/O, no policy.
//!
//! What is judged and what is forwarded are the same parse: the original bytes are kept, and
//! anything two readers could read differently (duplicate keys, invalid UTF-8, lone surrogates,
//! folded keys, a batch outside the one revision that has them) is malformed, never guessed at.

pub mod batch;
pub mod beyond;
pub mod bridge;
pub mod edit;
pub mod frame;
pub mod inputs;
pub mod list;
pub mod malformed;
mod members;
pub mod message;
mod outline;
mod payload;
pub mod reply;
pub mod salvage;
pub mod scan;
pub mod subject;

pub use batch::Batch;
pub use frame::{Line, Splitter};
pub use list::{Change, Changes, List};
pub use malformed::Malformed;
pub use members::is_invisible;
pub use message::{Id, Kind, Message};
pub use payload::Payload;
pub use subject::Subject;
