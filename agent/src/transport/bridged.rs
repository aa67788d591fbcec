//! The bridge between protocol eras, over whatever carries the messages: the gate's side sees the client's
//! era, the server's side the server's. What is bridged, and how, is in [`mcp::bridge`].
//!
//! Once both ends are known to speak of the same era, messages pass by unread.

use crate::transport::clearance::Clearance;
use crate::transport::outgoing::asked_by;
use crate::transport::{Arrival, Came};
use mcp::bridge::{Bridge, Step};
use mcp::{Id, Line, Payload, reply};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use tokio::sync::{Mutex, Notify};
use uuid::Uuid;

pub struct Outlet(Rc<Shared>);

pub struct Inlet {
    shared: Rc<Shared>,
    from: Box<super::Inlet>,
    /// What the server has to be told because of what it said, on its way. Kept here, so that no message
    /// is cut in two when something else happens meanwhile.
    telling: Option<Telling>,
}

type Telling = Pin<Box<dyn Future<Output = ()>>>;

struct Shared {
    bridge: RefCell<Bridge>,
    /// Both ends speak of the same era, and nothing of ours is left to be sent.
    agreed: Cell<bool>,
    to: Mutex<super::Outlet>,
    for_server: RefCell<VecDeque<ForServer>>,
    for_client: RefCell<VecDeque<Arrival>>,
    /// Something was put into one of both.
    came: Notify,
    closed: Cell<bool>,
    clearance: Clearance,
}

/// A message for the server.
struct ForServer {
    message: Vec<u8>,
    /// The bridge says it, not the client: policy is asked first.
    own: bool,
}

/// Policy does not let the bridge say something, as the server's answer to it.
const NOT_SAID: i64 = -32003;

/// Puts the bridge over both ends of a server.
pub fn over(
    (outlet, inlet): (super::Outlet, super::Inlet),
    clearance: Clearance,
) -> (super::Outlet, super::Inlet) {
    // It answers every client in its own era.
    if matches!(outlet, super::Outlet::Absent(_)) {
        return (outlet, inlet);
    }
    let shared = Rc::new(Shared {
        bridge: RefCell::new(Bridge::new(|| Uuid::new_v4().simple().to_string())),
        agreed: Cell::new(false),
        to: Mutex::new(outlet),
        for_server: RefCell::default(),
        for_client: RefCell::default(),
        came: Notify::new(),
        closed: Cell::new(false),
        clearance,
    });
    let inlet = Inlet { shared: Rc::clone(&shared), from: Box::new(inlet), telling: None };
    (super::Outlet::Bridged(Outlet(shared)), super::Inlet::Bridged(Box::new(inlet)))
}

impl Outlet {
    pub async fn send(&mut self, message: Payload) {
        if self.0.agreed.get() {
            return Box::pin(self.0.to.lock().await.send(message)).await;
        }
        let steps = self.0.bridge.borrow_mut().client_says(message.into_bytes());
        self.0.put(steps, None);
        self.0.tell_server().await;
    }

    pub async fn send_all(&mut self, messages: Vec<Payload>) {
        if self.0.agreed.get() {
            return Box::pin(self.0.to.lock().await.send_all(messages)).await;
        }
        for message in messages {
            self.send(message).await;
        }
    }

    pub fn close(&mut self) {
        self.0.closed.set(true);
        // Whoever is sending just now closes it after that.
        if let Ok(mut to) = self.0.to.try_lock() {
            to.close();
        }
    }

    pub async fn end(&mut self) {
        Box::pin(self.0.to.lock().await.end()).await;
    }
}

impl Inlet {
    pub async fn next(&mut self) -> Arrival {
        loop {
            let arrival = self.shared.for_client.borrow_mut().pop_front();
            if let Some(arrival) = arrival {
                self.shared.settle();
                return arrival;
            }
            if self.shared.agreed.get() && self.telling.is_none() {
                return Box::pin(self.from.next()).await;
            }
            if self.telling.is_none() && !self.shared.for_server.borrow().is_empty() {
                let shared = Rc::clone(&self.shared);
                self.telling = Some(Box::pin(async move { shared.tell_server().await }));
            }
            tokio::select! {
                biased;
                () = done(&mut self.telling) => self.telling = None,
                () = self.shared.came.notified() => {}
                arrival = Box::pin(self.from.next()) => match arrival {
                    Arrival::Line(line, came) => {
                        let steps = self.shared.bridge.borrow_mut().server_says(line, came.with());
                        self.shared.put(steps, Some(&came));
                    }
                    other => return other,
                },
            }
        }
    }

    /// The next line, where it came together with the last and the bridge has no say in it.
    pub fn ready(&mut self) -> Option<(Line, Came)> {
        let passes =
            self.shared.agreed.get() && self.telling.is_none() && self.shared.for_client.borrow().is_empty();
        if passes { self.from.ready() } else { None }
    }

    pub async fn end(&mut self) {
        // It may hold the other end, which nobody reads any more.
        self.telling = None;
        Box::pin(self.from.end()).await;
    }
}

async fn done(telling: &mut Option<Telling>) {
    match telling {
        Some(telling) => telling.await,
        None => std::future::pending().await,
    }
}

impl Shared {
    /// `came`: on which way the message came that made this happen; `None` where it is the client's.
    fn put(&self, steps: Vec<Step>, came: Option<&Came>) {
        for step in steps {
            match step {
                Step::ToServer(message) => self.queue(message, false),
                Step::AskServer(message) => self.queue(message, true),
                Step::ToClient { line, with } => {
                    self.for_client.borrow_mut().push_back(arrival(line, with, came));
                }
            }
        }
        self.settle();
        self.came.notify_one();
    }

    fn queue(&self, message: Vec<u8>, own: bool) {
        self.for_server.borrow_mut().push_back(ForServer { message, own });
    }

    /// Sends what is there for the server, in order.
    async fn tell_server(&self) {
        let mut to = self.to.lock().await;
        loop {
            let Some(ForServer { message, own }) = self.for_server.borrow_mut().pop_front() else { break };
            if own && !self.clearance.lets_say(&message).await {
                self.refuse(&message);
                continue;
            }
            Box::pin(to.send(message.into())).await;
        }
        if self.closed.get() {
            to.close();
        }
        self.settle();
    }

    /// The bridge hears that its own request was refused.
    fn refuse(&self, request: &[u8]) {
        for id in asked_by(request) {
            let why = "policy does not let this be asked of the server";
            let answer = Line::Whole(reply::error(Some(&id), NOT_SAID, why, None));
            let steps = self.bridge.borrow_mut().server_says(answer, None);
            self.put(steps, None);
        }
    }

    fn settle(&self) {
        let is_empty = self.for_server.borrow().is_empty() && self.for_client.borrow().is_empty();
        self.agreed.set(is_empty && self.bridge.borrow().is_agreed());
    }
}

/// A line on the way that its client knows of.
fn arrival(line: Line, with: Option<Id>, came: Option<&Came>) -> Arrival {
    let came = match (with, came) {
        (Some(id), Some(Came::Stream(_))) => Came::Stream(id),
        (Some(id), _) => Came::Body(id),
        (None, Some(Came::Together) | None) => Came::Together,
        (None, Some(_)) => Came::Unasked,
    };
    Arrival::Line(line, came)
}
