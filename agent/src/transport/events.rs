//! Server-sent events off an HTTP response, bounded: the decoder itself would collect one event
//! without end, so the bytes between two events are counted in front of it.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use mcp::frame::MAX_MESSAGE_BYTES;
use sse_stream::{Sse, SseByteStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for the event's own fields around its data.
const FIELD_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum EventsBroken {
    #[error("an event is longer than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    #[error(transparent)]
    Body(#[from] reqwest::Error),
}

pub struct Events {
    events: SseByteStream<BoxStream<'static, Result<Bytes, EventsBroken>>>,
    since_event: Arc<AtomicUsize>,
}

impl Events {
    pub fn of(response: reqwest::Response) -> Self {
        Self::over(response.bytes_stream().map_err(EventsBroken::from), MAX_MESSAGE_BYTES + FIELD_BYTES)
    }

    fn over(
        bytes: impl Stream<Item = Result<Bytes, EventsBroken>> + Send + 'static,
        max_bytes: usize,
    ) -> Self {
        let since_event = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&since_event);
        let bounded = bytes.map(move |chunk| {
            let chunk = chunk?;
            let held = counter.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
            if held > max_bytes + chunk.len() { Err(EventsBroken::TooLong) } else { Ok(chunk) }
        });
        Self { events: SseByteStream::new(bounded.boxed()), since_event }
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// The connection broke, an event was too long, or it is not UTF-8. The stream is over then.
    pub async fn next(&mut self) -> Result<Option<Sse>, sse_stream::Error> {
        let event = self.events.next().await.transpose()?;
        self.since_event.store(0, Ordering::Relaxed);
        Ok(event)
    }
}

/// An event's data as one line: line breaks in it stand between JSON tokens, where a space means the same.
pub fn one_line(mut message: Vec<u8>) -> Vec<u8> {
    for byte in &mut message {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    message
}

/// Is this event a message of the protocol (and not a comment, a priming event, or another kind)?
pub fn message_of(event: Sse) -> Option<Vec<u8>> {
    let is_message = event.event.as_deref().is_none_or(|kind| kind.is_empty() || kind == "message");
    let data = event.data.filter(|data| is_message && !data.trim().is_empty())?;
    Some(one_line(data.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&'static str], max_bytes: usize) -> Events {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        Events::over(futures_util::stream::iter(chunks), max_bytes)
    }

    #[tokio::test]
    async fn a_pretty_printed_message_becomes_one_line() {
        let mut events = events(&["data: {\ndata: \"id\":1\n", "data: }\n\n"], 1000);
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(message_of(event).unwrap(), b"{ \"id\":1 }");
        assert!(events.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_endless_event_is_cut_off() {
        let mut events = events(&["data: aaaaaaaaaaaaaaaa"; 100], 100);
        assert!(events.next().await.is_err());
    }

    #[tokio::test]
    async fn many_small_events_are_not_one_long_one() {
        let mut events = events(&["data: 1\n\n"; 100], 50);
        for _ in 0..100 {
            assert!(events.next().await.unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn a_byte_order_mark_in_front_harms_nobody() {
        let mut events = events(&["\u{feff}data: {}\n\n"], 50);
        assert_eq!(message_of(events.next().await.unwrap().unwrap()).unwrap(), b"{}");
    }

    #[test]
    fn priming_events_and_other_kinds_are_no_messages() {
        assert_eq!(
            message_of(Sse { id: Some("1".into()), data: Some(String::new()), ..Sse::default() }),
            None
        );
        assert_eq!(message_of(Sse::default().event("ping").data("{}")), None);
        assert_eq!(message_of(Sse::default().event("message").data("{}")).as_deref(), Some(&b"{}"[..]));
    }
}
