//! Released messages that the server has not taken: bounded in bytes, so that a server that does not read
//! slows its client down, and bounded in time, so that it cannot hide the client's end from us.

use mcp::Payload;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Room for two of the longest messages.
const MAX_BYTES: usize = 2 * mcp::frame::MAX_MESSAGE_BYTES;
/// How long the client is held up where the server takes nothing at all.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Unsent {
    messages: RefCell<Vec<Payload>>,
    /// Of these messages and those that are being sent.
    bytes: Cell<usize>,
    closed: Cell<bool>,
    /// Waited in vain; nothing was taken since.
    stuck: Cell<bool>,
    came: Notify,
    went: Notify,
}

/// There is no room, and none was made in time.
#[derive(Debug, thiserror::Error)]
#[error("the server does not read its input: {bytes} bytes wait for it, so this message was not sent")]
pub struct Full {
    pub message: Payload,
    bytes: usize,
}

impl Unsent {
    /// Adds a message; waits for room while the server makes some.
    ///
    /// # Errors
    /// The server takes nothing.
    pub async fn put(&self, message: Payload) -> Result<(), Full> {
        while self.bytes.get() > 0 && self.bytes.get() + message.len() > MAX_BYTES {
            if self.stuck.get() || timeout(PATIENCE, self.went.notified()).await.is_err() {
                self.stuck.set(true);
                return Err(Full { message, bytes: self.bytes.get() });
            }
        }
        self.bytes.set(self.bytes.get() + message.len());
        self.messages.borrow_mut().push(message);
        self.came.notify_one();
        Ok(())
    }

    /// Every message that waits, to be [`Self::sent`]; `None` once closed and empty.
    pub async fn next(&self) -> Option<Vec<Payload>> {
        loop {
            let waiting = std::mem::take(&mut *self.messages.borrow_mut());
            if !waiting.is_empty() {
                return Some(waiting);
            }
            if self.closed.get() {
                return None;
            }
            self.came.notified().await;
        }
    }

    /// The server has taken so many bytes of messages.
    pub fn sent(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() - bytes);
        self.stuck.set(false);
        self.went.notify_one();
    }

    /// No more will come.
    pub fn close(&self) {
        self.closed.set(true);
        self.came.notify_one();
    }

    /// Waits until the server has everything.
    pub async fn emptied(&self) {
        while self.bytes.get() > 0 {
            self.went.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_counted_until_it_was_sent() {
        let unsent = Unsent::default();
        unsent.put(vec![0; MAX_BYTES - 1].into()).await.unwrap();
        let taken = unsent.next().await.unwrap();
        // Taken, and not sent: no room yet.
        let more = unsent.put(vec![0; 2].into());
        tokio::pin!(more);
        assert!(futures_util::poll!(&mut more).is_pending());
        unsent.sent(taken.iter().map(|message| message.len()).sum());
        more.await.unwrap();
        unsent.put(b"[]".to_vec().into()).await.unwrap();
        unsent.close();
        assert_eq!(unsent.next().await, Some(vec![vec![0; 2].into(), b"[]".to_vec().into()]));
        assert_eq!(unsent.next().await, None);
    }

    #[tokio::test]
    async fn a_server_that_takes_nothing_is_waited_for_once() {
        let unsent = Unsent::default();
        unsent.put(vec![0; MAX_BYTES].into()).await.unwrap();
        unsent.stuck.set(true);
        let full = unsent.put(b"{}".to_vec().into()).await.unwrap_err();
        assert!(full.to_string().contains("67108864 bytes wait"), "{full}");
        assert_eq!(full.message.bytes(), b"{}");
    }
}
