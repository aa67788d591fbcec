//! Streamable HTTP of 2026-07-28: each POST is whole in itself, and its headers repeat its body.
//!
//! The requests of one credential and one program share a conversation, and so one server: its record is
//! one, a new policy reaches the subscriptions in it, and no server is started for a single call. Ids that
//! two requests both chose are told apart by [`streams`](crate::door::conversation::streams).

use crate::door::answer::{self, Answer, Disagreement, METHOD, NAME, Refused, UNSUPPORTED_VERSION, VERSION};
use crate::door::credential::Caller;
use crate::door::exchange::exchange;
use crate::door::posted::{Asked, Posted, Shape};
use crate::door::served::{Served, Sharing};
use crate::door::streamable::{self, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::HeaderMap;
use mcp::reply;
use std::rc::Rc;

const VERSION_2026: &str = "2026-07-28";

/// MCP 2026-07-28, "Error codes".
const HEADER_MISMATCH: i64 = -32020;
const MISSING_CAPABILITY: i64 = -32021;
/// JSON-RPC 2.0, section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// Is this POST of the era without sessions, or of one that we do not know?
pub fn is_meant(headers: &HeaderMap, posted: &Posted) -> bool {
    let named = text(headers, &VERSION).ok().flatten();
    posted.version().is_some() || named.is_some_and(|version| !streamable::VERSIONS.contains(&version))
}

/// # Errors
/// The message is not taken.
pub async fn post(
    served: &Rc<Served>,
    caller: &Caller,
    headers: &HeaderMap,
    posted: Posted,
) -> Result<Answer, Refused> {
    check(headers, &posted).map_err(|disagreement| {
        let id = posted.requests().first().map(|asked| asked.id.clone());
        Refused::Disagreement(Disagreement { id, ..disagreement })
    })?;
    let sharing = Sharing { of: caller.clone(), client: posted.client() };
    match &posted.shape {
        Shape::Requests(asked) => {
            let discovers = asked.first().is_some_and(|asked| asked.method == "server/discover");
            let conversation = served.share(sharing)?;
            if let Some(why) = conversation.mismatch(headers, &posted) {
                let id = asked.first().map(|asked| asked.id.clone());
                let disagreement = Disagreement { id, ..Disagreement::mismatch(why) };
                conversation.note_refused("header-mismatch", disagreement.why.clone()).await;
                return Ok(Refused::Disagreement(disagreement).answer());
            }
            exchange(&conversation, posted, |code| status_of(code, discovers)).await
        }
        Shape::Answers => Err(Refused::Bad("2026-07-28 knows no answers of a client's")),
        // Closing the response is the cancellation. This one could name another client's request.
        Shape::Quiet if posted.cancels => Ok(answer::empty(StatusCode::ACCEPTED)),
        Shape::Quiet | Shape::Unreadable => {
            exchange(&served.share(sharing)?, posted, |_| StatusCode::OK).await
        }
    }
}

/// It has no stream to listen on, and no session to end.
///
/// # Errors
/// The request is of this era, and no POST.
pub fn takes_posts_only(headers: &HeaderMap) -> Result<(), Refused> {
    match text(headers, &VERSION)? {
        Some(VERSION_2026) => Err(Refused::Method("POST")),
        _ => Ok(()),
    }
}

fn check(headers: &HeaderMap, posted: &Posted) -> Result<(), Disagreement> {
    let named = header(headers, &VERSION)?;
    let version = posted.version();
    match (named, version) {
        (Some(named), None) if named != VERSION_2026 => return Err(Disagreement::unsupported(named)),
        (Some(named), Some(version)) if named == version && named != VERSION_2026 => {
            return Err(Disagreement::unsupported(named));
        }
        (None, Some(_)) => return Err(Disagreement::mismatch("MCP-Protocol-Version is missing")),
        (Some(named), Some(version)) if named != version => {
            return Err(Disagreement::mismatch(format!(
                "MCP-Protocol-Version says `{named}`, and the body `{version}`"
            )));
        }
        _ => {}
    }
    match posted.requests() {
        [] => Ok(()),
        [asked] if !posted.is_batch => check_request(headers, asked),
        _ => Err(Disagreement {
            id: None,
            code: reply::INVALID_REQUEST,
            why: "a batch is not taken".to_owned(),
            data: None,
        }),
    }
}

fn check_request(headers: &HeaderMap, asked: &Asked) -> Result<(), Disagreement> {
    for (missing, field) in [
        (asked.version.is_none(), "io.modelcontextprotocol/protocolVersion"),
        (!asked.has_capabilities, "io.modelcontextprotocol/clientCapabilities"),
    ] {
        if missing {
            let why = format!("`{field}` is missing in the request's `_meta`");
            return Err(Disagreement { id: None, code: reply::INVALID_PARAMS, why, data: None });
        }
    }
    agree("Mcp-Method", header(headers, &METHOD)?, &asked.method)?;
    if let Some(name) = &asked.name {
        let said = header(headers, &NAME)?.map(decoded).transpose()?;
        agree("Mcp-Name", said.as_deref(), name)?;
    }
    Ok(())
}

fn agree(header: &str, said: Option<&str>, body: &str) -> Result<(), Disagreement> {
    match said {
        Some(said) if said == body => Ok(()),
        Some(_) => Err(Disagreement::mismatch(format_args!("{header} says something else than the body"))),
        None => Err(Disagreement::mismatch(format_args!("{header} is missing"))),
    }
}

fn header<'a>(
    headers: &'a HeaderMap,
    name: &hyper::header::HeaderName,
) -> Result<Option<&'a str>, Disagreement> {
    text(headers, name).map_err(|refused| Disagreement::mismatch(format_args!("{name}: {refused}")))
}

