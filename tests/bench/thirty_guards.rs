//! What guards cost who do nothing: thirty at once, as on a developer's machine with many servers and clients.

use crate::contestants::{Contestant, Role, Way};
use crate::processes::{middle, private_kb};
use crate::programs::Programs;
use crate::stage::Stage;
use anyhow::{Context, Result};
use serde::Serialize;
use std::time::Duration;

pub const GUARDS: usize = 30;
/// Until start-up's work is done and the policy was looked at once more.
const SETTLING: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Idle {
    /// Of all guards together.
    pub guards_kb: u64,
    pub resident_kb: u64,
    /// Of one core, in percent.
    pub resident_cpu: f64,
}

pub fn idle(programs: &Programs, stage: &Stage) -> Result<Idle> {
    let server = programs.echo_server.to_str().context("a folder of plain text")?;
    let guard =
        Contestant::new("guard", Way::StdioToStdio, Role::Guard, stage.wrapped(true, &["--", server]));
    let sessions: Vec<_> = (0..GUARDS).map(|_| guard.open(&stage.log())).collect::<Result<_>>()?;
    std::thread::sleep(SETTLING);
    let guards = sessions.iter().filter_map(|session| session.program.as_ref());
    let guards: Vec<u32> = guards.flat_map(|program| middle(program.id(), &programs.echo_server)).collect();
    let resident = [stage.resident()?];
    let (before, span) = (crate::processes::computed(&resident), Duration::from_secs(3));
    std::thread::sleep(span);
    let computed = crate::processes::computed(&resident).saturating_sub(before);
    Ok(Idle {
        guards_kb: private_kb(&guards).context("the system does not say")?,
        resident_kb: private_kb(&resident).context("the system does not say")?,
        resident_cpu: 100.0 * computed.as_secs_f64() / span.as_secs_f64(),
    })
}
