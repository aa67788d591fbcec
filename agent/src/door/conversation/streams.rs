//! Which HTTP response carries which message: each exactly one.
//!
//! An answer goes where its request came. What belongs to a request (its progress, what the server sent
//! on its stream) goes there too; the rest to the stream that the client opened to listen, else to any
//! that is open, else it waits for one. Nothing here waits or sends.

use super::kept::Kept;
use super::outbox::{Message, Outbox, Piece, Ticket, outbox};
use super::replay::{Place, Replay};
use super::requests::Requests;
use crate::door::posted::{Posted, Shape};
use crate::door::told::{About, Told};
use crate::pipeline::client::Occasion;
use crate::transport::Came;
use bytes::Bytes;
use mcp::{Id, Payload};
use std::collections::{BTreeMap, HashSet, VecDeque};
use tokio::sync::mpsc::Receiver;

/// The one that a client opens to listen.
pub const LISTENING: u64 = 0;
/// How client and server share a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// One client's session of Streamable HTTP, up to 2025-11-25.
    Session,
    /// One client's session of HTTP+SSE (2024-11-05): everything comes on the listening stream.
    OneStream,
    /// Requests of 2026-07-28, each on its own: nothing but answers and what belongs to them.
    Shared,
}

pub struct Streams {
    manner: Manner,
    next: u64,
    by_number: BTreeMap<u64, Stream>,
    requests: Requests,
    /// The stream of what is being judged.
    pub current: u64,
    kept: Kept,
    replay: Replay,
}

struct Stream {
    outbox: Option<Outbox>,
    /// Requests without an answer.
    pending: HashSet<Id>,
    /// It is answered by events, or will be.
    by_events: bool,
    spoke: bool,
    /// What was posted could not be read, so that the refusal is the response, whatever the manner.
    unreadable: bool,
}

/// What is to be sent, and where; sending may wait.
pub struct Delivery {
    pub stream: u64,
    pub outbox: Outbox,
    pub message: Message,
}

enum Carrier {
    Stream(u64),
    Later,
    Nobody,
}

/// Why there is nothing to listen to.
#[derive(Debug, PartialEq, Eq)]
pub enum NoStream {
    /// One is open already.
    Busy,
    /// The event is not of this conversation.
    Foreign,
}

/// A stream taken up: what was missed, and what is to come.
pub struct Resumed {
    pub stream: u64,
    pub missed: Vec<(String, Bytes)>,
    pub pieces: Receiver<Piece>,
    pub ticket: Ticket,
}

