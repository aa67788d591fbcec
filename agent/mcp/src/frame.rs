//! Newline framing of the stdio transport (MCP, "Transports: stdio"): bytes in, lines out, bounded.

/// The longest message taken, in bytes, in either direction.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// One line of the peer's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole line without its newline (a trailing CR stays off too). Never blank.
    Whole(Vec<u8>),
    /// A line longer than the limit, dropped; `head` is its first kilobyte, to find an id in.
    Oversize { head: Vec<u8>, bytes: usize },
}

/// Splits on 0x0A only. Memory is bounded by the limit, whatever the peer sends.
pub struct Splitter {}

impl Splitter {
    #[must_use]
    pub fn new(_max_bytes: usize) -> Self {
        todo!()
    }

    pub fn feed(&mut self, _chunk: &[u8]) {
        todo!()
    }

    /// The next line that is complete.
    pub fn next_line(&mut self) -> Option<Line> {
        todo!()
    }

    /// At end of input: what was left without a newline, if anything (half a line).
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        todo!()
    }
}
