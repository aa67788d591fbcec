//! What remote servers send, on its way to the judgement: bounded in bytes, however many streams are
//! open. Small messages pass by number; of long ones only two are held at once, from their first bytes
//! until the client has them, so that a client that reads slowly slows its server and fills no memory.

use crate::transport::{Arrival, Came, Inlet, WAITING_ANSWERS};
use mcp::Line;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// A message of up to this many bytes is small.
pub const SMALL_BYTES: usize = 256 * 1024;
/// Long messages held at once: one for the client, and one that comes meanwhile.
const LONG_MESSAGES: usize = 2;

/// Where the transports put what they read.
#[derive(Clone)]
pub struct Arrivals {
    to: mpsc::Sender<(Arrival, Room)>,
    long: Arc<Semaphore>,
}

/// The room that a message takes while it is held.
#[derive(Debug, Default)]
pub struct Room(Option<OwnedSemaphorePermit>);

/// The other end of [`Arrivals`].
pub struct Inbox {
    from: mpsc::Receiver<(Arrival, Room)>,
    /// Taken, and not asked for yet.
    next: Option<(Arrival, Room)>,
    /// Of the messages that were taken last: kept until the next one is asked for, as that is when the
    /// client has them.
    held: Vec<Room>,
}

pub fn channel() -> (Arrivals, Inlet) {
    let (to, from) = mpsc::channel(WAITING_ANSWERS);
    let long = Arc::new(Semaphore::new(LONG_MESSAGES));
    (Arrivals { to, long }, Inlet::Remote(Box::new(Inbox { from, next: None, held: Vec::new() })))
}

impl Arrivals {
    /// Room for a message of which so much was read; waits where it is long and others are.
    pub async fn room_for(&self, bytes: usize, room: &mut Room) {
        if bytes > SMALL_BYTES && room.0.is_none() {
            // It is never closed.
            room.0 = Arc::clone(&self.long).acquire_owned().await.ok();
        }
    }

    /// Hands on a message. The channel is closed only when the guard is ending.
    pub async fn deliver(&self, line: Line, came: Came, room: Room) {
        self.arrive(Arrival::Line(line, came), room).await;
    }

    pub async fn arrive(&self, arrival: Arrival, room: Room) {
        let _ = self.to.send((arrival, room)).await;
    }

    pub fn is_closed(&self) -> bool {
        self.to.is_closed()
    }
}

impl Inbox {
    /// `None` once no transport is left to put anything here.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.held.clear();
        let (arrival, room) = match self.next.take() {
            Some(next) => next,
            None => self.from.recv().await?,
        };
        self.held.push(room);
        Some(arrival)
    }

    /// The next line, where it is there already.
    pub fn ready(&mut self) -> Option<(Line, Came)> {
        if self.next.is_none() {
            self.next = self.from.try_recv().ok();
        }
        match self.next.take()? {
            (Arrival::Line(line, came), room) => {
                self.held.push(room);
                Some((line, came))
            }
            other => {
                self.next = Some(other);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_there_together_is_taken_together_and_nothing_overtakes_a_loss() {
        let (arrivals, inlet) = channel();
        let Inlet::Remote(mut inbox) = inlet else { panic!("arrivals come from remote servers") };
        let line = |text: &str| Line::Whole(text.as_bytes().to_vec());
        arrivals.deliver(line("1"), Came::Unasked, Room::default()).await;
        arrivals.deliver(line("2"), Came::Together, Room::default()).await;
        arrivals.arrive(Arrival::Lost("gone".to_owned()), Room::default()).await;
        arrivals.deliver(line("3"), Came::Together, Room::default()).await;
        assert!(
            matches!(inbox.next().await, Some(Arrival::Line(first, Came::Unasked)) if first == line("1"))
        );
        assert_eq!(inbox.ready(), Some((line("2"), Came::Together)));
        assert_eq!(inbox.ready(), None);
        assert!(matches!(inbox.next().await, Some(Arrival::Lost(_))));
        assert_eq!(inbox.ready(), Some((line("3"), Came::Together)));
        assert_eq!(inbox.ready(), None);
    }

    #[tokio::test]
    async fn long_messages_that_are_taken_together_keep_their_room_until_the_client_has_them() {
        let (arrivals, inlet) = channel();
        let Inlet::Remote(mut inbox) = inlet else { panic!("arrivals come from remote servers") };
        for _ in 0..LONG_MESSAGES {
            let mut room = Room::default();
            arrivals.room_for(SMALL_BYTES + 1, &mut room).await;
            arrivals.deliver(Line::Whole(b"long".to_vec()), Came::Together, room).await;
        }
        assert!(inbox.next().await.is_some() && inbox.ready().is_some());
        let mut room = Room::default();
        let waits = arrivals.room_for(SMALL_BYTES + 1, &mut room);
        tokio::pin!(waits);
        assert!(futures_util::poll!(&mut waits).is_pending());
        assert!(futures_util::poll!(std::pin::pin!(inbox.next())).is_pending());
        assert!(futures_util::poll!(&mut waits).is_ready());
    }
}
