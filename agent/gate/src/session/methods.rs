//! Everything that is judged by its method alone: it passes unless a rule names it, or the server may not
//! be used at all.

use super::calls::{Ask, recorded_params, with_beyond};
use super::{Now, Session, Waiting};
use crate::entry::Entry;
use crate::judged::{Judged, Release};
use crate::refusal;
use mcp::Message;
use policy::{Decision, Feature, Mode, Outcome, Ruleset, Verdict};
use serde_json::Value;

/// What a server that may not be used (any more) is still asked: it says nothing that a model reads.
/// The lists are filtered, to nothing.
const HARMLESS: &[&str] = &[
    "ping",
    "subscriptions/listen",
    "logging/setLevel",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
];

/// Requests and notifications of the specification that leave no record where they pass: the
/// conversation's own, and those about what is on record already. All others are on record, whatever they
/// are called, and so are these where they say more than their method is there for
/// ([`Message::says_beyond`]): a server may understand anything.
const PLAIN: &[&str] = &[
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/cancel",
    "notifications/message",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "notifications/elicitation/complete",
];

/// Without these there is no conversation to judge, so no rule about methods ends them.
const UNGOVERNED: &[&str] =
    &["initialize", "notifications/initialized", "server/discover", "ping", "notifications/cancelled"];

impl Session {
    /// Everything else: passes unless the server may not be used any more, or a rule names the method. It is
    /// on record unless it is plain.
    pub(super) fn judge_method(&mut self, message: Message, ask: &Ask<'_>, waiting: Waiting) -> Judged {
        if let Some(decision) = self.decide_by_method(&message, &ask.method, ask.rules, ask.now) {
            let params = recorded_params(&message);
            return self.enter(message, ask, None, params, &decision, waiting);
        }
        self.open(ask, waiting, refusal::naming(&ask.method, None), None);
        Judged::pass(Release::ToServer(message.into()))
    }

    /// What policy says of a request that is judged by its method alone; `None` where it passes without
    /// a record.
    fn decide_by_method(
        &self,
        message: &Message,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Option<Decision> {
        let plain = is_plain(method) && !message.says_beyond();
        let bar = self.bar(rules, now);
        if let Some(bar) = bar.as_ref().filter(|bar| self.ends(bar, method, plain)) {
            return Some(bar.clone());
        }
        if UNGOVERNED.contains(&method) {
            return (!plain).then(of_the_conversation);
        }
        if plain && bar.is_some() {
            return None;
        }
        let decision = self.decide_method(message, method, rules, now);
        (decision.verdict == Verdict::Refuse || !plain).then_some(decision)
    }

    pub(super) fn decide_method(
        &self,
        message: &Message,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Decision {
        let params: Option<Value> = message.params().and_then(|params| serde_json::from_str(params).ok());
        self.decide(Feature::Method, method, params.as_ref(), rules, now)
    }

    /// What policy says against a request that is judged by its method alone.
    pub(super) fn objection(
        &self,
        message: &Message,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Option<Decision> {
        let decision = self.decide_by_method(message, method, rules, now);
        decision.filter(|decision| decision.verdict == Verdict::Refuse)
    }

    /// Does this refusal of the server as a whole end such a request?
    fn ends(&self, bar: &Decision, method: &str, plain: bool) -> bool {
        bar.outcome() == Outcome::Refused && (self.not_started || !plain || !HARMLESS.contains(&method))
    }

    /// The record of a notification, and whether a rule refuses it; none of one that is plain and passes.
    pub(super) fn recorded_notification(
        &mut self,
        message: &Message,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Option<(Entry, Outcome)> {
        let plain = is_plain(method) && !message.says_beyond();
        let bar = self.bar(rules, now);
        if plain && (bar.is_some() || UNGOVERNED.contains(&method)) {
            return None;
        }
        let decision = match bar {
            Some(bar) => bar,
            None if UNGOVERNED.contains(&method) => of_the_conversation(),
            None => self.decide_method(message, method, rules, now),
        };
        if plain && decision.verdict == Verdict::Allow {
            return None;
        }
        let entry = self.call_entry(method, None, recorded_params(message), &decision, rules);
        Some((with_beyond(entry, message), decision.outcome()))
    }
}

/// Why a message passes that no rule may end, where it says more than it is there for.
fn of_the_conversation() -> Decision {
    Decision {
        verdict: Verdict::Allow,
        mode: Mode::Enforce,
        rule: "default-methods".to_owned(),
        reason: "Without it there is no conversation to judge, so no rule ends it.".to_owned(),
        contact: None,
        unmet: None,
    }
}

pub(super) fn is_plain(method: &str) -> bool {
    UNGOVERNED.contains(&method) || HARMLESS.contains(&method) || PLAIN.contains(&method)
}
