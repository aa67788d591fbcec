//! What a process may do that is fresh from a fork of one with many threads: system calls and its own
//! stack; no allocation, no lock, no panic. Shared by whatever stands between a guard and its server.

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// How long killing may take before it is given up (a process in uninterruptible sleep).
pub(super) const KILLING: Duration = Duration::from_secs(3);

/// Collects whoever has ended; are there children left?
pub(super) fn reap(server: Pid, ended: &mut Option<WaitStatus>) -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == server => *ended = Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

#[expect(unsafe_code, reason = "fork")]
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread (it is fresh from a fork itself), and both sides keep to
    // async-signal-safe calls until they exec or exit.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child)),
    }
}

#[expect(unsafe_code, reason = "signal masks")]
pub(super) fn block_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises `all`, sigprocmask reads it and initialises `before`; with
    // valid arguments neither can fail.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

#[expect(unsafe_code, reason = "signal masks")]
pub(super) fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: `mask` is an initialised set.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut());
    }
}

/// Ends as the server did.
#[expect(unsafe_code, reason = "_exit and default signal handling")]
pub(super) fn leave(ended: Option<WaitStatus>) -> ! {
    // The copy of the guard in our memory belongs in no core dump.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    let code = match ended.map(|ended| (ended.exit_status(), ended.terminating_signal())) {
        Some((Some(code), _)) => code,
        Some((None, Some(signal))) => {
            let mut all_others = MaybeUninit::uninit();
            // SAFETY: plain system calls on a set that sigfillset initialises; the guard's handler is
            // replaced before the signal is let in.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                libc::sigfillset(all_others.as_mut_ptr());
                libc::sigdelset(all_others.as_mut_ptr(), signal);
                libc::kill(libc::getpid(), signal);
                libc::sigprocmask(libc::SIG_SETMASK, all_others.as_ptr(), std::ptr::null_mut());
            }
            128 + signal
        }
        _ => 1,
    };
    // SAFETY: leaves without running destructors or exit handlers of the copied guard.
    unsafe { libc::_exit(code) }
}
