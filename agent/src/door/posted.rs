//! One POST, read as far as HTTP has to know of it: what will be answered, and in which era.
//!
//! Judges nothing: the bytes go to the gate as they came.

use mcp::{Id, Kind, Message};
use serde::Deserialize;
use serde_json::value::RawValue;

pub struct Posted {
    pub bytes: Vec<u8>,
    pub shape: Shape,
}

pub enum Shape {
    /// A request, or a batch with some in it.
    Requests(Vec<Asked>),
    /// Notifications and answers: nobody waits.
    Quiet,
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
    /// Log messages are wanted for it (2026-07-28).
    pub wants_log: bool,
}

impl Posted {
    /// A body as it came. Line breaks in it stand between tokens only.
    pub fn read(bytes: Vec<u8>) -> Self {
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            let shape = batch(&bytes).unwrap_or(Shape::Unreadable);
            return Self { bytes, shape };
        }
        match Message::parse_or_return(bytes) {
            Ok(message) => {
                let shape = asked(&message).map_or(Shape::Quiet, |asked| Shape::Requests(vec![asked]));
                Self { bytes: message.into_bytes(), shape }
            }
            Err((_, bytes)) => Self { bytes, shape: Shape::Unreadable },
        }
    }

    pub fn requests(&self) -> &[Asked] {
        match &self.shape {
            Shape::Requests(asked) => asked,
            Shape::Quiet | Shape::Unreadable => &[],
        }
    }

    /// Does it open a session, and nothing else?
    pub fn is_initialize(&self) -> bool {
        matches!(self.requests(), [only] if only.method == "initialize")
            && self.bytes.trim_ascii_start().first() == Some(&b'{')
    }
}

fn batch(bytes: &[u8]) -> Option<Shape> {
    let parts: Vec<&RawValue> = serde_json::from_slice(bytes).ok()?;
    let mut requests = Vec::new();
    for part in parts {
        requests.extend(asked(&Message::parse(part.get().as_bytes().to_vec()).ok()?));
    }
    Some(if requests.is_empty() { Shape::Quiet } else { Shape::Requests(requests) })
}

fn asked(message: &Message) -> Option<Asked> {
    let Kind::Request { id, method } = message.kind() else { return None };
    let meta = message.params().and_then(meta_of).unwrap_or_default();
    let token = meta.progress_token.and_then(|token| Id::from_json(token.get()));
    Some(Asked { id: id.clone(), method: method.clone(), token, wants_log: meta.log_level.is_some() })
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/logLevel")]
    log_level: Option<&'a RawValue>,
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
        assert!(matches!(posted(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).shape, Shape::Quiet));
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
