//! A configuration file as text whose JSON values are known by their place, so that one value can
//! be replaced while every other byte stays.
//!
//! Strict JSON only: comments, trailing commas and JSON5 are malformed here as they are for the
//! clients. Nothing is normalised; a value is a slice of the file.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Why a text is no usable configuration. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Malformed {
    pub line: usize,
    pub column: usize,
    pub what: String,
}

/// A strict JSON document, with a byte order mark or without.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigText {
    text: String,
    /// Where the outermost value is.
    root: Range<usize>,
}

// Configurations hold tokens: their text must not reach a log by accident.
impl fmt::Debug for ConfigText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigText({} bytes)", self.text.len())
    }
}

impl ConfigText {
    /// # Errors
    /// Not UTF-8, or not one JSON value.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Malformed> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            malformed_at(&String::from_utf8_lossy(valid), valid.len(), "it is not UTF-8 text")
        })?;
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let body = &text[start..];
        if body.trim().is_empty() {
            return Err(malformed_at(&text, 0, "the file is empty"));
        }
        let raw: &RawValue = serde_json::from_str(body).map_err(|error| Malformed {
            line: error.line(),
            column: error.column(),
            what: syntax_sentence(&error),
        })?;
        let root = slice_range(&text, raw.get());
        Ok(Self { text, root })
    }

    pub fn root(&self) -> Node<'_> {
        Node { whole: &self.text, raw: &self.text[self.root.clone()] }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// One JSON value in its place.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    whole: &'a str,
    raw: &'a str,
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?})", self.span())
    }
}

/// One `"key": value` of an object.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    pub key: String,
    /// Where the key's opening quote is.
    pub key_start: usize,
    pub value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The value's own text, as it is in the file.
    pub fn text(self) -> &'a str {
        self.raw
    }

    /// The text of the whole file.
    pub fn whole(self) -> &'a str {
        self.whole
    }

    pub fn span(self) -> Range<usize> {
        slice_range(self.whole, self.raw)
    }

    pub fn is_object(self) -> bool {
        self.raw.starts_with('{')
    }

    /// Every member in order, equal keys included.
    ///
    /// # Errors
    /// Not an object, or a key that is not Unicode text.
    pub fn members(self) -> Result<Vec<Member<'a>>, Malformed> {
        if !self.is_object() {
            return Err(self.malformed("an object is needed here"));
        }
        let Pairs(pairs) = serde_json::from_str(self.raw).map_err(|error| {
            self.malformed(&format!("a key cannot be read ({})", syntax_sentence(&error)))
        })?;
        let mut before = self.span().start + 1;
        let mut members = Vec::with_capacity(pairs.len());
        for (key, raw) in pairs {
            let value = Node { whole: self.whole, raw: raw.get() };
            // Between two members there is nothing but white space and one comma.
            let key_start = before + self.whole[before..].find('"').unwrap_or(0);
            before = value.span().end;
            members.push(Member { key, key_start, value });
        }
        Ok(members)
    }

    /// Every member in order; equal keys are an error, because clients disagree which one counts.
    ///
    /// # Errors
    /// As [`Self::members`], or a key occurs twice.
    pub fn unique_members(self) -> Result<Vec<Member<'a>>, Malformed> {
        let members = self.members()?;
        let mut seen = std::collections::HashSet::with_capacity(members.len());
        for member in &members {
            if !seen.insert(member.key.as_str()) {
                return Err(self.duplicate(member));
            }
        }
        Ok(members)
    }

    /// The member of this key, which must not occur twice; other keys may.
    ///
    /// # Errors
    /// As [`Self::members`], or the key occurs twice.
    pub fn member(self, key: &str) -> Result<Option<Member<'a>>, Malformed> {
        let mut found = self.members()?.into_iter().filter(|member| member.key == key);
        let first = found.next();
        match found.next() {
            Some(second) => Err(self.duplicate(&second)),
            None => Ok(first),
        }
    }

    /// The items of an array, `None` for anything else.
    pub fn items(self) -> Option<Vec<Node<'a>>> {
        let raws: Vec<&'a RawValue> = serde_json::from_str(self.raw).ok()?;
        Some(raws.into_iter().map(|raw| Node { whole: self.whole, raw: raw.get() }).collect())
    }

    /// The value as a Rust type, `None` where it does not fit.
    pub fn read<T: DeserializeOwned>(self) -> Option<T> {
        serde_json::from_str(self.raw).ok()
    }

    pub fn malformed(self, what: &str) -> Malformed {
        malformed_at(self.whole, self.span().start, what)
    }

    fn duplicate(self, member: &Member<'_>) -> Malformed {
        malformed_at(self.whole, member.key_start, &format!("the key {:?} occurs twice", member.key))
    }
}

/// An object's members with their order and their duplicates.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Where a slice of `whole` lies in it.
fn slice_range(whole: &str, slice: &str) -> Range<usize> {
    let start = slice.as_ptr().addr() - whole.as_ptr().addr();
    start..start + slice.len()
}

fn malformed_at(text: &str, offset: usize, what: &str) -> Malformed {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Malformed {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().filter(|c| *c != '\u{feff}').count() + 1,
        what: what.to_owned(),
    }
}

/// serde_json's sentence without its own "at line … column …".
fn syntax_sentence(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    sentence.split(" at line ").next().unwrap_or(&sentence).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigText, Malformed> {
        ConfigText::parse(text.as_bytes().to_vec())
    }

    #[test]
    fn values_are_slices_of_the_file() {
        let config = parse("\u{feff}{ \"a\" : 1.10 ,\r\n\"\\u0062\":{\"c\":[1, 2]}\r\n}").unwrap();
        let members = config.root().unique_members().unwrap();
        assert_eq!(members[0].value.text(), "1.10");
        assert_eq!(members[1].key, "b");
        assert!(config.as_str()[members[1].key_start..].starts_with("\"\\u0062\""));
        assert_eq!(&config.as_str()[members[1].value.span()], "{\"c\":[1, 2]}");
    }

    #[test]
    fn what_is_not_strict_json_is_malformed_with_its_place() {
        for (text, line, column) in [
            ("{\n  \"a\": 1,\n}", 3, 1),
            ("{\n  // note\n}", 2, 3),
            ("{\"a\": 1", 1, 7),
            ("{} {}", 1, 4),
            ("", 1, 1),
            ("  \n ", 1, 1),
            ("{\"a\": 01}", 1, 8),
            ("{'a': 1}", 1, 2),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
        }
        let error = ConfigText::parse(b"{\"a\":\n \"\xff\"}".to_vec()).unwrap_err();
        assert_eq!((error.line, error.column), (2, 3));
    }

    #[test]
    fn equal_keys_are_refused_only_where_asked() {
        let config = parse("{\"x\":1,\"x\":2,\n\"mcpServers\":{\"a\":1,\"\\u0061\":2}}").unwrap();
        let servers = config.root().member("mcpServers").unwrap().unwrap();
        assert!(config.root().unique_members().is_err());
        let error = servers.value.unique_members().unwrap_err();
        assert_eq!((error.line, error.column), (2, 21));
    }

    #[test]
    fn nesting_without_end_is_read_without_a_stack_overflow() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        let config = parse(&deep).unwrap();
        assert_eq!(config.root().members().unwrap().len(), 1);
    }
}
