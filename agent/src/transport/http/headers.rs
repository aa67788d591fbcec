//! Headers: the protocol's own, and the secret ones that the entry's owner configured.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::fmt;

pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What the guard, its HTTP client or the protocol itself says in a request. From an entry it would
/// name another tenant or session, or cut one request into two.
const RESERVED: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const RESERVED_PREFIXES: [&str; 2] = ["content-", "mcp-"];

/// The entry's headers. Printed, they are `[redacted]`; on the wire, HTTP/2 never indexes them.
#[derive(Default, Clone)]
pub struct SecretHeaders {
    map: HeaderMap,
    by_hand: bool,
}

/// What a server that refuses us was sent, as far as a sentence tells it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) struct Credentials {
    /// The entry has headers of its own, most likely a token.
    pub headers: bool,
    pub authorization: bool,
    /// A developer gave them to a guard of a trial.
    pub by_hand: bool,
}

/// How they are written.
pub(in crate::transport) const EXAMPLE: &str = r#"'{"Authorization":"Bearer TOKEN","X-Team":"payments"}'"#;
/// Of a header's name that is none: more of it could be its value.
const SHOWN_OF_A_NAME: usize = 40;

/// What is wrong with the configured headers; never says a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeaders {
    #[error(
        "PORTREEVE_HEADERS is no JSON, from column {column} of its line {line} on. It has to be one object of texts, as \
         {EXAMPLE}. Where Claude put a variable's value into it, for a `${{NAME}}`, that holds a quote, a backslash or a \
         line break: such a value has to be escaped as JSON, or written without them"
    )]
    NotJson { line: usize, column: usize },
    #[error("PORTREEVE_HEADERS is {0}; it has to be one JSON object of texts, as {EXAMPLE}")]
    NotAnObject(&'static str),
    #[error(
        "the value of `{name}` in PORTREEVE_HEADERS is {kind}; each value has to be a text in quotes, as {EXAMPLE}"
    )]
    NotText { name: String, kind: &'static str },
    #[error("PORTREEVE_HEADERS is no UTF-8 text; it has to be one JSON object of texts, as {EXAMPLE}")]
    NotUnicode,
    #[error(
        "`{0}` in PORTREEVE_HEADERS begins a name that HTTP does not take; name and value stand apart, as {EXAMPLE}"
    )]
    Name(String),
    #[error(
        "the value of `{0}` in PORTREEVE_HEADERS has characters that HTTP does not take (a line break, for one); it has to \
         be one line, as in {EXAMPLE}"
    )]
    Value(String),
    #[error("the header `{0}` is not the entry's to set: take it out of its `headers` (PORTREEVE_HEADERS)")]
    Reserved(String),
}

