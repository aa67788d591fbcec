//! Logs: to stderr, as values, in one form for guard, door and resident. Arguments and secrets never come here.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The filter that beats `-v`: `PORTREEVE_LOG=portreeve=debug`.
const VARIABLE: &str = "PORTREEVE_LOG";

/// `quietest`: what is shown without any `-v`.
pub fn start(quietest: LevelFilter, verbose: u8) {
    let level = match verbose {
        0 => quietest,
        1 => quietest.max(LevelFilter::DEBUG),
        _ => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_env_var(VARIABLE).try_from_env().unwrap_or_else(|_| {
        // Other people's crates at these levels are of use to nobody who runs this.
        EnvFilter::default()
            .add_directive(LevelFilter::WARN.into())
            .add_directive(format!("portreeve={level}").parse().unwrap_or_else(|_| level.into()))
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
