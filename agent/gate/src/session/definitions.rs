//! Definitions in a conversation: every list and greeting is held against the book, and what is held
//! back is neither shown nor called. What is what stands in [`crate::definitions`].

use super::calls::Ask;
use super::{Now, Session};
use crate::definitions::{Book, Held, Known, Part, Sighting};
use crate::entry::{Entry, EntryKind};
use crate::refusal::{self, Named, shorten};
use mcp::{List, Message, edit, list};
use policy::{Decision, DefinitionsMode, Feature, Mode, Ruleset, Verdict};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The longest name the record keeps whole.
const NAME_BYTES: usize = 512;

/// The definitions of one server, for all its conversations.
#[derive(Debug, Clone, Default)]
pub struct Definitions(Rc<RefCell<Book>>);

impl Definitions {
    #[must_use]
    pub fn new(known: Known) -> Self {
        Self(Rc::new(RefCell::new(Book::new(known))))
    }

    /// The pins on disk changed. The conversations are to be told by [`Session::policy_changed`].
    pub fn learn(&self, known: Known) {
        self.0.borrow_mut().learn(known);
    }
}

impl Session {
    /// This conversation's server is held against what is known of it.
    #[must_use]
    pub fn with_definitions(mut self, definitions: Definitions) -> Self {
        self.definitions = definitions;
        self
    }

    /// What one page of a list says that is worth a record.
    pub(super) fn look_at_list(&mut self, list: List, message: &Message, rules: &Ruleset) -> Vec<Entry> {
        let rule = rules.definitions_of(&self.facts.server);
        let Some(part) = part_of(list).filter(|_| rule.mode != DefinitionsMode::Off) else {
            return Vec::new();
        };
        let entries = list::entries(message, list);
        let named = entries.iter().map(|(name, raw)| (name.as_str(), *raw));
        let sightings = self.definitions.0.borrow_mut().look(part, named, rule);
        self.entries(list.method(), sightings, rules)
    }

    /// The record says of what is held whether it is let through all the same.
    fn entries(&self, method: &str, sightings: Vec<Sighting>, rules: &Ruleset) -> Vec<Entry> {
        let let_through = sightings.iter().any(|sighting| sighting.held) && self.is_monitored(rules);
        let sightings = sightings
            .into_iter()
            .map(|sighting| Sighting { let_through: sighting.held && let_through, ..sighting });
        sightings.map(|sighting| entry(method, sighting, rules)).collect()
    }

    /// The greeting, without instructions to the model that are held back.
    pub(super) fn look_at_greeting(
        &mut self,
        method: &str,
        message: Message,
        rules: &Ruleset,
    ) -> (Message, Vec<Entry>) {
        let rule = rules.definitions_of(&self.facts.server);
        let found = message.result().filter(|_| rule.mode != DefinitionsMode::Off).and_then(instructions);
        let Some(raw) = found else { return (message, Vec::new()) };
        let mut book = self.definitions.0.borrow_mut();
        let sightings = book.look(Part::Instructions, [("", raw)], rule);
        let is_held = book.held(Part::Instructions, "", rule).is_some() && !self.is_monitored(rules);
        let entries = self.entries(method, sightings, rules);
        if !is_held {
            return (message, entries);
        }
        (edit::without_instructions(message), entries)
    }

    /// Is this entry of a list held back?
    pub(super) fn is_held_back(&self, list: List, name: &str, rules: &Ruleset) -> bool {
        part_of(list).is_some_and(|part| self.held(part, name, rules).is_some()) && !self.is_monitored(rules)
    }

    /// The refusal of what is held back, where policy would allow it.
    pub(super) fn held_back(&self, named: &Named, decision: &Decision, ask: &Ask<'_>) -> Option<Decision> {
        if decision.verdict == Verdict::Refuse {
            return None;
        }
        let part = match named.feature {
            Feature::Tool => Part::Tool,
            Feature::Prompt => Part::Prompt,
            _ => return None,
        };
        let held = self.held(part, &named.name, ask.rules)?;
        let contact = self.contact(ask.rules, ask.now);
        Some(Decision {
            verdict: Verdict::Refuse,
            mode: if self.is_monitored(ask.rules) { Mode::Monitor } else { Mode::Enforce },
            rule: refusal::definitions::rule(&held).to_owned(),
            reason: refusal::definitions::reason(&held),
            contact: decision.contact.clone().or(contact),
            ..decision.clone()
        })
    }

    fn held(&self, part: Part, name: &str, rules: &Ruleset) -> Option<Held> {
        let rule = rules.definitions_of(&self.facts.server);
        if rule.mode != DefinitionsMode::Hold {
            return None;
        }
        self.definitions.0.borrow().held(part, name, rule)
    }

    /// Where nothing is enforced yet (monitor mode), what would be held is shown and called. It is not
    /// pinned for that: a spell of monitoring must not make a change the approved definition. The mode is the server's and the member's, whatever is asked and whenever.
    fn is_monitored(&self, rules: &Ruleset) -> bool {
        let now = Now { wall: time::OffsetDateTime::UNIX_EPOCH, monotonic: std::time::Duration::ZERO };
        rules.decide(&self.question(Feature::Tool, "", None, now)).mode == Mode::Monitor
    }
}

/// Resources are data; what they are is the server's to change.
fn part_of(list: List) -> Option<Part> {
    match list {
        List::Tools => Some(Part::Tool),
        List::Prompts => Some(Part::Prompt),
        List::ResourceTemplates => Some(Part::ResourceTemplate),
        List::Resources => None,
    }
}

fn instructions(result: &str) -> Option<&str> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(result).ok()?;
    members.get("instructions").map(|raw| raw.get()).filter(|raw| !matches!(*raw, "null" | "\"\""))
}

fn entry(method: &str, sighting: Sighting, rules: &Ruleset) -> Entry {
    let tool = (sighting.subject.part == Part::Tool).then(|| shorten(&sighting.subject.name, NAME_BYTES));
    let kind = EntryKind::Definition { sighting: Box::new(sighting), policy_version: rules.version() };
    Entry { kind, tool_use_id: None, method: method.to_owned(), tool, redacted: 0, round: None }
}
