//! What is pinned for one server, and what follows from a sighting. The resident applies sightings to
//! the pins on disk, a guard to those in its hand, both by this.

use super::{Digest, Happened, Sighting, Subject};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use unicode_security::skeleton;

/// One definition that is kept: its fingerprint, and for comparing what can be shown of it.
#[derive(Debug, Clone)]
pub struct Kept {
    pub digest: Digest,
    pub definition: Option<Arc<RawValue>>,
}

impl Kept {
    pub(super) fn of(sighting: &Sighting) -> Self {
        let definition = sighting.definition.as_deref().map(|raw| Arc::from(raw.to_owned()));
        Self { digest: sighting.digest, definition }
    }
}

/// Anything that is known by a fingerprint.
pub trait Fingerprinted {
    fn digest(&self) -> Digest;
}

impl Fingerprinted for Kept {
    fn digest(&self) -> Digest {
        self.digest
    }
}

/// What is known of one defined thing.
#[derive(Debug, Clone)]
pub struct Pin<K = Kept> {
    /// Approved, or trusted at first sight.
    pub pinned: Option<K>,
    /// What was pinned before it.
    pub before: Option<K>,
    /// Seen last, and held back.
    pub held: Option<K>,
}

impl<K> Default for Pin<K> {
    fn default() -> Self {
        Self { pinned: None, before: None, held: None }
    }
}

impl<K: Fingerprinted> Pin<K> {
    /// Takes in what was seen.
    pub fn follow(&mut self, happened: Happened, is_held: bool, seen: K) {
        match (happened, &self.pinned) {
            _ if is_held => self.held = Some(seen),
            (_, Some(pinned)) if pinned.digest() == seen.digest() => self.held = None,
            // Two guards that met a server at the same time and were told different things: the first
            // stays, and the other one is for somebody to look at.
            (Happened::New, Some(_)) => self.held = Some(seen),
            // Of a pin that is gone meanwhile.
            (Happened::Restored | Happened::Disapproved, _) => {}
            _ => self.pin(seen),
        }
    }

    /// This is the one from now on.
    pub fn pin(&mut self, kept: K) {
        let digest = kept.digest();
        let before = self.pinned.replace(kept);
        if before.as_ref().is_some_and(|before| before.digest() != digest) {
            self.before = before;
        }
        self.held = None;
    }
}

/// Everything that is known when a guard starts, and whenever the pins on disk change.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Of this server.
    pub pins: BTreeMap<Subject, Pin>,
    /// Of the other servers of this device.
    pub elsewhere: Elsewhere,
    /// Why the pins cannot be read, as a sentence: then nothing counts as known.
    pub trouble: Option<String>,
}

/// The tools of other servers, by what their names look like.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere(BTreeMap<String, String>);

impl Elsewhere {
    /// Names of tools and whose they are. A plain word (`search`) is anybody's, and left out.
    pub fn new(tools: impl IntoIterator<Item = (impl AsRef<str>, impl Into<String>)>) -> Self {
        let tools = tools.into_iter().filter(|(name, _)| is_distinctive(name.as_ref()));
        Self(tools.map(|(name, server)| (looks(name.as_ref()), server.into())).collect())
    }

    /// The other server that has a tool of this name.
    #[must_use]
    pub fn owner(&self, name: &str) -> Option<&str> {
        if self.0.is_empty() || !is_distinctive(name) {
            return None;
        }
        self.0.get(&looks(name)).map(String::as_str)
    }
}

/// Two words at least.
fn is_distinctive(name: &str) -> bool {
    let inner = name.trim_matches(|c: char| !c.is_alphanumeric());
    inner.contains(['_', '-', '.', '/']) || inner.chars().skip(1).any(char::is_uppercase)
}

/// Case counts for nothing, and letters that look alike are alike.
fn looks(name: &str) -> String {
    skeleton(name).collect::<String>().to_lowercase()
}
