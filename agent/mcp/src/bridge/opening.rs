//! Before it is known whether both ends speak of the same era.
//!
//! The client always speaks first, since servers pin the era of the first message. Only when the answer
//! leaves it open (`initialize` refused as a server of 2026-07-28 would, or a request of that era answered
//! as an older server would) the server is asked `server/discover`; what the client says meanwhile waits.

use super::Turn;
use super::envelope::{Envelope, MODERN, is_modern};
use super::legacy_server::{LegacyServer, completed};
use super::modern_server::ModernServer;
use super::object::member;
use super::out::Out;
use crate::frame::Line;
use crate::message::{Id, Kind, Message};
use crate::subject::Subject;
use std::collections::HashMap;

/// So many bytes of requests are kept to be sent again, and so many of messages wait.
const MAX_KEPT: usize = 8 * 1024 * 1024;

/// 2026-07-28, "Error Codes": header mismatch, missing capability, unsupported version.
const MODERN_ERRORS: std::ops::RangeInclusive<i64> = -32022..=-32020;
const UNSUPPORTED_VERSION: i64 = -32022;
/// How a server that knows no `initialize` refuses it: as an unknown method, as a request without its
/// `_meta`, or as one of a version it does not speak.
const REFUSES_HELLO: [i64; 6] = [-32601, -32602, -32600, -32020, -32021, -32022];

/// Requests that change nothing.
const READS: [&str; 7] = [
    "tools/list",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "completion/complete",
];

#[derive(Debug, Default)]
pub(super) struct Opening {
    /// The client's `initialize`, on its way.
    hello: Option<(Id, Vec<u8>)>,
    /// The client's requests of the newer era, on their way. `None`: too long to be kept.
    asked: HashMap<Id, Option<Vec<u8>>>,
    discovers: Vec<Id>,
    kept: usize,
    /// The client has spoken in the newer era, so it speaks both, and changes by itself.
    is_modern: bool,
    /// The server answered `server/discover` as an older server does.
    is_legacy: bool,
    doubt: Option<Doubt>,
}

/// Our own `server/discover` is on its way.
#[derive(Debug)]
struct Doubt {
    probe: Id,
    /// A refused `initialize` and its refusal.
    hello: Option<(Vec<u8>, Vec<u8>)>,
    /// Requests and answers of the newer era that wait for the verdict.
    answered: Vec<(Vec<u8>, Message)>,
    waiting: Vec<Vec<u8>>,
}

/// What `server/discover` says of a server.
enum Found {
    Modern,
    /// Of an era to come, or one that says nothing we know.
    Foreign,
    Legacy,
}

impl Opening {
    pub(super) fn client_says(&mut self, bytes: Vec<u8>, out: &mut Out) -> Turn {
        if let Some(doubt) = &mut self.doubt
            && self.kept + bytes.len() <= MAX_KEPT
        {
            self.kept += bytes.len();
            doubt.waiting.push(bytes);
            return Turn::Stay;
        }
        let Ok(message) = Message::parse(bytes.clone()) else {
            out.tell_server(bytes);
            return Turn::Stay;
        };
        if let Subject::Cancelled { request: Some(id) } = message.subject() {
            self.asked.remove(id);
            self.discovers.retain(|discover| discover != id);
        }
        if let Kind::Request { id, method } = message.kind() {
            if is_modern(&message) {
                self.is_modern = true;
                match method.as_str() {
                    "server/discover" => self.discovers.push(id.clone()),
                    _ if self.is_legacy => return legacy(&message, vec![bytes], out),
                    _ => self.keep(id.clone(), &bytes),
                }
            } else if method == "initialize" {
                self.hello = Some((id.clone(), bytes.clone()));
            }
        }
        out.tell_server(bytes);
        Turn::Stay
    }

    fn keep(&mut self, id: Id, bytes: &[u8]) {
        let fits = self.kept + bytes.len() <= MAX_KEPT;
        if fits {
            self.kept += bytes.len();
        }
        self.asked.insert(id, fits.then(|| bytes.to_vec()));
    }

