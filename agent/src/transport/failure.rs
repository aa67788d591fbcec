//! Everything that can go wrong with a remote server, and the sentence the developer reads for it.
//!
//! Sentences name the address without its query and never a header: both may hold secrets.

mod cause;

use crate::transport::http::{Credentials, EXAMPLE};
use mcp::{Id, Line, reply};
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use serde_json::value::RawValue;
use url::Url;

/// Our own codes, outside every reserved range of JSON-RPC and MCP; they follow HTTP's.
const SIGN_IN: i64 = 40100;
pub const NOT_THERE: i64 = 50200;

/// Why a request to a remote server has no answer of the server's own.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    #[error("{at} cannot be reached: {cause}")]
    Unreachable { at: String, cause: String },
    #[error(
        "{at} asks for sign-in (HTTP {status}). Portreeve cannot sign in (OAuth) for it yet: put the server's token \
         into the entry's `headers`, or ask IT to leave this entry ungoverned"
    )]
    SignIn { at: String, status: u16 },
    #[error(
        "{at} asks for sign-in (HTTP {status}), and no Authorization was sent. Portreeve cannot sign in (OAuth) for it \
         yet: put the server's token into PORTREEVE_HEADERS, as {EXAMPLE}, and start the guard anew"
    )]
    SignInByHand { at: String, status: u16 },
    #[error(
        "{at} refuses the Authorization that was sent to it (HTTP {status}): it is wrong, ran out, or is not enough for \
         this. Put the right one into {place} and reconnect the server in Claude (`/mcp`)"
    )]
    Refused { at: String, status: u16, place: &'static str },
    #[error(
        "{at} does not take the entry's credentials any more (HTTP 401): they ran out, were replaced, or are not enough \
         for this. Put the right ones into {place} and reconnect the server in Claude (`/mcp`): a running \
         session keeps those it was started with"
    )]
    SignInAgain { at: String, place: &'static str },
    #[error(
        "{at} sends us on to {to} (HTTP {status}), and the guard does not follow: put that address into the entry"
    )]
    Redirect { at: String, status: u16, to: String },
    #[error("{at} does not know this session any more (HTTP 404): reconnect the server in Claude (`/mcp`)")]
    SessionLost { at: String },
    /// For the record: the client hears of it only where no other takes its place.
    #[error("{at} does not know this session any more")]
    Forgotten { at: String },
    #[error(
        "{at} has forgotten this session, and the new one is another conversation: {how}. Reconnect the server in \
         Claude (`/mcp`)"
    )]
    AnotherServer { at: String, how: String },
    #[error("{at} has forgotten this session, and does not begin a new one: {why}")]
    NotRenewed { at: String, why: String },
    #[error("{at} answered HTTP {status}{reason}")]
    Status { at: String, status: u16, reason: String },
    #[error("{at} does not answer as an MCP server: its content type is `{content_type}`")]
    NotMcp { at: String, content_type: String },
    #[error("{at} sent a message longer than {limit} bytes")]
    TooLong { at: String, limit: usize },
    #[error("the connection to {at} broke off: {cause}")]
    Broken { at: String, cause: String },
    #[error("{at} closed the connection before it answered")]
    NoAnswer { at: String },
    #[error("{at} answered with {what}")]
    NotTheAnswer { at: String, what: &'static str },
    #[error(
        "{at} has left {open} requests unanswered, and the guard sends it no more before one of them ends"
    )]
    TooManyOpen { at: String, open: usize },
    #[error("{at} named another host for its messages ({to}); the guard does not send them there")]
    ForeignEndpoint { at: String, to: String },
    /// The server's own JSON-RPC error, sent with an HTTP error status and without our id.
    #[error("{message}")]
    Said { code: i64, message: String, data: Option<Box<RawValue>> },
}

