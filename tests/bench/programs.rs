//! The programs that are measured, built in the profile this one was built in.

use anyhow::{Context, Result, bail};
use harness::tools;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where they lie.
#[derive(Debug)]
pub struct Programs {
    pub echo_server: PathBuf,
    pub floor: PathBuf,
    pub do_nothing: PathBuf,
}

impl Programs {
    /// Builds them, unless those that lie beside this one are wanted; cargo does what there is to do.
    pub fn build(as_they_are: bool) -> Result<Self> {
        if !as_they_are {
            cargo(&["--package", "agent", "--package", "policy-server"])?;
            cargo(&["--package", "bench"])?;
        }
        Ok(Self {
            echo_server: tools::program("bench-echo-server")?,
            floor: tools::program("bench-floor")?,
            do_nothing: tools::program("bench-do-nothing")?,
        })
    }
}

fn cargo(packages: &[&str]) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--bins"]).args(packages).current_dir(tools::repository()).stdin(Stdio::null());
    if is_release()? {
        command.arg("--release");
    }
    // Whoever pipes our tables gets the tables.
    command.stdout(Stdio::null());
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Figures of a build without optimisation say little.
pub fn is_release() -> Result<bool> {
    let own = std::env::current_exe()?;
    Ok(own.parent().and_then(|folder| folder.file_name()).is_some_and(|name| name == "release"))
}
