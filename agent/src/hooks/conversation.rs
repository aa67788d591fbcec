//! One session of Claude Code as the pipeline sees it: calls go in as the client's requests, results as the
//! server's answers; what the pipeline releases is the verdict.

use crate::hooks::event::Happening;
use crate::hooks::verdict::Verdict;
use crate::pipeline::Ending;
use crate::pipeline::client::{FromClient, Heard, Occasion, ToClient, Unread};
use crate::transport::{Arrival, Came, WAITING_ANSWERS};
use mcp::{Id, Kind, Line, Message, Payload};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The one id that no tool use has.
const OPENING: &str = "\"portreeve-initialize\"";
const VERSION: &str = "2025-11-25";
const TAKEN: &str = "another call has the same id, so nobody could tell whose verdict is whose";

/// See the module.
pub struct Conversation {
    say: Sender<Line>,
    answer: Sender<Arrival>,
    /// Calls that wait for their verdict, and results that wait for theirs.
    waiting: RefCell<HashMap<Id, Waiting>>,
    /// Calls that were let through and have no result yet.
    open: RefCell<HashSet<Id>>,
    asked_to_end: Notify,
    /// Claude Code said that its session is over.
    has_left: Cell<bool>,
    used: Cell<Instant>,
}

struct Waiting {
    verdict: oneshot::Sender<Verdict>,
    /// As it was said; what is released may be something else.
    said: Vec<u8>,
}

/// Where the pipeline hears Claude Code.
pub struct Ear(Receiver<Line>);

impl Conversation {
    /// With the two ends that the pipeline takes: the client's, and what comes from the server's side.
    pub fn new() -> (Rc<Self>, Ear, Receiver<Arrival>) {
        let (say, said) = channel(WAITING_ANSWERS);
        let (answer, answers) = channel(WAITING_ANSWERS);
        let conversation = Self {
            say,
            answer,
            waiting: RefCell::default(),
            open: RefCell::default(),
            asked_to_end: Notify::new(),
            has_left: Cell::new(false),
            used: Cell::new(Instant::now()),
        };
        // There is room: nothing was said before.
        let _ = conversation.say.try_send(Line::Whole(opening()));
        (Rc::new(conversation), Ear(said), answers)
    }

    /// What is to become of it. `None` where the conversation is over.
    pub async fn judge(&self, happening: Happening) -> Option<Verdict> {
        self.used.set(Instant::now());
        match happening {
            Happening::Call { id, tool, input } => self.call(&id, &tool, &input).await,
            Happening::Result { id, tool, input, output, failed } => {
                // A call that nobody here was asked about (the resident was away, or somebody made it up) is
                // judged and recorded now: what it says goes the way of every result.
                if !self.open.borrow().contains(&id) {
                    let late = self.call(&id, &tool, &input).await?;
                    if late.refused.is_some() {
                        return Some(late);
                    }
                }
                self.open.borrow_mut().remove(&id);
                let (verdict, line) = self.wait_for(&id, result(&id, failed, &output))?;
                self.answer.send(Arrival::Line(line, Came::Together)).await.ok()?;
                verdict.await.ok()
            }
            Happening::Other => Some(Verdict::pass()),
            Happening::End => {
                self.has_left.set(true);
                self.end();
                Some(Verdict::pass())
            }
        }
    }

    async fn call(&self, id: &Id, tool: &str, input: &RawValue) -> Option<Verdict> {
        // Two calls under one id would share one verdict.
        if id.as_json() == OPENING || self.open.borrow().contains(id) {
            return Some(Verdict::refused(TAKEN));
        }
        let Some((verdict, line)) = self.wait_for(id, call(id, tool, input)) else {
            return Some(Verdict::refused(TAKEN));
        };
        self.say.send(line).await.ok()?;
        let verdict = verdict.await.ok()?;
        if verdict.refused.is_none() {
            self.open.borrow_mut().insert(id.clone());
        }
        Some(verdict)
    }

