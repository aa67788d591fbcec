//! The standing of each definition that comes by: known, new or changed, and what policy makes of it.
//!
//! One book for one server of one guard, shared by its conversations: since 2026-07-28 a list and
//! the call that follows from it need not be of one conversation.

use super::poison::{self, Flag, Sign};
use super::{Change, Digest, Disapproval, Happened, Kept, Known, Neighbours, Part, Pin, Sighting, Subject};
use super::{changes, masking};
use policy::{DefinitionsMode, DefinitionsRule};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// More defined things than any server has; what is beyond is not known, and held where policy holds.
const MAX_SUBJECTS: usize = 10_000;
/// A server that defines one thing in more ways than this is not asked what it means by the next.
const MAX_WAYS: usize = 16;
/// So much text of definitions is kept of one server; of what is beyond only the fingerprint.
const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;
/// Names that are longer are no names.
const MAX_NAME_BYTES: usize = 1024;

/// Why a tool is not to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Not what was pinned at first sight; what changed.
    Changed(Vec<Change>),
    /// The policy's author names fingerprints of this server's tools, and not this one.
    Disapproved(Disapproval),
    /// New, and there are signs that it is poisoned.
    Flagged(Vec<Flag>),
    /// The server has more than can be kept apart.
    TooMany,
    /// What is pinned cannot be read; why.
    Unknown(String),
}

/// What one server defines, as far as it was seen.
#[derive(Debug, Default)]
pub struct Book {
    known: Known,
    /// What this guard saw itself and the pins on disk do not say yet.
    own: BTreeMap<Subject, Pin>,
    /// What was seen in this run.
    seen: BTreeMap<Subject, Seen>,
    too_many: bool,
    kept_bytes: usize,
}

/// How one thing was defined in this run.
#[derive(Debug)]
struct Seen {
    ways: BTreeSet<Digest>,
    last: Digest,
    /// The server says now this, now that: even what is pinned is in doubt.
    doubtful: bool,
    /// Of the last news, for the sentence that a developer reads.
    changes: Vec<Change>,
    flags: Vec<Flag>,
}

impl Book {
    #[must_use]
    pub fn new(known: Known) -> Self {
        let mut book = Self::default();
        book.learn(known);
        book
    }

    /// The pins on disk are these now. What they speak of they know better than we do.
    pub fn learn(&mut self, known: Known) {
        for subject in self.decided(&known) {
            if let Some(seen) = self.seen.get_mut(&subject) {
                seen.doubtful = false;
            }
        }
        if self.known.trouble.is_some() && known.trouble.is_none() {
            // What was seen meanwhile was held for that alone.
            self.own.clear();
            self.seen.clear();
        }
        let is_forgotten =
            |subject: &Subject| self.known.pins.contains_key(subject) && !known.pins.contains_key(subject);
        // It is news again.
        self.seen.retain(|subject, _| !is_forgotten(subject));
        self.own.retain(|subject, _| !known.pins.contains_key(subject));
        let text = |kept: &Kept| kept.definition.as_ref().map_or(0, |raw| raw.get().len());
        self.kept_bytes = known.pins.values().filter_map(|pin| pin.pinned.as_ref()).map(text).sum();
        self.known = known;
    }

    /// What is pinned otherwise than we know: somebody looked at it and decided.
    fn decided(&self, known: &Known) -> Vec<Subject> {
        let pinned = |pin: Option<&Pin>| pin.and_then(|pin| pin.pinned.as_ref()).map(|kept| kept.digest);
        let is_decided = |subject: &&Subject| {
            let now = known.pins.get(*subject).or_else(|| self.own.get(*subject));
            pinned(now) != pinned(self.pin(subject))
        };
        self.seen.keys().filter(is_decided).cloned().collect()
    }

