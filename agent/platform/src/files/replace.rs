//! Atomic replacement.

use super::{FileError, os};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

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
