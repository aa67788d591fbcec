//! A process that the client starts: one message a line.

use super::Wire;
use crate::process::line_channel;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Lines {
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Receiver<String>,
}

impl Lines {
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let heard = line_channel(child.stdout.take().context("stdout is piped")?);
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, heard })
    }
}

impl Wire for Lines {
    fn send(&mut self, message: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        stdin.write_all(format!("{message}\n").as_bytes())?;
        Ok(stdin.flush()?)
    }

    fn heard(&self) -> &Receiver<String> {
        &self.heard
    }

    fn leave(self: Box<Self>) {}
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.stdin = None;
        let child = &mut self.child;
        let _ = crate::wait::until("the process to end", Duration::from_secs(3), || {
            matches!(child.try_wait(), Ok(Some(_)))
        });
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
