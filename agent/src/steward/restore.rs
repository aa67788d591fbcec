//! Taking everything of ours out again: the original bytes where nobody else changed the file since,
//! else only what is ours.

use super::apply::{Edit, Failure};
use super::journal::{FileMemory, Journal, Kept, Kind};
use super::plan::without_us;
use super::{Restored, RestoredFile, Steward, StewardError};
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

    fn restore_file(
        &self,
        file: &ConfigFile,
        journal: &mut Journal,
    ) -> Result<Option<RestoredFile>, Failure> {
        let path = file.path();
        let nothing_to_do = match read_bytes(path)? {
            None => true,
            Some(bytes) => self.bare(file, &journal.of_file(path), bytes)?.is_none(),
        };
        if nothing_to_do {
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
