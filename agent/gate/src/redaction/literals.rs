//! Values that a rule took out of a field, found again in the texts of the same message: the structured
//! content of a result mostly has a twin in words.

use aho_corasick::{AhoCorasick, MatchKind};
use std::ops::Range;

/// A value that a field held, and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub value: String,
    pub with: String,
}

/// Shorter ones stand everywhere, and say nothing.
const LEAST_BYTES: usize = 4;

pub(super) struct Literals {
    search: Option<AhoCorasick>,
    with: Vec<String>,
}

impl Literals {
    pub fn none() -> Self {
        Self { search: None, with: Vec::new() }
    }

    pub fn of(named: &[Named]) -> Self {
        let mut named: Vec<_> = named
            .iter()
            .filter(|named| named.value.len() >= LEAST_BYTES && !named.with.contains(&named.value))
            .collect();
        named.sort();
        named.dedup_by(|a, b| a.value == b.value);
        if named.is_empty() {
            return Self::none();
        }
        let values = named.iter().map(|named| &named.value);
        // It fails only where the automaton would have more states than fit its ids; then the values are
        // only taken out where they were found.
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(values).ok();
        Self { search, with: named.into_iter().map(|named| named.with.clone()).collect() }
    }

    pub fn is_none(&self) -> bool {
        self.search.is_none()
    }

    /// Where the values stand in a text, from left to right, and what stands in the place of each.
    pub fn find_in<'l>(&'l self, text: &'l str) -> impl Iterator<Item = (Range<usize>, &'l str)> {
        let found = self.search.iter().flat_map(move |search| search.find_iter(text));
        found.map(|found| (found.range(), self.with[found.pattern()].as_str()))
    }
}
