//! A response that is a stream of events: what its stream says, and a comment now and then so that
//! nobody between takes it for dead.

use crate::door::conversation::Attached;
use crate::door::conversation::outbox::{Message, Piece};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const COMMENT: &[u8] = b": keep-alive\n\n";
/// What a client waits before it takes a lost stream up again.
const RETRY_MS: u32 = 1000;

pub struct Events {
    /// What is said before the stream's own.
    first: VecDeque<Bytes>,
    from: Option<Attached>,
    keep_alive: Interval,
}

impl Events {
    pub fn of(from: Attached) -> Self {
        let mut keep_alive = interval_at(tokio::time::Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { first: VecDeque::new(), from: Some(from), keep_alive }
    }

    /// Only what is said before: the stream's last word is among it.
    pub fn ended(from: Attached) -> Self {
        Self { from: None, ..Self::of(from) }
    }

    /// Says this before anything else of the stream.
    #[must_use]
    pub fn beginning_with(mut self, piece: Bytes) -> Self {
        self.first.push_back(piece);
        self
    }
}

/// An event with a message. Messages are one line each.
pub fn event(id: Option<&str>, message: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(message.len() + 64);
    event.extend_from_slice(b"event: message\n");
    if let Some(id) = id {
        event.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(message);
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// An event without data, so that a client can name a place before the first message.
pub fn priming(id: &str) -> Bytes {
    format!("id: {id}\nretry: {RETRY_MS}\ndata: \n\n").into()
}

/// Where a client of HTTP+SSE sends its messages.
pub fn endpoint(path: &str) -> Bytes {
    format!("event: endpoint\ndata: {path}\n\n").into()
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(piece) = self.first.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Some(from) = &mut self.from else { return Poll::Ready(None) };
        if let Poll::Ready(piece) = from.poll_next(context) {
            let Some(Piece::Message(Message { bytes, event: id, last, .. })) = piece else {
                self.from = None;
                return Poll::Ready(None);
            };
            if last {
                self.from = None;
            }
            return Poll::Ready(Some(Ok(Frame::data(event(id.as_deref(), &bytes)))));
        }
        ready!(self.keep_alive.poll_tick(context));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(COMMENT)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_message_with_its_id() {
        assert_eq!(event(Some("a-1-2"), b"{}"), "event: message\nid: a-1-2\ndata: {}\n\n");
        assert_eq!(event(None, b"{}"), "event: message\ndata: {}\n\n");
    }
}
