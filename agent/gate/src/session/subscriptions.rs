//! `subscriptions/listen` (2026-07-28): which resources it may be about, and a stand-in for servers
//! that do not know it.

use super::calls::{Ask, with_beyond};
use super::{Open, Session, Waiting};
use crate::entry::{Entry, Fate};
use crate::judged::{Judged, Otherwise, Release};
use crate::refusal::{self, Addressee, Named};
use crate::secrets;
use mcp::{Changes, Id, Message, edit, reply};
use policy::{Feature, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Session {
    /// A subscription to resources, each judged on its own. Those that are refused are taken out of it:
    /// the server's acknowledgement then says what is left, and changes of lists are still told.
    pub(super) fn judge_subscriptions(
        &mut self,
        message: Message,
        ask: &Ask<'_>,
        changes: Changes,
        resources: &[String],
    ) -> Judged {
        if self.objection(&message, &ask.method, ask.rules, ask.now).is_some() {
            return self.judge_method(message, ask, Waiting::Listen(changes));
        }
        let mut entries = Vec::new();
        let mut refused = BTreeSet::new();
        for uri in resources.iter().collect::<BTreeSet<_>>() {
            let entered = self.enter_subscription(uri, ask);
            if entered.len() == 1 {
                refused.insert(uri.as_str());
            }
            entries.extend(entered);
        }
        if let Some(first) = entries.first_mut() {
            *first = with_beyond(first.clone(), &message);
        }
        let what = refusal::naming(&ask.method, None);
        let to = Addressee { id: ask.id.clone(), era: self.era, what };
        let bytes = if refused.is_empty() {
            message.into_bytes()
        } else {
            edit::without_subscriptions(message, |uri| !refused.contains(uri))
        };
        self.open(ask, Waiting::Listen(changes), to.what.clone(), None);
        Judged::pass(Release::ToServer(bytes.into())).and(entries).or(Otherwise::NotSent(to))
    }

    /// The record of one resource: what was decided, and where it passes that it went out.
    fn enter_subscription(&mut self, uri: &str, ask: &Ask<'_>) -> Vec<Entry> {
        let named = Named::new(Feature::Resource, uri);
        let decision = self.decide(Feature::Resource, uri, None, ask.rules, ask.now);
        let arguments: Value = json!({ "uri": uri });
        let recorded = secrets::masked(&arguments.to_string(), arguments);
        let entry = self.call_entry(&ask.method, Some(&named), Some(recorded), &decision, ask.rules);
        let passed = (decision.outcome() != Outcome::Refused).then(|| self.passed(&entry, uri.len()));
        std::iter::once(entry).chain(passed).collect()
    }

    /// The server does not know subscriptions. We announced that its lists may change, so we serve one.
    pub(super) fn serve_listen(&mut self, id: Id, open: Open, changes: Changes) -> Judged {
        let changes = changes.and(self.has_lists.unwrap_or(Changes::ALL));
        let acknowledged = Release::ToClient(reply::subscription_acknowledged(changes, &id).into());
        self.asked_server.insert(id, Open { waiting: Waiting::OwnListen(changes), ..open });
        Judged::pass(acknowledged)
    }

    /// The server's acknowledgement of a subscription: what was asked of changes is honoured, by us at least.
    pub(super) fn pass_acknowledgement(&self, message: Message, listen: &Id) -> Judged {
        let bytes = match self.listens(listen) {
            Some(asked) => edit::honour_changes(message, asked.and(self.has_lists.unwrap_or(Changes::ALL))),
            None => message.into_bytes(),
        };
        Judged::pass(Release::ToClient(bytes.into()))
    }

    /// The changes that a subscription asked for, if this is one that the server serves.
    pub(super) fn listens(&self, id: &Id) -> Option<Changes> {
        match self.asked_server.get(id)?.waiting {
            Waiting::Listen(changes) => Some(changes),
            _ => None,
        }
    }

    /// The end of something that passed and that nobody answers by itself.
    pub(super) fn passed(&self, entry: &Entry, bytes: usize) -> Entry {
        Entry {
            kind: crate::EntryKind::Outcome {
                number: self.calls,
                fate: Fate::Ok,
                duration_us: 0,
                bytes: bytes as u64,
            },
            ..entry.clone()
        }
    }
}
