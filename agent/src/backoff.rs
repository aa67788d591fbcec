//! How long to wait before the next try: twice as long each time, never the same for two devices.

use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    #[must_use]
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// It worked: the next failure is a first one.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Between half and the whole of this step's wait, so that a fleet that lost its server at one
    /// moment does not come back at one moment.
    pub fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.most);
        step.mul_f64(0.5 + dice() / 2.0)
    }
}

/// A random share of a wait, for what fleets do at a regular pace.
#[must_use]
pub fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.9 + dice() / 10.0)
}

/// From 0 to 1. A version 4 UUID is random but for its marks, which lie elsewhere.
fn dice() -> f64 {
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        for whole in [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
            let (wait, whole) = (backoff.wait(), Duration::from_millis(whole));
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(100));
    }

    #[test]
    fn two_devices_do_not_wait_equally() {
        let waits: std::collections::BTreeSet<_> =
            (0..20).map(|_| Backoff::new(Duration::from_secs(1), Duration::from_secs(1)).wait()).collect();
        assert!(waits.len() > 1);
    }
}
