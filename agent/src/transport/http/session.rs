//! What one conversation over HTTP holds: the address, the session id, the version both agreed on.

use crate::transport::failure::Failure;
use crate::transport::http::headers::{METHOD, NAME, SESSION, VERSION, header_text};
use crate::transport::http::params::ParamHeaders;
use crate::transport::outgoing::Outgoing;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::Url;

pub struct HttpSession {
    client: reqwest::Client,
    pub(super) url: Url,
    agreed: Mutex<Agreed>,
    param_headers: Mutex<ParamHeaders>,
}

/// Up to 2025-11-25 only; a conversation of 2026-07-28 has neither.
#[derive(Debug, Default, Clone)]
struct Agreed {
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

impl HttpSession {
    pub fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url, agreed: Mutex::default(), param_headers: Mutex::default() }
    }

    fn agreed(&self) -> Agreed {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn agree(&self, change: impl FnOnce(&mut Agreed)) {
        change(&mut self.agreed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn has_session(&self) -> bool {
        self.agreed().session.is_some()
    }

    /// POSTs one message.
    ///
    /// # Errors
    /// It did not become a response.
    pub(super) async fn post(&self, outgoing: &Outgoing) -> Result<Response, Failure> {
        let request = self
            .client
            .post(self.url.clone())
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(outgoing.bytes.clone());
        let response = self.sent(self.dress(request, outgoing)).await?;
        if outgoing.is("initialize")
            && let Some(id) = response.headers().get(SESSION)
        {
            let mut id = id.clone();
            id.set_sensitive(true);
            self.agree(|agreed| agreed.session = Some(id));
        }
        Ok(response)
    }

    /// GETs the stream of what the server says unasked, or what was missed of another stream.
    pub(super) async fn get(&self, last_event: Option<&str>) -> Result<Response, Failure> {
        let mut request = self.client.get(self.url.clone()).header(ACCEPT, "text/event-stream");
        if let Some(id) = last_event.and_then(|id| HeaderValue::from_str(id).ok()) {
            request = request.header("last-event-id", id);
        }
        self.sent(self.in_session(request)).await
    }

    /// Tells the server that the session is over, where there is one.
    pub(super) async fn farewell(&self) {
        if !self.has_session() {
            return;
        }
        if let Err(failure) = self.sent(self.in_session(self.client.delete(self.url.clone()))).await {
            tracing::debug!(%failure, "the server was not told that the session is over");
        }
        self.lose_session();
    }

    pub(super) fn lose_session(&self) {
        self.agree(|agreed| agreed.session = None);
    }

    /// Learns from an answer what later messages have to repeat in their headers.
    pub(super) fn learn(&self, request: &Outgoing, answer: &[u8]) {
        match request.method.as_deref() {
            Some("initialize") => self.learn_version(answer),
            Some("tools/list") if request.is_stateless() => self.params().learn(answer),
            _ => {}
        }
    }

    fn params(&self) -> MutexGuard<'_, ParamHeaders> {
        self.param_headers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn_version(&self, answer: &[u8]) {
        #[derive(Deserialize)]
        struct Answer {
            result: InitializeResult,
        }
        #[derive(Deserialize)]
        struct InitializeResult {
            #[serde(rename = "protocolVersion")]
            version: String,
        }
        let version = serde_json::from_slice::<Answer>(answer)
            .ok()
            .and_then(|answer| HeaderValue::from_str(&answer.result.version).ok());
        self.agree(|agreed| agreed.version = version);
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = request.header(ACCEPT_ENCODING, "identity");
        request.send().await.map_err(|error| Failure::of_request(&self.url, error))
    }

    /// The headers that repeat what the message says, by its era.
    fn dress(&self, request: RequestBuilder, outgoing: &Outgoing) -> RequestBuilder {
        let Some(version) = &outgoing.version else {
            return if outgoing.is("initialize") { request } else { self.in_session(request) };
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

    fn in_session(&self, request: RequestBuilder) -> RequestBuilder {
        let Agreed { session, version } = self.agreed();
        [(SESSION, session), (VERSION, version)].into_iter().fold(request, |request, (name, value)| {
            match value {
                Some(value) => request.header(name, value),
                None => request,
            }
        })
    }
}
