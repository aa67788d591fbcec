//! The steward: puts the guard in front of every MCP server in other programs' configuration
//! files, and takes it out again, byte for byte.
//!
//! A careful guest: it writes under Claude's own lock, by temporary file and rename, keeps every
//! byte that is not an entry's own, and leaves alone whatever it does not understand. It decides
//! nothing about policy.

mod apply;
mod claude_lock;
mod disk;
mod journal;
mod plan;
mod restore;
mod splice;
mod target;
mod wrapping;

#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::Layout;

use crate::clients::{Client, ConfigFile, ConfigProblem, Home, Scope, parse_config, read_bytes};

pub use apply::Applied;
pub use claude_lock::LockTimes;
pub use disk::{Disk, LocalDisk};
pub use plan::{Action, EntryChange, Row, Standing};
pub use wrapping::Guard;

use journal::Journal;
use plan::{FilePlan, Planner};

/// Why the steward could not work at all.
#[derive(Debug, thiserror::Error)]
pub enum StewardError {
    #[error("{}: {source}", path.display())]
    State { path: PathBuf, source: io::Error },
}

impl StewardError {
    fn state(path: &Path, source: io::Error) -> Self {
        Self::State { path: path.to_owned(), source }
    }
}

/// Why one file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum LeftAlone {
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    #[error("{} is a symbolic link to {}, outside of the home folder; it is left alone", path.display(), target.display())]
    Elsewhere { path: PathBuf, target: PathBuf },
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} is locked by another process; nothing was changed", path.display())]
    Locked { path: PathBuf },
    #[error("{} is being changed by another program all the time; nothing was changed", path.display())]
    Restless { path: PathBuf },
    #[error("Claude Desktop is running and would overwrite {}; it is changed once Claude Desktop is closed", path.display())]
    DesktopRuns { path: PathBuf },
    #[error("{} would not be settled by the change ({what}); it is left alone", path.display())]
    Unsettled { path: PathBuf, what: String },
}

impl LeftAlone {
    /// The stable reason code of its finding; `None` for what passes by itself.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Config(ConfigProblem::Malformed { .. }) => Some("config-malformed"),
            Self::Config(_) | Self::Elsewhere { .. } | Self::Unwritable { .. } | Self::Unsettled { .. } => {
                Some("config-unwritable")
            }
            Self::Locked { .. } | Self::Restless { .. } | Self::DesktopRuns { .. } => None,
        }
    }
}

/// What one file holds, and what has to change in it.
pub struct FileLook {
    pub file: PathBuf,
    pub client: Client,
    pub there: bool,
    pub rows: Vec<Row>,
    pub changes: Vec<EntryChange>,
    pub problem: Option<LeftAlone>,
    /// Team files that cannot be read.
    pub team_problems: Vec<ConfigProblem>,
    /// Every folder that has a say.
    pub folders: Vec<PathBuf>,
}

/// What [`restore_all`] did.
#[derive(Debug, Default)]
pub struct Restored {
    /// Entries that are as they were before us.
    pub entries: usize,
    /// Files that were given back: path, entries, and whether byte for byte.
    pub files: Vec<RestoredFile>,
    /// Files that could not be given back, each with a sentence.
    pub failures: Vec<String>,
}

#[derive(Debug, Clone, serde::Serialize)]
pub struct RestoredFile {
    pub file: PathBuf,
    pub entries: usize,
    pub byte_for_byte: bool,
}

/// See the module.
#[derive(Clone)]
pub struct Steward {
    home: Home,
    guard: Guard,
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    desktop_runs: Arc<dyn Fn() -> bool + Send + Sync>,
    lock_times: LockTimes,
}

impl Steward {
    /// # Errors
    /// Our own program's path is not known.
    pub fn new(layout: &Layout, home: &Home) -> Result<Self, StewardError> {
        let guard = Guard::of_this_program(layout);
        let guard = guard.map_err(|error| StewardError::state(Path::new("portreeve"), error))?;
        Ok(Self {
            home: home.clone(),
            guard,
            folder: layout.steward(),
            disk: Arc::new(LocalDisk),
            desktop_runs: Arc::new(target::claude_desktop_runs),
            lock_times: LockTimes::default(),
        })
    }

    /// Every file with its servers and what would change. Changes nothing.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn look(&self) -> Result<Vec<FileLook>, StewardError> {
        let journal = Journal::read(&self.folder)?;
        Ok(self.home.config_files().iter().map(|file| self.look_at(file, &journal)).collect())
    }

    /// What the journal says is governed, by file.
    pub fn governed_entries(&self) -> Vec<(PathBuf, Row)> {
        let Ok(journal) = Journal::read(&self.folder) else {
            return Vec::new();
        };
        let of_file = |(file, memory): (&PathBuf, &journal::FileMemory)| {
            let desktop = self
                .home
                .config_files()
                .iter()
                .any(|known| known.path() == file && known.client() == Client::ClaudeDesktop);
            let row = |kept: &journal::Kept| Row {
                scope: match (kept.kind, &kept.project) {
                    (journal::Kind::Shadow, _) => Scope::Project,
                    (_, Some(_)) => Scope::Local,
                    (_, None) if desktop => Scope::Desktop,
                    (_, None) => Scope::User,
                },
                project: kept.project.clone().unwrap_or_default(),
                entry: kept.name.clone(),
                identity: String::new(),
                steered_by: Vec::new(),
                standing: Standing::Governed,
            };
            memory.entries.values().map(|kept| (file.clone(), row(kept))).collect::<Vec<_>>()
        };
        journal.files().flat_map(of_file).collect()
    }

    /// Where the steward's own memory lies; detection keeps its own beside it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    fn look_at(&self, file: &ConfigFile, journal: &Journal) -> FileLook {
        let around = file.surroundings();
        let mut look = FileLook {
            file: file.path().to_owned(),
            client: file.client(),
            there: true,
            rows: Vec::new(),
            changes: Vec::new(),
            problem: None,
            team_problems: Vec::new(),
            folders: Vec::new(),
        };
        let plan = read_bytes(file.path()).map_err(LeftAlone::from).and_then(|bytes| {
            let Some(bytes) = bytes else {
                look.there = false;
                return Ok(FilePlan::default());
            };
            let memory = journal.of_file(file.path());
            let planner = Planner { file, around: &around, memory: &memory, guard: &self.guard };
            let text = parse_config(file.path(), bytes)?;
            let plan = planner.plan(&text);
            Ok(plan.map_err(|source| ConfigProblem::Malformed { path: file.path().to_owned(), source })?)
        });
        match plan {
            Ok(plan) => {
                (look.rows, look.changes, look.team_problems) = (plan.rows, plan.changes, plan.problems);
            }
            Err(problem) => look.problem = Some(problem),
        }
        look.team_problems.extend(around.take_problems());
        look.folders = around.looked_into();
        look
    }
}

/// Takes everything of ours out of every configuration of this home, looks whether that is so, and
/// forgets what detection remembered (for `unenroll`).
///
/// # Errors
/// The steward's own state could not be read.
pub fn restore_all(layout: &Layout, home: &Home) -> Result<Restored, StewardError> {
    let steward = Steward::new(layout, home)?;
    let mut restored = steward.restore()?;
    if restored.failures.is_empty() {
        let still = |file: PathBuf| format!("{} still starts the guard", file.display());
        restored.failures.extend(steward.still_ours()?.into_iter().map(still));
    }
    crate::detect::forget(&steward);
    Ok(restored)
}
