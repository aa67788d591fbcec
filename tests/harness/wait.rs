//! Waiting for something to become true, with a deadline and a sentence for when it does not.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How often a condition is looked at. Short: what is measured is the product, not this loop.
const LOOK: Duration = Duration::from_millis(10);

/// Polls until `look` gives a value.
///
/// # Errors
/// The deadline passed; the message names `what` was waited for.
pub fn for_value<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = look() {
            return Ok(value);
        }
        if start.elapsed() > within {
            bail!("waited {:.1} s in vain for {what}", within.as_secs_f64());
        }
        std::thread::sleep(LOOK);
    }
}

/// Polls until `look` is true.
///
/// # Errors
/// As [`for_value`].
pub fn until(what: &str, within: Duration, mut look: impl FnMut() -> bool) -> Result<()> {
    for_value(what, within, || look().then_some(()))
}
