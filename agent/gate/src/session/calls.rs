//! Requests that a grant has to cover: calls of tools, resources and prompts, and their completion.

use super::{Call, Now, Open, Session, Waiting};
use crate::entry::{Entry, EntryKind, Fate};
use crate::judged::{Judged, Otherwise, Release, Sending};
use crate::open::{Answered, Clash};
use crate::refusal::{self, Addressee, Case, Named, shorten};
use crate::secrets;
use mcp::beyond::Beyond;
use mcp::{Id, Malformed, Message, Subject};
use policy::{Decision, Feature, Outcome, Ruleset, Verdict};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Rules about who and whether at all, not about a tool.
const STANDING_RULES: &[&str] = &["member-suspended", "device-revoked", "policy-expired", "lockdown"];

/// The longest names the record keeps whole.
pub(super) const NAME_BYTES: usize = 512;
const REASON_BYTES: usize = 4096;
/// So much of a digest tells the rounds of one organisation apart.
const ROUND_BYTES: usize = 16;

/// One request of the client's, and what it is judged by.
pub(super) struct Ask<'r> {
    pub(super) id: Id,
    pub(super) method: String,
    pub(super) rules: &'r Ruleset,
    pub(super) now: Now,
}

impl Session {
    /// May this id join the open ones? A call that was held back for want of a record leaves no trace.
    pub(super) fn admit(&mut self, id: &Id) -> Result<(), Clash> {
        if self.asked_server.get(id).is_some_and(Open::never_left) {
            let _: Answered<Open> = self.asked_server.answer(id);
        }
        self.asked_server.admits(id)
    }

    /// A tool, a prompt or a resource, by its name and arguments.
    pub(super) fn judge_call(&mut self, message: Message, ask: &Ask<'_>, named: Named) -> Judged {
        let text = match message.subject() {
            Subject::ToolCall { arguments, .. } | Subject::Prompt { arguments, .. } => arguments,
            _ => None,
        };
        let Ok(arguments) = text.map(serde_json::from_str::<Value>).transpose() else {
            let why = Malformed::BadArguments { method: "tools/call" };
            return self.refuse_malformed(&why, message.bytes());
        };
        let decision = self.decide(named.feature, &named.name, arguments.as_ref(), ask.rules, ask.now);
        let decision = self.held_back(&named, &decision, ask).unwrap_or(decision);
        let recorded = match named.feature {
            Feature::Tool => text.zip(arguments).map(|(text, arguments)| secrets::masked(text, arguments)),
            _ => recorded_params(&message),
        };
        self.enter_call(message, ask, Some(named), recorded, &decision)
    }

    /// Completing an argument tells of a prompt or resource, so it is for whoever may use that, with
    /// some arguments: which ones is not known yet.
    pub(super) fn judge_completion(
        &mut self,
        message: Message,
        ask: &Ask<'_>,
        prompt: Option<Named>,
        resource: Option<Named>,
    ) -> Judged {
        let judged = |named: Named| (self.decide_somehow(&named, ask), named);
        let mut named: Vec<_> = prompt.into_iter().chain(resource).map(judged).collect();
        named.sort_by_key(|(decision, _)| decision.verdict == Verdict::Allow);
        let Some((decision, named)) = named.into_iter().next() else {
            return self.judge_method(message, ask, Waiting::Other);
        };
        let params = recorded_params(&message);
        self.enter_call(message, ask, Some(named), params, &decision)
    }

    /// The decision on a use whose arguments are not known: allowed where some would be.
    pub(super) fn decide_somehow(&self, named: &Named, ask: &Ask<'_>) -> Decision {
        let question = self.question(named.feature, &named.name, None, ask.now);
        let decision = self.decide(named.feature, &named.name, None, ask.rules, ask.now);
        let may = || match named.feature {
            // A completion may be about a template.
            Feature::Resource => ask.rules.visible(&question) || ask.rules.template_visible(&question),
            _ => ask.rules.visible(&question),
        };
        let decision = if decision.outcome() == Outcome::Refused && may() {
            let rule = if decision.unmet.is_some() { decision.rule } else { "default".to_owned() };
            let reason = "It may be used with some arguments.".to_owned();
            Decision { verdict: Verdict::Allow, unmet: None, rule, reason, ..decision }
        } else {
            decision
        };
        self.held_back(named, &decision, ask).unwrap_or(decision)
    }

    /// Records a decided call, and lets it go or refuses it.
    pub(super) fn enter_call(
        &mut self,
        message: Message,
        ask: &Ask<'_>,
        named: Option<Named>,
        arguments: Option<Box<RawValue>>,
        decision: &Decision,
    ) -> Judged {
        self.enter(message, ask, named, arguments, decision, Waiting::Other)
    }

    pub(super) fn enter(
        &mut self,
        message: Message,
        ask: &Ask<'_>,
        named: Option<Named>,
        arguments: Option<Box<RawValue>>,
        decision: &Decision,
        waiting: Waiting,
    ) -> Judged {
        let entry = self.call_entry(&ask.method, named.as_ref(), arguments, decision, ask.rules);
        let mut entry = with_beyond(entry, &message);
        entry.tool_use_id = message.tool_use_id().map(|id| shorten(id, NAME_BYTES));
        entry.round = round(&message);
        let what = refusal::naming(&ask.method, named.as_ref());
        let to = Addressee { id: ask.id.clone(), era: self.era, what };
        if decision.outcome() == Outcome::Refused {
            let answer = self.refusal(&to, ask, named.as_ref(), decision);
            let imitation = self.imitation(named.as_ref(), ask);
            return Judged::entered(entry, Release::ToClient(answer.into()), Otherwise::NotSent(to))
                .and(imitation);
        }
        let sending = Sending::default();
        let call = self.call(&entry, named, sending.clone());
        self.open(ask, waiting, to.what.clone(), Some(call));
        Judged::entered(entry, Release::ToServer(message.into()), Otherwise::NotSent(to)).with(sending)
    }

