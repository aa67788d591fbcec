//! What a request asks about, as far as somebody who judges it cares.

use crate::list::{Changes, List};
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
    /// `prompts/get`; `arguments` is the JSON text of an object.
    Prompt {
        name: &'a str,
        arguments: Option<&'a str>,
    },
    /// `resources/read` and `resources/subscribe`.
    Resource {
        uri: &'a str,
    },
    /// `completion/complete`: whatever its `ref` names, be its type what it may.
    Completion {
        prompt: Option<&'a str>,
        resource: Option<&'a str>,
    },
    /// A page of one of the lists; `first_page` where no cursor was given.
    List {
        list: List,
        first_page: bool,
    },
    /// `tasks/get`, `tasks/result`, `tasks/update` and `tasks/cancel`; `None` where none is named.
    Task {
        id: Option<&'a str>,
    },
    Initialize,
    /// `server/discover` (2026-07-28).
    Discover,
    /// `subscriptions/listen` (2026-07-28): the changes of lists and the resources it asked for.
    Listen {
        changes: Changes,
        resources: &'a [String],
    },
    /// `notifications/cancelled`; `None` where it names no request.
    Cancelled {
        request: Option<&'a Id>,
    },
    /// `notifications/subscriptions/acknowledged`; `None` where it names no subscription.
    Acknowledged {
        listen: Option<&'a Id>,
    },
    /// `notifications/resources/updated`.
    Updated {
        uri: &'a str,
    },
    Other,
}

/// The owned form that a message keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    about: About,
    pub(crate) tool_use_id: Option<String>,
    pub(crate) protocol_version: Option<String>,
    pub(crate) client_info: Option<(String, String)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum About {
    ToolCall {
        name: String,
        arguments: Option<Range<usize>>,
    },
    Prompt {
        name: String,
        arguments: Option<Range<usize>>,
    },
    Resource {
        uri: String,
    },
    Completion {
        prompt: Option<String>,
        resource: Option<String>,
    },
    List {
        list: List,
        first_page: bool,
    },
    Task {
        id: Option<String>,
    },
    Initialize,
    Discover,
    Listen {
        changes: Changes,
        resources: Vec<String>,
    },
    Cancelled {
        request: Option<Id>,
    },
    Acknowledged {
        listen: Option<Id>,
    },
    Updated {
        uri: String,
    },
    #[default]
    Other,
}

const TOOL_USE_ID: &str = "claudecode/toolUseId";
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

/// The methods of MCP that somebody in front of a server acts on. A peer that ignores case or blanks
/// in them would act on other spellings.
pub(crate) const METHODS: &[&str] = &[
    "tools/call",
    "tools/list",
    "resources/read",
    "resources/subscribe",
    "resources/list",
    "resources/templates/list",
    "prompts/get",
    "prompts/list",
    "completion/complete",
    "tasks/get",
    "tasks/result",
    "tasks/update",
    "tasks/cancel",
    "tasks/list",
    "initialize",
    "server/discover",
    "subscriptions/listen",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "notifications/cancelled",
];

/// Requests that are judged by what they name. Without an `id` nobody waits for them, and a peer might do
/// them all the same.
const NAMED: &[&str] = &[
    "tools/call",
    "resources/read",
    "resources/subscribe",
    "prompts/get",
    "completion/complete",
    "tasks/result",
    "tasks/update",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
];

