//! Windows: whose process, whose pipe, and access lists. Nothing is decided here.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo,
    SDDL_REVISION_1, SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    EqualSid, GetTokenInformation, IsWellKnownSid, LookupAccountSidW, OWNER_SECURITY_INFORMATION, PSID,
    SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser, WinBuiltinAdministratorsSid, WinLocalSystemSid,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
};

/// The name of the user a process runs as; `None` where we may not see it.
#[expect(unsafe_code, reason = "opens a process")]
pub(crate) fn of_process(pid: u32) -> Option<String> {
    // SAFETY: plain values; the handle is checked before it is owned.
    let process = unsafe {
        let process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
        if process.is_null() {
            return None;
        }
        OwnedHandle::from_raw_handle(process)
    };
    account_name(TokenOwner::of(process.as_raw_handle())?.sid())
}

/// A process's user, in the buffer that the system filled.
struct TokenOwner {
    // Of u64, so that the structure at its start is aligned.
    room: Vec<u64>,
}

impl TokenOwner {
    #[expect(unsafe_code, reason = "reads a token")]
    fn of(process: HANDLE) -> Option<Self> {
        let mut token: HANDLE = std::ptr::null_mut();
        // SAFETY: the process's handle is open; the token is checked before it is owned.
        let token = unsafe {
            if OpenProcessToken(process, TOKEN_QUERY, &raw mut token) == 0 {
                return None;
            }
            OwnedHandle::from_raw_handle(token)
        };
        let mut room = vec![0_u64; 32]; // A user's SID has at most 68 bytes.
        let size = u32::try_from(room.len() * size_of::<u64>()).ok()?;
        let mut used = 0;
        // SAFETY: the buffer is as large as is said.
        let told = unsafe {
            let room = room.as_mut_ptr().cast();
            GetTokenInformation(token.as_raw_handle(), TokenUser, room, size, &raw mut used)
        };
        (told != 0).then_some(Self { room })
    }

    #[expect(unsafe_code, reason = "reads what the system filled in")]
    fn sid(&self) -> PSID {
        // SAFETY: the buffer starts with a TOKEN_USER (see `of`) and is aligned for it; the SID it
        // points to is in the same buffer.
        unsafe { (*self.room.as_ptr().cast::<TOKEN_USER>()).User.Sid }
    }
}

#[expect(unsafe_code, reason = "looks a user up")]
fn account_name(sid: PSID) -> Option<String> {
    let (mut name, mut domain) = ([0_u16; 257], [0_u16; 257]);
    let (mut name_length, mut domain_length) = (257, 257);
    let mut kind = 0;
    // SAFETY: the SID is valid, and both buffers are as long as is said.
    let found = unsafe {
        LookupAccountSidW(
            std::ptr::null(),
            sid,
            name.as_mut_ptr(),
            &raw mut name_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    };
    let name = name.get(..usize::try_from(name_length).ok()?)?;
    (found != 0).then(|| String::from_utf16_lossy(name))
}

/// This user's SID as text, for an access list.
#[expect(unsafe_code, reason = "writes a SID as text")]
pub(crate) fn own_sid() -> io::Result<String> {
    // SAFETY: a pseudo handle, always valid.
    let ourselves = TokenOwner::of(unsafe { GetCurrentProcess() }).ok_or_else(io::Error::last_os_error)?;
    let mut text: *mut u16 = std::ptr::null_mut();
    // SAFETY: the SID is valid while `ourselves` lives; the text is freed below after its last use.
    if unsafe { ConvertSidToStringSidW(ourselves.sid(), &raw mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system wrote a text that ends with NUL.
    unsafe {
        let mut length = 0;
        while *text.add(length) != 0 {
            length += 1;
        }
        let sid = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(sid)
    }
}

/// Was the object (a pipe) made by the system, by an administrator, or by this user? An owner
/// cannot be claimed by somebody who is not it.
#[expect(unsafe_code, reason = "reads an object's owner")]
pub(crate) fn is_owned_by_administrator_or_self(object: &impl AsRawHandle) -> bool {
    let mut owner: PSID = std::ptr::null_mut();
    let mut descriptor: *mut c_void = std::ptr::null_mut();
    // SAFETY: the handle is open with READ_CONTROL; only the owner is asked for, and it points into
    // the descriptor, which is freed below after its last use.
    let told = unsafe {
        GetSecurityInfo(
            object.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if told != ERROR_SUCCESS {
        return false;
    }
    // SAFETY: a pseudo handle, always valid.
    let ourselves = TokenOwner::of(unsafe { GetCurrentProcess() });
    // SAFETY: both SIDs are valid while `descriptor` and `ourselves` live.
    unsafe {
        let trusted = IsWellKnownSid(owner, WinLocalSystemSid) != 0
            || IsWellKnownSid(owner, WinBuiltinAdministratorsSid) != 0
            || ourselves.is_some_and(|ourselves| EqualSid(owner, ourselves.sid()) != 0);
        LocalFree(descriptor);
        trusted
    }
}

/// An access list, parsed from its text form (SDDL).
pub(crate) struct AccessList {
    descriptor: *mut c_void,
    attributes: SECURITY_ATTRIBUTES,
}

impl AccessList {
    #[expect(unsafe_code, reason = "parses an access list")]
    pub(crate) fn parse(sddl: &str) -> io::Result<Self> {
        let text: Vec<u16> = sddl.encode_utf16().chain([0]).collect();
        let mut descriptor: *mut c_void = std::ptr::null_mut();
        // SAFETY: the text ends with NUL; the descriptor is written on success and freed on drop.
        let parsed = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                std::ptr::null_mut(),
            )
        };
        if parsed == 0 {
            return Err(io::Error::last_os_error());
        }
        let size = u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?;
        let attributes =
            SECURITY_ATTRIBUTES { nLength: size, lpSecurityDescriptor: descriptor, bInheritHandle: 0 };
        Ok(Self { descriptor, attributes })
    }

    /// Valid as long as this list lives.
    pub(crate) fn attributes(&self) -> *mut c_void {
        std::ptr::from_ref(&self.attributes).cast_mut().cast()
    }
}

impl Drop for AccessList {
    #[expect(unsafe_code, reason = "frees what the system allocated")]
    fn drop(&mut self) {
        // SAFETY: allocated by the system for `parse`, freed once.
        unsafe {
            LocalFree(self.descriptor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_a_user_and_none_is_made_up() {
        assert!(of_process(std::process::id()).is_some_and(|name| !name.is_empty()));
        assert_eq!(of_process(u32::MAX), None);
    }

    #[test]
    fn access_lists_are_parsed_or_refused() {
        assert!(AccessList::parse("D:P(A;;GA;;;SY)").is_ok());
        assert!(AccessList::parse("not an access list").is_err());
        let own = own_sid().unwrap();
        assert!(own.starts_with("S-1-5-"), "{own}");
        assert!(AccessList::parse(&format!("O:{own}D:P(A;;GA;;;{own})")).is_ok());
    }
}
