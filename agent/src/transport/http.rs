//! A remote server over Streamable HTTP: every message is a POST of its own, answered by JSON or
//! by a stream of events; up to 2025-11-25 a GET stream carries what the server says unasked.
//!
//! Calls travel at once and answers come in any order; notifications and answers of the client
//! keep their order, because a server may need `notifications/initialized` before the next call.

mod exchange;
mod headers;
mod listen;
mod params;
mod session;

pub use headers::{BadHeaders, SecretHeaders};

use crate::transport::outgoing::Outgoing;
use crate::transport::{Arrival, Inlet, WAITING_ANSWERS};
use mcp::Id;
use session::HttpSession;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

/// Calls under way at once; the next one waits.
const MAX_UNDER_WAY: usize = 256;
/// What the next message waits for a notification to be taken.
const NOTIFICATION_PATIENCE: Duration = Duration::from_secs(10);
/// What the end of the guard waits for the server to forget the session.
const FAREWELL_PATIENCE: Duration = Duration::from_millis(300);

/// Where messages go.
pub struct Outlet {
    session: Arc<HttpSession>,
    arrivals: Option<mpsc::Sender<Arrival>>,
    under_way: JoinSet<()>,
    /// Those that end when their stream is closed (since 2026-07-28).
    calls: HashMap<Id, AbortHandle>,
    listening: Option<AbortHandle>,
}

/// Both ends of a remote server. Nothing is dialled yet.
///
/// # Errors
/// The HTTP client cannot be built (the machine's certificates cannot be read).
pub fn dial(url: Url, headers: SecretHeaders) -> Result<(super::Outlet, Inlet), reqwest::Error> {
    let session = Arc::new(HttpSession::new(client(&url, headers)?, url));
    let (arrivals, inbox) = mpsc::channel(WAITING_ANSWERS);
    let outlet = Outlet {
        session,
        arrivals: Some(arrivals),
        under_way: JoinSet::new(),
        calls: HashMap::new(),
        listening: None,
    };
    Ok((super::Outlet::Http(Box::new(outlet)), Inlet::Channel { arrivals: inbox, exit: 0 }))
}

/// The one HTTP client of the guard's remote transports: follows nobody, changes no body. Proxies and
/// trust are the system's; what Claude trusts beyond that is trusted here too.
pub(super) fn client(url: &Url, headers: SecretHeaders) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder();
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    let extra = std::env::var_os("NODE_EXTRA_CA_CERTS").and_then(|path| std::fs::read(path).ok());
    if let Some(pem) = extra {
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?);
    }
    builder
        .user_agent(concat!("portreeve/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers.into_map())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .tcp_keepalive(Duration::from_secs(30))
        .build()
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
    pub async fn send(&mut self, message: Vec<u8>) {
        let Some(arrivals) = self.arrivals.clone() else { return };
        let outgoing = Outgoing::read(message);
        self.reap().await;
        if outgoing.id.is_some() {
            self.call(outgoing, arrivals);
        } else if !self.hang_up(&outgoing) {
            self.notify(outgoing, arrivals).await;
        }
    }

    fn call(&mut self, outgoing: Outgoing, arrivals: mpsc::Sender<Arrival>) {
        let stateless = outgoing.is_stateless();
        let id = outgoing.id.clone();
        let session = Arc::clone(&self.session);
        let handle = self.under_way.spawn(async move { session.call(outgoing, &arrivals).await });
        if let (true, Some(id)) = (stateless, id) {
            self.calls.insert(id, handle);
        }
    }

    /// Since 2026-07-28 closing a call's stream is its cancellation, and there is no other.
    fn hang_up(&mut self, cancellation: &Outgoing) -> bool {
        let call = cancellation.cancels.as_ref().and_then(|id| self.calls.remove(id));
        call.as_ref().inspect(|call| call.abort()).is_some()
    }

    async fn notify(&mut self, outgoing: Outgoing, arrivals: mpsc::Sender<Arrival>) {
        let begins = outgoing.is("notifications/initialized");
        let taken =
            tokio::time::timeout(NOTIFICATION_PATIENCE, self.session.tell(&outgoing, &arrivals)).await;
        match taken {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => tracing::warn!(%failure, "a notification did not reach the server"),
            Err(_) => tracing::warn!("a notification was not taken in time"),
        }
        if begins && self.listening.is_none() {
            let session = Arc::clone(&self.session);
            self.listening = Some(self.under_way.spawn(async move { session.listen(&arrivals).await }));
        }
    }

    /// Forgets calls that are over; waits for one where too many are under way.
    async fn reap(&mut self) {
        while self.under_way.try_join_next().is_some() {}
        while self.under_way.len() >= MAX_UNDER_WAY {
            self.under_way.join_next().await;
        }
        self.calls.retain(|_, call| !call.is_finished());
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
    }
}
