//! The guard's own stretch of the audit log: one file, one record a line, one `write(2)` for all that was
//! judged together. What was written here survives the guard; the resident takes it over, or sweeps it up
//! later.
//!
//! The file is locked for as long as its guard lives: a segment that can be locked is a dead guard's.

use platform::Layout;
use platform::files::{self, FileError};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tokio::sync::Notify;
use uuid::Uuid;

/// From here on, what was taken is cut off although more has come since, where that is little: it has to
/// be copied, and every call waits for that.
const COMPACT_BYTES: u64 = 4 * 1024 * 1024;
/// At the most so small a part of what is cut off.
const LITTLE: u64 = 4;

const TRIALS_KEPT: usize = 9;

/// Why a record could not be kept, in words for the developer.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    #[error("the disk that holds the audit log is full ({})", .0.display())]
    Full(PathBuf),
    #[error("this user may not write the audit log ({})", .0.display())]
    Forbidden(PathBuf),
    #[error("the audit log cannot be written ({}: {source})", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("a record could not be written as JSON ({0})")]
    Shape(String),
    #[error("the audit log's folder cannot be used: {0}")]
    Folder(#[from] FileError),
}

/// Records that were cut off, so that places in the file move down by this much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff(pub u64);

/// Shared between the recorder, which appends, and the link, which reads and cuts off.
pub struct Segment {
    path: PathBuf,
    file: RefCell<Option<Written>>,
    /// Something was appended.
    pub grown: Notify,
    /// Everything that was appended is taken.
    emptied: Notify,
}

struct Written {
    file: File,
    bytes: u64,
}

impl Segment {
    /// The segment of one run. Nothing is opened before there is something to write.
    pub fn of(layout: &Layout, run: Uuid) -> Self {
        Self::at(layout.segment(&run.to_string()))
    }

    /// A trial's: beside the others, where no resident looks. Only the last few are kept.
    pub fn of_trial(layout: &Layout, run: Uuid) -> Self {
        let folder = layout.guard_spool.join("trial");
        keep_newest(&folder, TRIALS_KEPT);
        Self::at(folder.join(format!("{run}.jsonl")))
    }

    pub fn at(path: PathBuf) -> Self {
        Self { path, file: RefCell::new(None), grown: Notify::new(), emptied: Notify::new() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends lines (with their newlines): all of them whole, or none at all.
    ///
    /// # Errors
    /// See [`Unkept`]. A later record may succeed: a full disk is emptied, a folder is made.
    pub fn append(&self, lines: &[u8]) -> Result<(), Unkept> {
        let mut slot = self.file.borrow_mut();
        let mut written = match slot.take() {
            Some(written) => written,
            None => self.open()?,
        };
        let outcome = written.append(lines);
        *slot = Some(written);
        outcome.map_err(|source| unkept(&self.path, source))?;
        self.grown.notify_one();
        Ok(())
    }

    fn open(&self) -> Result<Written, Unkept> {
        if let Some(folder) = self.path.parent() {
            files::private_folder(folder)?;
        }
        Written::open(&self.path).map_err(|error| match error {
            FileError::Io { source, .. } => unkept(&self.path, source),
            other => other.into(),
        })
    }

    /// Whole lines from that place on, about `most` bytes of them (or one line that is longer).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, from: u64, most: usize) -> io::Result<Vec<u8>> {
        let end = self.bytes();
        if from >= end {
            return Ok(Vec::new());
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut lines = Vec::new();
        let mut left = end - from;
        while left > 0 && !lines.contains(&b'\n') {
            let step = left.min(most as u64);
            left -= (&mut file).take(step).read_to_end(&mut lines)? as u64;
        }
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        lines.truncate(whole);
        Ok(lines)
    }

    /// Waits until everything that was appended is taken.
    pub async fn until_empty(&self) {
        while self.bytes() > 0 {
            self.emptied.notified().await;
        }
    }

    /// How much stands in the file.
    pub fn bytes(&self) -> u64 {
        self.file.borrow().as_ref().map_or(0, |written| written.bytes)
    }

    /// Everything before that place was taken: cuts it off if nothing came since, or if it is much.
    ///
    /// # Errors
    /// The file could not be changed; nothing is lost by that.
    pub fn taken(&self, before: u64) -> io::Result<CutOff> {
        let mut slot = self.file.borrow_mut();
        let Some(written) = slot.as_mut() else { return Ok(CutOff(0)) };
        if before >= written.bytes {
            let all = written.bytes;
            written.file.set_len(0)?;
            written.bytes = 0;
            self.emptied.notify_one();
            return Ok(CutOff(all));
        }
        if before < COMPACT_BYTES || (written.bytes - before) > before / LITTLE {
            return Ok(CutOff(0));
        }
        *written = Written::cut(&self.path, before)?;
        Ok(CutOff(before))
    }

    /// The guard is done: an empty segment goes, one with records stays for the resident's sweep.
    pub fn close(&self) {
        let Some(written) = self.file.borrow_mut().take() else { return };
        if written.bytes == 0
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "an empty segment stays behind");
        }
    }
}

