//! Stories of the steward in a home of its own.

mod attacks;
mod crashes;
mod editing;
mod everything_else_survives;
mod project_files;
mod restoring;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::*;

pub const PROGRAM: &str = "/opt/portreeve/bin/portreeve";

pub struct Story {
    _scratch: tempfile::TempDir,
    pub steward: Steward,
    pub desktop_runs: Arc<AtomicBool>,
}

impl Story {
    pub fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("home");
        fs::create_dir_all(path.join(".claude/sessions")).unwrap();
        fs::create_dir_all(path.join(".config/Claude")).unwrap();
        let desktop_runs = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&desktop_runs);
        let steward = steward_of(&path, &scratch.path().join("state"), Arc::new(LocalDisk));
        let steward = Steward { desktop_runs: Arc::new(move || runs.load(Ordering::SeqCst)), ..steward };
        Self { _scratch: scratch, steward, desktop_runs }
    }

    /// A home with this `~/.claude.json`.
    pub fn with(config: &str) -> Self {
        let story = Self::new();
        story.write(".claude.json", config);
        story
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.steward.home.path.join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn config(&self) -> String {
        self.read(".claude.json")
    }

    pub fn value(&self) -> Value {
        serde_json::from_str(self.config().trim_start_matches('\u{feff}')).unwrap()
    }

    pub fn apply(&self) -> usize {
        self.steward.apply().unwrap().iter().map(|applied| applied.changes.len()).sum()
    }

    /// What stands in the way at Claude Code's own file.
    pub fn trouble(&self) -> String {
        let applied = self.steward.apply().unwrap();
        applied[0].problem.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// `scope/entry: standing` of every server.
    pub fn standings(&self) -> Vec<String> {
        let looks = self.steward.look().unwrap();
        let mut lines: Vec<String> = looks
            .iter()
            .flat_map(|look| &look.rows)
            .map(|row| format!("{}/{}: {:?}", row.scope.id(), row.entry, row.standing))
            .collect();
        lines.sort();
        lines
    }

    pub fn restore(&self) -> Restored {
        self.steward.restore().unwrap()
    }

    /// No trace of us in any configuration.
    pub fn assert_bare(&self) {
        for path in [".claude.json", ".config/Claude/claude_desktop_config.json"] {
            let text = fs::read_to_string(self.path(path)).unwrap_or_default();
            assert!(!text.contains("portreeve"), "{path}: {text}");
        }
    }
}

pub fn steward_of(home: &Path, folder: &Path, disk: Arc<dyn Disk>) -> Steward {
    Steward {
        home: Home { path: home.to_owned(), user: "u".into(), config_dirs: Vec::new() },
        guard: Guard { program: PROGRAM.into(), root: None },
        folder: folder.to_owned(),
        disk,
        desktop_runs: Arc::new(|| false),
        lock_times: LockTimes {
            wait: Duration::from_secs(5),
            poll: Duration::from_millis(1),
            ..LockTimes::default()
        },
    }
}

impl Steward {
    /// The same with our program at another place.
    pub fn at(&self, program: &str) -> Self {
        Self { guard: Guard { program: program.into(), root: None }, ..self.clone() }
    }
}

/// A `~/.claude.json` as Claude Code leaves it after months of use.
pub const REAL: &str = include_str!("tests/claude.json");
pub const REAL_DESKTOP: &str = include_str!("tests/claude_desktop_config.json");

/// A disk on which nothing can be made, as on a read-only mount.
pub struct ReadOnly;

impl Disk for ReadOnly {
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn remove_folder(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        LocalDisk.append(path, bytes) // our own state is elsewhere
    }
    fn keep(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        LocalDisk.keep(path, bytes)
    }
    fn write_beside(&self, _: &Path, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn remove_file(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
