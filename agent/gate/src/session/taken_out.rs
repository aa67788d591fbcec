//! What was taken out of messages that have no entry of their own (progress, logging): of each method the
//! first is told at once, the others by their number, and rarer the more there are. The rest is told at the end.

use crate::entry::{Entry, EntryKind};
use crate::redaction::Way;
use crate::secrets::masked_name;
use std::collections::BTreeMap;

/// Methods that are told apart: they are the peer's to make up.
const MOST_METHODS: usize = 32;
const METHOD_BYTES: usize = 128;
const ALL_OTHERS: &str = "(other methods)";

#[derive(Debug, Default)]
pub(super) struct TakenOut(BTreeMap<(String, bool), Count>);

#[derive(Debug, Default)]
struct Count {
    ever: u64,
    /// Since the last entry.
    messages: u64,
    places: u64,
}

impl TakenOut {
    /// One more; the entry, where it is time for one.
    pub(super) fn note(&mut self, method: &str, way: Way, places: u64) -> Option<Entry> {
        let from_client = way == Way::ToServer;
        let mut key = (masked_name(method, METHOD_BYTES), from_client);
        if !self.0.contains_key(&key) && self.0.len() >= MOST_METHODS {
            ALL_OTHERS.clone_into(&mut key.0);
        }
        let count = self.0.entry(key.clone()).or_default();
        count.ever += 1;
        count.messages += 1;
        count.places += places;
        count.ever.is_power_of_two().then(|| count.tell(key.0, from_client)).flatten()
    }

    /// What no entry tells of yet.
    pub(super) fn rest(&mut self) -> Vec<Entry> {
        let tell = |((method, from_client), count): (&(String, bool), &mut Count)| {
            count.tell(method.clone(), *from_client)
        };
        self.0.iter_mut().filter_map(tell).collect()
    }
}

impl Count {
    fn tell(&mut self, method: String, from_client: bool) -> Option<Entry> {
        let (messages, places) = (std::mem::take(&mut self.messages), std::mem::take(&mut self.places));
        (messages > 0).then_some(Entry {
            kind: EntryKind::Redacted { messages, from_client },
            tool_use_id: None,
            method,
            tool: None,
            redacted: places,
            round: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(entry: &Entry) -> (&str, u64, u64) {
        let EntryKind::Redacted { messages, .. } = entry.kind else { panic!("{entry:?}") };
        (&entry.method, messages, entry.redacted)
    }

    #[test]
    fn the_first_is_told_at_once_and_a_flood_by_its_number() {
        let mut taken_out = TakenOut::default();
        let entries: Vec<Entry> =
            (0..1000).filter_map(|_| taken_out.note("notifications/message", Way::ToClient, 2)).collect();
        assert_eq!(entries.len(), 10);
        assert_eq!(told(&entries[0]), ("notifications/message", 1, 2));
        assert_eq!(told(&entries[9]), ("notifications/message", 256, 512));
        let rest = taken_out.rest();
        assert_eq!(rest.iter().map(told).collect::<Vec<_>>(), [("notifications/message", 488, 976)]);
        assert!(taken_out.rest().is_empty());
    }

    #[test]
    fn attack_methods_without_end_share_one_count() {
        let mut taken_out = TakenOut::default();
        let note = |n: usize| taken_out.note(&format!("notifications/{n}"), Way::ToClient, 1);
        let entries = (0..5000).filter_map(note).count();
        assert!(entries < MOST_METHODS + 16, "{entries}");
        assert!(taken_out.0.len() <= MOST_METHODS + 1);
    }
}
