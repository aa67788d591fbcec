//! A program under test while it runs: killed with everything below it when dropped, or when it takes too long.

use crate::processes;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Nothing that is measured at one time takes as long; a program that does has hung.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Program {
    child: Child,
    /// Dropped, it tells the watch that there is nothing left to watch.
    watched: Option<Sender<()>>,
}

impl Program {
    /// Starts it with its stdin and stdout to us and its stderr in a file.
    pub fn start(command: Command, log: &Path) -> Result<(Self, ChildStdin, ChildStdout)> {
        let (mut program, stdin, stdout) = Self::start_for_good(command, log)?;
        program.watched = Some(watch(program.id()));
        Ok((program, stdin, stdout))
    }

    /// The same for one that runs as long as we do.
    pub fn start_for_good(mut command: Command, log: &Path) -> Result<(Self, ChildStdin, ChildStdout)> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let program = Self { child, watched: None };
        Ok((program, stdin.context("stdin is piped")?, stdout.context("stdout is piped")?))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

fn watch(pid: u32) -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    std::thread::spawn(move || {
        if receiver.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            processes::kill_tree(pid);
        }
    });
    sender
}

impl Drop for Program {
    /// As a client does: whoever does not leave by itself when its input ends is killed.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_millis(500);
        while !self.has_ended() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if !self.has_ended() {
            processes::kill_tree(self.child.id());
            let _ = self.child.wait();
        }
    }
}
