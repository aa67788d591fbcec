//! macOS: the tree is found by walking the process list. There is no word from the kernel when a
//! parent dies, so a killed guard's server ends when it reads the end of its input.

use super::{Process, is_alive, list};
use std::collections::BTreeSet;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};

#[derive(Debug)]
pub(super) struct Tree;

pub(super) fn spawn(mut command: Command, _grace: Duration) -> io::Result<(Child, Tree)> {
    Ok((command.spawn()?, Tree))
}

impl Tree {
    pub(super) async fn end(&mut self, child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
        let tree = child.id().map(below).unwrap_or_default();
        signal(&tree, rustix::process::Signal::TERM);
        let ended = tokio::time::timeout(grace, child.wait()).await;
        signal(&tree, rustix::process::Signal::KILL);
        match ended {
            Ok(ended) => ended,
            Err(_) => child.wait().await,
        }
    }

    #[expect(clippy::unused_self, reason = "the same signature on every system")]
    pub(super) fn abandon(&self, child: &Child) {
        signal(&child.id().map(below).unwrap_or_default(), rustix::process::Signal::TERM);
    }
}

/// The process and all that descend from it, as of now.
fn below(root: u32) -> Vec<Process> {
    let all = list();
    let mut found = BTreeSet::from([root]);
    loop {
        let before = found.len();
        let children =
            all.iter().filter(|process| process.parent.is_some_and(|parent| found.contains(&parent)));
        let children: Vec<u32> = children.map(|process| process.pid).collect();
        found.extend(children);
        if found.len() == before {
            return all.into_iter().filter(|process| found.contains(&process.pid)).collect();
        }
    }
}

fn signal(tree: &[Process], signal: rustix::process::Signal) {
    for process in tree.iter().filter(|process| is_alive(process.pid, process.started)) {
        if let Some(pid) = rustix::process::Pid::from_raw(process.pid.cast_signed()) {
            let _ = rustix::process::kill_process(pid, signal);
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
