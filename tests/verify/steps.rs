//! The steps of `cargo verify`, in order.

use anyhow::{Context, Result, bail};
use harness::fetch::Fetched;
use harness::tools;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a step ended, other than badly.
#[derive(Debug)]
pub enum Done {
    Passed,
    /// What it needs cannot be had here; why.
    Skipped(String),
}

/// One step.
pub struct Step {
    pub name: &'static str,
    pub what: &'static str,
    pub act: fn() -> Result<Done>,
}

pub const ALL: &[Step] = &[
    Step { name: "format", what: "cargo fmt --check", act: format },
    Step { name: "lints", what: "clippy over everything, warnings as errors", act: lints },
    Step { name: "build", what: "both programs and the test programs", act: build },
    Step {
        name: "fetch",
        what: "MCP servers, SDKs, the conformance suite and Claude Code from npm and PyPI, Chromium",
        act: fetch,
    },
    Step {
        name: "tests",
        what: "every unit, property, attack, end-to-end and tidy test (nextest)",
        act: tests,
    },
    Step {
        name: "doctests",
        what: "the examples in the documentation, and the bypasses that must not compile",
        act: doc_tests,
    },
    Step {
        name: "cross",
        what: "lints of what only Windows and macOS compile, and platform's tests as Windows programs",
        act: cross,
    },
];

fn format() -> Result<Done> {
    cargo(&["fmt", "--all", "--check"])
}

fn lints() -> Result<Done> {
    cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
}

fn build() -> Result<Done> {
    cargo(&["build", "--workspace", "--bins"])
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a step's shape; what cannot be fetched is skipped, not failed, here"
)]
fn fetch() -> Result<Done> {
    let mut missing = Vec::new();
    for fetched in [Fetched::NpmServers, Fetched::ClaudeCode, Fetched::PypiServers, Fetched::Conformance] {
        if let Err(error) = fetched.ensure() {
            missing.push(format!("{error:#}"));
        }
    }
    if let Err(error) = browser() {
        missing.push(format!("{error:#}"));
    }
    Ok(if missing.is_empty() { Done::Passed } else { Done::Skipped(missing.join("; ")) })
}

/// Chromium and its driver, through apt where this is root on Debian.
fn browser() -> Result<()> {
    if tools::on_path("chromium").is_some() && tools::on_path("chromedriver").is_some() {
        return Ok(());
    }
    apt_install(&["chromium", "chromium-driver"])
}

/// Installs Debian packages where this is root on Debian.
fn apt_install(packages: &[&str]) -> Result<()> {
    let why = || {
        format!("{} cannot be had: install by hand, or run as root where there is apt", packages.join(", "))
    };
    let apt = tools::on_path("apt-get").with_context(why)?;
    let quiet = |args: &[&str]| {
        run(Command::new(&apt)
            .arg("-qq")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()))
    };
    quiet(&["update"]).with_context(why)?;
    quiet(&[&["install", "-y", "--no-install-recommends"], packages].concat()).with_context(why)
}

fn tests() -> Result<Done> {
    let nextest = Path::new(env!("CARGO")).with_file_name("cargo-nextest");
    if !nextest.exists() && tools::on_path("cargo-nextest").is_none() {
        cargo(&["install", "cargo-nextest", "--locked"])?;
    }
    cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])
}

fn doc_tests() -> Result<Done> {
    cargo(&["test", "--quiet", "--workspace", "--doc"])
}

/// Exit code of the script for "the sources of the standard library cannot be had here".
const NO_SOURCES: i32 = 3;

fn cross() -> Result<Done> {
    let tools = ["x86_64-w64-mingw32-gcc", "wine"];
    let missing = tools.iter().any(|tool| tools::on_path(tool).is_none());
    if missing && let Err(error) = apt_install(&["gcc-mingw-w64-x86-64", "wine", "wine64"]) {
        return Ok(Done::Skipped(format!("{error:#}")));
    }
    let folder = tools::target_folder()?.join("cross");
    let script = tools::repository().join("tests/verify/cross-check.sh");
    let mut command = Command::new("sh");
    command.arg(script).arg(&folder).current_dir(tools::repository()).stdin(Stdio::null());
    match command.status()?.code() {
        Some(0) => Ok(Done::Passed),
        Some(NO_SOURCES) => {
            Ok(Done::Skipped("the standard library's sources for this compiler cannot be had".into()))
        }
        code => bail!("the cross-check ended with {code:?}"),
    }
}

fn cargo(args: &[&str]) -> Result<Done> {
    run(Command::new(env!("CARGO")).args(args).current_dir(tools::repository()))?;
    Ok(Done::Passed)
}

fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
