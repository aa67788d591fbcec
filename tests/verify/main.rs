//! `cargo verify`: everything that has to be true before a change is taken, in one command.
//!
//! Format, lints as errors, build, all tests, doc tests. Fetches what the tests need through the
//! ordinary clients; what cannot be had is skipped loudly on a laptop and is a failure under `CI=true`.

mod steps;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// Format, lints, build, tests: everything that has to be true before a change is taken.
///
/// Exit code 0 when all of it is, 1 at the first step that is not.
#[derive(Debug, Parser)]
#[command(name = "cargo verify", bin_name = "cargo verify")]
struct Arguments {
    /// Only these steps, by name (see --list).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Print the steps and end.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let (mut passed, mut skipped) = (0, 0);
    for step in steps::ALL {
        if arguments.list {
            say(&format!("{:10} {}", step.name, step.what));
            continue;
        }
        if !arguments.only.is_empty() && !arguments.only.iter().any(|name| name == step.name) {
            continue;
        }
        say(&format!("==> {}: {}", step.name, step.what));
        let start = Instant::now();
        match (step.act)() {
            Ok(steps::Done::Passed) => passed += 1,
            Ok(steps::Done::Skipped(why)) if !harness::tools::is_ci() => {
                skipped += 1;
                say(&format!("SKIPPED {}: {why}", step.name));
            }
            Ok(steps::Done::Skipped(why)) => {
                return failed(step.name, &format!("{why}, and CI=true allows no skipping"));
            }
            Err(error) => return failed(step.name, &format!("{error:#}")),
        }
        say(&format!("    {} done in {:.0} s", step.name, start.elapsed().as_secs_f64()));
    }
    if !arguments.list {
        say(&format!(
            "verify: {passed} steps passed, {skipped} skipped, {:.0} s",
            started.elapsed().as_secs_f64()
        ));
    }
    ExitCode::SUCCESS
}

fn failed(step: &str, why: &str) -> ExitCode {
    say(&format!("FAILED at {step}: {why}"));
    ExitCode::FAILURE
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
