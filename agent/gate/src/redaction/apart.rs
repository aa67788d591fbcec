//! Which members of a message hold the protocol together, and which hold somebody's data.

use crate::secrets;
use std::borrow::Cow;

/// By these a message finds its way, wherever they stand below the upper levels: never looked at.
const IDENTITIES: &[&str] =
    &["elicitationId", "progressToken", "requestId", "taskId", "toolUseId", "uri", "uriTemplate", "url"];

/// The same in a result.
const OF_RESULTS: &[&str] = &["nextCursor", "protocolVersion", "requestState", "taskId"];

/// The same in `_meta`.
const OF_META: &[&str] = &[
    "progressToken",
    "claudecode/toolUseId",
    "traceparent",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/subscriptionId",
    "io.modelcontextprotocol/logLevel",
];

/// What stands in `_meta` and is built by the specification.
const PARTS_OF_META: &[&str] = &[
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/related-task",
    "io.modelcontextprotocol/serverInfo",
];

/// Of a list or a greeting: definitions, which are looked at by their pins.
const DEFINITIONS: &[&str] = &[
    "capabilities",
    "instructions",
    "prompts",
    "resourceTemplates",
    "resources",
    "serverInfo",
    "supportedVersions",
    "tools",
];

/// Words and dates of the specification: no pattern means them, but a secret in their place is one.
const WORDS: &[&str] = &[
    "action",
    "cacheScope",
    "createdAt",
    "lastModified",
    "lastUpdatedAt",
    "level",
    "mimeType",
    "mode",
    "resultType",
    "role",
    "status",
    "stopReason",
    "type",
];

/// What else the specification has: texts, and what is built of its parts.
const KNOWN: &[&str] = &[
    "annotations",
    "argument",
    "audience",
    "capabilities",
    "clientInfo",
    "code",
    "completion",
    "contents",
    "context",
    "description",
    "elicitations",
    "hasMore",
    "hints",
    "icons",
    "includeContext",
    "instructions",
    "isError",
    "logger",
    "maxTokens",
    "message",
    "messages",
    "model",
    "modelPreferences",
    "notifications",
    "pollInterval",
    "priority",
    "progress",
    "prompts",
    "promptsListChanged",
    "reason",
    "ref",
    "resource",
    "resourceTemplates",
    "resources",
    "resourcesListChanged",
    "result",
    "roots",
    "serverInfo",
    "size",
    "sizes",
    "src",
    "statusMessage",
    "stopSequences",
    "systemPrompt",
    "task",
    "tasks",
    "temperature",
    "text",
    "title",
    "toolChoice",
    "toolsListChanged",
    "total",
    "ttl",
    "ttlMs",
    "value",
    "values",
    "version",
    "websiteUrl",
];

/// What a server asks of a client.
const INPUTS: &[&str] = &["elicitation/create", "roots/list", "sampling/createMessage"];

/// The identities in the params of such a request.
pub(super) const OF_INPUTS: &[&str] = &["elicitationId", "url"];

/// The identities in the params of this method.
pub(super) fn of_params(method: &str) -> &'static [&'static str] {
    match method {
        "tools/call" | "prompts/get" => &["name", "requestState"],
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => &["uri", "requestState"],
        "notifications/resources/updated" => &["uri"],
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" | "tasks/list" => {
            &["cursor"]
        }
        "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" | "notifications/tasks/status" => {
            &["taskId"]
        }
        "notifications/progress" => &["progressToken"],
        "notifications/cancelled" => &["requestId"],
        "initialize" => &["protocolVersion"],
        "notifications/elicitation/complete" => &["elicitationId"],
        method if INPUTS.contains(&method) => OF_INPUTS,
        _ => &[],
    }
}

/// Names with `token` in them that turn pages and unlock nothing.
const NO_SECRETS: &[&str] =
    &["pagetoken", "nexttoken", "continuationtoken", "synctoken", "tokencount", "tokens"];

/// Does a value under this name have to be taken out for the name alone? Fewer than the record masks, as
/// what is forwarded has to work.
pub(super) fn is_secret(member: &str) -> bool {
    let plain: String = member.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    secrets::is_secret_key(member) && !NO_SECRETS.iter().any(|name| plain.ends_with(name))
}

/// Which part of a message an object of the protocol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `params`, with these identities.
    Params(&'static [&'static str]),
    Result,
    /// The result of a list, or of what opens a conversation.
    Definitions,
    Error,
    /// What is below.
    Inner,
}

/// What stands under a member of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Under {
    /// Its texts and numbers are never looked at; whatever else stands there is data.
    Identity,
    /// Nor is anything of it.
    Untouched,
    /// Only secrets are looked for.
    Word,
    /// Any JSON, whose shape is the tool's own.
    Data,
    /// Data, unless it says itself what type of content it is.
    DataOrContent,
    /// Data, unless it belongs to an image or to sound.
    DataOrMedia,
    /// Requests, or answers to them, under names of the sender's choice.
    Named,
    /// Base64.
    Blob,
    /// What a value has to be like, by names of the sender's choice.
    Schema,
    Meta,
    /// The params of a request inside an answer.
    Inputs,
    Protocol,
    /// Nothing that the specification knows: data, by its own name too.
    Foreign,
}

/// `beside` gives the text of another member of the same object.
pub(super) fn under<'t>(member: &str, part: Part, beside: impl Fn(&str) -> Option<Cow<'t, str>>) -> Under {
    match member {
        _ if part == Part::Definitions && DEFINITIONS.contains(&member) => Under::Untouched,
        _ if part.is_identity(member, beside) => Under::Identity,
        "data" if part == Part::Inner => Under::DataOrMedia,
        "arguments" | "structuredContent" | "metadata" | "input" | "experimental" | "data" => Under::Data,
        "content" => Under::DataOrContent,
        "inputRequests" | "inputResponses" => Under::Named,
        "blob" => Under::Blob,
        "requestedSchema" | "tools" => Under::Schema,
        "resourceSubscriptions" => Under::Untouched,
        "_meta" => Under::Meta,
        "params" => Under::Inputs,
        _ if WORDS.contains(&member) => Under::Word,
        _ if KNOWN.contains(&member) => Under::Protocol,
        _ => Under::Foreign,
    }
}

/// What stands under a member of `_meta`.
pub(super) fn under_meta(member: &str) -> Under {
    match member {
        _ if OF_META.contains(&member) => Under::Identity,
        _ if PARTS_OF_META.contains(&member) => Under::Protocol,
        _ => Under::Foreign,
    }
}

impl Part {
    fn is_identity<'t>(self, member: &str, beside: impl Fn(&str) -> Option<Cow<'t, str>>) -> bool {
        match self {
            Self::Params(known) => known.contains(&member),
            Self::Result | Self::Definitions => OF_RESULTS.contains(&member),
            Self::Error => false,
            Self::Inner => match member {
                // The name of what has an address is a text.
                "name" => beside("uri").is_none(),
                "id" => beside("type").as_deref() == Some("tool_use"),
                "method" => beside("method").is_some_and(|method| INPUTS.contains(&method.as_ref())),
                _ => IDENTITIES.contains(&member),
            },
        }
    }
}
