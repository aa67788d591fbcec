//! What a client said that a new server has to hear before it can go on where the old one ended: a
//! restarted process, or a remote server that has forgotten the session (2024-11-05 to 2025-11-25).
//!
//! Knows the messages, and neither processes nor connections. A conversation of 2026-07-28 has no
//! opening: each of its requests says everything itself.

use crate::transport::outgoing::Outgoing;
use mcp::Id;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;

/// Longer messages are no part of an opening; the search for one ends there.
const LONGEST: usize = 64 * 1024;
/// Subscriptions kept; who has more gets the newest ones back.
const MAX_SUBSCRIBED: usize = 256;

/// The client's own bytes, as they passed the gate.
#[derive(Debug, Default, Clone)]
pub struct Opening {
    initialize: Option<(Id, Vec<u8>)>,
    initialized: Option<Vec<u8>>,
    /// The last `logging/setLevel`.
    level: Option<(Id, Vec<u8>)>,
    /// By URI, oldest first.
    subscribed: Vec<(String, Id, Vec<u8>)>,
    /// Some request named its protocol version itself (since 2026-07-28): this one.
    stateless: Option<String>,
    agreed: Option<Agreed>,
}

/// What the server's answer to `initialize` fixed for the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    pub version: String,
    capabilities: Value,
    /// Name and version; another one is no other conversation.
    pub server: String,
}

/// The conversation begun anew, message by message.
pub struct Replay {
    pub id: Id,
    pub initialize: Vec<u8>,
    pub agreed: Agreed,
    pub initialized: Option<Vec<u8>>,
    /// Requests whose answers the client had already.
    pub requests: Vec<(Id, Vec<u8>)>,
}

impl Opening {
    /// Keeps a message where it belongs to the opening. Costs a look at the bytes, no more, once the
    /// conversation has begun.
    pub fn hear(&mut self, message: &[u8]) {
        if message.len() > LONGEST || (self.has_begun() && !may_belong(message)) {
            return;
        }
        self.keep(&Outgoing::read(message.to_vec()));
    }

