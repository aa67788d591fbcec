//! Which HTTP response carries which message: each exactly one.
//!
//! An answer goes where its request came. What belongs to a request (its progress, what the server sent
//! on its stream) goes there too; the rest to the stream that the client opened to listen, else to any
//! that is open, else it waits for one. Nothing here waits or sends.

use super::outbox::{Message, Outbox, Piece, Ticket, outbox};
use super::replay::{Place, Replay};
use crate::door::ids::{Spot, renamed};
use crate::door::posted::{Asked, Posted, Shape};
use crate::door::told::{About, Told};
use crate::pipeline::client::Occasion;
use crate::transport::Came;
use bytes::Bytes;
use mcp::{Id, Payload};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use tokio::sync::mpsc::Receiver;

/// The one that a client opens to listen.
pub const LISTENING: u64 = 0;
/// What waits while no stream is open.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 1024 * 1024;
/// As many abandoned requests as the gate remembers: their ids are not free.
const LATE: usize = 512;

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
    /// By the id that the server knows.
    open: HashMap<Id, Open>,
    /// Which request's progress is reported under which token.
    tokens: HashMap<Id, Id>,
    late: VecDeque<Id>,
    /// The stream of what is being judged.
    pub current: u64,
    kept: VecDeque<Payload>,
    replay: Replay,
    renamed: u64,
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

