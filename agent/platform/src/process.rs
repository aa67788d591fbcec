//! Processes: a server that does not outlive its guard, and what else runs on this machine.
//!
//! **A kept server** has the guard's working directory, environment, session, process group and
//! terminal: what the client would have given it. It is not put into a group of its own, because a
//! background group is stopped when it touches the terminal (`ssh` and `sudo` do). Its whole tree is
//! taken down by other means:
//!
//! | system | orderly end | the guard is killed |
//! |---|---|---|
//! | Linux | two *keepers* (see `process/keeper.rs`) adopt every orphan below them; TERM, then KILL after the grace | the kernel tells the keepers, which do the same; so they do when one of themselves is killed |
//! | Windows | the job object ends all at once | the job's handle closes with the guard: the same |
//! | macOS | a *watching parent* (see `process/watcher.rs`) knows the tree: TERM, then KILL after the grace | the kernel tells the watcher, which does the same |

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

#[cfg(unix)]
#[path = "process/forked.rs"]
mod forked;
#[cfg(target_os = "linux")]
#[path = "process/keeper.rs"]
mod keeper;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "process/watcher.rs"]
mod watcher;

#[cfg(target_os = "linux")]
#[path = "process/linux.rs"]
mod os;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "process/macos.rs"]
mod os;
#[cfg(windows)]
#[path = "process/windows.rs"]
mod os;

/// What the processes are called that stand between a guard and its server, in a process list.
pub const KEEPER: &str = "portreeve-keep";

/// A server's process and everything it starts. Dropping it ends them, without waiting.
#[derive(Debug)]
pub struct Kept {
    child: Child,
    tree: os::Tree,
    grace: Duration,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
}

impl Kept {
    /// Starts the command so that it, and whatever it starts, ends with us. `grace` is the time
    /// between asking and killing.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn spawn(command: Command, grace: Duration) -> io::Result<Self> {
        let (mut child, tree) = os::spawn(command, grace)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Self { child, tree, grace, stdin, stdout, stderr })
    }

    /// The process to look for in a process list: the server's, or on Linux the outer of its two keepers
    /// ([`KEEPER`]), on macOS its watcher. `None` once it has ended and was waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the server to end by itself. Safe to drop and call again.
    ///
    /// # Errors
    /// The system would not say.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the whole tree to end, kills what is left after the grace, and waits for it.
    ///
    /// # Errors
    /// The system would not say how it ended.
    pub async fn end(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.tree.end(&mut self.child, self.grace).await
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.tree.abandon(&self.child);
    }
}

/// One process of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub parent: Option<u32>,
    pub name: String,
    /// Absent where we may not see it (another user's).
    pub exe: Option<PathBuf>,
    /// The command line; empty where we may not see it. Never to be logged: it may hold secrets.
    pub command: Vec<String>,
    /// Seconds since 1970; with the pid it names one process for good.
    pub started: u64,
}

/// Every process we may see. Threads are not processes.
pub fn list() -> Vec<Process> {
    let wanted = ProcessRefreshKind::nothing()
        .with_cmd(UpdateKind::Always)
        .with_exe(UpdateKind::Always)
        .without_tasks();
    let Ok(mut system) = System::new() else { return Vec::new() };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
    system.processes().values().map(described).collect()
}

fn described(process: &sysinfo::Process) -> Process {
    Process {
        pid: process.pid().as_u32(),
        parent: process.parent().map(Pid::as_u32),
        name: process.name().to_string_lossy().into_owned(),
        exe: process.exe().map(PathBuf::from),
        command: process.cmd().iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        started: process.start_time(),
    }
}

/// When the process with this id started (seconds since 1970); `None` where there is none.
pub fn started(pid: u32) -> Option<u64> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    let wanted = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, wanted);
    let process = system.process(pid)?;
    let ended = matches!(process.status(), sysinfo::ProcessStatus::Zombie | sysinfo::ProcessStatus::Dead);
    (!ended).then(|| process.start_time())
}

/// Is the process that had this id and started then still there? An id alone is given out again.
pub fn is_alive(pid: u32, started_then: u64) -> bool {
    // The start is computed from the boot time, which the clock's corrections move by a second.
    started(pid).is_some_and(|now| now.abs_diff(started_then) <= 1)
}

/// What the machine is, for the fleet page. Empty where the system would not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    pub hostname: String,
    /// `linux`, `macos`, `windows`.
    pub os: String,
    pub os_version: String,
}

/// Asks the system once.
pub fn host_facts() -> HostFacts {
    HostFacts {
        hostname: System::host_name().unwrap_or_default(),
        os: std::env::consts::OS.to_owned(),
        os_version: System::long_os_version().unwrap_or_default(),
    }
}

/// What a program says of how another one ended, as shells do: its code, or 128 and the signal that ended it.
#[must_use]
pub fn exit_code(ended: std::process::ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&ended);
    #[cfg(not(unix))]
    let signal = None::<i32>;
    let code = ended.code().or(signal.map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Lifts the soft limit of open files to the hard one and returns it. For the resident only: a
/// guard's server inherits its limits, and some programs go wrong above 1024.
///
/// # Errors
/// The system refused.
pub fn raise_open_files() -> io::Result<Option<u64>> {
    os::raise_open_files()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_in_the_list_once_and_alive() {
        let ourselves = std::process::id();
        let found: Vec<_> = list().into_iter().filter(|process| process.pid == ourselves).collect();
        assert_eq!(found.len(), 1, "threads are not processes");
        assert!(is_alive(ourselves, found[0].started));
        assert!(!is_alive(ourselves, found[0].started - 100), "another process had this id then");
        assert!(found[0].exe.is_some());
        // Wine, where this runs as a Windows program, does not tell the command line.
        assert!(cfg!(windows) || !found[0].command.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn an_end_by_a_signal_is_told_as_shells_do() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::ExitStatus;
        for (raw, code) in [(0, 0), (3 << 8, 3), (9, 137), (15, 143)] {
            assert_eq!(exit_code(ExitStatus::from_raw(raw)), code);
        }
    }

    #[test]
    fn the_host_says_what_it_is() {
        let facts = host_facts();
        assert_eq!(facts.os, std::env::consts::OS);
        assert!(!facts.hostname.is_empty() && !facts.os_version.is_empty(), "{facts:?}");
    }

    #[test]
    fn more_files_may_be_open() {
        let limit = raise_open_files().unwrap();
        assert_eq!(raise_open_files().unwrap(), limit);
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_is_an_error() {
        let error = Kept::spawn(Command::new("/no/such/server"), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