    /// The latest entry, as an open call remembers it.
    pub(super) fn call(&self, entry: &Entry, named: Option<Named>, sending: Sending) -> Call {
        Call {
            number: self.calls,
            method: entry.method.clone(),
            named,
            tool_use_id: entry.tool_use_id.clone(),
            sending,
        }
    }

    /// The record of one decision, under a number of its own.
    pub(super) fn call_entry(
        &mut self,
        method: &str,
        named: Option<&Named>,
        arguments: Option<Box<RawValue>>,
        decision: &Decision,
        rules: &Ruleset,
    ) -> Entry {
        self.calls += 1;
        Entry {
            kind: EntryKind::Call {
                number: self.calls,
                arguments,
                beyond: None,
                outcome: decision.outcome(),
                rule: decision.rule.clone(),
                reason: shorten(&decision.reason, REASON_BYTES),
                policy_version: rules.version(),
            },
            tool_use_id: None,
            method: secrets::masked_name(method, NAME_BYTES),
            tool: named.and_then(Named::tool).map(|tool| secrets::masked_name(tool, NAME_BYTES)),
            redacted: 0,
            round: None,
        }
    }

    /// Hiding is for what is never this member's. A tool refused for its arguments is on the client's
    /// list, so calling it unknown would only puzzle.
    pub(super) fn refusal(
        &self,
        to: &Addressee,
        ask: &Ask<'_>,
        named: Option<&Named>,
        decision: &Decision,
    ) -> Vec<u8> {
        let standing = self.not_started || STANDING_RULES.contains(&decision.rule.as_str());
        if let Some(named) = named.filter(|_| ask.rules.settings().hide && !standing)
            && !ask.rules.visible(&self.question(named.feature, &named.name, None, ask.now))
        {
            return refusal::unknown(to, named);
        }
        refusal::refused(to, decision, &self.case(ask.rules, named))
    }

    pub(super) fn case<'a>(&'a self, rules: &'a Ruleset, named: Option<&'a Named>) -> Case<'a> {
        Case {
            member: &self.facts.member,
            server: self.server_name(rules),
            named,
            policy_version: rules.version(),
            not_started: self.not_started,
        }
    }

    pub(super) fn open(&mut self, ask: &Ask<'_>, waiting: Waiting, what: String, call: Option<Call>) {
        let open = Open { waiting, call, era: self.era, what, since: ask.now.monotonic };
        self.asked_server.insert(ask.id.clone(), open);
    }

    /// The server's answer to a request that is about no list: it goes to the client, and ends the call.
    pub(super) fn close(
        &mut self,
        message: Message,
        id: Id,
        open: &Open,
        is_error: bool,
        now: Now,
    ) -> Judged {
        let fate = match is_error {
            true => Fate::Error,
            false if message.is_tool_error() => Fate::ToolError,
            false => Fate::Ok,
        };
        self.remember_task(&message, open);
        let entry = open.outcome(fate, message.bytes().len(), now);
        let entry = entry.map(|entry| Entry { round: round(&message), ..entry });
        let release = Release::ToClient(message.into());
        match entry {
            Some(entry) => Judged::entered(entry, release, Otherwise::Withheld(open.addressee(id))),
            None => Judged::pass(release),
        }
    }
}

/// What a request that is no tool call asked for: its `params` without `_meta`.
pub(super) fn recorded_params(message: &Message) -> Option<Box<RawValue>> {
    recorded(message.params()?)
}

pub(super) fn recorded(params: &str) -> Option<Box<RawValue>> {
    Some(secrets::masked(params, without_meta(params)?))
}

/// The record of what a message asks says too what else the message says.
pub(super) fn with_beyond(mut entry: Entry, message: &Message) -> Entry {
    if let EntryKind::Call { beyond, .. } = &mut entry.kind
        && message.says_beyond()
    {
        let mut places = Map::new();
        for Beyond { place, name, value } in message.beyond() {
            let members = places.entry(place.word()).or_insert_with(|| Value::Object(Map::new()));
            // It was parsed before.
            members[name] = serde_json::from_str(value).unwrap_or_default();
        }
        let said = Value::Object(places);
        *beyond = Some(secrets::masked(&said.to_string(), said));
    }
    entry
}

/// `_meta` is about the message, not about what it asks for.
pub(super) fn without_meta(params: &str) -> Option<Value> {
    let mut value: Value = serde_json::from_str(params).ok()?;
    if let Some(members) = value.as_object_mut() {
        members.remove("_meta");
    }
    Some(value)
}

/// What stands for a `requestState` in the record: the state itself is the server's, and may be a secret.
fn round(message: &Message) -> Option<String> {
    let digest = Sha256::digest(message.request_state()?);
    let mut text = String::new();
    for byte in digest.iter().take(ROUND_BYTES) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}
