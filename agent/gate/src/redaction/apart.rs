//! Which members of a message hold the protocol together, and which hold somebody's data.

use crate::secrets;

/// Names and marks that a message does not work without, by the member they stand under. Only their texts
/// and numbers: whatever else stands there is data.
const STRUCTURE: &[&str] = &[
    "action",
    "cacheScope",
    "createdAt",
    "cursor",
    "elicitationId",
    "id",
    "jsonrpc",
    "lastUpdatedAt",
    "level",
    "logger",
    "method",
    "mimeType",
    "mode",
    "model",
    "name",
    "nextCursor",
    "progressToken",
    "protocolVersion",
    "requestId",
    "requestState",
    "resultType",
    "role",
    "status",
    "stopReason",
    "taskId",
    "toolUseId",
    "traceparent",
    "tracestate",
    "type",
    "uri",
    "uriTemplate",
    "url",
];

/// Whose texts are not told: what is listed is a definition, and what opens a conversation says who is there.
const WHOLE: &[&str] = &[
    "initialize",
    "logging/setLevel",
    "notifications/initialized",
    "ping",
    "prompts/list",
    "resources/list",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "roots/list",
    "server/discover",
    "subscriptions/listen",
    "tools/list",
];

/// Names with `token` in them that turn pages and unlock nothing.
const NO_SECRETS: &[&str] =
    &["pagetoken", "nexttoken", "continuationtoken", "synctoken", "tokencount", "tokens"];

/// Does a value under this name have to be taken out for the name alone? Fewer than the record masks, as
/// what is forwarded has to work.
pub(super) fn is_secret(member: &str) -> bool {
    let plain: String = member.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    secrets::is_secret_key(member) && !NO_SECRETS.iter().any(|name| plain.ends_with(name))
}

/// What stands under a member of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Under {
    Structure,
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
    Protocol,
}

pub(super) fn under(member: &str) -> Under {
    match member {
        "arguments" | "structuredContent" | "metadata" | "input" | "experimental" => Under::Data,
        "content" => Under::DataOrContent,
        "data" => Under::DataOrMedia,
        "inputRequests" | "inputResponses" => Under::Named,
        "blob" => Under::Blob,
        _ if STRUCTURE.contains(&member) || member.starts_with("io.modelcontextprotocol/") => {
            Under::Structure
        }
        _ => Under::Protocol,
    }
}

/// Is a message about this method forwarded as it is, and the answer to it?
pub(crate) fn is_whole(method: &str) -> bool {
    WHOLE.contains(&method)
}
