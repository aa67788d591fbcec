//! The reference servers, pinned: how each is started, what it needs, and what is asked of it.

use super::script::Era;
use anyhow::Result;
use harness::tools;
use harness::wire::Way;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

pub const HANDSHAKE: Era = Era::Handshake("2025-11-25");

/// One reference server.
pub struct Server {
    pub name: &'static str,
    script: &'static str,
    /// The script calls every tool that there is.
    pub whole: bool,
    command: fn(&Path, Way) -> Option<Command>,
}

pub const EVERYTHING: Server = Server {
    name: "everything",
    script: include_str!("scripts/everything.json"),
    whole: true,
    command: everything,
};
/// The same in fewer words, for the revisions before.
pub const EVERYTHING_IN_SHORT: Server = Server {
    name: "everything",
    script: include_str!("scripts/short.json"),
    whole: false,
    command: everything,
};
/// Several messages at once, which only 2025-03-26 knows.
pub const EVERYTHING_IN_BATCHES: Server = Server {
    name: "batches",
    script: include_str!("scripts/batches.json"),
    whole: false,
    command: everything,
};
/// Our fixture on the TypeScript SDK, which speaks 2026-07-28 over stdio and over HTTP.
pub const MODERN: Server =
    Server { name: "modern", script: include_str!("scripts/modern.json"), whole: false, command: modern };
pub const FILESYSTEM: Server = Server {
    name: "filesystem",
    script: include_str!("scripts/filesystem.json"),
    whole: true,
    command: |folder, _| {
        let mut command = npm("mcp-server-filesystem")?;
        command.arg(folder.join("shown"));
        Some(command)
    },
};
pub const MEMORY: Server = Server {
    name: "memory",
    script: include_str!("scripts/memory.json"),
    whole: true,
    command: |folder, _| {
        let mut command = npm("mcp-server-memory")?;
        command.env("MEMORY_FILE_PATH", folder.join("memory.json"));
        Some(command)
    },
};
pub const SEQUENTIAL_THINKING: Server = Server {
    name: "sequential-thinking",
    script: include_str!("scripts/sequential-thinking.json"),
    whole: true,
    command: |_, _| npm("mcp-server-sequential-thinking"),
};
pub const TIME: Server = Server {
    name: "time",
    script: include_str!("scripts/time.json"),
    whole: true,
    command: |_, _| pypi("mcp-server-time"),
};
pub const GIT: Server = Server {
    name: "git",
    script: include_str!("scripts/git.json"),
    whole: true,
    command: |folder, _| {
        let mut command = pypi("mcp-server-git")?;
        command.arg("--repository").arg(folder.join("repository"));
        Some(command)
    },
};
pub const FETCH: Server = Server {
    name: "fetch",
    script: include_str!("scripts/fetch.json"),
    whole: true,
    command: |_, _| {
        let mut command = pypi("mcp-server-fetch")?;
        command.arg("--ignore-robots-txt");
        Some(command)
    },
};

impl Server {
    /// The command that serves this way, where it was fetched. It finds its files in `folder`.
    #[must_use]
    pub fn command(&self, folder: &Path, way: Way) -> Option<Command> {
        (self.command)(folder, way)
    }

    /// What is asked, with this run's own folder and address in the places kept for them.
    ///
    /// # Errors
    /// The script is no JSON.
    pub fn steps(&self, folder: &Path, page: &str) -> Result<Vec<Value>> {
        let script = self.script.replace("{folder}", &folder.display().to_string()).replace("{page}", page);
        Ok(serde_json::from_str(&script)?)
    }
}

fn everything(_: &Path, way: Way) -> Option<Command> {
    let mut command = npm("mcp-server-everything")?;
    match way {
        Way::Stdio => {}
        Way::Http => drop(command.arg("streamableHttp")),
        Way::Sse => drop(command.arg("sse")),
    }
    Some(command)
}

/// A copy of it in the run's own folder, where it finds its packages.
fn modern(folder: &Path, way: Way) -> Option<Command> {
    let packages = tools::conformance_folder()?.join("node_modules");
    let own = folder.join("server.mjs");
    std::fs::copy(tools::repository().join("tests/fixtures/conformance/server.mjs"), &own).ok()?;
    std::os::unix::fs::symlink(&packages, folder.join("node_modules")).ok()?;
    let mut command = Command::new(packages.join(".bin/node"));
    command.arg(own).args((way == Way::Stdio).then_some("--stdio"));
    Some(command)
}

fn npm(name: &str) -> Option<Command> {
    let program = tools::npm_folder()?.join("node_modules/.bin").join(name);
    program.exists().then(|| Command::new(program))
}

fn pypi(name: &str) -> Option<Command> {
    Some(Command::new(tools::pypi_program(name)?))
}

/// What the servers are asked about: files, and a repository of git's own.
///
/// # Errors
/// It could not be made.
pub fn furnish(folder: &Path) -> Result<()> {
    let shown = folder.join("shown");
    std::fs::create_dir_all(&shown)?;
    std::fs::write(shown.join("notes.txt"), "one\ntwo \u{1F680}\n")?;
    std::fs::write(shown.join("big.txt"), "a long line of text\n".repeat(5_000))?;
    std::fs::write(shown.join("pixel.png"), [0x89, b'P', b'N', b'G', 13, 10, 26, 10])?;
    let repository = folder.join("repository");
    std::fs::create_dir_all(&repository)?;
    std::fs::write(repository.join("notes.txt"), "one\n")?;
    for args in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "Begin"]] {
        harness::process::output(steady(Command::new("git").args(args).current_dir(&repository), folder))?;
    }
    std::fs::write(repository.join("notes.txt"), "one\ntwo\n")?;
    Ok(())
}

/// The same surroundings for every run.
pub fn steady<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let kept: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command.env_clear().env("PATH", path).env("HOME", folder).env("TZ", "UTC").env("LANG", "C.UTF-8");
    for (name, value) in [
        ("GIT_AUTHOR_NAME", "Alice"),
        ("GIT_AUTHOR_EMAIL", "alice@acme.example"),
        ("GIT_AUTHOR_DATE", "2026-11-20T10:00:00Z"),
        ("GIT_COMMITTER_NAME", "Alice"),
        ("GIT_COMMITTER_EMAIL", "alice@acme.example"),
        ("GIT_COMMITTER_DATE", "2026-11-20T10:00:00Z"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ] {
        command.env(name, value);
    }
    command.envs(kept)
}
