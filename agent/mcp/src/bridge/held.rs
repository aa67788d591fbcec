//! Calls that an older server holds open while it asks the client something.
//!
//! A client of 2026-07-28 is asked nothing by request: its call is answered by `input_required`, and when it
//! comes again with the answer, that goes to the server as the answer to the server's own request. What
//! joins the two is a `requestState` of ours: nobody can guess it, it works once, and only for the very
//! same call.

use super::envelope::Envelope;
use super::object::{member, quoted, string};
use super::out::Out;
use super::own;
use crate::inputs;
use crate::message::{Id, Message};
use crate::reply::{self, INVALID_PARAMS};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// Calls that wait for their clients at once. A client need not come again, so the oldest gives way.
const MAX_SUSPENDED: usize = 64;
/// Questions of one call that wait for their turn.
const MAX_QUESTIONS: usize = 32;
/// 2026-07-28, "Error Codes".
const MISSING_CAPABILITY: i64 = -32021;
/// What we call the one question of a round.
const KEY: &str = "request";

#[derive(Debug, Default)]
pub(super) struct Held {
    calls: HashMap<Id, Call>,
    /// By their `requestState`.
    states: HashMap<String, Waits>,
    order: VecDeque<String>,
    begun: u64,
    /// Two calls are the same by this.
    gists: RandomState,
}

/// A request at the server, by whose side it may ask the client something.
#[derive(Debug)]
pub(super) struct Call {
    /// The client's request that waits for the answer; `None` while the client is asked something.
    client: Option<Id>,
    method: String,
    gist: u64,
    envelope: Envelope,
    /// The first is with the client while the call is suspended.
    questions: VecDeque<Question>,
    /// Came while nobody waited.
    answer: Option<Message>,
    begun: u64,
}

#[derive(Debug)]
struct Question {
    id: Id,
    method: String,
    params: String,
    /// The server wants no answer any more.
    withdrawn: bool,
}

/// What goes on when the client comes again.
#[derive(Debug, Clone)]
enum Waits {
    /// The call at the server, under our id.
    Call(Id),
    /// A person was to visit an address; then the call is made anew.
    Visit { method: String, gist: u64 },
}

/// What came of a request that may go on with an earlier one.
#[derive(Debug)]
pub(super) enum Resumed {
    /// It is a call of its own.
    Not,
    /// It waits for the call of that id at the server.
    Waiting(Id),
    /// It was answered: by an error, or by the next question.
    Done,
    /// The server had answered already.
    Answered { call: Box<Call>, answer: Box<Message> },
}

impl Held {
    /// A request goes to the server.
    pub(super) fn begin(
        &mut self,
        at_server: &Id,
        client: &Id,
        method: &str,
        message: &Message,
        envelope: &Envelope,
    ) {
        self.begun += 1;
        let call = Call {
            client: Some(client.clone()),
            method: method.to_owned(),
            gist: self.gist(message),
            envelope: envelope.clone(),
            questions: VecDeque::new(),
            answer: None,
            begun: self.begun,
        };
        self.calls.insert(at_server.clone(), call);
    }

    /// What a request is about, whatever its rounds add to it.
    fn gist(&self, message: &Message) -> u64 {
        let mut params: Value = serde_json::from_str(message.params().unwrap_or("{}")).unwrap_or_default();
        if let Some(members) = params.as_object_mut() {
            for added in ["_meta", "inputResponses", "requestState"] {
                members.remove(added);
            }
        }
        self.gists.hash_one(sorted(&params))
    }

    /// The server's answer is here, or nobody waits for it any more.
    pub(super) fn end(&mut self, at_server: &Id) -> Option<Call> {
        self.calls.remove(at_server)
    }

    /// Keeps an answer that came while the client is asked something; `false` where it is not.
    pub(super) fn answered(&mut self, at_server: &Id, answer: &Message) -> bool {
        match self.calls.get_mut(at_server) {
            Some(call) if call.client.is_none() => {
                call.answer = Some(answer.clone());
                true
            }
            _ => false,
        }
    }

