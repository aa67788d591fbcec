//! What policy makes of one definition, as it was seen last. Whatever is said of it goes by this: a pin tells
//! what was seen and what was held then, and policy may have changed since.

use super::{Entry, Stored};
use contract::record::Part;
use policy::{DefinitionsMode, DefinitionsRule};
use serde::Serialize;

/// What holds for the definitions of one server.
#[derive(Debug, Clone)]
pub struct Ruling {
    pub rule: DefinitionsRule,
    /// False in monitor mode.
    pub is_enforced: bool,
}

/// Where one definition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    InUse,
    /// It was held when it was seen; policy holds it no more.
    HeldNoMore,
    /// Held back, as it is not what is pinned.
    Changed,
    /// Held back at first sight.
    New,
    /// Held back, as policy names other tools of the server.
    Unlisted,
    /// Held back, as policy names another fingerprint for it.
    OtherFingerprint,
}

impl Ruling {
    /// Where nobody judges anything, nothing is held back.
    pub fn nobodys() -> Self {
        let rule = DefinitionsRule { mode: DefinitionsMode::Off, pins: std::collections::BTreeMap::new() };
        Self { rule, is_enforced: false }
    }

    fn holds(&self) -> bool {
        self.is_enforced && self.rule.mode == DefinitionsMode::Hold
    }

    /// The fingerprint that policy names for it.
    pub fn named(&self, entry: &Entry) -> Option<&str> {
        (entry.part == Part::Tool).then(|| self.rule.pins.get(&entry.name).map(String::as_str))?
    }
}

impl Verdict {
    pub fn is_held(self) -> bool {
        !matches!(self, Self::InUse | Self::HeldNoMore)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::HeldNoMore => "was held back, policy holds it no more; seen",
            Self::Changed => "changed, held back",
            Self::New => "new, held back",
            Self::Unlisted => "not among those that the policy approves, held back",
            Self::OtherFingerprint => "the policy names another fingerprint, held back",
        }
    }
}

impl Entry {
    /// As it was seen last.
    pub fn last(&self) -> Option<&Stored> {
        self.held.as_ref().or(self.pinned.as_ref())
    }

    /// Without a ruling (a trial whose policy is not remembered) by the pins alone.
    pub fn verdict(&self, ruling: Option<&Ruling>) -> Verdict {
        if ruling.is_some_and(|ruling| !ruling.holds()) {
            return if self.held.is_some() { Verdict::HeldNoMore } else { Verdict::InUse };
        }
        if let Some(ruling) = ruling.filter(|it| self.part == Part::Tool && !it.rule.pins.is_empty()) {
            let last = self.last().map(|stored| stored.digest.to_string());
            return match ruling.named(self) {
                None => Verdict::Unlisted,
                Some(named) if last.as_deref() == Some(named) => Verdict::InUse,
                Some(_) => Verdict::OtherFingerprint,
            };
        }
        match (&self.held, &self.pinned) {
            (None, _) => Verdict::InUse,
            (Some(_), None) => Verdict::New,
            (Some(held), Some(pinned)) if held.digest != pinned.digest => Verdict::Changed,
            // Policy did not approve what is pinned, and is silent on it now, or not known.
            (Some(_), Some(_)) if ruling.is_some() => Verdict::HeldNoMore,
            (Some(_), Some(_)) => Verdict::Unlisted,
        }
    }
}