struct Open {
    stream: u64,
    /// The ids that the client chose, where the server was given others.
    id: Option<Id>,
    token: Option<Id>,
    /// The token that the server knows.
    reports: Option<Id>,
    wants_log: bool,
    lists_tools: bool,
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
            open: HashMap::new(),
            tokens: HashMap::new(),
            late: VecDeque::new(),
            current: LISTENING,
            kept: VecDeque::new(),
            replay: Replay::default(),
            renamed: 0,
        }
    }

    /// A stream for what was posted. Ids that are taken become others.
    pub fn open(&mut self, posted: &mut Posted) -> (u64, Ticket, Receiver<Piece>) {
        let number = self.next;
        self.next += 1;
        let unreadable = matches!(posted.shape, Shape::Unreadable);
        let mut pending = HashSet::new();
        if self.manner != Manner::OneStream {
            let mut payload = std::mem::take(&mut posted.payload);
            for asked in posted.requests() {
                pending.insert(self.admit(number, asked, &mut payload));
            }
            posted.payload = payload;
        }
        let (outbox, pieces) = outbox();
        let ticket = outbox.ticket();
        let stream = Stream { outbox: Some(outbox), pending, by_events: false, spoke: false, unreadable };
        self.by_number.insert(number, stream);
        (number, ticket, pieces)
    }

    /// The id under which the server will know the request.
    fn admit(&mut self, stream: u64, asked: &Asked, payload: &mut Payload) -> Id {
        let lists_tools = asked.method == "tools/list";
        let wants_log = asked.wants_log;
        let mut open = Open { stream, id: None, token: None, reports: None, wants_log, lists_tools };
        let mut wire = asked.id.clone();
        if self.manner == Manner::Shared && self.is_taken(&wire) {
            wire = self.another(&asked.id);
            *payload = renamed(std::mem::take(payload).into_bytes(), Spot::Id, &wire).into();
            open.id = Some(asked.id.clone());
        } else if self.open.contains_key(&wire) {
            // The gate refuses it, in this stream; the one before stays what it is.
            return wire;
        }
        if let Some(token) = &asked.token {
            let mut reports = token.clone();
            if self.manner == Manner::Shared && self.tokens.contains_key(token) {
                reports = self.another(token);
                *payload = renamed(std::mem::take(payload).into_bytes(), Spot::AskedToken, &reports).into();
                open.token = Some(token.clone());
            }
            self.tokens.insert(reports.clone(), wire.clone());
            open.reports = Some(reports);
        }
        self.open.insert(wire.clone(), open);
        wire
    }

    fn is_taken(&self, id: &Id) -> bool {
        self.open.contains_key(id) || self.late.contains(id)
    }

    /// A free id of the same type. Integers stay where every language has them exactly.
    fn another(&mut self, like: &Id) -> Id {
        loop {
            self.renamed += 1;
            let text = if like.as_json().starts_with('"') {
                format!("\"portreeve-{}\"", self.renamed)
            } else {
                format!("{}", (1_u64 << 52) + self.renamed)
            };
            let id = Id::from_json(&text).unwrap_or_else(|| like.clone());
            if !self.is_taken(&id) && !self.tokens.contains_key(&id) {
                return id;
            }
        }
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
                self.keep(told.payload);
                return None;
            }
            Carrier::Nobody => {
                tracing::debug!(about = ?told.about, "a message that nobody can be given was dropped");
                return None;
            }
        };
        self.give_back_names(&mut told);
        let is_answer = matches!(told.about, About::Answer(_));
        let stream = self.by_number.get_mut(&number)?;
        if let About::Answer(ids) = &told.about {
            for id in ids {
                stream.pending.remove(id);
                if self.open.get(id).is_some_and(|open| open.stream == number)
                    && let Some(reports) = self.open.remove(id).and_then(|open| open.reports)
                {
                    self.tokens.remove(&reports);
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
        if let Some(open) = self.asked_by(about) {
            return Carrier::Stream(open.stream);
        }
        if let Occasion::Heard(came) = occasion
            && let Some(open) = came.with().and_then(|id| self.open.get(id))
        {
            return Carrier::Stream(open.stream);
        }
        match self.manner {
            Manner::Shared if *about == About::Log => {
                self.only(|open| open.wants_log).map_or(Carrier::Nobody, Carrier::Stream)
            }
            Manner::Shared => Carrier::Nobody,
            Manner::Session | Manner::OneStream => self.unrelated(about, occasion),
        }
    }

    /// The request that a message names.
    fn asked_by(&self, about: &About) -> Option<&Open> {
        match about {
            About::Answer(ids) => ids.iter().find_map(|id| self.open.get(id)),
            About::Progress(token) => self.open.get(self.tokens.get(token)?),
            About::Subscription(id) => self.open.get(id),
            About::Log | About::Request(_) | About::Other => None,
        }
    }

    /// Over a pipe nobody says which call made a server ask or log; where one alone is open, it did.
    fn unrelated(&self, about: &About, occasion: Occasion<'_>) -> Carrier {
        let unasked = matches!(occasion, Occasion::Heard(Came::Unasked));
        if !unasked
            && matches!(about, About::Log | About::Request(_) | About::Answer(_))
            && let Some(number) = self.only(|_| true).filter(|number| self.is_attached(*number))
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

    fn only(&self, counts: impl Fn(&Open) -> bool) -> Option<u64> {
        let mut open = self.open.values().filter(|open| counts(open));
        match (open.next(), open.next()) {
            (Some(only), None) => Some(only.stream),
            _ => None,
        }
    }

    fn is_attached(&self, number: u64) -> bool {
        let outbox = self.by_number.get(&number).and_then(|stream| stream.outbox.as_ref());
        outbox.is_some_and(Outbox::is_open)
    }

    /// The client reads the ids that it chose.
    fn give_back_names(&self, told: &mut Told) {
        let (spot, name) = match &told.about {
            About::Answer(ids) => {
                let [id] = ids.as_slice() else { return };
                (Spot::Id, self.open.get(id).and_then(|open| open.id.as_ref()))
            }
            About::Subscription(id) => {
                (Spot::Subscription, self.open.get(id).and_then(|open| open.id.as_ref()))
            }
            About::Progress(token) => {
                let open = self.tokens.get(token).and_then(|id| self.open.get(id));
                (Spot::Token, open.and_then(|open| open.token.as_ref()))
            }
            About::Log | About::Request(_) | About::Other => return,
        };
        if let Some(name) = name {
            told.payload = renamed(std::mem::take(&mut told.payload).into_bytes(), spot, name).into();
        }
    }

    fn keep(&mut self, message: Payload) {
        self.kept.push_back(message);
        let bytes = |kept: &VecDeque<Payload>| kept.iter().map(|message| message.len()).sum::<usize>();
        while self.kept.len() > KEPT || (bytes(&self.kept) > KEPT_BYTES && self.kept.len() > 1) {
            self.kept.pop_front();
            tracing::debug!("a message was dropped that no client came to hear");
        }
    }

    pub fn take_kept(&mut self) -> VecDeque<Payload> {
        std::mem::take(&mut self.kept)
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
            if let Some(reports) = self.open.remove(id).and_then(|open| open.reports) {
                self.tokens.remove(&reports);
            }
            self.late.push_back(id.clone());
        }
        while self.late.len() > LATE {
            self.late.pop_front();
        }
        abandoned
    }

    /// Does that answer a request for the list of tools?
    pub fn lists_tools(&self, about: &About) -> bool {
        let About::Answer(ids) = about else { return false };
        ids.iter().any(|id| self.open.get(id).is_some_and(|open| open.lists_tools))
    }

    /// Nobody listens and nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.open.is_empty() && !self.by_number.keys().any(|number| self.is_attached(*number))
    }

    /// No response will say any more.
    pub fn close(&mut self) {
        self.by_number.clear();
        self.open.clear();
        self.tokens.clear();
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests;
