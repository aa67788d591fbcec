//! The judgement over one conversation between a client and a server. Pure: bytes, a ruleset and
//! the time come in; what may leave comes out, and only with proof that it is on record.
//!
//! **No permit, no bytes; no record, no release.** [`Session`] gives a [`Judged`], from which the
//! outcome cannot be reached; [`Judged::record`] asks an [`Audit`] for a [`Receipt`] and gives a
//! [`Recorded`]; only that yields a [`Release`].

pub mod definitions;
pub mod entry;
pub mod judged;
mod open;
mod redaction;
mod refusal;
mod secrets;
pub mod session;

pub use entry::{Entry, EntryKind, Fate};
pub use judged::{Audit, Judged, Receipt, Recorded, Release, Unrecordable};
pub use redaction::shown as shown_text;
pub use session::{Definitions, Facts, Now, Session};
