//! A remote server over Streamable HTTP: every message is a POST of its own, answered by JSON or
//! by a stream of events; up to 2025-11-25 a GET stream carries what the server says unasked.
//!
//! Calls travel at once and answers come in any order; notifications and answers of the client
//! keep their order, because a server may need `notifications/initialized` before the next call.

mod batch;
mod exchange;
mod headers;
mod listen;
pub mod params;
mod renewal;
mod session;

pub use headers::{BadHeaders, SecretHeaders};
pub(in crate::transport) use headers::{Credentials, EXAMPLE};

use crate::transport::arrivals::{Arrivals, Room, channel};
use crate::transport::failure::{Failure, shown};
use crate::transport::outgoing::{Outgoing, asked_by};
use crate::transport::standing::Standing;
use crate::transport::{Came, Inlet};
use mcp::{Id, Payload};
use session::HttpSession;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

/// Requests open at once; the next one is answered with an error, as waiting for room would hold up the very
/// cancellation that makes some. Each may be a connection, of which a Mac gives a program 256.
const MAX_OPEN: usize = 256;
/// Room for the bodies of requests that are open, in KiB: each is kept until its answer, and a server that takes none
/// of them costs no more than this. What finds no room is answered with an error, as above.
const BODY_ROOM_KIB: u32 = 64 * 1024;
/// Cancellations on their way at once; the next one is waited for.
const MAX_CANCELLING: usize = 64;
/// What the next message waits for a notification to be taken.
const NOTIFICATION_PATIENCE: Duration = Duration::from_secs(10);
/// What the end of the guard waits for the server to forget the session.
const FAREWELL_PATIENCE: Duration = Duration::from_millis(300);

/// Where messages go.
pub struct Outlet {
    session: Arc<HttpSession>,
    arrivals: Option<Arrivals>,
    under_way: JoinSet<()>,
    open: HashMap<Id, Open>,
    bodies: Arc<Semaphore>,
    listening: Option<AbortHandle>,
}

/// A request without an answer yet.
struct Open {
    task: AbortHandle,
    /// It ends when its stream is closed (since 2026-07-28).
    stateless: bool,
}

/// Both ends of a remote server. Nothing is dialled yet.
///
/// # Errors
/// The HTTP client cannot be built (the machine's certificates cannot be read).
pub fn dial(
    url: Url,
    headers: SecretHeaders,
    standing: Standing,
) -> Result<(super::Outlet, Inlet), reqwest::Error> {
    let credentials = headers.credentials();
    let session = Arc::new(HttpSession::new(client(&url, headers)?, url, credentials, standing));
    let (arrivals, inlet) = channel();
    let outlet = Outlet {
        session,
        arrivals: Some(arrivals),
        under_way: JoinSet::new(),
        open: HashMap::new(),
        bodies: Arc::new(Semaphore::new(BODY_ROOM_KIB as usize)),
        listening: None,
    };
    Ok((super::Outlet::Http(Box::new(outlet)), inlet))
}

