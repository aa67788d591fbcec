//! The pins of one server, as they are kept.

use crate::upstream::now_ms;
use contract::record::{
    Client, Definition, DefinitionChange, DefinitionFlag, Happened, Part, Record, Server, What,
};
use gate::definitions::{self, Digest, Fingerprinted, Kept, Pin, Subject};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// More defined things than any server has.
const MAX_PINS: usize = 10_000;

/// One definition that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stored {
    #[serde(with = "as_text")]
    pub digest: Digest,
    /// Shortened, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Arc<RawValue>>,
    pub since_ms: i64,
    /// Somebody on this device approved it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<DefinitionFlag>,
    /// Against what was pinned before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<DefinitionChange>,
}

impl Fingerprinted for Stored {
    fn digest(&self) -> Digest {
        self.digest
    }
}

mod as_text {
    use super::{Deserialize, Digest};
    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(digest)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// One line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub part: Part,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Stored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Stored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Stored>,
    /// When it last changed here; what a record tells of an earlier time is old news.
    pub touched_ms: i64,
}

/// `tool read_file`, `instructions`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.part.fmt(f)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " {}", self.name) }
    }
}

/// What is known of one server.
#[derive(Debug, Clone, Serialize)]
pub struct Pinned {
    pub identity: String,
    pub pins: Vec<Entry>,
}

/// How much was approved or forgotten, and what the record tells of it.
#[derive(Debug, Default)]
pub struct Changed {
    pub count: usize,
    /// Without the version of the policy: that is not known here.
    pub told: Vec<Definition>,
}

#[derive(Debug, Default)]
pub struct ServerPins {
    pins: BTreeMap<(Part, String), (Pin<Stored>, i64)>,
    /// What a record tells of an earlier time is old news: somebody had it forgotten.
    forgotten_ms: i64,
}

impl ServerPins {
    pub fn of(entries: Vec<Entry>, forgotten_ms: i64) -> Self {
        let pin = |it: Entry| {
            let pin = Pin { pinned: it.pinned, before: it.before, held: it.held };
            ((it.part, it.name), (pin, it.touched_ms))
        };
        Self { pins: entries.into_iter().map(pin).collect(), forgotten_ms }
    }

    pub fn forgotten_ms(&self) -> i64 {
        self.forgotten_ms
    }

    pub fn into_entries(self) -> Vec<Entry> {
        let entry = |((part, name), (pin, touched_ms)): ((Part, String), (Pin<Stored>, i64))| Entry {
            part,
            name,
            pinned: pin.pinned,
            before: pin.before,
            held: pin.held,
            touched_ms,
        };
        self.pins.into_iter().map(entry).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.pins.is_empty()
    }

    /// The tools that are in use.
    pub fn tools(&self) -> Vec<String> {
        let used =
            self.pins.iter().filter(|((part, _), (pin, _))| *part == Part::Tool && pin.pinned.is_some());
        used.map(|((_, name), _)| name.clone()).collect()
    }

    pub fn known(&self) -> BTreeMap<Subject, Pin> {
        let kept = |stored: &Stored| Kept { digest: stored.digest, definition: stored.definition.clone() };
        self.pins
            .iter()
            .map(|((part, name), (pin, _))| {
                let pin = Pin {
                    pinned: pin.pinned.as_ref().map(kept),
                    before: pin.before.as_ref().map(kept),
                    held: pin.held.as_ref().map(kept),
                };
                (Subject { part: part_of(*part), name: name.clone() }, pin)
            })
            .collect()
    }

