//! Where Portreeve's own files live.
//!
//! | file | who writes | what |
//! |---|---|---|
//! | `etc/managed.json` | MDM | the managed profile (Linux and trials; elsewhere see [`crate::managed`]) |
//! | `state/device/key.pem`, `cert.pem` | resident | the device key (0600) and certificate |
//! | `state/device/identity.json` | resident | device id, member, organisation, server |
//! | `state/policy/root.json` | enrolment | the trust anchor |
//! | `state/policy/adopted.json` | resident | the bundle in force |
//! | `state/policy/trusted/` | resident | version floors of the TUF workflow |
//! | `state/pins/` | resident (a guard in a trial) | what servers say their tools are, by the server's identity |
//! | `state/spool.sqlite` | resident | the audit log that is not upstream yet |
//! | `state/steward/` | steward | journal and originals of edited configurations ([`Layout::steward`]) |
//! | `run/resident.sock` | resident | the local socket |
//! | `guard_spool/RUN.jsonl` | guard | records the resident has not taken yet |
//! | `guard_spool/servers/` | guard | how each server stands, and the end of its stderr |

use crate::files::{self, FileError};
use crate::managed;
use std::path::{Path, PathBuf};

/// Whose installation this is; it decides who may read what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The whole machine's: a service writes, every user's guards read policy and speak to the socket.
    System,
    /// One user's own.
    User,
    /// Under a `--root`: a trial, a container, a test. One user's own as well.
    Root,
}

/// The folders of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub etc: PathBuf,
    pub state: PathBuf,
    pub run: PathBuf,
    pub guard_spool: PathBuf,
    /// The `--root` this layout was made from, to be handed on to guards; `None` for the machine's own.
    pub root: Option<PathBuf>,
    pub kind: Kind,
}

/// Why a layout cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// On a machine that IT manages, a private root would be a way around its policy.
    #[error("this machine is managed by your organisation ({}); --root is not taken here", managed.display())]
    Managed { managed: PathBuf },
    #[error("{} is not an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    #[error("no home folder is known for this user")]
    Homeless,
}

impl Layout {
    /// Everything under one folder: trials, containers, tests.
    ///
    /// # Errors
    /// The machine is managed, or the path is relative.
    pub fn under(root: &Path) -> Result<Self, Unusable> {
        Self::under_on(root, managed::of_machine())
    }

    fn under_on(root: &Path, managed: Option<PathBuf>) -> Result<Self, Unusable> {
        if let Some(managed) = managed {
            return Err(Unusable::Managed { managed });
        }
        if !root.is_absolute() {
            return Err(Unusable::NotAbsolute(root.to_path_buf()));
        }
        Ok(Self {
            etc: root.join("etc"),
            state: root.join("state"),
            run: root.join("run"),
            guard_spool: root.join("guard-spool"),
            root: Some(root.to_path_buf()),
            kind: Kind::Root,
        })
    }

    /// The machine's own: system-wide where a managed profile or an enrolment is there, else the user's own folders.
    ///
    /// # Errors
    /// No home folder.
    pub fn of_machine() -> Result<Self, Unusable> {
        let system = Self::system()?;
        if managed::of_machine().is_some() || system.identity().exists() {
            return Ok(system);
        }
        Self::user()
    }

    /// The system-wide layout, whether or not it is in use; the service that owns it asks for it by name.
    ///
    /// # Errors
    /// No home folder (for this user's guard spool).
    pub fn system() -> Result<Self, Unusable> {
        let folders = os::system_folders();
        Ok(Self {
            etc: folders.etc,
            state: folders.state,
            run: folders.run,
            guard_spool: Self::guard_spool_in(&home()?),
            root: None,
            kind: Kind::System,
        })
    }

    /// This user's own folders.
    ///
    /// # Errors
    /// No home folder.
    pub fn user() -> Result<Self, Unusable> {
        let home = home()?;
        let state = os::user_state(&home);
        Ok(Self {
            etc: os::user_etc(&home),
            run: state.join("run"),
            guard_spool: Self::guard_spool_in(&home),
            state,
            root: None,
            kind: Kind::User,
        })
    }

    /// Where the guards of the user with this home keep their segments (the resident of a whole
    /// machine sweeps them all).
    pub fn guard_spool_in(home: &Path) -> PathBuf {
        os::user_state(home).join("guard-spool")
    }

