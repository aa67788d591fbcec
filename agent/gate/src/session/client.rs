//! What the client says: its requests find the room they are judged in, its answers and notifications
//! pass and are remembered.

use super::calls::Ask;
use super::{Now, Session, Waiting, malformed_entry};
use crate::entry::{Entry, Fate};
use crate::judged::{Judged, Otherwise, Release, Sending};
use crate::open::Answered;
use crate::redaction::Way;
use crate::refusal::{Era, Named, shorten};
use crate::secrets;
use mcp::salvage::salvage_ends;
use mcp::{Id, Kind, Line, Malformed, Message, Subject};
use policy::{Feature, Outcome, Ruleset};

impl Session {
    pub(super) fn judge_client_line(&mut self, line: Line, rules: &Ruleset, now: Now) -> Judged {
        match line {
            Line::Oversize { head, tail, bytes } => self.refuse_oversize(&salvage_ends(&head, &tail), bytes),
            Line::Read(message) => self.judge_client_message(message.on_one_line(), rules, now),
            Line::Whole(bytes) => match Message::parse_or_return(bytes) {
                Ok(message) => self.judge_client_message(message.on_one_line(), rules, now),
                Err((Malformed::Batch, bytes)) if self.batches => self.judge_client_batch(bytes, rules, now),
                Err((why, bytes)) => self.refuse_malformed(&why, &bytes),
            },
        }
    }

    pub(super) fn judge_client_message(&mut self, message: Message, rules: &Ruleset, now: Now) -> Judged {
        self.judge_redacted(message, Way::ToServer, (rules, now), Self::judge_said)
    }

    fn judge_said(&mut self, message: Message, rules: &Ruleset, now: Now) -> Judged {
        match message.kind().clone() {
            Kind::Request { id, method } => self.judge_request(message, &Ask { id, method, rules, now }),
            Kind::Notification { method } => self.judge_notification(message, &method, rules, now),
            Kind::Response { id } => self.pass_answer(message, &id, Fate::Ok, now),
            Kind::Error { id: Some(id), .. } => self.pass_answer(message, &id, Fate::Error, now),
            Kind::Error { id: None, .. } => {
                let said = message.error().unwrap_or_default();
                let sentence = format!("the client reports an error of no request: {said}");
                let entry = malformed_entry("unaddressed-error", &sentence, true);
                Judged::entered(entry, Release::ToServer(message.into()), Otherwise::Nothing)
            }
        }
    }

    fn judge_request(&mut self, message: Message, ask: &Ask<'_>) -> Judged {
        if let Err(clash) = self.admit(&ask.id) {
            return self.refuse_clash(clash);
        }
        self.era = Era::of(&message);
        if let Some((name, version)) = message.client_info() {
            self.client = Some((shorten(name, 128), shorten(version, 128)));
        }
        if self.not_started {
            return self.judge_unstarted(message, ask);
        }
        let waiting = match message.subject() {
            Subject::ToolCall { name, .. } => {
                let named = Named::new(Feature::Tool, name);
                return self.judge_call(message, ask, named);
            }
            Subject::Prompt { name, .. } => {
                let named = Named::new(Feature::Prompt, name);
                return self.judge_call(message, ask, named);
            }
            Subject::Resource { uri } => {
                let named = Named::new(Feature::Resource, uri);
                return self.judge_call(message, ask, named);
            }
            Subject::Completion { prompt, resource } => {
                let prompt = prompt.map(|name| Named::new(Feature::Prompt, name));
                let resource = resource.map(|uri| Named::new(Feature::Resource, uri));
                return self.judge_completion(message, ask, prompt, resource);
            }
            Subject::Task { id } => match id.and_then(|id| self.server_tasks.maker(id)).cloned() {
                Some(tool) => return self.judge_task(message, ask, tool),
                None => Waiting::Other,
            },
            Subject::Listen { changes, resources } if !resources.is_empty() => {
                let resources = resources.to_vec();
                return self.judge_subscriptions(message, ask, changes, &resources);
            }
            Subject::Listen { changes, .. } => Waiting::Listen(changes),
            Subject::List { list, first_page } => Waiting::List { list, first_page },
            Subject::Initialize => Waiting::Initialize,
            Subject::Discover => Waiting::Discover,
            Subject::Cancelled { .. }
            | Subject::Acknowledged { .. }
            | Subject::Updated { .. }
            | Subject::Other => Waiting::Other,
        };
        self.judge_method(message, ask, waiting)
    }

    /// Nobody is there who could answer. What was to be called is on record by its name.
    fn judge_unstarted(&mut self, message: Message, ask: &Ask<'_>) -> Judged {
        let bar = self.bar(ask.rules, ask.now);
        match (message.subject(), bar) {
            (Subject::ToolCall { name, arguments }, Some(bar)) if bar.outcome() == Outcome::Refused => {
                let named = Named::new(Feature::Tool, name);
                let recorded = |text: &str| Some(secrets::masked(text, serde_json::from_str(text).ok()?));
                let arguments = arguments.and_then(recorded);
                self.enter_call(message, ask, Some(named), arguments, &bar)
            }
            _ => self.judge_method(message, ask, Waiting::Other),
        }
    }

    fn judge_notification(&mut self, message: Message, method: &str, rules: &Ruleset, now: Now) -> Judged {
        let ended = match message.subject() {
            Subject::Cancelled { request: Some(id) } => self.cancel(id, now),
            _ => None,
        };
        let judged = match self.recorded_notification(&message, method, rules, now) {
            Some((entry, Outcome::Refused)) => Judged::entered(entry, Release::Nothing, Otherwise::Nothing),
            Some((entry, _)) => Judged::entered(entry, Release::ToServer(message.into()), Otherwise::Nothing),
            None => Judged::pass(Release::ToServer(message.into())),
        };
        judged.ending(ended)
    }

    fn cancel(&mut self, id: &Id, now: Now) -> Option<(Entry, Sending)> {
        if matches!(self.asked_server.get(id)?.waiting, Waiting::Initialize) {
            return None;
        }
        self.asked_server.cancel(id)?.cancelled(now)
    }

    /// The client's answer to a request of the server's.
    fn pass_answer(&mut self, message: Message, id: &Id, fate: Fate, now: Now) -> Judged {
        let answered = match self.asked_client.get(id) {
            Some(open) if open.never_left() => Answered::Unasked,
            _ => self.asked_client.answer(id),
        };
        match answered {
            Answered::Open(open) => self.close_for_server(message, id, &open, fate, now),
            Answered::Late => Judged::pass(Release::Nothing),
            Answered::Unasked => {
                let sentence =
                    format!("the client answered request {}, which the server never made", id.as_json());
                let entry = malformed_entry("unasked-response", &sentence, true);
                Judged::entered(entry, Release::Nothing, Otherwise::Nothing)
            }
        }
    }
}