impl Streams {
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            next: LISTENING + 1,
            by_number: BTreeMap::new(),
            requests: Requests::default(),
            current: LISTENING,
            kept: Kept::default(),
            replay: Replay::default(),
        }
    }

    /// A stream for what was posted. Ids that are taken become others.
    pub fn open(&mut self, posted: &mut Posted) -> (u64, Ticket, Receiver<Piece>) {
        let number = self.next;
        self.next += 1;
        let unreadable = matches!(posted.shape, Shape::Unreadable);
        let mut pending = HashSet::new();
        if self.manner != Manner::OneStream {
            let is_shared = self.manner == Manner::Shared;
            let mut payload = std::mem::take(&mut posted.payload);
            for asked in posted.requests() {
                pending.insert(self.requests.admit(number, asked, is_shared, &mut payload));
            }
            posted.payload = payload;
        }
        let (outbox, pieces) = outbox();
        let ticket = outbox.ticket();
        let stream = Stream { outbox: Some(outbox), pending, by_events: false, spoke: false, unreadable };
        self.by_number.insert(number, stream);
        (number, ticket, pieces)
    }

    /// The stream to listen on.
    pub fn listen(&mut self) -> Result<(Ticket, Receiver<Piece>), NoStream> {
        if self.is_attached(LISTENING) {
            return Err(NoStream::Busy);
        }
        Ok(self.attach(LISTENING))
    }

    fn attach(&mut self, number: u64) -> (Ticket, Receiver<Piece>) {
        let (outbox, pieces) = outbox();
        let stream = self.by_number.entry(number).or_insert_with(|| Stream {
            outbox: None,
            pending: HashSet::new(),
            by_events: true,
            spoke: false,
            unreadable: false,
        });
        let ticket = outbox.ticket();
        stream.outbox = Some(outbox);
        (ticket, pieces)
    }

    /// Takes a stream up behind the event that the client has.
    pub fn resume(&mut self, event: &str) -> Result<Resumed, NoStream> {
        let place = self.replay.place(event).ok_or(NoStream::Foreign)?;
        let Place { stream, .. } = place;
        let missed = self.replay.since(place);
        let lives = stream == LISTENING || self.by_number.contains_key(&stream);
        let ended = || {
            let (outbox, pieces) = outbox();
            (outbox.ticket(), pieces)
        };
        let (ticket, pieces) = if lives { self.attach(stream) } else { ended() };
        Ok(Resumed { stream, missed, pieces, ticket })
    }

    /// The id to name before anything else on a stream: what stands before all of an answer, and before
    /// all that is still to come of the listening one.
    pub fn prime(&self, stream: u64) -> String {
        if stream == LISTENING { self.replay.here(stream) } else { self.replay.start(stream) }
    }

    /// From here on it is answered by events.
    pub fn commit(&mut self, number: u64) {
        if let Some(stream) = self.by_number.get_mut(&number) {
            stream.by_events = true;
        }
    }

    /// Finds the response for a message, or keeps it until there is one.
    pub fn place(&mut self, mut told: Told, occasion: Occasion<'_>) -> Option<Delivery> {
        let number = match self.carrier(&told.about, occasion) {
            Carrier::Stream(number) => number,
            Carrier::Later => {
                self.kept.add(told.payload);
                return None;
            }
            Carrier::Nobody => {
                tracing::debug!(about = ?told.about, "a message that nobody can be given was dropped");
                return None;
            }
        };
        self.requests.give_back_names(&mut told);
        let is_answer = matches!(told.about, About::Answer(_));
        let stream = self.by_number.get_mut(&number)?;
        if let About::Answer(ids) = &told.about {
            for id in ids {
                stream.pending.remove(id);
                if self.requests.get(id).is_some_and(|open| open.stream == number) {
                    self.requests.close(id);
                }
            }
        }
        let last = is_answer && number != LISTENING && stream.pending.is_empty();
        let events = matches!(occasion, Occasion::Heard(Came::Stream(_)));
        let alone = last && !events && !stream.by_events && !stream.spoke;
        stream.spoke = true;
        stream.by_events |= !alone;
        let outbox = stream.outbox.clone();
        if last {
            self.by_number.remove(&number);
        }
        let bytes = Bytes::from(told.payload.into_bytes());
        let resumable = self.manner == Manner::Session && !alone;
        let event = resumable.then(|| self.replay.remember(number, bytes.clone()));
        let message = Message { bytes, code: told.code, event, last, alone, room: None };
        Some(Delivery { stream: number, outbox: outbox?, message })
    }

    fn carrier(&self, about: &About, occasion: Occasion<'_>) -> Carrier {
        let of_current = |number: u64| self.by_number.get(&number).is_some_and(|stream| stream.unreadable);
        match (self.manner, occasion) {
            (Manner::OneStream, Occasion::Said) if of_current(self.current) => {
                return Carrier::Stream(self.current);
            }
            (Manner::OneStream, _) => return Carrier::Stream(LISTENING),
            (_, Occasion::Said) => return Carrier::Stream(self.current),
            (Manner::Session | Manner::Shared, _) => {}
        }
        if let Some(open) = self.requests.named_by(about) {
            return Carrier::Stream(open.stream);
        }
        if let Occasion::Heard(came) = occasion
            && let Some(open) = came.with().and_then(|id| self.requests.get(id))
        {
            return Carrier::Stream(open.stream);
        }
        match self.manner {
            Manner::Shared if *about == About::Log => {
                self.requests.only(|open| open.wants_log).map_or(Carrier::Nobody, Carrier::Stream)
            }
            Manner::Shared => Carrier::Nobody,
            Manner::Session | Manner::OneStream => self.unrelated(about, occasion),
        }
    }

    /// Over a pipe nobody says which call made a server ask or log; where one alone is open, it did.
    fn unrelated(&self, about: &About, occasion: Occasion<'_>) -> Carrier {
        let unasked = matches!(occasion, Occasion::Heard(Came::Unasked));
        if !unasked
            && matches!(about, About::Log | About::Request(_) | About::Answer(_))
            && let Some(number) = self.requests.only(|_| true).filter(|number| self.is_attached(*number))
        {
            return Carrier::Stream(number);
        }
        if self.is_attached(LISTENING) {
            return Carrier::Stream(LISTENING);
        }
        let waiting = |(number, stream): (&u64, &Stream)| {
            (!stream.pending.is_empty() && self.is_attached(*number)).then_some(*number)
        };
        self.by_number.iter().find_map(waiting).map_or(Carrier::Later, Carrier::Stream)
    }

    fn is_attached(&self, number: u64) -> bool {
        let outbox = self.by_number.get(&number).and_then(|stream| stream.outbox.as_ref());
        outbox.is_some_and(Outbox::is_open)
    }

    pub fn take_kept(&mut self) -> VecDeque<Payload> {
        self.kept.take()
    }

    /// What was posted is judged and released. Where nobody has to wait for anything, that is the answer.
    pub fn dealt_with(&mut self, number: u64) {
        let Some(stream) = self.by_number.get(&number) else { return };
        if stream.pending.is_empty() && !stream.spoke {
            if let Some(outbox) = &stream.outbox {
                outbox.nothing();
            }
            self.by_number.remove(&number);
        }
    }

    /// The response is over. Gives the requests that are abandoned by it (2026-07-28).
    pub fn detach(&mut self, number: u64, ticket: &Ticket) -> Vec<Id> {
        let Some(stream) = self.by_number.get_mut(&number) else { return Vec::new() };
        if stream.outbox.as_ref().is_some_and(|current| !current.is_of(ticket)) {
            return Vec::new();
        }
        stream.outbox = None;
        if self.manner != Manner::Shared {
            return Vec::new();
        }
        let abandoned: Vec<Id> =
            self.by_number.remove(&number).into_iter().flat_map(|stream| stream.pending).collect();
        for id in &abandoned {
            self.requests.abandon(id);
        }
        abandoned
    }

    /// Does that answer a request for the list of tools?
    pub fn lists_tools(&self, about: &About) -> bool {
        let About::Answer(ids) = about else { return false };
        ids.iter().any(|id| self.requests.get(id).is_some_and(|open| open.lists_tools))
    }

    /// Nobody listens and nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.requests.is_empty() && !self.by_number.keys().any(|number| self.is_attached(*number))
    }

    /// No response will say any more.
    pub fn close(&mut self) {
        self.by_number.clear();
        self.requests.clear();
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests;
