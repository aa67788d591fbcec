//! Access lists are the folders' affair here; what is left is little.

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