    /// Takes in one record. Did anything change?
    pub fn follow(&mut self, seen: &Definition, at_ms: i64) -> bool {
        let Ok(digest) = seen.digest.parse() else { return false };
        let name = seen.tool.clone().unwrap_or_else(|| seen.name.clone());
        let key = (seen.part, name);
        let event = match seen.event {
            Happened::New => definitions::Happened::New,
            Happened::Changed => definitions::Happened::Changed,
            Happened::Restored => definitions::Happened::Restored,
            Happened::Disapproved => definitions::Happened::Disapproved,
            // Done already by whoever recorded it; a guard has nothing to approve.
            Happened::Approved | Happened::Forgotten => return false,
        };
        let is_full = !self.pins.contains_key(&key) && self.pins.len() >= MAX_PINS;
        if is_full || at_ms < self.forgotten_ms {
            return false;
        }
        let (pin, touched_ms) = self.pins.entry(key).or_insert_with(|| (Pin::default(), i64::MIN));
        if at_ms < *touched_ms {
            return false;
        }
        let stored = Stored {
            digest,
            definition: seen.definition.as_deref().map(|raw| Arc::from(raw.to_owned())),
            since_ms: at_ms,
            approved: false,
            flags: seen.flags.clone(),
            changes: seen.changes.clone(),
        };
        pin.follow(event, seen.held, stored);
        *touched_ms = at_ms;
        true
    }

    /// What is held is pinned from now on.
    pub fn approve(&mut self, name: Option<&str>, now_ms: i64) -> Changed {
        let mut changed = Changed::default();
        for ((part, known), (pin, touched_ms)) in &mut self.pins {
            if name.is_none_or(|name| name == known)
                && let Some(held) = pin.held.take()
            {
                let was = pin.pinned.as_ref().map(|was| was.digest);
                changed.tell(*part, known, Happened::Approved, (&held, was));
                pin.pin(Stored { approved: true, since_ms: now_ms, ..held });
                *touched_ms = now_ms;
            }
        }
        changed
    }

    /// Nothing is known of it any more; what is on its way here from before neither.
    pub fn forget(&mut self, name: Option<&str>, now_ms: i64) -> Changed {
        let mut changed = Changed::default();
        self.pins.retain(|(part, known), (pin, _)| {
            let stays = name.is_some_and(|name| name != known);
            if !stays && let Some(was) = pin.pinned.as_ref().or(pin.held.as_ref()) {
                changed.tell(*part, known, Happened::Forgotten, (was, None));
            }
            stays
        });
        if changed.count > 0 {
            self.forgotten_ms = now_ms;
        }
        changed
    }
}

impl Changed {
    /// What goes on record: that this user let it in, or had it forgotten.
    pub fn records(self, identity: &str, os_user: &str, policy_version: u64) -> Vec<Record> {
        let (run, time_ms) = (Uuid::now_v7(), now_ms());
        let record = |(seq, definition): (u64, Definition)| Record {
            id: Uuid::now_v7(),
            time_ms,
            run,
            seq,
            member: String::new(),
            device: String::new(),
            os_user: os_user.to_owned(),
            client: Client { name: "portreeve".to_owned(), ..Client::default() },
            server: Server { identity: identity.to_owned(), ..Server::default() },
            what: What::Definition(Box::new(Definition { policy_version, ..definition })),
        };
        (1..).zip(self.told).map(record).collect()
    }

    fn tell(&mut self, part: Part, name: &str, event: Happened, (stored, was): (&Stored, Option<Digest>)) {
        let is_tool = part == Part::Tool;
        self.count += 1;
        self.told.push(Definition {
            part,
            tool: is_tool.then(|| name.to_owned()),
            name: if is_tool { String::new() } else { name.to_owned() },
            event,
            digest: stored.digest.to_string(),
            was: was.map(|was| was.to_string()),
            held: false,
            let_through: false,
            approved: false,
            disapproval: None,
            flags: stored.flags.clone(),
            changes: if event == Happened::Approved { stored.changes.clone() } else { Vec::new() },
            definition: None,
            policy_version: 0,
        });
    }
}

fn part_of(part: Part) -> definitions::Part {
    match part {
        Part::Tool => definitions::Part::Tool,
        Part::Prompt => definitions::Part::Prompt,
        Part::ResourceTemplate => definitions::Part::ResourceTemplate,
        Part::Instructions => definitions::Part::Instructions,
    }
}
