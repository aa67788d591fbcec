//! The typestate that makes *no record, no release* a compile error.

use crate::entry::Entry;

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
pub struct Judged {}

/// On record. The only value that yields bytes a transport will send.
#[must_use]
pub struct Recorded {}

/// What a transport does now. Bytes are one message each, without a newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    ToServer(Vec<u8>),
    ToClient(Vec<u8>),
    /// Nothing leaves (a notification that was refused, a line that was not a message).
    Nothing,
}

impl Judged {
    /// What will be recorded; `None` for traffic that policy does not cover (a ping, a progress notice).
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        todo!()
    }

    /// Puts the entry on record. Where that fails, what would have left is replaced by an error to
    /// the client that says so: a call does not leave, a result is withheld.
    pub fn record(self, _audit: &mut dyn Audit) -> Recorded {
        todo!()
    }
}

impl Recorded {
    #[must_use]
    pub fn release(self) -> Release {
        todo!()
    }
}
