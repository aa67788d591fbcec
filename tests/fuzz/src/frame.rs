//! The framing of stdio: the same lines, whatever the chunks, and never more than the limit in memory.

use mcp::{Line, Splitter};

/// The first byte chooses the limit, the second how long the chunks are.
pub fn run(data: &[u8]) {
    let [limit, chunk, input @ ..] = data else { return };
    let (limit, chunk) = (usize::from(*limit) + 1, usize::from(*chunk) + 1);
    let mut splitter = Splitter::new(limit);
    let mut lines = Vec::new();
    for piece in input.chunks(chunk) {
        splitter.feed(piece);
        while let Some(line) = splitter.next_line() {
            lines.push(line);
        }
    }
    assert_eq!(lines, expected(limit, input));
    if let Some(rest) = splitter.finish() {
        let last = input.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        assert!(
            last.starts_with(&rest[..rest.len().min(limit)]),
            "half a line is the beginning of what came"
        );
    }
}

/// From the whole input at once.
fn expected(limit: usize, input: &[u8]) -> Vec<Line> {
    let mut parts: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    parts.pop();
    let line = |part: &[u8]| {
        if part.len() > limit {
            let ends = mcp::frame::END_BYTES.min(part.len());
            let (head, tail) = (part[..ends].to_vec(), part[part.len() - ends..].to_vec());
            return Some(Line::Oversize { head, tail, bytes: part.len() });
        }
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        (!part.trim_ascii().is_empty()).then(|| Line::Whole(part.to_vec()))
    };
    parts.into_iter().filter_map(line).collect()
}
