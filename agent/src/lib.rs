//! `portreeve`: the guard and the resident in one binary, as a library so that benchmarks and fuzzers
//! reach the same code. Only what they need is public; nobody else depends on it.

mod active_policy;
mod ago;
mod audit;
mod backoff;
pub mod borders;
mod cli;
mod clients;
mod commands;
mod detect;
mod door;
mod enrolment;
mod guard;
mod hooks;
mod ipc;
mod logging;
mod out;
mod pins;
mod pipeline;
mod resident;
mod shell;
mod steward;
mod sync;
mod transport;
mod trials;
mod upstream;

use cli::{Cli, Command};
use out::{Exit, Out};
use platform::Layout;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::of_process();
    let out = Out::new(cli.json);
    let layout = match cli.root.as_deref().map_or_else(Layout::of_machine, Layout::under) {
        Ok(layout) => layout,
        Err(unusable) => {
            out.problem(&unusable);
            return Exit::Usage.into();
        }
    };
    match &cli.command {
        Command::Run(_) => logging::start(LevelFilter::INFO, cli.verbose),
        _ => logging::start(LevelFilter::WARN, cli.verbose),
    }
    let exit = match cli.command {
        // The guard's stdout is the protocol: it gets no `Out`.
        Command::Wrap(args) => return commands::wrap::run(args, layout),
        Command::Hook => return commands::hook::run(&layout),
        Command::Enroll(args) => commands::enroll::run(&args, &layout, out),
        Command::Unenroll(args) => commands::unenroll::run(&args, &layout, out),
        Command::Run(args) => commands::run::run(&args, &layout, out),
        Command::Door(verb) => commands::door::run(&verb, &layout, out),
        Command::Serve(args) => commands::serve::run(args, &layout, out),
        Command::Status(args) => match args.server {
            Some(server) => commands::status::server::run(&server, &layout, out),
            None => commands::status::run(&layout, out),
        },
        Command::Doctor => commands::doctor::run(&layout, out),
        Command::Explain(args) => commands::explain::run(&args, &layout, out),
        Command::Policy(policy) => commands::policy::run(&policy, &layout, out),
        Command::Pins(verb) => commands::pins::run(&verb, &layout, out),
        Command::Configs(args) => {
            return commands::configs::run(args, layout, out).unwrap_or_else(|error| {
                out.problem(&format_args!("{error:#}"));
                Exit::Failed.into()
            });
        }
    };
    exit.into()
}
