//! What a request asks about, as far as somebody who judges it cares.

use crate::malformed::Malformed;
use crate::members::{self, Members};
use crate::message::Id;
use std::ops::Range;

/// What a request or notification is about. Text is decoded where it is a string and JSON as it stood
/// where it is a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject<'a> {
    /// `tools/call`; `arguments` is the JSON text of an object.
    ToolCall {
        name: &'a str,
        arguments: Option<&'a str>,
    },
    /// `tools/list`; `first_page` where no cursor was given.
    ToolList {
        first_page: bool,
    },
    Initialize,
    /// `server/discover` (2026-07-28).
    Discover,
    /// `subscriptions/listen` (2026-07-28); did it ask for changes of the tool list?
    Listen {
        tools: bool,
    },
    /// `notifications/cancelled`; `None` where it names no request.
    Cancelled {
        request: Option<&'a Id>,
    },
    /// `notifications/subscriptions/acknowledged`; `None` where it names no subscription.
    Acknowledged {
        listen: Option<&'a Id>,
    },
    Other,
}

/// The owned form that a message keeps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    about: About,
    pub(crate) tool_use_id: Option<String>,
    pub(crate) protocol_version: Option<String>,
    pub(crate) client_info: Option<(String, String)>,
}

#[derive(Debug, Clone, Default)]
enum About {
    ToolCall {
        name: String,
        arguments: Option<Range<usize>>,
    },
    ToolList {
        first_page: bool,
    },
    Initialize,
    Discover,
    Listen {
        tools: bool,
    },
    Cancelled {
        request: Option<Id>,
    },
    Acknowledged {
        listen: Option<Id>,
    },
    #[default]
    Other,
}

const TOOL_USE_ID: &str = "claudecode/toolUseId";
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

/// The methods of MCP that somebody in front of a server acts on. A server that ignores case or blanks
/// in them would act on other spellings.
const METHODS: &[&str] = &[
    "tools/call",
    "tools/list",
    "resources/read",
    "resources/subscribe",
    "prompts/get",
    "completion/complete",
    "initialize",
    "server/discover",
    "subscriptions/listen",
    "notifications/cancelled",
];

impl Asked {
    /// `place` says where a slice of `params` stands in the whole message.
    pub(crate) fn read(
        method: &str,
        has_id: bool,
        params: &Members<'_>,
        place: impl Fn(&str) -> Range<usize>,
    ) -> Result<Self, Malformed> {
        if let Some(known) = members::mistaken_for(method, METHODS) {
            return Err(Malformed::LookalikeMethod { method: method.to_owned(), known });
        }
        if method == "tools/call" && !has_id {
            return Err(Malformed::CallWithoutId);
        }
        if let Some((key, known)) = params.lookalike(read_by(method)) {
            return Err(Malformed::LookalikeKey { key, known, place: "`params`" });
        }
        let meta = match params.get("_meta").map(Members::of) {
            Some(None) => return Err(Malformed::BadMeta),
            Some(meta) => meta,
            None => None,
        };
        let about = About::read(method, params, meta.as_ref(), place)?;
        let meta_string = |key| meta.as_ref().and_then(|meta| meta.string(key));
        let client = match about {
            About::Initialize => params.get("clientInfo"),
            _ => meta.as_ref().and_then(|meta| meta.get(CLIENT_INFO)),
        };
        Ok(Self {
            about,
            tool_use_id: meta_string(TOOL_USE_ID),
            protocol_version: meta_string(PROTOCOL_VERSION),
            client_info: client.and_then(name_and_version),
        })
    }

    pub(crate) fn subject<'a>(&'a self, text: &'a str) -> Subject<'a> {
        match &self.about {
            About::ToolCall { name, arguments } => {
                Subject::ToolCall { name, arguments: arguments.clone().map(|range| &text[range]) }
            }
            About::ToolList { first_page } => Subject::ToolList { first_page: *first_page },
            About::Initialize => Subject::Initialize,
            About::Discover => Subject::Discover,
            About::Listen { tools } => Subject::Listen { tools: *tools },
            About::Cancelled { request } => Subject::Cancelled { request: request.as_ref() },
            About::Acknowledged { listen } => Subject::Acknowledged { listen: listen.as_ref() },
            About::Other => Subject::Other,
        }
    }
}

impl About {
    fn read(
        method: &str,
        params: &Members<'_>,
        meta: Option<&Members<'_>>,
        place: impl Fn(&str) -> Range<usize>,
    ) -> Result<Self, Malformed> {
        Ok(match method {
            "tools/call" => {
                let name = params.string("name").ok_or(Malformed::CallWithoutName)?;
                let arguments = params.get("arguments");
                if arguments.is_some_and(|arguments| !arguments.starts_with('{')) {
                    return Err(Malformed::BadArguments);
                }
                Self::ToolCall { name, arguments: arguments.map(place) }
            }
            "tools/list" => Self::ToolList { first_page: params.get("cursor").is_none() },
            "initialize" => Self::Initialize,
            "server/discover" => Self::Discover,
            "subscriptions/listen" => Self::Listen { tools: wants_tools(params) },
            "notifications/cancelled" => {
                Self::Cancelled { request: params.get("requestId").and_then(Id::from_json) }
            }
            "notifications/subscriptions/acknowledged" => {
                let listen = meta.and_then(|meta| meta.get(SUBSCRIPTION_ID)).and_then(Id::from_json);
                Self::Acknowledged { listen }
            }
            _ => Self::Other,
        })
    }
}

/// The members of `params` that we, or the record, go by. Whoever reads a lookalike for one of them
/// would act on something else than was judged.
fn read_by(method: &str) -> &'static [&'static str] {
    match method {
        "tools/call" | "prompts/get" => &["_meta", "name", "arguments"],
        "tools/list" => &["_meta", "cursor"],
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => &["_meta", "uri"],
        "completion/complete" => &["_meta", "ref", "argument"],
        "initialize" => &["_meta", "protocolVersion", "clientInfo"],
        "subscriptions/listen" => &["_meta", "notifications"],
        "notifications/cancelled" => &["_meta", "requestId"],
        _ => &["_meta"],
    }
}

fn wants_tools(params: &Members<'_>) -> bool {
    let filter = params.get("notifications").and_then(Members::of);
    filter.is_some_and(|filter| filter.get("toolsListChanged") == Some("true"))
}

fn name_and_version(json: &str) -> Option<(String, String)> {
    let info = Members::of(json)?;
    Some((info.string("name")?, members::string(info.get("version").unwrap_or("\"\"")).unwrap_or_default()))
}
