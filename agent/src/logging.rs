//! Logs: to stderr, as values, in one form for guard, door and resident. Arguments and secrets never come here.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The filter that beats `-v`: `PORTREEVE_LOG=portreeve=debug`.
const VARIABLE: &str = "PORTREEVE_LOG";
/// Our own lines are called by this crate's name, which nobody outside knows.
const OURS: &str = env!("CARGO_CRATE_NAME");

/// `quietest`: what is shown without any `-v`.
pub fn start(quietest: LevelFilter, verbose: u8) {
    let wanted = std::env::var(VARIABLE).ok();
    tracing_subscriber::fmt()
        .with_env_filter(filter(quietest, verbose, wanted.as_deref()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

fn filter(quietest: LevelFilter, verbose: u8, wanted: Option<&str>) -> EnvFilter {
    let level = match verbose {
        0 => quietest,
        1 => quietest.max(LevelFilter::DEBUG),
        _ => LevelFilter::TRACE,
    };
    let wanted = wanted.map(|filter| filter.replace("portreeve", OURS));
    wanted.and_then(|filter| EnvFilter::builder().parse(filter).ok()).unwrap_or_else(|| {
        // Other people's crates at these levels are of use to nobody who runs this.
        EnvFilter::default()
            .add_directive(LevelFilter::WARN.into())
            .add_directive(format!("{OURS}={level}").parse().unwrap_or_else(|_| level.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn what_is_asked_for_is_shown_of_our_own_lines() {
        let shown = |verbose: u8, wanted: Option<&str>| {
            let subscriber =
                tracing_subscriber::fmt().with_env_filter(filter(LevelFilter::INFO, verbose, wanted));
            tracing::subscriber::with_default(subscriber.finish(), || {
                let ours = [
                    tracing::enabled!(Level::INFO),
                    tracing::enabled!(Level::DEBUG),
                    tracing::enabled!(Level::TRACE),
                ];
                (
                    ours.into_iter().filter(|shown| *shown).count(),
                    tracing::enabled!(target: "hyper", Level::INFO),
                )
            })
        };
        assert_eq!(shown(0, None), (1, false));
        assert_eq!(shown(1, None), (2, false));
        assert_eq!(shown(2, None), (3, false));
        assert_eq!(shown(0, Some("portreeve=debug")), (2, false));
        assert_eq!(shown(2, Some("error")), (0, false));
        assert_eq!(shown(0, Some("portreeve=trace,hyper=info")), (3, true));
        assert_eq!(shown(0, Some("=,no filter=")), (1, false));
    }
}
