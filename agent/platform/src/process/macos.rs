//! macOS: every server under a watching parent.

use super::forked::KILLING;
use super::watcher;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};

#[derive(Debug)]
pub(super) struct Tree {
    /// What the watcher needs to ask, and then to kill.
    patience: Duration,
}

#[expect(unsafe_code, reason = "code between fork and exec")]
pub(super) fn spawn(mut command: Command, grace: Duration) -> io::Result<(Child, Tree)> {
    let guard = rustix::process::getpid();
    // SAFETY: the closure runs in the forked child and keeps to system calls and its own stack: it
    // neither allocates nor takes a lock (see `watcher`).
    unsafe {
        command.pre_exec(move || watcher::stand_between(guard, grace));
    }
    Ok((command.spawn()?, Tree { patience: grace + KILLING }))
}

impl Tree {
    pub(super) async fn end(&mut self, child: &mut Child, _grace: Duration) -> io::Result<ExitStatus> {
        self.abandon(child);
        // A watcher that somebody has stopped does not answer.
        if let Ok(ended) = tokio::time::timeout(self.patience, child.wait()).await {
            return ended;
        }
        child.start_kill()?;
        child.wait().await
    }

    #[expect(clippy::unused_self, reason = "the same signature on every system")]
    pub(super) fn abandon(&self, child: &Child) {
        let watcher = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(watcher) = watcher {
            // Not waited for yet, so the id is still its own; if it has ended there is nothing to do.
            let _ = rustix::process::kill_process(watcher, rustix::process::Signal::TERM);
        }
    }
}

pub(super) fn raise_open_files() -> io::Result<Option<u64>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // The kernel takes no soft limit above this (OPEN_MAX), whatever the hard one says.
    const OPEN_MAX: u64 = 10_240;
    let hard = getrlimit(Resource::Nofile).maximum;
    let soft = Some(hard.map_or(OPEN_MAX, |hard| hard.min(OPEN_MAX)));
    setrlimit(Resource::Nofile, Rlimit { current: soft, maximum: hard })?;
    Ok(soft)
}
