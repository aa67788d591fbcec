//! A child process that cannot outlive its owner, whose output is kept.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A long-running program: killed when dropped, its stderr in a file.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    log: PathBuf,
    lines: Option<Receiver<String>>,
}

impl Running {
    /// Starts `command` with stderr (and, unless `lines` is asked for, stdout) going to `log`.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn start(name: &str, command: &mut Command, log: &Path, read_lines: bool) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stderr(file.try_clone()?);
        command.stdout(if read_lines { Stdio::piped() } else { Stdio::from(file) });
        let mut child = command.spawn().with_context(|| format!("cannot start {name}: {command:?}"))?;
        let lines = child.stdout.take().map(line_channel);
        Ok(Self { child, name: name.to_owned(), log: log.to_owned(), lines })
    }

    /// The next line of its stdout.
    ///
    /// # Errors
    /// None came in time; the message carries the end of its log.
    pub fn line(&self, within: Duration) -> Result<String> {
        let lines = self.lines.as_ref().context("started without reading lines")?;
        match lines.recv_timeout(within) {
            Ok(line) => Ok(line),
            Err(_) => bail!("{} said nothing on stdout; its log ends:\n{}", self.name, self.log_tail()),
        }
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let tail: Vec<&str> = log.lines().rev().take(15).collect();
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Has it ended by itself?
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGTERM, then waits.
    ///
    /// # Errors
    /// It did not end in time (it is killed then).
    pub fn terminate(mut self, within: Duration) -> Result<std::process::ExitStatus> {
        signal(self.id(), "TERM")?;
        let status =
            crate::wait::for_value(&format!("{} to end on SIGTERM", self.name), within, || self.ended());
        status.inspect_err(|_| {
            let _ = self.child.kill();
        })
    }

    /// SIGKILL, at once, and reaped.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads lines on a thread of its own, so that a reader can wait with a deadline.
pub fn line_channel(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Sends a signal by name (`TERM`, `KILL`, `STOP`).
///
/// # Errors
/// There is no such process, or it is not ours.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let status =
        Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status()?;
    if !status.success() {
        bail!("cannot send {name} to process {pid}");
    }
    Ok(())
}

/// Runs a program to its end.
///
/// # Errors
/// It could not be started, or did not end with success; the message carries what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    if !done.status.success() {
        bail!("{command:?} ended with {}\n{text}{}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    Ok(text)
}

/// Every process on this machine whose command line contains `text`, ourselves left out: (pid, command line).
#[must_use]
pub fn mentioning(text: &str) -> Vec<(u32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            let raw = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&raw).replace('\0', " ");
            line.contains(text).then_some((pid, line))
        })
        .collect()
}
