//! One POST, read as far as HTTP has to know of it: what will be answered, and in which era.
//!
//! Judges nothing: what was read here is what the gate judges, and its bytes are what goes on.

use crate::transport::outgoing::named_by;
use mcp::{Id, Kind, Message, Payload, Subject};
use serde::Deserialize;
use serde_json::value::RawValue;

pub struct Posted {
    pub payload: Payload,
    pub shape: Shape,
    pub is_batch: bool,
    /// It is a `notifications/cancelled`.
    pub cancels: bool,
    /// Of a notification; requests have their own.
    version: Option<String>,
    client: Option<(String, String)>,
}

pub enum Shape {
    /// A request, or a batch with some in it.
    Requests(Vec<Asked>),
    /// Notifications: nobody waits.
    Quiet,
    /// The client's answer to the server, or several.
    Answers,
    /// The gate will say why.
    Unreadable,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub id: Id,
    pub method: String,
    /// What its progress is reported under.
    pub token: Option<Id>,
    /// What the headers of 2026-07-28 repeat.
    pub name: Option<String>,
    pub version: Option<String>,
    pub has_capabilities: bool,
    /// Log messages are wanted for it.
    pub wants_log: bool,
}

impl Posted {
    /// A body as it came. Line breaks in it stand between tokens only.
    pub fn read(bytes: Vec<u8>) -> Self {
        let is_batch = bytes.trim_ascii_start().first() == Some(&b'[');
        let posted =
            |payload, shape| Self { payload, shape, is_batch, cancels: false, version: None, client: None };
        if is_batch {
            let shape = batch(&bytes).unwrap_or(Shape::Unreadable);
            return posted(bytes.into(), shape);
        }
        match Payload::read(bytes) {
            Payload::Read(message) => {
                let shape = shape_of(&message);
                let cancels = matches!(message.subject(), Subject::Cancelled { .. });
                let version = message.protocol_version().map(str::to_owned);
                let client =
                    message.client_info().map(|(name, version)| (name.to_owned(), version.to_owned()));
                Self { cancels, version, client, ..posted(Payload::Read(message), shape) }
            }
            unread @ Payload::Bytes(_) => posted(unread, Shape::Unreadable),
        }
    }

    pub fn requests(&self) -> &[Asked] {
        match &self.shape {
            Shape::Requests(asked) => asked,
            Shape::Quiet | Shape::Answers | Shape::Unreadable => &[],
        }
    }

    /// The protocol version that it names itself (since 2026-07-28).
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The program that sent it, as it calls itself.
    pub fn client(&self) -> Option<(String, String)> {
        self.client.clone()
    }

    /// Does it open a session, and nothing else?
    pub fn is_initialize(&self) -> bool {
        matches!(self.requests(), [only] if only.method == "initialize") && !self.is_batch
    }
}

fn batch(bytes: &[u8]) -> Option<Shape> {
    let parts: Vec<&RawValue> = serde_json::from_slice(bytes).ok()?;
    let (mut requests, mut answers) = (Vec::new(), 0);
    for part in &parts {
        match shape_of(&Message::parse(part.get().as_bytes().to_vec()).ok()?) {
            Shape::Requests(asked) => requests.extend(asked),
            Shape::Answers => answers += 1,
            Shape::Quiet | Shape::Unreadable => {}
        }
    }
    Some(match requests.is_empty() {
        false => Shape::Requests(requests),
        true if answers > 0 => Shape::Answers,
        true => Shape::Quiet,
    })
}

fn shape_of(message: &Message) -> Shape {
    match message.kind() {
        Kind::Request { id, method } => Shape::Requests(vec![asked(message, id, method)]),
        Kind::Notification { .. } => Shape::Quiet,
        Kind::Response { .. } | Kind::Error { .. } => Shape::Answers,
    }
}

fn asked(message: &Message, id: &Id, method: &str) -> Asked {
    let params = message.params().unwrap_or("{}");
    let meta = meta_of(params).unwrap_or_default();
    Asked {
        id: id.clone(),
        method: method.to_owned(),
        token: meta.progress_token.and_then(|token| Id::from_json(token.get())),
        name: named_by(method, message).map(str::to_owned),
        version: message.protocol_version().map(str::to_owned),
        has_capabilities: meta.capabilities.is_some(),
        wants_log: meta.log_level.is_some(),
    }
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/logLevel")]
    log_level: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

fn meta_of(params: &str) -> Option<Meta<'_>> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "_meta")]
        meta: Option<Meta<'a>>,
    }
    serde_json::from_str::<Params<'_>>(params).ok()?.meta
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(text: &str) -> Posted {
        Posted::read(text.as_bytes().to_vec())
    }

    #[test]
    fn what_will_be_answered_is_known_by_its_id() {
        let call = posted(
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":"p"}}}"#,
        );
        let [asked] = call.requests() else { panic!("one request") };
        assert_eq!((asked.id.as_json(), asked.token.as_ref().map(Id::as_json)), ("7", Some("\"p\"")));
        assert!(matches!(posted(r#"{"jsonrpc":"2.0","method":"x"}"#).shape, Shape::Quiet));
        assert!(matches!(posted(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).shape, Shape::Answers));
        assert!(matches!(posted("{").shape, Shape::Unreadable));
    }

    #[test]
    fn a_batch_is_answered_for_each_request_in_it() {
        let batch = posted(
            r#"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","method":"b"},{"jsonrpc":"2.0","id":"2","method":"c"}]"#,
        );
        let ids: Vec<_> = batch.requests().iter().map(|asked| asked.id.as_json()).collect();
        assert_eq!(ids, ["1", "\"2\""]);
        assert!(matches!(posted("[1]").shape, Shape::Unreadable));
    }

    #[test]
    fn a_session_is_opened_alone() {
        assert!(posted(r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#).is_initialize());
        assert!(!posted(r#"[{"jsonrpc":"2.0","id":1,"method":"initialize"}]"#).is_initialize());
    }
}
