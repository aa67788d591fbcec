//! The watching parent: a fork of the guard that stands between it and its server, on macOS.
//!
//! ```text
//! guard -- watcher -- server -- whatever the server starts
//! ```
//!
//! The kernel tells it (kqueue) when the guard ends, when the server does, and when a process below it forks or
//! ends. So it knows the family also where a parent has gone: nobody adopts orphans here. It ends the family when the
//! guard asks (SIGTERM), when the guard dies, and when the server ends; then it ends as the server did.
//! What forks twice within an instant may slip away, and so may all when the watcher itself is killed.
//!
//! All of this runs after `fork` without `exec`: see [`super::forked`].

use super::forked::{KILLING, block_signals, fork, leave, reap, restore_signals};
use rustix::process::{Pid, Signal, WaitStatus};
use std::io;
use std::time::{Duration, Instant};

/// More processes than any server has; those beyond are not known.
const MOST: usize = 512;

/// Called between fork and exec: becomes the watcher, and returns in a second fork that goes on to become the
/// server.
pub(super) fn stand_between(guard: Pid, grace: Duration) -> io::Result<()> {
    // Not inherited by a fork, so the server never has it.
    let queue = Queue::new()?;
    let mask = block_signals();
    if let Some(server) = fork()? {
        watch(guard, server, queue, grace);
    }
    restore_signals(&mask);
    Ok(())
}

fn watch(guard: Pid, server: Pid, queue: Queue, grace: Duration) -> ! {
    // Fails for a leader of a group, and a fork is none.
    let _ = rustix::process::setsid();
    queue.close_everything_else();
    let mut family = Family { queue, pids: [0; MOST], asked: [false; MOST], count: 0 };
    let mut ended = None;
    let mut told = !family.queue.follow_signal() || !family.queue.follow(guard.as_raw_pid(), libc::NOTE_EXIT);
    family.add(server.as_raw_pid());
    family.grow();
    while !told && ended.is_none() {
        match family.queue.next(None) {
            News::Asked => told = true,
            News::Ended(pid) if pid == guard.as_raw_pid() => told = true,
            News::Ended(pid) => {
                let _ = reap(server, &mut ended);
                family.forget(pid);
            }
            News::Forked => family.grow(),
            News::Nothing => {}
        }
    }
    end_all(&mut family, server, &mut ended, grace);
    leave(ended)
}

fn end_all(family: &mut Family, server: Pid, ended: &mut Option<WaitStatus>, grace: Duration) {
    let began = Instant::now();
    loop {
        family.grow();
        let _ = reap(server, ended);
        if ended.is_some() {
            family.forget(server.as_raw_pid());
        }
        let elapsed = began.elapsed();
        if (family.count == 0 && ended.is_some()) || elapsed >= grace + KILLING {
            return;
        }
        family.signal(elapsed >= grace);
        if let News::Ended(pid) = family.queue.next(Some(Duration::from_millis(20))) {
            family.forget(pid);
        }
    }
}

/// The processes below, as far as they are known, and still there.
struct Family {
    queue: Queue,
    pids: [i32; MOST],
    /// Many programs take a second SIGTERM for impatience.
    asked: [bool; MOST],
    count: usize,
}

impl Family {
    fn add(&mut self, pid: i32) {
        let known = self.pids.iter().take(self.count).any(|known| *known == pid);
        if !known
            && let (Some(free), Some(asked)) = (self.pids.get_mut(self.count), self.asked.get_mut(self.count))
        {
            (*free, *asked) = (pid, false);
            self.count += 1;
            // One that has ended meanwhile is followed by nobody, and signalled in vain once.
            if !self.queue.follow(pid, libc::NOTE_EXIT | libc::NOTE_FORK) {
                self.count -= 1;
            }
        }
    }

    fn forget(&mut self, pid: i32) {
        let Some(place) = self.pids.iter().take(self.count).position(|known| *known == pid) else { return };
        self.count -= 1;
        self.pids.swap(place, self.count);
        self.asked.swap(place, self.count);
    }

