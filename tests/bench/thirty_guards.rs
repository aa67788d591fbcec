//! What doing nothing costs: the resident alone, and beside thirty guards, as on a developer's machine with many
//! servers and clients. Both after the record of what went before is upstream.

use crate::contestants::{Contestant, Role, Way};
use crate::processes::{computed, middle, private_kb};
use crate::programs::Programs;
use crate::stage::Stage;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::time::Duration;

pub const GUARDS: usize = 30;
/// Until the work of starting, or of what went before, is done and the policy was looked at once more.
const SETTLING: Duration = Duration::from_secs(5);
/// Over which a share of a core is taken.
pub const SPAN: Duration = Duration::from_secs(10);

/// What the resident takes while nobody calls.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quiet {
    pub kb: u64,
    /// Of one core, in percent.
    pub cpu: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Idle {
    /// Of all guards together.
    pub guards_kb: u64,
    /// The resident without any guard, after all that was measured before.
    pub alone: Quiet,
    /// The resident beside the guards.
    pub beside: Quiet,
}

pub fn idle(programs: &Programs, stage: &Stage) -> Result<Idle> {
    ensure!(stage.settle(), "the record is not upstream");
    let resident = stage.resident()?;
    let alone = quiet(resident)?;
    let server = programs.echo_server.to_str().context("a folder of plain text")?;
    let guard =
        Contestant::new("guard", Way::StdioToStdio, Role::Guard, stage.wrapped(true, &["--", server]));
    let sessions: Vec<_> = (0..GUARDS).map(|_| guard.open(&stage.log())).collect::<Result<_>>()?;
    ensure!(stage.settle(), "the record is not upstream");
    let beside = quiet(resident)?;
    let guards = sessions.iter().filter_map(|session| session.program.as_ref());
    let guards: Vec<u32> = guards.flat_map(|program| middle(program.id(), &programs.echo_server)).collect();
    Ok(Idle { guards_kb: private_kb(&guards).context("the system does not say")?, alone, beside })
}

fn quiet(resident: u32) -> Result<Quiet> {
    std::thread::sleep(SETTLING);
    let before = computed(&[resident]);
    std::thread::sleep(SPAN);
    let spent = computed(&[resident]).saturating_sub(before);
    let kb = private_kb(&[resident]).context("the system does not say")?;
    Ok(Quiet { kb, cpu: 100.0 * spent.as_secs_f64() / SPAN.as_secs_f64() })
}
