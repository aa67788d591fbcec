//! What a server asks of the client: sampling, elicitation, roots. Up to 2025-11-25 in requests of its
//! own, in 2026-07-28 inside its answers.

use super::calls::{recorded, without_meta};
use super::methods::is_plain;
use super::{Now, Open, Session, Waiting};
use crate::entry::{Entry, Fate};
use crate::judged::{Judged, Otherwise, Release, Sending};
use crate::open::Answered;
use crate::refusal::{self, Addressee, Era, Named};
use mcp::inputs::{self, Input};
use mcp::{Id, Message, Subject};
use policy::{Decision, Feature, Outcome, Ruleset};
use serde_json::Value;

/// The methods by which a server asks something of the client, and what policy calls it.
const FEATURES: &[(&str, &str)] =
    &[("sampling/createMessage", "sampling"), ("elicitation/create", "elicitation"), ("roots/list", "roots")];

/// What policy calls it; `None` for other methods.
pub(super) fn feature(method: &str) -> Option<&'static str> {
    FEATURES.iter().find(|(known, _)| *known == method).map(|(_, feature)| *feature)
}

/// What became of the requests inside an answer.
pub(super) enum Inputs {
    /// They are on record; mostly there are none.
    Passed(Vec<Entry>),
    /// The answer must not reach the client.
    Withheld { answer: Vec<u8>, entries: Vec<Entry> },
}

impl Session {
    pub(super) fn judge_server_request(
        &mut self,
        message: Message,
        id: Id,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        if method != "ping" && self.is_barred(rules, now) {
            // It would speak to the model or the developer (sampling, elicitation).
            let release = Release::ToServer(refusal::server_not_heard(&id).into());
            let why = "the server asked something of the client, which policy does not let it reach any more";
            let noise = self.noise_entry("server-barred", why);
            return Judged::pass(release).and(noise);
        }
        if self.asked_client.get(&id).is_some_and(Open::never_left) {
            let _: Answered<Open> = self.asked_client.answer(&id);
        }
        if self.asked_client.admits(&id).is_err() {
            let why = format!("the server's request {} uses an id that is still open", id.as_json());
            return self.drop_noise("id-in-use", &why);
        }
        let named = match message.subject() {
            Subject::Task { id: Some(task) } => self.client_tasks.maker(task).cloned(),
            _ => feature(method).map(|feature| Named::new(Feature::Client, feature)),
        };
        if let Some(named) = named {
            return self.judge_client_feature(message, id, method, named, rules, now);
        }
        if is_plain(method) {
            self.open_to_client(id, method, None, now);
            return Judged::pass(Release::ToClient(message.into()));
        }
        let decision = self.decide_method(&message, method, rules, now);
        let entry = self.call_entry(method, None, message.params().and_then(recorded), &decision, rules);
        self.enter_server_request((message, id), method, None, (decision, entry), now)
    }

    fn judge_client_feature(
        &mut self,
        message: Message,
        id: Id,
        method: &str,
        named: Named,
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        let decided = self.decide_feature(method, &named, message.params(), rules, now);
        self.enter_server_request((message, id), method, Some(named), decided, now)
    }

    /// Records what the server asks, and lets it reach the client or refuses it.
    fn enter_server_request(
        &mut self,
        (message, id): (Message, Id),
        method: &str,
        named: Option<Named>,
        (decision, entry): (Decision, Entry),
        now: Now,
    ) -> Judged {
        let what = refusal::naming(method, named.as_ref());
        let to = Addressee { id: id.clone(), era: Era::Legacy, what };
        if decision.outcome() == Outcome::Refused {
            return Judged::entered(
                entry,
                Release::ToServer(refusal::not_asked(&to).into()),
                Otherwise::Unanswered(to),
            );
        }
        let sending = Sending::default();
        let call = self.call(&entry, named, sending.clone());
        self.open_to_client(id, method, Some(call), now);
        let release = Release::ToClient(message.into());
        Judged::entered(entry, release, Otherwise::Unanswered(to)).with(sending)
    }

    /// One thing a server asks, with its `params` as arguments; and the record of it.
    fn decide_feature(
        &mut self,
        method: &str,
        named: &Named,
        params: Option<&str>,
        rules: &Ruleset,
        now: Now,
    ) -> (Decision, Entry) {
        let arguments: Option<Value> = params.and_then(without_meta);
        let decision = self.decide(Feature::Client, &named.name, arguments.as_ref(), rules, now);
        let entry = self.call_entry(method, Some(named), params.and_then(recorded), &decision, rules);
        (decision, entry)
    }

    fn open_to_client(&mut self, id: Id, method: &str, call: Option<super::Call>, now: Now) {
        let what = refusal::naming(method, None);
        let open = Open { waiting: Waiting::Other, call, era: Era::Legacy, what, since: now.monotonic };
        self.asked_client.insert(id, open);
    }

    /// The client's answer to a request of the server's: it goes on, and ends what is on record.
    pub(super) fn close_for_server(
        &mut self,
        message: Message,
        id: &Id,
        open: &Open,
        fate: Fate,
        now: Now,
    ) -> Judged {
        self.remember_client_task(&message, open);
        let entry = open.outcome(fate, message.bytes().len(), now);
        let release = Release::ToServer(message.into());
        match entry {
            Some(entry) => Judged::entered(entry, release, Otherwise::Unanswered(open.addressee(id.clone()))),
            None => Judged::pass(release),
        }
    }

    /// Judges what an answer of the server's asks of the client, each request inside it on its own. One
    /// that is refused holds the whole answer back: without its input the request cannot go on.
    pub(super) fn judge_inputs(
        &mut self,
        message: &Message,
        open: &Open,
        id: &Id,
        rules: &Ruleset,
        now: Now,
    ) -> Inputs {
        let inputs = match inputs::of(message) {
            Ok(inputs) => inputs,
            Err(why) => {
                let noise = self.noise_entry("unreadable-inputs", &why.to_string());
                let answer = refusal::unreadable_inputs(&open.addressee(id.clone()), &why);
                return Inputs::Withheld { answer, entries: noise.into_iter().collect() };
            }
        };
        let mut entries = Vec::new();
        let mut withheld = None;
        for Input { method, params } in inputs {
            // A kind of request that we do not know is one that no grant speaks of.
            let named = Named::new(Feature::Client, feature(&method).unwrap_or(&method));
            let (decision, entry) = self.decide_feature(&method, &named, params, rules, now);
            if decision.outcome() == Outcome::Refused {
                let (to, case) = (open.addressee(id.clone()), self.case(rules, Some(&named)));
                withheld.get_or_insert_with(|| refusal::input_refused(&to, &named.name, &decision, &case));
                entries.push(entry);
            } else {
                let passed = self.passed(&entry, params.map_or(0, str::len));
                entries.extend([entry, passed]);
            }
        }
        match withheld {
            Some(answer) => Inputs::Withheld { answer, entries },
            None => Inputs::Passed(entries),
        }
    }
}