    /// `None` where something waits under this id already.
    fn wait_for(&self, id: &Id, said: Vec<u8>) -> Option<(oneshot::Receiver<Verdict>, Line)> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.contains_key(id) {
            return None;
        }
        let (tell, verdict) = oneshot::channel();
        let line = Line::Whole(said.clone());
        waiting.insert(id.clone(), Waiting { verdict: tell, said });
        Some((verdict, line))
    }

    /// A message that the pipeline sends on to the server: the call is to be made.
    pub fn released(&self, message: &Payload) {
        let Some(id) = id_of(message) else { return };
        if id.as_json() == OPENING {
            let _ = self.answer.try_send(Arrival::Line(Line::Whole(opened()), Came::Together));
            return;
        }
        self.decide(&id, message, |text| {
            serde_json::from_slice::<Called>(text).ok().and_then(|called| called.params.arguments)
        });
    }

    /// The verdict on what waits under this id: it passes as it is, or as what stands in its place.
    fn decide(&self, id: &Id, message: &Payload, part: impl FnOnce(&[u8]) -> Option<Box<RawValue>>) {
        let Some(Waiting { verdict, said }) = self.waiting.borrow_mut().remove(id) else { return };
        let verdict_on_it = if said == message.bytes() {
            Verdict::pass()
        } else {
            part(message.bytes()).map_or_else(
                || Verdict::refused("what policy left of this call could not be read; nothing was done"),
                Verdict::instead,
            )
        };
        // Whoever asked may have gone.
        let _ = verdict.send(verdict_on_it);
    }

    pub fn end(&self) {
        self.asked_to_end.notify_one();
    }

    pub async fn asked_to_end(&self) -> Ending {
        self.asked_to_end.notified().await;
        if self.has_left.get() { Ending::ClientLeft } else { Ending::AskedToEnd }
    }

    pub fn used(&self) -> Instant {
        self.used.get()
    }

    /// Nothing that waits will be judged any more.
    pub fn close(&self) {
        self.waiting.borrow_mut().clear();
    }
}

impl FromClient for Ear {
    async fn next(&mut self) -> Heard {
        match self.0.recv().await {
            Some(line) => Heard::Line(line),
            None => Heard::End,
        }
    }
}

impl ToClient for Rc<Conversation> {
    async fn tell(&self, message: Payload, _: Occasion<'_>) -> Result<(), Unread> {
        #[derive(Deserialize)]
        struct Refusal {
            error: Error,
        }
        #[derive(Deserialize)]
        struct Error {
            message: String,
        }
        let Some(id) = id_of(&message) else { return Ok(()) };
        match serde_json::from_slice::<Refusal>(&message) {
            Ok(Refusal { error }) => {
                if let Some(Waiting { verdict, .. }) = self.waiting.borrow_mut().remove(&id) {
                    let _ = verdict.send(Verdict::refused(error.message));
                }
            }
            Err(_) => self.decide(&id, &message, |text| {
                serde_json::from_slice::<Answered>(text).ok().and_then(|answered| answered.result.output)
            }),
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Called {
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    arguments: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Answered {
    result: Output,
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "structuredContent")]
    output: Option<Box<RawValue>>,
}

/// Of a request or an answer.
fn id_of(message: &Payload) -> Option<Id> {
    let read;
    let message = match message {
        Payload::Read(message) => message,
        Payload::Bytes(bytes) => {
            read = Message::parse(bytes.clone()).ok()?;
            &read
        }
    };
    match message.kind() {
        Kind::Request { id, .. } | Kind::Response { id } => Some(id.clone()),
        Kind::Error { id, .. } => id.clone(),
        Kind::Notification { .. } => None,
    }
}

fn call(id: &Id, tool: &str, input: &RawValue) -> Vec<u8> {
    let (id, tool) = (id.as_json(), serde_json::Value::from(tool));
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":{tool},"arguments":{input},"_meta":{{"claudecode/toolUseId":{id}}}}}}}"#
    )
    .into_bytes()
}

fn result(id: &Id, failed: bool, output: &RawValue) -> Vec<u8> {
    let id = id.as_json();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[],"structuredContent":{output},"isError":{failed}}}}}"#
    )
    .into_bytes()
}

fn opening() -> Vec<u8> {
    format!(
        r#"{{"jsonrpc":"2.0","id":{OPENING},"method":"initialize","params":{{"protocolVersion":"{VERSION}","capabilities":{{}},"clientInfo":{{"name":"claude-code","version":""}}}}}}"#
    )
    .into_bytes()
}

fn opened() -> Vec<u8> {
    format!(
        r#"{{"jsonrpc":"2.0","id":{OPENING},"result":{{"protocolVersion":"{VERSION}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"claude-code","version":""}}}}}}"#
    )
    .into_bytes()
}
