//! One pass over a line that finds `id`, `method` and the tool's name, and trusts everything else.

/// Where the value of this key begins, at the first place that looks like it.
fn value<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(line, key)? + key.len();
    let rest = line.get(at..)?;
    let start = rest.iter().position(|byte| !matches!(byte, b' ' | b':'))?;
    rest.get(start..)
}

fn word<'a>(line: &'a [u8], key: &[u8]) -> &'a [u8] {
    let Some(value) = value(line, key) else { return b"" };
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let end = value.iter().position(|byte| matches!(byte, b'"' | b',' | b'}')).unwrap_or(value.len());
    value.get(..end).unwrap_or_default()
}

/// What a line is about.
pub struct Found<'a> {
    pub id: &'a [u8],
    pub method: &'a [u8],
    pub tool: &'a [u8],
}

pub fn scan(line: &[u8]) -> Found<'_> {
    Found { id: word(line, b"\"id\""), method: word(line, b"\"method\""), tool: word(line, b"\"name\"") }
}

/// Ends of the lines in `bytes`.
pub fn line_ends(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr::memchr_iter(b'\n', bytes)
}
