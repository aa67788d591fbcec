//! How one server stands, for `portreeve status --server`: a small file of the guard's own, and beside
//! it the last of the server's stderr. Both stay when the guard ends, so that a server that ends at its
//! start can be looked at, until the next guard of the same entry ends.
//!
//! Files, and no word to the resident: they tell as much without one, and stderr never leaves the
//! machine. Nobody but the user reads them (0600). They hold no command line, no header, no address.

mod turns;

pub use turns::Turn;

use crate::transport::clearance::Clearance;
use crate::transport::opening::Agreed;
use crate::upstream::now_ms;
use platform::files;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Dead guards' files looked at when one ends.
const MOST_SWEPT: usize = 64;
/// Of an entry's name in a file's name.
const NAME_CHARACTERS: usize = 40;
/// A file of ours is a few hundred bytes.
const LARGEST: u64 = 64 * 1024;

/// What is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub entry: String,
    pub identity: String,
    /// The guard's process, and when it wrote this for the first time.
    pub guard: u32,
    pub since_ms: i64,
    pub way: Way,
    /// Of a local server; on Linux its keeper's, which ends with it.
    pub process: Option<u32>,
    pub process_since_ms: Option<i64>,
    /// How often the guard began anew with it: a new process, or a new session.
    pub restarts: u32,
    /// The protocol version that was agreed.
    pub protocol: Option<String>,
    /// Name and version, as the server gives them.
    pub server: Option<String>,
    pub last_error: Option<String>,
    pub last_error_ms: Option<i64>,
    /// Nothing comes of it until that error is mended: it was given up, or answers nobody.
    pub failing: bool,
    /// When the guard ended in good order.
    pub ended_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    #[default]
    Command,
    Http,
    Sse,
}

/// Where a transport says how its server stands. Cheap to clone; one that writes nowhere is well.
#[derive(Clone, Default)]
pub struct Standing(Option<Arc<Written>>, Option<mpsc::UnboundedSender<Turn>>, Clearance);

struct Written {
    path: PathBuf,
    facts: Mutex<Facts>,
    /// The facts are not what stands in the file, and somebody is about to write them.
    due: AtomicBool,
}

/// What was found of one server.
#[derive(Debug, Clone)]
pub struct Found {
    pub facts: Facts,
    /// Its guard lives.
    pub guarded: bool,
    path: PathBuf,
}

impl Standing {
    /// Of one server of this entry, in a folder of the user's.
    pub fn in_folder(folder: &Path, entry: &str, identity: &str, way: Way) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        if let Err(error) = files::private_folder(folder) {
            tracing::debug!(%error, "how the server stands is not written");
            return Self::default();
        }
        let guard = std::process::id();
        let name = format!("{}.{guard}-{}.json", slug(entry), COUNT.fetch_add(1, Ordering::Relaxed));
        let facts = Facts {
            entry: entry.to_owned(),
            identity: identity.to_owned(),
            guard,
            since_ms: now_ms(),
            way,
            ..Facts::default()
        };
        Self(
            Some(Arc::new(Written {
                path: folder.join(name),
                facts: Mutex::new(facts),
                due: AtomicBool::new(false),
            })),
            None,
            Clearance::default(),
        )
    }

    /// Before it begins with the server anew, a transport asks here.
    #[must_use]
    pub fn cleared_by(mut self, clearance: Clearance) -> Self {
        self.2 = clearance;
        self
    }

    pub fn clearance(&self) -> &Clearance {
        &self.2
    }

    /// Changes what is said; it is written when nobody waits for an answer.
    pub fn tell(&self, change: impl FnOnce(&mut Facts)) {
        let Some(written) = &self.0 else { return };
        if !written.change(change) || written.due.swap(true, Ordering::AcqRel) {
            return;
        }
        let later = Arc::clone(written);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { later.write() })),
            Err(_) => later.write(),
        }
    }

    /// The conversation has begun, with this.
    pub fn agreed(&self, agreed: Option<&Agreed>) {
        let Some(agreed) = agreed else { return };
        self.tell(|facts| {
            facts.protocol = Some(agreed.version.clone());
            facts.server = Some(agreed.server.clone()).filter(|server| !server.is_empty());
            facts.failing = false;
        });
    }

    pub fn error(&self, error: &str) {
        self.tell(|facts| {
            facts.last_error = Some(error.to_owned());
            facts.last_error_ms = Some(now_ms());
        });
    }

    /// An error that does not pass by itself.
    pub fn failing(&self, error: &str) {
        self.tell(|facts| {
            facts.last_error = Some(error.to_owned());
            facts.last_error_ms = Some(now_ms());
            facts.failing = true;
        });
    }

    /// It has passed all the same.
    pub fn works(&self) {
        if self.0.as_ref().is_some_and(|written| written.is_failing()) {
            self.tell(|facts| facts.failing = false);
        }
    }

    /// The guard has done with it. What dead guards of the same entry left behind goes.
    pub fn end(&self) {
        let Some(written) = &self.0 else { return };
        written.change(|facts| {
            facts.ended_ms = Some(now_ms());
            facts.process = None;
        });
        // There may be no later.
        written.write();
        sweep(&written.path);
    }

    /// Where the server's stderr is kept.
    pub fn stderr(&self) -> Option<PathBuf> {
        self.0.as_ref().map(|written| written.path.with_extension("stderr"))
    }
}