    /// Looks at everything of one answer, in the server's order: what is to go on record. What is held
    /// is asked by [`Book::held`] afterwards, as a later definition of a name holds the earlier too.
    pub fn look<'a>(
        &mut self,
        part: Part,
        definitions: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
        rule: &DefinitionsRule,
    ) -> Vec<Sighting> {
        if rule.mode == DefinitionsMode::Off {
            return Vec::new();
        }
        let mut own: BTreeSet<String> = self.known.pins.keys().map(|subject| subject.name.clone()).collect();
        own.extend(definitions.clone().into_iter().map(|(name, _)| name.to_owned()));
        let mut here = BTreeSet::new();
        let mut sightings = Vec::new();
        for (name, raw) in definitions {
            let subject = Subject { part, name: name.to_owned() };
            let again = here.contains(&subject);
            sightings.extend(self.see(&subject, raw, &Look { rule, own: &own, again }));
            here.insert(subject);
        }
        sightings
    }

    /// Why this may not be used, where policy holds definitions back. Of what was not seen in this run,
    /// the pins tell.
    #[must_use]
    pub fn held(&self, part: Part, name: &str, rule: &DefinitionsRule) -> Option<Held> {
        if rule.mode != DefinitionsMode::Hold {
            return None;
        }
        if let Some(trouble) = &self.known.trouble {
            return Some(Held::Unknown(trouble.clone()));
        }
        let subject = Subject { part, name: name.to_owned() };
        let seen = self.seen.get(&subject);
        let pin = self.pin(&subject);
        if seen.is_none() && pin.is_none() && self.too_many {
            return Some(Held::TooMany);
        }
        let held = pin.and_then(|pin| pin.held.as_ref());
        let pinned = pin.and_then(|pin| pin.pinned.as_ref());
        let last = seen.map(|seen| seen.last).or(held.or(pinned).map(|kept| kept.digest));
        let doubtful = seen.is_some_and(|seen| seen.doubtful);
        match Author::of(rule, &subject) {
            Author::Silent => {}
            Author::Unapproved => return Some(Held::Disapproved(Disapproval::Unlisted)),
            Author::Approves(approved) => {
                // Never seen by anybody: nothing speaks against it.
                if last.is_some_and(|last| last.to_string() != approved) {
                    return Some(Held::Disapproved(Disapproval::OtherFingerprint));
                }
                return doubtful
                    .then(|| Held::Changed(seen.map(|it| it.changes.clone()).unwrap_or_default()));
            }
        }
        match pinned {
            Some(pinned) if last == Some(pinned.digest) && !doubtful => None,
            Some(pinned) => Some(Held::Changed(match seen {
                Some(seen) => seen.changes.clone(),
                None => compare(pinned, held.and_then(|held| held.definition.as_deref())),
            })),
            None => held.map(|_| Held::Flagged(seen.map(|seen| seen.flags.clone()).unwrap_or_default())),
        }
    }

    fn pin(&self, subject: &Subject) -> Option<&Pin> {
        self.own.get(subject).or_else(|| self.known.pins.get(subject))
    }

    /// One definition; news of it, where there is any.
    fn see(&mut self, subject: &Subject, raw: &str, look: &Look<'_>) -> Option<Sighting> {
        let digest = Digest::of(raw);
        let was_seen = self.note(subject, digest, look)?;
        let mut pin = self.pin(subject).cloned().unwrap_or_default();
        let mut sighting = self.judged(subject, raw, digest, &pin, look);
        let seen = self.seen.get_mut(subject)?;
        if look.again && seen.doubtful {
            sighting.flags.push(Flag::whole(Sign::TwoDefinitions, ""));
        }
        let is_held_already = pin.held.as_ref().is_some_and(|held| held.digest == digest);
        let is_news = match sighting.happened {
            Happened::Restored => !seen.doubtful && pin.held.is_some(),
            _ if sighting.held => !is_held_already,
            // Policy does not hold it any more, which is news too.
            _ => !was_seen || is_held_already,
        };
        if sighting.happened != Happened::Restored {
            seen.changes.clone_from(&sighting.changes);
            seen.flags.clone_from(&sighting.flags);
        }
        if !is_news {
            return None;
        }
        pin.follow(sighting.happened, sighting.held, Kept::of(&sighting));
        self.own.insert(subject.clone(), pin);
        Some(sighting)
    }

    /// Remembers that it was seen; `None` where there is no more room to. Was it seen like this before?
    fn note(&mut self, subject: &Subject, digest: Digest, look: &Look<'_>) -> Option<bool> {
        let pinned = self.pin(subject).and_then(|pin| pin.pinned.as_ref()).map(|pinned| pinned.digest);
        if !self.seen.contains_key(subject)
            && (self.seen.len() >= MAX_SUBJECTS || subject.name.len() > MAX_NAME_BYTES)
        {
            self.too_many = true;
            return None;
        }
        let fresh = || Seen {
            ways: BTreeSet::new(),
            last: digest,
            doubtful: false,
            changes: Vec::new(),
            flags: Vec::new(),
        };
        let seen = self.seen.entry(subject.clone()).or_insert_with(fresh);
        let returns =
            Some(digest) == pinned && seen.last != digest && look.rule.mode == DefinitionsMode::Hold;
        seen.doubtful |= returns || (look.again && seen.last != digest);
        seen.last = digest;
        let was_seen = seen.ways.contains(&digest);
        if !was_seen && seen.ways.len() >= MAX_WAYS {
            return None;
        }
        seen.ways.insert(digest);
        Some(was_seen)
    }

    /// The standing of one definition against its pin.
    fn judged(
        &mut self,
        subject: &Subject,
        raw: &str,
        digest: Digest,
        pin: &Pin,
        look: &Look<'_>,
    ) -> Sighting {
        let author = Author::of(look.rule, subject);
        let (approved, disapproval) = (author.approves(digest), author.disapproves(digest));
        let pinned = pin.pinned.as_ref();
        let happened = match pinned {
            Some(pinned) if pinned.digest == digest && disapproval.is_some() => Happened::Disapproved,
            Some(pinned) if pinned.digest == digest => Happened::Restored,
            Some(_) => Happened::Changed,
            None => Happened::New,
        };
        let mut sighting = Sighting {
            subject: subject.clone(),
            happened,
            digest,
            was: None,
            held: false,
            let_through: false,
            approved: approved == Some(true),
            disapproval,
            flags: Vec::new(),
            changes: Vec::new(),
            definition: None,
        };
        if happened == Happened::Restored {
            return sighting;
        }
        let value = masking::read(raw);
        let other = pinned.filter(|pinned| pinned.digest != digest);
        sighting.was = other.map(|pinned| pinned.digest);
        sighting.flags = self.flags(subject, value.as_ref(), look.own);
        sighting.definition = value.and_then(|value| self.kept(raw, value));
        if let Some(pinned) = other {
            sighting.changes = compare(pinned, sighting.definition.as_deref());
        }
        let is_suspicious = match approved {
            Some(approved) => !approved,
            None => happened == Happened::Changed || !sighting.flags.is_empty(),
        };
        let is_suspicious = is_suspicious || self.known.trouble.is_some();
        sighting.held = look.rule.mode == DefinitionsMode::Hold && is_suspicious;
        sighting
    }

    fn flags(&self, subject: &Subject, value: Option<&Value>, own: &BTreeSet<String>) -> Vec<Flag> {
        let near = Neighbours { elsewhere: &self.known.elsewhere, own };
        match value {
            Some(value) => poison::flags(subject.part, &subject.name, value, near),
            None => vec![Flag::whole(Sign::TooLong, "")],
        }
    }

    fn kept(&mut self, raw: &str, value: Value) -> Option<Box<RawValue>> {
        if self.kept_bytes > MAX_KEPT_BYTES {
            return None;
        }
        let kept = masking::kept(raw, value)?;
        self.kept_bytes += kept.get().len();
        Some(kept)
    }
}

