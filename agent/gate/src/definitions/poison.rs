//! Signs that a definition is written for the model behind its reader's back.
//!
//! Few rules, each for something that was seen in attacks and not in honest servers. They alert
//! somebody who then reads the definition; they do not prove anything, and a definition without a
//! sign may be poisoned all the same: only English is understood.

mod names;
mod phrases;
mod words;

use super::characters::{self, Trick};
use super::difference::visible;
use super::{Neighbours, Part};
use crate::secrets;
use serde_json::Value;

/// So many signs are told of one definition.
const MOST: usize = 12;
/// So much text of one definition is read for phrases.
const LONGEST: usize = 256 * 1024;
const EXCERPT: usize = 160;

/// What a sign is a sign of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Tells the model to disregard, to conceal, to read credentials or to send data away.
    HiddenInstruction,
    InvisibleText,
    ReorderedText,
    ControlCharacters,
    /// A name that looks like another one.
    DeceptiveName,
    /// A tool of the same name belongs to another server of this device.
    SameNameElsewhere,
    /// It tells the model about another server's tool.
    SpeaksOfAnotherServer,
    /// Two definitions for one name.
    TwoDefinitions,
    /// Longer than is read.
    TooLong,
}

impl Sign {
    pub const ALL: [Self; 9] = [
        Self::HiddenInstruction,
        Self::InvisibleText,
        Self::ReorderedText,
        Self::ControlCharacters,
        Self::DeceptiveName,
        Self::SameNameElsewhere,
        Self::SpeaksOfAnotherServer,
        Self::TwoDefinitions,
        Self::TooLong,
    ];

    /// Stable.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::HiddenInstruction => "hidden-instruction",
            Self::InvisibleText => "invisible-text",
            Self::ReorderedText => "reordered-text",
            Self::ControlCharacters => "control-characters",
            Self::DeceptiveName => "deceptive-name",
            Self::SameNameElsewhere => "same-name-elsewhere",
            Self::SpeaksOfAnotherServer => "speaks-of-another-server",
            Self::TwoDefinitions => "two-definitions",
            Self::TooLong => "too-long",
        }
    }

    /// For a sentence: the definition …
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::HiddenInstruction => "gives the model instructions that a tool has no business with",
            Self::InvisibleText => "holds text that does not show",
            Self::ReorderedText => "holds characters that show text in another order than it stands",
            Self::ControlCharacters => "holds control characters",
            Self::DeceptiveName => "has a name that looks like another one",
            Self::SameNameElsewhere => "has the name of another server's tool",
            Self::SpeaksOfAnotherServer => "tells the model about another server's tool",
            Self::TwoDefinitions => "comes twice, and not the same",
            Self::TooLong => "is longer than any definition that can be checked",
        }
    }
}

/// One sign, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    pub sign: Sign,
    /// The member it was found in; empty for the definition as a whole.
    pub member: String,
    /// The words themselves, made visible; for a name elsewhere, whose it is.
    pub excerpt: String,
}

impl Flag {
    pub(super) fn whole(sign: Sign, excerpt: &str) -> Self {
        Self { sign, member: String::new(), excerpt: visible(excerpt, EXCERPT) }
    }
}

/// Every sign in one definition, one of each kind a member at most.
pub(super) fn flags(part: Part, name: &str, definition: &Value, near: Neighbours<'_>) -> Vec<Flag> {
    let mut found = Vec::new();
    names::check(part, name, near.elsewhere, &mut found);
    let mut room = LONGEST;
    look(definition, "", &mut |member, text| {
        if found.len() >= MOST || is_picture(member) {
            return;
        }
        for (trick, at) in characters::tricks(text) {
            put(&mut found, sign_of(trick), member, around(text, at));
        }
        let read = &text[..text.floor_char_boundary(room)];
        room -= read.len();
        for (sign, at) in phrases::found(read, near) {
            put(&mut found, sign, member, around(text, at));
        }
    });
    found.truncate(MOST);
    found
}

fn sign_of(trick: Trick) -> Sign {
    match trick {
        Trick::Invisible => Sign::InvisibleText,
        Trick::Reordered => Sign::ReorderedText,
        Trick::Control => Sign::ControlCharacters,
    }
}

fn put(found: &mut Vec<Flag>, sign: Sign, member: &str, excerpt: String) {
    if !found.iter().any(|flag: &Flag| flag.sign == sign && flag.member == member) {
        found.push(Flag { sign, member: member.to_owned(), excerpt });
    }
}

/// Icons carry pictures as text.
fn is_picture(member: &str) -> bool {
    member.starts_with("icons[") && member.ends_with("].src")
}

/// Every text of a definition, keys among them: a model reads those too.
fn look(value: &Value, member: &str, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => see(member, text),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                look(item, &format!("{member}[{n}]"), see);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                let shown = visible(key, 80);
                let below = if member.is_empty() { shown } else { format!("{member}.{shown}") };
                see(&below, key);
                look(value, &below, see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text from a little before that place on, secrets masked: it goes into the record, and to people.
fn around(text: &str, at: usize) -> String {
    let start = text.floor_char_boundary(at.saturating_sub(40));
    // Half a secret would not be known for one.
    let cut = secrets::shapes_in(text).take_while(|secret| secret.start < start);
    let start = cut.filter(|secret| secret.end > start).map(|secret| secret.start).last().unwrap_or(start);
    let lead = if start > 0 { "…" } else { "" };
    format!("{lead}{}", visible(&secrets::masked_text(&text[start..]), EXCERPT))
}

#[cfg(test)]
mod reference_servers;
#[cfg(test)]
mod tests;
