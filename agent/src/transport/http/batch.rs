//! Several messages in one POST, in the one revision that has that (2025-03-26): answered by a JSON array, or by
//! events one after the other.

use crate::transport::Came;
use crate::transport::arrivals::{Arrivals, Room};
use crate::transport::events::{Events, message_of, payload};
use crate::transport::failure::{Failure, shown};
use crate::transport::http::exchange::is;
use crate::transport::http::session::{HttpSession, Posted};
use crate::transport::outgoing::{Outgoing, answered_in};
use mcp::Id;

impl HttpSession {
    /// Sends a batch and hands on what answers its requests; each that stays without an answer gets an error.
    pub(super) async fn call_batch(&self, outgoing: Outgoing, mut asked: Vec<Id>, arrivals: &Arrivals) {
        let failure = match self.deliver(&outgoing, arrivals).await {
            Ok(posted) => self.answer_batch(posted, &mut asked, arrivals).await.err(),
            Err(failure) => Some(failure),
        };
        let failure = failure.unwrap_or_else(|| Failure::NoAnswer { at: shown(&self.url) });
        for id in asked {
            arrivals.deliver(failure.line(&id), Came::Body(id), Room::default()).await;
        }
    }

    async fn answer_batch(
        &self,
        posted: Posted,
        asked: &mut Vec<Id>,
        arrivals: &Arrivals,
    ) -> Result<(), Failure> {
        let Posted { response, session } = posted;
        let Some(first) = asked.first().cloned() else { return Ok(()) };
        if !response.status().is_success() {
            return Err(self.failure_of(&response, session.is_some()));
        }
        if !is(&response, "text/event-stream") {
            let mut room = Room::default();
            let line = payload(self.body(response, arrivals, &mut room).await?);
            strike_out(asked, &line);
            if !line.trim_ascii().is_empty() {
                arrivals.deliver(line.into(), Came::Body(first), room).await;
            }
            return Ok(());
        }
        let mut events = Events::of(response, arrivals.clone());
        let broken = |error: sse_stream::Error| Failure::of_body(&self.url, &error);
        while let Some((event, room)) = events.next().await.map_err(broken)? {
            let Some(line) = message_of(event) else { continue };
            strike_out(asked, &line);
            arrivals.deliver(line.into(), Came::Stream(first.clone()), room).await;
        }
        Ok(())
    }
}

fn strike_out(asked: &mut Vec<Id>, line: &[u8]) {
    let answered = answered_in(line);
    asked.retain(|id| !answered.contains(id));
}
