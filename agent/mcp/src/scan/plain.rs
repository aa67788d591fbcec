//! A quick walk over JSON that is plainly in order, as nearly all of it is: the grammar of RFC 8259, no key
//! twice in an object, no lone surrogate, no number that does not fit, no deeper than [`super::MAX_DEPTH`].
//!
//! It knows two answers: *in order*, with the places of the upper members, and *not for me*. It names no fault
//! and leaves rarities (escaped keys, huge numbers) to the walk in [`super`], whose word is the last one. So a
//! mistake here could do harm in one direction only, by passing what that walk refuses; a property test and the
//! fuzzer look for nothing else.

use super::{FEW_KEYS, MAX_DEPTH};
use crate::outline::Spot;
use memchr::memchr2;
use std::collections::HashSet;

/// The members of the two upper levels, in the order of the text, where it is one plain value.
pub(super) fn walk(text: &str) -> Option<Vec<Spot<'_>>> {
    let bytes = text.as_bytes();
    let has_controls = has_controls(bytes);
    let mut walk = Walk { text, bytes, at: 0, has_controls, keys: Vec::new(), spots: Vec::new() };
    walk.blanks();
    walk.value(1)?;
    walk.blanks();
    (walk.at == text.len()).then_some(walk.spots)
}

struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// What comes next.
    at: usize,
    /// Somewhere in the text are control characters: blanks, or what may not stand in a string.
    has_controls: bool,
    /// The keys of the objects that are open right now, outermost first.
    keys: Vec<&'a str>,
    spots: Vec<Spot<'a>>,
}

impl<'a> Walk<'a> {
    /// `level` is 1 for the message itself.
    fn value(&mut self, level: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(level),
            b'[' => self.array(level),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, level: usize) -> Option<()> {
        self.open(level)?;
        if self.took(b'}') {
            return Some(());
        }
        let first = self.keys.len();
        let mut many: Option<HashSet<&'a str>> = None;
        loop {
            let key = self.key()?;
            let is_new = match &mut many {
                Some(set) => set.insert(key),
                None => !self.keys[first..].contains(&key),
            };
            if !is_new {
                return None;
            }
            if many.is_none() {
                self.keys.push(key);
                if self.keys.len() - first > FEW_KEYS {
                    many = Some(self.keys.drain(first..).collect());
                }
            }
            self.member(level, key)?;
            if !self.another(b'}')? {
                break;
            }
        }
        self.keys.truncate(first);
        Some(())
    }

    /// The value behind a key.
    fn member(&mut self, level: usize, key: &'a str) -> Option<()> {
        let (start, spot) = (self.at, self.spots.len());
        if level <= 2 {
            self.spots.push(Spot { level, key, value: "" });
        }
        self.value(level + 1)?;
        if level <= 2 {
            self.spots[spot].value = &self.text[start..self.at];
        }
        Some(())
    }

    fn array(&mut self, level: usize) -> Option<()> {
        self.open(level)?;
        if self.took(b']') {
            return Some(());
        }
        loop {
            self.value(level + 1)?;
            if !self.another(b']')? {
                return Some(());
            }
        }
    }

    fn open(&mut self, level: usize) -> Option<()> {
        self.at += 1;
        self.blanks();
        (level <= MAX_DEPTH).then_some(())
    }

    /// Behind an element: does another one follow?
    fn another(&mut self, end: u8) -> Option<bool> {
        self.blanks();
        if self.took(end) {
            return Some(false);
        }
        self.take(b',')?;
        self.blanks();
        Some(true)
    }

    /// A key without escapes, its colon, and the blanks around that.
    fn key(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let has_escapes = self.string()?;
        let key = &self.text[start..self.at - 1];
        self.blanks();
        self.take(b':')?;
        self.blanks();
        (!has_escapes).then_some(key)
    }

