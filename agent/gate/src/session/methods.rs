//! Everything that is judged by its method alone: it passes unless a rule names it, or the server may not
//! be used at all.

use super::calls::{Ask, recorded_params};
use super::{Now, Session, Waiting};
use crate::entry::Entry;
use crate::judged::{Judged, Release};
use crate::refusal;
use mcp::Message;
use policy::{Decision, Feature, Outcome, Ruleset, Verdict};
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
/// are called: a server may understand anything.
const PLAIN: &[&str] = &[
    "completion/complete",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/cancel",
    "tasks/update",
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
    /// Everything else: passes unless the server may not be used any more, or a rule names the method.
    pub(super) fn judge_method(&mut self, message: Message, ask: &Ask<'_>, waiting: Waiting) -> Judged {
        if let Some(decision) = self.objection(&message, &ask.method, ask.rules, ask.now) {
            let params = recorded_params(&message);
            return self.enter(message, ask, None, params, &decision, waiting);
        }
        if !is_plain(&ask.method) {
            let decision = self.decide_method(&message, &ask.method, ask.rules, ask.now);
            let params = recorded_params(&message);
            return self.enter(message, ask, None, params, &decision, waiting);
        }
        self.open(ask, waiting, refusal::naming(&ask.method, None), None);
        Judged::pass(Release::ToServer(message.into()))
    }

    pub(super) fn decide_method(
        &self,
        message: &Message,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Decision {
        let params: Option<Value> = message.params().and_then(|params| serde_json::from_str(params).ok());
        rules.decide(&self.question(Feature::Method, method, params.as_ref(), now))
    }

    /// What policy says against a request or notification that is judged by its method alone.
    pub(super) fn objection(
        &self,
        message: &Message,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Option<Decision> {
        if let Some(bar) = self.bar(rules, now) {
            return Some(bar).filter(|bar| self.ends(bar, method));
        }
        if UNGOVERNED.contains(&method) {
            return None;
        }
        let decision = self.decide_method(message, method, rules, now);
        (decision.verdict == Verdict::Refuse).then_some(decision)
    }

    /// Does this refusal of the server as a whole end such a request?
    fn ends(&self, bar: &Decision, method: &str) -> bool {
        bar.outcome() == Outcome::Refused && (self.not_started || !HARMLESS.contains(&method))
    }

    /// The record of a notification, and whether a rule refuses it; none of one that has to pass, or is
    /// of the specification and may.
    pub(super) fn recorded_notification(
        &mut self,
        message: &Message,
        method: &str,
        rules: &Ruleset,
        now: Now,
    ) -> Option<(Entry, Outcome)> {
        if UNGOVERNED.contains(&method) || self.bar(rules, now).is_some() {
            return None;
        }
        let decision = self.decide_method(message, method, rules, now);
        if decision.verdict == Verdict::Allow && is_plain(method) {
            return None;
        }
        let entry = self.call_entry(method, None, recorded_params(message), &decision, rules);
        Some((entry, decision.outcome()))
    }
}

pub(super) fn is_plain(method: &str) -> bool {
    UNGOVERNED.contains(&method) || HARMLESS.contains(&method) || PLAIN.contains(&method)
}
