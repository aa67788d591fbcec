//! A remote server over the older HTTP with server-sent events (2024-11-05): one GET stream for
//! everything the server says; its first event names the address that messages are POSTed to.
//!
//! The stream is the session. When it breaks it is opened again, and the new session hears the client's
//! own opening before anything else; what was not answered on the old one never will be, and is
//! answered with an error.

mod follow;

use crate::transport::Came;
use crate::transport::Inlet;
use crate::transport::arrivals::{Arrivals, Room, channel};
use crate::transport::failure::{Failure, shown};
use crate::transport::http::{Credentials, SecretHeaders, client};
use crate::transport::opening::Opening;
use crate::transport::outgoing::{Outgoing, asked_by};
use crate::transport::standing::Standing;
use follow::Stream;
use mcp::Payload;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use url::Url;

/// How long the server may take to name its address for messages.
const ENDPOINT_PATIENCE: Duration = Duration::from_secs(15);
const POST_PATIENCE: Duration = Duration::from_secs(30);

/// Where messages go.
#[derive(Debug, Clone)]
enum Endpoint {
    /// Not known yet.
    Awaited,
    Known(Url),
    /// It could not be had.
    Away(Failure),
}

pub struct Outlet {
    poster: Poster,
    endpoint: watch::Receiver<Endpoint>,
    opening: Arc<Mutex<Opening>>,
    arrivals: Option<Arrivals>,
    stream: AbortHandle,
    standing: Standing,
}

/// Who POSTs to the server.
#[derive(Clone)]
struct Poster {
    client: reqwest::Client,
    url: Url,
    credentials: Credentials,
}

/// Both ends of a remote server. The stream is dialled at once.
///
/// # Errors
/// The HTTP client cannot be built (the machine's certificates cannot be read).
pub fn dial(
    url: Url,
    headers: SecretHeaders,
    standing: Standing,
) -> Result<(super::Outlet, Inlet), reqwest::Error> {
    let credentials = headers.credentials();
    let poster = Poster { client: client(&url, headers)?, url, credentials };
    let (arrivals, inlet) = channel();
    let (named, endpoint) = watch::channel(Endpoint::Awaited);
    let opening = Arc::new(Mutex::new(Opening::default()));
    let stream = Stream {
        poster: poster.clone(),
        named,
        arrivals: arrivals.clone(),
        opening: Arc::clone(&opening),
        standing: standing.clone(),
    };
    let stream = tokio::spawn(stream.follow()).abort_handle();
    let outlet = Outlet { poster, endpoint, opening, arrivals: Some(arrivals), stream, standing };
    Ok((super::Outlet::Sse(Box::new(outlet)), inlet))
}

impl Outlet {
    /// Messages keep their order: each POST is taken before the next begins.
    pub async fn send(&mut self, message: Payload) {
        let Some(arrivals) = self.arrivals.clone() else { return };
        let asked = asked_by(&message);
        let outgoing = Outgoing::read(message);
        let posted = match self.endpoint().await {
            Ok(endpoint) => {
                self.opening.lock().unwrap_or_else(PoisonError::into_inner).keep(&outgoing);
                self.poster.post(endpoint, outgoing.bytes).await
            }
            Err(failure) => Err(failure),
        };
        let Err(failure) = posted else { return self.standing.works() };
        if failure.lasts() {
            self.standing.failing(&failure.to_string());
        } else {
            self.standing.error(&failure.to_string());
        }
        if asked.is_empty() {
            tracing::warn!(%failure, "a notification did not reach the server");
        }
        for id in asked {
            arrivals.deliver(failure.line(&id), Came::Together, Room::default()).await;
        }
    }

    async fn endpoint(&mut self) -> Result<Url, Failure> {
        let no_answer = Failure::NoAnswer { at: shown(&self.poster.url) };
        let named = self.endpoint.wait_for(|endpoint| !matches!(endpoint, Endpoint::Awaited));
        match tokio::time::timeout(ENDPOINT_PATIENCE, named).await {
            Ok(Ok(endpoint)) => match &*endpoint {
                Endpoint::Known(url) => Ok(url.clone()),
                Endpoint::Away(failure) => Err(failure.clone()),
                Endpoint::Awaited => Err(no_answer),
            },
            Ok(Err(_)) | Err(_) => Err(no_answer),
        }
    }

    pub fn close(&mut self) {
        self.arrivals = None;
    }

    pub fn end(&mut self) {
        self.stream.abort();
        self.standing.end();
    }
}

impl Poster {
    fn failure_of(&self, response: &reqwest::Response) -> Failure {
        // The older transport says nothing by which a token that ran out could be told from a wrong one.
        Failure::of_status(&self.url, response).with(self.credentials, false)
    }

    async fn post(&self, endpoint: Url, message: impl Into<reqwest::Body>) -> Result<(), Failure> {
        let request = self
            .client
            .post(endpoint)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "identity")
            .timeout(POST_PATIENCE)
            .body(message);
        let response = request.send().await.map_err(|error| Failure::of_request(&self.url, error))?;
        if response.status().is_success() { Ok(()) } else { Err(self.failure_of(&response)) }
    }
}
