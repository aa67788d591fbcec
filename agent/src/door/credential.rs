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

/// Who somebody at the door is: the name of their credential; none where nobody is asked for one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller(pub Rc<str>);

/// Somebody with a credential, and its digest.
pub type Holder = (Caller, [u8; 32]);
/// Tells who holds one now, where that may have changed since it last told.
pub type Newer = Box<dyn Fn() -> Option<Vec<Holder>>>;

/// Whom the door lets in. May change while it is open.
pub enum Admitted {
    /// Nobody is asked.
    Anybody,
    Holders(Holders),
}

#[derive(Default)]
pub struct Holders {
    held: RefCell<Vec<Holder>>,
    newer: Option<Newer>,
}

impl Admitted {
    pub fn holders<'a>(credentials: impl IntoIterator<Item = (&'a str, &'a Credential)>) -> Self {
        let held =
            credentials.into_iter().map(|(name, credential)| (Caller(name.into()), credential.digest()));
        Self::Holders(Holders { held: RefCell::new(held.collect()), newer: None })
    }

    /// Nobody yet; whenever somebody comes, it is asked who holds one now.
    pub fn told_by(newer: Newer) -> Self {
        Self::Holders(Holders { newer: Some(newer), ..Holders::default() })
    }

    /// Others are let in from here on.
    pub fn replace(&self, holders: impl IntoIterator<Item = Holder>) {
        if let Self::Holders(Holders { held, .. }) = self {
            *held.borrow_mut() = holders.into_iter().collect();
        }
    }

    /// Does that caller still hold a credential?
    pub fn knows(&self, caller: &Caller) -> bool {
        match self {
            Self::Anybody => true,
            Self::Holders(Holders { held, .. }) => held.borrow().iter().any(|(holder, _)| holder == caller),
        }
    }

    /// Whose this is.
    pub fn caller(&self, shown: Option<&[u8]>) -> Option<Caller> {
        let Self::Holders(holders) = self else { return Some(Caller("".into())) };
        // Whose credential was revoked a moment ago is let in no more, and who was granted one is.
        if let Some(now) = holders.newer.as_ref().and_then(|newer| newer()) {
            *holders.held.borrow_mut() = now;
        }
        let shown: [u8; 32] = Sha256::digest(shown?).into();
        holders.whose(&shown)
    }
}

impl Holders {
    /// Every one is compared, and none faster for being nearer.
    fn whose(&self, shown: &[u8; 32]) -> Option<Caller> {
        let held = self.held.borrow();
        let found =
            held.iter().fold(
                None,
                |found, (caller, digest)| {
                    if bool::from(digest.ct_eq(shown)) { Some(caller) } else { found }
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
    fn what_was_granted_a_moment_ago_opens_and_a_miss_changes_nothing_else() {
        let (old, new) = (Credential::make(), Credential::make());
        let holder = |name: &str, credential: &Credential| (Caller(name.into()), credential.digest());
        let granted = Rc::new(RefCell::new(None));
        let told = Rc::clone(&granted);
        let admitted = Admitted::told_by(Box::new(move || told.borrow_mut().take()));
        admitted.replace([holder("old", &old)]);
        let whose = |shown: &Credential| {
            admitted.caller(Some(shown.reveal().as_bytes())).map(|caller| caller.0.to_string())
        };
        assert_eq!(whose(&new), None);
        assert_eq!(whose(&old).as_deref(), Some("old"), "nothing newer was told");
        granted.replace(Some(vec![holder("old", &old), holder("new", &new)]));
        assert_eq!(whose(&new).as_deref(), Some("new"));
        assert_eq!(whose(&old).as_deref(), Some("old"));
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
