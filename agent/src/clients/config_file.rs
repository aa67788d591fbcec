//! Bounded reading of configuration files: whatever lies in the place of one, an answer comes soon.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use platform::files::{FileError, read_bounded};

use super::config_text::{ConfigText, Malformed};

/// Far above any real configuration (a `~/.claude.json` with years of history has some megabytes).
pub const LARGEST: u64 = 64 * 1024 * 1024;

/// Why a configuration file cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    #[error("{}: {source}", path.display())]
    Malformed { path: PathBuf, source: Malformed },
    #[error("{} is no ordinary file; it is left alone", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is larger than {} MB; it is left alone", path.display(), LARGEST / 1024 / 1024)]
    TooLarge { path: PathBuf },
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

impl ConfigProblem {
    pub fn path(&self) -> &Path {
        match self {
            Self::Malformed { path, .. }
            | Self::NotAFile { path }
            | Self::TooLarge { path }
            | Self::Unreadable { path, .. } => path,
        }
    }
}

/// The file's bytes; `None` where there is no such file.
///
/// # Errors
/// It is a pipe, a device, a folder, too large, or cannot be read.
pub fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, ConfigProblem> {
    let path_owned = || path.to_owned();
    match fs::metadata(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => return Err(ConfigProblem::Unreadable { path: path_owned(), source }),
        Ok(metadata) if !metadata.is_file() => return Err(ConfigProblem::NotAFile { path: path_owned() }),
        Ok(_) => {}
    }
    match read_bounded(path, LARGEST) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::Io { source, .. }) if is_absent(&source) => Ok(None),
        Err(FileError::Io { source, .. }) => Err(ConfigProblem::Unreadable { path: path_owned(), source }),
        Err(FileError::TooLarge { .. }) => Err(ConfigProblem::TooLarge { path: path_owned() }),
        Err(FileError::Untrusted { rule, .. }) => {
            Err(ConfigProblem::Unreadable { path: path_owned(), source: io::Error::other(rule) })
        }
    }
}

/// The file as strict JSON; `None` where there is no such file.
///
/// # Errors
/// As [`read_bytes`], or it is malformed.
pub fn read_config(path: &Path) -> Result<Option<ConfigText>, ConfigProblem> {
    read_bytes(path)?.map(|bytes| parse_config(path, bytes)).transpose()
}

/// # Errors
/// It is malformed.
pub fn parse_config(path: &Path, bytes: Vec<u8>) -> Result<ConfigText, ConfigProblem> {
    ConfigText::parse(bytes).map_err(|source| ConfigProblem::Malformed { path: path.to_owned(), source })
}

/// A folder of the path may be missing, or be a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
