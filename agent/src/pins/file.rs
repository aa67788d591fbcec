//! One file for each server, named by its identity's digest, and an index of whose tools are called
//! what. Files are replaced whole; who writes holds the folder's lock.

use super::book::{Entry, ServerPins};
use crate::shell::quoted;
use platform::files::{self, FileError};
use platform::layout::Kind;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub const INDEX: &str = "names.json";
const LOCK: &str = ".lock";
const FORMAT: u32 = 1;
const LARGEST: u64 = 64 * 1024 * 1024;

/// Why pins cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} holds no pins: {why}; `portreeve pins forget --server {}` begins anew", path.display(), server.as_deref().map_or_else(|| "SERVER".to_owned(), quoted))]
    Malformed {
        path: PathBuf,
        /// Whose they should be, where that is known.
        server: Option<String>,
        why: String,
    },
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("pins of more than {0} servers are not kept; `portreeve pins forget` makes room")]
    TooMany(usize),
    #[error("pins cannot be written as JSON: {0}")]
    Shape(#[from] serde_json::Error),
}

#[derive(Serialize, Deserialize)]
struct Contents {
    format: u32,
    identity: String,
    pins: Vec<Entry>,
    /// When somebody last had something of it forgotten.
    #[serde(default, skip_serializing_if = "was_never")]
    forgotten_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn was_never(at_ms: &i64) -> bool {
    *at_ms == 0
}

/// A name that any file system takes, for a name of anybody's making.
pub fn name_for(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

pub fn path(folder: &Path, server: &str) -> PathBuf {
    folder.join(name_for(server)).with_extension("json")
}

/// Nothing where there is no file.
pub fn read(folder: &Path, server: &str) -> Result<ServerPins, PinError> {
    let path = path(folder, server);
    let Some(contents) = contents(&path, Some(server))? else { return Ok(ServerPins::default()) };
    if contents.identity != server {
        let why = format!("it is about {:?}", contents.identity);
        return Err(PinError::Malformed { path, server: Some(server.to_owned()), why });
    }
    Ok(ServerPins::of(contents.pins, contents.forgotten_ms))
}

/// `server` is whose they should be, for the sentence where they are nobody's.
fn contents(path: &Path, server: Option<&str>) -> Result<Option<Contents>, PinError> {
    let bytes = match files::read_bounded(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let server = server.map(str::to_owned);
    let malformed = |why: String| PinError::Malformed { path: path.to_owned(), server: server.clone(), why };
    let contents: Contents = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    if contents.format != FORMAT {
        return Err(malformed(format!("its format is {}, and this version reads {FORMAT}", contents.format)));
    }
    Ok(Some(contents))
}

pub fn write(
    folder: &Path,
    kind: Kind,
    server: &str,
    pins: ServerPins,
    max_servers: usize,
) -> Result<(), PinError> {
    let mut index = index(folder).unwrap_or_default();
    if !index.contains_key(server) && index.len() >= max_servers {
        return Err(PinError::TooMany(max_servers));
    }
    let tools = pins.tools();
    let contents = Contents {
        format: FORMAT,
        identity: server.to_owned(),
        forgotten_ms: pins.forgotten_ms(),
        pins: pins.into_entries(),
    };
    replace(kind, &path(folder, server), &serde_json::to_vec(&contents)?)?;
    let known = index.get(server);
    if contents.pins.is_empty() {
        index.remove(server);
    } else if known != Some(&tools) {
        index.insert(server.to_owned(), tools);
    } else {
        return Ok(());
    }
    Ok(replace(kind, &folder.join(INDEX), &serde_json::to_vec(&index)?)?)
}

fn replace(kind: Kind, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match kind {
        Kind::System => files::replace_shared(path, bytes),
        Kind::User | Kind::Root => files::replace_private(path, bytes),
    }
}

/// Whose tools are called what; `None` where that cannot be read, and is to be made anew.
pub fn index(folder: &Path) -> Option<BTreeMap<String, Vec<String>>> {
    let bytes = files::read_bounded(&folder.join(INDEX), LARGEST).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// One file, and what it holds.
#[derive(Debug)]
pub struct Found {
    pub path: PathBuf,
    pub pinned: Result<(String, ServerPins), PinError>,
}

pub fn all(folder: &Path) -> Result<Vec<Found>, PinError> {
    let found = match std::fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(PinError::Folder { path: folder.to_owned(), source }),
    };
    let mut paths: Vec<PathBuf> =
        found.flatten().map(|entry| entry.path()).filter(|path| is_pins(path)).collect();
    paths.sort();
    let index = index(folder).unwrap_or_default();
    let read = |path: PathBuf| {
        let whose = index.keys().find(|server| self::path(folder, server) == path);
        let pinned = contents(&path, whose.map(String::as_str)).transpose()?;
        let pinned = pinned.map(|it| (it.identity, ServerPins::of(it.pins, it.forgotten_ms)));
        Some(Found { path, pinned })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

fn is_pins(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "json") && path.file_name().is_none_or(|name| name != INDEX)
}

/// Makes the folders, and holds the lock for as long as the file lives.
pub fn lock(root: &Path, folder: &Path, kind: Kind) -> Result<File, PinError> {
    for folder in [root, folder] {
        match kind {
            Kind::System => files::shared_folder(folder)?,
            Kind::User | Kind::Root => files::private_folder(folder)?,
        }
    }
    let path = folder.join(LOCK);
    let file = files::append_private(&path)?;
    file.lock().map_err(|source| PinError::Folder { path, source })?;
    Ok(file)
}
