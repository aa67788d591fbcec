//! The record on this disk: the log, room for more, and what dead guards left.

use super::Check;
use crate::audit::spool;
use crate::resident::sweep;
use crate::trials;
use platform::Layout;
use platform::files;
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
    checks.push(privacy(layout));
    checks
}

/// What holds arguments or unlocks something is its owner's alone to read.
fn privacy(layout: &Layout) -> Check {
    const NAME: &str = "private files";
    let mut secrets = vec![layout.device_key()];
    for suffix in ["", "-wal", "-shm"] {
        let mut log = layout.spool().into_os_string();
        log.push(suffix);
        secrets.push(log.into());
    }
    secrets.extend(sweep::segments(&layout.guard_spool));
    secrets.extend(sweep::segments(&trials::records(layout)));
    let open = |path: PathBuf| Some((files::mode_of_others(&path).ok()??, path));
    let open: Vec<(u32, PathBuf)> = secrets.into_iter().filter_map(open).collect();
    let Some((mode, first)) = open.first() else {
        return Check::well(NAME, "the log, the device key and guards' segments are their owner's alone");
    };
    let more = if open.len() > 1 { format!(", and {} more", open.len() - 1) } else { String::new() };
    let all: Vec<String> = open.iter().map(|(_, path)| format!("'{}'", path.display())).collect();
    Check::failed(
        NAME,
        format!("other users may read {} (mode {mode:04o}){more}", first.display()),
        format!("chmod 600 {}", all.join(" ")),
    )
}

fn log(layout: &Layout) -> Check {
    const NAME: &str = "audit log";
    match spool::glance(&layout.spool(), 0) {
        Ok(Some(glance)) if glance.not_as_written > 0 => Check::failed(
            NAME,
            format!("{} records on their way are not as they were written, or gone", glance.not_as_written),
            format!(
                "keep a copy of {} and tell your security team; `portreeve run` sets them aside and sends the rest",
                layout.spool().display()
            ),
        ),
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
        Err(error) => {
            Check::failed(name, format!("{}: {error}", folder.display()), room_remedy(error.kind(), folder))
        }
    }
}

fn room_remedy(kind: ErrorKind, folder: &Path) -> String {
    let folder = folder.display();
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk".to_owned(),
        ErrorKind::NotADirectory => {
            format!("move away what lies in the place of the folder {folder}; it is made anew")
        }
        ErrorKind::ReadOnlyFilesystem => format!("let the disk of {folder} be written"),
        _ => format!("find out why nothing can be written to {folder}; the disk may be damaged"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::spool::{Owner, Spool};
    use crate::commands::doctor::Standing;

    #[test]
    fn a_log_that_others_may_read_or_somebody_altered_is_a_failure_with_its_remedy() {
        let scratch = tempfile::tempdir().unwrap();
        let layout = Layout::under(scratch.path()).unwrap();
        layout.create().unwrap();
        let owner = Owner { member: "alice".to_owned(), device: "d".to_owned() };
        drop(Spool::open(&layout.spool(), owner).unwrap());
        assert_eq!((log(&layout).standing, privacy(&layout).standing), (Standing::Well, Standing::Well));

        let db = rusqlite::Connection::open(layout.spool()).unwrap();
        let forged = "INSERT INTO record VALUES (1, x'01', x'02', 1, x'03', '{}')";
        db.execute(forged, []).unwrap();
        drop(db);
        let check = log(&layout);
        assert!(check.detail.starts_with("1 records on their way are not as"), "{check:?}");
        assert!(check.remedy.unwrap().contains("tell your security team"));

        let bytes = std::fs::read(layout.spool()).unwrap();
        files::replace_shared(&layout.spool(), &bytes).unwrap();
        let check = privacy(&layout);
        assert!(check.detail.ends_with("(mode 0644)"), "{check:?}");
        assert!(check.remedy.unwrap().starts_with("chmod 600 "));
    }

    #[test]
    fn what_lies_in_a_folders_place_is_not_a_full_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("guard-spool");
        std::fs::write(&place, "").unwrap();
        let check = room("room for guards", &place);
        assert_eq!(check.standing, Standing::Failed, "{check:?}");
        assert!(check.remedy.unwrap().starts_with("move away"));
        assert_eq!(room_remedy(ErrorKind::StorageFull, &place), "make room on the disk");
        assert_eq!(room("room for the log", scratch.path()).standing, Standing::Well);
    }
}
