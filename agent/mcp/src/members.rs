//! The members of one JSON object: keys decoded, values left as the text they are.

use crate::scan::Key;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Reads text that has passed [`crate::scan::check`], so no key comes twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// `None` where the text is not an object.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// From an outline that knows where they stand.
    pub(crate) fn found(members: Vec<(Cow<'a, str>, &'a str)>) -> Self {
        Self(members)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and JSON texts, in the order they stand.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), *value))
    }

    /// The member's JSON text.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// The member's value where it is a string.
    pub(crate) fn string(&self, key: &str) -> Option<String> {
        self.get(key).and_then(string)
    }

    /// A key that is none of `known`, but that a careless reader would take for one of them.
    pub(crate) fn lookalike(&self, known: &[&'static str]) -> Option<(String, &'static str)> {
        self.0.iter().find_map(|(key, _)| mistaken_for(key, known).map(|it| (key.to_string(), it)))
    }
}

/// The text of a JSON string, decoded; `None` where the JSON is not a string.
pub(crate) fn string(json: &str) -> Option<String> {
    json.starts_with('"').then(|| serde_json::from_str(json).ok()).flatten()
}

/// Which of `known` a careless reader would take this for, though it is none of them.
pub(crate) fn mistaken_for(key: &str, known: &[&'static str]) -> Option<&'static str> {
    if known.contains(&key) {
        return None;
    }
    if key.bytes().all(|b| b.is_ascii_graphic()) {
        return known.iter().copied().find(|known| known.eq_ignore_ascii_case(key));
    }
    let whole = fold(key);
    let until_nul = fold(key.split('\0').next().unwrap_or_default());
    known.iter().copied().find(|known| {
        let known = fold(known);
        known == whole || known == until_nul
    })
}

/// What a reader that ignores case, blanks and invisible characters makes of a key. Upper then lower
/// case, because that is how ſ becomes s; lower alone is how the Kelvin sign becomes k.
fn fold(key: &str) -> String {
    key.chars()
        .filter(|c| !is_invisible(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Blanks, controls, and the format characters that show as nothing.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collect).map(Members)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(4);
        while let Some(key) = map.next_key_seed(Key)? {
            members.push((key, map.next_value::<&RawValue>()?.get()));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_fold_to_a_known_one_are_found() {
        let known = ["method", "params", "id", "tokens", "_meta"];
        for key in [
            "Method",
            "METHOD",
            "param\u{17f}",
            "to\u{212a}ens",
            "method\0",
            "method\0x",
            "\0method",
            " method",
            "method ",
            "me\u{200b}thod",
            "\u{feff}id",
            "ID",
            "\u{a0}id",
            "_META",
            "me\u{ad}thod",
            "TOKENS",
        ] {
            assert!(mistaken_for(key, &known).is_some(), "{key:?}");
        }
        for key in ["method", "params", "id", "idx", "methods", "", "m", "Other", "progressToken", "метhod"]
        {
            assert_eq!(mistaken_for(key, &known), None, "{key:?}");
        }
    }

    #[test]
    fn values_are_the_text_as_it_stood() {
        let members = Members::of(r#"{ "a" : 1.0 , "\u0062":"\u0063", "d":{"x": [ ]} }"#).unwrap();
        assert_eq!(members.get("a"), Some("1.0"));
        assert_eq!(members.string("b").as_deref(), Some("c"));
        assert_eq!(members.get("d"), Some(r#"{"x": [ ]}"#));
        assert!(Members::of("[]").is_none());
    }
}
