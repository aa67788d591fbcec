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
    /// Of the message that was taken last: kept until the next one is asked for, as that is when the
    /// client has it.
    held: Room,
}

pub fn channel() -> (Arrivals, Inlet) {
    let (to, from) = mpsc::channel(WAITING_ANSWERS);
    let long = Arc::new(Semaphore::new(LONG_MESSAGES));
    (Arrivals { to, long }, Inlet::Remote(Box::new(Inbox { from, held: Room::default() })))
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
        self.held = Room::default();
        let (arrival, room) = self.from.recv().await?;
        self.held = room;
        Some(arrival)
    }
}
