//! A request that has no answer yet, and what its end is on record.

use super::Now;
use super::calls::NAME_BYTES;
use crate::entry::{Entry, EntryKind, Fate};
use crate::judged::Sending;
use crate::refusal::{Addressee, Era, Named};
use crate::secrets::masked_name;
use mcp::{Changes, Id, List};
use std::time::Duration;

/// A request that has no answer yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) waiting: Waiting,
    /// What is on record of it, if it is a recorded one.
    pub(super) call: Option<Call>,
    pub(super) era: Era,
    pub(super) what: String,
    pub(super) since: Duration,
}

/// What has to be done with its answer.
#[derive(Debug)]
pub(super) enum Waiting {
    List {
        list: List,
        first_page: bool,
    },
    /// `subscriptions/listen`, and the changes of lists it asked for.
    Listen(Changes),
    /// A subscription that the server does not serve. Only we speak on it.
    OwnListen(Changes),
    /// `initialize`, which cannot be cancelled.
    Initialize,
    Discover,
    Other,
}

/// A recorded call on its way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) method: String,
    pub(super) named: Option<Named>,
    pub(super) tool_use_id: Option<String>,
    pub(super) sending: Sending,
}

impl Open {
    /// The call, if this is one and was not held back.
    pub(super) fn call(&self) -> Option<&Call> {
        self.call.as_ref().filter(|call| !call.sending.was_held_back())
    }

    /// The record of its cancellation, where it is a call.
    pub(super) fn cancelled(&self, now: Now) -> Option<(Entry, Sending)> {
        Some((self.outcome(Fate::Cancelled, 0, now)?, self.call()?.sending.clone()))
    }

    /// It was held back, and whoever asked told so.
    pub(super) fn never_left(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.sending.was_held_back())
    }

    /// Does the peer owe an answer?
    pub(super) fn is_answerable(&self) -> bool {
        !self.never_left() && !matches!(self.waiting, Waiting::OwnListen(_))
    }

    pub(super) fn addressee(&self, id: Id) -> Addressee {
        Addressee { id, era: self.era, what: self.what.clone() }
    }

    /// The record of its end, where it is a call.
    pub(super) fn outcome(&self, fate: Fate, bytes: usize, now: Now) -> Option<Entry> {
        let call = self.call()?;
        let duration = now.monotonic.saturating_sub(self.since);
        Some(Entry {
            kind: EntryKind::Outcome {
                number: call.number,
                fate,
                duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                bytes: bytes as u64,
            },
            tool_use_id: call.tool_use_id.clone(),
            method: call.method.clone(),
            tool: call.named.as_ref().and_then(Named::tool).map(|tool| masked_name(tool, NAME_BYTES)),
            redacted: 0,
            round: None,
        })
    }
}
