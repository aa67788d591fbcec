//! Installs a peer through the ordinary client of its registry, into `target/fetched/peers`. What is
//! there already is left alone.

use anyhow::{Context, Result};
use harness::process;
use harness::tools::{fetched_folder, on_path};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, Copy)]
pub enum Registry {
    Cargo,
    Npm,
    Pypi,
}

impl Registry {
    /// The folder in which the packages are.
    pub fn install(self, folder: &str, packages: &[&str]) -> Result<PathBuf> {
        let peers = fetched_folder()?.join("peers");
        let folder = peers.join(folder);
        let (stamp, wanted) = (folder.join(".installed"), packages.join("\n"));
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(folder);
        }
        std::fs::create_dir_all(&folder)?;
        match self {
            Self::Cargo => {
                let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                cargo.args(["install", "--locked", "--quiet", "--root"]).arg(&folder).args(packages);
                let building = peers.join("building");
                process::output(cargo.env("CARGO_TARGET_DIR", &building))?;
                let _ = std::fs::remove_dir_all(building);
            }
            Self::Npm => {
                let npm = on_path("npm").context("npm is not on the path")?;
                let flags = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"];
                process::output(Command::new(npm).args(flags).arg(&folder).args(packages))?;
            }
            Self::Pypi => pypi(&folder, packages)?,
        }
        std::fs::write(stamp, wanted)?;
        Ok(folder)
    }
}

fn pypi(folder: &Path, packages: &[&str]) -> Result<()> {
    let python = on_path("python3").context("python3 is not on the path")?;
    process::output(Command::new(python).args(["-m", "venv"]).arg(folder))?;
    process::output(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
    Ok(())
}
