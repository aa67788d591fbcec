//! The borders at which a stranger's bytes come in, as plain functions for fuzzers. Nothing is judged
//! or decided here, and no command uses it.

use crate::active_policy::PolicySignal;
use crate::audit::segment::Segment;
use crate::door::credential::Admitted;
use crate::door::served::{Bounds, Keeping, Served};
use crate::door::{Door, Names, Refusals};
use crate::transport::arrivals;
use crate::transport::events::{Events, message_of};
use crate::transport::target::Target;
use bytes::Bytes;
use mcp::Payload;
use platform::Layout;
use policy::Ruleset;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::{LocalSet, yield_now};
use uuid::Uuid;

/// Turns that everything under way gets; what still waits then waits for its client or for time.
const TURNS: usize = 64;

/// The messages of a stream of server-sent events that comes in these chunks, until it ends or breaks.
pub async fn messages(chunks: Vec<Bytes>, max_bytes: usize) -> Vec<Vec<u8>> {
    let chunks = futures_util::stream::iter(chunks.into_iter().map(Ok));
    let mut events = Events::over(chunks, max_bytes, arrivals::channel().0);
    let mut messages = Vec::new();
    while let Ok(Some((event, _room))) = events.next().await {
        messages.extend(message_of(event).map(Payload::into_bytes));
    }
    messages
}

/// A door on no port, in front of a server that policy holds back, and a client's end of a connection.
pub struct DoorOnTrial {
    door: Rc<Door>,
    folder: tempfile::TempDir,
}

impl DoorOnTrial {
    /// # Errors
    /// There is no room for its record.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let layout = Layout::under(folder.path()).map_err(io::Error::other)?;
        let target = Target::named_by(None, None, vec!["held-back".into()]).map_err(io::Error::other)?;
        let segment = Rc::new(Segment::of_trial(&layout, Uuid::now_v7()));
        let refusals = Refusals::of_trial(Rc::clone(&segment), "you@localhost", target.identity(), "trial");
        let keeping = Keeping {
            trial: Some(segment),
            layout,
            signal: Rc::new(PolicySignal::default()),
            rules: watch::channel(Rc::new(Ruleset::lockdown("It is on trial."))).1,
            member: "you@localhost".to_owned(),
            device: String::new(),
            bounds: Bounds { conversations: 8, idle: Duration::from_secs(60) },
        };
        let listening = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        let door = Door::new(Names::new(listening, Vec::new()), Admitted::Anybody, refusals);
        door.serve("", Served::new("trial".to_owned(), target, Rc::new(keeping)));
        Ok(Self { door, folder })
    }

    /// What a client hears that says this, in these pieces, and then listens.
    pub async fn hears(&self, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let local = LocalSet::new();
        local.spawn_local(Rc::clone(&self.door).receive(server));
        let heard = local.run_until(async {
            for piece in pieces {
                if client.write_all(piece).await.is_err() {
                    break;
                }
                yield_now().await;
            }
            for _ in 0..TURNS {
                yield_now().await;
            }
            heard(&mut client)
        });
        let heard = heard.await;
        // The door stays open for the next one; what this one began is over.
        let served = self.door.servers();
        local.run_until(futures_util::future::join_all(served.iter().map(|served| served.end()))).await;
        heard
    }

    /// How much its record takes by now, in bytes: a long trial wants a new door from time to time.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        let files = walkdir::WalkDir::new(self.folder.path()).into_iter().flatten();
        files
            .filter_map(|file| file.metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|it| it.len())
            .sum()
    }
}

/// What is there to be read, without waiting for more.
fn heard(client: &mut DuplexStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while let Some(Ok(bytes @ 1..)) = futures_util::FutureExt::now_or_never(client.read(&mut chunk)) {
        heard.extend_from_slice(&chunk[..bytes]);
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: &[u8] = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAccept: */*\r\n\
        Content-Type: application/json\r\nContent-Length: 58\r\n\r\n\
        {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}";

    /// Begins a conversation, and gives the tasks that hold it.
    async fn begun(trial: &DoorOnTrial) -> LocalSet {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let local = LocalSet::new();
        local.spawn_local(Rc::clone(&trial.door).receive(server));
        local
            .run_until(async {
                client.write_all(OPENING).await.unwrap();
                while trial.door.servers().iter().all(|served| served.conversations().is_empty()) {
                    yield_now().await;
                }
            })
            .await;
        local
    }

    #[tokio::test]
    async fn nobody_waits_for_a_conversation_whose_task_is_gone() {
        let trial = DoorOnTrial::new().unwrap();
        drop(begun(&trial).await);
        tokio::time::timeout(Duration::from_secs(10), trial.door.end()).await.expect("it ends");
    }

    #[tokio::test]
    async fn attack_a_conversation_is_begun_while_the_door_ends() {
        let trial = DoorOnTrial::new().unwrap();
        let local = begun(&trial).await;
        local.run_until(trial.door.end()).await;
        let heard = trial.hears(&[OPENING]).await;
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with("HTTP/1.1 503") && heard.contains("being closed"), "{heard}");
        assert!(trial.door.servers().iter().all(|served| served.conversations().is_empty()));
    }
}