    /// From one quotation mark to the other. Has it escapes?
    fn string(&mut self) -> Option<bool> {
        self.take(b'"')?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += memchr2(b'"', b'\\', &self.bytes[self.at..])?;
            if self.took(b'"') {
                break;
            }
            has_escapes = true;
            self.escape()?;
        }
        let may_stand = !self.has_controls || !has_controls(&self.bytes[start..self.at]);
        may_stand.then_some(has_escapes)
    }

    fn escape(&mut self) -> Option<()> {
        let kind = *self.bytes.get(self.at + 1)?;
        self.at += 2;
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.hex()? {
                0xD800..=0xDBFF => {
                    self.take(b'\\')?;
                    self.take(b'u')?;
                    matches!(self.hex()?, 0xDC00..=0xDFFF).then_some(())
                }
                0xDC00..=0xDFFF => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
    }

    /// `-? int frac? exp?`, as long as nobody could find it too large.
    fn number(&mut self) -> Option<()> {
        const MOST_DIGITS: usize = 100;
        let start = self.at;
        self.took(b'-');
        if !self.took(b'0') {
            self.digits()?;
        }
        if self.took(b'.') {
            self.digits()?;
        }
        let mantissa = self.at - start;
        let mut exponent = 0;
        if self.took(b'e') || self.took(b'E') {
            if !self.took(b'-') {
                self.took(b'+');
            }
            exponent = self.digits()?;
        }
        (mantissa <= MOST_DIGITS && exponent <= 2).then_some(())
    }

    /// How many there are; at least one.
    fn digits(&mut self) -> Option<usize> {
        let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(digits)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.took(byte).then_some(())
    }

    fn took(&mut self, byte: u8) -> bool {
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// Every byte is looked at, as that is quicker than to stop at the first.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |found, byte| found | u8::from(*byte < 0x20)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;
    use proptest::prelude::*;

    #[test]
    fn a_control_character_may_stand_between_tokens_and_nowhere_else() {
        for byte in 0..=0x7F_u8 {
            let shown = char::from(byte).escape_default();
            let inside = format!("[\"{}{}\"]", "x".repeat(40), char::from(byte));
            let between = format!("[\"x\",{}\"y\"]", char::from(byte));
            let is_plain = !matches!(byte, 0..0x20 | b'"' | b'\\');
            assert_eq!(walk(&inside).is_some(), is_plain, "{shown} in a string");
            assert_eq!(walk(&between).is_some(), b" \t\r\n".contains(&byte), "{shown} between tokens");
        }
    }

    #[test]
    fn what_is_usual_is_plain_and_what_is_rare_is_left_to_the_other_walk() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"x":[1,-2.5e-3,0,true,false,null,"\u00e9\ud83d\ude00\n\/"]}}"#,
            " \t\r\n{ \"a\" : [ ] , \"b\" : { } } ",
            "12345678901234567890",
        ] {
            assert!(walk(text).is_some(), "{text}");
        }
        let huge = "9".repeat(101);
        for text in [r#"{"\u0061":1}"#, "1e100", "1E-100", &huge, ""] {
            assert!(walk(text).is_none(), "{text}");
        }
    }

    /// Pieces that make and break JSON.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\"a\":", "\"b\":", "\"a\"", "\\", "\\\"", "\\n", "\\u", "\\ud800",
                "\\udc00", "\\ud83d\\ude00", "\\u00e9", "0", "1", "-", ".", "e", "E+", "1e5", "1e999", "-0", "01", "true",
                "false", "null", " ", "\t", "\n", "\r", "\0", "\u{7f}", "é", "\u{10ffff}", "\u{feff}", "x",
            ]).prop_map(str::to_owned),
            1 => "[a-c\"\\\\{}\\[\\],:0-9 ]{0,12}",
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
            "[a-zé ]{0,20}".prop_map(|text| format!("\"{text}\"")),
            "(\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-fA-F]{4}|[a-c]){0,6}".prop_map(|text| format!("\"{text}\"")),
            prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let member = ("[a-d]{0,2}", inner.clone()).prop_map(|(key, value)| format!("\"{key}\" :{value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_plain_is_in_order(text in prop_oneof![pieces(), value()]) {
            if walk(&text).is_some() {
                prop_assert!(scan::walked(&text).is_ok(), "{text}");
            }
        }

        #[test]
        fn what_is_in_order_and_usual_is_plain(text in value()) {
            let is_rare = text.contains('e') || text.contains('E');
            if scan::walked(&text).is_ok() && !is_rare {
                prop_assert!(walk(&text).is_some(), "{text}");
            }
        }

        #[test]
        fn one_byte_changed_makes_no_more_of_it(text in value(), place in any::<prop::sample::Index>(), byte in 0..0x80_u8) {
            let mut bytes = text.into_bytes();
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Ok(text) = String::from_utf8(bytes)
                && walk(&text).is_some()
            {
                prop_assert!(scan::walked(&text).is_ok(), "{text}");
            }
        }
    }
}
