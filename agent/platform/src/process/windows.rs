//! Windows: every server in a job object of its own, which ends with its last handle: ours.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};

#[derive(Debug)]
pub(super) struct Tree {
    job: OwnedHandle,
}

/// The server is put into the job right after its creation, before its first lines can have run a
/// program of their own; what it starts from then on is in the job by inheritance.
#[expect(unsafe_code, reason = "job objects")]
pub(super) fn spawn(mut command: Command, _grace: Duration) -> io::Result<(Child, Tree)> {
    let job = new_job()?;
    let mut child = command.spawn()?;
    let process = child.raw_handle().ok_or(io::ErrorKind::NotFound)?;
    // SAFETY: both handles are open: the job is ours, the process's is held by `child`.
    if unsafe { AssignProcessToJobObject(job.as_raw_handle(), process) } == 0 {
        let error = io::Error::last_os_error();
        child.start_kill()?;
        return Err(error);
    }
    Ok((child, Tree { job }))
}

#[expect(unsafe_code, reason = "job objects")]
fn new_job() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes and no name are allowed; the handle is checked before it is owned.
    let job = unsafe {
        let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(job)
    };
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    let size = u32::try_from(size_of_val(&limits)).map_err(io::Error::other)?;
    // SAFETY: the structure is the one that this class of information takes, with its size.
    let set = unsafe {
        let limits = std::ptr::from_ref(&limits).cast();
        SetInformationJobObject(job.as_raw_handle(), JobObjectExtendedLimitInformation, limits, size)
    };
    if set == 0 { Err(io::Error::last_os_error()) } else { Ok(job) }
}

impl Tree {
    /// A console program has no way to be asked but the end of its input, which it has seen.
    pub(super) async fn end(&mut self, child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
        let ended = tokio::time::timeout(grace, child.wait()).await;
        self.abandon(child);
        match ended {
            Ok(ended) => ended,
            Err(_) => child.wait().await,
        }
    }

    #[expect(unsafe_code, reason = "job objects")]
    pub(super) fn abandon(&self, _child: &Child) {
        // SAFETY: the job's handle is open. An empty job is no error.
        unsafe {
            TerminateJobObject(self.job.as_raw_handle(), 1);
        }
    }
}

/// There is no such limit here.
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
pub(super) fn raise_open_files() -> io::Result<Option<u64>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::process::{Kept, Process, is_alive, list};
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    use tokio::process::Command;

    /// Three programs, one below the other; the last one waits for ten minutes.
    fn tree() -> Command {
        let mut command = Command::new("cmd.exe");
        command.args(["/c", "cmd.exe /c ping -n 600 127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::null());
        command
    }

    async fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < deadline, "it did not happen in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn all_of(root: u32) -> Vec<Process> {
        until(|| {
            let all = list();
            let child_of = |parent: u32| all.iter().find(|process| process.parent == Some(parent));
            let (root, second) = (all.iter().find(|process| process.pid == root)?, child_of(root)?);
            Some(vec![root.clone(), second.clone(), child_of(second.pid)?.clone()])
        })
        .await
    }

    #[tokio::test]
    async fn the_job_takes_the_whole_tree_down() {
        for orderly in [true, false] {
            let mut server = Kept::spawn(tree(), Duration::from_millis(300)).unwrap();
            let processes = all_of(server.id().unwrap()).await;
            if orderly {
                server.end().await.unwrap();
            }
            drop(server);
            let gone =
                || processes.iter().all(|process| !is_alive(process.pid, process.started)).then_some(());
            until(gone).await;
        }
    }
}
