//! A client that speaks 2026-07-28 only in front of a server of the older eras.
//!
//! Towards the server this is the client's side of one session, begun in the client's name; towards the
//! client each request stands for itself. Requests go to the server under ids of ours, since a call may
//! outlast the request that made it (see [`super::held`]).

use super::envelope::{Envelope, LEGACY, MODERN, REMOVALS, SERVER_INFO, is_modern};
use super::held::{Call, Held, Resumed};
use super::object::{self, Change, changed, member, quoted, string};
use super::out::Out;
use super::own::{self, METHOD_NOT_FOUND};
use super::rounds::takes_rounds;
use super::subscriptions::Subscriptions;
use crate::frame::Line;
use crate::message::{Id, Kind, Message};
use crate::reply::{INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST};
use crate::salvage::{salvage, salvage_ends};
use crate::subject::Subject;
use std::collections::HashMap;

/// So many bytes of messages wait for the handshake.
const MAX_WAITING: usize = 32 * 1024 * 1024;
/// "Resource not found", up to 2025-11-25; 2026-07-28 says -32602.
const RESOURCE_NOT_FOUND: i64 = -32002;
/// Results that may be cached since 2026-07-28, and so have to say for how long.
const CACHEABLE: [&str; 5] =
    ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"];

#[derive(Debug)]
pub(super) struct LegacyServer {
    stage: Stage,
    /// Requests at the server, by our id.
    asked: HashMap<Id, Asked>,
    held: Held,
    subscriptions: Subscriptions,
    /// The level that the server was last told, as JSON.
    level: Option<String>,
}

#[derive(Debug)]
enum Stage {
    Greeting {
        hello: Id,
        waiting: Vec<Vec<u8>>,
        bytes: usize,
    },
    /// The result of `initialize`.
    Ready(String),
    /// The server cannot be spoken to at all.
    Refused(String),
}

/// A request of the client's that is at the server.
#[derive(Debug)]
struct Asked {
    client: Id,
    method: String,
    wants_logs: bool,
}

