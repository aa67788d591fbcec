//! Streamable HTTP of 2025-03-26 to 2025-11-25: sessions, POST, the GET stream, DELETE.

use crate::door::answer::{self, Answer, Refused, SESSION, VERSION};
use crate::door::body::accepts;
use crate::door::conversation::outbox::{Message, Piece};
use crate::door::conversation::streams::{Manner, NoStream};
use crate::door::conversation::{Attached, Conversation};
use crate::door::credential::Caller;
use crate::door::events::{Events, event, priming};
use crate::door::posted::{Posted, Shape};
use crate::door::served::Served;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// The versions whose messages may carry their name in the header.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// A request that takes longer is answered by events, so that its client hears that we live.
const PATIENCE: Duration = Duration::from_secs(10);

/// # Errors
/// The message is not taken.
pub async fn post(
    served: &Rc<Served>,
    caller: &Caller,
    headers: &HeaderMap,
    posted: Posted,
) -> Result<Answer, Refused> {
    check_version(headers)?;
    let (conversation, begun) = match session_id(headers)? {
        Some(id) => (served.session(id, caller)?, None),
        None if posted.is_initialize() => {
            let (id, conversation) = served.begin(caller, Manner::Session)?;
            (conversation, Some(id))
        }
        None => return Err(Refused::NoSession),
    };
    let mut answer = exchange(&conversation, posted).await?;
    if let Some(id) = begun {
        settle(served, caller, &id, &mut answer);
    }
    Ok(answer)
}

/// The id of a session that began; one whose beginning was refused is none.
fn settle(served: &Served, caller: &Caller, id: &str, answer: &mut Answer) {
    let began = answer.status().is_success();
    match HeaderValue::from_str(id) {
        Ok(mut value) if began => {
            value.set_sensitive(true);
            answer.headers_mut().insert(SESSION, value);
        }
        _ => drop(served.finish(id, caller)),
    }
}

async fn exchange(conversation: &Rc<Conversation>, posted: Posted) -> Result<Answer, Refused> {
    let unreadable = matches!(posted.shape, Shape::Unreadable);
    let mut attached = conversation.post(posted).await.map_err(|_| Refused::Session)?;
    match timeout(PATIENCE, attached.next()).await {
        Err(_) => Ok(by_events(attached, None)),
        Ok(None) => Err(Refused::Session),
        Ok(Some(Piece::Nothing)) if unreadable => Err(Refused::Bad("its body is no message")),
        Ok(Some(Piece::Nothing)) => Ok(answer::empty(StatusCode::ACCEPTED)),
        Ok(Some(Piece::Message(message))) if message.alone => {
            let status = if unreadable { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            Ok(answer::json(status, message.bytes))
        }
        Ok(Some(Piece::Message(message))) => Ok(by_events(attached, Some(message))),
    }
}

fn by_events(attached: Attached, first: Option<Message>) -> Answer {
    attached.commit();
    let primer = attached.conversation().priming(attached.stream, first.as_ref());
    let last = first.as_ref().is_some_and(|message| message.last);
    let first = first.map(|message| event(message.event.as_deref(), &message.bytes));
    let events = if last { Events::ended(attached) } else { Events::of(attached) };
    let said = primer.map(|id| priming(&id)).into_iter().chain(first);
    answer::events(said.fold(events, Events::beginning_with))
}

/// The stream of what the server says unasked, or one that was lost and is taken up again.
///
/// # Errors
/// It cannot be had.
pub async fn get(served: &Rc<Served>, caller: &Caller, headers: &HeaderMap) -> Result<Answer, Refused> {
    check_version(headers)?;
    if !accepts(headers, &["text/event-stream"]) {
        return Err(Refused::Accept("text/event-stream"));
    }
    let id = session_id(headers)?.ok_or(Refused::NoSession)?;
    let conversation = served.session(id, caller)?;
    let refused = |none| match none {
        NoStream::Busy => Refused::Busy,
        NoStream::Foreign => Refused::Event,
    };
    let Some(last) = text(headers, &LAST_EVENT)? else {
        return Ok(by_events(conversation.listen().await.map_err(refused)?, None));
    };
    let (attached, missed) = conversation.resume(last).map_err(refused)?;
    let missed = missed.into_iter().map(|(id, message)| event(Some(&id), &message));
    Ok(answer::events(missed.fold(Events::of(attached), Events::beginning_with)))
}

/// # Errors
/// There is no such session.
pub fn delete(served: &Rc<Served>, caller: &Caller, headers: &HeaderMap) -> Result<Answer, Refused> {
    check_version(headers)?;
    let id = session_id(headers)?.ok_or(Refused::NoSession)?;
    served.finish(id, caller)?;
    Ok(answer::empty(StatusCode::OK))
}

/// Absent, it is 2025-03-26, which knew no such header.
fn check_version(headers: &HeaderMap) -> Result<(), Refused> {
    match text(headers, &VERSION)? {
        Some(version) if !VERSIONS.contains(&version) => Err(Refused::Version(version.to_owned())),
        _ => Ok(()),
    }
}

fn session_id(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    text(headers, &SESSION)
}

/// A header's one value.
pub fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Refused::Bad("a header is no text")),
        (Some(_), Some(_)) => Err(Refused::Bad("a header is there twice")),
    }
}
