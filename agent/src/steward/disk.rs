//! Every touch of the disk that changes something, in the few steps a crash can fall between.
//!
//! A trait, so that tests can die at each step or find the disk read-only.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use platform::files::{FileError, append_private, create_private, replace_private};

pub trait Disk: Send + Sync {
    /// Makes a folder; fails if anything is there.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Appends to a file only we read, and flushes it.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes or replaces a file only we read, and flushes it.
    fn keep(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes a new file with the permissions of `like`, and flushes it.
    fn write_beside(&self, path: &Path, like: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Puts a file in the place of another, and flushes the folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
}

/// The real one.
#[derive(Debug, Clone, Copy)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = append_private(path).map_err(plain)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn keep(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        replace_private(path, bytes).map_err(plain)
    }

    fn write_beside(&self, path: &Path, like: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = create_private(path).map_err(plain)?;
        file.write_all(bytes)?;
        fs::set_permissions(path, fs::metadata(like)?.permissions())?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        // Not every system can flush a folder; those that cannot journal the rename themselves.
        if let Some(folder) = to.parent().and_then(|folder| fs::File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

fn plain(error: FileError) -> io::Error {
    match error {
        FileError::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}
