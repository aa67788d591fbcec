//! A cursor over JSON text that was parsed before: it finds where values end, and judges nothing.

use std::borrow::Cow;
use std::ops::Range;

#[derive(Debug, Clone)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub fn over(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of what comes next, blanks aside. 0 at the end.
    pub fn peek(&mut self) -> u8 {
        while self.byte().is_ascii_whitespace() {
            self.at += 1;
        }
        self.byte()
    }

    /// Takes one byte if it is the next one, blanks aside.
    pub fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    /// The next value, whole.
    pub fn value(&mut self) -> Range<usize> {
        match self.peek() {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => self.scalar(),
        }
    }

    /// A string with its quotes.
    pub fn string(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    break;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(bytes.len());
        start..self.at
    }

    /// A number, `true`, `false` or `null`.
    pub fn scalar(&mut self) -> Range<usize> {
        let start = self.at;
        while !matches!(self.byte(), 0 | b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        start..self.at
    }

    fn nested(&mut self) -> Range<usize> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.byte() {
                0 => break,
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
        start..self.at
    }

    /// The text of a member of the object that comes next, which stays where it is.
    pub fn member(&self, name: &str) -> Option<&'t str> {
        let mut ahead = self.clone();
        if !ahead.take(b'{') {
            return None;
        }
        while ahead.peek() == b'"' {
            let key = ahead.string();
            ahead.take(b':');
            let value = ahead.value();
            if decoded(&self.text[key]) == name {
                return Some(&self.text[value]);
            }
            ahead.take(b',');
        }
        None
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }
}

/// The text of a JSON string that was parsed before.
pub(super) fn decoded(json: &str) -> Cow<'_, str> {
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(json).map_or(Cow::Borrowed(inner), Cow::Owned)
}
