//! One POST and its answer.

use crate::transport::Came;
use crate::transport::arrivals::{Arrivals, Room, SMALL_BYTES};
use crate::transport::events::{Events, message_of, payload};
use crate::transport::failure::{Failure, shown};
use crate::transport::http::params::fit;
use crate::transport::http::session::{Agreed, HttpSession, Posted};
use crate::transport::outgoing::{Outgoing, answered_in, is_answer};
use mcp::frame::MAX_MESSAGE_BYTES;
use mcp::{Id, Payload};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// Between two attempts to pick up a stream that broke, where the server names no other.
const RESUME_DELAY: Duration = Duration::from_secs(1);
/// The shortest that a server may name: it would have us come back without end.
const SHORTEST_DELAY: Duration = Duration::from_millis(100);
/// The longest that a server may name: its client waits.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Attempts in a row that bring nothing.
const RESUME_ATTEMPTS: u32 = 5;

/// How far one stream of events came.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) answered: bool,
    pub(super) last_event: Option<String>,
    pub(super) retry: Option<Duration>,
}

impl HttpSession {
    /// Sends a request and hands on its answer; where there is none, an error takes its place.
    pub(super) async fn call(&self, outgoing: Outgoing, arrivals: &Arrivals) {
        let Some(id) = &outgoing.id else { return };
        let answered = match self.deliver(&outgoing, arrivals).await {
            Ok(posted) => self.answer(posted, &outgoing, id, arrivals).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = answered {
            tracing::debug!(%failure, "a call to a remote server failed");
            self.note(&failure);
            arrivals.deliver(failure.line(id), Came::Body(id.clone()), Room::default()).await;
        }
    }

    /// Sends a notification, or the client's answer to a server's request.
    pub(super) async fn tell(&self, outgoing: &Outgoing, arrivals: &Arrivals) -> Result<(), Failure> {
        // An answer to a server's request belongs to the session that it was made in.
        let is_answer = outgoing.method.is_none();
        let Posted { response, session } =
            if is_answer { self.post(outgoing).await? } else { self.deliver(outgoing, arrivals).await? };
        if !response.status().is_success() {
            return Err(self.failure_of(&response, session.is_some()));
        }
        if is(&response, "text/event-stream") {
            self.pump(response, None, arrivals, &mut Progress::default()).await?;
        }
        Ok(())
    }

    async fn answer(
        &self,
        posted: Posted,
        outgoing: &Outgoing,
        id: &Id,
        arrivals: &Arrivals,
    ) -> Result<(), Failure> {
        let Posted { response, session } = posted;
        if !response.status().is_success() {
            let mut room = Room::default();
            let line = self.own_words(response, session.is_some(), id, arrivals, &mut room).await?;
            arrivals.deliver(line.into(), Came::Body(id.clone()), room).await;
            return Ok(());
        }
        if is(&response, "text/event-stream") {
            return self.answer_by_events(response, session, outgoing, arrivals).await;
        }
        if !is(&response, "application/json") {
            return Err(match content_type(&response) {
                "" => Failure::NoAnswer { at: shown(&self.url) },
                other => Failure::NotMcp { at: shown(&self.url), content_type: other.to_owned() },
            });
        }
        let mut room = Room::default();
        let line = payload(self.body(response, arrivals, &mut room).await?);
        let failure = self.no_answer_in(&line, id);
        if failure.is_none() {
            self.learn(outgoing, &line);
        }
        let line = fit(outgoing, &line).map_or(line, payload);
        if !line.trim_ascii().is_empty() {
            arrivals.deliver(line.into(), Came::Body(id.clone()), room).await;
        }
        failure.map_or(Ok(()), Err)
    }

    /// A body that is no answer to the request would leave it open for ever. It is handed on all the
    /// same, to be judged and recorded for what it is.
    fn no_answer_in(&self, body: &Payload, id: &Id) -> Option<Failure> {
        let what = match body.trim_ascii_start().first() {
            _ if is_read_answer(body, id) => return None,
            None => "an empty body",
            // Where none was agreed, the gate ends what is answered in it.
            Some(b'[') if answered_in(body).contains(id) => return None,
            Some(b'[') => "a batch without the answer to this request",
            Some(_) => "a message that is no answer to this request",
        };
        Some(said(body).unwrap_or_else(|| Failure::NotTheAnswer { at: shown(&self.url), what }))
    }

    async fn answer_by_events(
        &self,
        response: Response,
        session: Option<HeaderValue>,
        outgoing: &Outgoing,
        arrivals: &Arrivals,
    ) -> Result<(), Failure> {
        let mut progress = Progress::default();
        // What was missed is kept in the session of the call, whatever the others have moved to.
        let agreed = Agreed { session, ..self.agreed() };
        let mut ended = self.pump(response, Some(outgoing), arrivals, &mut progress).await;
        let mut attempts = 0;
        while !progress.answered {
            // A server may drop a stream and keep the answer for whoever asks by event id (2025-11-25).
            let Some(last) = progress.last_event.clone().filter(|_| !outgoing.is_stateless()) else { break };
            if attempts == RESUME_ATTEMPTS {
                break;
            }
            attempts += 1;
            tokio::time::sleep(progress.retry.unwrap_or(RESUME_DELAY)).await;
            ended = match self.get(Some(&last), &agreed).await {
                Ok(again) if again.status().is_success() => {
                    self.pump(again, Some(outgoing), arrivals, &mut progress).await
                }
                Ok(again) => return Err(self.failure_of(&again, agreed.session.is_some())),
                Err(failure) => Err(failure),
            };
            if progress.last_event.as_ref() != Some(&last) {
                attempts = 0;
            }
        }
        match ended {
            _ if progress.answered => Ok(()),
            Err(failure) => Err(failure),
            Ok(()) => Err(Failure::NoAnswer { at: shown(&self.url) }),
        }
    }

    /// Hands on every message of a stream of events until it ends.
    pub(super) async fn pump(
        &self,
        response: Response,
        request: Option<&Outgoing>,
        arrivals: &Arrivals,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let mut events = Events::of(response, arrivals.clone());
        let came = request.and_then(|request| request.id.clone()).map_or(Came::Unasked, Came::Stream);
        let broken = |error: sse_stream::Error| Failure::of_body(&self.url, &error);
        while let Some((event, room)) = events.next().await.map_err(broken)? {
            if let Some(id) = event.id.clone().filter(|id| !id.is_empty()) {
                progress.last_event = Some(id);
            }
            progress.retry = event.retry.map(delay).or(progress.retry);
            let Some(line) = message_of(event) else { continue };
            if let Some(request) = request
                && !progress.answered
                && request.id.as_ref().is_some_and(|id| is_read_answer(&line, id))
            {
                progress.answered = true;
                self.learn(request, &line);
            }
            let line = request.and_then(|request| fit(request, &line)).map_or(line, payload);
            let answered = |id| line.first() == Some(&b'[') && answered_in(&line).contains(id);
            progress.answered |= request.and_then(|request| request.id.as_ref()).is_some_and(answered);
            arrivals.deliver(line.into(), came.clone(), room).await;
        }
        Ok(())
    }

    /// An error status: the server's own JSON-RPC error where it sent one, else what the status means.
    async fn own_words(
        &self,
        response: Response,
        in_session: bool,
        id: &Id,
        arrivals: &Arrivals,
        room: &mut Room,
    ) -> Result<Payload, Failure> {
        let failure = self.failure_of(&response, in_session);
        if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            || !is(&response, "application/json")
            || (response.status() == StatusCode::NOT_FOUND && in_session)
        {
            return Err(failure);
        }
        let line = payload(self.body(response, arrivals, room).await?);
        if is_read_answer(&line, id) { Ok(line) } else { Err(said(&line).unwrap_or(failure)) }
    }

    pub(super) fn failure_of(&self, response: &Response, in_session: bool) -> Failure {
        if response.status() == StatusCode::NOT_FOUND && in_session {
            return Failure::SessionLost { at: shown(&self.url) };
        }
        Failure::of_status(&self.url, response).with(self.credentials, self.was_welcomed())
    }

    /// A whole body, bounded.
    pub(super) async fn body(
        &self,
        mut response: Response,
        arrivals: &Arrivals,
        room: &mut Room,
    ) -> Result<Vec<u8>, Failure> {
        let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        if announced > MAX_MESSAGE_BYTES {
            return Err(Failure::TooLong { at: shown(&self.url), limit: MAX_MESSAGE_BYTES });
        }
        let mut body = Vec::with_capacity(announced.min(SMALL_BYTES));
        while let Some(chunk) =
            response.chunk().await.map_err(|error| Failure::of_body(&self.url, &error.without_url()))?
        {
            if body.len() + chunk.len() > MAX_MESSAGE_BYTES {
                return Err(Failure::TooLong { at: shown(&self.url), limit: MAX_MESSAGE_BYTES });
            }
            arrivals.room_for(body.len() + chunk.len(), room).await;
            if body.len() + chunk.len() > SMALL_BYTES {
                body.reserve_exact(announced.saturating_sub(body.len()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// What could not be read is nobody's answer.
fn is_read_answer(payload: &Payload, request: &Id) -> bool {
    matches!(payload, Payload::Read(message) if is_answer(message, request))
}

/// What a server asks us to wait, within reason.
fn delay(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds).clamp(SHORTEST_DELAY, LONGEST_DELAY)
}

fn content_type(response: &Response) -> &str {
    response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(super) fn is(response: &Response, essence: &str) -> bool {
    let sent = content_type(response).split(';').next().unwrap_or_default();
    sent.trim().eq_ignore_ascii_case(essence)
}

/// The server's JSON-RPC error of an answer whose id is not ours (mostly `null`).
fn said(line: &[u8]) -> Option<Failure> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        error: Error<'a>,
    }
    #[derive(Deserialize)]
    struct Error<'a> {
        code: i64,
        message: String,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let Answer { error } = serde_json::from_slice(line).ok()?;
    Some(Failure::Said { code: error.code, message: error.message, data: error.data.map(ToOwned::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_of_ages_puts_a_call_to_sleep_for_ever_and_one_of_nothing_wakes_it_without_end() {
        assert_eq!(delay(500), Duration::from_millis(500));
        assert_eq!(delay(0), SHORTEST_DELAY);
        assert_eq!(delay(u64::MAX), LONGEST_DELAY);
    }
}
