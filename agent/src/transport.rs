//! The two ends of the guard's wire: lines in, messages out, whatever carries them.
//!
//! A transport decides nothing. It sends what was released and yields lines that are still to be
//! judged; what it has to say itself (a server that cannot be reached) is a JSON-RPC error that
//! passes the same judgement as the server's own words.

pub mod absent;
pub mod arrivals;
pub mod bridged;
pub mod clearance;
pub mod events;
pub mod failure;
pub mod http;
pub mod lines;
pub mod opening;
pub mod outgoing;
pub mod sse;
pub mod standing;
pub mod stdio;
pub mod target;

use crate::transport::absent::Absent;
use mcp::{Id, Line, Payload};
use tokio::sync::mpsc;

/// Messages read from a server and not yet judged; small, so that a slow client reaches the server.
pub const WAITING_ANSWERS: usize = 16;

/// What comes from the server's end.
#[derive(Debug)]
pub enum Arrival {
    Line(Line, Came),
    /// The server's output ended inside a message of this many bytes.
    HalfLine(usize),
    /// What the server has not answered it never will, for this reason; what is sent from now on reaches a
    /// new one.
    Lost(String),
    Gone(Gone),
}

/// On which way a message came: what an HTTP door repeats, and nobody judges by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Came {
    /// Where there is one way for all: a pipe, or the one stream of HTTP+SSE.
    #[default]
    Together,
    /// As the whole answer to that request (JSON), or in the place of one.
    Body(Id),
    /// On the stream of events that answers that request.
    Stream(Id),
    /// On the stream of what a server says unasked.
    Unasked,
}

impl Came {
    /// The request that it came with.
    pub fn with(&self) -> Option<&Id> {
        match self {
            Self::Body(id) | Self::Stream(id) => Some(id),
            Self::Together | Self::Unasked => None,
        }
    }
}

/// The server's end is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// A sentence for the developer.
    pub why: String,
    /// What the guard exits with.
    pub exit: u8,
}

/// Where messages for the server go.
pub enum Outlet {
    Pipe(Box<stdio::Outlet>),
    Http(Box<http::Outlet>),
    Sse(Box<sse::Outlet>),
    Absent(Absent),
    /// To somebody in this process, who never makes it wait.
    Handed(Box<dyn FnMut(Payload)>),
    /// Any other, over the bridge between eras.
    Bridged(bridged::Outlet),
}

/// Where the server's messages come from.
pub enum Inlet {
    Pipe(Box<stdio::Server>),
    Remote(Box<arrivals::Inbox>),
    Channel {
        arrivals: mpsc::Receiver<Arrival>,
        exit: u8,
    },
    /// Any other, over the bridge between eras.
    Bridged(Box<bridged::Inlet>),
}

impl Outlet {
    /// Sends one message. A server that cannot take it says so at its [`Inlet`]: by its end, or by
    /// an error answer.
    pub async fn send(&mut self, message: Payload) {
        match self {
            Self::Pipe(outlet) => outlet.send(vec![message.into_bytes()]).await,
            Self::Http(outlet) => outlet.send(message).await,
            Self::Sse(outlet) => outlet.send(message).await,
            Self::Absent(absent) => absent.send(message).await,
            Self::Handed(hand) => hand(message),
            Self::Bridged(outlet) => outlet.send(message).await,
        }
    }

    /// Sends messages that are there together, in their order.
    pub async fn send_all(&mut self, messages: Vec<Payload>) {
        match self {
            Self::Pipe(outlet) => {
                outlet.send(messages.into_iter().map(Payload::into_bytes).collect()).await;
            }
            Self::Bridged(outlet) => outlet.send_all(messages).await,
            other => {
                for message in messages {
                    other.send(message).await;
                }
            }
        }
    }

    /// No more messages will come: the first step of a shutdown, which lets a server finish.
    pub fn close(&mut self) {
        match self {
            Self::Pipe(outlet) => outlet.close(),
            Self::Http(outlet) => outlet.close(),
            Self::Sse(outlet) => outlet.close(),
            Self::Absent(absent) => absent.close(),
            Self::Handed(_) => {}
            Self::Bridged(outlet) => outlet.close(),
        }
    }

    /// The last step: nothing of ours is left at the server.
    pub async fn end(&mut self) {
        self.close();
        match self {
            Self::Http(outlet) => outlet.end().await,
            Self::Sse(outlet) => outlet.end(),
            Self::Bridged(outlet) => outlet.end().await,
            Self::Pipe(_) | Self::Absent(_) | Self::Handed(_) => {}
        }
    }
}

impl Inlet {
    pub async fn next(&mut self) -> Arrival {
        match self {
            Self::Pipe(server) => server.next().await,
            Self::Remote(inbox) => inbox.next().await.unwrap_or_else(|| closed(0)),
            Self::Channel { arrivals, exit } => arrivals.recv().await.unwrap_or_else(|| closed(*exit)),
            Self::Bridged(inlet) => inlet.next().await,
        }
    }

    /// The next line, where it came together with the last.
    pub fn ready(&mut self) -> Option<(Line, Came)> {
        match self {
            Self::Pipe(server) => server.ready().map(|line| (line, Came::Together)),
            Self::Remote(inbox) => inbox.ready(),
            Self::Bridged(inlet) => inlet.ready(),
            Self::Channel { .. } => None,
        }
    }

    /// Takes down what is left of a local server.
    pub async fn end(&mut self) {
        match self {
            Self::Pipe(server) => server.end().await,
            Self::Bridged(inlet) => inlet.end().await,
            Self::Remote(_) | Self::Channel { .. } => {}
        }
    }
}

fn closed(exit: u8) -> Arrival {
    Arrival::Gone(Gone { why: "the connection was closed".to_owned(), exit })
}
