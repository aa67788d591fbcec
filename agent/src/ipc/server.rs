//! The resident's end of the local socket: who is there, what they say, and the news of a policy.
//!
//! What an answer holds is the [`Desk`]'s affair; a guard that says nonsense loses its connection
//! and nothing else.

use super::{FromResident, Lines, ToResident, write_message};
use crate::sync::PolicyState;
use platform::ipc::{Listener, Peer, Stream};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::WriteHalf;
use tokio::sync::{Mutex, Semaphore, watch};

/// A machine with more guards than this has other troubles.
const CONNECTIONS: usize = 1024;

/// Who answers.
pub trait Desk: Send + Sync + 'static {
    /// The answer to one message; nothing where none is due.
    fn answer(&self, peer: &Peer, said: ToResident) -> impl Future<Output = Option<FromResident>> + Send;
    /// The connection of this peer ended.
    fn left(&self, peer: &Peer);
    /// The policy in force, as it changes.
    fn policy(&self) -> watch::Receiver<PolicyState>;
}

/// Accepts for ever; the resident drops it.
pub async fn serve(mut listener: Listener, desk: Arc<impl Desk>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &peer, &*desk).await {
                        tracing::debug!(%error, peer.pid = ?peer.pid, "socket.ended");
                    }
                    desk.left(&peer);
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "socket.accept");
                // Out of descriptors, most likely: some will be closed.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: Stream, peer: &Peer, desk: &impl Desk) -> io::Result<()> {
    let (read, write) = tokio::io::split(stream);
    let write = Mutex::new(write);
    let mut policy = desk.policy();
    let mut lines = Lines::new(read);
    let hear = async {
        while let Some(line) = lines.next().await? {
            let said = serde_json::from_slice(&line)?;
            if let Some(answer) = desk.answer(peer, said).await {
                write_message(&mut *write.lock().await, &answer).await?;
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = hear => ended,
        ended = tell(&write, &mut policy) => ended,
    }
}

/// The news goes out beside the conversation, not between its lines: taking records may take long.
async fn tell(write: &Mutex<WriteHalf<Stream>>, policy: &mut watch::Receiver<PolicyState>) -> io::Result<()> {
    let mut told = policy.borrow_and_update().version();
    while policy.changed().await.is_ok() {
        let version = policy.borrow_and_update().version();
        if version != told {
            told = version;
            write_message(&mut *write.lock().await, &FromResident::PolicyChanged { version }).await?;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