fn unkept(path: &Path, source: io::Error) -> Unkept {
    let path = path.to_path_buf();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Unkept::Full(path),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Unkept::Forbidden(path),
        _ => Unkept::Io { path, source },
    }
}

/// Run ids are UUIDv7: their order is that of time.
pub fn keep_newest(folder: &Path, kept: usize) {
    let Ok(found) = std::fs::read_dir(folder) else { return };
    let mut segments: Vec<_> = found.flatten().map(|entry| entry.path()).collect();
    segments.sort();
    for old in segments.iter().rev().skip(kept) {
        // Another trial may have removed it first.
        let _ = std::fs::remove_file(old);
    }
}

impl Written {
    fn open(path: &Path) -> Result<Self, FileError> {
        let io = |doing| {
            let path = path.to_path_buf();
            move |source| FileError::Io { doing, path, source }
        };
        let file = files::append_private(path)?;
        file.try_lock().map_err(io::Error::from).map_err(io("lock"))?;
        let bytes = file.metadata().map_err(io("measure"))?.len();
        Ok(Self { file, bytes })
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let outcome = match self.file.write(lines) {
            Ok(bytes) if bytes == lines.len() => {
                self.bytes += bytes as u64;
                return Ok(());
            }
            // The disk took a part: the rest would not fit either.
            Ok(_) => Err(ErrorKind::StorageFull.into()),
            Err(error) => Err(error),
        };
        // No half record may stand in front of the next one. A device has no length to set.
        if let Err(error) = self.file.set_len(self.bytes) {
            tracing::debug!(%error, "the audit log was not cut back");
        }
        outcome
    }

