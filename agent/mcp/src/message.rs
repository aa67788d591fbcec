//! One JSON-RPC message: its envelope read, its bytes kept.
//!
//! Reads only what somebody in front of a server has to know; everything else stays the text it is.

use crate::beyond::{self, Beyond};
use crate::malformed::Malformed;
use crate::members::{self, Members};
use crate::outline::Outline;
use crate::scan;
use crate::subject::Asked;
pub use crate::subject::Subject;
use std::ops::Range;

/// The longest request id taken. Ids of open requests are held in memory.
pub const MAX_ID_BYTES: usize = 1024;

pub(crate) const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// A request id: a string or an integer, as canonical JSON text, so that two spellings of one id
/// (`"a"` and `"\u0061"`) are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Box<str>);

impl Id {
    /// The JSON text of the id, with quotes where it is a string.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Reads a string or an integer; `None` for anything else, and for what is longer than
    /// [`MAX_ID_BYTES`].
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        if json.len() > MAX_ID_BYTES {
            return None;
        }
        if json.starts_with('"') {
            let text = serde_json::to_string(&members::string(json)?).ok()?;
            return Some(Self(text.into()));
        }
        let digits = json.strip_prefix('-').unwrap_or(json);
        // To some readers `-0` is the integer 0, to others a fraction that equals no integer.
        let integer = digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.is_empty()
            && (json == "0" || !digits.starts_with('0'));
        integer.then(|| Self(json.into()))
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

/// A message that passed the strict scan. Holds the original bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    text: String,
    kind: Kind,
    /// Where `params` stands in the text of a request or notification.
    params: Option<Range<usize>>,
    answer: Answer,
    asked: Asked,
    says_beyond: bool,
}

/// Where the parts of an answer stand in its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Answer {
    result: Option<Range<usize>>,
    error: Option<Range<usize>>,
    input_requests: Option<Range<usize>>,
    request_state: Option<Range<usize>>,
    task: Option<Range<usize>>,
    tool_error: bool,
}

impl Message {
    /// # Errors
    /// See [`Malformed`]. Nothing of the bytes is to be forwarded then.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Malformed> {
        Self::parse_or_return(bytes).map_err(|(why, _)| why)
    }

    /// As [`Message::parse`], for callers that want to look for an id in what could not be read.
    ///
    /// # Errors
    /// The fault, and the bytes it was found in.
    pub fn parse_or_return(bytes: Vec<u8>) -> Result<Self, (Malformed, Vec<u8>)> {
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => return Err((Malformed::NotUtf8 { at: e.utf8_error().valid_up_to() }, e.into_bytes())),
        };
        let read = scan::outline(&text).and_then(|outline| read(&outline));
        match read {
            Ok(Read { kind, params, answer, asked, says_beyond }) => {
                Ok(Self { text, kind, params, answer, asked, says_beyond })
            }
            Err(why) => Err((why, text.into_bytes())),
        }
    }

    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// The same message with every raw line break a space. They stand between tokens only, so it means
    /// the same; but a reader that ends lines at a carriage return too would find other messages in it.
    #[must_use]
    pub fn on_one_line(mut self) -> Self {
        if memchr::memchr2(b'\n', b'\r', self.text.as_bytes()).is_some() {
            self.text = self.text.replace(['\n', '\r'], " ");
        }
        self
    }

    /// What a request or notification is about. [`Subject::Other`] for answers.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        self.asked.subject(&self.text)
    }

    /// `claudecode/toolUseId` of the request's `_meta`.
    #[must_use]
    pub fn tool_use_id(&self) -> Option<&str> {
        self.asked.tool_use_id.as_deref()
    }

    /// `io.modelcontextprotocol/protocolVersion` of the request's `_meta`: every request from
    /// 2026-07-28 on carries it, none before does.
    #[must_use]
    pub fn protocol_version(&self) -> Option<&str> {
        self.asked.protocol_version.as_deref()
    }

    /// Name and version of the client, from `initialize` or `_meta`. Unverified.
    #[must_use]
    pub fn client_info(&self) -> Option<(&str, &str)> {
        self.asked.client_info.as_ref().map(|(name, version)| (name.as_str(), version.as_str()))
    }

    /// Does a request or notification say more than its method is there for? See [`Message::beyond`].
    #[must_use]
    pub fn says_beyond(&self) -> bool {
        self.says_beyond
    }

    /// What it says beyond that. Walks the message where there is something.
    #[must_use]
    pub fn beyond(&self) -> Vec<Beyond<'_>> {
        match &self.kind {
            Kind::Request { method, .. } | Kind::Notification { method } if self.says_beyond => {
                beyond::of(self, method)
            }
            _ => Vec::new(),
        }
    }

    /// The JSON text of `params`, an object.
    #[must_use]
    pub fn params(&self) -> Option<&str> {
        self.params.clone().map(|range| &self.text[range])
    }

    /// The JSON text of `result`.
    #[must_use]
    pub fn result(&self) -> Option<&str> {
        self.answer.result.clone().map(|range| &self.text[range])
    }

    /// The JSON text of `error`.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.answer.error.clone().map(|range| &self.text[range])
    }

    /// The JSON text of `result.inputRequests` (2026-07-28): what the server wants of the client first.
    #[must_use]
    pub fn input_requests(&self) -> Option<&str> {
        self.answer.input_requests.clone().map(|range| &self.text[range])
    }

    /// What joins the rounds of one call (2026-07-28): in a result the state that the client is to come again
    /// with, in a request the one it comes again with.
    #[must_use]
    pub fn request_state(&self) -> Option<String> {
        members::string(&self.text[self.answer.request_state.clone()?])
    }

    /// The id of the task that a result says was made: `result.task.taskId` in 2025-11-25,
    /// `result.taskId` beside `"resultType": "task"` in 2026-07-28.
    #[must_use]
    pub fn made_task(&self) -> Option<String> {
        let task = &self.text[self.answer.task.clone()?];
        if task.starts_with('{') { Members::of(task)?.string("taskId") } else { members::string(task) }
    }

    /// The protocol version that the result of `initialize` settles on. Walks the result.
    #[must_use]
    pub fn settled_version(&self) -> Option<String> {
        Members::of(self.result()?)?.string("protocolVersion")
    }

    /// Is it a result that says `"isError": true`, the tool's own failure?
    #[must_use]
    pub fn is_tool_error(&self) -> bool {
        self.answer.tool_error
    }

    /// The whole message.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

