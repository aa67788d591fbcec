//! One walk over a JSON text: which strings are texts, which stand in a field that a rule names.

mod by_name;

use super::apart::{OF_INPUTS, Part, Under, under, under_meta};
use super::literals::{Literals, Named};
use super::scanner::{Scanner, decoded};
use super::texts::{Found, Texts};
use super::{Blocked, Redacted};
use by_name::Pair;
use policy::Redaction;
use policy::redaction::{Reached, Step};
use std::ops::Range;

/// So much longer may a text become.
const MOST_GROWN: usize = 1024 * 1024;

/// No message of the protocol is deeper before somebody's own JSON begins in it.
const MOST_PROTOCOL: u8 = 16;
/// Of a schema: what no pattern means.
const WORDS_OF_SCHEMAS: [&str; 4] = ["type", "format", "name", "$schema"];
/// What `type` says of a content block (MCP, "Content Types", and sampling's).
const CONTENT: [&str; 7] = ["text", "image", "audio", "resource", "resource_link", "tool_use", "tool_result"];

/// What the value means that comes next.
#[derive(Debug, Clone)]
pub(super) enum Zone {
    /// A whole message, with this part in it.
    Message(Part),
    /// A part of one, so deep in it.
    Protocol(u8, Part),
    Meta(u8),
    Schema,
    /// An object whose names the sender chose, with parts of the protocol under them.
    Named(u8),
    /// Anybody's JSON. For each field that a rule names, in order, how much of the way to it we are.
    Data(Vec<Reached>),
}

impl Zone {
    pub fn data(rules: &[&Redaction]) -> Self {
        Self::Data(fields(rules).map(|(field, _)| field.begin()).collect())
    }
}

/// The fields of all rules, each with what stands in its place.
fn fields<'r>(
    rules: &'r [&'r Redaction],
) -> impl Iterator<Item = (&'r policy::redaction::FieldPath, &'r str)> {
    rules.iter().flat_map(|rule| rule.fields.iter().map(|field| (field, rule.with.as_str())))
}

/// A field that a rule names: everything in it is replaced.
#[derive(Debug, Clone, Copy)]
struct Taken<'r> {
    with: &'r str,
    /// By its path. One that goes by its name alone (`secrets`) keeps its numbers: `token_count`.
    by_path: bool,
}

/// What a walk found.
pub(super) struct Walked {
    /// The new text, where it is another.
    pub redacted: Option<Redacted>,
    /// What the named fields held.
    pub named: Vec<Named>,
}

pub(super) struct Walk<'r, 't> {
    text: &'t str,
    scanner: Scanner<'t>,
    texts: Texts<'r>,
    splices: Vec<(Range<usize>, String)>,
    grown: usize,
    places: u64,
    named: Vec<Named>,
}

