//! What guards saw of definitions and no resident has taken: it counts as known although nobody has pinned
//! it yet. Reads the user's own segments and changes none.

use crate::resident::sweep;
use contract::record::{Definition, Record, What};
use platform::account;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Of the newest segments; a guard does not start slowly because there was no resident for a month.
const LARGEST: u64 = 32 * 1024 * 1024;
/// As it stands in the line of a record about a definition.
const KIND: &str = "\"kind\":\"definition\"";

/// In the order in which it was seen; of one server where it is named.
pub fn of_server(segments: &Path, server: Option<&str>) -> Vec<(Record, Definition)> {
    let mut left = LARGEST;
    let mut found = Vec::new();
    for path in sweep::segments(segments).into_iter().rev() {
        let Some(text) = read(&path, left) else { continue };
        left -= (text.len() as u64).min(left);
        found.extend(text.lines().filter_map(|line| definition(line, server)));
    }
    found.sort_by_key(|(record, _)| (record.time_ms, record.seq));
    found
}

/// Empty ones are the rule: where a resident runs, it has taken everything.
fn read(path: &PathBuf, most: u64) -> Option<String> {
    let about = path.symlink_metadata().ok()?;
    if !about.is_file() || about.len() == 0 || about.len() > most {
        return None;
    }
    let file = File::open(path).ok()?;
    if account::owner_of(&file).ok()? != account::own_name() {
        return None;
    }
    let mut text = String::new();
    file.take(most).read_to_string(&mut text).ok()?;
    // A line without its end is being written, or was left by a guard that was killed there.
    let whole = text.rfind('\n')?;
    text.truncate(whole);
    Some(text)
}

fn definition(line: &str, server: Option<&str>) -> Option<(Record, Definition)> {
    let record: Record = line.contains(KIND).then(|| serde_json::from_str(line).ok())??;
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
