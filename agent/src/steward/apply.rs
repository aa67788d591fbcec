//! Carrying a plan out: under the client's lock, journalled before and after, and only onto the very
//! bytes the plan was made for.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::claude_lock::{ClaudeLock, LockError};
use super::journal::{Change, FileMemory, Journal, Kept};
use super::plan::{EntryChange, FilePlan, Planner};
use super::{LeftAlone, Steward, StewardError, target};
use crate::clients::{ConfigFile, ConfigProblem, ConfigText, Surroundings, parse_config, read_bytes};

/// So often a file may change under our hands before we give up until next time.
const TRIES: usize = 8;

/// What [`Steward::apply`] did to one file.
pub struct Applied {
    pub file: PathBuf,
    pub client: crate::clients::Client,
    pub changes: Vec<EntryChange>,
    pub problem: Option<LeftAlone>,
}

/// Either a file's own trouble, or ours.
pub enum Failure {
    File(LeftAlone),
    Ours(StewardError),
}

impl From<LeftAlone> for Failure {
    fn from(problem: LeftAlone) -> Self {
        Self::File(problem)
    }
}

impl From<ConfigProblem> for Failure {
    fn from(problem: ConfigProblem) -> Self {
        Self::File(problem.into())
    }
}

impl From<StewardError> for Failure {
    fn from(error: StewardError) -> Self {
        Self::Ours(error)
    }
}

/// A new text for a file, and what the journal has to know of it.
pub struct Edit {
    pub text: Vec<u8>,
    pub entries: Vec<Kept>,
    /// The present bytes hold nothing of ours.
    pub clean: bool,
}

/// Makes a new text of a file's present bytes; `None` where nothing has to change.
pub type MakeEdit<'a> = dyn FnMut(Vec<u8>, &Journal) -> Result<Option<Edit>, Failure> + 'a;

impl Steward {
    /// Puts the guard in front of every server that can be governed.
    ///
    /// # Errors
    /// The steward's own state cannot be used; nothing (more) was changed.
    pub fn apply(&self) -> Result<Vec<Applied>, StewardError> {
        let mut journal = Journal::open(&self.folder, self.lock_times.stale, self.disk.as_ref())?;
        let mut all = Vec::new();
        for file in self.home.config_files() {
            let (changes, problem) = match self.apply_to(&file, &mut journal) {
                Ok(changes) => (changes, None),
                Err(Failure::File(problem)) => (Vec::new(), Some(problem)),
                Err(Failure::Ours(error)) => return Err(error),
            };
            all.push(Applied { file: file.path().to_owned(), client: file.client(), changes, problem });
        }
        Ok(all)
    }

    fn apply_to(&self, file: &ConfigFile, journal: &mut Journal) -> Result<Vec<EntryChange>, Failure> {
        let around = file.surroundings();
        // A first look without the lock: most of the time there is nothing to do.
        let Some(bytes) = read_bytes(file.path())? else {
            return Ok(Vec::new());
        };
        if self.plan_for(file, &around, bytes, journal)?.text.is_none() {
            return Ok(Vec::new());
        }
        let mut changes = Vec::new();
        self.edit(file, journal, &mut |bytes, journal| {
            let plan = self.plan_for(file, &around, bytes, journal)?;
            let Some(text) = plan.text else {
                return Ok(None);
            };
            let entries: Vec<Kept> = plan.changes.iter().map(|change| change.kept.clone()).collect();
            self.settles(file, &around, &text, journal, &entries)?;
            changes = plan.changes;
            Ok(Some(Edit { text: text.into_bytes(), entries, clean: plan.clean }))
        })?;
        Ok(changes)
    }

    fn plan_for(
        &self,
        file: &ConfigFile,
        around: &Surroundings,
        bytes: Vec<u8>,
        journal: &Journal,
    ) -> Result<FilePlan, Failure> {
        let memory = journal.of_file(file.path());
        let planner = Planner { file, around, memory: &memory, guard: &self.guard };
        let text = parse_config(file.path(), bytes)?;
        let plan = planner.plan(&text);
        Ok(plan.map_err(|source| ConfigProblem::Malformed { path: file.path().to_owned(), source })?)
    }