/// By what one definition is looked at.
struct Look<'a> {
    rule: &'a DefinitionsRule,
    own: &'a BTreeSet<String>,
    /// The same answer defined it before.
    again: bool,
}

/// What the policy's author says of one thing.
enum Author<'a> {
    /// Nothing, of nothing of this server.
    Silent,
    Unapproved,
    Approves(&'a str),
}

impl<'a> Author<'a> {
    fn of(rule: &'a DefinitionsRule, subject: &Subject) -> Self {
        if subject.part != Part::Tool || rule.pins.is_empty() {
            return Self::Silent;
        }
        rule.pins.get(&subject.name).map_or(Self::Unapproved, |digest| Self::Approves(digest))
    }

    /// Is it this definition that they approve? `None` where they are silent.
    fn approves(&self, digest: Digest) -> Option<bool> {
        match self {
            Self::Silent => None,
            Self::Unapproved => Some(false),
            Self::Approves(approved) => Some(digest.to_string() == *approved),
        }
    }

    fn disapproves(&self, digest: Digest) -> Option<Disapproval> {
        match (self, self.approves(digest)) {
            (Self::Unapproved, _) => Some(Disapproval::Unlisted),
            (_, Some(false)) => Some(Disapproval::OtherFingerprint),
            _ => None,
        }
    }
}

/// What differs from the pinned definition, as far as both were kept.
fn compare(pinned: &Kept, now: Option<&RawValue>) -> Vec<Change> {
    let value = |raw: Option<&RawValue>| serde_json::from_str::<Value>(raw?.get()).ok();
    match (value(pinned.definition.as_deref()), value(now)) {
        (Some(old), Some(new)) => changes(&old, &new),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
