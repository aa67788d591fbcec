//! Newline framing of the stdio transport (MCP, "Transports: stdio"): bytes in, lines out, bounded.

use std::collections::VecDeque;

/// The longest message taken, in bytes, in either direction.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// How much of a line that is too long is kept, to find an id in.
pub const HEAD_BYTES: usize = 1024;

/// One line of the peer's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole line without its newline (a trailing CR stays off too). Never blank.
    Whole(Vec<u8>),
    /// A line longer than the limit, dropped; `head` is its first kilobyte, to find an id in.
    Oversize { head: Vec<u8>, bytes: usize },
}

/// Splits on 0x0A only: other line separators may stand raw inside JSON strings. Memory is bounded
/// by the limit and the chunk that was fed, whatever the peer sends.
pub struct Splitter {
    max_bytes: usize,
    /// The line that has no newline yet; no more than its head once it is too long.
    partial: Vec<u8>,
    /// How long the unfinished line really is.
    length: usize,
    ready: VecDeque<Line>,
}

impl Splitter {
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, partial: Vec::new(), length: 0, ready: VecDeque::new() }
    }

    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.extend(&rest[..end]);
            self.complete();
            rest = &rest[end + 1..];
        }
        self.extend(rest);
    }

    /// The next line that is complete.
    pub fn next_line(&mut self) -> Option<Line> {
        self.ready.pop_front()
    }

    /// At end of input: what was left without a newline, if anything (half a line; of one too long, its head).
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        (!is_blank(&self.partial)).then_some(self.partial)
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if self.length <= self.max_bytes {
            self.partial.extend_from_slice(bytes);
            return;
        }
        self.partial.truncate(HEAD_BYTES);
        let room = HEAD_BYTES - self.partial.len();
        self.partial.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.partial.shrink_to(HEAD_BYTES);
    }

    fn complete(&mut self) {
        let mut line = std::mem::take(&mut self.partial);
        let bytes = std::mem::take(&mut self.length);
        if bytes > self.max_bytes {
            self.ready.push_back(Line::Oversize { head: line, bytes });
            return;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if !is_blank(&line) {
            self.ready.push_back(Line::Whole(line));
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(max_bytes: usize, chunks: &[&[u8]]) -> (Vec<Line>, Option<Vec<u8>>) {
        let mut splitter = Splitter::new(max_bytes);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.feed(chunk);
            while let Some(line) = splitter.next_line() {
                lines.push(line);
            }
        }
        (lines, splitter.finish())
    }

    #[test]
    fn only_a_newline_ends_a_line() {
        let (got, rest) = lines(100, &["a\u{2028}b\u{85}\u{2029}c\x0b\x0cd\re\n".as_bytes()]);
        assert_eq!(got, [Line::Whole("a\u{2028}b\u{85}\u{2029}c\x0b\x0cd\re".into())]);
        assert_eq!(rest, None);
    }

    #[test]
    fn blank_lines_and_carriage_returns_stay_out() {
        let (got, rest) = lines(100, &[b"\n\r\n \t\n{}\r\n\n", b"[]\r", b"\n", b"half"]);
        assert_eq!(got, [Line::Whole(b"{}".to_vec()), Line::Whole(b"[]".to_vec())]);
        assert_eq!(rest.as_deref(), Some(&b"half"[..]));
    }

    #[test]
    fn a_line_of_the_limit_passes_and_one_byte_more_does_not() {
        let (got, _) = lines(4, &[b"1234\n12345\n12\n"]);
        let oversize = Line::Oversize { head: b"12345".to_vec(), bytes: 5 };
        assert_eq!(got, [Line::Whole(b"1234".to_vec()), oversize, Line::Whole(b"12".to_vec())]);
    }

    #[test]
    fn an_endless_line_holds_no_more_than_its_head() {
        let mut splitter = Splitter::new(1 << 20);
        for _ in 0..100 {
            splitter.feed(&vec![b'x'; 65536]);
        }
        assert!(splitter.partial.capacity() <= 2 * HEAD_BYTES, "{}", splitter.partial.capacity());
        splitter.feed(b"\n{}\n");
        assert_eq!(
            splitter.next_line(),
            Some(Line::Oversize { head: vec![b'x'; HEAD_BYTES], bytes: 100 * 65536 })
        );
        assert_eq!(splitter.next_line(), Some(Line::Whole(b"{}".to_vec())));
    }

    /// What the splitter should say, from the whole input at once.
    fn oracle(max_bytes: usize, input: &[u8]) -> Vec<Line> {
        let mut parts: Vec<&[u8]> = input.split(|b| *b == b'\n').collect();
        parts.pop();
        parts
            .into_iter()
            .filter_map(|part| {
                if part.len() > max_bytes {
                    let head = part[..part.len().min(HEAD_BYTES)].to_vec();
                    return Some(Line::Oversize { head, bytes: part.len() });
                }
                let part = part.strip_suffix(b"\r").unwrap_or(part);
                (!part.trim_ascii().is_empty()).then(|| Line::Whole(part.to_vec()))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            chunks in prop::collection::vec("[a \r\n]{0,40}|a{1500}", 0..12),
            max_bytes in 1usize..60,
        ) {
            let whole = chunks.concat();
            let chunks: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            let (got, _) = lines(max_bytes, &chunks);
            prop_assert_eq!(got, oracle(max_bytes, whole.as_bytes()));
        }
    }
}