/// A header's value as it was before it was made fit for a header.
pub fn decode(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

fn decoded(value: &str) -> Result<String, Disagreement> {
    decode(value).ok_or_else(|| Disagreement::mismatch("Mcp-Name is not encoded as it says"))
}

impl Disagreement {
    fn mismatch(why: impl std::fmt::Display) -> Self {
        Self { id: None, code: HEADER_MISMATCH, why: format!("Header mismatch: {why}"), data: None }
    }

    fn unsupported(version: &str) -> Self {
        let supported: Vec<_> = std::iter::once(VERSION_2026).chain(streamable::VERSIONS).collect();
        let data = Some(serde_json::json!({"supported": supported, "requested": version}).to_string());
        Self {
            id: None,
            code: UNSUPPORTED_VERSION,
            why: format!("Unsupported protocol version: {version}"),
            data,
        }
    }
}

/// The status that an answer has on HTTP. A server that knows no discovery is of an older era, which its
/// clients tell from a 400.
fn status_of(error: Option<i64>, discovers: bool) -> StatusCode {
    match error {
        Some(HEADER_MISMATCH | MISSING_CAPABILITY | UNSUPPORTED_VERSION) => StatusCode::BAD_REQUEST,
        Some(METHOD_NOT_FOUND) if discovers => StatusCode::BAD_REQUEST,
        Some(METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::told::Told;
    use hyper::header::HeaderValue;
    use mcp::Id;

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"größe","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

    fn checked(body: &str, headers: &[(&'static str, &str)]) -> Result<(), i64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        check(&map, &Posted::read(body.as_bytes().to_vec())).map_err(|disagreement| disagreement.code)
    }

    #[test]
    fn headers_that_repeat_the_body_are_taken() {
        let name = "=?base64?Z3LDtsOfZQ==?=";
        let headers =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", name)];
        assert_eq!(checked(CALL, &headers), Ok(()));
    }

    #[test]
    fn attack_headers_that_say_something_else_than_the_body() {
        let version = ("mcp-protocol-version", "2026-07-28");
        let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "=?base64?Z3LDtsOfZQ==?="));
        for headers in [
            &[method, name][..],
            &[version, name],
            &[version, method],
            &[version, ("mcp-method", "tools/list"), name],
            &[version, ("mcp-method", "TOOLS/CALL"), name],
            &[version, method, ("mcp-name", "echo")],
            &[version, method, ("mcp-name", "=?base64?****?=")],
            &[version, method, name, ("mcp-name", "echo")],
            &[("mcp-protocol-version", "2025-11-25"), method, name],
        ] {
            assert_eq!(checked(CALL, headers), Err(HEADER_MISMATCH), "{headers:?}");
        }
    }

    #[test]
    fn versions_and_fields_that_are_not_there_have_codes_of_their_own() {
        let later = CALL.replace("2026-07-28", "2027-01-01");
        assert_eq!(checked(&later, &[("mcp-protocol-version", "2027-01-01")]), Err(UNSUPPORTED_VERSION));
        assert_eq!(checked("{}", &[("mcp-protocol-version", "1900-01-01")]), Err(UNSUPPORTED_VERSION));
        let bare = r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#;
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "x")];
        assert_eq!(checked(bare, &headers), Err(reply::INVALID_PARAMS));
        let unable = CALL.replace("clientCapabilities", "clientInfo");
        assert_eq!(checked(&unable, &[("mcp-protocol-version", "2026-07-28")]), Err(reply::INVALID_PARAMS));
    }

    #[test]
    fn an_error_has_the_status_that_the_specification_gives_it() {
        for (code, discovers, status) in [
            (-32601, false, 404),
            (-32601, true, 400),
            (-32020, false, 400),
            (-32022, true, 400),
            (40300, false, 200),
        ] {
            let told = Told::read(reply::error(Id::from_json("1").as_ref(), code, "x", None));
            assert_eq!(status_of(told.code, discovers), status, "{code}");
        }
        let result = Told::read(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_vec());
        assert_eq!(status_of(result.code, true), StatusCode::OK);
    }
}