    /// The server asks the client something: the call that has to wait for it, if it does not already.
    ///
    /// # Errors
    /// Why it cannot be asked, as a sentence for the server.
    pub(super) fn question(
        &mut self,
        message: &Message,
        method: &str,
        with: Option<&Id>,
        out: &mut Out,
    ) -> Result<Option<Id>, String> {
        let feature = match method {
            "elicitation/create" => "elicitation",
            "sampling/createMessage" => "sampling",
            "roots/list" => "roots",
            _ => return Err(format!("The client knows no method {method:?}.")),
        };
        let named = with.filter(|id| self.calls.contains_key(id)).cloned();
        let newest = || Some(self.calls.iter().max_by_key(|(_, call)| call.begun)?.0.clone());
        let Some(at_server) = named.or_else(newest) else {
            return Err(
                "The client speaks MCP 2026-07-28, where it can be asked something only while one of its \
                        calls is open, and none is."
                    .to_owned(),
            );
        };
        let crate::Kind::Request { id, .. } = message.kind() else { return Ok(None) };
        let Some(call) = self.calls.get_mut(&at_server) else { return Ok(None) };
        if !call.envelope.offers(feature) {
            return Err(format!("The client does not offer {feature} to servers."));
        }
        if call.questions.len() >= MAX_QUESTIONS {
            return Err("Too many questions of this call wait for the client already.".to_owned());
        }
        let params = message.params().unwrap_or("{}").to_owned();
        let question = Question { id: id.clone(), method: method.to_owned(), params, withdrawn: false };
        call.questions.push_back(question);
        let Some(client) = call.client.take() else { return Ok(None) };
        self.suspend(&at_server, &client, out);
        Ok(Some(at_server))
    }

    /// Puts the first question of a call to the client, as the answer to its request.
    fn suspend(&mut self, at_server: &Id, client: &Id, out: &mut Out) {
        let Some(question) = self.calls.get(at_server).and_then(|call| call.questions.front()) else {
            return;
        };
        let asked = [(question.method.clone(), question.params.clone())];
        self.put(&asked, Waits::Call(at_server.clone()), client, out);
    }

