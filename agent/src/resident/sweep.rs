//! Takes over what dead guards left behind. A segment that can be locked is a dead guard's; it goes
//! when its records are in the device's log, and not before.

use crate::audit::spool::{Keeper, ranges};
use crate::pins::Pins;
use crate::upstream::now_ms;
use contract::record::{Record, What};
use contract::report::{Finding, Severity};
use platform::{Layout, account};
use policy::Outcome;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Take};
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
/// So many records are read and handed over at once: in memory they take many times what they take on disk.
const SLICE: usize = 2000;

/// Never ends; the resident drops it.
pub(super) async fn run(layout: Layout, keeper: Keeper, guard_left: Arc<Notify>) {
    let pins = Pins::of(&layout);
    loop {
        for path in segments(&layout.guard_spool) {
            match sweep(&path, &keeper, Some(&pins), FRESH).await {
                Ok(records) if records >= SLICE => platform::memory::give_back(),
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
    let mut left = Left::in_segment(&file)?;
    let run = path.file_stem().and_then(|name| Uuid::parse_str(name.to_str()?).ok());
    let mut gap = run.map(Gap::of);
    let mut records = 0;
    loop {
        let slice = left.slice()?;
        if slice.is_empty() {
            break;
        }
        records += slice.len();
        if let Some(gap) = &mut gap {
            gap.count(&slice);
        }
        let definitions = pins.map(|_| definitions(&slice));
        let taken = keeper.append(slice).await?;
        if let Some((pins, definitions)) = pins.zip(definitions) {
            pins.follow(&definitions);
        }
        if let Some(gap) = &mut gap {
            gap.taken = taken.taken.get(&gap.run).copied().unwrap_or(gap.taken);
        }
    }
    if let Some(finding) = gap.and_then(Gap::finding) {
        tracing::error!(detail = finding.detail, "segment.gap");
        keeper.note(finding).await.map_err(Arc::new)?;
    }
    if let Some(run) = run {
        keeper.close_run(run).await.map_err(Arc::new)?;
    }
    if left.unreadable > 0 {
        // Evidence, and nothing that the next sweep could do better.
        std::fs::rename(path, path.with_extension("jsonl.damaged"))?;
        tracing::error!(segment = %path.display(), lines = left.unreadable, "segment.damaged");
    } else {
        std::fs::remove_file(path)?;
    }
    tracing::info!(segment = %path.display(), records, torn = left.torn, "segment.taken");
    Ok(records)
}

/// The numbers a dead guard left; a guard gives each once, and leaves out none.
struct Gap {
    run: Uuid,
    seqs: BTreeSet<u64>,
    /// The end of the stretch that the log has whole.
    taken: u64,
    entry: String,
    server: String,
}

impl Gap {
    fn of(run: Uuid) -> Self {
        Self { run, seqs: BTreeSet::new(), taken: 0, entry: String::new(), server: String::new() }
    }

    fn count(&mut self, records: &[Record]) {
        for record in records.iter().filter(|record| record.run == self.run) {
            self.seqs.insert(record.seq);
            self.entry.clone_from(&record.server.entry);
            self.server.clone_from(&record.server.identity);
        }
    }

    /// What is missing behind that stretch.
    fn finding(self) -> Option<Finding> {
        let mut before = self.taken;
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

/// What a guard left in its segment.
struct Left<'f> {
    lines: BufReader<Take<&'f File>>,
    owner: String,
    /// The last line has no end: its guard died while writing it, so nothing left on its word.
    torn: bool,
    /// Whole lines that are no records.
    unreadable: usize,
}

impl<'f> Left<'f> {
    fn in_segment(file: &'f File) -> std::io::Result<Self> {
        // The system's word, not the file's: its owner can write anything into it.
        let owner = account::owner_of(file)?;
        Ok(Self { lines: BufReader::new(file.take(LARGEST)), owner, torn: false, unreadable: 0 })
    }

    /// The next records; none at the end.
    fn slice(&mut self) -> std::io::Result<Vec<Record>> {
        let (mut slice, mut line) = (Vec::new(), Vec::new());
        while slice.len() < SLICE && self.lines.read_until(b'\n', &mut line)? > 0 {
            match line.strip_suffix(b"\n") {
                None => self.torn = true,
                Some(b"") => {}
                Some(whole) => match serde_json::from_slice::<Record>(whole) {
                    Ok(record) if record.check_bounds().is_ok() => {
                        slice.push(Record { os_user: self.owner.clone(), ..record });
                    }
                    Ok(_) | Err(_) => self.unreadable += 1,
                },
            }
            line.clear();
        }
        Ok(slice)
    }
}

fn definitions(records: &[Record]) -> Vec<Record> {
    let about = |record: &&Record| matches!(record.what, What::Definition(_));
    records.iter().filter(about).cloned().collect()
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
    segments(folder).iter().flat_map(|path| standing_in(path)).collect()
}

/// The same of one segment.
#[must_use]
pub fn standing_in(segment: &Path) -> Vec<Record> {
    let mut standing = Vec::new();
    let Ok(file) = open(segment) else { return standing };
    let Ok(mut left) = Left::in_segment(&file) else { return standing };
    while let Ok(slice) = left.slice()
        && !slice.is_empty()
    {
        standing.extend(slice);
    }
    standing
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