    /// A new file with what stands after that place, put in the old one's place.
    fn cut(path: &Path, before: u64) -> io::Result<Self> {
        let next = path.with_extension("jsonl.next");
        let mut rest = Vec::new();
        let mut old = File::open(path)?;
        old.seek(SeekFrom::Start(before))?;
        old.read_to_end(&mut rest)?;
        let mut written = Self::open(&next).map_err(io::Error::other)?;
        written.append(&rest)?;
        std::fs::rename(&next, path)?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn scratch() -> (tempfile::TempDir, Segment) {
        let folder = tempfile::tempdir().unwrap();
        let segment = Segment::at(folder.path().join("spool/run.jsonl"));
        (folder, segment)
    }

    #[test]
    fn what_was_appended_is_in_the_file_at_once() {
        let (_folder, segment) = scratch();
        segment.append(b"one\n").unwrap();
        segment.append(b"two\n").unwrap();
        assert_eq!(std::fs::read(segment.path()).unwrap(), b"one\ntwo\n");
        assert_eq!(segment.read(4, 1024).unwrap(), b"two\n");
    }

    #[test]
    fn a_reading_ends_at_a_whole_line() {
        let (_folder, segment) = scratch();
        segment.append(b"a line that is long\n").unwrap();
        segment.append(b"b\n").unwrap();
        assert_eq!(segment.read(0, 4).unwrap(), b"a line that is long\n");
        assert_eq!(segment.read(20, 4).unwrap(), b"b\n");
        assert_eq!(segment.read(22, 4).unwrap(), b"");
    }

    #[test]
    fn a_segment_that_is_taken_whole_is_emptied_and_goes_at_the_end() {
        let (_folder, segment) = scratch();
        segment.append(b"one\n").unwrap();
        assert_eq!(segment.taken(4).unwrap(), CutOff(4));
        assert_eq!(segment.bytes(), 0);
        segment.append(b"two\n").unwrap();
        assert_eq!(segment.read(0, 10).unwrap(), b"two\n");
        assert_eq!(segment.taken(4).unwrap(), CutOff(4));
        segment.close();
        assert!(!segment.path().exists());
    }

    #[test]
    fn what_was_not_taken_stays_for_the_sweep() {
        let (_folder, segment) = scratch();
        segment.append(b"one\n").unwrap();
        segment.append(b"two\n").unwrap();
        assert_eq!(segment.taken(4).unwrap(), CutOff(0));
        segment.close();
        assert_eq!(std::fs::read(segment.path()).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn a_segment_under_constant_load_does_not_grow_without_end() {
        let (_folder, segment) = scratch();
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        for _ in 0..4097 {
            segment.append(&line).unwrap();
        }
        assert_eq!(segment.taken(4096 * 1024).unwrap(), CutOff(4096 * 1024));
        assert_eq!(segment.bytes(), 1024);
        segment.append(b"next\n").unwrap();
        assert_eq!(segment.read(1024, 100).unwrap(), b"next\n");
        assert_eq!(std::fs::metadata(segment.path()).unwrap().len(), 1029);
    }

    #[test]
    fn a_backlog_is_not_copied_again_and_again() {
        let (_folder, segment) = scratch();
        let line = [vec![b'x'; 1024 * 1024 - 1], b"\n".to_vec()].concat();
        for _ in 0..20 {
            segment.append(&line).unwrap();
        }
        let taken = |lines: u64| segment.taken(lines * 1024 * 1024).unwrap().0 / (1024 * 1024);
        let cut: Vec<u64> = [4, 8, 12, 15].map(taken).to_vec();
        assert_eq!((cut, taken(16), segment.bytes()), (vec![0; 4], 16, 4 * 1024 * 1024));
    }

    #[test]
    fn a_living_guards_segment_cannot_be_locked_by_another() {
        let (_folder, segment) = scratch();
        segment.append(b"one\n").unwrap();
        assert!(File::open(segment.path()).unwrap().try_lock().is_err());
        segment.close();
        assert!(File::open(segment.path()).unwrap().try_lock().is_ok());
    }

    #[test]
    fn a_full_disk_is_said_as_such_and_keeps_nothing_by_half() {
        // Only Linux has a disk that is always full.
        if !Path::new("/dev/full").exists() {
            return;
        }
        let mut full = Written { file: OpenOptions::new().write(true).open("/dev/full").unwrap(), bytes: 0 };
        let error = full.append(b"one\n").unwrap_err();
        assert!(
            unkept(Path::new("x"), error)
                .to_string()
                .starts_with("the disk that holds the audit log is full")
        );
        assert_eq!(full.bytes, 0);
    }

    #[test]
    fn a_folder_that_is_a_file_is_an_error_until_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        std::fs::write(&spool, "").unwrap();
        let segment = Segment::at(spool.join("run.jsonl"));
        assert!(segment.append(b"one\n").is_err());
        std::fs::remove_file(&spool).unwrap();
        segment.append(b"one\n").unwrap();
    }
}
