//! Redaction comes before judgement: what is judged and put on record is what is forwarded.
//!
//! Which rules hold is a matter of the tool, resource or prompt that a message belongs to. One that does
//! not say (a log message, progress, an answer with questions in it) is under all rules of its server.

use super::calls::Ask;
use super::client_features::feature;
use super::{Now, Open, Session, Waiting, malformed_entry};
use crate::entry::{Entry, EntryKind, Fate};
use crate::judged::{Judged, Otherwise, Release};
use crate::open::Answered;
use crate::redaction::{self, Blocked, Way, Withheld};
use crate::refusal::{self, Era, Named};
use mcp::salvage::salvage;
use mcp::{Id, Kind, Message, Subject};
use policy::{Decision, Feature, Mode, Redaction, Ruleset, Verdict};

/// The rule by which a message is refused of which something could not be taken out.
const RULE: &str = "redaction";

/// What a message belongs to.
enum Belongs {
    To(Named),
    /// It does not say.
    Unknown,
}

impl Session {
    /// Judges a message as it is without what policy takes out of it, and puts on record in how many places
    /// something was; or says what became of it instead.
    pub(super) fn judge_redacted(
        &mut self,
        message: Message,
        way: Way,
        (rules, now): (&Ruleset, Now),
        judge: impl FnOnce(&mut Self, Message, &Ruleset, Now) -> Judged,
    ) -> Judged {
        if !rules.redacts() {
            return judge(self, message, rules, now);
        }
        let belongs = self.belongs(&message, way);
        let redactions = self.redactions(&belongs, rules, now);
        let defines = way == Way::ToClient && self.answers_with_definitions(&message);
        match redaction::message(message, &redactions, way, defines) {
            Ok((message, 0)) => judge(self, message, rules, now),
            Ok((message, places)) => {
                let method = method_of(&message).to_owned();
                let judged = judge(self, message, rules, now);
                self.count(judged, &method, way, places)
            }
            Err(withheld) => match way {
                Way::ToServer => self.refuse_unredacted(*withheld, belongs, rules, now),
                Way::ToClient => self.withhold_unredacted(&withheld, now),
            },
        }
    }

    /// On the entry of the call, or of its end; of what has none, by an entry of its own.
    fn count(&mut self, mut judged: Judged, method: &str, way: Way, places: u64) -> Judged {
        let counts =
            |entry: &&mut Entry| matches!(entry.kind, EntryKind::Call { .. } | EntryKind::Outcome { .. });
        let mut is_counted = false;
        if let Some(entry) = judged.entries_mut().find(counts) {
            entry.redacted = places;
            is_counted = true;
        }
        if is_counted { judged } else { judged.and(self.taken_out.note(method, way, places)) }
    }

