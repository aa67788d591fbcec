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
use mcp::Payload;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where entries go before anything leaves. Implemented by the agent's spool; a receipt means that
/// the entries survive the death of this process.
pub trait Audit {
    /// Keeps all of these, or none of them.
    ///
    /// # Errors
    /// They could not be kept; what they are about must not leave then.
    fn enter(&mut self, entries: &[&Entry]) -> Result<Receipt, Unrecordable>;
}

/// Proof that entries were kept. Made in one place outside tests: the spool.
#[derive(Debug)]
#[must_use]
pub struct Receipt {
    _private: (),
}

impl Receipt {
    /// The caller asserts that the entries it was given are kept.
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
    /// What the client is told of several of its requests, each by a message of its own.
    Apart(Vec<Part>),
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

/// What a transport does now. A payload is one message (or, in 2025-03-26, one batch), without a newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    ToServer(Payload),
    ToClient(Payload),
    /// Several answers that belong to one line, each a message of its own.
    EachToClient(Vec<Payload>),
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

    /// Answers to the client that do not go as one array, and at most one to the server.
    pub(crate) fn apart(judged: Vec<Self>) -> Self {
        Self { parts: Parts::Apart(judged.into_iter().flat_map(Self::into_parts).collect()) }
    }

    fn into_parts(self) -> Vec<Part> {
        match self.parts {
            Parts::One(part) => vec![part],
            Parts::Batch { parts, .. } | Parts::Apart(parts) => parts,
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
        self.parts().iter().flat_map(|part| &part.entries)
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.parts_mut().iter_mut().flat_map(|part| &mut part.entries)
    }

    /// Puts the entry on record. Where that fails, what would have left is replaced by an error to
    /// the client that says so: a call does not leave, a result is withheld.
    pub fn record(self, audit: &mut dyn Audit) -> Recorded {
        self.recorded(|part| part.record(audit))
    }

    /// Puts what was judged one after the other on record together, which costs one write. Where that fails,
    /// each is tried on its own, so that only what cannot be kept is held back.
    pub fn record_together(judged: Vec<Self>, audit: &mut dyn Audit) -> Vec<Recorded> {
        let entries: Vec<&Entry> = judged.iter().flat_map(Self::parts).flat_map(Part::to_enter).collect();
        let kept = entries.is_empty() || audit.enter(&entries).is_ok();
        let record = |one: Self| if kept { one.recorded(|part| part.release) } else { one.record(audit) };
        judged.into_iter().map(record).collect()
    }

    fn parts(&self) -> &[Part] {
        match &self.parts {
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Batch { parts, .. } | Parts::Apart(parts) => parts,
        }
    }

    fn parts_mut(&mut self) -> &mut [Part] {
        match &mut self.parts {
            Parts::One(part) => std::slice::from_mut(part),
            Parts::Batch { parts, .. } | Parts::Apart(parts) => parts,
        }
    }

    fn recorded(self, mut record: impl FnMut(Part) -> Release) -> Recorded {
        match self.parts {
            Parts::One(part) => Recorded { first: record(part), second: Release::Nothing },
            Parts::Batch { parts, batch, from_client } => {
                let releases = parts.into_iter().map(record).collect();
                Recorded::of_batch(releases, batch, from_client)
            }
            Parts::Apart(parts) => Recorded::apart(parts.into_iter().map(record)),
        }
    }
}

impl Part {
    fn to_enter(&self) -> impl Iterator<Item = &Entry> {
        let end = self.end.as_deref().filter(|(_, sending)| !sending.was_held_back());
        self.entries.iter().chain(end.map(|(entry, _)| entry))
    }

    fn record(self, audit: &mut dyn Audit) -> Release {
        let entries: Vec<&Entry> = self.to_enter().collect();
        if entries.is_empty() {
            return self.release;
        }
        match audit.enter(&entries) {
            Ok(Receipt { .. }) => self.release,
            Err(why) => {
                if let Some(sending) = &self.sending {
                    sending.hold_back();
                }
                self.otherwise.release(self.release, &why)
            }
        }
    }
}

impl Otherwise {
    fn release(self, release: Release, why: &Unrecordable) -> Release {
        match (self, release) {
            (Self::Same, Release::ToClient(bytes)) => Release::ToClient(bytes),
            (Self::Same | Self::Nothing, _) => Release::Nothing,
            (Self::NotSent(to), _) => Release::ToClient(refusal::not_recorded(&to, why).into()),
            (Self::Withheld(to), _) => Release::ToClient(refusal::withheld(&to, why).into()),
            (Self::Unanswered(to), _) => Release::ToServer(refusal::unanswered(&to, why).into()),
        }
    }
}

impl Recorded {
    /// What leaves, in this order: of one message one release, of a batch at most one to each side.
    #[must_use]
    pub fn releases(self) -> [Release; 2] {
        [self.first, self.second]
    }

    fn apart(releases: impl Iterator<Item = Release>) -> Self {
        let (mut told, mut second) = (Vec::new(), Release::Nothing);
        for release in releases {
            match release {
                Release::ToClient(message) => told.push(message),
                // One for all of them.
                Release::ToServer(message) => second = Release::ToServer(message),
                Release::EachToClient(_) | Release::Nothing => {}
            }
        }
        let first = if told.is_empty() { Release::Nothing } else { Release::EachToClient(told) };
        Self { first, second }
    }

    /// What goes on goes as one array, and what comes back too. A batch of which nothing was held back
    /// or changed goes on as it came.
    fn of_batch(releases: Vec<Release>, batch: mcp::Batch, from_client: bool) -> Self {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        for release in releases {
            match release {
                Release::ToServer(message) => to_server.push(message.into_bytes()),
                Release::ToClient(message) => to_client.push(message.into_bytes()),
                // No message of a batch is an array itself.
                Release::EachToClient(_) | Release::Nothing => {}
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
            first: server_bytes.map_or(Release::Nothing, |bytes| Release::ToServer(bytes.into())),
            second: client_bytes.map_or(Release::Nothing, |bytes| Release::ToClient(bytes.into())),
        }
    }
}
