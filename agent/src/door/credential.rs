//! Who may come in: one unguessable credential for each client. Only digests are held, compared in
//! constant time, and nothing here is ever printed.

use platform::files::{self, FileError};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

const LONGEST: u64 = 4096;
const SHORTEST: usize = 16;

/// A secret that a client shows.
pub struct Credential(Zeroizing<String>);

#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "{} may be read by others (mode {mode:03o}); make it its owner's alone (chmod 600), and choose a new credential",
        path.display()
    )]
    Open { path: PathBuf, mode: u32 },
    #[error("{} holds no credential: one line of at least {SHORTEST} printable characters is needed", .0.display())]
    Unusable(PathBuf),
}

impl Credential {
    /// 244 bits of the system's randomness.
    pub fn make() -> Self {
        let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
        Self(Zeroizing::new(format!("prv_{}{}", a.simple(), b.simple())))
    }

    /// From a file that its owner alone may read.
    ///
    /// # Errors
    /// See [`CredentialError`].
    pub fn read(path: &Path) -> Result<Self, CredentialError> {
        if let Some(mode) = files::mode_of_others(path)? {
            return Err(CredentialError::Open { path: path.to_owned(), mode });
        }
        let text = Zeroizing::new(String::from_utf8_lossy(&files::read_bounded(path, LONGEST)?).into_owned());
        let line = text.trim();
        if line.len() < SHORTEST || !line.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::Unusable(path.to_owned()));
        }
        Ok(Self(Zeroizing::new(line.to_owned())))
    }

    /// The one place where it is told: to its client's owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Who somebody at the door is: the name of their credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller(pub Rc<str>);

/// Whom the door lets in. May change while it is open.
pub enum Admitted {
    /// Nobody is asked.
    Anybody,
    Holders(RefCell<Vec<(Caller, [u8; 32])>>),
}

impl Admitted {
    pub fn holders<'a>(credentials: impl IntoIterator<Item = (&'a str, &'a Credential)>) -> Self {
        let held =
            credentials.into_iter().map(|(name, credential)| (Caller(name.into()), credential.digest()));
        Self::Holders(RefCell::new(held.collect()))
    }

    /// Others are let in from here on.
    pub fn replace(&self, holders: impl IntoIterator<Item = (Caller, [u8; 32])>) {
        if let Self::Holders(held) = self {
            *held.borrow_mut() = holders.into_iter().collect();
        }
    }

    /// Does that caller still hold a credential?
    pub fn knows(&self, caller: &Caller) -> bool {
        match self {
            Self::Anybody => true,
            Self::Holders(held) => held.borrow().iter().any(|(holder, _)| holder == caller),
        }
    }

    /// Whose this is; every one is compared, and none faster for being nearer.
    pub fn caller(&self, shown: Option<&[u8]>) -> Option<Caller> {
        let holders = match self {
            Self::Anybody => return Some(Caller("anybody".into())),
            Self::Holders(holders) => holders.borrow(),
        };
        let shown: [u8; 32] = Sha256::digest(shown?).into();
        let found =
            holders.iter().fold(
                None,
                |found, (caller, digest)| {
                    if bool::from(digest.ct_eq(&shown)) { Some(caller) } else { found }
                },
            );
        found.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_credential_opens_and_says_whose_it_is() {
        let (desktop, other) = (Credential::make(), Credential::make());
        let admitted = Admitted::holders([("desktop", &desktop), ("other", &other)]);
        let whose = |text: &str| admitted.caller(Some(text.as_bytes())).map(|caller| caller.0.to_string());
        assert_eq!(whose(desktop.reveal()).as_deref(), Some("desktop"));
        assert_eq!(whose(other.reveal()).as_deref(), Some("other"));
        let short = &desktop.reveal()[..desktop.reveal().len() - 1];
        for wrong in ["", "prv_", short, &format!("{} ", desktop.reveal())] {
            assert_eq!(whose(wrong), None);
        }
        assert_eq!(admitted.caller(None), None);
    }

    #[test]
    fn a_credential_is_never_printed_and_never_the_same() {
        let credential = Credential::make();
        assert_eq!(format!("{credential:?}"), "[redacted]");
        assert_ne!(credential.reveal(), Credential::make().reveal());
        assert_eq!(credential.reveal().len(), 4 + 64);
    }

    #[test]
    fn a_file_with_less_than_a_credential_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for text in ["", "short", "with spaces in the middle of it", "ümläute-sind-nicht-gut-hier"] {
            files::replace_private(&path, text.as_bytes()).unwrap();
            assert!(matches!(Credential::read(&path), Err(CredentialError::Unusable(_))), "{text}");
        }
        files::replace_private(&path, b"0123456789abcdef\n").unwrap();
        assert_eq!(Credential::read(&path).unwrap().reveal(), "0123456789abcdef");
    }
}
