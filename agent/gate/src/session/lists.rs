//! Lists: filtered by what policy shows, remembered, and told anew when policy changes.

use super::{Now, Open, Session, Waiting};
use crate::entry::{Entry, EntryKind, Fate};
use crate::judged::{Judged, Otherwise, Release};
use crate::refusal;
use mcp::list::{self, Filtered};
use mcp::{Change, Id, List, Message, reply};
use policy::{Feature, Ruleset};
use std::collections::{BTreeMap, BTreeSet};

/// More entries than any list has. Names beyond are filtered, but not remembered.
const MAX_NAMES: usize = 10_000;
const MAX_NAME_BYTES: usize = 1024;

/// What the server listed last, and whether the client was shown it. A list that was never asked for is
/// not there.
#[derive(Debug, Default)]
pub(super) struct Shown(BTreeMap<List, BTreeMap<String, bool>>);

impl Shown {
    fn remember(&mut self, list: List, names: Vec<(String, bool)>, first_page: bool) {
        let known = self.0.entry(list).or_default();
        if first_page {
            known.clear();
        }
        let room = MAX_NAMES.saturating_sub(known.len());
        // A longer one is no name; whether it was shown is asked of policy alone.
        known.extend(names.into_iter().filter(|(name, _)| name.len() <= MAX_NAME_BYTES).take(room));
    }

    /// The tools that the client was shown.
    pub(super) fn tools(&self) -> impl Iterator<Item = &str> {
        let tools = self.0.get(&List::Tools).into_iter().flatten();
        tools.filter(|(_, shown)| **shown).map(|(name, _)| name.as_str())
    }

    /// Asks anew what is shown; the kinds of list that look different now.
    fn refresh(&mut self, shows: impl Fn(List, &str) -> bool) -> BTreeSet<Change> {
        let mut changed = BTreeSet::new();
        for (list, names) in &mut self.0 {
            for (name, shown) in names {
                let visible = shows(*list, name);
                if visible != *shown {
                    changed.insert(list.change());
                }
                *shown = visible;
            }
        }
        changed
    }
}

impl Session {
    /// One page of a list: what policy does not show is taken out.
    pub(super) fn filter_list(
        &mut self,
        message: Message,
        id: Id,
        open: &Open,
        (list, first_page): (List, bool),
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        let to = open.addressee(id);
        let bytes = message.bytes().len();
        let defined = self.look_at_list(list, &message, rules);
        let filtered = list::filter(message, list, |name, _definition| self.shows(list, name, rules, now));
        match filtered {
            Ok(Filtered { bytes: shown_bytes, names, shown, hidden }) => {
                self.shown.remember(list, names, first_page);
                let outcome = open.outcome(Fate::Ok, bytes, now);
                let entry = listed(list, shown, hidden);
                Judged::entered(entry, Release::ToClient(shown_bytes.into()), Otherwise::Withheld(to))
                    .and(defined)
                    .and(outcome)
            }
            Err(why) => {
                let answer = Release::ToClient(refusal::unreadable_list(&to, list, &why).into());
                let noise = self.noise_entry("unreadable-list", &why.to_string());
                let outcome = open.outcome(Fate::Error, bytes, now);
                Judged::pass(answer).and(noise).and(outcome)
            }
        }
    }

    /// May the client see this entry of a list?
    fn shows(&self, list: List, name: &str, rules: &Ruleset, now: Now) -> bool {
        let feature = match list {
            List::Tools => Feature::Tool,
            List::Prompts => Feature::Prompt,
            List::Resources | List::ResourceTemplates => Feature::Resource,
        };
        let question = self.question(feature, name, None, now);
        let visible = match list {
            List::ResourceTemplates => rules.template_visible(&question),
            _ => rules.visible(&question),
        };
        visible && !self.is_held_back(list, name, rules)
    }

    pub(super) fn tell_changes(&mut self, rules: &Ruleset, now: Now) -> Vec<Judged> {
        let mut shown = std::mem::take(&mut self.shown);
        let changed = shown.refresh(|list, name| self.shows(list, name, rules, now));
        self.shown = shown;
        changed.into_iter().flat_map(|change| self.tell(change)).collect()
    }

    /// Tells the client that a list changed, in the shape of its era.
    fn tell(&self, change: Change) -> Vec<Judged> {
        let told = |bytes: Vec<u8>| Judged::pass(Release::ToClient(bytes.into()));
        match self.era {
            refusal::Era::Legacy => vec![told(reply::list_changed(change))],
            refusal::Era::Modern => {
                let asked = |waiting: &Waiting| match waiting {
                    Waiting::Listen(changes) | Waiting::OwnListen(changes) => changes.has(change),
                    _ => false,
                };
                let open = self.asked_server.iter().filter(|(_, open)| asked(&open.waiting));
                open.map(|(id, _)| told(reply::list_changed_on(change, id))).collect()
            }
        }
    }
}

fn listed(list: List, shown: u64, hidden: u64) -> Entry {
    Entry {
        kind: EntryKind::Listed { shown, hidden },
        tool_use_id: None,
        method: list.method().to_owned(),
        tool: None,
        redacted: 0,
        round: None,
    }
}
