//! Why bytes are not a message we take. Nothing of such bytes is ever forwarded.

use thiserror::Error;

/// Each variant has a stable [`code`](Malformed::code) for the record and a sentence that names what
/// to mend. `at` counts bytes from 0 in the message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("the message is not UTF-8: byte {at} cannot be read")]
    NotUtf8 { at: usize },
    #[error("the message begins with a byte order mark, which JSON-RPC does not allow")]
    ByteOrderMark,
    #[error("the message is not JSON: {why} at byte {at}")]
    NotJson { why: String, at: usize },
    #[error("a string holds half of a surrogate pair at byte {at}")]
    LoneSurrogate { at: usize },
    #[error("a number at byte {at} is too large for a double, and readers disagree on what it means")]
    NumberOutOfRange { at: usize },
    #[error("the message is nested deeper than {max} levels at byte {at}", max = crate::scan::MAX_DEPTH)]
    TooDeep { at: usize },
    #[error("more data follows the message at byte {at}; one line carries one message")]
    TrailingData { at: usize },
    #[error(
        "the message is a batch (an array), which only the protocol version 2025-03-26 has; send each message on its own"
    )]
    Batch,
    #[error("the batch is empty")]
    EmptyBatch,
    #[error("the batch has {messages} messages; up to {max} are taken", max = crate::batch::MAX_MESSAGES)]
    LongBatch { messages: usize },
    #[error("the batch holds another batch")]
    NestedBatch,
    #[error("`initialize` stands in a batch; it has to come on its own")]
    InitializeInBatch,
    #[error("the message is not a JSON object")]
    NotAnObject,
    #[error(
        "the key {key:?} stands twice in one object at byte {at}, and readers disagree on which one counts"
    )]
    DuplicateKey { key: String, at: usize },
    #[error("the key {key:?} in {place} is not `{known}`, but some readers would take it for that")]
    LookalikeKey { key: String, known: &'static str, place: &'static str },
    #[error("`jsonrpc` is not \"2.0\"")]
    NotJsonRpc2,
    #[error("`id` is neither a string of up to {max} bytes nor an integer", max = crate::message::MAX_ID_BYTES)]
    BadId,
    #[error("`method` is not a string")]
    BadMethod,
    #[error("the method {method:?} is not `{known}`, but some readers would take it for that")]
    LookalikeMethod { method: String, known: &'static str },
    #[error("`params` is not an object")]
    BadParams,
    #[error("the message has neither `method` nor `result` nor `error`")]
    NoShape,
    #[error("the message is a request and an answer at once: `method` stands beside `result` or `error`")]
    RequestAndAnswer,
    #[error("the answer has both `result` and `error`")]
    ResultAndError,
    #[error("the answer has no `id`")]
    AnswerWithoutId,
    #[error("`error` is not an object with an integer `code`")]
    BadError,
    #[error("`{method}` came without an `id`; a call nobody waits for is not made")]
    CallWithoutId { method: &'static str },
    #[error("`tools/call` does not name its tool: `params.name` is not a string")]
    CallWithoutName,
    #[error("`prompts/get` does not name its prompt: `params.name` is not a string")]
    PromptWithoutName,
    #[error("the request does not name its resource: `params.uri` is not a string")]
    ResourceWithoutUri,
    #[error("`params.ref` of `completion/complete` is not an object whose `name` and `uri` are strings")]
    BadReference,
    #[error("`params.notifications.resourceSubscriptions` is not a list of strings")]
    BadSubscriptions,
    #[error("`params.arguments` of `{method}` is not an object")]
    BadArguments { method: &'static str },
    #[error("`params._meta` is not an object")]
    BadMeta,
}

impl Malformed {
    /// The stable name of this fault, for the record and for whoever counts them.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "not-utf8",
            Self::ByteOrderMark => "byte-order-mark",
            Self::NotJson { .. } => "not-json",
            Self::LoneSurrogate { .. } => "lone-surrogate",
            Self::NumberOutOfRange { .. } => "number-out-of-range",
            Self::TooDeep { .. } => "too-deep",
            Self::TrailingData { .. } => "trailing-data",
            Self::Batch => "batch",
            Self::EmptyBatch => "empty-batch",
            Self::LongBatch { .. } => "long-batch",
            Self::NestedBatch => "nested-batch",
            Self::InitializeInBatch => "initialize-in-batch",
            Self::NotAnObject => "not-an-object",
            Self::DuplicateKey { .. } => "duplicate-key",
            Self::LookalikeKey { .. } => "lookalike-key",
            Self::NotJsonRpc2 => "not-json-rpc-2",
            Self::BadId => "bad-id",
            Self::BadMethod => "bad-method",
            Self::LookalikeMethod { .. } => "lookalike-method",
            Self::BadParams => "bad-params",
            Self::NoShape => "no-shape",
            Self::RequestAndAnswer => "request-and-answer",
            Self::ResultAndError => "result-and-error",
            Self::AnswerWithoutId => "answer-without-id",
            Self::BadError => "bad-error",
            Self::CallWithoutId { .. } => "call-without-id",
            Self::CallWithoutName => "call-without-name",
            Self::PromptWithoutName => "prompt-without-name",
            Self::ResourceWithoutUri => "resource-without-uri",
            Self::BadReference => "bad-reference",
            Self::BadSubscriptions => "bad-subscriptions",
            Self::BadArguments { .. } => "bad-arguments",
            Self::BadMeta => "bad-meta",
        }
    }

    /// Is it text that is no JSON-RPC at all (a log line on stdout), rather than a broken message?
    #[must_use]
    pub fn is_parse_error(&self) -> bool {
        matches!(
            self,
            Self::NotUtf8 { .. }
                | Self::ByteOrderMark
                | Self::NotJson { .. }
                | Self::LoneSurrogate { .. }
                | Self::NumberOutOfRange { .. }
                | Self::TooDeep { .. }
                | Self::TrailingData { .. }
        )
    }
}