    /// Looks for children of all that are known, and theirs.
    fn grow(&mut self) {
        let mut next = 0;
        while let Some(parent) = self.pids.get(next).copied().filter(|_| next < self.count) {
            let mut children = [0_i32; MOST];
            let found = children_of(parent, &mut children);
            children.iter().take(found).for_each(|child| self.add(*child));
            next += 1;
        }
    }

    fn signal(&mut self, kill: bool) {
        for (pid, asked) in self.pids.iter().zip(&mut self.asked).take(self.count) {
            let Some(pid) = Pid::from_raw(*pid) else { continue };
            if kill {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            } else if !std::mem::replace(asked, true) {
                let _ = rustix::process::kill_process(pid, Signal::TERM);
            }
        }
    }
}

#[expect(unsafe_code, reason = "asks the kernel for the children of a process")]
fn children_of(parent: i32, children: &mut [i32; MOST]) -> usize {
    let bytes = i32::try_from(size_of_val(children)).unwrap_or(0);
    // SAFETY: the buffer is ours, and as long as we say.
    let found = unsafe { libc::proc_listchildpids(parent, children.as_mut_ptr().cast(), bytes) };
    usize::try_from(found).unwrap_or(0).min(MOST)
}

/// What the kernel has to tell.
enum News {
    /// SIGTERM.
    Asked,
    Ended(i32),
    Forked,
    Nothing,
}

/// A queue of the kernel's news.
struct Queue(libc::c_int);

#[expect(unsafe_code, reason = "kqueue")]
impl Queue {
    fn new() -> io::Result<Self> {
        // SAFETY: takes nothing.
        match unsafe { libc::kqueue() } {
            -1 => Err(io::Error::last_os_error()),
            queue => Ok(Self(queue)),
        }
    }

    /// The pipes to the server are its and the guard's alone, or neither would see the other end.
    fn close_everything_else(&self) {
        // SAFETY: no value of this process that owns a descriptor is ever used or dropped again: the
        // watcher leaves by `_exit`.
        unsafe {
            for descriptor in
                (0..libc::getdtablesize().min(65_536)).filter(|descriptor| *descriptor != self.0)
            {
                libc::close(descriptor);
            }
        }
    }

    fn follow(&self, pid: i32, what: u32) -> bool {
        match usize::try_from(pid) {
            Ok(pid) => self.add(pid, libc::EVFILT_PROC, what),
            Err(_) => false,
        }
    }

    /// SIGTERM is told of though it is ignored, and does not end us.
    fn follow_signal(&self) -> bool {
        // SAFETY: changes how this process takes one signal.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        self.add(libc::SIGTERM.cast_unsigned() as usize, libc::EVFILT_SIGNAL, 0)
    }

    fn add(&self, ident: usize, filter: i16, what: u32) -> bool {
        let change = libc::kevent {
            ident,
            filter,
            flags: libc::EV_ADD | libc::EV_CLEAR,
            fflags: what,
            data: 0,
            udata: std::ptr::null_mut(),
        };
        // SAFETY: one change to read, and no room for events to be written.
        unsafe { libc::kevent(self.0, &raw const change, 1, std::ptr::null_mut(), 0, std::ptr::null()) == 0 }
    }

    fn next(&self, limit: Option<Duration>) -> News {
        let limit = limit.map(|limit| libc::timespec {
            tv_sec: limit.as_secs().cast_signed(),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let mut event =
            libc::kevent { ident: 0, filter: 0, flags: 0, fflags: 0, data: 0, udata: std::ptr::null_mut() };
        // SAFETY: no change to read, room for one event; `limit` is null or points to a value that lives until the
        // end of this function.
        let came = unsafe { libc::kevent(self.0, std::ptr::null(), 0, &raw mut event, 1, limit) };
        match (came, event.filter) {
            (1, libc::EVFILT_SIGNAL) => News::Asked,
            (1, libc::EVFILT_PROC) if event.fflags & libc::NOTE_EXIT != 0 => {
                News::Ended(i32::try_from(event.ident).unwrap_or(0))
            }
            (1, libc::EVFILT_PROC) => News::Forked,
            _ => News::Nothing,
        }
    }
}
