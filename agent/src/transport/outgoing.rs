//! What a transport must know of a message on its way to a remote server: for whom the answer is,
//! and what the HTTP headers have to repeat (MCP 2026-07-28, "Transports: Streamable HTTP").

use bytes::Bytes;
use mcp::{Batch, Id, Kind, Message, Payload, Subject};
use serde::Deserialize;

/// One released message, with what was read of it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Only of requests.
    pub id: Option<Id>,
    /// Absent for a client's answer to a server's request.
    pub method: Option<String>,
    /// `_meta` names the protocol version since 2026-07-28; absent in the eras before.
    pub version: Option<String>,
    /// What `Mcp-Name` repeats.
    pub name: Option<String>,
    /// The request that a `notifications/cancelled` is about.
    pub cancels: Option<Id>,
    pub bytes: Bytes,
}

impl Outgoing {
    /// Reads a message that passed the gate; what cannot be read is sent without headers of its own.
    pub fn read(message: impl Into<Payload>) -> Self {
        let message = match message.into().message() {
            Ok(message) => message,
            Err((_, bytes)) => {
                let bytes = bytes.into();
                return Self { id: None, method: None, version: None, name: None, cancels: None, bytes };
            }
        };
        let (id, method) = match message.kind() {
            Kind::Request { id, method } => (Some(id.clone()), Some(method.clone())),
            Kind::Notification { method } => (None, Some(method.clone())),
            Kind::Response { .. } | Kind::Error { .. } => (None, None),
        };
        let cancels = match message.subject() {
            Subject::Cancelled { request } => request.cloned(),
            _ => None,
        };
        let name = method.as_deref().and_then(|method| named_by(method, &message)).map(str::to_owned);
        let version = message.protocol_version().map(str::to_owned);
        Self { id, method, version, name, cancels, bytes: message.into_bytes().into() }
    }

    /// Does this message belong to the era without handshake and sessions?
    pub fn is_stateless(&self) -> bool {
        self.version.is_some()
    }

    pub fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// `params.uri`, whatever the method.
    pub fn uri(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Request {
            params: Params,
        }
        #[derive(Deserialize)]
        struct Params {
            uri: String,
        }
        serde_json::from_slice::<Request>(&self.bytes).ok().map(|request| request.params.uri)
    }
}

/// The member of `params` that names what the method is about.
pub fn named_by<'m>(method: &str, message: &'m Message) -> Option<&'m str> {
    match message.subject() {
        Subject::ToolCall { name, .. } | Subject::Prompt { name, .. } => Some(name),
        Subject::Resource { uri } if method == "resources/read" => Some(uri),
        Subject::Task { id } if method != "tasks/result" => id,
        _ => None,
    }
}

/// The requests of a message: one, none, or those of a batch.
pub fn asked_by(message: &[u8]) -> Vec<Id> {
    each(message, |one| Outgoing::read(one.to_vec()).id)
}

/// The requests that a line answers, which may be a batch.
pub fn answered_in(line: &[u8]) -> Vec<Id> {
    each(line, |one| match Message::parse(one.to_vec()).as_ref().map(Message::kind) {
        Ok(Kind::Response { id } | Kind::Error { id: Some(id), .. }) => Some(id.clone()),
        _ => None,
    })
}

fn each(message: &[u8], read: impl Fn(&[u8]) -> Option<Id>) -> Vec<Id> {
    if message.trim_ascii_start().first() != Some(&b'[') {
        return read(message).into_iter().collect();
    }
    Batch::parse(message.to_vec())
        .map_or_else(|_| Vec::new(), |batch| batch.messages().filter_map(read).collect())
}

/// Is this the answer to that request?
pub fn answers(line: &[u8], request: &Id) -> bool {
    Message::parse(line.to_vec()).is_ok_and(|message| is_answer(&message, request))
}

/// As [`answers`], of what was read already.
pub fn is_answer(message: &Message, request: &Id) -> bool {
    match message.kind() {
        Kind::Response { id } | Kind::Error { id: Some(id), .. } => id == request,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outgoing {
        Outgoing::read(text.as_bytes().to_vec())
    }

    #[test]
    fn a_modern_call_names_its_version_and_tool() {
        let call = read(
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        );
        assert_eq!(call.id, Id::from_json("7"));
        assert_eq!(call.name.as_deref(), Some("echo"));
        assert!(call.is_stateless());
    }

    #[test]
    fn an_older_call_has_no_version_of_its_own() {
        let call =
            read(r#"{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"file:///x"}}"#);
        assert_eq!(call.id, Id::from_json("\"a\""));
        assert_eq!(call.name.as_deref(), Some("file:///x"));
        assert!(!call.is_stateless());
    }

    #[test]
    fn a_cancellation_names_what_it_cancels_and_an_answer_names_nothing() {
        let cancelled =
            read(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"r-1"}}"#);
        assert_eq!(cancelled.cancels, Id::from_json("\"r-1\""));
        let answer = read(r#"{"jsonrpc":"2.0","id":3,"result":{}}"#);
        assert_eq!((answer.id, answer.method), (None, None));
    }

    #[test]
    fn a_batch_asks_and_answers_for_each_of_its_messages() {
        let (one, two) = (Id::from_json("1").unwrap(), Id::from_json("\"2\"").unwrap());
        let batch = br#" [{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":"2","method":"ping"}]"#;
        assert_eq!(asked_by(batch), [one.clone(), two.clone()]);
        let answers = br#"[{"jsonrpc":"2.0","id":"2","result":{}},{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":""}}]"#;
        assert_eq!(answered_in(answers), [two, one.clone()]);
        assert_eq!(asked_by(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), [one]);
        assert!(asked_by(b"[").is_empty());
    }

    #[test]
    fn an_answer_is_known_by_its_id_and_its_ids_type() {
        let three = Id::from_json("3").unwrap();
        assert!(answers(br#"{"jsonrpc":"2.0","id":3,"result":{}}"#, &three));
        assert!(!answers(br#"{"jsonrpc":"2.0","id":"3","result":{}}"#, &three));
        assert!(!answers(br#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#, &three));
    }
}
