//! What a grant speaks of: patterns, feature by feature.

use crate::decision::Feature;
use crate::pattern::Pattern;
use std::collections::BTreeMap;

/// Lists of patterns, by feature. A grant says nothing of a feature that has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(BTreeMap<Feature, Vec<Pattern>>);

impl Scope {
    /// What a deny means that lists nothing.
    #[must_use]
    pub fn everything() -> Self {
        Self(Feature::ALL.into_iter().map(|feature| (feature, vec![Pattern::new("*")])).collect())
    }

    pub(super) fn set(&mut self, feature: Feature, patterns: Vec<Pattern>) {
        if !patterns.is_empty() {
            self.0.insert(feature, patterns);
        }
    }

    #[must_use]
    pub fn of(&self, feature: Feature) -> &[Pattern] {
        self.0.get(&feature).map(Vec::as_slice).unwrap_or_default()
    }

    #[must_use]
    pub fn is_everything(&self) -> bool {
        Feature::ALL.into_iter().all(|feature| self.of(feature).iter().any(Pattern::is_any))
    }

    /// Every pattern with its feature.
    pub fn patterns(&self) -> impl Iterator<Item = (Feature, &Pattern)> {
        self.0.iter().flat_map(|(feature, patterns)| patterns.iter().map(|pattern| (*feature, pattern)))
    }

    /// The features that it lists, each with its patterns.
    pub fn lists(&self) -> impl Iterator<Item = (Feature, &[Pattern])> {
        self.0.iter().map(|(feature, patterns)| (*feature, patterns.as_slice()))
    }

    /// Does this cover all that the other speaks of?
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // A pattern that matches another's text, star for star, matches all that the other does.
        other
            .patterns()
            .all(|(feature, theirs)| self.of(feature).iter().any(|ours| ours.matches(theirs.as_str())))
    }
}

impl Feature {
    /// The key of its list in a grant.
    #[must_use]
    pub fn list(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Resource => "resources",
            Self::Prompt => "prompts",
            Self::Client => "client-features",
            Self::Method => "methods",
        }
    }

    /// The key of one of them in a test.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Client => "client-feature",
            other => other.word(),
        }
    }
}
