//! The policy server, as the resident and the enrolment call it: HTTPS with the device's certificate.
//!
//! One place that knows addresses, certificates and what an answer looks like. It does not retry:
//! each caller knows how long its errand may wait.

#[cfg(test)]
pub mod fake;

use contract::enrolment::ApiProblem;
use contract::paths;
use reqwest::{Certificate, Client, Identity, Method, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::sync::watch;
use url::Url;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// The stream carries a comment every 15 s; twice that and a bit is silence.
const STREAM_SILENCE: Duration = Duration::from_secs(40);

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("the policy server {address} cannot be reached: {cause}")]
    Unreachable { address: String, cause: String },
    /// The server's own sentence.
    #[error("{}", .0.problem.detail)]
    Refused(Box<Refused>),
    #[error("{address} answered {status}, and not as a policy server does: is the address right?")]
    Foreign { address: String, status: StatusCode },
    #[error("the answer of the policy server {address} was cut off or cannot be read: {cause}")]
    Unreadable { address: String, cause: String },
}

impl CallError {
    /// The stable code of the server's refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refused) => Some(&refused.problem.code),
            _ => None,
        }
    }
}

/// A refusal, and the whole body, which may say more than every problem does.
#[derive(Debug)]
pub struct Refused {
    pub problem: ApiProblem,
    pub body: serde_json::Value,
}

/// Why no connection can even be tried.
#[derive(Debug, thiserror::Error)]
pub enum UnusableTls {
    #[error("the authority of the policy server (server_ca) is not a PEM certificate: {0}")]
    Authority(reqwest::Error),
    #[error("the device's key and certificate cannot be used: {0}")]
    Device(reqwest::Error),
    #[error("TLS cannot be set up: {}", innermost(.0))]
    Client(reqwest::Error),
}

/// When the server last answered, and what went wrong since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Unix time in milliseconds.
    pub last_ms: Option<i64>,
    pub trouble: Option<String>,
    /// Counts the recoveries: waiting errands try again at once.
    pub recovered: u64,
}

/// What connections are made with.
#[derive(Clone)]
pub struct Credentials {
    /// PEM; the only authority that is trusted, where there is one.
    pub server_ca: Option<String>,
    /// PEM of key and certificate, one after the other; `None` before the enrolment.
    pub device: Option<Vec<u8>>,
}

pub struct Upstream {
    address: Url,
    /// The managed profile names the authority of the server's certificate.
    authority_named: bool,
    client: RwLock<Client>,
    contact: watch::Sender<Contact>,
}

impl Upstream {
    /// # Errors
    /// A certificate or key cannot be read.
    pub fn new(address: Url, credentials: &Credentials) -> Result<Self, UnusableTls> {
        let client = RwLock::new(client(credentials)?);
        let authority_named = credentials.server_ca.is_some();
        Ok(Self { address, authority_named, client, contact: watch::Sender::new(Contact::default()) })
    }

    /// From here on with a renewed certificate.
    ///
    /// # Errors
    /// It cannot be read; the old one stays in use.
    pub fn renew(&self, credentials: &Credentials) -> Result<(), UnusableTls> {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client(credentials)?;
        Ok(())
    }

    #[must_use]
    pub fn contact(&self) -> watch::Receiver<Contact> {
        self.contact.subscribe()
    }

