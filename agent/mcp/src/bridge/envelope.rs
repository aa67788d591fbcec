//! What a client says of itself: once in `initialize` up to 2025-11-25, in the `_meta` of every request
//! from 2026-07-28 on.

use super::object::{Change, changed, member, quoted, string};
use crate::message::Message;

/// The first revision without a handshake, and the only one of them that is bridged.
pub(super) const MODERN: &str = "2026-07-28";
/// The revisions with a handshake, the latest first.
pub(super) const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
pub(super) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
pub(super) const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// What a request of ours says of its client, where the client has not said it.
const NOBODY: &str = r#"{"name":"portreeve","version":"1"}"#;

/// A client: what it can do and what it is called, as JSON.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) capabilities: String,
    pub(super) info: String,
    /// The level of log messages it wants, as JSON.
    pub(super) level: Option<String>,
}

impl Envelope {
    /// From the `params` of `initialize`.
    pub(super) fn of_hello(params: &str) -> Self {
        let or = |key, otherwise: &str| object_in(params, key).unwrap_or(otherwise).to_owned();
        Self { capabilities: or("capabilities", "{}"), info: or("clientInfo", NOBODY), level: None }
    }

    /// From the `_meta` of a request.
    pub(super) fn of_request(message: &Message) -> Self {
        let meta = message.params().and_then(|params| member(params, "_meta")).unwrap_or("{}");
        let or = |key, otherwise: &str| object_in(meta, key).unwrap_or(otherwise).to_owned();
        let level = string(meta, LOG_LEVEL).map(|level| quoted(&level));
        Self { capabilities: or(CAPABILITIES, "{}"), info: or(CLIENT_INFO, NOBODY), level }
    }

    /// The `_meta` of a request of ours.
    pub(super) fn meta(&self) -> String {
        changed("{}", &self.additions())
    }

    /// What a request needs in its `_meta`; what the client has put there itself stays.
    pub(super) fn additions(&self) -> Vec<Change<'_>> {
        let mut changes = vec![
            Change::Default(VERSION, "\"2026-07-28\""),
            Change::Default(CAPABILITIES, &self.capabilities),
            Change::Default(CLIENT_INFO, &self.info),
        ];
        changes.extend(self.level.as_deref().map(|level| Change::Default(LOG_LEVEL, level)));
        changes
    }

    /// Does it offer this to servers: `elicitation`, `sampling`, `roots`?
    pub(super) fn offers(&self, feature: &str) -> bool {
        object_in(&self.capabilities, feature).is_some()
    }
}

/// What a server of the older eras has no use for.
pub(super) const REMOVALS: [Change<'static>; 4] =
    [Change::Drop(VERSION), Change::Drop(CAPABILITIES), Change::Drop(CLIENT_INFO), Change::Drop(LOG_LEVEL)];

/// Does this request say that it is of an era without a handshake?
pub(super) fn is_modern(message: &Message) -> bool {
    message.protocol_version().is_some_and(|version| version >= MODERN)
}

fn object_in<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    member(object, key).filter(|json| json.starts_with('{'))
}
