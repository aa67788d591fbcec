//! The stream of everything the server says, opened again whenever it breaks.

use super::{Endpoint, Poster};
use crate::transport::arrivals::{Arrivals, Room};
use crate::transport::events::{Events, message_of};
use crate::transport::failure::{Failure, shown};
use crate::transport::opening::{Agreed, Opening, Replay};
use crate::transport::outgoing::answers;
use crate::transport::standing::Standing;
use crate::transport::{Arrival, Came};
use mcp::Id;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use url::Url;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

pub(super) struct Stream {
    pub poster: Poster,
    pub named: watch::Sender<Endpoint>,
    pub arrivals: Arrivals,
    pub opening: Arc<Mutex<Opening>>,
    pub standing: Standing,
}

/// How far one stream came.
#[derive(Default)]
struct Reached {
    /// The client's messages went there.
    open: bool,
    retry: Option<Duration>,
    /// Answers on this stream that the client has had already.
    swallowed: Vec<Id>,
}

impl Reached {
    fn swallow(&mut self, line: &[u8]) -> bool {
        let before = self.swallowed.len();
        self.swallowed.retain(|id| !answers(line, id));
        self.swallowed.len() < before
    }
}

impl Stream {
    /// Reads stream after stream, until the server will not have us or the guard is ending.
    pub async fn follow(self) {
        let mut delay = FIRST_DELAY;
        while !self.arrivals.is_closed() {
            let mut reached = Reached::default();
            let ended = self.read(&mut reached).await;
            let failure = ended.err().unwrap_or_else(|| Failure::NoAnswer { at: shown(&self.poster.url) });
            tracing::debug!(%failure, "the server's stream ended");
            if reached.open {
                self.standing.ended(&failure.to_string(), None);
                // Before anything else is sent, so that nothing new is taken for lost.
                self.named.send_replace(Endpoint::Awaited);
                self.arrivals.arrive(Arrival::Lost(failure.to_string()), Room::default()).await;
                delay = reached.retry.unwrap_or(FIRST_DELAY);
            } else {
                self.standing.failing(&failure.to_string());
                self.named.send_replace(Endpoint::Away(failure.clone()));
                if failure.is_final() {
                    return;
                }
                delay = (delay * 2).min(LONGEST_DELAY);
            }
            tokio::time::sleep(delay.min(LONGEST_DELAY)).await;
        }
    }

    fn opening(&self) -> MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, reached: &mut Reached) -> Result<(), Failure> {
        let url = &self.poster.url;
        let goes_on = self.opening().replay().is_some();
        if goes_on && let Some(why) = self.standing.clearance().bar().await {
            return Err(Failure::NotRenewed { at: shown(url), why });
        }
        let request = self.poster.client.get(url.clone());
        let request = request.header(ACCEPT, "text/event-stream").header(ACCEPT_ENCODING, "identity");
        let response = request.send().await.map_err(|error| Failure::of_request(url, error))?;
        if !response.status().is_success() {
            return Err(self.poster.failure_of(&response));
        }
        let mut events = Events::of(response, self.arrivals.clone());
        let broken = |error: sse_stream::Error| Failure::of_body(url, &error);
        let mut beginning: Option<(Url, Replay)> = None;
        while let Some((event, room)) = events.next().await.map_err(broken)? {
            reached.retry = event.retry.map(Duration::from_millis).or(reached.retry);
            if event.event.as_deref() == Some("endpoint") {
                let endpoint = same_origin(url, event.data.as_deref().unwrap_or_default())?;
                let replay = self.opening().replay().filter(|_| !reached.open);
                match replay {
                    Some(replay) => {
                        self.poster.post(endpoint.clone(), replay.initialize.clone()).await?;
                        beginning = Some((endpoint, replay));
                    }
                    None => self.open(endpoint, reached),
                }
                continue;
            }
            let Some(line) = message_of(event) else { continue };
            match beginning.take() {
                Some((endpoint, replay)) if answers(&line, &replay.id) => {
                    self.begin_anew(endpoint, replay, &line, reached).await?;
                }
                still => {
                    beginning = still;
                    if !reached.swallow(&line) {
                        self.learn(&line);
                        self.arrivals.deliver(line.into(), Came::Together, room).await;
                    }
                }
            }
        }
        Ok(())
    }

    fn open(&self, endpoint: Url, reached: &mut Reached) {
        reached.open = true;
        self.named.send_replace(Endpoint::Known(endpoint));
    }

    /// The new session has answered the client's own `initialize`, which the client does not hear again.
    async fn begin_anew(
        &self,
        endpoint: Url,
        replay: Replay,
        answer: &[u8],
        reached: &mut Reached,
    ) -> Result<(), Failure> {
        let another = |how: String| Failure::AnotherServer { at: shown(&self.poster.url), how };
        let new = Agreed::read(answer)
            .ok_or_else(|| another("it answers `initialize` with an error".to_owned()))?;
        if let Some(how) = replay.agreed.differs(&new) {
            return Err(another(how));
        }
        let replay = self.standing.clearance().still(replay).await;
        let requests = replay.requests.into_iter();
        let words = replay.initialized.into_iter().map(|initialized| (None, initialized));
        for (id, message) in words.chain(requests.map(|(id, request)| (Some(id), request))) {
            reached.swallowed.extend(id);
            self.poster.post(endpoint.clone(), message).await?;
        }
        tracing::info!("the server's stream had broken; it has a new session");
        self.standing.begun_anew("the server's stream had broken, and it has given a new session");
        self.open(endpoint, reached);
        Ok(())
    }

    fn learn(&self, line: &[u8]) {
        let mut opening = self.opening();
        if opening.awaited().is_some_and(|id| answers(line, id)) {
            opening.learn(line);
            let agreed = opening.agreed().cloned();
            drop(opening);
            self.standing.agreed(agreed.as_ref());
        }
    }
}

/// A server must not point the entry's headers at another host.
fn same_origin(url: &Url, endpoint: &str) -> Result<Url, Failure> {
    let foreign = |to: String| Failure::ForeignEndpoint { at: shown(url), to };
    let endpoint = url.join(endpoint.trim()).map_err(|_| foreign("an address that is none".to_owned()))?;
    if endpoint.origin() == url.origin() { Ok(endpoint) } else { Err(foreign(shown(&endpoint))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_the_streams_own_host_only() {
        let url = Url::parse("https://mcp.example/sse").unwrap();
        let at = |endpoint: &str| same_origin(&url, endpoint).map(|url| url.to_string());
        assert_eq!(at("/messages?session=1").unwrap(), "https://mcp.example/messages?session=1");
        assert_eq!(at("https://mcp.example/m").unwrap(), "https://mcp.example/m");
        for foreign in [
            "https://evil.example/m",
            "//evil.example/m",
            "http://mcp.example/m",
            "https://mcp.example:8443/m",
        ] {
            assert!(matches!(at(foreign), Err(Failure::ForeignEndpoint { .. })), "{foreign}");
        }
    }
}