    /// Makes the resident's folders: readable by every user in the system layout (guards read the
    /// policy there), by nobody else otherwise. What is secret in them has its own mode.
    ///
    /// # Errors
    /// A folder cannot be made, or is somebody else's.
    pub fn create(&self) -> Result<(), FileError> {
        let shared: fn(&Path) -> Result<(), FileError> = match self.kind {
            Kind::System => files::shared_folder,
            Kind::User | Kind::Root => files::private_folder,
        };
        if let Some(root) = &self.root {
            files::private_folder(root)?;
        }
        for folder in [&self.state, &self.run, &self.device(), &self.policy()] {
            shared(folder)?;
        }
        files::private_folder(&self.trusted())?;
        files::private_folder(&self.steward())
    }

    /// Makes the guard's own folder.
    ///
    /// # Errors
    /// It cannot be made, or is somebody else's.
    pub fn create_guard_spool(&self) -> Result<(), FileError> {
        files::private_folder(&self.guard_spool)
    }

    /// `etc/managed.json`; on macOS and Windows only trials and a user's own layout have it.
    pub fn managed_profile(&self) -> PathBuf {
        self.etc.join("managed.json")
    }
    pub fn device(&self) -> PathBuf {
        self.state.join("device")
    }
    pub fn device_key(&self) -> PathBuf {
        self.device().join("key.pem")
    }
    pub fn device_certificate(&self) -> PathBuf {
        self.device().join("cert.pem")
    }
    pub fn identity(&self) -> PathBuf {
        self.device().join("identity.json")
    }
    pub fn policy(&self) -> PathBuf {
        self.state.join("policy")
    }
    pub fn trust_root(&self) -> PathBuf {
        self.policy().join("root.json")
    }
    pub fn adopted_policy(&self) -> PathBuf {
        self.policy().join("adopted.json")
    }
    pub fn trusted(&self) -> PathBuf {
        self.policy().join("trusted")
    }
    pub fn pins(&self) -> PathBuf {
        self.state.join("pins")
    }
    pub fn spool(&self) -> PathBuf {
        self.state.join("spool.sqlite")
    }
    /// In a system-wide layout each user's own: configurations are edited as the user whose they are.
    pub fn steward(&self) -> PathBuf {
        match (self.kind, self.guard_spool.parent()) {
            (Kind::System, Some(own)) => own.join("steward"),
            _ => self.state.join("steward"),
        }
    }
    /// One guard's segment; `run` is its run id.
    pub fn segment(&self, run: &str) -> PathBuf {
        self.guard_spool.join(format!("{run}.jsonl"))
    }
    /// How each server of this user's guards stands, and the end of its stderr.
    pub fn servers(&self) -> PathBuf {
        self.guard_spool.join("servers")
    }
    /// Held by the one resident of this layout for as long as it lives.
    pub fn resident_lock(&self) -> PathBuf {
        self.run.join("resident.lock")
    }

    /// The resident's socket (a pipe's name on Windows). A path that the system would cut off is
    /// replaced by a short one that every process finds from the same layout.
    pub fn socket(&self) -> PathBuf {
        os::socket(&self.run)
    }
}

fn home() -> Result<PathBuf, Unusable> {
    directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf()).ok_or(Unusable::Homeless)
}

/// Long enough that two roots do not meet by chance; not a secret.
fn short_name(run: &Path) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(run.as_os_str().as_encoded_bytes());
    digest.iter().take(8).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

struct SystemFolders {
    etc: PathBuf,
    state: PathBuf,
    run: PathBuf,
}

#[cfg(unix)]
mod os {
    use super::{Path, PathBuf, SystemFolders, short_name};

    /// `sun_path` has room for 104 bytes on macOS and 108 on Linux, its end included; the socket is
    /// bound under a name four bytes longer first.
    const LONGEST_SOCKET_PATH: usize = 99;

    #[cfg(not(target_os = "macos"))]
    pub(super) fn system_folders() -> SystemFolders {
        SystemFolders {
            etc: "/etc/portreeve".into(),
            state: "/var/lib/portreeve".into(),
            run: "/run/portreeve".into(),
        }
    }

    #[cfg(target_os = "macos")]
    pub(super) fn system_folders() -> SystemFolders {
        let home = Path::new("/Library/Application Support/Portreeve");
        SystemFolders {
            etc: home.join("etc"),
            state: home.join("state"),
            // Emptied at start-up, and short.
            run: "/var/run/portreeve".into(),
        }
    }

    /// From the home folder alone: clients start guards with a cut-down environment, and a guard
    /// that missed an `XDG_STATE_HOME` would not find the policy its resident wrote.
    #[cfg(not(target_os = "macos"))]
    pub(super) fn user_state(home: &Path) -> PathBuf {
        home.join(".local/state/portreeve")
    }

