//! The typestate that makes *no record, no release* a compile error.
//!
//! What may leave cannot be read off a [`Judged`]:
//!
//! ```compile_fail,E0616
//! fn bypass(judged: gate::Judged) -> gate::Release {
//!     judged.release
//! }
//! ```
//!
//! nor asked of it:
//!
//! ```compile_fail,E0599
//! fn bypass(judged: gate::Judged) -> gate::Release {
//!     judged.release()
//! }
//! ```
//!
//! A receipt cannot be made up in passing; whoever asserts one says so by name:
//!
//! ```compile_fail,E0451
//! let receipt = gate::Receipt { _private: () };
//! ```
//!
//! nor can a recorded message:
//!
//! ```compile_fail,E0451
//! let recorded = gate::Recorded { release: gate::Release::ToServer(b"{}".to_vec()) };
//! ```
//!
//! A judgement that is dropped is a message that vanished:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! fn forget(session: &mut gate::Session, line: mcp::Line, rules: &policy::Ruleset, now: gate::Now) {
//!     session.from_client(line, rules, now);
//! }
//! ```
//!
//! The one way through:
//!
//! ```
//! # #![deny(unused_must_use)]
//! fn through(
//!     session: &mut gate::Session,
//!     line: mcp::Line,
//!     rules: &policy::Ruleset,
//!     now: gate::Now,
//!     audit: &mut dyn gate::Audit,
//! ) -> gate::Release {
//!     session.from_client(line, rules, now).record(audit).release()
//! }
//! ```

use crate::entry::Entry;
use crate::refusal::{self, Addressee};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where entries go before anything leaves. Implemented by the agent's spool; a receipt means that
/// the entry survives the death of this process.
pub trait Audit {
    /// # Errors
    /// The entry could not be kept; what it is about must not leave then.
    fn enter(&mut self, entry: &Entry) -> Result<Receipt, Unrecordable>;
}

/// Proof that an entry was kept. Made in one place outside tests: the spool.
#[derive(Debug)]
#[must_use]
pub struct Receipt {
    _private: (),
}

impl Receipt {
    /// The caller asserts that the entry it was given is kept.
    pub fn assertion() -> Self {
        Self { _private: () }
    }
}

/// Why an entry could not be kept, in words for the developer: `the audit log's disk is full`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Unrecordable(pub String);

/// Judged, not yet on record. What may leave cannot be reached from here.
#[must_use]
#[derive(Debug)]
pub struct Judged {
    entries: Vec<Entry>,
    release: Release,
    otherwise: Otherwise,
    left: Option<Left>,
}

/// On record. The only value that yields bytes a transport will send.
#[must_use]
#[derive(Debug)]
pub struct Recorded {
    release: Release,
}

/// What a transport does now. Bytes are one message each, without a newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    ToServer(Vec<u8>),
    ToClient(Vec<u8>),
    /// Nothing leaves (a notification that was refused, a line that was not a message).
    Nothing,
}

/// What leaves in place of the release where the entry could not be kept.
#[derive(Debug)]
pub(crate) enum Otherwise {
    /// Nothing was to reach the server, and the client may be told all the same.
    Same,
    Nothing,
    /// A call does not leave; its client is told.
    NotSent(Addressee),
    /// A call was made; its result is withheld and its client told.
    Withheld(Addressee),
}

/// Set once a call has left. Until then nobody can answer it, and its end is nothing to record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left(Arc<AtomicBool>);

impl Left {
    pub(crate) fn has(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn mark(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Judged {
    /// Traffic that nothing has to be recorded about.
    pub(crate) fn pass(release: Release) -> Self {
        Self { entries: Vec::new(), release, otherwise: Otherwise::Same, left: None }
    }

    pub(crate) fn entered(entry: Entry, release: Release, otherwise: Otherwise) -> Self {
        Self { entries: vec![entry], release, otherwise, left: None }
    }

    pub(crate) fn leaving(mut self, left: Left) -> Self {
        self.left = Some(left);
        self
    }

    pub(crate) fn and(mut self, entry: Option<Entry>) -> Self {
        self.entries.extend(entry);
        self
    }

    /// What will be recorded; `None` for traffic that policy does not cover (a ping, a progress notice).
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// All that will be recorded: mostly none or one, two where a broken answer also ends a call.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Puts the entry on record. Where that fails, what would have left is replaced by an error to
    /// the client that says so: a call does not leave, a result is withheld.
    pub fn record(self, audit: &mut dyn Audit) -> Recorded {
        for entry in &self.entries {
            match audit.enter(entry) {
                Ok(Receipt { .. }) => {}
                Err(why) => return Recorded { release: self.otherwise.release(self.release, &why) },
            }
        }
        if let Some(left) = self.left {
            left.mark();
        }
        Recorded { release: self.release }
    }
}

impl Otherwise {
    fn release(self, release: Release, why: &Unrecordable) -> Release {
        match (self, release) {
            (Self::Same, Release::ToClient(bytes)) => Release::ToClient(bytes),
            (Self::Same | Self::Nothing, _) => Release::Nothing,
            (Self::NotSent(to), _) => Release::ToClient(refusal::not_recorded(&to, why)),
            (Self::Withheld(to), _) => Release::ToClient(refusal::withheld(&to, why)),
        }
    }
}

impl Recorded {
    #[must_use]
    pub fn release(self) -> Release {
        self.release
    }
}
