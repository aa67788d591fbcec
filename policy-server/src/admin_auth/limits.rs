//! How often one address may try: log-in, links, enrolment.

use super::AuthError;
use governor::clock::MonotonicClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;

type PerPeer = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, MonotonicClock>;

/// Buckets by peer address. Behind a proxy all peers are one, and share a bucket.
pub struct Limits {
    log_in: PerPeer,
    enrolment: PerPeer,
}

impl Default for Limits {
    /// Ten log-ins a minute; enrolment in bursts of a whole rollout behind one address.
    fn default() -> Self {
        Self::new(10, 600)
    }
}

impl Limits {
    /// Both per minute and peer; 0 counts as 1.
    #[must_use]
    pub fn new(log_ins: u32, enrolments: u32) -> Self {
        Self { log_in: per_minute(log_ins), enrolment: per_minute(enrolments) }
    }

    /// # Errors
    /// [`AuthError::TooMany`].
    pub fn log_in(&self, peer: IpAddr) -> Result<(), AuthError> {
        self.log_in.check_key(&peer).map_err(|_| AuthError::TooMany)
    }

    /// # Errors
    /// [`AuthError::TooMany`].
    pub fn enrolment(&self, peer: IpAddr) -> Result<(), AuthError> {
        self.enrolment.check_key(&peer).map_err(|_| AuthError::TooMany)
    }

    /// Forgets peers that have been quiet, so that the table does not grow for ever.
    pub fn sweep(&self) {
        self.log_in.retain_recent();
        self.enrolment.retain_recent();
    }
}

fn per_minute(times: u32) -> PerPeer {
    let times = NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN);
    RateLimiter::new(Quota::per_minute(times), HashMapStateStore::default(), MonotonicClock)
}
