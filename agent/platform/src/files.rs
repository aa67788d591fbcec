//! Files that other people must not be able to bend: atomic replacement, private creation, and the
//! check of who owns what we are about to believe.
//!
//! Knows nothing of what is in the files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What could not be done to which file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// Trusting it would let somebody else speak for the administrator.
    #[error("{} is not trusted: {rule}", path.display())]
    Untrusted { path: PathBuf, rule: String },
    #[error("{} is larger than the {limit} bytes that are read", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
}

impl FileError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }

    /// The file was simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Who may own, and so decide the contents of, a file that we act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The machine's administrator: root, SYSTEM.
    Administrator,
    /// The administrator or the user we run as.
    AdministratorOrSelf,
}

/// Replaces a file's contents so that a reader, or a crash, sees either the old or the new bytes.
/// Mode and (where we may) owner stay; a symlink is followed to its target and stays a symlink; a
/// new file is made with mode 0600.
///
/// # Errors
/// Nothing was changed.
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    replace_as(path, contents, None)
}

/// As [`replace`], and the file is readable by its owner only, whatever it was before.
///
/// # Errors
/// Nothing was changed.
pub fn replace_private(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    replace_as(path, contents, Some(0o600))
}

/// As [`replace`], and every user may read the file: policy and identity in a system-wide layout.
///
/// # Errors
/// Nothing was changed.
pub fn replace_shared(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    replace_as(path, contents, Some(0o644))
}

fn replace_as(path: &Path, contents: &[u8], mode: Option<u32>) -> Result<(), FileError> {
    let target = os::resolve(path).map_err(FileError::io("find", path))?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    let present = match fs::metadata(&target) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(FileError::io("read", &target)(error)),
    };
    let mut next = tempfile::Builder::new()
        .prefix(".portreeve-")
        .tempfile_in(folder)
        .map_err(FileError::io("write in", folder))?;
    next.write_all(contents).map_err(FileError::io("write", &target))?;
    os::dress(next.as_file(), present.as_ref(), mode).map_err(FileError::io("set the mode of", &target))?;
    next.as_file().sync_all().map_err(FileError::io("flush", &target))?;
    next.persist(&target).map_err(|error| FileError::io("replace", &target)(error.error))?;
    os::sync_folder(folder).map_err(FileError::io("flush", folder))
}

/// Makes a new file that only its owner reads; fails if anything is there already.
///
/// # Errors
/// The file exists or cannot be made.
pub fn create_private(path: &Path) -> Result<File, FileError> {
    os::private_options().create_new(true).write(true).open(path).map_err(FileError::io("create", path))
}

/// Opens (or makes, mode 0600) a file that can only grow; a symlink in its place is refused.
///
/// # Errors
/// The file cannot be opened, or is a symlink.
pub fn append_private(path: &Path) -> Result<File, FileError> {
    os::private_options().create(true).append(true).open(path).map_err(FileError::io("append to", path))
}

/// Makes the file (empty) where it is not there yet, and closes one that is there to everybody but its
/// owner. For files that a library opens by their path.
///
/// # Errors
/// It cannot be made or closed, or is no plain file.
pub fn make_private(path: &Path) -> Result<(), FileError> {
    match os::private_options().create_new(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(path),
        Err(error) => Err(FileError::io("create", path)(error)),
    }
}

/// Closes a file to everybody but its owner; one that is not there is well.
///
/// # Errors
/// It cannot be closed, or is no plain file.
pub fn tighten(path: &Path) -> Result<(), FileError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::io("read", path)(error)),
    };
    if !found.is_file() {
        let rule = "it is no plain file".to_owned();
        return Err(FileError::Untrusted { path: path.to_path_buf(), rule });
    }
    match os::mode_of_others(&found) {
        Some(_) => os::close_to_others(path).map_err(FileError::io("set the mode of", path)),
        None => Ok(()),
    }
}