impl LegacyServer {
    /// Begins a session in the client's name.
    pub(super) fn greet(client: &Envelope, out: &mut Out) -> Self {
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{}}}"#,
            LEGACY[0], client.capabilities, client.info
        );
        let hello = out.ask_server("initialize", &params);
        Self {
            stage: Stage::Greeting { hello, waiting: Vec::new(), bytes: 0 },
            asked: HashMap::new(),
            held: Held::default(),
            subscriptions: Subscriptions::default(),
            level: None,
        }
    }

    pub(super) fn client_says(&mut self, bytes: Vec<u8>, out: &mut Out) {
        let Ok(message) = Message::parse(bytes) else { return };
        match (&mut self.stage, message.kind().clone()) {
            (Stage::Greeting { waiting, bytes, .. }, kind) => {
                if *bytes + message.bytes().len() <= MAX_WAITING {
                    *bytes += message.bytes().len();
                    waiting.push(message.into_bytes());
                } else if let Kind::Request { id, .. } = kind {
                    let why = "The server has not finished its handshake, and too much waits for it already.";
                    out.tell_client(own::error(&id, INTERNAL_ERROR, why), Some(&id));
                }
            }
            (Stage::Refused(why), Kind::Request { id, .. }) => {
                out.tell_client(own::error(&id, INVALID_REQUEST, why), Some(&id));
            }
            (Stage::Ready(_), Kind::Request { id, method }) => self.request(&message, &id, &method, out),
            (Stage::Ready(_), Kind::Notification { method }) => self.notified(&message, &method, out),
            // Nobody has asked the client anything by a request.
            _ => {}
        }
    }

    fn request(&mut self, message: &Message, id: &Id, method: &str, out: &mut Out) {
        let Stage::Ready(welcome) = &self.stage else { return };
        let params = message.params().unwrap_or("{}");
        if !is_modern(message) {
            let why = format!(
                "This connection speaks MCP {MODERN}, as its first request did, and this request names no version in \
                 its `_meta`. Start the server anew to speak an older revision with it."
            );
            return out.tell_client(own::error(id, INVALID_PARAMS, &why), Some(id));
        }
        if let Some(asked) = message.protocol_version().filter(|asked| *asked != MODERN) {
            // Of an era to come: nobody here knows what it means by this.
            return out.tell_client(own::unsupported(id, asked, MODERN), Some(id));
        }
        match method {
            "server/discover" => {
                out.tell_client(own::result(id, &discovered(welcome)), Some(id));
            }
            "subscriptions/listen" => self.subscriptions.listen(id, params, welcome, out),
            "tasks/get" | "tasks/update" | "tasks/cancel" => {
                let why = format!(
                    "This client speaks of tasks as the extension to MCP {MODERN} has them, and the server speaks an \
                     older revision, where they are another thing: Portreeve does not bridge them. Call the tool \
                     without a task."
                );
                out.tell_client(own::error(id, METHOD_NOT_FOUND, &why), Some(id));
            }
            _ if takes_rounds(method) => match self.held.resume(message, id, out) {
                Resumed::Not => self.forward(message, id, method, out),
                Resumed::Done => {}
                Resumed::Waiting(at_server) => {
                    let wants_logs = Envelope::of_request(message).level.is_some();
                    let asked = Asked { client: id.clone(), method: method.to_owned(), wants_logs };
                    self.asked.insert(at_server, asked);
                }
                Resumed::Answered { call, answer } => {
                    self.release(&answer, call.method(), id, Some(&call), out);
                }
            },
            _ => self.forward(message, id, method, out),
        }
    }

    /// Sends a request without what only a newer server understands.
    fn forward(&mut self, message: &Message, id: &Id, method: &str, out: &mut Out) {
        let client = Envelope::of_request(message);
        if client.level.is_some() && client.level != self.level && self.has("logging") {
            let params = format!(r#"{{"level":{}}}"#, client.level.as_deref().unwrap_or("\"info\""));
            out.ask_server("logging/setLevel", &params);
            self.level.clone_from(&client.level);
        }
        let at_server = out.for_server();
        let mut text = object::with_request_meta(message, &REMOVALS);
        if takes_rounds(method) {
            let rest = [Change::Drop("inputResponses"), Change::Drop("requestState")];
            let params = member(&text, "params").map(|params| changed(params, &rest));
            if let Some(params) = params {
                text = changed(&text, &[Change::Set("params", &params)]);
            }
            self.held.begin(&at_server, id, method, message, &client);
        }
        let asked =
            Asked { client: id.clone(), method: method.to_owned(), wants_logs: client.level.is_some() };
        self.asked.insert(at_server.clone(), asked);
        out.tell_server(object::with_id(&text, &at_server));
    }

    fn has(&self, capability: &str) -> bool {
        let Stage::Ready(welcome) = &self.stage else { return false };
        member(welcome, "capabilities").is_some_and(|it| member(it, capability).is_some())
    }

    fn notified(&mut self, message: &Message, method: &str, out: &mut Out) {
        match (method, message.subject()) {
            (_, Subject::Cancelled { request: Some(id) }) => {
                if self.subscriptions.cancelled(id, out) {
                    return;
                }
                let at_server = self.asked.iter().find(|(_, asked)| asked.client == *id);
                let Some(at_server) = at_server.map(|(id, _)| id.clone()) else { return };
                self.asked.remove(&at_server);
                self.held.end(&at_server);
                let id = Change::Set("requestId", at_server.as_json());
                out.tell_server(object::with_params(message, &[id]));
            }
            ("notifications/initialized", _) => {}
            _ => out.tell_server(object::with_request_meta(message, &REMOVALS)),
        }
    }

    pub(super) fn server_says(&mut self, line: Line, with: Option<&Id>, out: &mut Out) {
        let client = with.and_then(|id| self.client_id(id));
        let message = match line.message() {
            Ok(message) => message,
            Err(line) => return self.unreadable(line, client.as_ref(), out),
        };
        match message.kind().clone() {
            Kind::Response { id } | Kind::Error { id: Some(id), .. } => self.answered(message, &id, out),
            Kind::Request { id, method } => self.asks(&message, &id, &method, with, out),
            Kind::Notification { method } => self.told(message, &method, client.as_ref(), out),
            Kind::Error { id: None, .. } => out.tell_client(message.into_bytes(), client.as_ref()),
        }
    }

    fn client_id(&self, at_server: &Id) -> Option<Id> {
        self.asked.get(at_server).map(|asked| asked.client.clone())
    }

    fn answered(&mut self, message: Message, id: &Id, out: &mut Out) {
        if let Stage::Greeting { hello, .. } = &self.stage
            && hello == id
        {
            return self.greeted(&message, out);
        }
        if self.subscriptions.answered(id, &message, out) || self.held.answered(id, &message) {
            return;
        }
        match self.asked.remove(id) {
            Some(Asked { client, method, .. }) => {
                let call = self.held.end(id);
                self.release(&message, &method, &client, call.as_ref(), out);
            }
            // An answer of ours, or one that came too late.
            None if out.is_for_server(id) => {}
            None => out.tell_client(message.into_bytes(), None),
        }
    }

    fn greeted(&mut self, answer: &Message, out: &mut Out) {
        let Stage::Greeting { waiting, .. } = &mut self.stage else { return };
        let waiting = std::mem::take(waiting);
        let version = answer.result().and_then(|result| string(result, "protocolVersion"));
        self.stage = match (version, answer.result()) {
            (Some(version), Some(result)) if LEGACY.contains(&version.as_str()) => {
                out.tell_server(own::notification("notifications/initialized", "{}"));
                Stage::Ready(result.to_owned())
            }
            (Some(version), _) => Stage::Refused(format!(
                "This client speaks MCP {MODERN} only. The server knows no request of it, and answered the handshake \
                 of older revisions by the unknown one {version:?}: there is nothing that both speak. Update the \
                 server, or use a client that speaks its revision."
            )),
            (None, _) => {
                let said = answer.error().and_then(|error| string(error, "message")).unwrap_or_default();
                Stage::Refused(format!(
                    "This client speaks MCP {MODERN} only, and the server an older revision, whose handshake it \
                     refused: {said:?}. Update the server, or use a client that speaks its revision."
                ))
            }
        };
        for message in waiting {
            self.client_says(message, out);
        }
    }

    /// An answer of the server's, for the client.
    fn release(&mut self, answer: &Message, method: &str, client: &Id, call: Option<&Call>, out: &mut Out) {
        let Stage::Ready(welcome) = &self.stage else { return };
        let text = match answer.kind() {
            Kind::Error { .. } if self.held.asks_for_visit(answer, call, client, out) => return,
            Kind::Error { code: RESOURCE_NOT_FOUND, .. } => {
                let code = INVALID_PARAMS.to_string();
                let error = changed(answer.error().unwrap_or("{}"), &[Change::Set("code", &code)]);
                changed(answer.text(), &[Change::Set("error", &error)])
            }
            Kind::Error { .. } => answer.text().to_owned(),
            _ => completed(answer, method, member(welcome, "serverInfo")),
        };
        out.tell_client(object::with_id(&text, client), Some(client));
    }

    /// The server asks something of the client.
    fn asks(&mut self, message: &Message, id: &Id, method: &str, with: Option<&Id>, out: &mut Out) {
        if method == "ping" {
            return out.tell_server(own::result(id, "{}"));
        }
        match self.held.question(message, method, with, out) {
            Ok(None) => {}
            // The client's request is answered, by the question; the call goes on.
            Ok(Some(at_server)) => drop(self.asked.remove(&at_server)),
            Err(why) => out.tell_server(own::error(id, METHOD_NOT_FOUND, &why)),
        }
    }

    fn told(&mut self, message: Message, method: &str, client: Option<&Id>, out: &mut Out) {
        match (method, message.subject()) {
            (_, Subject::Cancelled { request: Some(id) }) => self.held.withdrawn(id),
            ("notifications/message", _) => {
                if self.asked.values().any(|asked| asked.wants_logs) {
                    out.tell_client(message.into_bytes(), client);
                }
            }
            // Both are about what the older eras alone have.
            ("notifications/elicitation/complete" | "notifications/tasks/status", _) => {}
            _ => {
                if !self.subscriptions.told(&message, method, out) {
                    out.tell_client(message.into_bytes(), client);
                }
            }
        }
    }

    /// A line that is no message. Whoever waits for it as an answer is told.
    fn unreadable(&mut self, line: Line, client: Option<&Id>, out: &mut Out) {
        let found = match &line {
            Line::Whole(bytes) => salvage(bytes),
            Line::Read(message) => salvage(message.bytes()),
            Line::Oversize { head, tail, .. } => salvage_ends(head, tail),
        };
        let asked = found.id.filter(|_| !found.has_method).and_then(|id| {
            self.held.end(&id);
            self.asked.remove(&id)
        });
        out.pass(line, client);
        if let Some(Asked { client, .. }) = asked {
            let why = "The server's answer cannot be read, or is too long.";
            out.tell_client(own::error(&client, INTERNAL_ERROR, why), Some(&client));
        }
    }
}

