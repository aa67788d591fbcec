//! One text: what of it the rules take out.

use super::Blocked;
use super::literals::Literals;
use super::walk::{Walk, Zone};
use crate::secrets;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use policy::Redaction;
use serde::de::IgnoredAny;
use std::cmp::Reverse;
use std::ops::Range;

/// JSON in a text in JSON in a text …
const MOST_NESTED: u8 = 4;

/// As deep as a message of its own may be: each level is one of our stack's, too.
const MOST_DEEP: usize = mcp::scan::MAX_DEPTH;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What looks at texts: the rules, what fields held, and how deep in texts we are.
#[derive(Clone, Copy)]
pub(super) struct Texts<'r> {
    pub rules: &'r [&'r Redaction],
    pub literals: &'r Literals,
    pub nested: u8,
}

/// A text after it was looked at.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The new text, where it is another.
    pub text: Option<String>,
    pub places: u64,
    /// Values of fields, of JSON inside the text.
    pub named: Vec<super::literals::Named>,
}

impl Found {
    fn replace(&mut self, text: String, places: u64) {
        self.text = Some(text);
        self.places += places;
    }
}

impl Texts<'_> {
    pub fn look(&self, text: &str) -> Result<Found, Blocked> {
        let mut found = Found::default();
        // In JSON, values of fields are values again: not every run of the same letters.
        let is_json = self.look_into_json(text, &mut found)?;
        let now = found.text.as_deref().unwrap_or(text);
        let mut hits = Hits::default();
        if !is_json {
            hits.0.extend(self.literals.find_in(now));
        }
        for rule in self.rules {
            let of_patterns = rule.patterns.iter().flat_map(|pattern| pattern.find_in(now));
            hits.0.extend(of_patterns.map(|range| (range, rule.with.as_str())));
        }
        self.find_secrets(now, &mut hits);
        if let Some((text, places)) = hits.replaced(now) {
            found.replace(text, places);
        }
        Ok(found)
    }

    /// Secrets by their shape, and nothing else.
    pub fn look_for_secrets(&self, text: &str) -> Found {
        let mut hits = Hits::default();
        self.find_secrets(text, &mut hits);
        let mut found = Found::default();
        if let Some((text, places)) = hits.replaced(text) {
            found.replace(text, places);
        }
        found
    }

    fn find_secrets<'t>(&'t self, text: &str, hits: &mut Hits<'t>) {
        if let Some(rule) = self.rules.iter().find(|rule| rule.secrets) {
            hits.0.extend(secrets::shapes_in(text).map(|range| (range, rule.with.as_str())));
        }
    }

    /// A text that is a JSON object or list is looked into as such: names and escapes in it mean what they
    /// mean to whoever reads it. Was it one?
    fn look_into_json(&self, text: &str, found: &mut Found) -> Result<bool, Blocked> {
        let looks_like_json = text.trim_start().starts_with(['{', '[']);
        if self.nested >= MOST_NESTED || !looks_like_json || serde_json::from_str::<IgnoredAny>(text).is_err()
        {
            return Ok(false);
        }
        if depth(text) > MOST_DEEP {
            return Err(Blocked::Depth);
        }
        let inner = Texts { nested: self.nested + 1, ..*self };
        let walked = Walk::within(text, inner, &Zone::data(self.rules))?;
        found.named = walked.named;
        if let Some(redacted) = walked.redacted {
            found.replace(redacted.text, redacted.places);
        }
        Ok(true)
    }

    /// Base64 of a text; what is no text stays as it is.
    pub fn look_into_blob(&self, base64: &str) -> Result<Found, Blocked> {
        let decoded = BASE64.decode(base64.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = decoded else { return Ok(Found::default()) };
        let found = self.look(&text)?;
        Ok(Found { text: found.text.map(|text| BASE64.encode(text)), ..found })
    }

    /// Does a name, or a number as it is written, hold what would be taken out of a text?
    pub fn speak_of(&self, text: &str) -> bool {
        let speaks = |rule: &&Redaction| {
            rule.patterns.iter().any(|pattern| pattern.find_in(text).next().is_some())
                || (rule.secrets && secrets::shapes_in(text).next().is_some())
        };
        self.rules.iter().any(speaks)
    }
}

/// How deep JSON that was read before is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => drop(bytes.next()),
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What is to be taken out of one text, and what is to stand in its place. All of it is found in the text as it
/// came: what one rule took out would break the shape by which another one knows the rest.
#[derive(Default)]
struct Hits<'r>(Vec<(Range<usize>, &'r str)>);

impl Hits<'_> {
    /// The text without them, and in how many places. What overlaps is one.
    fn replaced(mut self, text: &str) -> Option<(String, u64)> {
        // What already stands there, from this rule or the record's own mask.
        self.0.retain(|(range, with)| text[range.clone()] != **with);
        self.0.sort_by_key(|(range, _)| (range.start, Reverse(range.end)));
        let mut out = String::new();
        let (mut until, mut places) = (0, 0);
        for (range, with) in self.0 {
            if places == 0 || range.start >= until {
                out.push_str(&text[until..range.start]);
                out.push_str(with);
                places += 1;
            }
            until = until.max(range.end);
        }
        out.push_str(&text[until..]);
        (places > 0).then_some((out, places))
    }
}
