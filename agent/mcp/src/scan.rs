//! One strict pass over the bytes before anything else looks at them.
//!
//! It refuses what two readers could read differently. Text that is plainly in order is walked by
//! [`plain`], which tells where the members of the two upper levels stand, so that nobody has to walk
//! again to find `method` or `params.name`; what they mean is for [`crate::message`]. Everything else is
//! walked with serde_json's own tokenizer, which has the last word and names the fault.

mod plain;

use crate::malformed::Malformed;
use crate::outline::Outline;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// How deep objects and arrays may nest: what serde_json itself reads without a stack of its own.
pub const MAX_DEPTH: usize = 127;

/// Up to so many keys are compared one by one; beyond, a set keeps a hostile object linear.
const FEW_KEYS: usize = 24;

/// Checks that the bytes are exactly one JSON object that every reader reads alike.
///
/// # Errors
/// The first fault found, in the order of the bytes.
pub fn check(bytes: &[u8]) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|e| Malformed::NotUtf8 { at: e.valid_up_to() })?;
    outline(text).map(|outline| outline.text)
}

/// As [`check`], and tells where the members of the two upper levels stand.
pub(crate) fn outline(text: &str) -> Result<Outline<'_>, Malformed> {
    let spots = plain::walk(text);
    if spots.is_none() {
        walked(text)?;
    }
    match text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes().first() {
        Some(b'{') => Ok(Outline { text, spots }),
        Some(b'[') => Err(Malformed::Batch),
        _ => Err(Malformed::NotAnObject),
    }
}

/// Is it one JSON value that every reader reads alike?
fn walked(text: &str) -> Result<(), Malformed> {
    if text.starts_with('\u{FEFF}') {
        return Err(Malformed::ByteOrderMark);
    }
    let mut seen = Seen { keys: Vec::new(), twice: None };
    let mut reader = serde_json::Deserializer::from_str(text);
    Walk { seen: &mut seen }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| name_fault(text, &error, seen.twice.take()))
}

/// The reader's error in our words. A kind it does not name apart is `not-json`: refused all the same.
fn name_fault(text: &str, error: &serde_json::Error, twice: Option<String>) -> Malformed {
    let at = offset(text, error.line(), error.column());
    if let Some(key) = twice {
        return Malformed::DuplicateKey { key, at };
    }
    let said = error.to_string();
    let why = said.split(" at line ").next().unwrap_or_default().to_owned();
    match why.as_str() {
        "recursion limit exceeded" => Malformed::TooDeep { at },
        "number out of range" => Malformed::NumberOutOfRange { at },
        "trailing characters" => Malformed::TrailingData { at },
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            Malformed::LoneSurrogate { at }
        }
        _ => Malformed::NotJson { why, at },
    }
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines_before = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    (lines_before + column.saturating_sub(1)).min(text.len())
}

struct Seen<'de> {
    /// The keys of the objects that are open right now, outermost first.
    keys: Vec<Cow<'de, str>>,
    twice: Option<String>,
}

struct Walk<'s, 'de> {
    seen: &'s mut Seen<'de>,
}

impl<'de> Walk<'_, 'de> {
    fn deeper(&mut self) -> Walk<'_, 'de> {
        Walk { seen: self.seen }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.deeper())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let first = self.seen.keys.len();
        let mut many: Option<HashSet<Cow<'de, str>>> = None;
        while let Some(key) = map.next_key_seed(Key)? {
            let twice = match &mut many {
                Some(set) => !set.insert(key.clone()),
                None => self.seen.keys[first..].contains(&key),
            };
            if twice {
                self.seen.twice = Some(key.into_owned());
                return Err(A::Error::custom("duplicate key"));
            }
            if many.is_none() {
                self.seen.keys.push(key);
                if self.seen.keys.len() - first > FEW_KEYS {
                    many = Some(self.seen.keys.drain(first..).collect());
                }
            }
            map.next_value_seed(self.deeper())?;
        }
        self.seen.keys.truncate(first);
        Ok(())
    }
}

