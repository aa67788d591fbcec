//! What the tests use that is not ours: our own built programs, Node's servers, Claude Code, Chromium.
//!
//! What cannot be had is skipped loudly on a laptop and is a failure under `CI=true`.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The folder cargo builds into (`target`), found from where this very program lies.
///
/// # Errors
/// This program was moved out of the target folder.
pub fn target_folder() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own
        .ancestors()
        .skip(1)
        .find(|folder| folder.file_name().is_some_and(|name| name != "deps"))
        .context("this program lies in no folder")?;
    Ok(profile.parent().context("a profile's folder lies in the target folder")?.to_owned())
}

/// One of the two programs, as cargo built it beside this one.
///
/// # Errors
/// It is not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built; run `cargo build --workspace` first"))
}

/// Where `cargo verify` and `cargo demo` put what they fetch.
///
/// # Errors
/// As [`target_folder`].
pub fn fetched_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("fetched"))
}

/// The folder whose `node_modules` holds the npm packages, where they were fetched.
#[must_use]
pub fn npm_folder() -> Option<PathBuf> {
    let folder = fetched_folder().ok()?.join("npm");
    folder.join("node_modules/.bin/mcp-server-everything").exists().then_some(folder)
}

/// Claude Code from npm, where it was fetched.
#[must_use]
pub fn claude_code() -> Option<PathBuf> {
    Some(fetched_folder().ok()?.join("claude-code/node_modules/.bin/claude")).filter(|path| path.exists())
}

/// A PyPI server's program in the fetched virtual environment.
#[must_use]
pub fn pypi_program(name: &str) -> Option<PathBuf> {
    Some(fetched_folder().ok()?.join("pypi/bin").join(name)).filter(|path| path.exists())
}

/// The folder whose `node_modules` holds the conformance suite, both halves of the TypeScript SDK and a Node
/// that can run them.
#[must_use]
pub fn conformance_folder() -> Option<PathBuf> {
    let folder = fetched_folder().ok()?.join("conformance");
    folder.join("node_modules/.bin/conformance").exists().then_some(folder)
}

/// Gives the tool, or says loudly that a test is skipped for want of it.
///
/// # Panics
/// Under `CI=true` a missing tool is a failure.
#[must_use]
pub fn need<T>(what: &str, tool: Option<T>) -> Option<T> {
    if tool.is_none() {
        assert!(!is_ci(), "{what} is not here, and CI=true allows no skipping");
        say(&format!("SKIPPED for want of {what}; `cargo verify` fetches it where it can"));
    }
    tool
}

#[must_use]
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Is this program on the path?
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen by whoever runs it")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// The repository's own folder.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
