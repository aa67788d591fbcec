//! What we wrote where, so that it can be taken back: one line before each change, one after it.
//!
//! Lines hold entries with their tokens, so the file is its owner's only; it is never logged.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::files::{private_folder, read_bounded, replace_private};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::disk::Disk;
use super::{StewardError, claude_lock};
use crate::clients::Place;

/// A journal above this size is written anew with what is still in force.
const COMPACT_ABOVE: usize = 1024 * 1024;
const LARGEST: u64 = 1024 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The developer's entry with our guard in front.
    Wrapped,
    /// An entry of ours in front of the team's of the same name.
    Shadow,
    /// Nothing of ours any more.
    Gone,
}

/// One entry of ours.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    pub name: String,
    pub kind: Kind,
    /// The entry's text before us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// The entry's text as we wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The project had no list of servers before us.
    #[serde(default)]
    pub made_list: bool,
}

impl Kept {
    pub fn place(&self) -> Place {
        Place { project: self.project.clone(), name: self.name.clone() }
    }
}

/// One change of one file.
#[derive(Clone, Serialize, Deserialize)]
pub struct Change {
    pub id: Uuid,
    pub file: PathBuf,
    /// Digests of the whole file.
    pub before: String,
    pub after: String,
    /// The file without anything of ours, kept in `originals/`; none where it was not seen so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Where the new text is written before it takes the file's place.
    pub beside: PathBuf,
    pub entries: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
enum Line {
    Begin(Change),
    Done { id: Uuid },
    Abandoned { id: Uuid },
}

/// What is ours in one file.
#[derive(Clone, Default)]
pub struct FileMemory {
    pub entries: BTreeMap<Place, Kept>,
    /// Digest of the file as we last wrote it.
    pub after: Option<String>,
    pub base: Option<String>,
}

impl FileMemory {
    pub fn take_over(&mut self, entries: &[Kept]) {
        for kept in entries {
            match kept.kind {
                Kind::Gone => drop(self.entries.remove(&kept.place())),
                Kind::Wrapped | Kind::Shadow => drop(self.entries.insert(kept.place(), kept.clone())),
            }
        }
    }

    fn note(&mut self, change: &Change) {
        self.take_over(&change.entries);
        self.after = Some(change.after.clone());
        self.base.clone_from(&change.base);
    }

    pub fn is_shadow(&self, place: &Place) -> bool {
        self.entries.get(place).is_some_and(|kept| kept.kind == Kind::Shadow)
    }

    pub fn digests(bytes: &[u8]) -> String {
        format!("{:x}", Sha256::digest(bytes))
    }
}

/// The journal's folder and what it says.
pub struct Journal {
    folder: PathBuf,
    files: HashMap<PathBuf, FileMemory>,
    unfinished: Vec<Change>,
    size: usize,
    torn: bool,
    /// Held while we change anything; released when dropped.
    lock: Option<File>,
}

impl Journal {
    /// To look only: nothing is mended.
    ///
    /// # Errors
    /// The journal is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Self, StewardError> {
        let mut journal = Self {
            folder: folder.to_owned(),
            files: HashMap::new(),
            unfinished: Vec::new(),
            size: 0,
            torn: false,
            lock: None,
        };
        let path = journal.path();
        match read_bounded(&path, LARGEST) {
            Ok(bytes) => journal.replay(&bytes),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(StewardError::state(&path, io::Error::other(error))),
        }
        Ok(journal)
    }

    /// To change things: alone, and with every change that a crash left half done settled.
    ///
    /// # Errors
    /// The steward's folder cannot be used.
    pub fn open(folder: &Path, stale_lock: Duration, disk: &dyn Disk) -> Result<Self, StewardError> {
        for needed in [folder, &folder.join("originals")] {
            private_folder(needed).map_err(|error| StewardError::state(needed, io::Error::other(error)))?;
        }
        let lock_path = folder.join("lock");
        let lock = File::options().create(true).append(true).open(&lock_path);
        let lock = lock.and_then(|file| file.lock().map(|()| file));
        let lock = lock.map_err(|error| StewardError::state(&lock_path, error))?;
        mend(&folder.join("journal.jsonl"))?;
        let mut journal = Self { lock: Some(lock), ..Self::read(folder)? };
        journal.settle(stale_lock, disk)?;
        journal.compact()?;
        Ok(journal)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("journal.jsonl")
    }

