//! Reading what may be large, in the way, or somebody else's.

use super::{FileError, Owner, os};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

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
    // What it says of its length is a hint and no more.
    let length = file.metadata().map_or(0, |metadata| metadata.len().min(limit));
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(limit + 1).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_path_buf(), limit });
    }
    Ok(bytes)
}
