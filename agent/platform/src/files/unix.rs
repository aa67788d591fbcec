//! Modes, owners and symlinks.

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
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(FileError::io("create", path))?;
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
