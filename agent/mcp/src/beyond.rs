//! What a request or notification says beyond what its method is there for: members that the specification
//! does not know, and known ones of unusual length. A server may act on anything that reaches it, so
//! whoever keeps a record asks for this. Judges nothing.

use crate::members::Members;
use crate::message::{ENVELOPE, Message};

/// A known member longer than this (as JSON) may carry anything.
const LONGEST: usize = 1024;

/// Where a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Beside `method` and `params`.
    Message,
    Params,
    Meta,
}

/// One member that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond<'a> {
    pub place: Place,
    pub name: String,
    /// Its JSON text.
    pub value: &'a str,
}

impl Place {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Params => "params",
            Self::Meta => "_meta",
        }
    }
}

/// `_meta` as it is sent with requests.
const META: &[&str] = &[
    "progressToken",
    "claudecode/toolUseId",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/related-task",
    "traceparent",
];

/// The params that a method has in any revision; `None` where they are nobody's to know (a method of its
/// own), or said by every record of the request.
fn params_of(method: &str) -> Option<&'static [&'static str]> {
    Some(match method {
        "tools/call" => &["task"],
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" | "tasks/list" => {
            &["cursor"]
        }
        "initialize" => &["protocolVersion", "capabilities", "clientInfo"],
        "logging/setLevel" => &["level"],
        "subscriptions/listen" => &["notifications"],
        "resources/unsubscribe" => &["uri"],
        "tasks/get" | "tasks/result" | "tasks/cancel" => &["taskId"],
        "notifications/cancelled" => &["requestId", "reason"],
        "notifications/progress" => &["progressToken", "progress", "total", "message"],
        "notifications/elicitation/complete" => &["elicitationId"],
        "notifications/tasks/status" => {
            &["taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttl", "pollInterval"]
        }
        "ping"
        | "server/discover"
        | "notifications/initialized"
        | "notifications/message"
        | "notifications/roots/list_changed" => &[],
        _ => return None,
    })
}

/// What is recorded, or answered for, of its own accord.
fn is_said_elsewhere(method: &str, name: &str) -> bool {
    method == "tools/call" && matches!(name, "name" | "arguments" | "inputResponses" | "requestState")
}

/// Does the message say more?
pub(crate) fn is_said(
    method: &str,
    envelope: &Members<'_>,
    params: &Members<'_>,
    meta: Option<&Members<'_>>,
) -> bool {
    envelope.iter().any(|(name, _)| !ENVELOPE.contains(&name))
        || params.iter().any(|(name, value)| is_beyond_params(method, name, value))
        || meta.is_some_and(|meta| meta.iter().any(|(name, value)| is_beyond(META, name, value)))
}

fn is_beyond_params(method: &str, name: &str, value: &str) -> bool {
    // What is in there is looked at by itself.
    name != "_meta"
        && !is_said_elsewhere(method, name)
        && params_of(method).is_some_and(|known| is_beyond(known, name, value))
}

fn is_beyond(known: &[&str], name: &str, value: &str) -> bool {
    value.len() > LONGEST || !known.contains(&name)
}

/// Every member of a request or notification that says more.
pub(crate) fn of<'a>(message: &'a Message, method: &str) -> Vec<Beyond<'a>> {
    let mut found = Vec::new();
    let mut add = |place, name: &str, value| found.push(Beyond { place, name: name.to_owned(), value });
    let none = || Members::found(Vec::new());
    let envelope = Members::of(message.text()).unwrap_or_else(none);
    for (name, value) in envelope.iter().filter(|(name, _)| !ENVELOPE.contains(name)) {
        add(Place::Message, name, value);
    }
    let params = message.params().and_then(Members::of).unwrap_or_else(none);
    for (name, value) in params.iter().filter(|(name, value)| is_beyond_params(method, name, value)) {
        add(Place::Params, name, value);
    }
    let meta = params.get("_meta").and_then(Members::of).unwrap_or_else(none);
    for (name, value) in meta.iter().filter(|(name, value)| is_beyond(META, name, value)) {
        add(Place::Meta, name, value);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<(&'static str, String, String)> {
        let message = Message::parse(text.as_bytes().to_vec()).unwrap();
        let found: Vec<_> = message.beyond();
        assert_eq!(message.says_beyond(), !found.is_empty(), "{text}");
        found.into_iter().map(|it| (it.place.word(), it.name, it.value.to_owned())).collect()
    }

    #[test]
    fn what_clients_send_says_no_more_than_it_is_there_for() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"method":"tools/call","params":{"name":"t","arguments":{"a":1},"_meta":{"claudecode/toolUseId":"u","progressToken":1}},"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"2","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"x","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"vendor/own","params":{"any":"thing"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"r"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"any":1},"x":1}"#,
        ] {
            assert_eq!(said(text), [], "{text}");
        }
    }

    #[test]
    fn what_says_more_is_named_with_its_place() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":{"a":1},"params":{"y":"b","_meta":{"progressToken":1,"z":[ 2 ]}}}"#;
        let all = [("message", "x", r#"{"a":1}"#), ("params", "y", r#""b""#), ("_meta", "z", "[ 2 ]")];
        assert_eq!(said(text), all.map(|(place, name, value)| (place, name.to_owned(), value.to_owned())));
        let long = "c".repeat(LONGEST);
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"cursor":"{long}"}}}}"#);
        assert_eq!(said(&text).len(), 1, "a known member is no way around it");
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},"p\u0061yload":"b"}}"#;
        assert_eq!(said(text), [("params", "payload".to_owned(), r#""b""#.to_owned())]);
    }
}
