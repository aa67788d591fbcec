//! `cargo fuzz-borders`: builds the engine with coverage, feeds every border for a while, keeps what it
//! found, and says for how long each has been fed in all.

mod hours;
mod run;

use anyhow::{Context, Result, bail};
use clap::Parser;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Feeds every parser that an attacker feeds, and keeps the corpus.
///
/// Exit code 0 when nothing was found, 1 when a border broke its promise (the input is named), 2 for wrong use.
#[derive(Debug, Parser)]
#[command(name = "cargo fuzz-borders", bin_name = "cargo fuzz-borders")]
struct Arguments {
    /// How long each border is fed
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Borders fed at once
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Only these borders
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Print the borders, their corpus and the time that each was fed so far, and end
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match fuzz_borders(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn fuzz_borders(arguments: &Arguments) -> Result<bool> {
    let mut chosen = Vec::new();
    for name in &arguments.only {
        chosen.push(fuzz::target(name).with_context(|| format!("there is no border `{name}`"))?);
    }
    if chosen.is_empty() {
        chosen = fuzz::TARGETS.iter().collect();
    }
    if !arguments.list {
        let engine = build_engine()?;
        let time = Duration::from_secs(60 * arguments.minutes);
        for group in chosen.chunks(arguments.jobs.max(1)) {
            let mut running = Vec::new();
            for target in group {
                running.push(run::Running::start(&engine, target.name, time)?);
            }
            for running in running {
                if !running.finish()? {
                    return Ok(false);
                }
            }
        }
    }
    table(&chosen)?;
    Ok(true)
}

/// Coverage as libFuzzer reads it. A target of its own keeps it out of build scripts.
fn build_engine() -> Result<PathBuf> {
    let folder = target_folder().join("fuzz");
    let host = host()?;
    let flags = [
        "-Cpasses=sancov-module",
        "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
        "-Cllvm-args=-sanitizer-coverage-pc-table",
        "-Cllvm-args=-sanitizer-coverage-trace-compares",
        "-Cdebug-assertions",
        "-Coverflow-checks",
        "-Ccodegen-units=1",
    ];
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "fuzz", "--bin", "fuzz-engine", "--features", "engine"])
        .args(["--target", &host])
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", flags.join(" "))
        .status()?;
    if !built.success() {
        bail!("the engine was not built");
    }
    Ok(folder.join(host).join("release/fuzz-engine"))
}

fn host() -> Result<String> {
    let output =
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

fn target_folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

fn table(chosen: &[&fuzz::Target]) -> Result<()> {
    say(&format!(
        "{:<14} {:>8} {:>14} {:>8} {:>10}  promise",
        "border", "hours", "executions", "inputs", "bytes"
    ));
    for target in chosen {
        let hours = hours::of(target.name)?;
        let corpus = fuzz::corpus::read(target.name).unwrap_or_default();
        let bytes: usize = corpus.iter().map(Vec::len).sum();
        say(&format!(
            "{:<14} {:>8.2} {:>14} {:>8} {:>10}  {}",
            target.name,
            Duration::from_secs(hours.seconds).as_secs_f64() / 3600.0,
            hours.executions,
            corpus.len(),
            bytes,
            target.promise
        ));
    }
    Ok(())
}

fn say(line: &str) {
    // Without a terminal there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{line}");
}
