//! The record on this disk: the log, room for more, and what dead guards left.

use super::Check;
use crate::audit::spool;
use crate::resident::sweep;
use platform::Layout;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Room for some thousand records.
const ROOM: usize = 4 * 1024 * 1024;
/// A running resident takes a dead guard's segment over much sooner.
const FORGOTTEN: Duration = Duration::from_secs(60);

pub(super) fn checks(layout: &Layout) -> Vec<Check> {
    let mut checks = vec![log(layout), room("room for the log", &layout.state)];
    if layout.guard_spool.exists() {
        checks.push(room("room for guards", &layout.guard_spool));
    }
    checks.push(segments(&layout.guard_spool));
    checks
}

fn log(layout: &Layout) -> Check {
    const NAME: &str = "audit log";
    match spool::glance(&layout.spool(), 0) {
        Ok(Some(glance)) => Check::well(NAME, format!("{} records on their way to the server", glance.depth)),
        Ok(None) => Check::skipped(NAME, "none yet"),
        Err(error) if error.to_string().contains("unable to open") => {
            Check::skipped(NAME, format!("not this user's to read: {error}"))
        }
        Err(error) => {
            Check::failed(NAME, error.to_string(), "portreeve run (it sets a damaged log aside and goes on)")
        }
    }
}

/// The only honest way to know is to write.
fn room(name: &'static str, folder: &Path) -> Check {
    let written = tempfile::tempfile_in(folder).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.sync_all()
    });
    match written {
        Ok(()) => Check::well(name, format!("{} can be written", folder.display())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Check::skipped(name, format!("{} is not this user's to write", folder.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Check::skipped(name, "not made yet"),
        Err(error) => Check::failed(name, format!("{}: {error}", folder.display()), "make room on the disk"),
    }
}

fn segments(folder: &Path) -> Check {
    const NAME: &str = "guards' segments";
    let damaged = damaged(folder);
    if let Some(first) = damaged.first() {
        let detail = format!("{} hold lines that are no records: {}", damaged.len(), first.display());
        return Check::failed(NAME, detail, "keep the files, and tell your security team");
    }
    let now = SystemTime::now();
    let forgotten = sweep::segments(folder).into_iter().filter(|path| is_forgotten(path, now)).count();
    if forgotten > 0 {
        let detail = format!("{forgotten} of guards that ended wait to be taken over");
        return Check::failed(NAME, detail, "portreeve run (it takes them over)");
    }
    Check::well(NAME, "none left behind")
}

fn is_forgotten(path: &Path, now: SystemTime) -> bool {
    let touched = path.metadata().and_then(|metadata| metadata.modified());
    let old = touched.is_ok_and(|touched| now.duration_since(touched).is_ok_and(|age| age > FORGOTTEN));
    old && std::fs::File::open(path).is_ok_and(|file| file.try_lock_shared().is_ok())
}

fn damaged(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "damaged")).collect()
}
