//! When to look: the system tells of changes in the folders that matter, and every file's time and
//! size are compared now and then, for systems and network drives that do not tell.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::steward::Steward;

/// The system has only so many watches to give; what is beyond is found by comparing.
const MOST_FOLDERS: usize = 2000;

/// Names whose changes matter; everything else in a home folder is none of our business.
const NAMES: [&str; 10] = [
    ".claude.json",
    ".mcp.json",
    "settings.json",
    "settings.local.json",
    ".credentials.json",
    "claude_desktop_config.json",
    ".claude",
    "sessions",
    "Claude",
    "Claude-3p",
];

type Print = Vec<Option<(SystemTime, u64)>>;

pub struct Watch {
    bell: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    own_folders: Vec<PathBuf>,
    own_files: Vec<PathBuf>,
    files: Vec<PathBuf>,
    print: Print,
}

impl Watch {
    pub fn new(steward: &Steward) -> Self {
        let bell = Arc::new(Notify::new());
        let ringer = Arc::clone(&bell);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error of the watcher may stand for lost events.
            if event.is_ok_and(|event| !matters(&event)) {
                return;
            }
            ringer.notify_one();
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "detect.no_watcher")).ok();
        let (own_folders, own_files) = own_places(steward);
        let mut watch = Self {
            bell,
            watcher,
            watched: HashSet::new(),
            own_folders,
            own_files,
            files: Vec::new(),
            print: Vec::new(),
        };
        // Before the first look, so that nothing falls between it and the watching.
        watch.follow(&[]);
        watch
    }

    /// Resolves when something changed.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes these project folders under watch as well, and lets go of others.
    pub fn follow(&mut self, folders: &[PathBuf]) {
        let settings = folders.iter().map(|folder| folder.join(".claude"));
        let wanted: HashSet<PathBuf> = self
            .own_folders
            .iter()
            .cloned()
            .chain(folders.iter().cloned())
            .chain(settings)
            .filter(|folder| folder.is_dir())
            .take(MOST_FOLDERS)
            .collect();
        if let Some(watcher) = &mut self.watcher {
            for gone in self.watched.difference(&wanted) {
                let _ = watcher.unwatch(gone);
            }
            // Watching again is cheap, and needed where a folder was made anew under its old name.
            self.watched = wanted
                .into_iter()
                .filter(|folder| watcher.watch(folder, RecursiveMode::NonRecursive).is_ok())
                .collect();
        }
        self.files = self.own_files.clone();
        for folder in folders {
            self.files.push(folder.join(".mcp.json"));
            self.files.push(folder.join(".claude/settings.json"));
            self.files.push(folder.join(".claude/settings.local.json"));
        }
        self.print = print(&self.files);
    }

    /// Did a file's time or size change since [`Self::follow`]?
    pub fn has_changed(&self) -> bool {
        print(&self.files) != self.print
    }
}

fn own_places(steward: &Steward) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let home = steward.home();
    let mut files: Vec<PathBuf> = home.config_files().iter().map(|file| file.path().to_owned()).collect();
    let dirs = std::iter::once(home.path.join(".claude")).chain(home.config_dirs.iter().cloned());
    for folder in dirs {
        files.extend([
            folder.join("settings.json"),
            folder.join(".credentials.json"),
            folder.join("sessions"),
            folder.join("sessions").join("one"),
        ]);
    }
    let mut folders: Vec<PathBuf> =
        files.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
    folders.push(home.path.clone());
    folders.sort();
    folders.dedup();
    (folders, files)
}

fn matters(event: &notify::Event) -> bool {
    let changes = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    changes
        && (event.need_rescan()
            || event.paths.is_empty()
            || event.paths.iter().any(|path| is_of_interest(path)))
}

fn is_of_interest(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let in_sessions = path.parent().is_some_and(|folder| folder.ends_with("sessions"));
    NAMES.contains(&name) || in_sessions
}

fn print(files: &[PathBuf]) -> Print {
    let time_and_size = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(time_and_size).collect()
}
