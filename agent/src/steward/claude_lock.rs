//! Claude's own lock around `~/.claude.json`: a folder beside the file. Whoever could make it holds
//! it; one that has not been touched for ten seconds belonged to a process that is gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::disk::Disk;

/// How long to wait for a lock, and when it counts as left behind.
#[derive(Debug, Clone, Copy)]
pub struct LockTimes {
    pub wait: Duration,
    pub stale: Duration,
    pub poll: Duration,
}

impl Default for LockTimes {
    fn default() -> Self {
        // Claude itself waits about fourteen seconds, then takes over.
        Self {
            wait: Duration::from_secs(20),
            stale: Duration::from_secs(10),
            poll: Duration::from_millis(25),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is held by another process", path.display())]
    Held { path: PathBuf },
    #[error("{} cannot be made: {source}", path.display())]
    Unmakable { path: PathBuf, source: io::Error },
}

/// The lock, held until dropped.
pub struct ClaudeLock<'a> {
    path: PathBuf,
    made: Option<SystemTime>,
    disk: &'a dyn Disk,
}

impl<'a> ClaudeLock<'a> {
    /// # Errors
    /// Somebody holds it all the time, or the folder cannot be written.
    pub fn take(config: &Path, times: LockTimes, disk: &'a dyn Disk) -> Result<Self, LockError> {
        let path = lock_of(config);
        let deadline = Instant::now() + times.wait;
        loop {
            match disk.make_folder(&path) {
                Ok(()) => {
                    let made = touched(&path);
                    return Ok(Self { path, made, disk });
                }
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(LockError::Unmakable { path, source: error });
                }
                Err(_) if is_stale(&path, times.stale) => {
                    // Gone in between, or made anew by another: the next round tells.
                    let _ = disk.remove_folder(&path);
                }
                Err(_) if Instant::now() >= deadline => return Err(LockError::Held { path }),
                Err(_) => std::thread::sleep(times.poll),
            }
        }
    }

    /// Nobody took it over meanwhile.
    pub fn is_still_ours(&self) -> bool {
        self.made.is_some() && touched(&self.path) == self.made
    }
}

impl Drop for ClaudeLock<'_> {
    fn drop(&mut self) {
        if self.is_still_ours() {
            let _ = self.disk.remove_folder(&self.path);
        }
    }
}

/// Removes a lock that we held when we died.
pub fn clear_left_behind(config: &Path, stale: Duration, disk: &dyn Disk) {
    let path = lock_of(config);
    if is_stale(&path, stale) {
        let _ = disk.remove_folder(&path);
    }
}

fn lock_of(config: &Path) -> PathBuf {
    let mut path = config.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn touched(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn is_stale(path: &Path, stale: Duration) -> bool {
    touched(path)
        .is_some_and(|touched| SystemTime::now().duration_since(touched).is_ok_and(|age| age > stale))
}

#[cfg(test)]
mod tests {
    use super::super::disk::LocalDisk;
    use super::*;

    fn quick() -> LockTimes {
        LockTimes { wait: Duration::from_millis(60), poll: Duration::from_millis(5), ..LockTimes::default() }
    }

    #[test]
    fn a_held_lock_is_waited_for_and_then_reported() {
        let scratch = tempfile::tempdir().unwrap();
        let config = scratch.path().join(".claude.json");
        let held = ClaudeLock::take(&config, quick(), &LocalDisk).unwrap();
        assert!(matches!(ClaudeLock::take(&config, quick(), &LocalDisk), Err(LockError::Held { .. })));
        drop(held);
        assert!(ClaudeLock::take(&config, quick(), &LocalDisk).unwrap().is_still_ours());
        assert!(!scratch.path().join(".claude.json.lock").exists());
    }

    #[test]
    fn a_lock_left_behind_is_taken_over() {
        let scratch = tempfile::tempdir().unwrap();
        let config = scratch.path().join(".claude.json");
        fs::create_dir(scratch.path().join(".claude.json.lock")).unwrap();
        let times = LockTimes { stale: Duration::ZERO, ..quick() };
        std::thread::sleep(Duration::from_millis(2)); // the lock's age is what is tested
        assert!(ClaudeLock::take(&config, times, &LocalDisk).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_written_says_so() {
        let nowhere = Path::new("/dev/null/.claude.json");
        assert!(matches!(ClaudeLock::take(nowhere, quick(), &LocalDisk), Err(LockError::Unmakable { .. })));
    }
}