/// A key with its escapes decoded, borrowed where it has none.
pub(crate) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: impl AsRef<[u8]>) -> &'static str {
        match check(bytes.as_ref()) {
            Ok(_) => "ok",
            Err(fault) => fault.code(),
        }
    }

    #[test]
    fn every_form_that_two_readers_read_differently_has_its_own_name() {
        let table: &[(&[u8], &str)] = &[
            (br#"{"a":1}"#, "ok"),
            (b" \t{\"a\":[1,2.5e3,-0,true,null,\"\\u00e9\"]} ", "ok"),
            ("{\"a\":\"\u{2028}\u{10FFFF}\"}".as_bytes(), "ok"),
            (br#"{"a":"\ud83d\ude00"}"#, "ok"),
            (br#"{"a":12345678901234567890123}"#, "ok"),
            (b"", "not-json"),
            (b"   ", "not-json"),
            (b"Server listening on port 3000", "not-json"),
            (b"[INFO] started", "not-json"),
            (b"Content-Length: 52", "not-json"),
            (br#"{"a":NaN}"#, "not-json"),
            (br#"{"a":Infinity}"#, "not-json"),
            (br#"{"a":-Infinity}"#, "not-json"),
            (br#"{"a":01}"#, "not-json"),
            (br#"{"a":1.}"#, "not-json"),
            (br#"{"a":.5}"#, "not-json"),
            (br#"{"a":+1}"#, "not-json"),
            (br#"{"a":0x10}"#, "not-json"),
            (br"{'a':1}", "not-json"),
            (br#"{"a":1,}"#, "not-json"),
            (br#"{"a":1 /* c */}"#, "not-json"),
            (b"{\"a\":\"\x01\"}", "not-json"),
            (br#"{"a":"half"#, "not-json"),
            (br#"{"a":1e999}"#, "number-out-of-range"),
            (br#"{"a":"\ud800"}"#, "lone-surrogate"),
            (br#"{"a":"\udc00"}"#, "lone-surrogate"),
            (br#"{"a":"\ud800\u0041"}"#, "lone-surrogate"),
            (br#"{"\ud800":1}"#, "lone-surrogate"),
            (b"{\"a\":\"\xff\"}", "not-utf8"),
            (b"{\"a\":\"\xed\xa0\x80\"}", "not-utf8"),
            (b"{\"a\":\"\xc0\xaf\"}", "not-utf8"),
            (b"\xff\xfe{\0}\0", "not-utf8"),
            (b"\xef\xbb\xbf{\"a\":1}", "byte-order-mark"),
            (br#"{"a":1}{"b":2}"#, "trailing-data"),
            (br#"{"a":1} x"#, "trailing-data"),
            (br#"[{"a":1}]"#, "batch"),
            (b" []", "batch"),
            (b"null", "not-an-object"),
            (b"\"text\"", "not-an-object"),
            (b"42", "not-an-object"),
            (br#"{"a":1,"a":2}"#, "duplicate-key"),
            (br#"{"a":1,"\u0061":2}"#, "duplicate-key"),
            (br#"{"x":[{"y":{"k":1,"k":1}}]}"#, "duplicate-key"),
            (br#"{"x":{"k":1},"y":{"k":1}}"#, "ok"),
            (br#"[{"k":1,"k":2}]"#, "duplicate-key"),
        ];
        for (bytes, expected) in table {
            assert_eq!(code(bytes), *expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn nesting_ends_where_the_limit_says() {
        let nested = |levels: usize| format!("{}{}", "{\"a\":".repeat(levels - 1) + "{", "}".repeat(levels));
        assert_eq!(code(nested(MAX_DEPTH)), "ok");
        assert_eq!(code(nested(MAX_DEPTH + 1)), "too-deep");
        let arrays = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(code(arrays), "too-deep");
    }

    #[test]
    fn a_duplicate_is_found_among_many_keys() {
        let keys: Vec<String> = (0..1000).map(|n| format!("\"k{n}\":{{\"k{n}\":1}}")).collect();
        assert_eq!(code(format!("{{{}}}", keys.join(","))), "ok");
        assert_eq!(code(format!("{{{},\"k\\u0030\":1}}", keys.join(","))), "duplicate-key");
        assert_eq!(code(format!("{{{},\"k999\":1}}", keys.join(","))), "duplicate-key");
        assert_eq!(code(format!("{{\"o\":{{{}}},\"k3\":1,\"k3\":1}}", keys.join(","))), "duplicate-key");
    }

    #[test]
    fn a_fault_says_where() {
        let fault = check(b"{\"a\":1,\n\"b\":nope}").unwrap_err();
        assert_eq!(fault, Malformed::NotJson { why: "expected ident".to_owned(), at: 13 });
        let fault = check(br#"{"n":1,"n":2}"#).unwrap_err();
        assert!(matches!(fault, Malformed::DuplicateKey { ref key, at: 9..=10 } if key == "n"), "{fault:?}");
    }
}
