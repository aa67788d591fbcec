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
use std::ops::Range;

/// JSON in a text in JSON in a text …
const MOST_NESTED: u8 = 4;

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
        if !self.look_into_json(text, &mut found)?
            && let Some((text, places)) = self.literals.replaced(text)
        {
            found.replace(text, places);
        }
        for rule in self.rules {
            for pattern in &rule.patterns {
                let now = found.text.as_deref().unwrap_or(text);
                if let Some((text, places)) = replaced(now, pattern.find_in(now), &rule.with) {
                    found.replace(text, places);
                }
            }
            if rule.secrets {
                let now = found.text.as_deref().unwrap_or(text);
                if let Some((text, places)) = replaced(now, secrets::shapes_in(now), &rule.with) {
                    found.replace(text, places);
                }
            }
        }
        Ok(found)
    }

    /// Secrets by their shape, and nothing else.
    pub fn look_for_secrets(&self, text: &str) -> Found {
        let mut found = Found::default();
        for rule in self.rules.iter().filter(|rule| rule.secrets) {
            let now = found.text.as_deref().unwrap_or(text);
            if let Some((text, places)) = replaced(now, secrets::shapes_in(now), &rule.with) {
                found.replace(text, places);
            }
        }
        found
    }

    /// A text that is a JSON object or list is looked into as such: names and escapes in it mean what they
    /// mean to whoever reads it. Was it one?
    fn look_into_json(&self, text: &str, found: &mut Found) -> Result<bool, Blocked> {
        let looks_like_json = text.trim_start().starts_with(['{', '[']);
        if self.nested >= MOST_NESTED || !looks_like_json || serde_json::from_str::<IgnoredAny>(text).is_err()
        {
            return Ok(false);
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

/// The ranges come from left to right and do not overlap.
fn replaced(text: &str, ranges: impl Iterator<Item = Range<usize>>, with: &str) -> Option<(String, u64)> {
    let mut out = String::new();
    let (mut from, mut places) = (0, 0);
    for range in ranges {
        // What already stands there, from this rule or the record's own mask.
        if text[range.clone()] == *with {
            continue;
        }
        out.push_str(&text[from..range.start]);
        out.push_str(with);
        from = range.end;
        places += 1;
    }
    out.push_str(&text[from..]);
    (places > 0).then_some((out, places))
}
