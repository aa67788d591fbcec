//! Fetches what the tests and the demo use that is not ours, through the ordinary clients, into
//! `target/fetched`. What is there already is left alone.

use crate::process;
use crate::tools::{fetched_folder, on_path, repository};
use anyhow::{Context, Result};
use std::process::Command;

/// Something that can be fetched, by the name of its folder in `tests/fixtures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The reference servers from npm.
    NpmServers,
    /// Claude Code from npm (about 250 MB).
    ClaudeCode,
    /// Servers from PyPI that speak the 2026-07-28 revision, and the Python SDK.
    PypiServers,
    /// The conformance suite, the TypeScript SDK and the Node that they need.
    Conformance,
}

impl Fetched {
    fn fixture(self) -> &'static str {
        match self {
            Self::NpmServers => "npm",
            Self::ClaudeCode => "claude-code",
            Self::PypiServers => "pypi",
            Self::Conformance => "conformance",
        }
    }

    /// A file that is there once all is fetched.
    fn proof(self) -> &'static str {
        match self {
            Self::NpmServers => "node_modules/.bin/mcp-server-filesystem",
            Self::ClaudeCode => "node_modules/.bin/claude",
            Self::PypiServers => "bin/mcp-server-git",
            Self::Conformance => "node_modules/.bin/conformance",
        }
    }

    /// Fetches it, unless the pinned versions are there already. Says what was done.
    ///
    /// # Errors
    /// The client is not installed, or the registry did not give the packages.
    pub fn ensure(self) -> Result<String> {
        let folder = fetched_folder()?.join(self.fixture());
        let pins = if self == Self::PypiServers { "requirements.txt" } else { "package.json" };
        let wanted =
            std::fs::read_to_string(repository().join("tests/fixtures").join(self.fixture()).join(pins))?;
        let stamp = folder.join(".fetched");
        if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted)
            && folder.join(self.proof()).exists()
        {
            return Ok(format!("{} was here already", self.fixture()));
        }
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(pins), &wanted)?;
        match self {
            Self::NpmServers | Self::ClaudeCode | Self::Conformance => {
                let npm = on_path("npm").context("npm is not on the path")?;
                process::output(
                    Command::new(npm)
                        .args(["install", "--no-audit", "--no-fund", "--no-package-lock"])
                        .current_dir(&folder),
                )?;
            }
            Self::PypiServers => {
                let python = on_path("python3").context("python3 is not on the path")?;
                process::output(Command::new(python).args(["-m", "venv", "."]).current_dir(&folder))?;
                process::output(
                    Command::new(folder.join("bin/pip"))
                        .args(["install", "--quiet", "-r", pins])
                        .current_dir(&folder),
                )?;
            }
        }
        anyhow::ensure!(
            folder.join(self.proof()).exists(),
            "{} was fetched, but {} is not there",
            self.fixture(),
            self.proof()
        );
        std::fs::write(stamp, wanted)?;
        Ok(format!("{} fetched", self.fixture()))
    }
}
