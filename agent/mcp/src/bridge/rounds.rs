//! `input_required` for a client that knows no such thing: what the server wants to know is asked of the
//! client by requests of their own, and then the call is made again with the answers (2026-07-28, "Multi
//! Round-Trip Requests").

use super::object::{Change, changed, member, quoted, with_id};
use super::out::Out;
use super::own;
use super::tidy;
use crate::frame::Line;
use crate::members::Members;
use crate::message::{Id, Message};
use crate::reply::INTERNAL_ERROR;
use crate::salvage::{salvage, salvage_ends};
use std::collections::{BTreeMap, HashMap};

/// A call is made again so often at most. A server that asks without end asks nobody.
const MAX_ROUNDS: u32 = 32;
/// Questions of one round.
const MAX_QUESTIONS: usize = 32;
/// So many bytes of requests are kept to be made again.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// May a server answer this method by `input_required`?
pub(super) fn takes_rounds(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// By the id that the server knows the request by.
    asked: HashMap<Id, Asked>,
    /// What waits for the client's answers, by the client's id.
    open: HashMap<Id, Round>,
    /// Our questions to the client.
    questions: HashMap<Id, Question>,
    kept: usize,
}

/// A request that is at the server.
#[derive(Debug)]
struct Asked {
    client: Id,
    /// The request as it was first sent; `None` where it is too long to be kept.
    request: Option<String>,
    is_call: bool,
    rounds: u32,
}

#[derive(Debug)]
struct Round {
    asked: Asked,
    /// The server's `requestState`, as JSON.
    state: Option<String>,
    answers: BTreeMap<String, Option<String>>,
}

#[derive(Debug)]
struct Question {
    /// The client's id of the request that it belongs to.
    call: Id,
    key: String,
    is_elicitation: bool,
}

impl Rounds {
    /// A request of the client's goes to the server under the client's own id.
    pub(super) fn asked(&mut self, id: &Id, method: &str, request: &str) {
        let fits = self.kept + request.len() <= MAX_KEPT;
        let request = fits.then(|| request.to_owned());
        self.kept += request.as_ref().map_or(0, String::len);
        let is_call = method == "tools/call";
        self.asked.insert(id.clone(), Asked { client: id.clone(), request, is_call, rounds: 0 });
    }

    /// The id that the client knows a request of the server's side by.
    pub(super) fn client_id(&self, at_server: &Id) -> Id {
        self.asked.get(at_server).map_or(at_server, |asked| &asked.client).clone()
    }

    fn close(&mut self, at_server: &Id) -> Option<Asked> {
        let asked = self.asked.remove(at_server)?;
        self.kept -= asked.request.as_ref().map_or(0, String::len);
        Some(asked)
    }

    /// The server's answer: for the client, or `None` where the client is asked something first.
    pub(super) fn answer(&mut self, id: &Id, message: Message, out: &mut Out) -> Option<Message> {
        let Some(asked) = self.close(id) else {
            // An answer that came too late, to an id that the client has never seen.
            return (!out.is_for_server(id)).then_some(message);
        };
        let result = message.result().and_then(Members::of);
        match result.as_ref().and_then(|result| result.string("resultType")).as_deref() {
            None | Some("complete") => {}
            Some("input_required") => {
                self.ask(asked, &message, out);
                return None;
            }
            Some(other) => {
                let why = format!(
                    "The server answered with a result of the kind {other:?}, which a client of MCP 2025-11-25 or \
                     older cannot follow. Use a client that speaks 2026-07-28 for this."
                );
                out.tell_client(own::error(&asked.client, INTERNAL_ERROR, &why), Some(&asked.client));
                return None;
            }
        }
        let message = if asked.is_call { tidy::result(message) } else { message };
        if asked.client == *id {
            return Some(message);
        }
        out.tell_client(with_id(message.text(), &asked.client), Some(&asked.client));
        None
    }

    /// Asks the client what the server wants to know.
    fn ask(&mut self, mut asked: Asked, message: &Message, out: &mut Out) {
        let client = asked.client.clone();
        asked.rounds += 1;
        let refused = match questions(message, asked.rounds) {
            _ if asked.request.is_none() => "its request is too long to be kept and made again".to_owned(),
            Err(why) => why,
            Ok(questions) => {
                let state = message.result().and_then(|result| member(result, "requestState"));
                let state = state.filter(|json| *json != "null").map(str::to_owned);
                let answers = questions.iter().map(|(key, ..)| (key.clone(), None)).collect();
                for (key, method, params) in questions {
                    let id = out.ask_client(&method, &params, &client);
                    let is_elicitation = method == "elicitation/create";
                    self.questions.insert(id, Question { call: client.clone(), key, is_elicitation });
                }
                self.kept += asked.request.as_ref().map_or(0, String::len);
                self.open.insert(client.clone(), Round { asked, state, answers });
                return self.go_on(&client, out);
            }
        };
        let why = format!(
            "The server asked for more input before it answers (MCP 2026-07-28), and that cannot be passed on to \
             this client of an older revision: {refused}."
        );
        out.tell_client(own::error(&client, INTERNAL_ERROR, &why), Some(&client));
    }

