//! Taking everything of ours out again: the original bytes where nobody else changed the file since,
//! else only what is ours.

use std::path::PathBuf;

use super::apply::{Edit, Failure};
use super::journal::{FileMemory, Journal, Kept, Kind};
use super::plan::without_us;
use super::{LeftAlone, Restored, RestoredFile, Steward, StewardError, target};
use crate::clients::{ConfigFile, ConfigProblem, parse_config, read_bytes};

impl Steward {
    /// # Errors
    /// The steward's own state cannot be used.
    pub fn restore(&self) -> Result<Restored, StewardError> {
        let mut journal = Journal::open(&self.folder, self.lock_times.stale, self.disk.as_ref())?;
        let mut restored = Restored::default();
        for file in self.home.config_files() {
            match self.restore_file(&file, &mut journal) {
                Ok(Some(done)) => {
                    restored.entries += done.entries;
                    restored.files.push(done);
                }
                Ok(None) => {}
                Err(Failure::File(problem)) => restored.failures.push(problem.to_string()),
                Err(Failure::Ours(error)) => return Err(error),
            }
        }
        journal.forget_if_empty(self.disk.as_ref())?;
        Ok(restored)
    }

    /// Why a restore could not give everything back now, in sentences. Changes nothing.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn obstacles(&self) -> Result<Vec<String>, StewardError> {
        let journal = Journal::read(&self.folder)?;
        let of = |file: &ConfigFile| match self.holds_ours(file, &journal) {
            Ok(false) => None,
            Ok(true) => self.in_the_way(file).map(|problem| problem.to_string()),
            Err(Failure::File(problem)) => Some(problem.to_string()),
            Err(Failure::Ours(error)) => Some(error.to_string()),
        };
        Ok(self.home.config_files().iter().filter_map(of).collect())
    }

    fn in_the_way(&self, file: &ConfigFile) -> Option<LeftAlone> {
        match file {
            ConfigFile::ClaudeDesktop(path) if (self.desktop_runs)() => {
                Some(LeftAlone::DesktopRuns { path: path.clone() })
            }
            _ => target::resolve(file.path(), &self.home.path).err(),
        }
    }

    /// The files that still hold something of ours, read anew.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn still_ours(&self) -> Result<Vec<PathBuf>, StewardError> {
        let journal = Journal::read(&self.folder)?;
        let files = self.home.config_files();
        let ours = files.iter().filter(|file| matches!(self.holds_ours(file, &journal), Ok(true)));
        Ok(ours.map(|file| file.path().to_owned()).collect())
    }

    fn holds_ours(&self, file: &ConfigFile, journal: &Journal) -> Result<bool, Failure> {
        let Some(bytes) = read_bytes(file.path())? else { return Ok(false) };
        Ok(self.bare(file, &journal.of_file(file.path()), bytes)?.is_some())
    }

    fn restore_file(
        &self,
        file: &ConfigFile,
        journal: &mut Journal,
    ) -> Result<Option<RestoredFile>, Failure> {
        let path = file.path();
        if !self.holds_ours(file, journal)? {
            return Ok(None);
        }
        let mut done = None;
        self.edit(file, journal, &mut |bytes, journal| {
            let memory = journal.of_file(path);
            let ours_alone = memory.after.as_ref() == Some(&FileMemory::digests(&bytes));
            let original = memory.base.as_ref().filter(|_| ours_alone);
            let original = original.and_then(|digest| journal.base_bytes(digest));
            let Some((text, entries)) = self.bare(file, &memory, bytes)? else {
                return Ok(None);
            };
            let byte_for_byte = original.is_some();
            done = Some(RestoredFile { file: path.to_owned(), entries, byte_for_byte });
            let gone = |kept: &Kept| Kept { kind: Kind::Gone, original: None, written: None, ..kept.clone() };
            Ok(Some(Edit {
                text: original.unwrap_or_else(|| text.into_bytes()),
                entries: memory.entries.values().map(gone).collect(),
                clean: false,
            }))
        })?;
        Ok(done)
    }

    fn bare(
        &self,
        file: &ConfigFile,
        memory: &FileMemory,
        bytes: Vec<u8>,
    ) -> Result<Option<(String, usize)>, Failure> {
        let text = parse_config(file.path(), bytes)?;
        let bare = without_us(file, &text, memory, &self.guard);
        Ok(bare.map_err(|source| ConfigProblem::Malformed { path: file.path().to_owned(), source })?)
    }
}
