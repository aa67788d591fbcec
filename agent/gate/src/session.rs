//! One conversation: open requests, what the client was shown, which era it speaks.
//!
//! [`client`] and [`server`] take a side's lines apart; what a line is about is judged in a room of its
//! own: [`calls`] (tools, resources, prompts), [`methods`] (everything else), [`lists`], [`subscriptions`],
//! [`client_features`] (what the server asks), [`definitions`], [`tasks`], [`batches`], [`unreadable`]. Before all of that,
//! [`redacted`] takes out of a message what policy says must not pass; [`taken_out`] counts that.

mod batches;
mod calls;
mod client;
mod client_features;
mod definitions;
mod lists;
mod lookalikes;
mod methods;
mod redacted;
mod server;
mod subscriptions;
mod taken_out;
mod tasks;
mod unreadable;
mod waiting;

use crate::entry::{Entry, EntryKind, Fate};
use crate::judged::{Judged, Otherwise, Release};
use crate::open::OpenRequests;
use crate::refusal::{self, Era};
use crate::secrets;
pub use definitions::Definitions;
use lists::Shown;
use mcp::{Changes, Kind, Message, Subject};
use policy::{Decision, Feature, Outcome, Request, Ruleset, ServerIdentity, Verdict};
use std::time::Duration;
use taken_out::TakenOut;
use tasks::Tasks;
use time::OffsetDateTime;
use waiting::{Call, Open, Waiting};

/// What holds for the whole conversation.
#[derive(Debug, Clone)]
pub struct Facts {
    pub member: String,
    pub device: String,
    pub server: ServerIdentity,
}

/// The moment a message was read: wall clock for the rules, monotonic for durations.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub wall: OffsetDateTime,
    /// Since any fixed start.
    pub monotonic: Duration,
}

/// The state of one conversation. No I/O, no clock.
#[derive(Debug)]
pub struct Session {
    facts: Facts,
    client: Option<(String, String)>,
    /// Of the client's latest request. There is no handshake to learn it from since 2026-07-28.
    era: Era,
    /// The server settled on 2025-03-26, the one revision with batches.
    batches: bool,
    /// Calls so far.
    calls: u64,
    /// The client's requests to the server.
    asked_server: OpenRequests<Open>,
    /// The server's requests to the client (roots, sampling, elicitation; up to 2025-11-25).
    asked_client: OpenRequests<Open>,
    /// The kinds of list the server has, once it has said.
    has_lists: Option<Changes>,
    /// What the server listed last, and whether the client was shown it.
    shown: Shown,
    /// Tasks that the server made, by the tool that made them.
    server_tasks: Tasks,
    /// Tasks that the client made, by the client feature that made them.
    client_tasks: Tasks,
    /// What the server says its tools and prompts are, held against what it said before.
    definitions: Definitions,
    /// Lines of the server's that were dropped.
    noise: u64,
    taken_out: TakenOut,
    /// Policy lets the member do nothing with this server, so it was never started.
    not_started: bool,
}

