//! The resident's end of the local socket: who is there, what they say, and the news of a policy.
//!
//! What an answer holds is the [`Desk`]'s affair; a guard that says nonsense loses its connection
//! and nothing else.

use super::{FromResident, Lines, ToResident, write_message};
use crate::sync::PolicyState;
use platform::ipc::{Listener, Peer, Stream};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::io::WriteHalf;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// A user with more guards than this has other troubles, and is not to trouble the other users. The
/// administrator has no limit: they could end us anyway.
const CONNECTIONS: usize = 128;
/// Whoever dials has something to say.
const FIRST_LINE: Duration = Duration::from_secs(5);

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
pub async fn serve(listener: Listener, desk: Arc<impl Desk>) {
    serve_within(FIRST_LINE, listener, desk).await;
}

async fn serve_within(first_line: Duration, mut listener: Listener, desk: Arc<impl Desk>) {
    let places = Places::default();
    // They end with us: what they hold is waited for when the resident ends, and guards do not hang up.
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(place) = places.take(&peer) else {
                    tracing::debug!(user = %peer.user, "socket.full");
                    continue;
                };
                let desk = Arc::clone(&desk);
                conversations.spawn(async move {
                    if let Err(error) = converse(stream, &peer, &*desk, first_line).await {
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

/// How many connections each user holds. Where the system tells no id, the name is the user.
#[derive(Debug, Clone, Default)]
struct Places(Arc<std::sync::Mutex<HashMap<User, usize>>>);

type User = (Option<u32>, String);

/// One connection's place; free again when it is dropped.
struct Place {
    places: Places,
    of: User,
}

impl Places {
    /// `None` where this user holds all of theirs.
    fn take(&self, peer: &Peer) -> Option<Place> {
        let of = (peer.uid, peer.user.clone());
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.entry(of.clone()).or_default();
        if *held >= CONNECTIONS && peer.uid != Some(0) {
            return None;
        }
        *held += 1;
        Some(Place { places: self.clone(), of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.of);
            }
        }
    }
}

async fn converse(stream: Stream, peer: &Peer, desk: &impl Desk, first_line: Duration) -> io::Result<()> {
    let (read, write) = tokio::io::split(stream);
    let write = Mutex::new(write);
    let mut policy = desk.policy();
    let mut lines = Lines::new(read);
    let hear = async {
        let mut heard = tokio::time::timeout(first_line, lines.next()).await??;
        while let Some(line) = heard {
            let said = serde_json::from_slice(&line)?;
            if let Some(answer) = desk.answer(peer, said).await {
                write_message(&mut *write.lock().await, &answer).await?;
            }
            heard = lines.next().await?;
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