/// The mode of a file that others than its owner may read or write; `None` where they may not, and
/// where modes say nothing.
///
/// # Errors
/// It cannot be looked at.
pub fn mode_of_others(path: &Path) -> Result<Option<u32>, FileError> {
    let found = fs::symlink_metadata(path).map_err(FileError::io("read", path))?;
    Ok(os::mode_of_others(&found))
}

/// Makes a folder (and those above it) that only we enter; one that is there must be ours, and is
/// closed to others.
///
/// # Errors
/// It cannot be made, is not a folder, or is somebody else's.
pub fn private_folder(path: &Path) -> Result<(), FileError> {
    os::folder(path, 0o700)
}

/// Makes a folder that everybody reads and only we write.
///
/// # Errors
/// It cannot be made, is not a folder, or is somebody else's.
pub fn shared_folder(path: &Path) -> Result<(), FileError> {
    os::folder(path, 0o755)
}

/// Reads a file of at most `limit` bytes; never waits on a pipe or a device in its place.
///
/// # Errors
/// It cannot be read, is no plain file, or is larger.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = os::open_plain(path, true).map_err(FileError::io("read", path))?;
    read_open(file, path, limit)
}

/// Reads a file that is obeyed: no symlink, and neither it nor its folder writable by anybody but
/// `owner`. What was checked is what is read (one open file, no second look at the path).
///
/// # Errors
/// The rule that failed, or it cannot be read.
pub fn read_trusted(path: &Path, owner: Owner, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = os::open_plain(path, false).map_err(|source| {
        if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
            FileError::Untrusted { path: path.to_path_buf(), rule: "it is a symlink".into() }
        } else {
            FileError::io("read", path)(source)
        }
    })?;
    let metadata = file.metadata().map_err(FileError::io("read", path))?;
    os::check_owner(path, &metadata, owner)?;
    if let Some(folder) = path.parent() {
        let metadata = fs::symlink_metadata(folder).map_err(FileError::io("read", folder))?;
        os::check_owner(folder, &metadata, owner)?;
    }
    read_open(file, path, limit)
}

fn read_open(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_path_buf(), limit });
    }
    Ok(bytes)
}

