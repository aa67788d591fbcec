//! One JSON-RPC message: its envelope read, its bytes kept.

use serde_json::value::RawValue;

/// A request id: a string or an integer, kept as the JSON text the peer wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// The JSON text of the id, with quotes where it is a string.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// Which of the four shapes of JSON-RPC 2.0 a message has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Request {
        id: Id,
        method: String,
    },
    Notification {
        method: String,
    },
    Response {
        id: Id,
    },
    /// An error answer; its id is `None` where the peer wrote `null`.
    Error {
        id: Option<Id>,
        code: i64,
    },
}

/// What a request asks about, as far as policy cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject<'a> {
    ToolCall { name: String, arguments: Option<&'a RawValueStr> },
    ToolList,
    Initialize,
    Discover,
    Other,
}

/// The raw JSON text of a member.
pub type RawValueStr = str;

/// Why bytes are not a message we take. Each has a stable code and names what to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("{0}")]
    Todo(String),
}

/// A message that passed the strict scan. Holds the original bytes.
#[derive(Debug, Clone)]
pub struct Message {}

impl Message {
    /// # Errors
    /// See [`Malformed`]. Nothing of the bytes is to be forwarded then.
    pub fn parse(_bytes: Vec<u8>) -> Result<Self, Malformed> {
        todo!()
    }

    #[must_use]
    pub fn kind(&self) -> &Kind {
        todo!()
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        todo!()
    }

    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        todo!()
    }

    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        todo!()
    }

    #[must_use]
    pub fn params(&self) -> Option<&RawValue> {
        todo!()
    }

    #[must_use]
    pub fn result(&self) -> Option<&RawValue> {
        todo!()
    }
}
