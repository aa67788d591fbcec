//! One contestant, once: start, memory, latency at three sizes, calls at once.

use crate::contestants::{Contestant, Session};
use crate::figures::{Figure, Sample, quantile};
use crate::processes::{computed, middle, private_kb};
use crate::wire::Wire;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub const SMALL: usize = 100;
pub const LARGE: usize = 100_000;
pub const HUGE: usize = 1_000_000;

/// A start that takes longer is not repeated within a round.
const SLOW_START: Duration = Duration::from_millis(150);

/// How much is done in one round.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    starts: usize,
    calls: usize,
    /// For each figure at the most.
    limit: Duration,
}

impl Effort {
    pub const FULL: Self = Self { starts: 7, calls: 4000, limit: Duration::from_millis(600) };
    pub const QUICK: Self = Self { starts: 3, calls: 1500, limit: Duration::from_millis(300) };
}

pub struct Bench<'a> {
    pub effort: Effort,
    /// The server, which is not counted to what stands in the middle.
    pub server: &'a Path,
    pub log: &'a Path,
}

impl Bench<'_> {
    /// Takes every figure that the contestant gives; what was taken before something went wrong stays.
    pub fn measure(&self, contestant: &Contestant, sample: &mut Sample) -> Result<()> {
        let mut session = self.starts(contestant, sample)?;
        let call = &contestant.call;
        std::thread::sleep(Duration::from_millis(100));
        self.memory(&session, Figure::IdleKb, sample);
        let Session { wire, program, .. } = &mut session;
        let pid = program.as_ref().map(crate::program::Program::id);

        wire.check(call, SMALL).context("100 B")?;
        wire.one_by_one(call, SMALL, 500, self.effort.limit / 2)?;
        let members = pid.map(|pid| middle(pid, self.server)).unwrap_or_default();
        let (before, began) = (computed(&members), Instant::now());
        let took = wire.one_by_one(call, SMALL, self.effort.calls, self.effort.limit)?;
        let calls = count(took.len());
        sample.insert(Figure::Rate1, calls / began.elapsed().as_secs_f64());
        sample.insert(Figure::CpuUs, micros(computed(&members).saturating_sub(before)) / calls);
        latencies(took, (Figure::SmallP50Us, Figure::SmallP99Us), sample);

        for (figure, in_flight) in [(Figure::Rate8, 8), (Figure::Rate64, 64)] {
            let rate = wire.at_once(call, in_flight, self.effort.limit);
            sample.insert(figure, rate.with_context(|| format!("{in_flight} in flight"))?);
        }
        for (size, figures) in [
            (LARGE, (Figure::LargeP50Us, Figure::LargeP99Us)),
            (HUGE, (Figure::HugeP50Us, Figure::HugeP99Us)),
        ] {
            latencies(self.long(wire, call, size)?, figures, sample);
        }
        self.memory(&session, Figure::LoadedKb, sample);
        Ok(())
    }

    fn long(&self, wire: &mut Wire, call: &crate::speech::Call, size: usize) -> Result<Vec<Duration>> {
        let what = || format!("{size} B");
        wire.check(call, size).with_context(what)?;
        wire.one_by_one(call, size, 300, self.effort.limit).with_context(what)
    }

    /// The last of several starts goes on.
    fn starts(&self, contestant: &Contestant, sample: &mut Sample) -> Result<Session> {
        let mut took = Vec::new();
        loop {
            let session = contestant.open(self.log)?;
            took.push(session.start);
            if took.len() == self.effort.starts || session.start > SLOW_START {
                // The first one warms the page cache up.
                let warm = took.get(usize::from(took.len() > 1)..).unwrap_or_default();
                if let Some(start) = crate::figures::median(warm.iter().map(|took| millis(*took))) {
                    sample.insert(Figure::StartMs, start);
                }
                return Ok(session);
            }
        }
    }

    fn memory(&self, session: &Session, figure: Figure, sample: &mut Sample) {
        let Some(program) = &session.program else { return };
        if let Some(kb) = private_kb(&middle(program.id(), self.server)) {
            sample.insert(figure, f64::from(u32::try_from(kb).unwrap_or(u32::MAX)));
        }
    }
}

fn latencies(took: Vec<Duration>, (p50, p99): (Figure, Figure), sample: &mut Sample) {
    let mut took: Vec<f64> = took.into_iter().map(micros).collect();
    took.sort_by(f64::total_cmp);
    for (figure, share) in [(p50, 0.5), (p99, 0.99)] {
        if let Some(value) = quantile(&took, share) {
            sample.insert(figure, value);
        }
    }
}

/// Milliseconds from the start of a process that does nothing to its end, the median of many.
pub fn start_of_nothing(do_nothing: &Path, times: usize) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        Command::new(do_nothing).status()?;
        took.push(millis(began.elapsed()));
    }
    crate::figures::median(took.into_iter()).context("nothing was started")
}

/// Microseconds of one copy and one scan of a payload: what a program that reads a message must pay.
pub fn copy_and_scan(size: usize) -> Result<f64> {
    let line = "    let name = line.trim_end_matches(\"\\n\"); // one of many lines, read again\n";
    let mut text = line.repeat(size / line.len());
    text.push_str(line.get(..size % line.len()).unwrap_or_default());
    let message = serde_json::to_vec(&text)?;
    let mut took = Vec::new();
    for _ in 0..31 {
        let began = Instant::now();
        let copy = std::hint::black_box(message.clone());
        let _: serde::de::IgnoredAny = serde_json::from_slice(&copy)?;
        took.push(micros(began.elapsed()));
    }
    crate::figures::median(took.into_iter()).context("nothing was scanned")
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn count(calls: usize) -> f64 {
    f64::from(u32::try_from(calls).unwrap_or(u32::MAX))
}
