//! On what, when and of which version a run was: figures without it say nothing.

use harness::tools::repository;
use serde::Serialize;
use std::fs::read_to_string;
use std::process::{Command, Stdio};

#[derive(Debug, Serialize)]
pub struct Setting {
    pub cores: usize,
    pub processor: String,
    pub memory_gib: u64,
    pub kernel: String,
    /// In UTC.
    pub when: String,
    pub version: String,
    pub rounds: usize,
    pub seed: u64,
}

impl Setting {
    pub fn of(rounds: usize, seed: u64) -> Self {
        let now = time::OffsetDateTime::now_utc();
        let (hour, minute) = (now.hour(), now.minute());
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: value("/proc/cpuinfo", "model name")
                .unwrap_or_else(|| "an unnamed processor".to_owned()),
            memory_gib: memory_gib().unwrap_or_default(),
            kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            when: format!("{} {hour:02}:{minute:02}", now.date()),
            version: version(),
            rounds,
            seed,
        }
    }

    pub fn line(&self) -> String {
        let Self { cores, processor, memory_gib, kernel, when, version, rounds, seed } = self;
        format!(
            "Measured {when} UTC on {cores} cores ({processor}), {memory_gib} GiB, Linux {kernel}; portreeve {version}; \
             medians of {rounds} rounds in random order (`--seed {seed}`)."
        )
    }
}

/// Of the sources that lie here; programs that were not built anew may be older.
fn version() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(repository()).stderr(Stdio::null());
    let commit = git.output().ok().filter(|output| output.status.success());
    let commit = commit.and_then(|output| String::from_utf8(output.stdout).ok());
    let version = env!("CARGO_PKG_VERSION");
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({})", commit.trim()))
}

fn memory_gib() -> Option<u64> {
    let kilobytes: u64 = value("/proc/meminfo", "MemTotal")?.trim_end_matches("kB").trim().parse().ok()?;
    Some((kilobytes + 512 * 1024) / (1024 * 1024))
}

/// What stands behind a name in one of `/proc`'s lists.
fn value(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_what_it_ran_on() {
        let setting = Setting::of(5, 7);
        assert!(setting.cores > 0 && setting.memory_gib > 0 && !setting.kernel.is_empty(), "{setting:?}");
        assert!(setting.line().contains("medians of 5 rounds in random order (`--seed 7`)"), "{setting:?}");
    }
}