    /// # Errors
    /// See [`CallError`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CallError> {
        let request = self.request(Method::POST, path).timeout(ANSWER).json(body);
        let answer = self.send(request).await?;
        answer.json().await.map_err(|error| self.unreadable(&error))
    }

    /// POST with nothing to say and nothing to hear.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn tell(&self, path: &str) -> Result<(), CallError> {
        self.send(self.request(Method::POST, path).timeout(ANSWER)).await.map(drop)
    }

    /// GET unless it is still the one with this `ETag`: the new tag and at most `limit` bytes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn fetch(
        &self,
        path: &str,
        tag: Option<&str>,
        limit: usize,
    ) -> Result<Option<(Option<String>, Vec<u8>)>, CallError> {
        let mut request = self.request(Method::GET, path).timeout(ANSWER);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let mut answer = self.send(request).await?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unreadable(&error))? {
            if bytes.len() + piece.len() > limit {
                let cause = format!("it is larger than {limit} bytes");
                return Err(CallError::Unreadable { address: self.address.to_string(), cause });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Some((tag, bytes)))
    }

    /// Does the server answer, and this device? The moment by its clock, where it says.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn probe(&self) -> Result<Option<OffsetDateTime>, CallError> {
        let answer = self.send(self.request(Method::GET, paths::POLICY).timeout(CONNECT)).await?;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        Ok(date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok()))
    }

    /// GET of a stream that stays open; it ends with an error when it falls silent.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn stream(&self, path: &str) -> Result<Response, CallError> {
        let opened = self.send(self.request(Method::GET, path).header(header::ACCEPT, "text/event-stream"));
        tokio::time::timeout(ANSWER, opened).await.unwrap_or_else(|_| {
            let cause = "it did not answer in time".to_owned();
            Err(CallError::Unreachable { address: self.address.to_string(), cause })
        })
    }

    /// A sign of life on an open stream.
    pub fn heard(&self) {
        self.reached();
    }

    /// An open stream broke.
    pub fn fell_silent(&self, why: &str) {
        self.lost(&format!("the connection to the policy server {} broke: {why}", self.address));
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut url = self.address.clone();
        url.set_path(&format!("{}{path}", self.address.path().trim_end_matches('/')));
        self.client.read().unwrap_or_else(PoisonError::into_inner).request(method, url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, CallError> {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let cause = plain_cause(&error, self.authority_named);
                let error = CallError::Unreachable { address: self.address.to_string(), cause };
                self.lost(&error.to_string());
                return Err(error);
            }
        };
        let status = answer.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            self.reached();
            return Ok(answer);
        }
        let bytes = answer.bytes().await.map_err(|error| self.unreadable(&error))?;
        let refused = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|body| Some(Refused { problem: serde_json::from_value(body.clone()).ok()?, body }));
        let error = match refused {
            Some(refused) => CallError::Refused(Box::new(refused)),
            None => CallError::Foreign { address: self.address.to_string(), status },
        };
        self.lost(&error.to_string());
        Err(error)
    }

    fn reached(&self) {
        self.contact.send_if_modified(|contact| {
            let recovered = contact.trouble.take().is_some() || contact.last_ms.is_none();
            contact.recovered += u64::from(recovered);
            contact.last_ms = Some(now_ms());
            recovered
        });
    }

    fn lost(&self, why: &str) {
        self.contact.send_if_modified(|contact| {
            let changed = contact.trouble.as_deref() != Some(why);
            contact.trouble = Some(why.to_owned());
            changed
        });
    }

    fn unreadable(&self, error: &reqwest::Error) -> CallError {
        CallError::Unreadable {
            address: self.address.to_string(),
            cause: plain_cause(error, self.authority_named),
        }
    }
}

fn client(credentials: &Credentials) -> Result<Client, UnusableTls> {
    let mut builder = Client::builder()
        .user_agent(concat!("portreeve/", env!("CARGO_PKG_VERSION")))
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .read_timeout(STREAM_SILENCE);
    if let Some(pem) = &credentials.server_ca {
        let authorities = Certificate::from_pem_bundle(pem.as_bytes()).map_err(UnusableTls::Authority)?;
        builder = builder.tls_certs_only(authorities);
    }
    if let Some(pem) = &credentials.device {
        builder = builder.identity(Identity::from_pem(pem).map_err(UnusableTls::Device)?);
    }
    builder.build().map_err(UnusableTls::Client)
}

/// What an administrator can act on: the last error of the chain, which names the socket's or the
/// certificate's fault; the ones before it only say that a request failed.
fn plain_cause(error: &reqwest::Error, authority_named: bool) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let innermost = innermost(error);
    match innermost.split_once("invalid peer certificate: ") {
        Some((_, fault)) => certificate_fault(fault, authority_named),
        None => innermost,
    }
}

/// What is wrong with the server's certificate, as the TLS library names it, in a sentence.
fn certificate_fault(fault: &str, authority_named: bool) -> String {
    match (fault, authority_named) {
        // The second is an authority of the same name with another key.
        ("UnknownIssuer" | "BadSignature", true) => {
            "its certificate is not from the authority that the managed profile names (server_ca)".to_owned()
        }
        ("UnknownIssuer" | "BadSignature", false) => {
            "its certificate is from an authority that this machine does \
            not know; the managed profile can name it (server_ca)"
                .to_owned()
        }
        _ => format!("its certificate is not good ({fault}); check the address and this machine's clock"),
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// Unix time in milliseconds.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
