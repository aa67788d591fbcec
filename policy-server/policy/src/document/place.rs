//! From byte offsets to the line and column an author sees, also through a string literal.

use std::ops::Range;

/// Where something stands in the document. Both count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// A text whose lines are counted once.
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// From which offset on so many lines of the document are left out.
    left_out: &'t [(usize, usize)],
}

impl<'t> Lines<'t> {
    pub fn of(text: &'t str) -> Self {
        let newlines = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self { text, starts: std::iter::once(0).chain(newlines).collect(), left_out: &[] }
    }

    /// Of an excerpt.
    pub fn without(self, left_out: &'t [(usize, usize)]) -> Self {
        Self { left_out, ..self }
    }

    pub fn text(&self) -> &'t str {
        self.text
    }

    pub fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        let cuts = self.left_out.partition_point(|(from, _)| *from <= offset);
        let left_out =
            cuts.checked_sub(1).and_then(|cut| self.left_out.get(cut)).map_or(0, |(_, lines)| *lines);
        Place { line: line + left_out, column: 1 + before.chars().count() }
    }
}

/// The document's offset of byte `inner` of a string's value, where `span` covers the literal with
/// its quotes. Escapes are walked, so that a fault inside `"a\tb"` is shown where it was typed.
pub(crate) fn offset_in_literal(text: &str, span: &Range<usize>, inner: usize) -> usize {
    let raw = text.get(span.clone()).unwrap_or_default();
    let (quote, basic) = match raw {
        _ if raw.starts_with("'''") => (3, false),
        _ if raw.starts_with("\"\"\"") => (3, true),
        _ => (1, raw.starts_with('"')),
    };
    let mut at = quote;
    if quote == 3 {
        at += if raw[at..].starts_with("\r\n") { 2 } else { usize::from(raw[at..].starts_with('\n')) };
    }
    let mut seen = 0;
    while seen < inner {
        let (taken, meant) = if basic { step(&raw[at..]) } else { plain_step(&raw[at..]) };
        if taken == 0 {
            break;
        }
        at += taken;
        seen += meant;
    }
    span.start + at
}

fn plain_step(rest: &str) -> (usize, usize) {
    let length = rest.chars().next().map_or(0, char::len_utf8);
    (length, length)
}

/// Bytes taken of the literal, and bytes of value they mean.
fn step(rest: &str) -> (usize, usize) {
    let Some(escaped) = rest.strip_prefix('\\') else { return plain_step(rest) };
    match escaped.bytes().next() {
        Some(b'u') => (6, code_point(escaped, 4)),
        Some(b'U') => (10, code_point(escaped, 8)),
        Some(b'x') => (4, code_point(escaped, 2)),
        Some(byte) if byte.is_ascii_whitespace() => {
            (1 + escaped.len() - escaped.trim_start_matches([' ', '\t', '\r', '\n']).len(), 0)
        }
        Some(_) => (2, 1),
        None => (0, 0),
    }
}

fn code_point(escaped: &str, digits: usize) -> usize {
    escaped
        .get(1..=digits)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .and_then(char::from_u32)
        .map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::{Lines, Place, offset_in_literal};

    fn shown(literal: &str, inner: usize) -> String {
        let text = format!("when = {literal}");
        text[offset_in_literal(&text, &(7..text.len()), inner)..].to_owned()
    }

    #[test]
    fn an_offset_in_a_value_is_found_in_its_literal() {
        assert_eq!(shown("'abc'", 1), "bc'");
        assert_eq!(shown("\"a\\tbc\"", 2), "bc\"");
        assert_eq!(shown("\"\\u00e9bc\"", 2), "bc\"");
        assert_eq!(shown("'''\nab\nc'''", 3), "c'''");
        assert_eq!(shown("\"\"\"\r\nab\"\"\"", 1), "b\"\"\"");
        assert_eq!(shown("\"\"\"a\\\n   b\"\"\"", 1), "\\\n   b\"\"\"");
        assert_eq!(shown("\"\"\"a\\\n   bc\"\"\"", 2), "c\"\"\"");
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(Lines::of("ä = 1\nöö x").place("ä = 1\nöö ".len()), Place { line: 2, column: 4 });
        assert_eq!(Lines::of("").place(0), Place { line: 1, column: 1 });
        assert_eq!(Lines::of("a\n").place(2), Place { line: 2, column: 1 });
        assert_eq!(Lines::of("a\nb").place(1), Place { line: 1, column: 2 });
    }
}
