//! What the server says: answers close what they answer, requests and notifications find their room.

use super::client_features::Inputs;
use super::{Now, Open, Session, Waiting};
use crate::entry::{Entry, Fate};
use crate::judged::{Judged, Otherwise, Release, Sending};
use crate::open::Answered;
use crate::redaction::Way;
use mcp::salvage::{salvage_each, salvage_ends};
use mcp::{Id, Kind, Line, Malformed, Message, Subject, edit, inputs};
use policy::{Feature, Ruleset};

/// JSON-RPC 2.0, section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// The one revision of MCP with batches.
const BATCHES: &str = "2025-03-26";

impl Session {
    pub(super) fn judge_server_line(&mut self, line: Line, rules: &Ruleset, now: Now) -> Judged {
        match line {
            Line::Oversize { head, tail, bytes } => {
                let why = crate::refusal::oversize_sentence(bytes);
                self.drop_unreadable("oversize", &why, vec![salvage_ends(&head, &tail)], bytes, now)
            }
            Line::Read(message) => self.judge_server_message(message.on_one_line(), rules, now),
            Line::Whole(bytes) => match Message::parse_or_return(bytes) {
                Ok(message) => self.judge_server_message(message.on_one_line(), rules, now),
                Err((Malformed::Batch, bytes)) if self.batches => self.judge_server_batch(bytes, rules, now),
                Err((why @ Malformed::Batch, bytes)) => self.drop_server_batch(&why, bytes, now),
                Err((why, bytes)) => {
                    self.drop_unreadable(why.code(), &why.to_string(), salvage_each(&bytes), bytes.len(), now)
                }
            },
        }
    }

    pub(super) fn judge_server_message(&mut self, message: Message, rules: &Ruleset, now: Now) -> Judged {
        self.judge_redacted(message, Way::ToClient, (rules, now), Self::judge_heard)
    }

    fn judge_heard(&mut self, message: Message, rules: &Ruleset, now: Now) -> Judged {
        match message.kind().clone() {
            Kind::Request { id, method } => self.judge_server_request(message, id, &method, rules, now),
            Kind::Notification { .. } => self.pass_server_notification(message, rules, now),
            Kind::Response { id } => self.judge_answer(message, id, None, rules, now),
            Kind::Error { id: Some(id), code } => self.judge_answer(message, id, Some(code), rules, now),
            Kind::Error { id: None, .. } => match inputs::of(&message) {
                Ok(inputs) if inputs.is_empty() => Judged::pass(Release::ToClient(message.into())),
                // Inside the answer to a request it would be judged; this one answers none.
                Ok(_) | Err(_) => self.drop_noise(
                    "inputs-unasked",
                    "the server asked something of the client in an answer to no request",
                ),
            },
        }
    }

    fn judge_answer(
        &mut self,
        message: Message,
        id: Id,
        error: Option<i64>,
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        let open = match self.take_open(&id) {
            Answered::Open(open) => open,
            Answered::Late => return Judged::pass(Release::Nothing),
            Answered::Unasked => {
                let why =
                    format!("the server answered request {}, which the client never made", id.as_json());
                return self.drop_noise("unasked-response", &why);
            }
        };
        let asked = match self.judge_inputs(&message, &open, &id, rules, now) {
            Inputs::Passed(asked) => asked,
            Inputs::Withheld { answer, entries } => {
                let outcome = open.outcome(Fate::Error, message.bytes().len(), now);
                let to = open.addressee(id);
                let entries = entries.into_iter().chain(outcome);
                return Judged::pass(Release::ToClient(answer.into()))
                    .and(entries)
                    .or(Otherwise::Withheld(to));
            }
        };
        self.pass_or_filter(message, id, open, error, rules, now).and(asked)
    }

    fn pass_or_filter(
        &mut self,
        message: Message,
        id: Id,
        open: Open,
        error: Option<i64>,
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        match (&open.waiting, error) {
            (Waiting::List { list, first_page }, None) => {
                let page = (*list, *first_page);
                self.filter_list(message, id, &open, page, rules, now)
            }
            (Waiting::Initialize | Waiting::Discover, None) => {
                self.pass_handshake(message, &open, rules, now)
            }
            (Waiting::Listen(changes), Some(METHOD_NOT_FOUND)) if !changes.is_empty() => {
                let changes = *changes;
                self.serve_listen(id, open, changes)
            }
            _ => self.close(message, id, &open, error.is_some(), now),
        }
    }

    /// The server says what it has and which revision it settles on.
    fn pass_handshake(&mut self, message: Message, open: &Open, rules: &Ruleset, now: Now) -> Judged {
        let outcome = open.outcome(Fate::Ok, message.bytes().len(), now);
        if matches!(open.waiting, Waiting::Initialize) {
            self.batches = message.settled_version().as_deref() == Some(BATCHES);
        }
        let method =
            if matches!(open.waiting, Waiting::Initialize) { "initialize" } else { "server/discover" };
        let (message, defined) = self.look_at_greeting(method, message, rules);
        let announced = edit::announce_changes(message);
        self.has_lists = announced.has;
        Judged::pass(Release::ToClient(announced.bytes.into())).and(defined).and(outcome)
    }

    /// Takes the open request that the server answers. What it owes no answer to stays.
    pub(super) fn take_open(&mut self, id: &Id) -> Answered<Open> {
        if self.asked_server.get(id).is_some_and(|open| !open.is_answerable()) {
            return Answered::Unasked;
        }
        self.asked_server.answer(id)
    }

    fn pass_server_notification(&mut self, message: Message, rules: &Ruleset, now: Now) -> Judged {
        match message.subject() {
            Subject::Cancelled { request: Some(id) } => {
                let ended = self.end_by_server(id, now);
                Judged::pass(Release::ToClient(message.into())).ending(ended)
            }
            Subject::Acknowledged { listen: Some(id) } => {
                let id = id.clone();
                self.pass_acknowledgement(message, &id)
            }
            // Policy may have changed since it was subscribed to.
            Subject::Updated { uri } if !rules.visible(&self.question(Feature::Resource, uri, None, now)) => {
                self.drop_noise("resource-refused", "the server told of a resource that policy does not show")
            }
            _ => Judged::pass(Release::ToClient(message.into())),
        }
    }

    /// The server ends a request of its own, or (2026-07-28) a subscription.
    fn end_by_server(&mut self, id: &Id, now: Now) -> Option<(Entry, Sending)> {
        if let Some(open) = self.asked_client.cancel(id) {
            return open.cancelled(now);
        }
        if self.listens(id).is_some() {
            let _: Option<Open> = self.asked_server.cancel(id);
        }
        None
    }
}