impl Written {
    /// Is anything else said now?
    fn change(&self, change: impl FnOnce(&mut Facts)) -> bool {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = facts.clone();
        change(&mut facts);
        *facts != before
    }

    fn is_failing(&self) -> bool {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).failing
    }

    fn write(&self) {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        self.due.store(false, Ordering::Release);
        if let Err(error) = write(&self.path, &facts) {
            tracing::debug!(%error, "how the server stands is not written");
        }
    }
}

/// Whole or not at all; not synced, as nothing depends on it.
fn write(path: &Path, facts: &Facts) -> io::Result<()> {
    let next = path.with_extension("next");
    let _ = fs::remove_file(&next);
    let mut file = files::create_private(&next).map_err(io::Error::other)?;
    file.write_all(&serde_json::to_vec(facts)?)?;
    fs::rename(next, path)
}

/// Removes what dead guards left of the same entry, but for the file itself.
fn sweep(own: &Path) {
    let (Some(folder), Some(name)) = (own.parent(), own.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let Some((slug, _)) = name.rsplit_once('.').and_then(|(stem, _)| stem.rsplit_once('.')) else { return };
    let others = files_in(folder).filter(|path| path != own && is_of(path, slug)).take(MOST_SWEPT);
    for found in others.filter_map(read).filter(|found| !found.guarded) {
        for extension in ["json", "stderr", "stderr-before", "next"] {
            let _ = fs::remove_file(found.path.with_extension(extension));
        }
    }
}

/// Every server that is or was last guarded; newest first.
pub fn in_folder(folder: &Path) -> Vec<Found> {
    let mut found: Vec<Found> = files_in(folder).filter_map(read).collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.facts.since_ms));
    found
}

fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|extension| extension == "json"))
}

fn is_of(path: &Path, slug: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix(slug).is_some_and(|rest| rest.starts_with('.'))
}

fn read(path: PathBuf) -> Option<Found> {
    let facts: Facts = serde_json::from_slice(&files::read_bounded(&path, LARGEST).ok()?).ok()?;
    // An id is given out again; nobody writes before it has started.
    let written = u64::try_from(facts.since_ms / 1000).unwrap_or_default();
    let started = platform::process::started(facts.guard);
    let guarded = facts.ended_ms.is_none() && started.is_some_and(|started| started <= written + 1);
    Some(Found { facts, guarded, path })
}

impl Found {
    /// The end of what the server said on stderr.
    pub fn last_lines(&self, most: usize) -> Vec<String> {
        let read = |extension: &str| {
            files::read_bounded(&self.path.with_extension(extension), 4 * super::stdio::KEPT_BYTES)
                .unwrap_or_default()
        };
        let said = [read("stderr-before"), read("stderr")].concat();
        let text = String::from_utf8_lossy(&said);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
    }
}

/// An entry's name as a part of a file's; two that become alike share their sweeping, no more.
fn slug(entry: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let slug: String = entry.chars().take(NAME_CHARACTERS).map(plain).collect();
    if slug.is_empty() { "server".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guard_says_is_found_and_a_dead_ones_goes() {
        let folder = tempfile::tempdir().unwrap();
        let standing = Standing::in_folder(folder.path(), "my files", "npm:x", Way::Command);
        standing.tell(|facts| facts.process = Some(1));
        standing.error("it fell over");
        fs::write(standing.stderr().unwrap(), "one\ntwo\nthr").unwrap();
        let dead = folder.path().join("my_files.1-1.json");
        let facts = Facts { guard: u32::MAX / 2, entry: "my files".to_owned(), ..Facts::default() };
        fs::write(&dead, serde_json::to_vec(&facts).unwrap()).unwrap();
        let other = folder.path().join("my.1-1.json");
        fs::write(&other, serde_json::to_vec(&facts).unwrap()).unwrap();

        let found = in_folder(folder.path());
        let living: Vec<_> = found.iter().filter(|found| found.guarded).collect();
        assert_eq!((found.len(), living.len()), (3, 1));
        assert_eq!(living[0].facts.last_error.as_deref(), Some("it fell over"));
        assert_eq!(living[0].last_lines(2), ["two", "thr"]);

        standing.end();
        assert!(!dead.exists() && other.exists());
        assert!(in_folder(folder.path()).iter().all(|found| !found.guarded));
    }

    #[test]
    fn nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let standing = Standing::in_folder(folder.path(), "e", "npm:x", Way::Command);
        standing.error("x");
        let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(platform::files::mode_of_others(&file.path()).unwrap(), None);
    }

    #[test]
    fn an_entrys_name_leaves_the_folder() {
        assert_eq!(slug("../../etc/passwd"), "______etc_passwd");
        assert_eq!(slug(""), "server");
        assert_eq!(slug(&"x".repeat(500)).len(), NAME_CHARACTERS);
    }
}