    fn put(&mut self, questions: &[(String, String)], waits: Waits, client: &Id, out: &mut Out) {
        let name = |n: usize| if n == 0 { KEY.to_owned() } else { format!("{KEY}-{}", n + 1) };
        let requests = questions.iter().enumerate().map(|(n, (method, params))| {
            format!(r#""{}":{{"method":{},"params":{params}}}"#, name(n), quoted(method))
        });
        let requests = requests.collect::<Vec<_>>().join(",");
        let state = out.state();
        let result = format!(
            r#"{{"resultType":"input_required","inputRequests":{{{requests}}},"requestState":{}}}"#,
            quoted(&state)
        );
        out.tell_client(own::result(client, &result), Some(client));
        self.states.insert(state.clone(), waits);
        self.order.retain(|state| self.states.contains_key(state));
        self.order.push_back(state);
        if self.order.len() > MAX_SUSPENDED
            && let Some(oldest) = self.order.pop_front()
        {
            self.abandon(&oldest, out);
        }
    }

    /// Ends a call whose client has not come again.
    fn abandon(&mut self, state: &str, out: &mut Out) {
        let Some(Waits::Call(at_server)) = self.states.remove(state) else { return };
        let Some(call) = self.calls.remove(&at_server) else { return };
        for question in call.questions.iter().filter(|question| !question.withdrawn) {
            let why = "The client did not answer.";
            out.tell_server(own::error(&question.id, reply::INTERNAL_ERROR, why));
        }
        if call.answer.is_none() {
            out.tell_server(own::cancelled(&at_server, "the client did not answer what the server asked"));
        }
    }

    /// A request that may bring the answer to a question.
    pub(super) fn resume(&mut self, message: &Message, id: &Id, out: &mut Out) -> Resumed {
        let params = message.params().unwrap_or("{}");
        let responses = member(params, "inputResponses");
        if member(params, "requestState").is_none() && responses.is_none() {
            return Resumed::Not;
        }
        let state = string(params, "requestState").unwrap_or_default();
        let gist = self.gist(message);
        let crate::Kind::Request { method, .. } = message.kind() else { return Resumed::Not };
        let is_same = match self.states.get(&state) {
            Some(Waits::Visit { method: first, gist: its }) => first == method && *its == gist,
            Some(Waits::Call(call)) => {
                self.calls.get(call).is_some_and(|call| call.method == *method && call.gist == gist)
            }
            None => {
                let why = "This `requestState` is none that this connection is waiting for: the call it belongs to \
                           has ended, or never was. Make the call anew, without `requestState`.";
                out.tell_client(own::error(id, INVALID_PARAMS, why), Some(id));
                return Resumed::Done;
            }
        };
        if !is_same {
            let why = "This `requestState` belongs to another call than this one. A call is gone on with only as it \
                       was first made.";
            out.tell_client(own::error(id, INVALID_PARAMS, why), Some(id));
            return Resumed::Done;
        }
        match self.states.remove(&state) {
            Some(Waits::Call(at_server)) => self.go_on(&at_server, id, responses, out),
            Some(Waits::Visit { .. }) | None => Resumed::Not,
        }
    }

    fn go_on(&mut self, at_server: &Id, client: &Id, responses: Option<&str>, out: &mut Out) -> Resumed {
        let Some(call) = self.calls.get_mut(at_server) else { return Resumed::Done };
        let response = responses.and_then(|it| member(it, KEY)).filter(|it| it.starts_with('{'));
        match (call.questions.front(), response) {
            (Some(question), Some(response)) if !question.withdrawn => {
                out.tell_server(own::result(&question.id, response));
                call.questions.pop_front();
            }
            (Some(question), None) if !question.withdrawn => {}
            _ => {
                call.questions.pop_front();
            }
        }
        while call.questions.front().is_some_and(|question| question.withdrawn) {
            call.questions.pop_front();
        }
        if let Some(answer) = call.answer.take() {
            return match self.calls.remove(at_server) {
                Some(call) => Resumed::Answered { call: Box::new(call), answer: Box::new(answer) },
                None => Resumed::Done,
            };
        }
        if call.questions.is_empty() {
            call.client = Some(client.clone());
            return Resumed::Waiting(at_server.clone());
        }
        self.suspend(at_server, client, out);
        Resumed::Done
    }

    /// The server wants no answer to its question any more.
    pub(super) fn withdrawn(&mut self, id: &Id) {
        let questions = self.calls.values_mut().flat_map(|call| &mut call.questions);
        for question in questions.filter(|question| question.id == *id) {
            question.withdrawn = true;
        }
    }

    /// The error -32042 (2025-11-25: a person has to visit an address first), as what stands in its place
    /// since 2026-07-28; `false` where the answer is something else.
    pub(super) fn asks_for_visit(
        &mut self,
        answer: &Message,
        call: Option<&Call>,
        client: &Id,
        out: &mut Out,
    ) -> bool {
        let code = answer.error().and_then(|error| member(error, "code"));
        let Some(call) = call.filter(|_| code == Some("-32042")) else { return false };
        if !call.envelope.offers("elicitation") {
            let needs = r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#;
            let needs = RawValue::from_string(needs.to_owned()).ok();
            let why =
                "The server needs a person to visit an address first, and the client does not offer that.";
            out.tell_client(
                reply::error(Some(client), MISSING_CAPABILITY, why, needs.as_deref()),
                Some(client),
            );
            return true;
        }
        let Ok(visits) = inputs::of(answer) else { return false };
        let visits: Vec<_> = visits
            .into_iter()
            .take(MAX_QUESTIONS)
            .map(|visit| (visit.method, visit.params.unwrap_or("{}").to_owned()))
            .collect();
        if visits.is_empty() {
            return false;
        }
        let waits = Waits::Visit { method: call.method.clone(), gist: call.gist };
        self.put(&visits, waits, client, out);
        true
    }
}

/// The same for all ways to order an object's members. A map of serde_json may keep them as they stood.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| key.as_str());
            let members =
                members.into_iter().map(|(key, value)| format!("{}:{}", quoted(key), sorted(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        _ => value.to_string(),
    }
}

impl Call {
    pub(super) fn method(&self) -> &str {
        &self.method
    }
}
