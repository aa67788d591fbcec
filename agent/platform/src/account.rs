//! The users of this machine, as far as a process of ours has to know them: who is at the other end
//! of the local socket, and where that user's home is.

use std::path::PathBuf;

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    pub name: String,
    pub home: PathBuf,
}

/// The user with this id, from whatever directory the machine asks; `None` where it knows none.
#[cfg(unix)]
#[expect(unsafe_code, reason = "getpwuid_r has no safe wrapper in the tree")]
pub fn by_uid(uid: u32) -> Option<Account> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;

    // Directory entries are short; a longer one than this is treated as unknown.
    let mut texts = vec![0_u8; 64 * 1024];
    let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
    let mut found: *mut libc::passwd = std::ptr::null_mut();
    // SAFETY: every pointer is valid for the call, and the length is that of `texts`.
    let status = unsafe {
        libc::getpwuid_r(uid, entry.as_mut_ptr(), texts.as_mut_ptr().cast(), texts.len(), &raw mut found)
    };
    if status != 0 || found.is_null() {
        return None;
    }
    // SAFETY: on success with a result, the entry is initialised.
    let entry = unsafe { entry.assume_init() };
    // SAFETY: both are NUL-terminated texts inside `texts`, which outlives the copies made here.
    let (name, home) = unsafe { (CStr::from_ptr(entry.pw_name), CStr::from_ptr(entry.pw_dir)) };
    Some(Account {
        uid,
        gid: entry.pw_gid,
        name: name.to_string_lossy().into_owned(),
        home: PathBuf::from(OsStr::from_bytes(home.to_bytes())),
    })
}

/// The name of the user this process runs as; the id where the machine knows no name.
#[cfg(unix)]
pub fn own_name() -> String {
    name_of(rustix::process::geteuid().as_raw())
}

#[cfg(unix)]
pub(crate) fn name_of(uid: u32) -> String {
    by_uid(uid).map_or_else(|| uid.to_string(), |account| account.name)
}

/// The name of the user who owns an open file; the id where the machine knows no name.
///
/// # Errors
/// It cannot be looked at.
#[cfg(unix)]
pub fn owner_of(file: &std::fs::File) -> std::io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    Ok(name_of(file.metadata()?.uid()))
}

/// The name of the user who owns an open file. Here whoever asks looks into folders of their own only.
///
/// # Errors
/// Never.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
pub fn owner_of(_: &std::fs::File) -> std::io::Result<String> {
    Ok(own_name())
}

/// The name of the user this process runs as.
#[cfg(windows)]
pub fn own_name() -> String {
    crate::windows_user::of_process(std::process::id()).unwrap_or_default()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_an_id_nobody_has_is_not() {
        let root = by_uid(0).unwrap();
        assert_eq!((root.name.as_str(), root.gid), ("root", 0));
        assert!(root.home.is_absolute());
        assert_eq!(by_uid(4_000_000_123), None);
        assert_eq!(name_of(4_000_000_123), "4000000123");
        assert!(!own_name().is_empty());
    }
}