/// A result of an older server with what a newer client needs in it.
pub(super) fn completed(answer: &Message, method: &str, server: Option<&str>) -> String {
    let mut changes = vec![Change::Set("resultType", "\"complete\"")];
    if CACHEABLE.contains(&method) {
        changes.extend([Change::Default("ttlMs", "0"), Change::Default("cacheScope", "\"private\"")]);
    }
    let result = answer.result().unwrap_or("{}");
    let meta = server.map(|server| {
        let meta = member(result, "_meta").filter(|meta| meta.starts_with('{')).unwrap_or("{}");
        changed(meta, &[Change::Default(SERVER_INFO, server)])
    });
    changes.extend(meta.as_deref().map(|meta| Change::Set("_meta", meta)));
    let result = changed(result, &changes);
    changed(answer.text(), &[Change::Set("result", &result)])
}

/// What the server said in the handshake, as the answer to `server/discover`.
fn discovered(welcome: &str) -> String {
    let capabilities = member(welcome, "capabilities").unwrap_or("{}");
    // They are another thing in this era, and not bridged.
    let capabilities = changed(capabilities, &[Change::Drop("tasks")]);
    let versions = format!("[{}]", quoted(MODERN));
    let meta = member(welcome, "serverInfo")
        .map_or_else(|| "{}".to_owned(), |info| changed("{}", &[Change::Set(SERVER_INFO, info)]));
    let mut result = changed(
        "{}",
        &[
            Change::Set("resultType", "\"complete\""),
            Change::Set("supportedVersions", &versions),
            Change::Set("capabilities", &capabilities),
            Change::Set("ttlMs", "0"),
            Change::Set("cacheScope", "\"private\""),
            Change::Set("_meta", &meta),
        ],
    );
    if let Some(instructions) = member(welcome, "instructions") {
        result = changed(&result, &[Change::Set("instructions", instructions)]);
    }
    result
}