impl Session {
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            client: None,
            era: Era::Legacy,
            batches: false,
            calls: 0,
            asked_server: OpenRequests::default(),
            asked_client: OpenRequests::default(),
            has_lists: None,
            shown: Shown::default(),
            server_tasks: Tasks::default(),
            client_tasks: Tasks::default(),
            definitions: Definitions::default(),
            noise: 0,
            taken_out: TakenOut::default(),
            not_started: false,
        }
    }

    /// The conversation about a server that was not started, because [`Session::bars`] it: every request
    /// is refused, the handshake too.
    #[must_use]
    pub fn without_server(mut self) -> Self {
        self.not_started = true;
        self
    }

    /// Why the server must not be started (any more), as a sentence for the developer, if it must not be.
    #[must_use]
    pub fn bars(&self, rules: &Ruleset, now: Now) -> Option<String> {
        let bar = self.bar(rules, now).filter(|bar| bar.outcome() == Outcome::Refused)?;
        Some(refusal::not_started(&bar, self.server_name(rules)))
    }

    /// Why this must not be said to the server in the client's name, though the client did not say it just
    /// now, if it must not be.
    #[must_use]
    pub fn objects_to(&self, message: Vec<u8>, rules: &Ruleset, now: Now) -> Option<String> {
        let message = match Message::parse(message) {
            Ok(message) => message,
            Err(why) => return Some(why.to_string()),
        };
        let (Kind::Request { method, .. } | Kind::Notification { method }) = message.kind() else {
            return None;
        };
        let decision = match message.subject() {
            Subject::Resource { uri } => Some(self.decide(Feature::Resource, uri, None, rules, now)),
            _ => self.objection(&message, method, rules, now),
        };
        Some(decision.filter(|decision| decision.outcome() == Outcome::Refused)?.reason)
    }

    /// Was the server not started, and do these rules let it be? A client that starts us anew gets it.
    #[must_use]
    pub fn could_start_now(&self, rules: &Ruleset, now: Now) -> bool {
        self.not_started && !self.is_barred(rules, now)
    }

    /// The refusal of the server as a whole, where there is one; in monitor mode it is not enforced.
    fn bar(&self, rules: &Ruleset, now: Now) -> Option<Decision> {
        rules.server_refusal(&self.question(Feature::Tool, "", None, now))
    }

    fn is_barred(&self, rules: &Ruleset, now: Now) -> bool {
        self.bar(rules, now).is_some_and(|bar| bar.outcome() == Outcome::Refused)
    }

    /// Judges one line from the client.
    #[expect(clippy::wrong_self_convention, reason = "it says which side the line came from")]
    pub fn from_client(&mut self, line: mcp::Line, rules: &Ruleset, now: Now) -> Judged {
        self.judge_client_line(line, rules, now)
    }

    /// Judges one line from the server.
    #[expect(clippy::wrong_self_convention, reason = "it says which side the line came from")]
    pub fn from_server(&mut self, line: mcp::Line, rules: &Ruleset, now: Now) -> Judged {
        self.judge_server_line(line, rules, now)
    }

    /// The policy changed: a `list_changed` notification for the client, for each kind of list of which it
    /// may see something else now, in the shape of its era: one per open subscription that asked for it
    /// in 2026-07-28. Empty where the client has not listed yet, or what it may see is the same.
    pub fn policy_changed(&mut self, rules: &Ruleset, now: Now) -> Vec<Judged> {
        self.tell_changes(rules, now)
    }

    /// The server is gone (`why`: a sentence for the developer): closes every open request with an
    /// error to the client and an outcome record each.
    pub fn server_gone(&mut self, why: &str, now: Now) -> Vec<Judged> {
        let mut open = self.asked_server.drain();
        open.retain(|(_, open)| !open.never_left());
        open.sort_by(|(a, _), (b, _)| a.cmp(b));
        open.sort_by_key(|(_, open)| open.call().map(|call| call.number));
        let lost = open.into_iter().map(|(id, open)| {
            let to = open.addressee(id);
            let release = Release::ToClient(refusal::server_gone(&to, why).into());
            match open.outcome(Fate::Lost, 0, now) {
                Some(entry) => Judged::entered(entry, release, Otherwise::Withheld(to)),
                None => Judged::pass(release),
            }
        });
        let mut unanswered = self.asked_client.drain();
        unanswered.sort_by_key(|(_, open)| open.call().map(|call| call.number));
        let unanswered = unanswered.into_iter().filter_map(|(_, open)| open.outcome(Fate::Lost, 0, now));
        let noted = unanswered.chain(self.taken_out.rest());
        lost.chain(noted.map(|entry| Judged::entered(entry, Release::Nothing, Otherwise::Nothing))).collect()
    }

    /// Does the server owe the client an answer? A subscription stays open for as long as it is wanted.
    #[must_use]
    pub fn is_answer_due(&self) -> bool {
        let mut open = self.asked_server.iter();
        open.any(|(_, open)| open.is_answerable() && !matches!(open.waiting, Waiting::Listen(_)))
    }

    /// The client's name and version as it gave them in `initialize` or `_meta`.
    #[must_use]
    pub fn client(&self) -> Option<(&str, &str)> {
        self.client.as_ref().map(|(name, version)| (name.as_str(), version.as_str()))
    }

    fn question<'a>(
        &'a self,
        feature: Feature,
        name: &'a str,
        arguments: Option<&'a serde_json::Value>,
        now: Now,
    ) -> Request<'a> {
        Request {
            member: &self.facts.member,
            device: &self.facts.device,
            client: self.client().map_or("", |(name, _)| name),
            server: &self.facts.server,
            feature,
            name,
            arguments,
            now: now.wall,
        }
    }

    fn decide(
        &self,
        feature: Feature,
        name: &str,
        arguments: Option<&serde_json::Value>,
        rules: &Ruleset,
        now: Now,
    ) -> Decision {
        let decision = rules.decide(&self.question(feature, name, arguments, now));
        // The reason of a refusal may quote the name.
        let is_quoted = decision.verdict == Verdict::Refuse && secrets::shapes_in(name).next().is_some();
        if feature == Feature::Resource || is_quoted {
            return Decision { reason: secrets::masked_text(&decision.reason), ..decision };
        }
        decision
    }

    /// Whom to ask about this server.
    fn contact(&self, rules: &Ruleset, now: Now) -> Option<String> {
        rules.decide(&self.question(Feature::Tool, "", None, now)).contact
    }

    /// The server as policy calls it, or what it is.
    fn server_name<'a>(&'a self, rules: &'a Ruleset) -> &'a str {
        rules.server_name(&self.facts.server).unwrap_or(self.facts.server.as_str())
    }
}

/// The record of a line that could not be read.
fn malformed_entry(code: &str, message: &str, from_client: bool) -> Entry {
    // It may quote a key or an id, of any length.
    let message = secrets::masked_name(message, 512);
    Entry {
        kind: EntryKind::Malformed { code: code.to_owned(), message, from_client },
        tool_use_id: None,
        method: String::new(),
        tool: None,
        redacted: 0,
        round: None,
    }
}
