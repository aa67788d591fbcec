//! One conversation as HTTP sees it: what is posted goes in, what the pipeline releases goes out on the
//! response it belongs to.

mod kept;
pub mod outbox;
mod replay;
mod requests;
pub mod streams;

use self::outbox::{Piece, Ticket};
use self::streams::{Delivery, Manner, NoStream, Resumed, Streams};
use crate::door::param_headers;
use crate::door::posted::Posted;
use crate::door::told::{About, Told};
use crate::pipeline::client::{FromClient, Heard, Occasion, ToClient, Unread};
use crate::transport::http::params::ParamHeaders;
use hyper::HeaderMap;
use mcp::{Id, Line, Payload};
use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Messages of the client's that wait to be judged.
const WAITING: usize = 16;
/// How long a response that takes nothing holds up its own conversation.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same where other clients share it.
const PATIENCE_SHARED: Duration = Duration::from_millis(250);
/// The first version whose clients know events without data.
const PRIMED_SINCE: &str = "2025-11-25";
/// The one version with batches.
const BATCHES: &str = "2025-03-26";

pub struct Conversation {
    manner: Manner,
    say: Sender<Said>,
    streams: RefCell<Streams>,
    asked_to_end: Notify,
    ended: watch::Sender<bool>,
    used: Cell<Instant>,
    /// What `initialize` agreed on.
    version: RefCell<Option<String>>,
    initialize: RefCell<Option<Id>>,
    /// Of the tools that were listed here (2026-07-28).
    params: RefCell<ParamHeaders>,
}

/// Something for the pipeline, and the stream that it came with.
struct Said {
    heard: Heard,
    stream: Option<u64>,
}

/// The conversation is over.
#[derive(Debug)]
pub struct Over;

/// Where the pipeline hears the client.
pub struct Ear {
    conversation: Rc<Conversation>,
    said: Receiver<Said>,
    current: Option<u64>,
}

/// One HTTP response's hold on its stream; let go when the response is.
pub struct Attached {
    conversation: Rc<Conversation>,
    pub stream: u64,
    ticket: Ticket,
    pieces: Receiver<Piece>,
}

impl Conversation {
    pub fn new(manner: Manner) -> (Rc<Self>, Ear) {
        let (say, said) = channel(WAITING);
        let conversation = Rc::new(Self {
            manner,
            say,
            streams: RefCell::new(Streams::new(manner)),
            asked_to_end: Notify::new(),
            ended: watch::Sender::new(false),
            used: Cell::new(Instant::now()),
            version: RefCell::default(),
            initialize: RefCell::default(),
            params: RefCell::default(),
        });
        let ear = Ear { conversation: Rc::clone(&conversation), said, current: None };
        (conversation, ear)
    }

    /// Says what was posted; its response is told by the stream.
    ///
    /// # Errors
    /// See [`Over`].
    pub async fn post(self: &Rc<Self>, mut posted: Posted) -> Result<Attached, Over> {
        self.touch();
        if posted.is_initialize() {
            *self.initialize.borrow_mut() = posted.requests().first().map(|asked| asked.id.clone());
        }
        let (stream, ticket, pieces) = self.streams().open(&mut posted);
        let attached = Attached { conversation: Rc::clone(self), stream, ticket, pieces };
        self.flush().await;
        let heard = Heard::Line(posted.payload.into());
        self.say.send(Said { heard, stream: Some(stream) }).await.map_err(|_| Over)?;
        Ok(attached)
    }

    /// Has what was refused at the door recorded.
    pub async fn note_refused(&self, code: &'static str, why: String) {
        // Without a conversation there is no record of it.
        let _ = self.say.send(Said { heard: Heard::Refused { code, why }, stream: None }).await;
    }

    /// The stream of what the server says unasked.
    ///
    /// # Errors
    /// It is open already.
    pub async fn listen(self: &Rc<Self>) -> Result<Attached, NoStream> {
        self.touch();
        let (ticket, pieces) = self.streams().listen()?;
        let attached = Attached { conversation: Rc::clone(self), stream: streams::LISTENING, ticket, pieces };
        self.flush().await;
        Ok(attached)
    }

    /// A stream behind the event that the client names, and what it missed.
    ///
    /// # Errors
    /// It is no event of this conversation.
    pub fn resume(self: &Rc<Self>, event: &str) -> Result<(Attached, Vec<(String, bytes::Bytes)>), NoStream> {
        self.touch();
        let Resumed { stream, missed, pieces, ticket } = self.streams().resume(event)?;
        Ok((Attached { conversation: Rc::clone(self), stream, ticket, pieces }, missed))
    }

    /// What waited for a stream finds one.
    async fn flush(&self) {
        let kept: VecDeque<_> = self.streams().take_kept();
        for message in kept {
            self.deliver(Told::read(message), Occasion::Guard).await;
        }
    }