    #[cfg(not(target_os = "macos"))]
    pub(super) fn user_etc(home: &Path) -> PathBuf {
        home.join(".config/portreeve")
    }

    #[cfg(target_os = "macos")]
    pub(super) fn user_state(home: &Path) -> PathBuf {
        home.join("Library/Application Support/Portreeve/state")
    }

    #[cfg(target_os = "macos")]
    pub(super) fn user_etc(home: &Path) -> PathBuf {
        home.join("Library/Application Support/Portreeve/etc")
    }

    pub(super) fn socket(run: &Path) -> PathBuf {
        let socket = run.join("resident.sock");
        if socket.as_os_str().len() <= LONGEST_SOCKET_PATH {
            return socket;
        }
        // `/tmp` by name, not by TMPDIR, for the reason given at `user_state`. The folder is made
        // 0700, and its owner is checked by the listener and again by whoever dials.
        let user = rustix::process::geteuid().as_raw();
        Path::new("/tmp").join(format!("portreeve-{user}-{}", short_name(run))).join("resident.sock")
    }
}

#[cfg(windows)]
mod os {
    use super::{Path, PathBuf, SystemFolders, short_name};

    pub(super) fn system_folders() -> SystemFolders {
        let data = std::env::var_os("ProgramData").map_or_else(|| r"C:\ProgramData".into(), PathBuf::from);
        let home = data.join("Portreeve");
        SystemFolders { etc: home.join("etc"), state: home.join("state"), run: home.join("run") }
    }

    pub(super) fn user_state(home: &Path) -> PathBuf {
        home.join(r"AppData\Local\Portreeve\state")
    }

    pub(super) fn user_etc(home: &Path) -> PathBuf {
        home.join(r"AppData\Local\Portreeve\etc")
    }

    pub(super) fn socket(run: &Path) -> PathBuf {
        PathBuf::from(format!(r"\\.\pipe\portreeve-{}", short_name(run)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somewhere() -> PathBuf {
        if cfg!(windows) { r"C:\trial".into() } else { "/trial".into() }
    }

    #[test]
    fn a_root_holds_everything() {
        let root = somewhere();
        let layout = Layout::under_on(&root, None).unwrap();
        for path in [
            layout.managed_profile(),
            layout.device_key(),
            layout.identity(),
            layout.adopted_policy(),
            layout.spool(),
            layout.segment("r"),
        ] {
            assert!(path.starts_with(&root), "{} is outside", path.display());
        }
    }

    #[test]
    fn a_private_root_on_a_managed_machine_is_refused_by_name() {
        let refused = Layout::under_on(&somewhere(), Some("/etc/portreeve/managed.json".into())).unwrap_err();
        assert!(refused.to_string().contains("/etc/portreeve/managed.json"), "{refused}");
    }

    #[test]
    fn a_relative_root_is_refused() {
        let refused = Layout::under_on(Path::new("trial"), None).unwrap_err();
        assert_eq!(refused, Unusable::NotAbsolute("trial".into()));
    }

    #[test]
    fn a_long_root_still_has_a_socket_that_fits_and_stays_the_same() {
        let long = somewhere().join("x".repeat(200));
        let layout = Layout::under_on(&long, None).unwrap();
        assert!(layout.socket().as_os_str().len() < 100, "{}", layout.socket().display());
        assert_eq!(layout.socket(), Layout::under_on(&long, None).unwrap().socket());
        let other = Layout::under_on(&long.join("y"), None).unwrap();
        assert_ne!(layout.socket(), other.socket());
    }

    #[test]
    fn what_is_each_users_own_is_not_in_the_machines_folders() {
        let Ok(system) = Layout::system() else { return };
        assert!(system.adopted_policy().starts_with(&system.state));
        assert!(system.spool().starts_with(&system.state));
        for own in [&system.guard_spool, &system.steward()] {
            assert!(!own.starts_with(&system.state), "{}", own.display());
        }
    }

    #[cfg(unix)]
    #[test]
    fn folders_are_made_private_and_again_without_complaint() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let layout = Layout::under_on(&scratch.path().join("new"), None).unwrap();
        for _ in 0..2 {
            layout.create().unwrap();
            layout.create_guard_spool().unwrap();
        }
        for folder in [&layout.state, &layout.run, &layout.guard_spool, &layout.trusted()] {
            assert_eq!(
                folder.metadata().unwrap().permissions().mode() & 0o777,
                0o700,
                "{}",
                folder.display()
            );
        }
    }
}
