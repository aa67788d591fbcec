//! One engine at work on one border.

use crate::hours::{self, Fed};
use crate::{say, target_folder};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longer inputs find little that shorter ones do not.
const LONGEST_INPUT: usize = 4096;

pub struct Running {
    name: &'static str,
    engine: PathBuf,
    child: Child,
    folder: PathBuf,
    time: Duration,
}

impl Running {
    /// Feeds it with what is kept and what it makes of that.
    pub fn start(engine: &Path, name: &'static str, time: Duration) -> Result<Self> {
        let folder = target_folder().join("fuzz/borders").join(name);
        let corpus = folder.join("corpus");
        fs::create_dir_all(&corpus)?;
        for (number, input) in fuzz::corpus::read(name)?.iter().enumerate() {
            fs::write(corpus.join(format!("kept-{number}")), input)?;
        }
        let child = engine_on(engine, name, &folder)
            .arg(format!("-max_total_time={}", time.as_secs()))
            .arg(format!("-max_len={LONGEST_INPUT}"))
            .args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-use_value_profile=1"])
            .arg(&corpus)
            .stderr(fs::File::create(folder.join("log"))?)
            .spawn()
            .context("the engine cannot be started")?;
        say(&format!(
            "feeding {name} for {} min (log: {})",
            time.as_secs() / 60,
            folder.join("log").display()
        ));
        Ok(Self { name, engine: engine.to_owned(), child, folder, time })
    }

    /// Waits, and keeps the smallest corpus that covers the same; `false` where a promise was broken.
    pub fn finish(mut self) -> Result<bool> {
        let status = self.child.wait()?;
        let log = String::from_utf8_lossy(&fs::read(self.folder.join("log"))?).into_owned();
        if !status.success() {
            let tail: Vec<&str> = log.lines().rev().take(25).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            say(&format!(
                "{} broke its promise; the input is in {}\n{}",
                self.name,
                self.folder.display(),
                tail.join("\n")
            ));
            return Ok(false);
        }
        let executions = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        let executions = executions.and_then(|number| number.trim().parse().ok()).unwrap_or_default();
        self.keep()?;
        hours::add(self.name, Fed { seconds: self.time.as_secs(), executions })?;
        Ok(true)
    }

    fn keep(&self) -> Result<()> {
        let merged = self.folder.join("merged");
        let _ = fs::remove_dir_all(&merged);
        fs::create_dir_all(&merged)?;
        let done = engine_on(&self.engine, self.name, &self.folder)
            .args(["-merge=1", &format!("-max_len={LONGEST_INPUT}")])
            .arg(&merged)
            .arg(self.folder.join("corpus"))
            .stderr(Stdio::null())
            .status()?;
        anyhow::ensure!(done.success(), "the corpus of {} was not merged", self.name);
        let mut inputs = Vec::new();
        for entry in fs::read_dir(&merged)? {
            inputs.push(fs::read(entry?.path())?);
        }
        fuzz::corpus::write(self.name, inputs)
    }
}

fn engine_on(engine: &Path, name: &str, folder: &Path) -> Command {
    let mut command = Command::new(engine);
    command
        .env("PORTREEVE_FUZZ_TARGET", name)
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