    /// The text we are about to write must itself need no change: else we would never come to rest.
    fn settles(
        &self,
        file: &ConfigFile,
        around: &Surroundings,
        text: &str,
        journal: &Journal,
        entries: &[Kept],
    ) -> Result<(), Failure> {
        let mut memory = journal.of_file(file.path());
        memory.take_over(entries);
        let planner = Planner { file, around, memory: &memory, guard: &self.guard };
        let again = ConfigText::parse(text.as_bytes().to_vec()).and_then(|text| planner.plan(&text));
        let what = match again {
            Ok(plan) if plan.changes.is_empty() => return Ok(()),
            Ok(plan) => format!("{} entries would change again", plan.changes.len()),
            Err(error) => error.to_string(),
        };
        Err(LeftAlone::Unsettled { path: file.path().to_owned(), what }.into())
    }

    /// Changes one file as its client would, until it is done on bytes nobody else changed.
    pub(super) fn edit(
        &self,
        file: &ConfigFile,
        journal: &mut Journal,
        make: &mut MakeEdit<'_>,
    ) -> Result<(), Failure> {
        let path = file.path();
        let target = target::resolve(path, &self.home.path)?;
        for _ in 0..TRIES {
            let lock = self.lock(file)?;
            let Some(bytes) = read_bytes(&target)? else {
                return Ok(());
            };
            let Some(edit) = make(bytes.clone(), journal)? else {
                return Ok(());
            };
            let change = self.announce(path, &target, &bytes, &edit, journal)?;
            if self.put(&target, &bytes, &edit, &change, lock.as_ref(), journal)? {
                // First the lock, so that a crash in between is found in the journal and cleared away.
                drop(lock);
                journal.done(&change, self.disk.as_ref())?;
                return Ok(());
            }
        }
        Err(LeftAlone::Restless { path: path.to_owned() }.into())
    }

    /// Claude Code's lock; for Claude Desktop, that it is not running.
    fn lock(&self, file: &ConfigFile) -> Result<Option<ClaudeLock<'_>>, LeftAlone> {
        match file {
            ConfigFile::ClaudeDesktop(path) if (self.desktop_runs)() => {
                Err(LeftAlone::DesktopRuns { path: path.clone() })
            }
            ConfigFile::ClaudeDesktop(_) => Ok(None),
            ConfigFile::ClaudeCode(files) => {
                let lock = ClaudeLock::take(&files.config, self.lock_times, self.disk.as_ref());
                lock.map(Some).map_err(|error| match error {
                    LockError::Held { .. } => LeftAlone::Locked { path: files.config.clone() },
                    LockError::Unmakable { source, .. } => {
                        LeftAlone::Unwritable { path: files.config.clone(), source }
                    }
                })
            }
        }
    }

    fn announce(
        &self,
        path: &Path,
        target: &Path,
        bytes: &[u8],
        edit: &Edit,
        journal: &mut Journal,
    ) -> Result<Change, StewardError> {
        let id = Uuid::now_v7();
        let before = FileMemory::digests(bytes);
        let memory = journal.of_file(path);
        let mut after = memory.clone();
        after.take_over(&edit.entries);
        let base = match memory {
            // Nothing of ours will be left: nothing to give back later.
            _ if after.entries.is_empty() => None,
            _ if edit.clean => Some(before.clone()),
            FileMemory { after: Some(after), base, .. } if after == before => base,
            _ => None,
        };
        let mut beside = target.as_os_str().to_owned();
        beside.push(format!(".portreeve.{}", id.simple()));
        let change = Change {
            id,
            file: path.to_owned(),
            after: FileMemory::digests(&edit.text),
            before,
            base,
            beside: beside.into(),
            entries: edit.entries.clone(),
        };
        journal.begin(&change, edit.clean.then_some(bytes), self.disk.as_ref())?;
        Ok(change)
    }

    /// `false` where somebody else changed the file meanwhile: nothing was done, plan again.
    fn put(
        &self,
        target: &Path,
        planned_on: &[u8],
        edit: &Edit,
        change: &Change,
        lock: Option<&ClaudeLock<'_>>,
        journal: &mut Journal,
    ) -> Result<bool, Failure> {
        let written = self.disk.write_beside(&change.beside, target, &edit.text).and_then(|()| {
            let unchanged = read_bytes(target).ok().flatten().is_some_and(|now| now == planned_on);
            let undisturbed = unchanged && lock.is_none_or(ClaudeLock::is_still_ours);
            if undisturbed { self.disk.rename(&change.beside, target).map(|()| true) } else { Ok(false) }
        });
        match written {
            Ok(true) => Ok(true),
            Ok(false) => {
                journal.abandon(change, self.disk.as_ref())?;
                Ok(false)
            }
            Err(source) => {
                journal.abandon(change, self.disk.as_ref())?;
                Err(LeftAlone::Unwritable { path: change.file.clone(), source }.into())
            }
        }
    }
}