impl Asked {
    /// `place` says where a slice of `params` stands in the whole message. Gives the members of `_meta` as well,
    /// which are read here.
    pub(crate) fn read<'a>(
        method: &str,
        has_id: bool,
        params: &Members<'a>,
        place: impl Fn(&str) -> Range<usize>,
    ) -> Result<(Self, Option<Members<'a>>), Malformed> {
        if let Some(known) = members::mistaken_for(method, METHODS) {
            return Err(Malformed::LookalikeMethod { method: method.to_owned(), known });
        }
        if !has_id && let Some(method) = NAMED.iter().copied().find(|named| *named == method) {
            return Err(Malformed::CallWithoutId { method });
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
        let asked = Self {
            about,
            tool_use_id: meta_string(TOOL_USE_ID),
            protocol_version: meta_string(PROTOCOL_VERSION),
            client_info: client.and_then(name_and_version),
        };
        Ok((asked, meta))
    }

    pub(crate) fn subject<'a>(&'a self, text: &'a str) -> Subject<'a> {
        match &self.about {
            About::ToolCall { name, arguments } => {
                Subject::ToolCall { name, arguments: arguments.clone().map(|range| &text[range]) }
            }
            About::Prompt { name, arguments } => {
                Subject::Prompt { name, arguments: arguments.clone().map(|range| &text[range]) }
            }
            About::Resource { uri } => Subject::Resource { uri },
            About::Completion { prompt, resource } => {
                Subject::Completion { prompt: prompt.as_deref(), resource: resource.as_deref() }
            }
            About::List { list, first_page } => Subject::List { list: *list, first_page: *first_page },
            About::Task { id } => Subject::Task { id: id.as_deref() },
            About::Initialize => Subject::Initialize,
            About::Discover => Subject::Discover,
            About::Listen { changes, resources } => Subject::Listen { changes: *changes, resources },
            About::Cancelled { request } => Subject::Cancelled { request: request.as_ref() },
            About::Acknowledged { listen } => Subject::Acknowledged { listen: listen.as_ref() },
            About::Updated { uri } => Subject::Updated { uri },
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
        if let Some(list) = List::ALL.into_iter().find(|list| list.method() == method) {
            return Ok(Self::List { list, first_page: params.get("cursor").is_none() });
        }
        Ok(match method {
            "tools/call" => {
                let name = params.string("name").ok_or(Malformed::CallWithoutName)?;
                Self::ToolCall { name, arguments: arguments(params, "tools/call")?.map(place) }
            }
            "prompts/get" => {
                let name = params.string("name").ok_or(Malformed::PromptWithoutName)?;
                Self::Prompt { name, arguments: arguments(params, "prompts/get")?.map(place) }
            }
            "resources/read" | "resources/subscribe" => {
                Self::Resource { uri: params.string("uri").ok_or(Malformed::ResourceWithoutUri)? }
            }
            "completion/complete" => completion(params)?,
            "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => {
                Self::Task { id: params.string("taskId") }
            }
            "initialize" => Self::Initialize,
            "server/discover" => Self::Discover,
            "subscriptions/listen" => listen(params)?,
            "notifications/cancelled" => {
                Self::Cancelled { request: params.get("requestId").and_then(Id::from_json) }
            }
            "notifications/subscriptions/acknowledged" => {
                let listen = meta.and_then(|meta| meta.get(SUBSCRIPTION_ID)).and_then(Id::from_json);
                Self::Acknowledged { listen }
            }
            "notifications/resources/updated" => match params.string("uri") {
                Some(uri) => Self::Updated { uri },
                None => Self::Other,
            },
            _ => Self::Other,
        })
    }
}

/// The members of `params` that we, or the record, go by. Whoever reads a lookalike for one of them
/// would act on something else than was judged.
fn read_by(method: &str) -> &'static [&'static str] {
    match method {
        "tools/call" | "prompts/get" => &["_meta", "name", "arguments"],
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" => &["_meta", "cursor"],
        "resources/read"
        | "resources/subscribe"
        | "resources/unsubscribe"
        | "notifications/resources/updated" => &["_meta", "uri"],
        "completion/complete" => &["_meta", "ref", "argument"],
        "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => &["_meta", "taskId"],
        "initialize" => &["_meta", "protocolVersion", "clientInfo"],
        "subscriptions/listen" => &["_meta", "notifications"],
        "notifications/cancelled" => &["_meta", "requestId"],
        _ => &["_meta"],
    }
}

/// The JSON text of `arguments`, which is an object where it is there.
fn arguments<'a>(params: &Members<'a>, method: &'static str) -> Result<Option<&'a str>, Malformed> {
    let arguments = params.get("arguments");
    if arguments.is_some_and(|arguments| !arguments.starts_with('{')) {
        return Err(Malformed::BadArguments { method });
    }
    Ok(arguments)
}

/// A reference with a name is about a prompt and one with a URI about a resource, whatever `type` says:
/// some servers do not look at it.
fn completion(params: &Members<'_>) -> Result<About, Malformed> {
    const KEYS: &[&str] = &["type", "name", "uri"];
    let reference = params.get("ref").and_then(Members::of).ok_or(Malformed::BadReference)?;
    if let Some((key, known)) = reference.lookalike(KEYS) {
        return Err(Malformed::LookalikeKey { key, known, place: "`params.ref`" });
    }
    let named = |key| match reference.get(key) {
        None => Ok(None),
        Some(json) => members::string(json).map(Some).ok_or(Malformed::BadReference),
    };
    Ok(About::Completion { prompt: named("name")?, resource: named("uri")? })
}

fn listen(params: &Members<'_>) -> Result<About, Malformed> {
    const KEYS: &[&str] =
        &["toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions"];
    let Some(filter) = params.get("notifications").and_then(Members::of) else {
        return Ok(About::Listen { changes: Changes::default(), resources: Vec::new() });
    };
    if let Some((key, known)) = filter.lookalike(KEYS) {
        return Err(Malformed::LookalikeKey { key, known, place: "`params.notifications`" });
    }
    let changes = Changes::where_so(|change| filter.get(change.filter()) == Some("true"));
    let resources = match filter.get("resourceSubscriptions") {
        None | Some("null") => Vec::new(),
        Some(list) => serde_json::from_str(list).map_err(|_| Malformed::BadSubscriptions)?,
    };
    Ok(About::Listen { changes, resources })
}

fn name_and_version(json: &str) -> Option<(String, String)> {
    let info = Members::of(json)?;
    Some((info.string("name")?, members::string(info.get("version").unwrap_or("\"\"")).unwrap_or_default()))
}
