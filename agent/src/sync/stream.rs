//! The server's stream of news. All it says is *look*: what was published comes by another way, signed.

use crate::backoff::Backoff;
use crate::upstream::{CallError, Upstream};
use contract::paths;
use futures_util::StreamExt;
use futures_util::TryStreamExt;
use sse_stream::SseStream;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// A connection that held so long was a good one; its end is no sign of an overloaded server.
const HELD: Duration = Duration::from_secs(5);
/// The most that is read without an event or comment ending.
const LARGEST_EVENT: usize = 64 * 1024;

/// Keeps the stream open, and rings for every policy event.
pub(super) async fn listen(upstream: &Upstream, news: &Notify) {
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    loop {
        let opened = Instant::now();
        match hear(upstream, news).await {
            Ok(()) => tracing::debug!("stream.ended"),
            Err(error) => tracing::debug!(%error, "stream.lost"),
        }
        if opened.elapsed() > HELD {
            backoff.reset();
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

async fn hear(upstream: &Upstream, news: &Notify) -> Result<(), CallError> {
    let answer = upstream.stream(paths::STREAM).await?;
    let mut gap = 0;
    let bytes = answer.bytes_stream().map_err(std::io::Error::other).and_then(move |piece| {
        // Heartbeats are comments, which the decoder swallows: they count as a sign of life here.
        upstream.heard();
        gap = match piece.windows(2).rposition(|pair| pair == b"\n\n") {
            Some(end) => piece.len() - end,
            None => gap + piece.len(),
        };
        let too_long = gap > LARGEST_EVENT;
        std::future::ready(if too_long {
            Err(std::io::Error::other("an event without an end"))
        } else {
            Ok(piece)
        })
    });
    let mut events = SseStream::from_bytes_stream(bytes);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) if event.event.as_deref() == Some("policy") => news.notify_one(),
            // News of a kind that this version does not know.
            Ok(_) => {}
            Err(error) => {
                upstream.fell_silent(&error.to_string());
                break;
            }
        }
    }
    Ok(())
}
