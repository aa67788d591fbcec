//! To whom the door opens: one credential for each client, of which only the digest is kept (0600).

use crate::door::credential::Credential;
use platform::Layout;
use platform::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const LARGEST: u64 = 1024 * 1024;
const LONGEST_NAME: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is no list of clients: {source}", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("`{0}` has a credential already; revoke it first, and the client is let in no more")]
    Known(String),
    #[error("no client `{0}` has a credential")]
    Unknown(String),
    #[error("`{0}` is no name for a client: 1 to 64 letters, digits, dots, dashes and underscores")]
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub name: String,
    pub digest: [u8; 32],
    pub since_ms: i64,
}

/// # Errors
/// The list cannot be read.
pub fn read(layout: &Layout) -> Result<Vec<Client>, ClientsError> {
    let path = path(layout);
    match files::read_bounded(&path, LARGEST) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|source| ClientsError::Malformed { path, source })
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Reads the list anew where its file has changed since it last did; one that cannot be read tells nothing.
pub fn newer(layout: &Layout) -> impl Fn() -> Option<Vec<Client>> + use<> {
    let (layout, seen) = (layout.clone(), Cell::new(None));
    move || {
        // Before it is read: what is written in between is another state.
        let state = state(&path(&layout))?;
        if seen.get() == Some(state) {
            return None;
        }
        let clients = read(&layout).ok()?;
        seen.set(Some(state));
        Some(clients)
    }
}

/// By which one state of a file is told from the next.
fn state(path: &Path) -> Option<(SystemTime, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Makes a client's credential. It is told here, and nowhere again.
///
/// # Errors
/// The client has one, or the list cannot be changed.
pub fn grant(layout: &Layout, name: &str, now_ms: i64) -> Result<Credential, ClientsError> {
    let fit = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fit) {
        return Err(ClientsError::Name(name.to_owned()));
    }
    let mut clients = read(layout)?;
    if clients.iter().any(|client| client.name == name) {
        return Err(ClientsError::Known(name.to_owned()));
    }
    let credential = Credential::make();
    clients.push(Client { name: name.to_owned(), digest: credential.digest(), since_ms: now_ms });
    write(layout, &clients)?;
    Ok(credential)
}

/// # Errors
/// The client has none, or the list cannot be changed.
pub fn revoke(layout: &Layout, name: &str) -> Result<(), ClientsError> {
    let mut clients = read(layout)?;
    let before = clients.len();
    clients.retain(|client| client.name != name);
    if clients.len() == before {
        return Err(ClientsError::Unknown(name.to_owned()));
    }
    write(layout, &clients)
}

fn write(layout: &Layout, clients: &[Client]) -> Result<(), ClientsError> {
    let path = path(layout);
    files::private_folder(&super::folder(layout))?;
    let text = serde_json::to_vec(clients)
        .map_err(|source| ClientsError::Malformed { path: path.clone(), source })?;
    Ok(files::replace_private(&path, &text)?)
}

/// Where they are listed. Unenrolling removes it: they were let in for a member who may not be the next one.
pub fn path(layout: &Layout) -> PathBuf {
    super::folder(layout).join("clients.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_granted_once_and_only_its_digest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(folder.path()).unwrap();
        let credential = grant(&layout, "desktop", 1).unwrap();
        assert!(matches!(grant(&layout, "desktop", 2), Err(ClientsError::Known(_))));
        assert_eq!(read(&layout).unwrap()[0].digest, credential.digest());
        let kept = std::fs::read_to_string(path(&layout)).unwrap();
        assert!(!kept.contains(credential.reveal()), "{kept}");
        assert_eq!(files::mode_of_others(&path(&layout)).unwrap(), None);
        revoke(&layout, "desktop").unwrap();
        assert!(matches!(revoke(&layout, "desktop"), Err(ClientsError::Unknown(_))));
        for name in ["", "a b", "../x", &"x".repeat(65)] {
            assert!(matches!(grant(&layout, name, 1), Err(ClientsError::Name(_))), "{name}");
        }
    }

    #[test]
    fn the_list_is_read_anew_after_a_change_and_not_for_every_guess() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(folder.path()).unwrap();
        let newer = newer(&layout);
        assert_eq!(newer(), None, "nobody was ever let in");
        let told = |name: &str| {
            grant(&layout, name, 1).unwrap();
            newer().map(|clients| clients.len())
        };
        assert_eq!((told("one"), told("two")), (Some(1), Some(2)));
        assert_eq!(newer(), None);
        std::fs::write(path(&layout), "no list").unwrap();
        assert_eq!(newer(), None);
        write(&layout, &[]).unwrap();
        assert_eq!(newer(), Some(Vec::new()));
    }
}