/// The one HTTP client of the guard's remote transports: follows nobody, changes no body. Proxies and
/// trust are the system's; what Claude trusts beyond that is trusted here too.
pub(super) fn client(url: &Url, headers: SecretHeaders) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder();
    let is_loopback = is_loopback(url);
    if is_loopback {
        builder = builder.no_proxy();
    }
    // Reading the system's authorities takes milliseconds, and in the clear, without a proxy, nobody asks for them.
    builder = if is_loopback && url.scheme() == "http" {
        builder.tls_certs_only([])
    } else {
        builder.tls_certs_merge(extra_roots())
    };
    builder
        .user_agent(concat!("portreeve/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers.into_map())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .tcp_keepalive(Duration::from_secs(30))
        .build()
}

/// What Node trusts beyond the system's authorities, and so Claude. A file that cannot be used is passed
/// over with a warning, as Node does.
fn extra_roots() -> Vec<reqwest::Certificate> {
    let Some(path) = std::env::var_os("NODE_EXTRA_CA_CERTS").filter(|path| !path.is_empty()) else {
        return Vec::new();
    };
    let passed_over = |error: &dyn std::fmt::Display| {
        tracing::warn!("NODE_EXTRA_CA_CERTS names {}, which cannot be used: {error}", path.display());
        Vec::new()
    };
    match std::fs::read(&path) {
        Ok(pem) => reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_else(|error| passed_over(&error)),
        Err(error) => passed_over(&error),
    }
}

/// No proxy reaches this machine's own addresses.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Outlet {
    pub async fn send(&mut self, message: Payload) {
        let Some(arrivals) = self.arrivals.clone() else { return };
        let outgoing = Outgoing::read(message);
        self.forget_ended();
        self.session.opening().keep(&outgoing);
        match (outgoing.id.clone(), outgoing.cancels.clone()) {
            (Some(id), _) => self.call(id, outgoing, arrivals).await,
            (None, Some(id)) => self.cancel(&id, outgoing, arrivals).await,
            (None, None) => match asked_by(&outgoing.bytes) {
                asked if asked.is_empty() => self.notify(outgoing, arrivals).await,
                asked => self.call_batch(asked, outgoing, arrivals).await,
            },
        }
    }

    async fn call(&mut self, id: Id, outgoing: Outgoing, arrivals: Arrivals) {
        let open = self.open.len();
        let Some(body) = self.room_for(&outgoing).filter(|_| open < MAX_OPEN) else {
            let failure = Failure::TooManyOpen { at: shown(&self.session.url), open };
            arrivals.deliver(failure.line(&id), Came::Body(id), Room::default()).await;
            return;
        };
        let stateless = outgoing.is_stateless();
        let session = Arc::clone(&self.session);
        let task = self.under_way.spawn(async move {
            session.call(outgoing, &arrivals).await;
            drop(body);
        });
        self.open.insert(id, Open { task, stateless });
    }

    async fn call_batch(&mut self, asked: Vec<Id>, outgoing: Outgoing, arrivals: Arrivals) {
        let open = self.under_way.len();
        let Some(body) = self.room_for(&outgoing).filter(|_| open < MAX_OPEN + MAX_CANCELLING) else {
            for id in asked {
                let failure = Failure::TooManyOpen { at: shown(&self.session.url), open };
                arrivals.deliver(failure.line(&id), Came::Body(id), Room::default()).await;
            }
            return;
        };
        let session = Arc::clone(&self.session);
        self.under_way.spawn(async move {
            session.call_batch(outgoing, asked, &arrivals).await;
            drop(body);
        });
    }

    /// Room for a body, where there is some; given back when it is dropped. A message longer than all of it gets
    /// what there is once nothing else has any.
    fn room_for(&self, outgoing: &Outgoing) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(outgoing.bytes.len() / 1024).unwrap_or(u32::MAX).min(BODY_ROOM_KIB);
        Arc::clone(&self.bodies).try_acquire_many_owned(kib).ok()
    }

    /// Nobody waits for the answer any more, whether the server ends the call or not. Since 2026-07-28
    /// closing its stream is the cancellation, and there is no other.
    async fn cancel(&mut self, id: &Id, outgoing: Outgoing, arrivals: Arrivals) {
        let call = self.open.remove(id);
        if let Some(call) = &call {
            call.task.abort();
        }
        if call.is_some_and(|call| call.stateless) {
            return;
        }
        let session = Arc::clone(&self.session);
        let telling = async move { tell(&session, &outgoing, &arrivals).await };
        if self.under_way.len() < MAX_OPEN + MAX_CANCELLING {
            self.under_way.spawn(telling);
        } else {
            telling.await;
        }
    }

    async fn notify(&mut self, outgoing: Outgoing, arrivals: Arrivals) {
        let begins = outgoing.is("notifications/initialized");
        tell(&self.session, &outgoing, &arrivals).await;
        if begins && self.listening.is_none() {
            let session = Arc::clone(&self.session);
            self.listening = Some(self.under_way.spawn(async move { session.listen(&arrivals).await }));
        }
    }

    fn forget_ended(&mut self) {
        while self.under_way.try_join_next().is_some() {}
        self.open.retain(|_, call| !call.task.is_finished());
    }

    /// Calls under way may still answer; nothing new is sent.
    pub fn close(&mut self) {
        self.arrivals = None;
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
    }

    pub async fn end(&mut self) {
        self.under_way.abort_all();
        let _ = tokio::time::timeout(FAREWELL_PATIENCE, self.session.farewell()).await;
        self.session.standing.end();
    }
}

/// Sends what has no answer; waits until it is taken, within reason.
async fn tell(session: &HttpSession, outgoing: &Outgoing, arrivals: &Arrivals) {
    match tokio::time::timeout(NOTIFICATION_PATIENCE, session.tell(outgoing, arrivals)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => tracing::warn!(%failure, "a notification did not reach the server"),
        Err(_) => tracing::warn!("a notification was not taken in time"),
    }
}
