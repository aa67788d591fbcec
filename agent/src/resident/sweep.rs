//! Takes over what dead guards left behind. A segment that can be locked is a dead guard's; it goes
//! when its records are in the device's log, and not before.

use crate::audit::spool::{Keeper, ranges};
use crate::pins::Pins;
use crate::upstream::now_ms;
use contract::record::{Record, What};
use contract::report::{Finding, Severity};
use platform::{Layout, account};
use policy::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use uuid::Uuid;

const EVERY: Duration = Duration::from_secs(5);
/// A segment that was touched so recently may belong to a guard that has made it and not locked it yet.
const FRESH: Duration = Duration::from_secs(2);
/// A guard cuts its segment long before this.
const LARGEST: u64 = 256 * 1024 * 1024;
/// Records of a segment whose memory is worth giving back.
const MANY: usize = 1000;

/// Never ends; the resident drops it.
pub(super) async fn run(layout: Layout, keeper: Keeper, guard_left: Arc<Notify>) {
    let pins = Pins::of(&layout);
    loop {
        for path in segments(&layout.guard_spool) {
            match sweep(&path, &keeper, Some(&pins), FRESH).await {
                // Read, they take many times what they take on disk.
                Ok(records) if records >= MANY => platform::memory::give_back(),
                Ok(_) => {}
                Err(error) => tracing::warn!(segment = %path.display(), %error, "segment.sweep"),
            }
        }
        if tokio::time::timeout(EVERY, guard_left.notified()).await.is_ok() {
            tokio::time::sleep(FRESH).await;
        }
    }
}

/// Takes one segment over for the last time, however fresh it is; what cannot be taken stays on disk.
pub async fn take(path: &Path, keeper: &Keeper) {
    if let Err(error) = sweep(path, keeper, None, Duration::ZERO).await {
        tracing::warn!(segment = %path.display(), %error, "segment.sweep");
    }
}

#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Spool(#[from] Arc<crate::audit::spool::SpoolError>),
}

/// Takes one segment over, if its guard is dead; how many records it had.
async fn sweep(
    path: &Path,
    keeper: &Keeper,
    pins: Option<&Pins>,
    fresh: Duration,
) -> Result<usize, SweepError> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let touched = file.metadata()?.modified()?;
    if SystemTime::now().duration_since(touched).is_ok_and(|age| age < fresh) || file.try_lock().is_err() {
        return Ok(0);
    }
    let found = read(&file)?;
    let records = found.records.len();
    let run = path.file_stem().and_then(|name| Uuid::parse_str(name.to_str()?).ok());
    if records > 0 {
        let gap = run.and_then(|run| Gap::of(run, &found.records));
        let taken = keeper.append(found.records.clone()).await?;
        if let Some(pins) = pins {
            pins.follow(&found.records);
        }
        if let Some(finding) = gap.and_then(|gap| gap.finding(&taken.taken)) {
            tracing::error!(detail = finding.detail, "segment.gap");
            keeper.note(finding).await.map_err(Arc::new)?;
        }
    }
    if let Some(run) = run {
        keeper.close_run(run).await.map_err(Arc::new)?;
    }
    if found.unreadable > 0 {
        // Evidence, and nothing that the next sweep could do better.
        std::fs::rename(path, path.with_extension("jsonl.damaged"))?;
        tracing::error!(segment = %path.display(), lines = found.unreadable, "segment.damaged");
    } else {
        std::fs::remove_file(path)?;
    }
    tracing::info!(segment = %path.display(), records, torn = found.torn, "segment.taken");
    Ok(records)
}

/// The numbers a dead guard left; a guard gives each once, and leaves out none.
struct Gap {
    run: Uuid,
    seqs: BTreeSet<u64>,
    entry: String,
    server: String,
}

impl Gap {
    fn of(run: Uuid, records: &[Record]) -> Option<Self> {
        let last = records.iter().rfind(|record| record.run == run)?;
        let seqs = records.iter().filter(|record| record.run == run).map(|record| record.seq).collect();
        Some(Self { run, seqs, entry: last.server.entry.clone(), server: last.server.identity.clone() })
    }

    /// What is missing behind the stretch that the log has whole.
    fn finding(&self, taken: &BTreeMap<Uuid, u64>) -> Option<Finding> {
        let mut before = taken.get(&self.run).copied().unwrap_or(0);
        let mut missing = Vec::new();
        for seq in self.seqs.range(before.saturating_add(1)..) {
            if *seq > before + 1 {
                missing.push((before + 1, seq - 1));
            }
            before = *seq;
        }
        let Self { run, entry, server, .. } = self;
        (!missing.is_empty()).then(|| Finding {
            code: "record-gap".to_owned(),
            severity: Severity::Critical,
            subject: format!("run/{run}"),
            detail: format!(
                "records are missing from what a guard left behind: numbers {} of run {run} (entry {entry:?}, \
                 server {server}); somebody took them out of the guard's file",
                ranges(&missing)
            ),
            healed: false,
            since_ms: now_ms(),
        })
    }
}

/// A plain file only: a pipe in its place would hold us up, and what a link leads to is not ours to remove.
fn open(path: &Path) -> std::io::Result<File> {
    if !path.symlink_metadata()?.is_file() {
        return Err(std::io::Error::other("it is no plain file"));
    }
    File::open(path)
}

#[derive(Debug, Default)]
struct Found {
    records: Vec<Record>,
    /// The last line has no end: its guard died while writing it, so nothing left on its word.
    torn: bool,
    /// Whole lines that are no records.
    unreadable: usize,
}

fn read(file: &File) -> std::io::Result<Found> {
    // The system's word, not the file's: its owner can write anything into it.
    let owner = account::owner_of(file)?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut found = Found { torn: whole < bytes.len(), ..Found::default() };
    for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Record>(line) {
            Ok(record) if record.check_bounds().is_ok() => {
                found.records.push(Record { os_user: owner.clone(), ..record });
            }
            Ok(_) | Err(_) => found.unreadable += 1,
        }
    }
    Ok(found)
}

/// The segments in a guards' folder; none where there is no folder.
#[must_use]
pub fn segments(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    found.sort();
    found
}

/// Everything that stands in segments, of living and dead guards, without touching them.
#[must_use]
pub fn waiting(folder: &Path) -> Vec<Record> {
    let read_one = |path: PathBuf| read(&open(&path).ok()?).ok();
    segments(folder).into_iter().filter_map(read_one).flat_map(|found| found.records).collect()
}

/// The newest refusals of both, each once.
#[must_use]
pub fn latest_refusals(waiting: Vec<Record>, recorded: Vec<Record>, limit: usize) -> Vec<Record> {
    let refused = |record: &Record| {
        matches!(record.what, What::Call { decision: Outcome::Refused | Outcome::WouldRefuse, .. })
    };
    let mut all: Vec<Record> = recorded;
    for record in waiting {
        if refused(&record) && all.iter().all(|known| known.id != record.id) {
            all.push(record);
        }
    }
    all.sort_by_key(|record| std::cmp::Reverse((record.time_ms, record.id)));
    all.truncate(limit);
    all
}

#[cfg(test)]
mod tests;