impl<'r, 't> Walk<'r, 't> {
    pub fn over(
        text: &'t str,
        rules: &'r [&'r Redaction],
        literals: &'r Literals,
        zone: &Zone,
    ) -> Result<Walked, Blocked> {
        Self::within(text, Texts { rules, literals, nested: 0 }, zone)
    }

    pub fn within(text: &'t str, texts: Texts<'r>, zone: &Zone) -> Result<Walked, Blocked> {
        let scanner = Scanner::over(text);
        let mut walk =
            Self { text, scanner, texts, splices: Vec::new(), grown: 0, places: 0, named: Vec::new() };
        walk.value(zone, None)?;
        let redacted = (!walk.splices.is_empty()).then(|| walk.spliced());
        Ok(Walked { redacted, named: walk.named })
    }

    fn value(&mut self, zone: &Zone, taken: Option<Taken<'r>>) -> Result<(), Blocked> {
        match self.scanner.peek() {
            b'{' => self.object(zone, taken),
            b'[' => self.list(zone, taken),
            b'"' => {
                let at = self.scanner.string();
                self.string(at, taken)
            }
            _ => {
                let at = self.scanner.scalar();
                self.scalar(at, zone, taken);
                Ok(())
            }
        }
    }

    fn object(&mut self, zone: &Zone, taken: Option<Taken<'r>>) -> Result<(), Blocked> {
        let whole = self.scanner.clone();
        let mut pair = Pair::default();
        self.scanner.take(b'{');
        while self.scanner.peek() == b'"' {
            let name = self.scanner.string();
            let key = decoded(&self.text[name.clone()]);
            self.scanner.take(b':');
            match zone {
                Zone::Data(reached) => {
                    self.name(name, &key)?;
                    self.note(&key, &mut pair);
                    self.member(&key, reached, taken)?;
                }
                Zone::Message(part) => match key.as_ref() {
                    "jsonrpc" | "id" | "method" => drop(self.scanner.value()),
                    "params" | "result" | "error" => self.value(&Zone::Protocol(0, *part), None)?,
                    _ => self.foreign(name, &key)?,
                },
                Zone::Named(depth) => self.value(&Zone::Protocol(depth + 1, Part::Inner), None)?,
                Zone::Schema if WORDS_OF_SCHEMAS.contains(&key.as_ref()) => self.word(&Zone::Schema)?,
                Zone::Schema => self.value(&Zone::Schema, None)?,
                Zone::Protocol(depth, _) | Zone::Meta(depth) if *depth >= MOST_PROTOCOL => {
                    self.value(&Zone::data(self.texts.rules), None)?;
                }
                Zone::Meta(depth) => self.stands(under_meta(&key), (name, &key), &whole, *depth)?,
                Zone::Protocol(depth, part) => {
                    self.note(&key, &mut pair);
                    let beside = |member: &str| whole.member(member).map(decoded);
                    self.stands(under(&key, *part, beside), (name, &key), &whole, *depth)?;
                }
            }
            self.scanner.take(b',');
        }
        self.scanner.take(b'}');
        self.take_pair(pair)
    }

    /// The name of a member. In a message it stays, so what it says cannot be taken out; in JSON that is a
    /// text, it is text like any other.
    fn name(&mut self, at: Range<usize>, key: &str) -> Result<(), Blocked> {
        match self.texts.nested {
            0 if self.texts.speak_of(key) => Err(Blocked::Name),
            0 => Ok(()),
            _ => {
                let found = self.texts.look(key)?;
                self.replace(at, found)
            }
        }
    }

    /// A member of anybody's JSON.
    fn member(&mut self, key: &str, reached: &[Reached], taken: Option<Taken<'r>>) -> Result<(), Blocked> {
        let (reached, by_path) = self.step(reached, &Step::member(key));
        let taken = by_path.or(taken).or_else(|| self.by_name(key));
        self.value(&Zone::Data(reached), taken)
    }

    /// A member that the specification does not know: its name is looked at too.
    fn foreign(&mut self, name: Range<usize>, key: &str) -> Result<(), Blocked> {
        self.name(name, key)?;
        let begun: Vec<_> = fields(self.texts.rules).map(|(field, _)| field.begin()).collect();
        self.member(key, &begun, None)
    }

    /// A member of a message of the protocol.
    fn stands(
        &mut self,
        under: Under,
        (name, key): (Range<usize>, &str),
        whole: &Scanner<'t>,
        depth: u8,
    ) -> Result<(), Blocked> {
        if self.is_left(under, whole) {
            self.scanner.value();
            return Ok(());
        }
        let data = || Zone::data(self.texts.rules);
        let zone = match under {
            Under::Foreign => return self.foreign(name, key),
            Under::Word => return self.word(&data()),
            Under::Blob if self.scanner.peek() == b'"' => {
                let at = self.scanner.string();
                let found = self.texts.look_into_blob(&decoded(&self.text[at.clone()]))?;
                return self.replace(at, found);
            }
            Under::DataOrContent if !self.is_content(whole) => data(),
            Under::Identity | Under::Untouched | Under::Data | Under::DataOrMedia => data(),
            Under::Named => Zone::Named(depth + 1),
            Under::Schema => Zone::Schema,
            Under::Meta => Zone::Meta(depth + 1),
            Under::Inputs => Zone::Protocol(depth + 1, Part::Params(OF_INPUTS)),
            Under::DataOrContent | Under::Blob | Under::Protocol => Zone::Protocol(depth + 1, Part::Inner),
        };
        self.value(&zone, None)
    }

    /// Is what comes next not looked at?
    fn is_left(&mut self, under: Under, whole: &Scanner<'t>) -> bool {
        match under {
            Under::Untouched => true,
            Under::Identity => !matches!(self.scanner.peek(), b'{' | b'['),
            Under::DataOrMedia => self.is_media(whole),
            _ => false,
        }
    }

    /// Does `content` hold blocks, or one that says its type?
    fn is_content(&mut self, whole: &Scanner<'t>) -> bool {
        if self.scanner.peek() != b'{' {
            return true;
        }
        // The form of an elicitation may have a field of that name; its answer has an action.
        let kind = self.scanner.member("type").map(decoded);
        kind.is_some_and(|kind| CONTENT.contains(&kind.as_ref())) && whole.member("action").is_none()
    }

    fn is_media(&self, whole: &Scanner<'t>) -> bool {
        let media = whole.member("type").map(decoded);
        matches!(media.as_deref(), Some("image" | "audio")) && self.is_base64()
    }

    /// A word of the specification; `otherwise` is what it means that comes in the place of one.
    fn word(&mut self, otherwise: &Zone) -> Result<(), Blocked> {
        if self.scanner.peek() != b'"' {
            return self.value(otherwise, None);
        }
        let at = self.scanner.string();
        let found = self.texts.look_for_secrets(&decoded(&self.text[at.clone()]));
        self.replace(at, found)
    }

    fn list(&mut self, zone: &Zone, taken: Option<Taken<'r>>) -> Result<(), Blocked> {
        self.scanner.take(b'[');
        let inner = match zone {
            Zone::Data(reached) => Some(self.step(reached, &Step::Item)),
            Zone::Message(_) | Zone::Named(_) | Zone::Protocol(..) | Zone::Meta(_) | Zone::Schema => None,
        };
        let mut after_flag = None;
        while !matches!(self.scanner.peek(), b']' | 0) {
            match &inner {
                Some((reached, by_path)) => {
                    let flag = std::mem::replace(&mut after_flag, self.is_flag());
                    self.value(&Zone::Data(reached.clone()), by_path.or(taken).or(flag))?;
                }
                None => self.value(zone, taken)?,
            }
            self.scanner.take(b',');
        }
        self.scanner.take(b']');
        Ok(())
    }

    fn string(&mut self, at: Range<usize>, taken: Option<Taken<'r>>) -> Result<(), Blocked> {
        let text = decoded(&self.text[at.clone()]);
        let Some(Taken { with, by_path }) = taken else {
            let found = self.texts.look(&text)?;
            return self.replace(at, found);
        };
        if text == with || text.is_empty() {
            return Ok(());
        }
        if by_path {
            self.named.push(Named { value: text.into_owned(), with: with.to_owned() });
        }
        self.replace(at, Found { text: Some(with.to_owned()), places: 1, named: Vec::new() })
    }

    /// Numbers become 0 and booleans false, so that a schema still holds; null says nothing.
    fn scalar(&mut self, at: Range<usize>, zone: &Zone, taken: Option<Taken<'r>>) {
        let text = &self.text[at.clone()];
        let Zone::Data(_) = zone else { return };
        let by_path = taken.is_some_and(|taken| taken.by_path);
        let neutral = match text {
            "null" | "0" | "false" | "" => return,
            "true" => "false",
            _ => "0",
        };
        if !by_path && (neutral == "false" || !self.texts.speak_of(text)) {
            return;
        }
        if let Some(Taken { with, .. }) = taken.filter(|_| neutral == "0") {
            self.named.push(Named { value: text.to_owned(), with: with.to_owned() });
        }
        self.places += 1;
        self.splices.push((at, neutral.to_owned()));
    }

    fn replace(&mut self, at: Range<usize>, found: Found) -> Result<(), Blocked> {
        self.named.extend(found.named);
        let Some(text) = found.text else { return Ok(()) };
        let json = serde_json::to_string(&text).map_err(|_| Blocked::Unreadable)?;
        self.grown += json.len().saturating_sub(at.len());
        if self.grown > MOST_GROWN {
            return Err(Blocked::Growth);
        }
        self.places += found.places;
        self.splices.push((at, json));
        Ok(())
    }

    fn step(&self, reached: &[Reached], step: &Step) -> (Vec<Reached>, Option<Taken<'r>>) {
        let mut taken = None;
        let next = fields(self.texts.rules).zip(reached).map(|((field, with), reached)| {
            let next = field.step(*reached, step);
            if field.ends(next) {
                taken.get_or_insert(Taken { with, by_path: true });
            }
            next
        });
        (next.collect(), taken)
    }

    fn is_base64(&self) -> bool {
        let mut ahead = self.scanner.clone();
        let of_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&byte);
        ahead.peek() == b'"' && decoded(&self.text[ahead.string()]).bytes().all(of_base64)
    }

    fn spliced(&self) -> Redacted {
        let mut text = String::with_capacity(self.text.len() + self.grown);
        let mut from = 0;
        for (at, with) in &self.splices {
            text.push_str(&self.text[from..at.start]);
            text.push_str(with);
            from = at.end;
        }
        text.push_str(&self.text[from..]);
        Redacted { text, places: self.places }
    }
}
