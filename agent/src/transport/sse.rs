//! A remote server over the older HTTP with server-sent events (2024-11-05): one GET stream for
//! everything the server says; its first event names the address that messages are POSTed to.

use crate::transport::arrivals::{Arrivals, Room, channel};
use crate::transport::events::{Events, message_of};
use crate::transport::failure::{Failure, shown};
use crate::transport::http::{SecretHeaders, client};
use crate::transport::outgoing::Outgoing;
use crate::transport::{Arrival, Came, Gone, Inlet};
use mcp::Line;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use url::Url;

/// How long the server may take to name its address for messages.
const ENDPOINT_PATIENCE: Duration = Duration::from_secs(15);
const POST_PATIENCE: Duration = Duration::from_secs(30);

/// Where messages go: not known yet, known, or never to be known.
#[derive(Debug, Clone)]
enum Endpoint {
    Awaited,
    Known(Url),
    Never(Failure),
}

pub struct Outlet {
    client: reqwest::Client,
    url: Url,
    endpoint: watch::Receiver<Endpoint>,
    arrivals: Option<Arrivals>,
    stream: AbortHandle,
}

/// Both ends of a remote server. The stream is dialled at once.
///
/// # Errors
/// The HTTP client cannot be built (the machine's certificates cannot be read).
pub fn dial(url: Url, headers: SecretHeaders) -> Result<(super::Outlet, Inlet), reqwest::Error> {
    let client = client(&url, headers)?;
    let (arrivals, inlet) = channel();
    let (named, endpoint) = watch::channel(Endpoint::Awaited);
    let stream = tokio::spawn(follow(client.clone(), url.clone(), named, arrivals.clone())).abort_handle();
    let outlet = Outlet { client, url, endpoint, arrivals: Some(arrivals), stream };
    Ok((super::Outlet::Sse(Box::new(outlet)), inlet))
}

/// Reads the server's stream to its end.
async fn follow(client: reqwest::Client, url: Url, named: watch::Sender<Endpoint>, arrivals: Arrivals) {
    let ended = stream(&client, &url, &named, &arrivals).await;
    let failure = ended.err().unwrap_or_else(|| Failure::NoAnswer { at: shown(&url) });
    let was_open = matches!(*named.borrow(), Endpoint::Known(_));
    // Nobody waits for it any more when the guard is ending.
    let _ = named.send(Endpoint::Never(failure.clone()));
    if was_open {
        let gone = Gone { why: failure.to_string(), exit: 1 };
        arrivals.arrive(Arrival::Gone(gone), Room::default()).await;
    }
}

async fn stream(
    client: &reqwest::Client,
    url: &Url,
    named: &watch::Sender<Endpoint>,
    arrivals: &Arrivals,
) -> Result<(), Failure> {
    let request =
        client.get(url.clone()).header(ACCEPT, "text/event-stream").header(ACCEPT_ENCODING, "identity");
    let response = request.send().await.map_err(|error| Failure::of_request(url, error))?;
    if !response.status().is_success() {
        return Err(Failure::of_status(url, &response));
    }
    let mut events = Events::of(response, arrivals.clone());
    let broken = |error: sse_stream::Error| Failure::of_body(url, &error);
    while let Some((event, room)) = events.next().await.map_err(broken)? {
        if event.event.as_deref() == Some("endpoint") {
            let endpoint = same_origin(url, event.data.as_deref().unwrap_or_default())?;
            let _ = named.send(Endpoint::Known(endpoint));
        } else if let Some(line) = message_of(event) {
            arrivals.deliver(Line::Whole(line), Came::Together, room).await;
        }
    }
    Ok(())
}

/// A server must not point the entry's headers at another host.
fn same_origin(url: &Url, endpoint: &str) -> Result<Url, Failure> {
    let foreign = |to: String| Failure::ForeignEndpoint { at: shown(url), to };
    let endpoint = url.join(endpoint.trim()).map_err(|_| foreign("an address that is none".to_owned()))?;
    if endpoint.origin() == url.origin() { Ok(endpoint) } else { Err(foreign(shown(&endpoint))) }
}

impl Outlet {
    /// Messages keep their order: each POST is taken before the next begins.
    pub async fn send(&mut self, message: Vec<u8>) {
        let Some(arrivals) = self.arrivals.clone() else { return };
        let outgoing = Outgoing::read(message);
        let Err(failure) = self.post(&outgoing).await else { return };
        if let Some(id) = &outgoing.id {
            arrivals.deliver(failure.line(id), Came::Together, Room::default()).await;
        } else {
            tracing::warn!(%failure, "a notification did not reach the server");
        }
    }

    async fn post(&mut self, outgoing: &Outgoing) -> Result<(), Failure> {
        let endpoint = self.endpoint().await?;
        let request = self
            .client
            .post(endpoint)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "identity")
            .timeout(POST_PATIENCE)
            .body(outgoing.bytes.clone());
        let response = request.send().await.map_err(|error| Failure::of_request(&self.url, error))?;
        if response.status().is_success() { Ok(()) } else { Err(Failure::of_status(&self.url, &response)) }
    }

    async fn endpoint(&mut self) -> Result<Url, Failure> {
        let no_answer = Failure::NoAnswer { at: shown(&self.url) };
        let named = self.endpoint.wait_for(|endpoint| !matches!(endpoint, Endpoint::Awaited));
        match tokio::time::timeout(ENDPOINT_PATIENCE, named).await {
            Ok(Ok(endpoint)) => match &*endpoint {
                Endpoint::Known(url) => Ok(url.clone()),
                Endpoint::Never(failure) => Err(failure.clone()),
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_the_streams_own_host_only() {
        let url = Url::parse("https://mcp.example/sse").unwrap();
        let at = |endpoint: &str| same_origin(&url, endpoint).map(|url| url.to_string());
        assert_eq!(at("/messages?session=1").unwrap(), "https://mcp.example/messages?session=1");
        assert_eq!(at("https://mcp.example/m").unwrap(), "https://mcp.example/m");
        for foreign in [
            "https://evil.example/m",
            "//evil.example/m",
            "http://mcp.example/m",
            "https://mcp.example:8443/m",
        ] {
            assert!(matches!(at(foreign), Err(Failure::ForeignEndpoint { .. })), "{foreign}");
        }
    }
}