    /// The client's answer to one of our questions; `false` where it is none.
    pub(super) fn answered(&mut self, id: &Id, message: &Message, out: &mut Out) -> bool {
        let Some(Question { call, key, is_elicitation }) = self.questions.remove(id) else { return false };
        let Some(round) = self.open.get_mut(&call) else { return true };
        let answer = match message.result() {
            Some(result) => result.to_owned(),
            // Nobody answers: that is what a person does who closes the window.
            None if is_elicitation => r#"{"action":"cancel"}"#.to_owned(),
            None => {
                let said = message.error().and_then(|error| super::object::string(error, "message"));
                let why = format!(
                    "The server asked the client something first, and the client refused it: {}",
                    said.unwrap_or_default()
                );
                self.give_up(&call, "the call that this was for has ended", out);
                out.tell_client(own::error(&call, INTERNAL_ERROR, &why), Some(&call));
                return true;
            }
        };
        round.answers.insert(key, Some(answer));
        self.go_on(&call, out);
        true
    }

    /// Makes the request again, once every question is answered.
    fn go_on(&mut self, client: &Id, out: &mut Out) {
        let is_whole = |round: &Round| round.answers.values().all(Option::is_some);
        if !self.open.get(client).is_some_and(is_whole) {
            return;
        }
        let Some(Round { asked, state, answers }) = self.open.remove(client) else { return };
        let Some(request) = &asked.request else { return };
        let id = out.for_server();
        let answers = answers.iter().filter_map(|(key, answer)| Some((key, answer.as_ref()?)));
        let answers: Vec<_> = answers.map(|(key, answer)| format!("{}:{answer}", quoted(key))).collect();
        let responses = format!("{{{}}}", answers.join(","));
        let mut params = member(request, "params").unwrap_or("{}").to_owned();
        if !answers.is_empty() {
            params = changed(&params, &[Change::Set("inputResponses", &responses)]);
        }
        if let Some(state) = &state {
            params = changed(&params, &[Change::Set("requestState", state)]);
        }
        out.tell_server(changed(request, &[Change::Set("id", id.as_json()), Change::Set("params", &params)]));
        self.asked.insert(id, asked);
    }

    /// The client wants no answer any more: the id to say so to the server, if it is with the server.
    pub(super) fn cancelled(&mut self, client: &Id, out: &mut Out) -> Option<Id> {
        if self.open.contains_key(client) {
            self.give_up(client, "the call that this was for was cancelled", out);
            return None;
        }
        let at_server = self.asked.iter().find(|(_, asked)| asked.client == *client);
        let at_server = at_server.map_or(client, |(id, _)| id).clone();
        self.close(&at_server);
        Some(at_server)
    }

    fn give_up(&mut self, client: &Id, why: &str, out: &mut Out) {
        if let Some(round) = self.open.remove(client) {
            self.kept -= round.asked.request.as_ref().map_or(0, String::len);
        }
        let open: Vec<Id> =
            self.questions.iter().filter(|(_, it)| it.call == *client).map(|(id, _)| id.clone()).collect();
        for id in open {
            self.questions.remove(&id);
            out.tell_client(own::cancelled(&id, why), Some(client));
        }
    }

    /// A line that is no message, as the answer that the client waits for, where it can be told.
    pub(super) fn found_again(&mut self, line: Line) -> Line {
        let found = match &line {
            Line::Whole(bytes) => salvage(bytes),
            Line::Read(message) => salvage(message.bytes()),
            Line::Oversize { head, tail, .. } => salvage_ends(head, tail),
        };
        let Some(id) = found.id.filter(|_| !found.has_method) else { return line };
        match self.close(&id) {
            Some(asked) if asked.client != id => {
                let why = "The server's answer cannot be read, or is too long.";
                Line::Whole(own::error(&asked.client, INTERNAL_ERROR, why))
            }
            _ => line,
        }
    }
}

type Asking = (String, String, String);

/// What the server wants to know: key, method and params of each question.
fn questions(message: &Message, round: u32) -> Result<Vec<Asking>, String> {
    if round > MAX_ROUNDS {
        return Err(format!("it has asked {MAX_ROUNDS} times already"));
    }
    let requests = match message.input_requests() {
        None | Some("null") => return Ok(Vec::new()),
        Some(requests) => Members::of(requests).ok_or("its questions cannot be read")?,
    };
    let asking = |(key, request): (&str, &str)| {
        let request = Members::of(request)?;
        let method = request.string("method")?;
        let known = ["elicitation/create", "sampling/createMessage", "roots/list"].contains(&method.as_str());
        let params = request.get("params").unwrap_or("{}");
        (known && params.starts_with('{')).then(|| (key.to_owned(), method, params.to_owned()))
    };
    let all: Option<Vec<_>> = requests.iter().map(asking).collect();
    match all {
        Some(all) if all.len() <= MAX_QUESTIONS => Ok(all),
        Some(all) => Err(format!("it asks {} things at once", all.len())),
        None => Err("it asks for something that no older revision has".to_owned()),
    }
}