    fn original(&self, digest: &str) -> PathBuf {
        self.folder.join("originals").join(digest)
    }

    fn replay(&mut self, bytes: &[u8]) {
        self.size = bytes.len();
        self.torn = bytes.last().is_some_and(|last| *last != b'\n');
        let mut open: Vec<(Change, FileMemory)> = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Begin(change)) => {
                    let memory = self.files.entry(change.file.clone()).or_default();
                    open.push((change.clone(), memory.clone()));
                    memory.note(&change);
                }
                Ok(Line::Done { id }) => open.retain(|(change, _)| change.id != id),
                Ok(Line::Abandoned { id }) => {
                    if let Some(at) = open.iter().position(|(change, _)| change.id == id) {
                        let (change, memory) = open.remove(at);
                        self.files.insert(change.file, memory);
                    }
                }
                // A line that a crash cut off was never acted upon.
                Err(error) => tracing::warn!(%error, "a line of the steward's journal is skipped"),
            }
        }
        self.unfinished = open.into_iter().map(|(change, _)| change).collect();
    }

    /// Finishes or undoes what a crash left between the lines.
    fn settle(&mut self, stale_lock: Duration, disk: &dyn Disk) -> Result<(), StewardError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        for change in std::mem::take(&mut self.unfinished) {
            let _ = disk.remove_file(&change.beside);
            claude_lock::clear_left_behind(&change.file, stale_lock, disk);
            let current = crate::clients::read_bytes(&change.file).ok().flatten();
            let untouched = current.is_some_and(|bytes| FileMemory::digests(&bytes) == change.before);
            let line =
                if untouched { Line::Abandoned { id: change.id } } else { Line::Done { id: change.id } };
            self.append(&line, disk)?;
        }
        let lock = self.lock.take();
        *self = Self { lock, ..Self::read(&self.folder)? };
        Ok(())
    }

    fn append(&mut self, line: &Line, disk: &dyn Disk) -> Result<(), StewardError> {
        let path = self.path();
        let state = |error| StewardError::state(&path, error);
        let mut bytes = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut bytes, line).map_err(|error| state(error.into()))?;
        bytes.push(b'\n');
        // Where it fails, on a full disk, half of the line may stand there.
        self.torn = true;
        disk.append(&path, &bytes).map_err(state)?;
        self.torn = false;
        self.size += bytes.len();
        Ok(())
    }

    /// What is ours in this file.
    pub fn of_file(&self, file: &Path) -> FileMemory {
        self.files.get(file).cloned().unwrap_or_default()
    }

    pub fn files(&self) -> impl Iterator<Item = (&PathBuf, &FileMemory)> {
        self.files.iter()
    }

    /// The kept bytes of a file before us, if they are still what they were.
    pub fn base_bytes(&self, digest: &str) -> Option<Vec<u8>> {
        let bytes = read_bounded(&self.original(digest), LARGEST).ok()?;
        (FileMemory::digests(&bytes) == digest).then_some(bytes)
    }

    /// Says what is about to be done; `clean` are the file's bytes where nothing of ours is in them.
    ///
    /// # Errors
    /// It could not be written: the change must not be made.
    pub fn begin(
        &mut self,
        change: &Change,
        clean: Option<&[u8]>,
        disk: &dyn Disk,
    ) -> Result<(), StewardError> {
        if let (Some(bytes), Some(digest)) = (clean, &change.base) {
            let path = self.original(digest);
            if !path.exists() {
                disk.keep(&path, bytes).map_err(|error| StewardError::state(&path, error))?;
            }
        }
        self.append(&Line::Begin(change.clone()), disk)
    }

    /// # Errors
    /// It could not be written; the next start settles it.
    pub fn done(&mut self, change: &Change, disk: &dyn Disk) -> Result<(), StewardError> {
        self.append(&Line::Done { id: change.id }, disk)?;
        self.files.entry(change.file.clone()).or_default().note(change);
        self.forget_originals(disk);
        Ok(())
    }

    /// # Errors
    /// As [`Self::done`].
    pub fn abandon(&mut self, change: &Change, disk: &dyn Disk) -> Result<(), StewardError> {
        let _ = disk.remove_file(&change.beside);
        self.append(&Line::Abandoned { id: change.id }, disk)
    }

    /// With nothing of ours left anywhere, its lines are only old secrets.
    ///
    /// # Errors
    /// It could not be written.
    pub fn forget_if_empty(&mut self, disk: &dyn Disk) -> Result<(), StewardError> {
        if self.size == 0 || self.files.values().any(|memory| !memory.entries.is_empty()) {
            return Ok(());
        }
        let path = self.path();
        disk.keep(&path, b"").map_err(|error| StewardError::state(&path, error))?;
        (self.size, self.torn) = (0, false);
        self.files.clear();
        self.forget_originals(disk);
        Ok(())
    }

    /// Originals hold secrets: only those that a restore could still give back stay.
    fn forget_originals(&self, disk: &dyn Disk) {
        let needed: Vec<&String> = self.files.values().filter_map(|memory| memory.base.as_ref()).collect();
        let Ok(found) = std::fs::read_dir(self.folder.join("originals")) else {
            return;
        };
        for entry in found.filter_map(Result::ok) {
            let name = entry.file_name();
            if !needed.iter().any(|digest| name == digest.as_str()) {
                let _ = disk.remove_file(&entry.path());
            }
        }
    }

    /// Writes the journal anew where it has grown far beyond what is in force.
    fn compact(&mut self) -> Result<(), StewardError> {
        if self.size < COMPACT_ABOVE {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for (file, memory) in &self.files {
            let id = Uuid::now_v7();
            let digest = memory.after.clone().unwrap_or_default();
            let change = Change {
                id,
                file: file.clone(),
                before: digest.clone(),
                after: digest,
                base: memory.base.clone(),
                beside: PathBuf::new(),
                entries: memory.entries.values().cloned().collect(),
            };
            for line in [Line::Begin(change), Line::Done { id }] {
                serde_json::to_writer(&mut bytes, &line)
                    .map_err(|error| StewardError::state(&self.path(), error.into()))?;
                bytes.push(b'\n');
            }
        }
        if bytes.len() < self.size / 2 {
            let path = self.path();
            replace_private(&path, &bytes)
                .map_err(|error| StewardError::state(&path, io::Error::other(error)))?;
            self.size = bytes.len();
        }
        Ok(())
    }
}

/// Takes out what a crash or a full disk left half written: it was never acted upon.
fn mend(path: &Path) -> Result<(), StewardError> {
    let state = |error| StewardError::state(path, error);
    let bytes = match read_bounded(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(state(io::Error::other(error))),
    };
    let whole: Vec<&[u8]> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n") && serde_json::from_slice::<IgnoredAny>(line).is_ok())
        .collect();
    let kept: usize = whole.iter().map(|line| line.len()).sum();
    if kept == bytes.len() {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), bytes = bytes.len() - kept, "steward.journal_mended");
    if bytes.starts_with(&whole.concat()) {
        // Shortening needs no room on the disk that may be full.
        let shorten = File::options().write(true).open(path).and_then(|file| {
            file.set_len(kept as u64)?;
            file.sync_all()
        });
        return shorten.map_err(state);
    }
    replace_private(path, &whole.concat()).map_err(|error| state(io::Error::other(error)))
}
