//! A message for the client, read as far as it takes to find the response that carries it.

use mcp::{Id, Kind, Message, Payload};
use serde::Deserialize;
use serde_json::value::RawValue;

pub struct Told {
    pub payload: Payload,
    pub about: About,
    /// Of an error.
    pub code: Option<i64>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum About {
    /// It answers these requests: one, or in a batch several. None where the server could not say which.
    Answer(Vec<Id>),
    Progress(Id),
    /// A log message.
    Log,
    /// On that subscription (2026-07-28).
    Subscription(Id),
    /// A request of the server's.
    Request(Id),
    Other,
}

impl Told {
    pub fn read(payload: impl Into<Payload>) -> Self {
        match payload.into().message() {
            Ok(message) => {
                let code = match message.kind() {
                    Kind::Error { code, .. } => Some(*code),
                    _ => None,
                };
                Self { about: about(&message), code, payload: Payload::Read(message) }
            }
            Err((_, bytes)) => {
                Self { about: batch(&bytes).unwrap_or(About::Other), code: None, payload: bytes.into() }
            }
        }
    }
}

fn batch(bytes: &[u8]) -> Option<About> {
    let parts: Vec<&RawValue> = serde_json::from_slice(bytes).ok()?;
    let mut answered = Vec::new();
    for part in parts {
        if let About::Answer(ids) = about(&Message::parse(part.get().as_bytes().to_vec()).ok()?) {
            answered.extend(ids);
        }
    }
    Some(if answered.is_empty() { About::Other } else { About::Answer(answered) })
}

fn about(message: &Message) -> About {
    match message.kind() {
        Kind::Response { id } | Kind::Error { id: Some(id), .. } => About::Answer(vec![id.clone()]),
        Kind::Error { id: None, .. } => About::Answer(Vec::new()),
        Kind::Request { id, .. } => About::Request(id.clone()),
        Kind::Notification { method } => notice(method, message.params()),
    }
}

fn notice(method: &str, params: Option<&str>) -> About {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "progressToken")]
        token: Option<&'a RawValue>,
        #[serde(borrow, rename = "_meta")]
        meta: Option<Meta<'a>>,
    }
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "io.modelcontextprotocol/subscriptionId")]
        subscription: Option<&'a RawValue>,
    }
    let params = params.and_then(|params| serde_json::from_str::<Params<'_>>(params).ok());
    let (token, meta) = params.map_or((None, None), |params| (params.token, params.meta));
    let id = |raw: Option<&RawValue>| raw.and_then(|raw| Id::from_json(raw.get()));
    if let Some(subscription) = id(meta.and_then(|meta| meta.subscription)) {
        return About::Subscription(subscription);
    }
    match (method, id(token)) {
        ("notifications/progress", Some(token)) => About::Progress(token),
        ("notifications/message", _) => About::Log,
        _ => About::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_is_about_finds_its_response() {
        let id = |text| Id::from_json(text).unwrap();
        for (text, about) in [
            (r#"{"jsonrpc":"2.0","id":"a","result":{}}"#, About::Answer(vec![id("\"a\"")])),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#, About::Answer(vec![])),
            (
                r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]"#,
                About::Answer(vec![id("1"), id("2")]),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#,
                About::Progress(id("1")),
            ),
            (r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#, About::Log),
            (
                r#"{"jsonrpc":"2.0","method":"x","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#,
                About::Subscription(id("\"l\"")),
            ),
            (r#"{"jsonrpc":"2.0","id":3,"method":"roots/list"}"#, About::Request(id("3"))),
            (r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#, About::Other),
        ] {
            assert_eq!(Told::read(text.as_bytes().to_vec()).about, about, "{text}");
        }
    }
}
