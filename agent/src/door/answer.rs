//! The HTTP answers of the door itself: refusals before anything is judged, and the bodies of the rest.

use crate::door::credential::Caller;
use crate::door::events::Events;
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use mcp::{Id, reply};
use serde_json::value::RawValue;

pub type Body = Either<Full<Bytes>, Events>;
pub type Answer = Response<Body>;

pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// A proxy in front of us is not to gather events.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// JSON-RPC's implementation-defined code that the official SDKs give here.
const NOT_TAKEN: i64 = -32000;
/// The same, for a session that is over.
const NO_SESSION: i64 = -32001;
/// MCP 2026-07-28, "Error codes".
pub const UNSUPPORTED_VERSION: i64 = -32022;

/// Why a request is not let in, as a sentence for whoever set up the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this door answers to loopback names only, and the request names another host (DNS rebinding)")]
    Host,
    #[error("a web page of another origin may not use this door")]
    Origin,
    #[error(
        "a credential is needed here: send the one that `portreeve` gave you as `Authorization: Bearer …`"
    )]
    NoCredential,
    /// One was shown. Nobody learns how far off it was, or whose would be right.
    #[error(
        "the credential that was sent is not valid here: send the one that `portreeve` gave you, whole, as \
         `Authorization: Bearer …`"
    )]
    Credential,
    #[error("nothing is served at this path")]
    Path,
    #[error("this path takes {0} only")]
    Method(&'static str),
    #[error("this session is not known here (any more); initialize a new one")]
    Session,
    /// To everybody but its owner it does not exist. Who they are is for the record alone.
    #[error("this session is not known here (any more); initialize a new one")]
    OthersSession { owner: Caller, by: Caller },
    #[error("the header Mcp-Session-Id is missing: initialize first, and send what it answers")]
    NoSession,
    #[error("the client has to accept {0}")]
    Accept(&'static str),
    #[error("the body has to be application/json in UTF-8, as it is (no Content-Encoding)")]
    Content,
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the body did not come in time")]
    Slow,
    #[error("the body broke off")]
    Broken,
    #[error("another stream of this session is open already")]
    Busy,
    #[error("the header Last-Event-ID names no event of this session")]
    Event,
    #[error("the protocol version `{0}` is not supported here")]
    Version(String),
    #[error("as many conversations are open as this door holds; end one, or try again later")]
    Full,
    #[error("this door is being closed; try again once Portreeve runs again")]
    Closing,
    #[error("this request cannot be taken: {0}")]
    Bad(&'static str),
    /// Judged and recorded as what it is, in its conversation.
    #[error("this request cannot be taken: its body is no message")]
    NoMessage,
    /// What the specification calls so since 2026-07-28.
    #[error("{}", .0.why)]
    Disagreement(Disagreement),
}

/// Why headers and body are not taken together, as a JSON-RPC error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// Of the request that it answers.
    pub id: Option<Id>,
    pub code: i64,
    pub why: String,
    /// JSON.
    pub data: Option<String>,
}

impl Disagreement {
    fn answer(&self) -> Answer {
        let data = self.data.clone().and_then(|data| RawValue::from_string(data).ok());
        error(StatusCode::BAD_REQUEST, self.id.as_ref(), self.code, &self.why, data.as_deref())
    }
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Host | Self::Origin => StatusCode::FORBIDDEN,
            Self::NoCredential | Self::Credential => StatusCode::UNAUTHORIZED,
            Self::Path | Self::Session | Self::OthersSession { .. } => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Accept(_) => StatusCode::NOT_ACCEPTABLE,
            Self::Content => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::CONFLICT,
            Self::Full | Self::Closing => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSession
            | Self::Event
            | Self::Version(_)
            | Self::Bad(_)
            | Self::NoMessage
            | Self::Disagreement(_)
            | Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    pub fn answer(&self) -> Answer {
        if let Self::Disagreement(disagreement) = self {
            return disagreement.answer();
        }
        let code = match self {
            Self::Session | Self::OthersSession { .. } => NO_SESSION,
            _ => NOT_TAKEN,
        };
        let mut answer = error(self.status(), None, code, &self.to_string(), None);
        let headers = answer.headers_mut();
        match self {
            Self::Method(allowed) => drop(headers.insert(ALLOW, HeaderValue::from_static(allowed))),
            Self::NoCredential | Self::Credential => {
                drop(
                    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"portreeve\"")),
                );
            }
            _ => {}
        }
        answer
    }
}

/// A JSON-RPC error as the whole answer.
pub fn error(
    status: StatusCode,
    id: Option<&Id>,
    code: i64,
    message: &str,
    data: Option<&RawValue>,
) -> Answer {
    json(status, reply::error(id, code, message, data).into())
}

pub fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = whole(status, body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

pub fn empty(status: StatusCode) -> Answer {
    whole(status, Bytes::new())
}

fn whole(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    answer
}

pub fn events(events: Events) -> Answer {
    let mut answer = Response::new(Either::Right(events));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    answer
}
