//! What a client posts: bounded in bytes and time, and in what it may be.

use crate::door::answer::Refused;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use mcp::frame::MAX_MESSAGE_BYTES;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Between two pieces of a body.
const PIECE: Duration = Duration::from_secs(10);
/// For all of it.
const WHOLE: Duration = Duration::from_secs(120);
/// Of longer bodies only a few are read at once.
const SMALL_BYTES: usize = 256 * 1024;
const LONG_BODIES: usize = 4;

/// Bounds what all bodies together hold.
#[derive(Clone)]
pub struct Bodies(Arc<Semaphore>);

impl Default for Bodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LONG_BODIES)))
    }
}

impl Bodies {
    /// The whole body, and the room it takes until it is dealt with.
    ///
    /// # Errors
    /// It is too long, too slow, or broke off.
    pub async fn read(&self, body: Incoming) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Refused> {
        timeout_at(Instant::now() + WHOLE, self.collect(body)).await.unwrap_or(Err(Refused::Slow))
    }

    async fn collect(&self, mut body: Incoming) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Refused> {
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        if announced.is_some_and(|bytes| bytes > MAX_MESSAGE_BYTES) {
            return Err(Refused::TooLong(MAX_MESSAGE_BYTES));
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(SMALL_BYTES));
        let mut room = None;
        while let Some(frame) = timeout(PIECE, body.frame()).await.map_err(|_| Refused::Slow)? {
            let Ok(data) = frame.map_err(|_| Refused::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > MAX_MESSAGE_BYTES {
                return Err(Refused::TooLong(MAX_MESSAGE_BYTES));
            }
            if bytes.len() + data.len() > SMALL_BYTES && room.is_none() {
                // It is never closed.
                room = Arc::clone(&self.0).acquire_owned().await.ok();
                bytes.reserve_exact(announced.unwrap_or(0).saturating_sub(bytes.len()));
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, room))
    }
}

/// JSON in UTF-8, and nothing that somebody would have to unpack first.
///
/// # Errors
/// It says to be something else.
pub fn check_content(headers: &HeaderMap) -> Result<(), Refused> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return Err(Refused::Content) };
    let mut parts = kind.to_str().map_err(|_| Refused::Content)?.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let as_it_is = headers.get_all(CONTENT_ENCODING).iter().all(|encoding| encoding == "identity");
    if is_json && is_utf8 && as_it_is { Ok(()) } else { Err(Refused::Content) }
}

/// Does the client take each of these?
pub fn accepts(headers: &HeaderMap, kinds: &[&str]) -> bool {
    let accepted: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|kind| kind.split(';').next())
        .map(str::trim)
        .collect();
    kinds.iter().all(|kind| {
        let all_of_it = kind.split('/').next().unwrap_or_default();
        accepted.iter().any(|accepted| {
            accepted.eq_ignore_ascii_case(kind)
                || *accepted == "*/*"
                || accepted.strip_suffix("/*").is_some_and(|family| family.eq_ignore_ascii_case(all_of_it))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_body_is_json_in_utf_8_as_it_is() {
        for kind in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(check_content(&headers(&[("content-type", kind)])).is_ok(), "{kind}");
        }
        for kind in
            ["", "text/plain", "application/json; charset=utf-16", "application/jsonp", "multipart/form-data"]
        {
            assert!(check_content(&headers(&[("content-type", kind)])).is_err(), "{kind}");
        }
        assert!(check_content(&HeaderMap::new()).is_err());
        let packed = headers(&[("content-type", "application/json"), ("content-encoding", "gzip")]);
        assert!(check_content(&packed).is_err());
    }

    #[test]
    fn what_a_client_takes_may_be_said_in_several_ways() {
        let both = ["application/json", "text/event-stream"];
        for value in [
            "application/json, text/event-stream",
            "*/*",
            "text/*;q=0.5, application/*",
            "TEXT/event-stream,application/json;q=1",
        ] {
            assert!(accepts(&headers(&[("accept", value)]), &both), "{value}");
        }
        for value in ["application/json", "text/event-stream", "text/html", ""] {
            assert!(!accepts(&headers(&[("accept", value)]), &both), "{value}");
        }
        assert!(!accepts(&HeaderMap::new(), &both));
    }
}
