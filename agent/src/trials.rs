//! Trials on this machine: guards under a local policy file, without an organisation and without a resident.
//! What each of them was judged by, and what it has on record.
//!
//! The guard leaves a note of itself when it starts; everything else is read from its record. Only the last
//! few trials are kept, and nothing of them leaves the machine.

use crate::active_policy::governed_by;
use crate::audit::segment::{Segment, Unkept, keep_newest};
use crate::resident::sweep;
use crate::upstream::now_ms;
use contract::record::{Record, What};
use platform::Layout;
use platform::files;
use policy::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// More than there are records of: a trial without a record leaves a note too.
const NOTES_KEPT: usize = 99;
const LARGEST_NOTE: u64 = 64 * 1024;

/// What a trial's guard says of itself. Small, and without arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The whole path of the document that judges it.
    pub policy: String,
    /// The name it was given; empty where it was given none.
    pub entry: String,
    pub identity: String,
    pub pid: u32,
    pub since_ms: i64,
}

/// One guard under a local policy file.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    pub entry: String,
    pub identity: String,
    /// Absent where that is not remembered any more.
    pub policy_file: Option<String>,
    /// The guard's, while it runs.
    pub pid: Option<u32>,
    pub since_ms: i64,
    pub last_record_ms: Option<i64>,
    /// Absent where nothing was recorded yet.
    pub record: Option<PathBuf>,
    /// What was decided, refused or not.
    pub decided: u64,
    pub refused: u64,
    /// In monitor mode.
    pub would_be_refused: u64,
}

impl Note {
    pub fn of_us(document: &Path, entry: &str, identity: &str) -> Self {
        let whole = std::path::absolute(document).unwrap_or_else(|_| document.to_owned());
        Self {
            policy: whole.to_string_lossy().into_owned(),
            entry: entry.to_owned(),
            identity: identity.to_owned(),
            pid: std::process::id(),
            since_ms: now_ms(),
        }
    }

    /// Leaves it for whoever asks later. A trial goes on without.
    pub fn leave(&self, layout: &Layout, run: Uuid) {
        let folder = notes(layout);
        keep_newest(&folder, NOTES_KEPT);
        let left = files::private_folder(&folder).map_err(io::Error::other).and_then(|()| {
            let text = serde_json::to_vec(self)?;
            files::replace_private(&folder.join(run.to_string()), &text).map_err(io::Error::other)
        });
        if let Err(error) = left {
            tracing::debug!(%error, "which document judges this trial is not remembered");
        }
    }

    /// That of the trial with this segment.
    pub fn beside(segment: &Path) -> Option<Self> {
        let folder = segment.parent()?.with_file_name(NOTES);
        read(&folder.join(segment.file_stem()?))
    }

    /// An id is given out again; nobody leaves a note before it has started.
    fn runs(&self) -> bool {
        let left = u64::try_from(self.since_ms / 1000).unwrap_or_default();
        platform::process::started(self.pid).is_some_and(|started| started <= left + 1)
    }
}

/// Not among the records: whoever reads those finds nothing else there.
const NOTES: &str = "trial-policies";

fn notes(layout: &Layout) -> PathBuf {
    layout.guard_spool.join(NOTES)
}

/// Where trials record.
pub fn records(layout: &Layout) -> PathBuf {
    layout.guard_spool.join("trial")
}

/// What is done in a trial by no guard goes into a record of its own there: nobody takes it over.
///
/// # Errors
/// See [`Unkept`].
pub fn record(layout: &Layout, done: &[Record]) -> Result<(), Unkept> {
    if done.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::new();
    for record in done {
        serde_json::to_writer(&mut lines, record).map_err(|error| Unkept::Shape(error.to_string()))?;
        lines.push(b'\n');
    }
    // Its name is no run's, so it is not among the oldest that give way to new ones.
    Segment::at(records(layout).join("approvals.jsonl")).append(&lines)
}

fn read(path: &Path) -> Option<Note> {
    serde_json::from_slice(&files::read_bounded(path, LARGEST_NOTE).ok()?).ok()
}

