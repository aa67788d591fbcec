//! The stream by which devices hear of a new policy at once.

use super::device::Known;
use crate::app::Shared;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use contract::report::StreamEvent;
use futures_util::{Stream, StreamExt as _, stream};
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::BroadcastStream;

const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// Server-sent events: `policy` with the version in force, at once and at every publish.
#[utoipa::path(
    get, path = contract::paths::STREAM, tag = "agents",
    responses((status = 200, body = String, content_type = "text/event-stream", description = "event: policy, data: {\"version\": n}"))
)]
pub(super) async fn stream(
    State(app): State<Shared>,
    Known(device): Known,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    tracing::debug!(device = device.id, "stream opened");
    // Subscribed before the present version is read: nothing published in between is missed.
    let pushes = BroadcastStream::new(app.pushes.subscribe());
    let mut stopping = app.stopping.subscribe();
    let now = in_force(&app);
    let later = pushes.map(move |pushed| match pushed {
        Ok(event) => event,
        // So slow that pushes were lost: the newest is all that counts.
        Err(_) => in_force(&app),
    });
    let stopped = async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let events = stream::once(async move { now }).chain(later).take_until(Box::pin(stopped));
    Sse::new(events.map(|event| Ok(write(&event)))).keep_alive(KeepAlive::new().interval(COMMENT_EVERY))
}

fn in_force(app: &Shared) -> StreamEvent {
    StreamEvent::Policy { version: app.publisher.signed().map_or(0, |signed| signed.policy_version) }
}

fn write(event: &StreamEvent) -> Event {
    let StreamEvent::Policy { version } = event;
    Event::default().event("policy").data(format!(r#"{{"version":{version}}}"#))
}
