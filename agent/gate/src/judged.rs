//! The typestate that makes *no record, no release* a compile error.
//!
//! What may leave cannot be read off a [`Judged`]:
//!
//! ```compile_fail,E0451
//! fn bypass(judged: gate::Judged) {
//!     let gate::Judged { parts } = judged;
//! }
//! ```
//!
//! nor asked of it:
//!
//! ```compile_fail,E0599
//! fn bypass(judged: gate::Judged) -> [gate::Release; 2] {
//!     judged.releases()
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
//! let recorded = gate::Recorded { first: gate::Release::Nothing, second: gate::Release::Nothing };
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
//! ) -> [gate::Release; 2] {
//!     session.from_client(line, rules, now).record(audit).releases()
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
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    One(Part),
    /// The messages of a batch, each judged on its own.
    Batch {
        parts: Vec<Part>,
        batch: mcp::Batch,
        from_client: bool,
    },
}

/// One message's judgement.
#[derive(Debug)]
struct Part {
    entries: Vec<Entry>,
    release: Release,
    otherwise: Otherwise,
    sending: Option<Sending>,
    /// The end of a call that was judged before. It is on record only where the call is.
    end: Option<Box<(Entry, Sending)>>,
}

/// On record. The only value that yields bytes a transport will send.
#[must_use]
#[derive(Debug)]
pub struct Recorded {
    first: Release,
    second: Release,
}

/// What a transport does now. Bytes are one message each (or, in 2025-03-26, one batch), without a newline.
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
    /// A server's request does not reach the client, or its answer not the server; the server is told.
    Unanswered(Addressee),
}

/// How the sending of a judged call went. One that was held back for want of a record leaves no trace:
/// nobody can answer it, and its end is nothing to record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sending(Arc<AtomicBool>);

impl Sending {
    pub(crate) fn was_held_back(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn hold_back(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Judged {
    fn one(entries: Vec<Entry>, release: Release, otherwise: Otherwise) -> Self {
        Self { parts: Parts::One(Part { entries, release, otherwise, sending: None, end: None }) }
    }

    /// Traffic that nothing has to be recorded about.
    pub(crate) fn pass(release: Release) -> Self {
        Self::one(Vec::new(), release, Otherwise::Same)
    }

    pub(crate) fn entered(entry: Entry, release: Release, otherwise: Otherwise) -> Self {
        Self::one(vec![entry], release, otherwise)
    }

    /// A batch, of which each message was judged, in their order.
    pub(crate) fn batch(judged: Vec<Self>, batch: mcp::Batch, from_client: bool) -> Self {
        let parts = judged.into_iter().flat_map(Self::into_parts).collect();
        Self { parts: Parts::Batch { parts, batch, from_client } }
    }

    fn into_parts(self) -> Vec<Part> {
        match self.parts {
            Parts::One(part) => vec![part],
            Parts::Batch { parts, .. } => parts,
        }
    }

    pub(crate) fn with(mut self, sending: Sending) -> Self {
        if let Parts::One(part) = &mut self.parts {
            part.sending = Some(sending);
        }
        self
    }

    /// Ends a call that may stand in the same batch, before this.
    pub(crate) fn ending(mut self, end: Option<(Entry, Sending)>) -> Self {
        if let Parts::One(part) = &mut self.parts {
            part.end = end.map(Box::new);
        }
        self
    }

    /// Records these too.
    pub(crate) fn and(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        if let Parts::One(part) = &mut self.parts {
            part.entries.extend(entries);
        }
        self
    }

    /// What leaves in place of the release where an entry cannot be kept.
    pub(crate) fn or(mut self, otherwise: Otherwise) -> Self {
        if let Parts::One(part) = &mut self.parts {
            part.otherwise = otherwise;
        }
        self
    }

    /// All that will be recorded: mostly none or one, two where a broken answer also ends a call.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let parts = match &self.parts {
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Batch { parts, .. } => parts,
        };
        parts.iter().flat_map(|part| &part.entries)
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let parts = match &mut self.parts {
            Parts::One(part) => std::slice::from_mut(part),
            Parts::Batch { parts, .. } => parts,
        };
        parts.iter_mut().flat_map(|part| &mut part.entries)
    }

    /// Puts the entry on record. Where that fails, what would have left is replaced by an error to
    /// the client that says so: a call does not leave, a result is withheld.
    pub fn record(self, audit: &mut dyn Audit) -> Recorded {
        match self.parts {
            Parts::One(part) => Recorded { first: part.record(audit), second: Release::Nothing },
            Parts::Batch { parts, batch, from_client } => {
                let releases = parts.into_iter().map(|part| part.record(audit)).collect();
                Recorded::of_batch(releases, batch, from_client)
            }
        }
    }
}

impl Part {
    fn record(self, audit: &mut dyn Audit) -> Release {
        let end = self.end.filter(|end| !end.1.was_held_back()).map(|end| end.0);
        let kept = self.entries.iter().chain(&end).try_for_each(|entry| {
            let Receipt { .. } = audit.enter(entry)?;
            Ok(())
        });
        if let Some(sending) = self.sending.filter(|_| kept.is_err()) {
            sending.hold_back();
        }
        match kept {
            Ok(()) => self.release,
            Err(why) => self.otherwise.release(self.release, &why),
        }
    }
}

impl Otherwise {
    fn release(self, release: Release, why: &Unrecordable) -> Release {
        match (self, release) {
            (Self::Same, Release::ToClient(bytes)) => Release::ToClient(bytes),
            (Self::Same | Self::Nothing, _) => Release::Nothing,
            (Self::NotSent(to), _) => Release::ToClient(refusal::not_recorded(&to, why)),
            (Self::Withheld(to), _) => Release::ToClient(refusal::withheld(&to, why)),
            (Self::Unanswered(to), _) => Release::ToServer(refusal::unanswered(&to, why)),
        }
    }
}

impl Recorded {
    /// What leaves, in this order: of one message one release, of a batch at most one to each side.
    #[must_use]
    pub fn releases(self) -> [Release; 2] {
        [self.first, self.second]
    }

    /// What goes on goes as one array, and what comes back too. A batch of which nothing was held back
    /// or changed goes on as it came.
    fn of_batch(releases: Vec<Release>, batch: mcp::Batch, from_client: bool) -> Self {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        for release in releases {
            match release {
                Release::ToServer(bytes) => to_server.push(bytes),
                Release::ToClient(bytes) => to_client.push(bytes),
                Release::Nothing => {}
            }
        }
        let on = if from_client { &to_server } else { &to_client };
        let is_whole = on.len() == batch.len() && batch.messages().eq(on.iter().map(Vec::as_slice));
        let joined = |messages: &[Vec<u8>]| (!messages.is_empty()).then(|| mcp::batch::joined(messages));
        let (mut server_bytes, mut client_bytes) = (joined(&to_server), joined(&to_client));
        if is_whole {
            *(if from_client { &mut server_bytes } else { &mut client_bytes }) = Some(batch.into_bytes());
        }
        Self {
            first: server_bytes.map_or(Release::Nothing, Release::ToServer),
            second: client_bytes.map_or(Release::Nothing, Release::ToClient),
        }
    }
}