#[cfg(unix)]
mod os {
    use super::{File, FileError, Owner, Path, PathBuf, fs, io};
    use rustix::fs::{Mode, OFlags};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};

    /// The end of a chain of symlinks, also where nothing is there yet.
    pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
        let mut at = path.to_path_buf();
        for _ in 0..40 {
            let Ok(next) = fs::read_link(&at) else {
                let folder =
                    at.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let name = at.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                return Ok(folder.canonicalize()?.join(name));
            };
            at = at.parent().unwrap_or(Path::new("/")).join(next);
        }
        Err(io::Error::other("too many symlinks"))
    }

    pub(super) fn dress(file: &File, present: Option<&fs::Metadata>, mode: Option<u32>) -> io::Result<()> {
        if let Some(present) = present {
            let ours = file.metadata()?;
            if (ours.uid(), ours.gid()) != (present.uid(), present.gid()) {
                let (user, group) =
                    (rustix::fs::Uid::from_raw(present.uid()), rustix::fs::Gid::from_raw(present.gid()));
                // Only root gives files away; whoever may write the folder may still replace the file.
                let _ = rustix::fs::fchown(file, Some(user), Some(group));
            }
        }
        let kept = present.map(|present| present.mode() & 0o7777);
        let mode = mode.or(kept).unwrap_or(0o600);
        file.set_permissions(fs::Permissions::from_mode(mode))
    }

    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    pub(super) fn private_options() -> fs::OpenOptions {
        let mut options = fs::OpenOptions::new();
        options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        options
    }

    pub(super) fn mode_of_others(found: &fs::Metadata) -> Option<u32> {
        (found.mode() & 0o077 != 0).then_some(found.mode() & 0o7777)
    }

    pub(super) fn close_to_others(path: &Path) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    }

    pub(super) fn folder(path: &Path, mode: u32) -> Result<(), FileError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .map_err(FileError::io("create", path))?;
        let found = fs::symlink_metadata(path).map_err(FileError::io("read", path))?;
        let untrusted = |rule: &str| FileError::Untrusted { path: path.to_path_buf(), rule: rule.into() };
        if !found.is_dir() {
            return Err(untrusted("it is a symlink or no folder"));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(untrusted("it belongs to another user"));
        }
        if found.mode() & 0o777 != mode {
            let tightened = fs::Permissions::from_mode(mode);
            fs::set_permissions(path, tightened).map_err(FileError::io("set the mode of", path))?;
        }
        Ok(())
    }

    /// `NONBLOCK` only so that opening a pipe in the file's place returns.
    pub(super) fn open_plain(path: &Path, follow: bool) -> io::Result<File> {
        let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        if !follow {
            flags |= OFlags::NOFOLLOW;
        }
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        Ok(file)
    }

    /// A group with its owner's number is that user's private one: where each user has one, every new
    /// file is writable for it.
    fn others_write(metadata: &fs::Metadata) -> u32 {
        if metadata.gid() == metadata.uid() { 0o002 } else { 0o022 }
    }

    pub(super) fn check_owner(path: &Path, metadata: &fs::Metadata, owner: Owner) -> Result<(), FileError> {
        let ourselves = rustix::process::geteuid().as_raw();
        let trusted = match owner {
            Owner::Administrator => metadata.uid() == 0,
            Owner::AdministratorOrSelf => metadata.uid() == 0 || metadata.uid() == ourselves,
        };
        let rule = if !trusted {
            format!("it belongs to user {}, not to the administrator", metadata.uid())
        } else if metadata.mode() & others_write(metadata) != 0 {
            format!("others may write it (mode {:04o})", metadata.mode() & 0o7777)
        } else {
            return Ok(());
        };
        Err(FileError::Untrusted { path: path.to_path_buf(), rule })
    }
}

#[cfg(windows)]
mod os {
    use super::{File, FileError, Owner, Path, PathBuf, fs, io};

    pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
        match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(path),
            found => found,
        }
    }

    /// A file in a user's or the service's own folder takes the folder's access list.
    #[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
    pub(super) fn dress(_: &File, _: Option<&fs::Metadata>, _: Option<u32>) -> io::Result<()> {
        Ok(())
    }

    /// NTFS journals the rename; a folder cannot be flushed.
    #[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
    pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn private_options() -> fs::OpenOptions {
        fs::OpenOptions::new()
    }

    /// Who may read a file here is its folder's access list's to say.
    pub(super) fn mode_of_others(_: &fs::Metadata) -> Option<u32> {
        None
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
    pub(super) fn close_to_others(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn folder(path: &Path, _mode: u32) -> Result<(), FileError> {
        fs::create_dir_all(path).map_err(FileError::io("create", path))
    }

    pub(super) fn open_plain(path: &Path, follow: bool) -> io::Result<File> {
        if !follow && fs::symlink_metadata(path)?.is_symlink() {
            return Err(io::Error::other("it is a symlink"));
        }
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        Ok(file)
    }

    /// The managed profile is in the registry here, which has its own access rules; files are only
    /// read in trials and in the user's own layout.
    #[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
    pub(super) fn check_owner(_: &Path, _: &fs::Metadata, _: Owner) -> Result<(), FileError> {
        Ok(())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn replacing_keeps_the_mode() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("f");
        fs::write(&file, "old").unwrap();
        for kept in [0o644, 0o600, 0o664] {
            set_mode(&file, kept);
            replace(&file, b"new").unwrap();
            assert_eq!((mode(&file), fs::read(&file).unwrap()), (kept, b"new".to_vec()));
        }
        replace_private(&file, b"secret").unwrap();
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn replacing_follows_a_symlink_and_leaves_it_one() {
        let scratch = tempfile::tempdir().unwrap();
        let (target, link) = (scratch.path().join("dotfiles"), scratch.path().join("link"));
        symlink("dotfiles", &link).unwrap();
        for contents in ["the target is made", "the target is replaced"] {
            replace(&link, contents.as_bytes()).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&target).unwrap(), contents);
        }
    }

    #[test]
    fn replacing_in_a_circle_of_symlinks_ends() {
        let scratch = tempfile::tempdir().unwrap();
        symlink("b", scratch.path().join("a")).unwrap();
        symlink("a", scratch.path().join("b")).unwrap();
        assert!(replace(&scratch.path().join("a"), b"x").is_err());
    }

    #[test]
    fn a_planted_symlink_is_not_appended_to() {
        let scratch = tempfile::tempdir().unwrap();
        symlink("victim", scratch.path().join("segment")).unwrap();
        assert!(append_private(&scratch.path().join("segment")).is_err());
        assert!(create_private(&scratch.path().join("segment")).is_err());
        assert!(!scratch.path().join("victim").exists());
    }

    #[test]
    fn a_private_file_is_made_or_closed_and_a_symlink_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("db");
        make_private(&file).unwrap();
        assert_eq!((mode(&file), mode_of_others(&file).unwrap()), (0o600, None));
        fs::write(&file, "kept").unwrap();
        set_mode(&file, 0o644);
        assert_eq!(mode_of_others(&file).unwrap(), Some(0o644));
        make_private(&file).unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"kept".to_vec()));
        symlink("db", scratch.path().join("link")).unwrap();
        assert!(make_private(&scratch.path().join("link")).is_err());
        tighten(&scratch.path().join("absent")).unwrap();
    }

    #[test]
    fn a_trusted_file_is_read_and_the_failed_rule_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("managed.json");
        fs::write(&file, "{}").unwrap();
        set_mode(&file, 0o644);
        let read = |path: &Path| read_trusted(path, Owner::AdministratorOrSelf, 10);
        assert_eq!(read(&file).unwrap(), b"{}");

        // Our private group may write it, another group may not.
        let ourselves = rustix::process::geteuid().as_raw();
        set_mode(&file, 0o664);
        if std::os::unix::fs::chown(&file, None, Some(ourselves)).is_ok() {
            assert_eq!(read(&file).unwrap(), b"{}");
        }
        if ourselves == 0 {
            std::os::unix::fs::chown(&file, None, Some(1)).unwrap();
            assert!(read(&file).unwrap_err().to_string().contains("others may write it (mode 0664)"));
        }

        set_mode(&file, 0o666);
        assert!(read(&file).unwrap_err().to_string().contains("others may write it (mode 0666)"));
        set_mode(&file, 0o644);

        let link = scratch.path().join("link");
        symlink(&file, &link).unwrap();
        assert!(read(&link).unwrap_err().to_string().contains("symlink"));

        fs::write(&file, "more than ten bytes").unwrap();
        assert!(matches!(read(&file), Err(FileError::TooLarge { limit: 10, .. })));
        assert!(read(&scratch.path().join("absent")).unwrap_err().is_not_found());

        set_mode(scratch.path(), 0o777);
        assert!(read(&file).unwrap_err().to_string().contains("others may write it (mode 0777)"));
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_does_not_hang_the_reader() {
        let scratch = tempfile::tempdir().unwrap();
        let pipe = scratch.path().join("managed.json");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(read_bounded(&pipe, 10).unwrap_err().to_string().contains("no plain file"));
    }

    #[test]
    fn a_folder_left_open_is_closed_and_a_symlink_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("open");
        fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o777);
        private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        symlink(&folder, scratch.path().join("link")).unwrap();
        assert!(private_folder(&scratch.path().join("link")).is_err());
    }
}
