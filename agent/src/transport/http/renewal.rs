//! A server that has forgotten the session: the conversation is begun anew with the client's own
//! words, and what was sent in vain is sent once more. The client notices nothing, or hears why not.
//!
//! It says so by 404 (MCP, "Session Management"); servers on the official SDKs often by 400 and a sentence.
//! Only what is answered so is sent again: of nothing else is it certain that it was not run.

use crate::transport::Came;
use crate::transport::arrivals::{Arrivals, Room};
use crate::transport::events::{Events, message_of};
use crate::transport::failure::{Failure, shown};
use crate::transport::http::exchange::is;
use crate::transport::http::session::{Agreed, HttpSession, Posted, session_named_in, version_header};
use crate::transport::opening::{self, Replay};
use crate::transport::outgoing::{Outgoing, answers};
use http_body_util::BodyExt;
use mcp::Id;
use reqwest::header::HeaderValue;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::time::Duration;
use tokio::time::timeout;

/// What a server gets to begin a conversation anew.
const PATIENCE: Duration = Duration::from_secs(30);
/// An error that says this has no more bytes.
const SENTENCE: u64 = 4096;
/// What servers on the SDKs of TypeScript and Python say of a session that they do not know.
const NO_SESSION: [&str; 2] = ["bad request: no valid session id", "session not found"];

impl HttpSession {
    /// POSTs a message; where the server has forgotten the session, once more in a new one.
    pub(super) async fn deliver(&self, outgoing: &Outgoing, arrivals: &Arrivals) -> Result<Posted, Failure> {
        let Posted { response, session } = self.post(outgoing).await?;
        let Some(stale) = session else { return Ok(Posted { response, session: None }) };
        let (response, is_forgotten) = self.forgets(response).await?;
        if is_forgotten {
            self.renew(&stale, arrivals).await?;
            return self.post(outgoing).await;
        }
        Ok(Posted { response, session: Some(stale) })
    }

    /// Does the server not know the session any more, and so has not run what was sent in it?
    async fn forgets(&self, response: Response) -> Result<(Response, bool), Failure> {
        match response.status() {
            StatusCode::NOT_FOUND => return Ok((response, true)),
            StatusCode::BAD_REQUEST if response.content_length().is_some_and(|bytes| bytes <= SENTENCE) => {}
            _ => return Ok((response, false)),
        }
        let (head, body) = hyper::Response::<reqwest::Body>::from(response).into_parts();
        let body = body.collect().await.map_err(|error| Failure::of_body(&self.url, &error))?.to_bytes();
        let is_forgotten = says_no_session(&body);
        Ok((hyper::Response::from_parts(head, body).into(), is_forgotten))
    }

    /// A session in the place of that one, made by whoever comes first.
    pub(super) async fn renew(&self, stale: &HeaderValue, arrivals: &Arrivals) -> Result<(), Failure> {
        let _alone = self.renewing.lock().await;
        if self.agreed().session.as_ref() != Some(stale) {
            return Ok(());
        }
        let Some(replay) = self.opening().replay() else {
            return Err(Failure::SessionLost { at: shown(&self.url) });
        };
        let not_renewed = |why: String| Failure::NotRenewed { at: shown(&self.url), why };
        let clearance = self.standing.clearance();
        if let Some(why) = clearance.bar().await {
            return Err(not_renewed(why));
        }
        let replay = clearance.still(replay).await;
        let renewed = timeout(PATIENCE, self.begin_anew(replay, arrivals)).await;
        let renewed = renewed.map_err(|_| not_renewed("it did not answer in time".to_owned()))?;
        let agreed = renewed.map_err(|failure| match failure {
            Failure::AnotherServer { .. } => failure,
            failure => not_renewed(failure.to_string()),
        })?;
        tracing::info!("the server had forgotten the session; it has a new one");
        self.standing.ended(&Failure::Forgotten { at: shown(&self.url) }.to_string(), None);
        self.standing.begun_anew("the server had forgotten the session, and has given a new one");
        self.agree(|current| *current = agreed);
        Ok(())
    }

    async fn begin_anew(&self, replay: Replay, arrivals: &Arrivals) -> Result<Agreed, Failure> {
        let response = self.post_in(&Agreed::default(), replay.initialize).await?;
        let session = session_named_in(&response);
        let answer = self.swallow(response, &replay.id, arrivals).await?;
        let new = opening::Agreed::read(&answer).ok_or_else(|| Failure::NotTheAnswer {
            at: shown(&self.url),
            what: "something that is no answer to `initialize`",
        })?;
        let agreed = Agreed { session, version: version_header(&new.version) };
        if let Some(how) = replay.agreed.differs(&new) {
            self.give_up(&agreed).await;
            return Err(Failure::AnotherServer { at: shown(&self.url), how });
        }
        if let Some(initialized) = replay.initialized {
            let response = self.post_in(&agreed, initialized).await?;
            if !response.status().is_success() {
                return Err(self.failure_of(&response, agreed.session.is_some()));
            }
        }
        for (id, request) in replay.requests {
            let response = self.post_in(&agreed, request).await?;
            if let Err(failure) = self.swallow(response, &id, arrivals).await {
                tracing::warn!(%failure, "the server did not take what the client had asked of it before");
            }
        }
        Ok(agreed)
    }

    /// Reads the answer to that request, which the client has had already; what else comes is the client's.
    async fn swallow(&self, response: Response, id: &Id, arrivals: &Arrivals) -> Result<Vec<u8>, Failure> {
        if !response.status().is_success() {
            return Err(self.failure_of(&response, false));
        }
        if !is(&response, "text/event-stream") {
            return self.body(response, arrivals, &mut Room::default()).await;
        }
        let mut events = Events::of(response, arrivals.clone());
        let broken = |error: sse_stream::Error| Failure::of_body(&self.url, &error);
        while let Some((event, room)) = events.next().await.map_err(broken)? {
            match message_of(event) {
                Some(line) if answers(&line, id) => return Ok(line.into_bytes()),
                Some(line) => arrivals.deliver(line.into(), Came::Unasked, room).await,
                None => {}
            }
        }
        Err(Failure::NoAnswer { at: shown(&self.url) })
    }
}

fn says_no_session(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Answer {
        /// That of a request would be an answer to it, which was run then.
        id: Option<IgnoredAny>,
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    serde_json::from_slice::<Answer>(body).is_ok_and(|Answer { id, error }| {
        let said = error.message.to_ascii_lowercase();
        id.is_none() && NO_SESSION.iter().any(|known| said.starts_with(known))
    })
}
