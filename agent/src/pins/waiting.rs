//! What guards saw of definitions and no resident has taken: it counts as known although nobody has pinned
//! it yet. Reads the user's own segments and changes none.

use crate::resident::sweep;
use contract::record::{Definition, Record, What};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use platform::account;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Of the newest segments; a guard does not start slowly because there was no resident for a month.
const LARGEST: u64 = 32 * 1024 * 1024;
/// What is read at once.
const CHUNK: usize = 256 * 1024;
/// As it stands in the line of a record about a definition.
const KIND: &str = "\"kind\":\"definition\"";

/// In the order in which it was seen; of one server where it is named.
pub fn of_server(segments: &Path, server: Option<&str>) -> Vec<(Record, Definition)> {
    let mut left = LARGEST;
    let mut found = Vec::new();
    for path in sweep::segments(segments).into_iter().rev() {
        let read = read(&path, left, |line| found.extend(definition(line, server)));
        left = left.saturating_sub(read.unwrap_or(0));
    }
    found.sort_by_key(|(record, _)| (record.time_ms, record.seq));
    found
}

/// Empty ones are the rule: where a resident runs, it has taken everything. Gives how much was read.
fn read(path: &PathBuf, most: u64, about_one: impl FnMut(&str)) -> Option<u64> {
    let about = path.symlink_metadata().ok()?;
    if !about.is_file() || about.len() == 0 || about.len() > most {
        return None;
    }
    let file = File::open(path).ok()?;
    if account::owner_of(&file).ok()? != account::own_name() {
        return None;
    }
    // What cannot be read any further ends there.
    let _ = lines_about_definitions(file.take(most), about_one);
    Some(about.len())
}

/// Every whole line that may be about a definition, in few bytes of memory: all the others are looked past. A
/// line without its end is being written, or was left by a guard that was killed there.
fn lines_about_definitions(mut text: impl Read, mut about_one: impl FnMut(&str)) -> io::Result<()> {
    let kind = Finder::new(KIND);
    let mut buffer = vec![0; CHUNK];
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            buffer.resize(2 * filled, 0);
        }
        let read = match text.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        filled += read;
        let Some(last) = memrchr(b'\n', &buffer[filled - read..filled]) else { continue };
        let whole = filled - read + last + 1;
        let mut from = 0;
        while let Some(found) = kind.find(&buffer[from..whole]) {
            let start = memrchr(b'\n', &buffer[..from + found]).map_or(0, |end| end + 1);
            let end = memchr(b'\n', &buffer[from + found..whole]).map_or(whole, |end| from + found + end);
            if let Ok(line) = str::from_utf8(&buffer[start..end]) {
                about_one(line);
            }
            from = end;
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

fn definition(line: &str, server: Option<&str>) -> Option<(Record, Definition)> {
    let record: Record = serde_json::from_str(line).ok()?;
    if server.is_some_and(|server| server != record.server.identity) || record.check_bounds().is_err() {
        return None;
    }
    match &record.what {
        What::Definition(definition) => {
            let definition = definition.as_ref().clone();
            Some((record, definition))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(into.len());
            self.0.read(&mut into[..most])
        }
    }

    #[test]
    fn whole_lines_about_definitions_are_found_wherever_a_read_ends() {
        let long = format!("{{\"kind\":\"definition\",\"x\":\"{}\"}}", "y".repeat(3 * CHUNK));
        let text = format!(
            "{{\"kind\":\"definition\",\"n\":1}}\n{{\"kind\":\"call\"}}\n\n{{\"n\":2,\"kind\":\"definition\"}}\n\
             {long}\n{{\"kind\":\"definition\",\"n\":3}}\n{{\"kind\":\"definition\",\"half"
        );
        for at_once in [1_usize << 20, 4096, 1000] {
            let mut found = Vec::new();
            lines_about_definitions(Slow(text.as_bytes(), at_once), |line| found.push(line.to_owned()))
                .unwrap();
            let expected = [
                "{\"kind\":\"definition\",\"n\":1}",
                "{\"n\":2,\"kind\":\"definition\"}",
                &long,
                "{\"kind\":\"definition\",\"n\":3}",
            ];
            assert_eq!(found, expected, "{at_once} bytes at once");
        }
    }
}