    pub(super) fn server_says(&mut self, line: Line, with: Option<&Id>, out: &mut Out) -> Turn {
        let message = match line.message() {
            Ok(message) => message,
            Err(line) => {
                out.pass(line, with);
                return Turn::Stay;
            }
        };
        let (Kind::Response { id } | Kind::Error { id: Some(id), .. }) = message.kind() else {
            out.tell_client(message.into_bytes(), with);
            return Turn::Stay;
        };
        if self.doubt.as_ref().is_some_and(|doubt| doubt.probe == *id) {
            return self.decide(&message, out);
        }
        if self.hello.as_ref().is_some_and(|(hello, _)| hello == id) {
            return self.greeted(message, out);
        }
        if let Some(at) = self.discovers.iter().position(|discover| discover == id) {
            self.discovers.swap_remove(at);
            let turn = match found(&message) {
                Found::Legacy => {
                    self.is_legacy = true;
                    Turn::Stay
                }
                Found::Modern | Found::Foreign => self.agreed(),
            };
            out.tell_client(message.into_bytes(), with);
            return turn;
        }
        if let Some(request) = self.asked.remove(id) {
            return self.answered(request, message, out);
        }
        out.tell_client(message.into_bytes(), with);
        Turn::Stay
    }

    /// The answer to `initialize`.
    fn greeted(&mut self, answer: Message, out: &mut Out) -> Turn {
        let Some((id, hello)) = self.hello.take() else { return Turn::Stay };
        let &Kind::Error { code, .. } = answer.kind() else {
            out.tell_client(answer.into_bytes(), Some(&id));
            return self.agreed();
        };
        let speaks_another = code == UNSUPPORTED_VERSION && supports(&answer).is_some_and(|it| !it);
        if self.is_modern || self.doubt.is_some() || !REFUSES_HELLO.contains(&code) || speaks_another {
            out.tell_client(answer.into_bytes(), Some(&id));
            return Turn::Stay;
        }
        let params = Message::parse(hello.clone());
        let params = params.as_ref().ok().and_then(Message::params).unwrap_or("{}");
        let probe = probe(&Envelope::of_hello(params), out);
        let hello = Some((hello, answer.into_bytes()));
        self.doubt = Some(Doubt { probe, hello, answered: Vec::new(), waiting: Vec::new() });
        Turn::Stay
    }

    /// The answer to a request of the newer era.
    fn answered(&mut self, request: Option<Vec<u8>>, answer: Message, out: &mut Out) -> Turn {
        let is_modern = match answer.kind() {
            Kind::Error { code: UNSUPPORTED_VERSION, .. } => supports(&answer).unwrap_or(true),
            Kind::Error { code, .. } => MODERN_ERRORS.contains(code),
            _ => answer.result().is_some_and(|result| member(result, "resultType").is_some()),
        };
        // Our own transports' errors are positive and say nothing of the server.
        let says_nothing = matches!(answer.kind(), Kind::Error { code, .. } if *code >= 0);
        let says_legacy = matches!(answer.kind(), Kind::Error { code: UNSUPPORTED_VERSION, .. });
        let with = request.as_deref().and_then(id_of);
        let (false, false, false, Some(request)) = (is_modern, says_nothing, says_legacy, request) else {
            self.is_legacy |= says_legacy && !is_modern;
            out.tell_client(answer.into_bytes(), with.as_ref());
            return if is_modern { self.agreed() } else { Turn::Stay };
        };
        if let Some(doubt) = &mut self.doubt {
            doubt.answered.push((request, answer));
        } else if let Ok(asked) = Message::parse(request.clone()) {
            let probe = probe(&Envelope::of_request(&asked), out);
            let answered = vec![(request, answer)];
            self.doubt = Some(Doubt { probe, hello: None, answered, waiting: Vec::new() });
        }
        Turn::Stay
    }

