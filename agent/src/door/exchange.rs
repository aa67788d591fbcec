//! One POST and its response: JSON where there is only the answer to say, events otherwise.

use crate::door::answer::{self, Answer, Refused};
use crate::door::conversation::outbox::{Message, Piece};
use crate::door::conversation::{Attached, Conversation};
use crate::door::events::{Events, event, priming};
use crate::door::posted::{Posted, Shape};
use hyper::StatusCode;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// A request that takes longer is answered by events, so that its client hears that we live.
const PATIENCE: Duration = Duration::from_secs(10);

/// `status` is that of a plain answer; where that is an error, by its code.
///
/// # Errors
/// The message is not taken.
pub async fn exchange(
    conversation: &Rc<Conversation>,
    posted: Posted,
    status: impl FnOnce(Option<i64>) -> StatusCode,
) -> Result<Answer, Refused> {
    let unreadable = matches!(posted.shape, Shape::Unreadable);
    let mut attached = conversation.post(posted).await.map_err(|_| Refused::Session)?;
    match timeout(PATIENCE, attached.next()).await {
        Err(_) => Ok(by_events(attached, None)),
        Ok(None) => Err(Refused::Session),
        Ok(Some(Piece::Nothing)) if unreadable => Err(Refused::NoMessage),
        Ok(Some(Piece::Nothing)) => Ok(answer::empty(StatusCode::ACCEPTED)),
        Ok(Some(Piece::Message(message))) if message.alone => {
            let status = if unreadable { StatusCode::BAD_REQUEST } else { status(message.code) };
            Ok(answer::json(status, message.bytes))
        }
        Ok(Some(Piece::Message(message))) => Ok(by_events(attached, Some(message))),
    }
}

/// A response by events, from here on.
pub fn by_events(attached: Attached, first: Option<Message>) -> Answer {
    attached.commit();
    let primer = attached.conversation().priming(attached.stream, first.as_ref());
    let last = first.as_ref().is_some_and(|message| message.last);
    let first = first.map(|message| event(message.event.as_deref(), &message.bytes));
    let events = if last { Events::ended(attached) } else { Events::of(attached) };
    let said = primer.map(|id| priming(&id)).into_iter().chain(first);
    answer::events(said.fold(events, Events::beginning_with))
}
