//! The client's end of one session, over stdio or HTTP: blocking, raw, and cheap.

mod http;
mod stdio;

pub use http::{Http, post};
pub use stdio::Stdio;

use crate::speech::{self, Call};
use anyhow::Result;
use std::time::{Duration, Instant};

pub enum Wire {
    Stdio(Stdio),
    Http(Http),
}

impl Wire {
    /// The handshake.
    pub fn greet(&mut self) -> Result<()> {
        match self {
            Self::Stdio(wire) => wire.greet(),
            Self::Http(wire) => wire.greet(),
        }
    }

    /// One call and its whole answer.
    fn call(&mut self, call: &Call, size: usize) -> Result<&[u8]> {
        match self {
            Self::Stdio(wire) => wire.call(call, size),
            Self::Http(wire) => wire.call(call, size),
        }
    }

    /// One call, looked at closely.
    pub fn check(&mut self, call: &Call, size: usize) -> Result<()> {
        speech::check(self.call(call, size)?, size)
    }

    /// One call after the other; how long each took.
    pub fn one_by_one(
        &mut self,
        call: &Call,
        size: usize,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<Duration>> {
        let mut took = Vec::with_capacity(most);
        let started = Instant::now();
        while took.len() < most && (took.is_empty() || started.elapsed() < limit) {
            let asked = Instant::now();
            speech::glance(self.call(call, size)?, size)?;
            took.push(asked.elapsed());
        }
        Ok(took)
    }

    /// Keeps so many calls in flight; calls per second.
    pub fn at_once(&mut self, call: &Call, in_flight: usize, limit: Duration) -> Result<f64> {
        match self {
            Self::Stdio(wire) => wire.at_once(call, in_flight, limit),
            Self::Http(wire) => wire.at_once(call, in_flight, limit),
        }
    }
}
