//! Streamable HTTP of 2025-03-26 to 2025-11-25: sessions, POST, the GET stream, DELETE.

use crate::door::answer::{self, Answer, Refused, SESSION, VERSION};
use crate::door::body::accepts;
use crate::door::conversation::streams::{Manner, NoStream};
use crate::door::credential::Caller;
use crate::door::events::{Events, event};
use crate::door::exchange::{by_events, exchange};
use crate::door::posted::{Posted, Shape};
use crate::door::served::Served;
use crate::door::stateless;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::rc::Rc;

/// The versions whose messages may carry their name in the header.
pub const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// # Errors
/// The message is not taken.
pub async fn post(
    served: &Rc<Served>,
    caller: &Caller,
    headers: &HeaderMap,
    mut posted: Posted,
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
    if posted.is_batch && !conversation.takes_batches() {
        // The gate refuses it, and says so once.
        posted.shape = Shape::Unreadable;
    }
    let mut answer = exchange(&conversation, posted, |_| StatusCode::OK).await?;
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

/// The stream of what the server says unasked, or one that was lost and is taken up again.
///
/// # Errors
/// It cannot be had.
pub async fn get(served: &Rc<Served>, caller: &Caller, headers: &HeaderMap) -> Result<Answer, Refused> {
    stateless::takes_posts_only(headers)?;
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
    stateless::takes_posts_only(headers)?;
    check_version(headers)?;
    let id = session_id(headers)?.ok_or(Refused::NoSession)?;
    served.finish(id, caller)?;
    Ok(answer::empty(StatusCode::OK))
}

/// Absent, it is 2025-03-26, which knew no such header.
fn check_version(headers: &HeaderMap) -> Result<(), Refused> {
    match text(headers, &VERSION)? {
        Some(version) if !VERSIONS.contains(&version) => Err(Refused::Version(version.to_owned())),
        Some(_) | None => Ok(()),
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
