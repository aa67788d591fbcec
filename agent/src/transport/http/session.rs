//! What one conversation over HTTP holds: the address, the session id, the version both agreed on, and
//! what a server has to hear again that has forgotten the session.

use crate::transport::failure::Failure;
use crate::transport::http::headers::{Credentials, METHOD, NAME, SESSION, VERSION, header_text};
use crate::transport::http::params::ParamHeaders;
use crate::transport::opening::Opening;
use crate::transport::outgoing::Outgoing;
use crate::transport::standing::Standing;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::Url;

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AS_IT_IS: HeaderValue = HeaderValue::from_static("identity");

pub struct HttpSession {
    client: reqwest::Client,
    pub(super) url: Url,
    agreed: Mutex<Agreed>,
    opening: Mutex<Opening>,
    /// Held by whoever begins the conversation anew; the others wait, and find it done.
    pub(super) renewing: tokio::sync::Mutex<()>,
    /// The server has taken a message before: what it refuses now, it refuses anew.
    welcomed: AtomicBool,
    /// Nobody was there when it was asked last, who had been there before.
    gone: AtomicBool,
    param_headers: Mutex<ParamHeaders>,
    pub(super) credentials: Credentials,
    pub(super) standing: Standing,
}

/// Up to 2025-11-25 only; a conversation of 2026-07-28 has neither.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    pub session: Option<HeaderValue>,
    pub version: Option<HeaderValue>,
}

/// A response, and the session that its request was sent in.
pub(super) struct Posted {
    pub response: Response,
    pub session: Option<HeaderValue>,
}

impl HttpSession {
    pub fn new(client: reqwest::Client, url: Url, credentials: Credentials, standing: Standing) -> Self {
        Self {
            client,
            url,
            agreed: Mutex::default(),
            opening: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
            welcomed: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            param_headers: Mutex::default(),
            credentials,
            standing,
        }
    }

    pub(super) fn agreed(&self) -> Agreed {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn agree(&self, change: impl FnOnce(&mut Agreed)) {
        change(&mut self.agreed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn opening(&self) -> MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn was_welcomed(&self) -> bool {
        self.welcomed.load(Ordering::Relaxed)
    }

    /// A request has no answer of the server's. One that was there and is not any more has ended, for the record,
    /// and that once.
    pub(super) fn note(&self, failure: &Failure) {
        let why = failure.to_string();
        if failure.is_absence() && self.was_welcomed() && !self.gone.swap(true, Ordering::Relaxed) {
            self.standing.ended(&why, None);
        }
        if failure.lasts() || !self.was_welcomed() {
            self.standing.failing(&why);
        } else {
            self.standing.error(&why);
        }
    }

    /// POSTs one message.
    ///
    /// # Errors
    /// It did not become a response.
    pub(super) async fn post(&self, outgoing: &Outgoing) -> Result<Posted, Failure> {
        let agreed = self.agreed();
        let request = self.dress(self.posting(outgoing.bytes.clone()), outgoing, &agreed);
        let response = self.sent(request).await?;
        if self.gone.swap(false, Ordering::Relaxed) {
            self.standing.found_again();
        }
        if response.status().is_success() {
            self.welcomed.store(true, Ordering::Relaxed);
            self.standing.works();
        }
        if outgoing.is("initialize") {
            let session = session_named_in(&response);
            self.agree(|agreed| agreed.session = session);
        }
        let session = agreed.session.filter(|_| !outgoing.is_stateless() && !outgoing.is("initialize"));
        Ok(Posted { response, session })
    }

    /// POSTs a part of a conversation that is not the agreed one yet.
    pub(super) async fn post_in(&self, agreed: &Agreed, message: Vec<u8>) -> Result<Response, Failure> {
        self.sent(in_session(self.posting(message), agreed)).await
    }

    fn posting(&self, message: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(self.url.clone()).header(ACCEPT, BOTH).header(CONTENT_TYPE, JSON).body(message)
    }

    /// GETs the stream of what the server says unasked, or what was missed of another stream.
    pub(super) async fn get(&self, last_event: Option<&str>, agreed: &Agreed) -> Result<Response, Failure> {
        let mut request = self.client.get(self.url.clone()).header(ACCEPT, "text/event-stream");
        if let Some(id) = last_event.and_then(|id| HeaderValue::from_str(id).ok()) {
            request = request.header("last-event-id", id);
        }
        self.sent(in_session(request, agreed)).await
    }

    /// Tells the server that the session is over, where there is one.
    pub(super) async fn farewell(&self) {
        let agreed = self.agreed();
        self.agree(|agreed| agreed.session = None);
        self.give_up(&agreed).await;
    }

    pub(super) async fn give_up(&self, agreed: &Agreed) {
        if agreed.session.is_none() {
            return;
        }
        if let Err(failure) = self.sent(in_session(self.client.delete(self.url.clone()), agreed)).await {
            tracing::debug!(%failure, "the server was not told that the session is over");
        }
    }

    /// Learns from an answer what later messages have to repeat in their headers.
    pub(super) fn learn(&self, request: &Outgoing, answer: &[u8]) {
        match request.method.as_deref() {
            Some("initialize") => {
                self.opening().learn(answer);
                let version = self.opening().agreed().and_then(|agreed| version_header(&agreed.version));
                self.agree(|agreed| agreed.version = version);
                let agreed = self.opening().agreed().cloned();
                self.standing.agreed(agreed.as_ref());
            }
            Some("tools/list") if request.is_stateless() => self.params().learn(answer),
            _ => {}
        }
    }

    fn params(&self) -> MutexGuard<'_, ParamHeaders> {
        self.param_headers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = request.header(ACCEPT_ENCODING, AS_IT_IS);
        request.send().await.map_err(|error| Failure::of_request(&self.url, error))
    }

    /// The headers that repeat what the message says, by its era.
    fn dress(&self, request: RequestBuilder, outgoing: &Outgoing, agreed: &Agreed) -> RequestBuilder {
        let Some(version) = &outgoing.version else {
            return if outgoing.is("initialize") { request } else { in_session(request, agreed) };
        };
        let repeated =
            [(VERSION, Some(version)), (METHOD, outgoing.method.as_ref()), (NAME, outgoing.name.as_ref())];
        let request = repeated.into_iter().fold(request, |request, (name, value)| match value {
            Some(value) => request.header(name, header_text(value)),
            None => request,
        });
        let params = self.params().of(outgoing);
        params.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

pub(super) fn session_named_in(response: &Response) -> Option<HeaderValue> {
    let mut id = response.headers().get(SESSION)?.clone();
    id.set_sensitive(true);
    Some(id)
}

pub(super) fn version_header(version: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(version).ok()
}

fn in_session(request: RequestBuilder, agreed: &Agreed) -> RequestBuilder {
    [(SESSION, &agreed.session), (VERSION, &agreed.version)].into_iter().fold(request, |request, header| {
        match header {
            (name, Some(value)) => request.header(name, value),
            (_, None) => request,
        }
    })
}
