//! What waits for one HTTP response to carry it: bounded by number and by bytes, so that a reader that
//! is slow slows its writer, and one that is stuck is let go.

use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

const MESSAGES: usize = 64;
/// A longer message takes all of the room, alone.
const BYTES: u32 = 1024 * 1024;

/// One thing for the response to say.
pub enum Piece {
    Message(Message),
    /// What the client said was dealt with, and there is nothing to say to it.
    Nothing,
}

pub struct Message {
    pub bytes: Bytes,
    /// Of an error.
    pub code: Option<i64>,
    /// The event's id, where the stream can be taken up again.
    pub event: Option<String>,
    /// The stream ends with it.
    pub last: bool,
    /// It is all that the response will say, so that it can be a plain JSON body.
    pub alone: bool,
    /// Freed when the response has taken it.
    pub room: Option<OwnedSemaphorePermit>,
}

#[derive(Clone)]
pub struct Outbox {
    to: mpsc::Sender<Piece>,
    room: Arc<Semaphore>,
    ticket: Ticket,
}

/// Tells one outbox from another, and does not keep it open.
#[derive(Clone)]
pub struct Ticket(Arc<()>);

/// The reader takes nothing, or is gone.
#[derive(Debug)]
pub struct Stuck;

pub fn outbox() -> (Outbox, mpsc::Receiver<Piece>) {
    let (to, pieces) = mpsc::channel(MESSAGES);
    let room = Arc::new(Semaphore::new(BYTES as usize));
    (Outbox { to, room, ticket: Ticket(Arc::new(())) }, pieces)
}

impl Outbox {
    /// # Errors
    /// See [`Stuck`].
    pub async fn put(&self, mut message: Message, patience: Duration) -> Result<(), Stuck> {
        let bytes = u32::try_from(message.bytes.len()).unwrap_or(BYTES).min(BYTES);
        let put = async {
            let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| Stuck)?;
            message.room = Some(room);
            self.to.send(Piece::Message(message)).await.map_err(|_| Stuck)
        };
        timeout(patience, put).await.unwrap_or(Err(Stuck))
    }

    /// Its reader has nothing to wait for.
    pub fn nothing(&self) {
        // A reader that is gone does not mind.
        let _ = self.to.try_send(Piece::Nothing);
    }

    pub fn is_open(&self) -> bool {
        !self.to.is_closed()
    }

    pub fn ticket(&self) -> Ticket {
        self.ticket.clone()
    }

    pub fn is_of(&self, ticket: &Ticket) -> bool {
        Arc::ptr_eq(&self.ticket.0, &ticket.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Message {
        Message {
            bytes: vec![b'x'; bytes].into(),
            code: None,
            event: None,
            last: false,
            alone: false,
            room: None,
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_reader_that_takes_nothing_holds_no_more_than_the_bound() {
        let (outbox, mut pieces) = outbox();
        let mut held = 0;
        while outbox.put(message(100_000), Duration::from_millis(20)).await.is_ok() {
            held += 100_000;
        }
        assert!(held <= BYTES as usize, "{held}");
        assert!(pieces.recv().await.is_some());
        assert!(outbox.put(message(100_000), Duration::from_millis(20)).await.is_ok(), "room was made");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_message_longer_than_the_room_passes_alone() {
        let (outbox, mut pieces) = outbox();
        assert!(outbox.put(message(10 * BYTES as usize), Duration::from_millis(20)).await.is_ok());
        assert!(outbox.put(message(1), Duration::from_millis(20)).await.is_err());
        assert!(pieces.recv().await.is_some());
        assert!(outbox.put(message(1), Duration::from_millis(20)).await.is_ok());
    }
}
