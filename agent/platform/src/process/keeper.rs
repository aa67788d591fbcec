//! The keepers: two forks of the guard that stand between it and its server.
//!
//! ```text
//! guard -- outer keeper -- inner keeper -- server -- whatever the server starts
//! ```
//!
//! Each is a *child subreaper*, so nothing below it can slip away by losing its parent, not even a
//! process in a session of its own: an orphan becomes the keeper's child. A keeper ends everything when
//! it is asked (SIGTERM), when its own parent dies (the kernel sends the same SIGTERM), and when its
//! child ends; then it ends as that did, so that the guard sees the server's exit status.
//!
//! There are two because a keeper may be killed too (by hand, by the kernel when memory runs out): then
//! the other one adopts what it had, and ends it. Each is in a session of its own, so that a signal to the
//! client's process group, which is the server's, does not reach them. Only who kills the guard and both
//! keepers in one instant leaves anything behind: the server itself dies even then (the kernel kills it with
//! its keeper), its children may stay. A control group would end those too, but those that a program finds
//! itself in belong to systemd, or to the container's owner, and are mostly not ours to write.
//!
//! All of this runs after `fork` without `exec`: see [`super::forked`].

use super::forked::{KILLING, block_signals, fork, leave, reap, restore_signals};
use rustix::fs::{CWD, Mode, OFlags, RawDir};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitStatus};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// What an outer keeper leaves the inner one beyond its own time.
const HEAD_START: Duration = Duration::from_millis(100);

/// How long after asking a keeper kills.
#[derive(Clone, Copy)]
struct Patience {
    /// While its own child lives: an inner keeper does its own killing first.
    with_child: Duration,
    /// When only orphans are left.
    with_orphans: Duration,
}

/// What both keepers may need to take everything down.
pub(super) fn longest(grace: Duration) -> Duration {
    grace + KILLING + HEAD_START + KILLING
}

/// Called between fork and exec: becomes both keepers, and returns in a third process that goes on to
/// become the server.
pub(super) fn stand_between(guard: Pid, grace: Duration) -> io::Result<()> {
    let outer = Patience { with_child: grace + KILLING + HEAD_START, with_orphans: grace };
    become_keeper(guard, outer)?;
    let Some(outer_keeper) = rustix::process::getppid() else { return Err(Errno::SRCH.into()) };
    become_keeper(outer_keeper, Patience { with_child: grace, with_orphans: grace })
}

/// Becomes a keeper, and returns in a fork below it.
fn become_keeper(parent: Pid, patience: Patience) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    if rustix::process::getppid() != Some(parent) {
        return Err(Errno::SRCH.into()); // It died before the kernel knew whom to tell.
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let keeper = rustix::process::getpid();
    let mask = block_signals();
    if let Some(child) = fork()? {
        keep(child, patience);
    }
    restore_signals(&mask);
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(keeper) {
        return Err(Errno::SRCH.into());
    }
    Ok(())
}

fn keep(server: Pid, patience: Patience) -> ! {
    // Fails for a leader of a group, and a fork is none.
    let _ = rustix::process::setsid();
    close_everything();
    let _ = rustix::thread::set_name(c"portreeve-keep");
    let mut ended = None;
    loop {
        let told = wait_for_signal(None);
        let _ = reap(server, &mut ended);
        if told == libc::SIGTERM || ended.is_some() {
            break;
        }
    }
    end_all(server, &mut ended, patience);
    leave(ended)
}

fn end_all(server: Pid, ended: &mut Option<WaitStatus>, patience: Patience) {
    let began = Instant::now();
    // Who was asked already: many programs take a second SIGTERM for impatience.
    let mut asked = [0_i32; 256];
    let mut count = 0;
    while reap(server, ended) {
        let grace = if ended.is_some() { patience.with_orphans } else { patience.with_child };
        if began.elapsed() >= grace + KILLING {
            break;
        }
        let kill = began.elapsed() >= grace;
        for_each_child(|child| {
            let new = !asked[..count].contains(&child.as_raw_pid());
            if kill {
                let _ = rustix::process::kill_process(child, Signal::KILL);
            } else if new && let Some(free) = asked.get_mut(count) {
                *free = child.as_raw_pid();
                count += 1;
                let _ = rustix::process::kill_process(child, Signal::TERM);
            }
        });
        wait_for_signal(Some(Duration::from_millis(20)));
    }
}

/// Every process in `/proc` whose parent we are. The kernel's own list of children is an option
/// that not every kernel has.
fn for_each_child(mut tell: impl FnMut(Pid)) {
    let ourselves = rustix::process::getpid().as_raw_pid();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::openat(CWD, c"/proc", flags, Mode::empty()) else { return };
    let mut room = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(&proc, &mut room);
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = number(entry.file_name().to_bytes()).and_then(Pid::from_raw) else { continue };
        if parent_of(&proc, entry.file_name()) == Some(ourselves) {
            tell(pid);
        }
    }
}

fn parent_of(proc: &impl std::os::fd::AsFd, pid: &CStr) -> Option<i32> {
    let mut path = [0_u8; 24];
    let digits = pid.to_bytes();
    path.get_mut(..digits.len())?.copy_from_slice(digits);
    path.get_mut(digits.len()..digits.len() + 5)?.copy_from_slice(b"/stat");
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    let stat = rustix::fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = [0_u8; 512];
    let length = rustix::io::read(&stat, &mut text).ok()?;
    parent_in(text.get(..length)?)
}

/// `PID (NAME) STATE PARENT …`; the name may hold spaces and brackets.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    number(stat.get(name_ends + 1..)?.split(|byte| *byte == b' ').nth(2)?)
}

fn number(digits: &[u8]) -> Option<i32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(i32::from(digit - b'0')),
        _ => None,
    })
}

/// SIGTERM or SIGCHLD, both blocked and so never delivered otherwise; 0 when the time is over.
#[expect(unsafe_code, reason = "waiting for a signal")]
fn wait_for_signal(limit: Option<Duration>) -> i32 {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs().cast_signed(),
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is initialised by sigemptyset before it is read; `limit` is null or points to
    // a value that lives until the end of this function; no siginfo is asked for.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigtimedwait(set.as_ptr(), std::ptr::null_mut(), limit).max(0)
    }
}

/// The pipes to the server are its and the guard's alone, or neither would see the other end; and
/// the pipe on which the spawning guard waits for news of `exec` must close.
#[expect(unsafe_code, reason = "closes descriptors of the copy that nobody uses any more")]
fn close_everything() {
    // SAFETY: no value of this process that owns a descriptor is ever used or dropped again: the
    // keeper leaves by `_exit`.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 0_u32, u32::MAX, 0_u32) != 0 {
            // Before Linux 5.9.
            for descriptor in 0..65_536 {
                libc::close(descriptor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        for (stat, parent) in [
            ("12 (sh) S 7 1 1", Some(7)),
            ("12 (a ) S 9 (b) S 8 1", Some(8)),
            ("12 ()) Z 7 1", Some(7)),
            ("12 (sh) S", None),
            ("", None),
        ] {
            assert_eq!(parent_in(stat.as_bytes()), parent, "{stat}");
        }
    }

    #[test]
    fn only_digits_are_numbers() {
        for (text, expected) in
            [("0", Some(0)), ("417", Some(417)), ("", None), ("self", None), ("99999999999", None)]
        {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }
}