    /// As [`Self::hear`], for a message that was read already.
    pub fn keep(&mut self, message: &Outgoing) {
        if let Some(version) = &message.version {
            self.stateless.get_or_insert_with(|| version.clone());
            return;
        }
        let bytes = || message.bytes.to_vec();
        match (message.method.as_deref(), message.id.clone()) {
            (Some("initialize"), Some(id)) => {
                *self = Self { initialize: Some((id, bytes())), ..Self::default() };
            }
            (Some("notifications/initialized"), None) => self.initialized = Some(bytes()),
            (Some("logging/setLevel"), Some(id)) => self.level = Some((id, bytes())),
            (Some("resources/subscribe"), Some(id)) => {
                let Some(uri) = message.uri() else { return };
                self.forget(&uri);
                if self.subscribed.len() == MAX_SUBSCRIBED {
                    self.subscribed.remove(0);
                }
                self.subscribed.push((uri, id, bytes()));
            }
            (Some("resources/unsubscribe"), Some(_)) => {
                if let Some(uri) = message.uri() {
                    self.forget(&uri);
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, uri: &str) {
        self.subscribed.retain(|(subscribed, ..)| subscribed != uri);
    }

    /// Whole; what comes from now on is looked at only where it may change something.
    fn has_begun(&self) -> bool {
        self.stateless.is_some() || self.initialized.is_some()
    }

    /// Is this the answer to `initialize`? Then it is kept.
    pub fn learn(&mut self, answer: &[u8]) {
        if let Some(agreed) = Agreed::read(answer) {
            self.agreed = Some(agreed);
        }
    }

    /// The request whose answer is to be learnt.
    pub fn awaited(&self) -> Option<&Id> {
        self.initialize.as_ref().filter(|_| self.agreed.is_none()).map(|(id, _)| id)
    }

    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    pub fn is_stateless(&self) -> bool {
        self.stateless_version().is_some()
    }

    /// What its requests say, where they say it themselves.
    pub fn stateless_version(&self) -> Option<&str> {
        // A refused `initialize` began nothing (a bridge may have gone on without it).
        self.stateless.as_deref().filter(|_| self.agreed.is_none())
    }

    /// What a new server has to hear; `None` where there is no conversation to go on with.
    pub fn replay(&self) -> Option<Replay> {
        let (id, initialize) = self.initialize.clone()?;
        let subscribed = self.subscribed.iter().map(|(_, id, bytes)| (id.clone(), bytes.clone()));
        Some(Replay {
            id,
            initialize,
            agreed: self.agreed.clone()?,
            initialized: self.initialized.clone(),
            requests: self.level.clone().into_iter().chain(subscribed).collect(),
        })
    }
}

/// Not a parse: whoever hides a method behind escapes is not healed, that is all.
fn may_belong(message: &[u8]) -> bool {
    ["initialize", "logging/setLevel", "resources/"]
        .iter()
        .any(|part| memmem::find(message, part.as_bytes()).is_some())
}

impl Agreed {
    /// Reads the answer to `initialize`.
    pub fn read(answer: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            result: InitializeResult,
        }
        #[derive(Deserialize)]
        struct InitializeResult {
            #[serde(rename = "protocolVersion")]
            version: String,
            #[serde(default)]
            capabilities: Value,
            #[serde(default, rename = "serverInfo")]
            server: Value,
        }
        let Answer { result } = serde_json::from_slice(answer).ok()?;
        let named = |what: &str| result.server[what].as_str().unwrap_or_default();
        let server = format!("{} {}", named("name"), named("version"));
        let server = server.trim().to_owned();
        Some(Self { version: result.version, capabilities: result.capabilities, server })
    }

    /// In what a new server's answer is another one, for a sentence; `None` where the client need not
    /// know that it is a new one.
    pub fn differs(&self, new: &Self) -> Option<String> {
        if self.version != new.version {
            return Some(format!(
                "it speaks protocol {} now, and spoke {} before",
                new.version, self.version
            ));
        }
        (self.capabilities != new.capabilities).then(|| "its capabilities are others than before".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(messages: &[&str]) -> Opening {
        let mut opening = Opening::default();
        for message in messages {
            opening.hear(message.as_bytes());
        }
        opening
    }

    const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    const ANSWER: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}"#;

    fn subscribe(id: u32, uri: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"resources/subscribe","params":{{"uri":"{uri}"}}}}"#)
    }

    #[test]
    fn a_new_server_hears_the_clients_own_bytes_and_what_is_still_wanted() {
        let level = r#"{"jsonrpc":"2.0","id":"l","method":"logging\/setLevel","params":{"level":"debug"}} "#;
        let level = level.replace(r"\/", "/");
        let (a, b, again) = (subscribe(1, "a:"), subscribe(2, "b:"), subscribe(3, "a:"));
        let no_more = r#"{"jsonrpc":"2.0","id":4,"method":"resources/unsubscribe","params":{"uri":"b:"}}"#;
        let call = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"resources/x"}}"#;
        let mut opening = opened(&[INITIALIZE, INITIALIZED, &level, &a, &b, &again, no_more, call]);
        assert_eq!(opening.awaited(), Id::from_json("0").as_ref());
        assert!(opening.replay().is_none(), "nothing was agreed yet");
        opening.learn(ANSWER.as_bytes());
        let replay = opening.replay().unwrap();
        assert_eq!((replay.initialize.as_slice(), opening.awaited()), (INITIALIZE.as_bytes(), None));
        assert_eq!(replay.initialized.as_deref(), Some(INITIALIZED.as_bytes()));
        let requests: Vec<_> = replay.requests.into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(requests, [level.into_bytes(), again.into_bytes()]);
    }

    #[test]
    fn a_client_that_begins_anew_leaves_nothing_of_the_old_conversation() {
        let mut opening = opened(&[INITIALIZE, INITIALIZED, &subscribe(1, "a:")]);
        opening.learn(ANSWER.as_bytes());
        opening.hear(INITIALIZE.as_bytes());
        assert!(opening.replay().is_none() && opening.agreed().is_none());
    }

    #[test]
    fn requests_that_say_everything_themselves_have_no_opening() {
        let discover = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert!(opened(&[discover]).is_stateless());
        assert!(!opened(&[discover, INITIALIZE]).is_stateless(), "the client fell back");
    }

    #[test]
    fn a_new_server_is_told_from_another_one() {
        let agreed = Agreed::read(ANSWER.as_bytes()).unwrap();
        assert_eq!(agreed.server, "s 1");
        for (from, to, differs) in [
            ("\"version\":\"1\"", "\"version\":\"2\"", false),
            ("2025-11-25", "2025-06-18", true),
            (r#""capabilities":{"tools":{}}"#, r#""capabilities":{}"#, true),
        ] {
            let other = Agreed::read(ANSWER.replace(from, to).as_bytes()).unwrap();
            assert_eq!(agreed.differs(&other).is_some(), differs, "{to}");
        }
    }

    #[test]
    fn a_client_subscribes_without_end() {
        let mut opening = opened(&[INITIALIZE, INITIALIZED]);
        opening.learn(ANSWER.as_bytes());
        (0..1000).for_each(|id| opening.hear(subscribe(id, &format!("r:{id}")).as_bytes()));
        let requests = opening.replay().unwrap().requests;
        assert_eq!(requests.len(), MAX_SUBSCRIBED);
        assert!(requests.last().unwrap().1.ends_with(br#""r:999"}}"#));
    }
}
