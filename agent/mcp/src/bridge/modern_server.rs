//! An older client (up to 2025-11-25) in front of a server that speaks 2026-07-28 only.
//!
//! Towards the client this is the server's side of a session; towards the server each request says all
//! there is to know of the client. The client's ids are kept.

use super::envelope::{Envelope, LEGACY, SERVER_INFO, is_modern};
use super::listening::Listening;
use super::object::{self, Change, changed, member, quoted, string};
use super::out::Out;
use super::own::{self, METHOD_NOT_FOUND};
use super::rounds::{Rounds, takes_rounds};
use super::tidy;
use crate::frame::Line;
use crate::message::{Id, Kind, Message};
use crate::reply::INVALID_PARAMS;
use crate::subject::Subject;
use std::collections::HashSet;

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

#[derive(Debug)]
pub(super) struct ModernServer {
    client: Envelope,
    /// The server's answer to `server/discover`.
    discovered: String,
    /// Lists of tools on their way, which older clients read more strictly.
    lists: HashSet<Id>,
    rounds: Rounds,
    listening: Listening,
}

impl ModernServer {
    /// Answers the client's `initialize` by what the server said to `server/discover`.
    pub(super) fn welcome(hello: &Message, discovered: &str, out: &mut Out) -> Self {
        let server = Self {
            client: Envelope::of_hello(hello.params().unwrap_or("{}")),
            discovered: discovered.to_owned(),
            lists: HashSet::new(),
            rounds: Rounds::default(),
            listening: Listening::of(member(discovered, "capabilities").unwrap_or("{}")),
        };
        server.greet(hello, out);
        server
    }

    fn greet(&self, hello: &Message, out: &mut Out) {
        let Kind::Request { id, .. } = hello.kind() else { return };
        let asked = hello.params().and_then(|params| string(params, "protocolVersion"));
        let version = LEGACY.iter().find(|known| asked.as_deref() == Some(**known)).unwrap_or(&LEGACY[0]);
        let capabilities = member(&self.discovered, "capabilities").unwrap_or("{}");
        let info = member(&self.discovered, "_meta").and_then(|meta| member(meta, SERVER_INFO));
        let info = info.unwrap_or(r#"{"name":"unnamed","version":""}"#);
        let version = quoted(version);
        let mut result = changed(
            "{}",
            &[
                Change::Set("protocolVersion", &version),
                Change::Set("capabilities", capabilities),
                Change::Set("serverInfo", info),
            ],
        );
        if let Some(instructions) = member(&self.discovered, "instructions") {
            result = changed(&result, &[Change::Set("instructions", instructions)]);
        }
        out.tell_client(own::result(id, &result), Some(id));
    }

    pub(super) fn client_says(&mut self, bytes: Vec<u8>, out: &mut Out) {
        let Ok(message) = Message::parse(bytes) else { return };
        match message.kind().clone() {
            // The server speaks of this era itself.
            Kind::Request { .. } if is_modern(&message) => out.tell_server(message.into_bytes()),
            Kind::Request { id, method } => self.request(&message, &id, &method, out),
            Kind::Notification { method } => self.notified(message, &method, out),
            Kind::Response { id } | Kind::Error { id: Some(id), .. } => {
                let is_ours = self.rounds.answered(&id, &message, out) || out.is_for_client(&id);
                if !is_ours {
                    // To a question that this server must not have asked, and did.
                    out.tell_server(message.into_bytes());
                }
            }
            Kind::Error { id: None, .. } => {}
        }
    }

    fn request(&mut self, message: &Message, id: &Id, method: &str, out: &mut Out) {
        let params = message.params().unwrap_or("{}");
        self.listening.renew(&self.client, out);
        match method {
            "initialize" => self.greet(message, out),
            "ping" => out.tell_client(own::result(id, "{}"), Some(id)),
            "logging/setLevel" => {
                let level = string(params, "level").filter(|level| LEVELS.contains(&level.as_str()));
                let Some(level) = level else {
                    let why = "`level` is not one of the eight levels of log messages";
                    return out.tell_client(own::error(id, INVALID_PARAMS, why), Some(id));
                };
                self.client.level = Some(quoted(&level));
                out.tell_client(own::result(id, "{}"), Some(id));
            }
            "resources/subscribe" | "resources/unsubscribe" => {
                let Some(uri) = string(params, "uri") else {
                    let why = "`uri` is not a string";
                    return out.tell_client(own::error(id, INVALID_PARAMS, why), Some(id));
                };
                if method == "resources/subscribe" {
                    self.listening.subscribe(id, uri, &self.client, out);
                } else {
                    self.listening.unsubscribe(&uri, &self.client, out);
                    out.tell_client(own::result(id, "{}"), Some(id));
                }
            }
            "tasks/get" | "tasks/result" | "tasks/list" | "tasks/cancel" => {
                let why = "This client speaks of tasks as MCP 2025-11-25 has them, and the server speaks \
                           2026-07-28, where they are another thing: Portreeve does not bridge them. Call the \
                           tool without a task, or use a client that speaks 2026-07-28.";
                out.tell_client(own::error(id, METHOD_NOT_FOUND, why), Some(id));
            }
            _ => {
                let dressed = object::with_request_meta(message, &self.client.additions());
                if takes_rounds(method) {
                    self.rounds.asked(id, method, &dressed);
                } else if method == "tools/list" {
                    self.lists.insert(id.clone());
                }
                out.tell_server(dressed);
            }
        }
    }

    fn notified(&mut self, message: Message, method: &str, out: &mut Out) {
        match (method, message.subject()) {
            ("notifications/initialized", _) => self.listening.begin(&self.client, out),
            // There are no questions of the server's that they could be about.
            ("notifications/roots/list_changed" | "notifications/progress", _) => {}
            (_, Subject::Cancelled { request: Some(id) }) => {
                let id = id.clone();
                self.lists.remove(&id);
                match self.rounds.cancelled(&id, out) {
                    Some(at_server) if at_server == id => out.tell_server(message.into_bytes()),
                    Some(at_server) => {
                        let id = Change::Set("requestId", at_server.as_json());
                        out.tell_server(object::with_params(&message, &[id]));
                    }
                    None => {}
                }
            }
            _ => out.tell_server(message.into_bytes()),
        }
    }

    pub(super) fn server_says(&mut self, line: Line, with: Option<&Id>, out: &mut Out) {
        let with = with.map(|id| self.rounds.client_id(id));
        let with = with.filter(|id| !out.is_for_server(id));
        let message = match line.message() {
            Ok(message) => message,
            Err(line) => return out.pass(self.rounds.found_again(line), with.as_ref()),
        };
        match message.kind().clone() {
            Kind::Response { id } | Kind::Error { id: Some(id), .. } => {
                if self.listening.answered(&id, &message, out) {
                    return;
                }
                if self.lists.remove(&id) {
                    return out.tell_client(tidy::list(message), Some(&id));
                }
                if let Some(message) = self.rounds.answer(&id, message, out) {
                    out.tell_client(message.into_bytes(), with.as_ref());
                }
            }
            Kind::Notification { .. } => {
                if !self.listening.told(&message, out) {
                    out.tell_client(message.into_bytes(), with.as_ref());
                }
            }
            Kind::Request { .. } | Kind::Error { id: None, .. } => {
                out.tell_client(message.into_bytes(), with.as_ref());
            }
        }
    }
}
