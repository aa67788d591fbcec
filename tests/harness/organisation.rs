//! A throw-away organisation: one policy server on loopback, driven by its own command line.

use crate::process::{self, Running};
use crate::tools;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A policy server that runs.
#[derive(Debug)]
pub struct Organisation {
    pub data: PathBuf,
    pub name: String,
    /// `127.0.0.1:PORT`; kept over restarts.
    pub address: String,
    /// The one-time console link of the first start.
    pub console: String,
    dark_after: u32,
    server: Option<Running>,
}

impl Organisation {
    /// Founds it in `folder` and starts its server on a port of the system's choosing.
    ///
    /// # Errors
    /// The server did not start.
    pub fn found(folder: &Path, name: &str, dark_after_seconds: u32) -> Result<Self> {
        let data = folder.join("policy-server");
        std::fs::create_dir_all(folder)?;
        let mut organisation = Self {
            data,
            name: name.to_owned(),
            address: "127.0.0.1:0".to_owned(),
            console: String::new(),
            dark_after: dark_after_seconds,
            server: None,
        };
        organisation.start()?;
        Ok(organisation)
    }

    /// Starts the server (again), on the address it had.
    ///
    /// # Errors
    /// It did not say that it listens.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(tools::program("portreeve-server")?);
        command.arg("serve").arg("--data").arg(&self.data).args([
            "--listen",
            &self.address,
            "--organisation",
            &self.name,
        ]);
        command.args(["--dark-after", &self.dark_after.to_string(), "--json"]);
        let log = self.data.with_extension("log");
        let running = Running::start("portreeve-server", &mut command, &log, true)?;
        let line: Value = serde_json::from_str(&running.line(Duration::from_secs(60))?)?;
        self.address =
            line["listening"].as_str().context("the server did not say where it listens")?.to_owned();
        if let Some(link) = line["console"].as_str() {
            self.console = link.to_owned();
        }
        self.server = Some(running);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    /// Stops as a service manager would.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn stop(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.terminate(Duration::from_secs(10)).map(drop),
            None => Ok(()),
        }
    }

    #[must_use]
    pub fn server_id(&self) -> Option<u32> {
        self.server.as_ref().map(Running::id)
    }

    #[must_use]
    pub fn log_tail(&self) -> String {
        self.server.as_ref().map(Running::log_tail).unwrap_or_default()
    }

    /// Runs `portreeve-server ARGS --data DIR`; what it printed.
    ///
    /// # Errors
    /// It failed; with what it said.
    pub fn admin(&self, args: &[&str]) -> Result<String> {
        process::output(
            Command::new(tools::program("portreeve-server")?).args(args).arg("--data").arg(&self.data),
        )
    }

    /// The same with `--json`, read.
    ///
    /// # Errors
    /// It failed, or printed no JSON.
    pub fn admin_json(&self, args: &[&str]) -> Result<Value> {
        let text = self.admin(&[args, &["--json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// A managed profile for one member, as the MDM would carry it.
    ///
    /// # Errors
    /// As [`Organisation::admin`].
    pub fn profile_for(&self, member: &str) -> Result<String> {
        self.admin(&["enrolment", "token", "create", "--member", member, "--profile", "json"])
    }

    /// Publishes a policy document.
    ///
    /// # Errors
    /// The server refuses it; with the problems.
    pub fn publish(&self, document: &str, note: &str) -> Result<String> {
        let file = self.data.with_file_name("draft.toml");
        std::fs::write(&file, document)?;
        self.admin(&["policy", "publish", &file.to_string_lossy(), "--note", note])
    }

    /// All records upstream, oldest first, as the agents sent them.
    ///
    /// # Errors
    /// As [`Organisation::admin`].
    pub fn records(&self) -> Result<Vec<Value>> {
        let lines = self.admin(&["records", "export", "--format", "raw"])?;
        lines
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect()
    }

    /// Open alerts.
    ///
    /// # Errors
    /// As [`Organisation::admin`].
    pub fn open_alerts(&self) -> Result<Vec<Value>> {
        let alerts = self.admin_json(&["alerts", "list"])?;
        let all = alerts.as_array().or_else(|| alerts["alerts"].as_array()).cloned().unwrap_or_default();
        Ok(all.into_iter().filter(|alert| alert["state"] != "resolved").collect())
    }
}