impl Failure {
    /// Of a request that never became a response; the URL in reqwest's own text may hold secrets.
    pub fn of_request(at: &Url, error: reqwest::Error) -> Self {
        let at = shown(at);
        let timed_out = error.is_timeout();
        let cause = if timed_out {
            "it did not answer in time".to_owned()
        } else {
            cause::in_words(&error.without_url())
        };
        Self::Unreachable { at, cause }
    }

    pub fn of_body(at: &Url, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Broken { at: shown(at), cause: cause::in_words(error) }
    }

    /// Of a response whose status says that the message was not taken.
    pub fn of_status(at: &Url, response: &reqwest::Response) -> Self {
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            let to = at.join(to).map_or_else(|_| "an address that is none".to_owned(), |to| shown(&to));
            return Self::Redirect { at: shown(at), status: status.as_u16(), to };
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Self::SignIn { at: shown(at), status: status.as_u16() };
        }
        let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
        Self::Status { at: shown(at), status: status.as_u16(), reason }
    }

    /// What a refusal means where this was sent, to a server that took a message before or did not.
    pub(in crate::transport) fn with(self, sent: Credentials, welcomed: bool) -> Self {
        let place = if sent.by_hand { "PORTREEVE_HEADERS" } else { "the entry's `headers`" };
        match self {
            Self::SignIn { at, status: 401 } if welcomed && sent.headers => Self::SignInAgain { at, place },
            Self::SignIn { at, status } if sent.authorization => Self::Refused { at, status, place },
            Self::SignIn { at, status } if sent.by_hand => Self::SignInByHand { at, status },
            failure => failure,
        }
    }

    /// Will the next request end as this one did, as far as one can tell?
    pub fn lasts(&self) -> bool {
        self.is_final() || self.is_absence() || matches!(self, Self::NotMcp { .. } | Self::NotRenewed { .. })
    }

    /// Is nobody there?
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Would the same be said as often as it is asked?
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::SignIn { .. }
                | Self::SignInByHand { .. }
                | Self::Refused { .. }
                | Self::SignInAgain { .. }
                | Self::Redirect { .. }
                | Self::ForeignEndpoint { .. }
                | Self::AnotherServer { .. }
        )
    }

    /// The error line for the client, as the answer to that request.
    pub fn line(&self, id: &Id) -> Line {
        Line::Whole(match self {
            Self::Said { code, message, data } => reply::error(Some(id), *code, message, data.as_deref()),
            Self::SignIn { .. }
            | Self::SignInByHand { .. }
            | Self::Refused { .. }
            | Self::SignInAgain { .. } => reply::error(Some(id), SIGN_IN, &self.to_string(), None),
            _ => reply::error(Some(id), NOT_THERE, &self.to_string(), None),
        })
    }
}

/// Scheme, host, port and path: what may be shown and logged of an address.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only on addresses that have no host; those were refused at the start.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_authorization_is_told_from_one_that_was_never_sent() {
        let sent = |authorization, by_hand| Credentials { headers: authorization, authorization, by_hand };
        for (sent, welcomed, says, not) in [
            (sent(false, false), false, "the entry's `headers`, or ask IT", "refuses"),
            (sent(false, true), false, "into PORTREEVE_HEADERS, as", "ask IT"),
            (sent(true, false), false, "refuses the Authorization that was sent", "PORTREEVE_HEADERS"),
            (sent(true, true), false, "right one into PORTREEVE_HEADERS", "ask IT"),
            (sent(true, true), true, "any more (HTTP 401)", "the entry's `headers`"),
        ] {
            let failure = Failure::SignIn { at: "https://x/".to_owned(), status: 401 }.with(sent, welcomed);
            let said = failure.to_string();
            assert!(said.contains(says) && !said.contains(not) && failure.is_final(), "{sent:?}: {said}");
        }
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let url = Url::parse("https://bob:pw@mcp.example:8443/v1?key=s3cret#x").unwrap();
        assert_eq!(shown(&url), "https://mcp.example:8443/v1");
    }
}
