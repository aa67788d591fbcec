//! Files that other people must not be able to bend: atomic replacement, private creation, and the
//! check of who owns what we are about to believe.
//!
//! Knows nothing of what is in the files.

mod read;
mod replace;

#[cfg(unix)]
#[path = "files/unix.rs"]
mod os;
#[cfg(windows)]
#[path = "files/windows.rs"]
mod os;

#[cfg(unix)]
#[cfg(test)]
mod tests;

pub use read::{read_bounded, read_trusted};
pub use replace::{replace, replace_private, replace_shared};

use std::fs::{self, File};
use std::io;
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