impl SecretHeaders {
    /// Reads `{"Authorization":"Bearer …"}`.
    ///
    /// # Errors
    /// See [`BadHeaders`].
    pub fn parse(json: &str) -> Result<Self, BadHeaders> {
        let members: Value = serde_json::from_str(json)
            .map_err(|error| BadHeaders::NotJson { line: error.line(), column: error.column() })?;
        let Value::Object(members) = members else { return Err(BadHeaders::NotAnObject(kind(&members))) };
        let mut headers = HeaderMap::new();
        for (name, value) in members {
            let parsed = HeaderName::try_from(name.as_str()).map_err(|_| BadHeaders::Name(begun(&name)))?;
            let value = match value {
                Value::String(value) => value,
                other => return Err(BadHeaders::NotText { name, kind: kind(&other) }),
            };
            if says_what_the_guard_says(parsed.as_str(), &value) {
                continue;
            }
            if is_reserved(parsed.as_str()) {
                return Err(BadHeaders::Reserved(name));
            }
            let mut value =
                HeaderValue::from_str(value.trim()).map_err(|_| BadHeaders::Value(name.clone()))?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
        Ok(Self { map: headers, by_hand: false })
    }

    /// Of a trial: whoever reads what is wrong with them has put them into `PORTREEVE_HEADERS`.
    #[must_use]
    pub fn by_hand(self, by_hand: bool) -> Self {
        Self { by_hand, ..self }
    }

    pub(in crate::transport) fn credentials(&self) -> Credentials {
        Credentials {
            headers: !self.map.is_empty(),
            authorization: self.map.contains_key(AUTHORIZATION),
            by_hand: self.by_hand,
        }
    }

    pub(in crate::transport) fn into_map(self) -> HeaderMap {
        self.map
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Somebody may have put the whole line into it, value and all.
fn begun(name: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.chars().take_while(plain).take(SHOWN_OF_A_NAME).collect::<String>() + "…"
}

/// Entries often repeat what every MCP client sends; that harms nobody.
fn says_what_the_guard_says(name: &str, value: &str) -> bool {
    let mut kinds = value.split(',').map(str::trim);
    match name {
        "accept" => kinds.all(|kind| matches!(kind, "application/json" | "text/event-stream" | "*/*")),
        "content-type" => value.trim() == "application/json",
        _ => false,
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

impl fmt::Debug for SecretHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A name as a header may carry it: visible ASCII as it is, all else as `=?base64?…?=`
/// (MCP 2026-07-28, "Value encoding").
pub fn header_text(value: &str) -> String {
    let plain = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && value.trim() == value
        && !(value.starts_with("=?base64?") && value.ends_with("?="));
    if plain { value.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_headers_are_never_printed() {
        let headers = SecretHeaders::parse(r#"{"Authorization":"Bearer s3cret"}"#).unwrap();
        assert_eq!(format!("{headers:?} {:#?}", Some(&headers)), "[redacted] Some(\n    [redacted],\n)");
        assert!(!format!("{:?}", headers.into_map()).contains("s3cret"));
    }

    #[test]
    fn bad_headers_are_named_without_their_values() {
        for (json, expected) in [
            (r#"["s3"]"#, BadHeaders::NotAnObject("a list")),
            (r#""Authorization: s3""#, BadHeaders::NotAnObject("a text")),
            ("Authorization: Bearer s3", BadHeaders::NotJson { line: 1, column: 1 }),
            (r#"{"A":"s3"cret"}"#, BadHeaders::NotJson { line: 1, column: 10 }),
            (r#"{"A":"s3\cret"}"#, BadHeaders::NotJson { line: 1, column: 10 }),
            (r#"{"A":31}"#, BadHeaders::NotText { name: "A".into(), kind: "a number" }),
            (r#"{"A b":"x"}"#, BadHeaders::Name("A…".into())),
            (r#"{"Authorization: Bearer s3cret":""}"#, BadHeaders::Name("Authorization…".into())),
            (r#"{"A":"s3\ncret"}"#, BadHeaders::Value("A".into())),
        ] {
            let error = SecretHeaders::parse(json).unwrap_err();
            assert_eq!(error, expected, "{json}");
            let said = error.to_string();
            assert!(!said.contains("s3") && !said.contains("31"), "{said}");
            assert!(said.contains("PORTREEVE_HEADERS") && said.contains(EXAMPLE), "{said}");
        }
    }

    #[test]
    fn entry_headers_that_repeat_the_guards_own_are_left_out() {
        let json = r#"{"Accept":"application/json, text/event-stream","Content-Type":"application/json","X-Key":"k"}"#;
        let headers = SecretHeaders::parse(json).unwrap().into_map();
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-key"]);
    }

    #[test]
    fn entry_headers_name_another_host_or_session_or_split_a_request() {
        for name in [
            "Host",
            "Connection",
            "Keep-Alive",
            "Upgrade",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Content-Length",
            "Content-Type",
            "Content-Encoding",
            "Proxy-Connection",
            "Proxy-Authorization",
            "Mcp-Session-Id",
            "MCP-Protocol-Version",
            "mcp-method",
            "Mcp-Param-Region",
            "Accept",
            "Accept-Encoding",
            "Last-Event-ID",
        ] {
            let error = SecretHeaders::parse(&format!(r#"{{"{name}":"s3cret"}}"#)).unwrap_err();
            assert_eq!(error, BadHeaders::Reserved(name.to_owned()));
            assert!(error.to_string().contains(name) && !error.to_string().contains("s3cret"), "{error}");
        }
        assert!(SecretHeaders::parse(r#"{"Authorization":"x","X-Content-Type":"y","Cookie":"z"}"#).is_ok());
    }

    #[test]
    fn names_that_a_header_cannot_carry_are_encoded() {
        assert_eq!(header_text("create_issue"), "create_issue");
        assert_eq!(header_text("größe"), "=?base64?Z3LDtsOfZQ==?=");
        assert_eq!(header_text(" padded"), "=?base64?IHBhZGRlZA==?=");
        assert_eq!(header_text("=?base64?eA==?="), "=?base64?PT9iYXNlNjQ/ZUE9PT89?=");
        assert_eq!(header_text("a\r\nX-Evil: 1"), "=?base64?YQ0KWC1FdmlsOiAx?=");
    }
}