/// Every trial that is remembered, where this machine is in one: nobody governs it. Those that run come
/// first, then the newest.
pub fn all(layout: &Layout) -> Vec<Trial> {
    if governed_by(layout).is_some() {
        return Vec::new();
    }
    let mut segments: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in sweep::segments(&records(layout)) {
        if let Some(run) = path.file_stem() {
            segments.insert(run.to_string_lossy().into_owned(), path);
        }
    }
    let mut trials = Vec::new();
    for file in std::fs::read_dir(notes(layout)).into_iter().flatten().flatten() {
        let record = segments.remove(&*file.file_name().to_string_lossy());
        let Some(note) = read(&file.path()) else { continue };
        // One that ended without a record has nothing to tell.
        if record.is_some() || note.runs() {
            trials.push(Trial::of(Some(note), record));
        }
    }
    let nameless = segments.into_values().map(|record| Trial::of(None, Some(record)));
    // Not every record is a guard's: an approval stands in one of its own.
    trials.extend(nameless.filter(|trial| !trial.identity.is_empty()));
    trials.sort_by_key(|trial| std::cmp::Reverse((trial.pid.is_some(), trial.since_ms)));
    trials
}

impl Trial {
    fn of(note: Option<Note>, record: Option<PathBuf>) -> Self {
        let records = record.as_deref().map(sweep::standing_in).unwrap_or_default();
        let decided = |asked: Option<Outcome>| {
            let counts = |record: &&Record| match &record.what {
                What::Call { decision, .. } => asked.is_none_or(|asked| asked == *decision),
                _ => false,
            };
            records.iter().filter(counts).count() as u64
        };
        let (all, refused, would) =
            (decided(None), decided(Some(Outcome::Refused)), decided(Some(Outcome::WouldRefuse)));
        let begun = records.iter().find(|record| matches!(record.what, What::Started { .. }));
        let server = begun.map(|record| record.server.clone()).unwrap_or_default();
        let first_ms = records.first().map(|record| record.time_ms);
        let (entry, identity, policy_file, pid, since_ms) = match note {
            Some(note) => {
                let pid = note.runs().then_some(note.pid);
                (note.entry, note.identity, Some(note.policy), pid, note.since_ms)
            }
            None => (server.entry, server.identity, None, None, first_ms.unwrap_or_default()),
        };
        Self {
            entry,
            identity,
            policy_file,
            pid,
            since_ms,
            last_record_ms: records.last().map(|record| record.time_ms),
            record,
            decided: all,
            refused,
            would_be_refused: would,
        }
    }

    /// As a person calls it.
    pub fn name(&self) -> String {
        match self.entry.as_str() {
            "" => self.identity.clone(),
            entry => format!("{entry} ({})", self.identity),
        }
    }

    /// What it has on record, in words.
    pub fn counts(&self) -> String {
        let requests =
            if self.decided == 1 { "1 request".to_owned() } else { format!("{} requests", self.decided) };
        let would = match self.would_be_refused {
            0 => String::new(),
            count => format!(", {count} would be refused"),
        };
        format!("{requests} judged, {} refused{would}", self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(folder.path()).unwrap();
        (folder, layout)
    }

    #[test]
    fn a_trial_that_runs_is_known_before_anything_is_recorded() {
        let (_folder, layout) = machine();
        assert!(all(&layout).is_empty());
        Note::of_us(Path::new("/p.toml"), "files", "npm:files").leave(&layout, Uuid::now_v7());
        let gone = Note { pid: u32::MAX / 2, ..Note::of_us(Path::new("/p.toml"), "old", "npm:old") };
        gone.leave(&layout, Uuid::now_v7());
        let found = all(&layout);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].pid, found[0].name().as_str()), (Some(std::process::id()), "files (npm:files)"));
        assert_eq!(found[0].counts(), "0 requests judged, 0 refused");
    }

    #[test]
    fn a_machine_that_somebody_governs_is_in_no_trial() {
        let (_folder, layout) = machine();
        Note::of_us(Path::new("/p.toml"), "files", "npm:files").leave(&layout, Uuid::now_v7());
        layout.create().unwrap();
        std::fs::write(layout.identity(), "{}").unwrap();
        assert!(all(&layout).is_empty());
    }
}