    async fn deliver(&self, told: Told, occasion: Occasion<'_>) {
        let delivery = self.streams().place(told, occasion);
        let Some(Delivery { stream, outbox, message }) = delivery else { return };
        let patience = if self.manner == Manner::Shared { PATIENCE_SHARED } else { PATIENCE };
        if outbox.put(message, patience).await.is_err() {
            tracing::debug!(stream, "a client does not read a response, so it was let go");
            self.let_go(stream, &outbox.ticket());
        }
    }

    /// The response is over. In 2026-07-28 that is how a request is cancelled, and the only way.
    fn let_go(&self, stream: u64, ticket: &Ticket) {
        self.touch();
        for id in self.streams().detach(stream, ticket) {
            let line = cancellation(&id);
            let (say, said) =
                (self.say.clone(), Said { heard: Heard::Line(Line::Whole(line)), stream: None });
            // Over while its conversation is.
            tokio::task::spawn_local(async move { drop(say.send(said).await) });
        }
        if self.manner == Manner::OneStream && stream == streams::LISTENING {
            self.end();
        }
    }

    /// The id for a stream's first event, which has no data; only for clients that know such, and
    /// where there is something still to come.
    pub fn priming(&self, stream: u64, first: Option<&outbox::Message>) -> Option<String> {
        let knows = self.version.borrow().as_deref().is_some_and(|version| version >= PRIMED_SINCE);
        let is_due = self.manner == Manner::Session && knows && first.is_none_or(|first| !first.last);
        is_due.then(|| self.streams().prime(stream))
    }

    /// Are batches a part of what was agreed on?
    pub fn takes_batches(&self) -> bool {
        self.version.borrow().as_deref() == Some(BATCHES)
    }

    pub fn end(&self) {
        self.asked_to_end.notify_one();
    }

    pub async fn asked_to_end(&self) {
        self.asked_to_end.notified().await;
    }

    /// The pipeline has ended: every response ends, and every later word is refused.
    pub fn close(&self) {
        self.streams().close();
        self.ended.send_replace(true);
    }

    pub fn is_over(&self) -> bool {
        *self.ended.borrow()
    }

    pub async fn over(&self) {
        // The sender is ours.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// For how long nobody has used it, if nobody does.
    pub fn idle(&self) -> Option<Duration> {
        self.streams().is_quiet().then(|| self.used.get().elapsed())
    }

    fn touch(&self) {
        self.used.set(Instant::now());
    }

    /// Never held across a wait.
    fn streams(&self) -> RefMut<'_, Streams> {
        self.streams.borrow_mut()
    }

    /// What disagrees between the headers of a call and its arguments.
    pub fn mismatch(&self, headers: &HeaderMap, posted: &Posted) -> Option<String> {
        let [call] = posted.requests() else { return None };
        let tool = call.name.as_deref().filter(|_| call.method == "tools/call")?;
        param_headers::disagreement(&self.params.borrow(), tool, &posted.payload, headers)
    }

    /// Clients name the version that was agreed on; what they may be sent depends on it.
    fn learn(&self, told: &Told) {
        if self.manner == Manner::Shared && self.streams().lists_tools(&told.about) {
            self.params.borrow_mut().learn(&told.payload);
        }
        let About::Answer(ids) = &told.about else { return };
        let is_it = |id: &Id| ids.contains(id);
        if self.initialize.borrow().as_ref().is_some_and(is_it) {
            *self.initialize.borrow_mut() = None;
            *self.version.borrow_mut() = agreed_version(&told.payload);
        }
    }
}

impl ToClient for Rc<Conversation> {
    async fn tell(&self, message: Payload, occasion: Occasion<'_>) -> Result<(), Unread> {
        let told = Told::read(message);
        self.learn(&told);
        self.deliver(told, occasion).await;
        Ok(())
    }
}

impl FromClient for Ear {
    async fn next(&mut self) -> Heard {
        if let Some(stream) = self.current.take() {
            self.conversation.streams().dealt_with(stream);
        }
        let Some(Said { heard, stream }) = self.said.recv().await else { return Heard::End };
        self.current = stream;
        self.conversation.streams().current = stream.unwrap_or(streams::LISTENING);
        heard
    }
}

impl Attached {
    pub fn conversation(&self) -> &Rc<Conversation> {
        &self.conversation
    }

    /// What the response says next; `None` at its end.
    pub fn poll_next(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Piece>> {
        self.pieces.poll_recv(context)
    }

    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }

    /// From here on it answers by events.
    pub fn commit(&self) {
        self.conversation.streams().commit(self.stream);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.conversation.let_go(self.stream, &self.ticket);
    }
}

fn cancellation(id: &Id) -> Vec<u8> {
    let id = id.as_json();
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"the client closed the response"}}}}"#
    )
    .into_bytes()
}

fn agreed_version(answer: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        result: Agreed,
    }
    #[derive(serde::Deserialize)]
    struct Agreed {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    serde_json::from_slice::<Answer>(answer).ok().map(|answer| answer.result.version)
}
