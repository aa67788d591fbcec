//! Processes as `/proc` shows them: who belongs to a program, what memory is theirs alone, what they computed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A process and everything below it.
pub fn tree(root: u32) -> Vec<u32> {
    let parents = parents();
    let mut found = vec![root];
    let mut looked_at = 0;
    while let Some(&parent) = found.get(looked_at) {
        looked_at += 1;
        found.extend(parents.iter().filter(|(_, above)| **above == parent).map(|(pid, _)| *pid));
    }
    found
}

/// The same without the processes that run `server`: what stands in the middle.
pub fn middle(root: u32, server: &Path) -> Vec<u32> {
    let runs_server = |pid: &u32| exe(*pid).is_some_and(|exe| exe == server);
    tree(root).into_iter().filter(|pid| !runs_server(pid)).collect()
}

fn exe(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

fn parents() -> BTreeMap<u32, u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Kilobytes that nobody else has: what would be free if these processes ended. `Private_Clean`, and of
/// what was written `Pss_Dirty` instead of `Private_Dirty`, because a guard shares pages with its own fork,
/// which would otherwise count for neither. `None` where the system does not say.
pub fn private_kb(pids: &[u32]) -> Option<u64> {
    pids.iter().map(|pid| private_of(*pid)).sum()
}

fn private_of(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    };
    let written = field("Pss_Dirty:").or_else(|| field("Private_Dirty:"))?;
    Some(written + field("Private_Clean:")?)
}

/// Processor time of all their threads so far.
pub fn computed(pids: &[u32]) -> Duration {
    Duration::from_nanos(
        pids.iter().flat_map(|pid| threads(*pid)).filter_map(|path| nanoseconds(&path)).sum(),
    )
}

fn threads(pid: u32) -> Vec<PathBuf> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks.flatten().map(|task| task.path().join("schedstat")).collect()
}

fn nanoseconds(schedstat: &Path) -> Option<u64> {
    std::fs::read_to_string(schedstat).ok()?.split(' ').next()?.parse().ok()
}

/// Ends a process and everything below it, at once.
pub fn kill_tree(root: u32) {
    for pid in tree(root) {
        let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { continue };
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_with_what_it_started() {
        let mut shell = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let soon = Duration::from_secs(10);
        harness::wait::until("the shell's child", soon, || tree(shell.id()).len() == 2).unwrap();
        let found = tree(shell.id());
        assert_eq!((found.first(), found.len()), (Some(&shell.id()), 2));
        assert!(private_kb(&found).is_some_and(|kb| kb > 0));
        assert!(computed(&found) > Duration::ZERO);
        kill_tree(shell.id());
        assert!(!shell.wait().unwrap().success());
        let gone = || found.iter().all(|pid| exe(*pid).is_none());
        harness::wait::until("both to be gone", soon, gone).unwrap();
    }
}