struct Read {
    kind: Kind,
    params: Option<Range<usize>>,
    answer: Answer,
    asked: Asked,
    says_beyond: bool,
}

impl Read {
    fn answer(kind: Kind, answer: Answer) -> Self {
        Self { kind, params: None, answer, asked: Asked::default(), says_beyond: false }
    }
}

/// Reads the envelope of text that passed the scan.
fn read(outline: &Outline<'_>) -> Result<Read, Malformed> {
    let members = outline.envelope()?;
    if let Some((key, known)) = members.lookalike(ENVELOPE) {
        return Err(Malformed::LookalikeKey { key, known, place: "the envelope" });
    }
    if members.string("jsonrpc").as_deref() != Some("2.0") {
        return Err(Malformed::NotJsonRpc2);
    }
    match (members.get("method"), members.get("result"), members.get("error")) {
        (Some(method), None, None) => read_request(outline, method, &members),
        (Some(_), _, _) => Err(Malformed::RequestAndAnswer),
        (None, Some(_), Some(_)) => Err(Malformed::ResultAndError),
        (None, None, None) => Err(Malformed::NoShape),
        (None, Some(result), None) => {
            let id = members.get("id").ok_or(Malformed::AnswerWithoutId)?;
            let id = Id::from_json(id).ok_or(Malformed::BadId)?;
            Ok(Read::answer(Kind::Response { id }, read_result(outline, result)?))
        }
        (None, None, Some(error)) => {
            let id = match members.get("id") {
                None | Some("null") => None,
                Some(id) => Some(Id::from_json(id).ok_or(Malformed::BadId)?),
            };
            let code = outline.inside("error", error).and_then(|error| error.get("code")?.parse().ok());
            let answer = Answer { error: Some(range_in(outline.text, error)), ..Answer::default() };
            Ok(Read::answer(Kind::Error { id, code: code.ok_or(Malformed::BadError)? }, answer))
        }
    }
}

fn read_result(outline: &Outline<'_>, result: &str) -> Result<Answer, Malformed> {
    let mut answer = Answer { result: Some(range_in(outline.text, result)), ..Answer::default() };
    let Some(inner) = outline.inside("result", result) else { return Ok(answer) };
    if let Some((key, known)) = inner.lookalike(&["inputRequests"]) {
        return Err(Malformed::LookalikeKey { key, known, place: "`result`" });
    }
    let place = |part| range_in(outline.text, part);
    let is_task = || inner.string("resultType").as_deref() == Some("task");
    answer.tool_error = inner.get("isError") == Some("true");
    answer.input_requests = inner.get("inputRequests").map(place);
    answer.request_state = inner.get("requestState").map(place);
    let task_of_2026 = || inner.get("taskId").filter(|_| is_task());
    answer.task = inner.get("task").or_else(task_of_2026).map(place);
    Ok(answer)
}

fn read_request(outline: &Outline<'_>, method: &str, members: &Members<'_>) -> Result<Read, Malformed> {
    let method = members::string(method).ok_or(Malformed::BadMethod)?;
    let id = match members.get("id") {
        Some(id) => Some(Id::from_json(id).ok_or(Malformed::BadId)?),
        None => None,
    };
    let params = members.get("params");
    let inner = match params.map(|params| outline.inside("params", params)) {
        Some(None) => return Err(Malformed::BadParams),
        Some(Some(inner)) => inner,
        None => Members::found(Vec::new()),
    };
    let place = |part: &str| range_in(outline.text, part);
    let (asked, meta) = Asked::read(&method, id.is_some(), &inner, place)?;
    let says_beyond = beyond::is_said(&method, members, &inner, meta.as_ref());
    let kind = match id {
        Some(id) => Kind::Request { id, method },
        None => Kind::Notification { method },
    };
    let request_state = inner.get("requestState").map(|state| range_in(outline.text, state));
    Ok(Read {
        params: params.map(|params| range_in(outline.text, params)),
        asked,
        says_beyond,
        ..Read::answer(kind, Answer { request_state, ..Answer::default() })
    })
}

/// Where `part`, a slice of `text`, stands in it.
pub(crate) fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests;