    fn redactions<'r>(&self, belongs: &Belongs, rules: &'r Ruleset, now: Now) -> Vec<&'r Redaction> {
        match belongs {
            Belongs::To(named) => rules.redactions(&self.question(named.feature, &named.name, None, now)),
            Belongs::Unknown => rules.redactions_of_server(&self.question(Feature::Tool, "", None, now)),
        }
    }

    fn belongs(&self, message: &Message, way: Way) -> Belongs {
        match (message.kind(), way) {
            (Kind::Request { method, .. }, Way::ToServer) => self.client_request_belongs(message, method),
            (Kind::Request { method, .. }, Way::ToClient) => feature(method)
                .map_or(Belongs::Unknown, |feature| Belongs::To(Named::new(Feature::Client, feature))),
            (Kind::Response { id } | Kind::Error { id: Some(id), .. }, Way::ToServer) => {
                belongs(self.asked_client.get(id))
            }
            (Kind::Response { .. }, Way::ToClient) if message.input_requests().is_some() => Belongs::Unknown,
            (Kind::Response { id } | Kind::Error { id: Some(id), .. }, Way::ToClient) => {
                belongs(self.asked_server.get(id))
            }
            (Kind::Notification { .. } | Kind::Error { id: None, .. }, _) => Belongs::Unknown,
        }
    }

    /// Does it answer a list, or what opens a conversation?
    fn answers_with_definitions(&self, message: &Message) -> bool {
        let Kind::Response { id } = message.kind() else { return false };
        let open = self.asked_server.get(id);
        open.is_some_and(|open| {
            matches!(open.waiting, Waiting::List { .. } | Waiting::Initialize | Waiting::Discover)
        })
    }

    fn client_request_belongs(&self, message: &Message, method: &str) -> Belongs {
        // It answers what the server asked inside an answer, which another rule may speak of.
        if message.params().is_some_and(|it| it.contains("inputResponses")) {
            return Belongs::Unknown;
        }
        match message.subject() {
            Subject::ToolCall { name, .. } => Belongs::To(Named::new(Feature::Tool, name)),
            Subject::Prompt { name, .. } | Subject::Completion { prompt: Some(name), .. } => {
                Belongs::To(Named::new(Feature::Prompt, name))
            }
            Subject::Resource { uri } | Subject::Completion { resource: Some(uri), .. } => {
                Belongs::To(Named::new(Feature::Resource, uri))
            }
            Subject::Task { id: Some(id) } => known(self.server_tasks.maker(id)),
            _ => Belongs::To(Named::new(Feature::Method, method)),
        }
    }

    /// Of the client's message, something could not be taken out: it does not leave.
    fn refuse_unredacted(
        &mut self,
        Withheld { message, why }: Withheld,
        belongs: Belongs,
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        let named = match belongs {
            Belongs::To(named) if named.feature != Feature::Method => Some(named),
            _ => None,
        };
        match message.kind().clone() {
            Kind::Request { id, method } => {
                if let Err(clash) = self.admit(&id) {
                    return self.refuse_clash(clash);
                }
                self.era = Era::of(&message);
                let ask = Ask { id, method, rules, now };
                let refusal = Decision { contact: self.contact(rules, now), ..refusal_of(why) };
                self.enter_call(message, &ask, named, None, &refusal)
            }
            Kind::Response { id } | Kind::Error { id: Some(id), .. } => self.end_unredacted(&id, why, now),
            Kind::Notification { .. } | Kind::Error { id: None, .. } => {
                let entry = malformed_entry(RULE, &why.to_string(), true);
                Judged::entered(entry, Release::Nothing, Otherwise::Nothing)
            }
        }
    }

    /// The client's answer does not reach the server, which is told that it will not.
    fn end_unredacted(&mut self, id: &Id, why: Blocked, now: Now) -> Judged {
        let entry = malformed_entry(RULE, &why.to_string(), true);
        let Answered::Open(open) = self.asked_client.answer(id) else {
            return Judged::entered(entry, Release::Nothing, Otherwise::Nothing);
        };
        let to = open.addressee(id.clone());
        let outcome = open.outcome(Fate::Error, 0, now);
        Judged::pass(Release::ToServer(refusal::not_asked(&to).into()))
            .and(outcome.into_iter().chain([entry]))
            .or(Otherwise::Unanswered(to))
    }

    /// Of the server's message, something could not be taken out: it reaches nobody.
    fn withhold_unredacted(&mut self, Withheld { message, why }: &Withheld, now: Now) -> Judged {
        if let Kind::Request { id, .. } = message.kind() {
            let noise = self.noise_entry(RULE, &why.to_string());
            return Judged::pass(Release::ToServer(refusal::server_not_heard(id).into())).and(noise);
        }
        let bytes = message.bytes();
        self.drop_unreadable(RULE, &why.to_string(), vec![salvage(bytes)], bytes.len(), now)
    }
}

fn known(named: Option<&Named>) -> Belongs {
    named.map_or(Belongs::Unknown, |named| Belongs::To(named.clone()))
}

/// An answer belongs to what was asked.
fn belongs(open: Option<&Open>) -> Belongs {
    known(open.and_then(|open| open.call.as_ref()?.named.as_ref()))
}

fn refusal_of(why: Blocked) -> Decision {
    Decision {
        verdict: Verdict::Refuse,
        mode: Mode::Enforce,
        rule: RULE.to_owned(),
        reason: format!("Of this message, something has to be taken out that cannot be: {why}."),
        contact: None,
        unmet: None,
    }
}

/// For the record: answers have none of their own.
fn method_of(message: &Message) -> &str {
    match message.kind() {
        Kind::Request { method, .. } | Kind::Notification { method } => method,
        Kind::Response { .. } => "(result)",
        Kind::Error { .. } => "(error)",
    }
}
