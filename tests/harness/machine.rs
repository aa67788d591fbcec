//! A throw-away developer machine: a home folder with Claude's configurations, and an agent whose
//! files all lie under one `--root`.

use crate::process::{self, Running};
use crate::tools;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The machine of one developer.
#[derive(Debug)]
pub struct Machine {
    pub home: PathBuf,
    pub root: PathBuf,
    pub member: String,
    resident: Option<Running>,
}

impl Machine {
    /// An empty home and an empty root in `folder`.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn new(folder: &Path, member: &str) -> Result<Self> {
        let (home, root) = (folder.join("home"), folder.join("portreeve"));
        std::fs::create_dir_all(&home)?;
        std::fs::create_dir_all(root.join("etc"))?;
        Ok(Self { home, root, member: member.to_owned(), resident: None })
    }

    /// Places the managed profile where MDM would.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn place_profile(&self, profile: &str) -> Result<()> {
        Ok(std::fs::write(self.root.join("etc/managed.json"), profile)?)
    }

    /// `portreeve ARGS` on this machine, not yet started.
    ///
    /// # Errors
    /// It is not built.
    pub fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(tools::program("portreeve")?);
        command.arg("--root").arg(&self.root).args(args).env("HOME", &self.home);
        command
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("CLAUDE_CONFIG_DIR");
        Ok(command)
    }

    /// Runs `portreeve ARGS`; what it printed.
    ///
    /// # Errors
    /// It failed; with what it said.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        process::output(&mut self.command(args)?)
    }

    /// Runs it, whatever the exit code.
    ///
    /// # Errors
    /// It could not be started.
    pub fn try_run(&self, args: &[&str]) -> Result<Output> {
        Ok(self.command(args)?.stdin(Stdio::null()).output()?)
    }

    /// The same with `--json`, read.
    ///
    /// # Errors
    /// It printed no JSON.
    pub fn run_json(&self, args: &[&str]) -> Result<Value> {
        let done = self.try_run(&[args, &["--json"]].concat())?;
        let text = String::from_utf8_lossy(&done.stdout);
        serde_json::from_str(&text)
            .with_context(|| format!("not JSON: {text}{}", String::from_utf8_lossy(&done.stderr)))
    }

    /// Starts the resident and waits until it answers.
    ///
    /// # Errors
    /// It ended, or does not answer.
    pub fn start_resident(&mut self) -> Result<()> {
        let log = self.root.join("resident.log");
        let mut running = Running::start("portreeve run", &mut self.command(&["run"])?, &log, false)?;
        crate::wait::until("the resident to answer", Duration::from_secs(30), || {
            running.ended().is_some() || self.status().is_ok_and(|status| status["resident"].is_object())
        })
        .with_context(|| format!("its log ends:\n{}", running.log_tail()))?;
        if let Some(status) = running.ended() {
            bail!("the resident ended with {status}; its log ends:\n{}", running.log_tail());
        }
        self.resident = Some(running);
        Ok(())
    }

    /// SIGKILL to the resident.
    pub fn kill_resident(&mut self) {
        if let Some(mut resident) = self.resident.take() {
            resident.kill();
        }
    }

    /// Stops it as a service manager would.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn stop_resident(&mut self) -> Result<()> {
        match self.resident.take() {
            Some(resident) => resident.terminate(Duration::from_secs(10)).map(drop),
            None => Ok(()),
        }
    }

    /// Is the resident that was started here still there?
    pub fn resident_runs(&mut self) -> bool {
        self.resident.as_mut().is_some_and(|resident| resident.ended().is_none())
    }

    #[must_use]
    pub fn resident_log(&self) -> String {
        std::fs::read_to_string(self.root.join("resident.log")).unwrap_or_default()
    }

    /// `portreeve status --json`.
    ///
    /// # Errors
    /// As [`Machine::run_json`].
    pub fn status(&self) -> Result<Value> {
        self.run_json(&["status"])
    }

    /// Waits until the policy in force is this version or later.
    ///
    /// # Errors
    /// It is not, in time.
    pub fn await_policy(&self, version: u64, within: Duration) -> Result<()> {
        crate::wait::until(&format!("policy version {version} on the machine"), within, || {
            self.status()
                .is_ok_and(|status| status["policy"]["version"].as_u64().is_some_and(|now| now >= version))
        })
    }

    /// A configuration file of the home, read.
    ///
    /// # Errors
    /// It is not there, or not JSON.
    pub fn config(&self, relative: &str) -> Result<Value> {
        let path = self.home.join(relative);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
    }
}
