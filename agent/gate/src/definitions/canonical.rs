//! The fingerprint of a definition: SHA-256 over its canonical form (RFC 8785), so that blanks, the
//! order of members and the spelling of texts and numbers count for nothing, and everything else does.
//!
//! RFC 8785 knows the numbers of a double only, and two numbers that a double cannot tell apart would
//! be one. A definition with such a number gets a form of its own ([`super::numbers`]).

use super::numbers;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// The longest definition that is read; one beyond it is known by its bytes alone.
pub const LONGEST: usize = 1024 * 1024;

/// What a definition is known by: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a definition as it came: the text of one JSON value.
    #[must_use]
    pub fn of(raw: &str) -> Self {
        if raw.len() > LONGEST {
            return Self::under("as it stands", raw.as_bytes());
        }
        let (form, text) = match numbers::told_apart(raw) {
            None => ("canonical", serde_json::from_str::<Value>(raw)),
            Some(told_apart) => ("numbers told apart", serde_json::from_str(&told_apart)),
        };
        match text.ok().and_then(|value| serde_json_canonicalizer::to_vec(&value).ok()) {
            // The plain form is what anybody else computes by the RFC.
            Some(canonical) if form == "canonical" => Self(Sha256::digest(canonical).into()),
            Some(canonical) => Self::under(form, &canonical),
            None => Self::under("as it stands", raw.as_bytes()),
        }
    }

    /// No text in one form is a text in another: a canonical form begins as JSON does.
    fn under(form: &str, bytes: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(form.as_bytes());
        hasher.update([0]);
        hasher.update(bytes);
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It is not `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is `sha256:` and 64 hexadecimal digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let digits = text.strip_prefix("sha256:").ok_or(NoDigest)?.as_bytes();
        if digits.len() != 64 {
            return Err(NoDigest);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(NoDigest);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| NoDigest)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Digest::of(a) == Digest::of(b)
    }

    #[test]
    fn a_fingerprint_is_what_anybody_computes_by_the_rfc() {
        // printf '{"a":1,"b":"é"}' | sha256sum
        let expected = "sha256:09ad9fd2fb648cb2f62141215828ea00a62c299db05d20aa9ade2f527a301cc6";
        let got = Digest::of(r#"{ "b":"\u00e9", "a":1.0 }"#).to_string();
        assert_eq!(got, expected);
        assert_eq!(got.parse(), Ok(Digest::of(r#"{"a":1,"b":"é"}"#)));
    }

    #[test]
    fn only_what_means_something_else_is_something_else() {
        for (a, b) in [
            (r#"{"name":"t","x":{"b":1,"a":[2]}}"#, "{ \"x\" : {\"a\":[ 2 ],\n\"b\":1},\"name\":\"t\"}"),
            (r#"{"n":1}"#, r#"{"n":1.0}"#),
            (r#"{"n":100}"#, r#"{"n":1e2}"#),
            (r#"{"n":0.1}"#, r#"{"n":1E-1}"#),
            (r#"{"n":-0}"#, r#"{"n":0}"#),
            (r#"{"t":"A/\n"}"#, r#"{"t":"\u0041\/\u000a"}"#),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            (r#"{"n":1}"#, r#"{"n":"1"}"#),
            (r#"{"n":1}"#, r#"{"n":2}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"t":"a"}"#, r#"{"t":"a "}"#),
            (r#"{"t":"é"}"#, "{\"t\":\"e\u{301}\"}"),
            (r#"{"t":"a"}"#, "{\"t\":\"\u{430}\"}"),
            (r#"{"t":"a"}"#, "{\"t\":\"a\u{200b}\"}"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn attack_numbers_that_a_double_cannot_tell_apart() {
        for (a, b) in [
            ("9007199254740993", "9007199254740992"),
            ("9223372036854775807", "9223372036854775806"),
            ("1e999", "1e998"),
            ("0.1", "0.10000000000000000555"),
            ("9007199254740993", "\"n9007199254740993\""),
            ("9007199254740993", "\"9007199254740993\""),
            ("1e999", "null"),
        ] {
            let of = |number: &str| Digest::of(&format!(r#"{{"maximum":{number}}}"#));
            assert_ne!(of(a), of(b), "{a} {b}");
        }
        // And key order counts for as little as elsewhere.
        assert!(same(r#"{"a":9007199254740993,"b":"x"}"#, r#"{ "b":"\u0078","a":9007199254740993 }"#));
    }

    #[test]
    fn a_definition_too_long_to_read_is_known_by_its_bytes() {
        let long = format!(r#"{{"name":"t","description":"{}"}}"#, "x".repeat(LONGEST));
        assert!(same(&long, &long.clone()));
        assert!(!same(&long, &long.replace("\"t\"", "\"u\"")));
    }

    #[test]
    fn what_is_no_fingerprint_is_none() {
        for text in [
            "",
            "sha256:",
            "sha256:00",
            &"0".repeat(64),
            &format!("sha256:{}", "g".repeat(64)),
            &format!("sha256:{}", "é".repeat(32)),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(NoDigest), "{text}");
        }
    }
}
