//! Newline framing of the stdio transport (MCP, "Transports: stdio"): bytes in, lines out, bounded.

use crate::message::Message;
use std::collections::VecDeque;

/// The longest message taken, in bytes, in either direction.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// How much of either end of a line that is too long is kept, to find an id in.
pub const END_BYTES: usize = 1024;

/// One line of the peer's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole line without its newline (a trailing CR stays off too). Never blank.
    Whole(Vec<u8>),
    /// A line longer than the limit, dropped but for its first and last kilobyte, to find an id in: some
    /// peers write it first, some last.
    Oversize { head: Vec<u8>, tail: Vec<u8>, bytes: usize },
    /// A message that was read already: over HTTP each comes framed, and whoever took it had to look at it.
    Read(Box<Message>),
}

impl Line {
    /// The message in it; where there is none, the line.
    ///
    /// # Errors
    /// See [`Message::parse`], or it was too long.
    pub fn message(self) -> Result<Message, Self> {
        match self {
            Self::Read(message) => Ok(*message),
            Self::Whole(bytes) => Message::parse_or_return(bytes).map_err(|(_, bytes)| Self::Whole(bytes)),
            Self::Oversize { .. } => Err(self),
        }
    }
}

/// Splits on 0x0A only: other line separators may stand raw inside JSON strings. Memory is bounded
/// by the limit and the chunk that was fed, whatever the peer sends.
pub struct Splitter {
    max_bytes: usize,
    /// The line that has no newline yet; no more than its head once it is too long.
    partial: Vec<u8>,
    /// The last bytes of a line that is too long.
    tail: Vec<u8>,
    /// How long the unfinished line really is.
    length: usize,
    ready: VecDeque<Line>,
}

impl Splitter {
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, partial: Vec::new(), tail: Vec::new(), length: 0, ready: VecDeque::new() }
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
        let was_too_long = self.length > self.max_bytes;
        self.length += bytes.len();
        if self.length <= self.max_bytes {
            self.partial.extend_from_slice(bytes);
            return;
        }
        if !was_too_long {
            self.tail = last(&self.partial).to_vec();
        }
        let bytes_tail = last(bytes);
        let kept = self.tail.len().min(END_BYTES - bytes_tail.len());
        self.tail.drain(..self.tail.len() - kept);
        self.tail.extend_from_slice(bytes_tail);
        self.partial.truncate(END_BYTES);
        let room = END_BYTES - self.partial.len();
        self.partial.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.partial.shrink_to(END_BYTES);
    }

    fn complete(&mut self) {
        let mut line = std::mem::take(&mut self.partial);
        let bytes = std::mem::take(&mut self.length);
        if bytes > self.max_bytes {
            let tail = std::mem::take(&mut self.tail);
            self.ready.push_back(Line::Oversize { head: line, tail, bytes });
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

fn last(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(END_BYTES)..]
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
        let oversize = Line::Oversize { head: b"12345".to_vec(), tail: b"12345".to_vec(), bytes: 5 };
        assert_eq!(got, [Line::Whole(b"1234".to_vec()), oversize, Line::Whole(b"12".to_vec())]);
    }

    #[test]
    fn an_endless_line_holds_no_more_than_its_ends() {
        let mut splitter = Splitter::new(1 << 20);
        for _ in 0..100 {
            splitter.feed(&vec![b'x'; 65536]);
        }
        assert!(splitter.tail.capacity() <= 4 * END_BYTES, "{}", splitter.tail.capacity());
        assert!(splitter.partial.capacity() <= 2 * END_BYTES, "{}", splitter.partial.capacity());
        splitter.feed(b"\n{}\n");
        assert_eq!(
            splitter.next_line(),
            Some(Line::Oversize {
                head: vec![b'x'; END_BYTES],
                tail: vec![b'x'; END_BYTES],
                bytes: 100 * 65536
            })
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
                    let head = part[..part.len().min(END_BYTES)].to_vec();
                    let tail = last(part).to_vec();
                    return Some(Line::Oversize { head, tail, bytes: part.len() });
                }
                let part = part.strip_suffix(b"\r").unwrap_or(part);
                (!part.trim_ascii().is_empty()).then(|| Line::Whole(part.to_vec()))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            chunks in prop::collection::vec("[a-f \r\n]{0,40}|(abc){500}", 0..12),
            max_bytes in 1usize..60,
        ) {
            let whole = chunks.concat();
            let chunks: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            let (got, _) = lines(max_bytes, &chunks);
            prop_assert_eq!(got, oracle(max_bytes, whole.as_bytes()));
        }
    }
}
