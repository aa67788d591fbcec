//! Builds the programs and fetches the reference servers, with a bar while it lasts.

use anyhow::{Context, Result, bail};
use harness::tools;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Command, Stdio};

/// Both programs in one call, in the profile this demo itself was built in (dev: the first step comes soonest).
pub fn programs(quiet: bool) -> Result<String> {
    let bar = bar(packages()?, quiet);
    let mut cargo = Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--bins", "--message-format", "json-render-diagnostics"])
        .current_dir(tools::repository())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if quiet || bar.is_hidden() { Stdio::inherit() } else { Stdio::null() })
        .spawn()
        .context("cannot start cargo")?;
    let mut built = BTreeSet::new();
    for line in BufReader::new(cargo.stdout.take().context("stdout is piped")?).lines() {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        if message["reason"] == "compiler-artifact" {
            built.insert(message["package_id"].to_string());
            bar.set_position(built.len() as u64);
            bar.set_message(message["target"]["name"].as_str().unwrap_or_default().to_owned());
        }
    }
    bar.finish_and_clear();
    if !cargo.wait()?.success() {
        bail!("cargo build failed; run `cargo build --workspace` to see why");
    }
    Ok(format!("portreeve and portreeve-server, from {} packages", built.len()))
}

/// How many packages the build has, on this system.
fn packages() -> Result<u64> {
    let host = harness::process::output(Command::new("rustc").arg("-vV"))?;
    let triple = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let metadata = harness::process::output(
        Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--filter-platform", triple])
            .current_dir(tools::repository()),
    )?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    Ok(metadata["resolve"]["nodes"].as_array().map_or(0, |nodes| nodes.len() as u64))
}

fn bar(length: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("building {bar:40} {pos}/{len} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}
