//! Server-sent events off an HTTP response, bounded: the decoder itself would collect one event
//! without end, so the bytes between two events are counted in front of it, and a long event takes room.

use crate::transport::arrivals::{Arrivals, Room};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use mcp::Payload;
use mcp::frame::MAX_MESSAGE_BYTES;
use sse_stream::{Sse, SseByteStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    since_event: Since,
}

/// What came since the last event: how many bytes, and the room that they take.
#[derive(Clone, Default)]
struct Since(Arc<Mutex<(usize, Room)>>);

impl Events {
    pub fn of(response: reqwest::Response, arrivals: Arrivals) -> Self {
        let bytes = response.bytes_stream().map_err(EventsBroken::from);
        Self::over(bytes, MAX_MESSAGE_BYTES + FIELD_BYTES, arrivals)
    }

    pub(crate) fn over(
        bytes: impl Stream<Item = Result<Bytes, EventsBroken>> + Send + 'static,
        max_bytes: usize,
        arrivals: Arrivals,
    ) -> Self {
        let since_event = Since::default();
        let counter = since_event.clone();
        let bounded = bytes.then(move |chunk| {
            let (counter, arrivals) = (counter.clone(), arrivals.clone());
            async move {
                let chunk = chunk?;
                let (held, mut room) = counter.take();
                if held > max_bytes {
                    return Err(EventsBroken::TooLong);
                }
                let held = held + chunk.len();
                arrivals.room_for(held, &mut room).await;
                *counter.lock() = (held, room);
                Ok(chunk)
            }
        });
        Self { events: SseByteStream::new(bounded.boxed()), since_event }
    }

    /// The next event and its room; `None` at the end of the stream.
    ///
    /// # Errors
    /// The connection broke, an event was too long, or it is not UTF-8. The stream is over then.
    pub async fn next(&mut self) -> Result<Option<(Sse, Room)>, sse_stream::Error> {
        let event = self.events.next().await.transpose()?;
        let (_, room) = self.since_event.take();
        Ok(event.map(|event| (event, room)))
    }
}

impl Since {
    fn take(&self) -> (usize, Room) {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, (usize, Room)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a body or an event holds, on one line: line breaks in it stand between JSON tokens, where a space
/// means the same. Read here, once; what cannot be read goes on as it is, for the gate to say why.
pub fn payload(bytes: Vec<u8>) -> Payload {
    match Payload::read(bytes) {
        Payload::Read(message) => message.on_one_line().into(),
        Payload::Bytes(mut bytes) if memchr::memchr2(b'\n', b'\r', &bytes).is_some() => {
            for byte in &mut bytes {
                if matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
            Payload::read(bytes)
        }
        unread @ Payload::Bytes(_) => unread,
    }
}

/// Is this event a message of the protocol (and not a comment, a priming event, or another kind)?
pub fn message_of(event: Sse) -> Option<Payload> {
    let is_message = event.event.as_deref().is_none_or(|kind| kind.is_empty() || kind == "message");
    let data = event.data.filter(|data| is_message && !data.trim().is_empty())?;
    Some(payload(data.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Came;
    use crate::transport::arrivals::channel;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn events(chunks: &[&'static str], max_bytes: usize) -> Events {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        Events::over(futures_util::stream::iter(chunks), max_bytes, channel().0)
    }

    #[tokio::test]
    async fn a_pretty_printed_message_becomes_one_line() {
        let mut events = events(&["data: {\ndata: \"id\":1\n", "data: }\n\n"], 1000);
        let (event, _) = events.next().await.unwrap().unwrap();
        assert_eq!(message_of(event).unwrap().bytes(), b"{ \"id\":1 }");
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
        assert_eq!(message_of(events.next().await.unwrap().unwrap().0).unwrap().bytes(), b"{}");
    }

    #[tokio::test]
    async fn a_server_streams_long_messages_to_a_client_that_does_not_read() {
        const EVENT: usize = 1024 * 1024;
        const CHUNKS: usize = 16;
        let (arrivals, mut inlet) = channel();
        let read = Arc::new(AtomicUsize::new(0));
        for _ in 0..4 {
            let (counter, mut chunk) = (Arc::clone(&read), 0);
            let chunks = futures_util::stream::repeat_with(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                chunk += 1;
                let (begin, end) = match chunk % CHUNKS {
                    1 => ("data: ", ""),
                    0 => ("", "\n\n"),
                    _ => ("", ""),
                };
                Ok(Bytes::from(format!("{begin}{}{end}", "x".repeat(EVENT / CHUNKS))))
            });
            let (mut events, to) = (Events::over(chunks, 64 * EVENT, arrivals.clone()), arrivals.clone());
            tokio::spawn(async move {
                while let Ok(Some((event, room))) = events.next().await {
                    let line = message_of(event).unwrap_or_default().into();
                    to.deliver(line, Came::Unasked, room).await;
                }
            });
        }
        let settled = async || {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            read.load(Ordering::Relaxed)
        };
        let held = settled().await;
        assert!(held <= 4 * CHUNKS, "{held} chunks were read ahead");
        for _ in 0..4 {
            inlet.next().await;
        }
        assert!(settled().await > held, "who reads gets on");
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
