//! HTTP+SSE of 2024-11-05: one stream carries everything that the client is told, and its messages are
//! posted to the address that the stream names first. The session lasts as long as the stream.

use crate::door::answer::{self, Answer, Refused};
use crate::door::body::accepts;
use crate::door::conversation::streams::Manner;
use crate::door::credential::Caller;
use crate::door::events::{Events, endpoint};
use crate::door::exchange::exchange;
use crate::door::posted::Posted;
use crate::door::served::Served;
use hyper::StatusCode;
use hyper::header::HeaderMap;
use std::rc::Rc;

/// Opens the stream. `prefix` is where this server's paths begin.
///
/// # Errors
/// It cannot be had.
pub async fn get(
    served: &Rc<Served>,
    caller: &Caller,
    headers: &HeaderMap,
    prefix: &str,
) -> Result<Answer, Refused> {
    if !accepts(headers, &["text/event-stream"]) {
        return Err(Refused::Accept("text/event-stream"));
    }
    let (id, conversation) = served.begin(caller, Manner::OneStream)?;
    let attached = conversation.listen().await.map_err(|_| Refused::Busy)?;
    let path = format!("{prefix}/messages?session={id}");
    Ok(answer::events(Events::of(attached).beginning_with(endpoint(&path))))
}

/// Takes a message; whatever there is to say to it comes on the stream.
///
/// # Errors
/// The message is not taken.
pub async fn post(
    served: &Rc<Served>,
    caller: &Caller,
    query: Option<&str>,
    posted: Posted,
) -> Result<Answer, Refused> {
    let id = query.and_then(|query| query.strip_prefix("session=")).ok_or(Refused::Session)?;
    exchange(&served.session(id, caller)?, posted, |_| StatusCode::OK).await
}
