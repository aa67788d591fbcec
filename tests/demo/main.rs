//! `cargo demo`: one machine governed end to end, lived through step by step.
//!
//! Builds the two programs, founds a throw-away organisation, and leaves nothing outside its own
//! folder and no process behind.

mod build;
mod cast;
mod report;
mod story;

use clap::Parser;
use std::process::ExitCode;

/// One machine governed end to end: found, rewired, policy pulled and verified, calls allowed and
/// refused, recorded, a bypass alerted, access revoked.
///
/// Exit code 0 when every step did what it says, 1 otherwise.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
struct Arguments {
    /// One JSON line per step, and a last line with the totals.
    #[arg(long)]
    json: bool,
    /// Leave the organisation running at the end, with its console open to a browser, until Enter or Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Use the small sample server of ours even where Node is there.
    #[arg(long)]
    sample: bool,
    /// Do not build first (the programs are built already).
    #[arg(long, hide = true)]
    no_build: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = report::Report::new(arguments.json);
    match play(&arguments, &mut report) {
        Ok(()) => {}
        Err(error) => report.broken(&error),
    }
    report.finish()
}

fn play(arguments: &Arguments, report: &mut report::Report) -> anyhow::Result<()> {
    if !arguments.no_build {
        report.step("The two programs are built", || build::programs(arguments.json))?;
    }
    let mut cast = cast::Cast::gather(arguments.sample, report)?;
    let told = story::tell(&mut cast, report);
    if told.is_ok() && arguments.stay {
        cast.stay(report)?;
    }
    let left = cast.leave();
    told?;
    report.step("Nothing is left behind", || left)
}