    /// The answer to our own `server/discover`.
    fn decide(&mut self, answer: &Message, out: &mut Out) -> Turn {
        let Some(Doubt { hello, answered, mut waiting, .. }) = self.doubt.take() else { return Turn::Stay };
        let found = found(answer);
        if let Some((hello, refusal)) = hello {
            let id = id_of(&hello);
            let (Found::Modern, Ok(hello)) = (found, Message::parse(hello)) else {
                out.tell_client(refusal, id.as_ref());
                return Turn::Again(waiting);
            };
            let server = ModernServer::welcome(&hello, answer.result().unwrap_or("{}"), out);
            return Turn::Modern(Box::new(server), waiting);
        }
        if !matches!(found, Found::Legacy) {
            for (request, answer) in answered {
                out.tell_client(answer.into_bytes(), id_of(&request).as_ref());
            }
            return Turn::Agreed(waiting);
        }
        let mut again = Vec::new();
        for (request, answer) in answered {
            match released(&request, answer) {
                Some(answer) => out.tell_client(answer, id_of(&request).as_ref()),
                None => again.push(request),
            }
        }
        again.append(&mut waiting);
        self.is_legacy = true;
        Turn::Again(again)
    }

    fn agreed(&mut self) -> Turn {
        let waiting = self.doubt.take().map(|doubt| doubt.waiting).unwrap_or_default();
        Turn::Agreed(waiting)
    }
}

/// An older server's answer to a request of the newer era that came before the handshake: the answer for
/// the client, or `None` where it is to be asked again. What was answered without a handshake may be less
/// than is there for a client that is known; but nothing is done twice.
fn released(request: &[u8], answer: Message) -> Option<Vec<u8>> {
    match answer.kind() {
        Kind::Error { code: -32602..=-32600 | -32019..=-32000, .. } => return None,
        Kind::Error { .. } => return Some(answer.into_bytes()),
        _ => {}
    }
    let request = Message::parse(request.to_vec()).ok()?;
    match request.kind() {
        Kind::Request { method, .. } if READS.contains(&method.as_str()) => None,
        Kind::Request { method, .. } => Some(completed(&answer, method, None).into_bytes()),
        _ => None,
    }
}

fn legacy(message: &Message, waiting: Vec<Vec<u8>>, out: &mut Out) -> Turn {
    let server = LegacyServer::greet(&Envelope::of_request(message), out);
    Turn::Legacy(Box::new(server), waiting)
}

fn probe(envelope: &Envelope, out: &mut Out) -> Id {
    out.ask_server("server/discover", &format!(r#"{{"_meta":{}}}"#, envelope.meta()))
}

fn found(answer: &Message) -> Found {
    match answer.kind() {
        Kind::Error { code: UNSUPPORTED_VERSION, .. } => match supports(answer) {
            Some(false) => Found::Legacy,
            Some(true) | None => Found::Foreign,
        },
        Kind::Error { code, .. } if MODERN_ERRORS.contains(code) => Found::Foreign,
        Kind::Error { .. } => Found::Legacy,
        _ => {
            let versions = answer.result().and_then(|result| member(result, "supportedVersions"));
            let versions: Vec<String> =
                versions.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
            if versions.iter().any(|version| version == MODERN) {
                Found::Modern
            } else if versions.iter().any(|version| version.as_str() > MODERN) {
                Found::Foreign
            } else {
                Found::Legacy
            }
        }
    }
}

/// Does an "unsupported version" offer one of the newer era? `None` where it offers nothing.
fn supports(answer: &Message) -> Option<bool> {
    let data = member(answer.error()?, "data")?;
    let offered: Vec<String> = serde_json::from_str(member(data, "supported")?).ok()?;
    Some(offered.iter().any(|version| version.as_str() >= MODERN))
}

fn id_of(request: &[u8]) -> Option<Id> {
    match Message::parse(request.to_vec()).ok()?.kind() {
        Kind::Request { id, .. } => Some(id.clone()),
        _ => None,
    }
}
