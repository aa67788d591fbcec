//! The data folder: who may read it, who holds it, and what is where.
//!
//! | file | what |
//! |---|---|
//! | `portreeve.sqlite` | the database |
//! | `keys/` | the certificate authority, and the roles that sign policy |
//! | `admin.token` | by which the command line here talks to the running server |
//! | `running.json` | where the running server listens |
//! | `lock` | held by the running server |

use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use url::Url;

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("another policy server runs on {0}; stop it first, or use another --data folder")]
    Held(PathBuf),
    #[error("{0} cannot be used: {1}")]
    Unusable(PathBuf, io::Error),
    #[error("{0} is not the folder of a policy server: it has not been started there yet")]
    NotStarted(PathBuf),
}

/// The folder of one installation.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Held while the server runs; `None` for the command line.
    _lock: Option<File>,
}

/// Where the running server is found.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Running {
    pub public_url: Url,
    pub listening: SocketAddr,
    /// Its certificate is from its own authority.
    pub own_certificate: bool,
}

impl DataFolder {
    /// Makes the folder where it is not there, and holds it alone.
    pub fn lock(path: &Path) -> Result<Self, FolderError> {
        let unusable = |error| FolderError::Unusable(path.to_owned(), error);
        make_private(path).map_err(unusable)?;
        make_private(&path.join("keys")).map_err(unusable)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Held(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// The folder of a server that may be running.
    pub fn look(path: &Path) -> Result<Self, FolderError> {
        let folder = Self { path: path.to_owned(), _lock: None };
        if folder.database().exists() { Ok(folder) } else { Err(FolderError::NotStarted(path.to_owned())) }
    }

    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("portreeve.sqlite")
    }

    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    #[must_use]
    pub fn admin_token(&self) -> Option<String> {
        std::fs::read_to_string(self.path.join("admin.token")).ok().map(|token| token.trim().to_owned())
    }

    pub(super) fn write_admin_token(&self, token: &str) -> Result<(), FolderError> {
        let file = self.path.join("admin.token");
        write_private(&file, token.as_bytes()).map_err(|error| FolderError::Unusable(file, error))
    }

    pub(super) fn note_running(&self, running: &Running) -> Result<(), FolderError> {
        let file = self.path.join("running.json");
        let text = serde_json::to_vec(running).map_err(io::Error::from);
        text.and_then(|text| write_private(&file, &text)).map_err(|error| FolderError::Unusable(file, error))
    }

    /// Where the server that holds the folder listens; `None` where nobody holds it.
    #[must_use]
    pub fn running(&self) -> Option<Running> {
        let lock = File::options().write(true).open(self.path.join("lock")).ok()?;
        if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            return None;
        }
        self.last_running()
    }

    /// Where the last server on this folder listened.
    #[must_use]
    pub fn last_running(&self) -> Option<Running> {
        serde_json::from_slice(&std::fs::read(self.path.join("running.json")).ok()?).ok()
    }
}

/// Makes a folder that only its owner enters; one that is there already is closed to others.
fn make_private(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Writes a file that only its owner reads, whole or not at all.
pub(crate) fn write_private(file: &Path, contents: &[u8]) -> io::Result<()> {
    use io::Write as _;
    let folder = file.parent().unwrap_or(Path::new("."));
    // Temporary files are made readable by their owner alone.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(contents)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}
