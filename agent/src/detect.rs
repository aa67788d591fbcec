//! Watches the configurations: what goes around us becomes a finding, and is put right where
//! policy says so.
//!
//! What counts as a finding is in [`judgement`], what is remembered over a restart in [`memory`],
//! and when to look in [`watching`]. Nothing here edits a file: that is the steward's.

mod judgement;
mod memory;
mod round;
mod watching;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::report::{Coverage, Finding};
use platform::Layout;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::clients::Home;
use crate::steward::Steward;
use round::Rounds;
use watching::Watch;

pub use memory::forget;

/// What may change while the resident runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectSettings {
    /// Put the guard back by ourselves where an entry went around it.
    pub heal: bool,
}

/// What detection works on.
#[derive(Debug, Clone)]
pub struct DetectContext {
    pub layout: Layout,
    pub home: Home,
    pub settings: watch::Receiver<DetectSettings>,
    /// Rung when a command changed the configurations: look at once.
    pub look_again: Arc<Notify>,
}

/// What was found, always the whole present state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectState {
    pub coverage: Coverage,
    pub findings: Vec<Finding>,
}

/// Files change in bursts: so long after the first sign of one we look.
const SETTLE: Duration = Duration::from_millis(200);
/// The same while somebody keeps undoing what we put right.
const SETTLE_IN_A_QUARREL: Duration = Duration::from_secs(2);
/// How often the files' times and sizes are looked at, for what the system's watcher does not tell.
const POLL: Duration = Duration::from_secs(2);
/// How often everything is read though nothing seems to have changed.
const FULL_LOOK: Duration = Duration::from_secs(60);

/// Starts watching; ends when the settings' sender or every receiver is dropped. Once the task is
/// over, no file is touched any more.
pub fn spawn(context: DetectContext) -> (watch::Receiver<DetectState>, Option<JoinHandle<()>>) {
    let (sender, receiver) = watch::channel(DetectState::default());
    let task = match Steward::new(&context.layout, &context.home) {
        Ok(steward) => {
            let identity = context.layout.identity();
            Some(tokio::spawn(run(steward, identity, context.settings, context.look_again, sender)))
        }
        Err(error) => {
            tracing::error!(%error, "detect.cannot_start");
            None
        }
    };
    (receiver, task)
}

async fn run(
    steward: Steward,
    identity: PathBuf,
    mut settings: watch::Receiver<DetectSettings>,
    look_again: Arc<Notify>,
    state: watch::Sender<DetectState>,
) {
    let mut rounds = Rounds::new(steward.clone());
    let mut watch = Watch::new(&steward);
    let mut has_looked = false;
    loop {
        if settings.has_changed().is_err() {
            return;
        }
        // A machine that was taken out has no policy that could ask for it.
        let heal = settings.borrow_and_update().heal && identity.exists();
        let looked = tokio::task::spawn_blocking(move || {
            let outcome = rounds.round(heal);
            watch.follow(&outcome.folders);
            (rounds, watch, outcome)
        });
        let outcome;
        (rounds, watch, outcome) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!(%error, "detect.round_broke");
                tokio::time::sleep(POLL).await;
                (Rounds::new(steward.clone()), Watch::new(&steward), round::Outcome::default())
            }
        };
        // The first look is told even where it found nothing: until then nobody knows.
        state.send_if_modified(|before| {
            let changed = (*before != outcome.state) | !std::mem::replace(&mut has_looked, true);
            *before = outcome.state;
            changed
        });
        let full_look = Instant::now() + outcome.again_in.unwrap_or(FULL_LOOK).min(FULL_LOOK);
        let settle = if rounds.is_quarrel() { SETTLE_IN_A_QUARREL } else { SETTLE };
        loop {
            tokio::select! {
                () = state.closed() => return,
                () = watch.rung() => tokio::time::sleep(settle).await,
                () = look_again.notified() => {}
                // A resident that has no more settings is about to end.
                changed = settings.changed() => if changed.is_err() { return },
                () = sleep_until(full_look) => {}
                () = tokio::time::sleep(POLL) => {
                    if !watch.has_changed() {
                        continue;
                    }
                }
            }
            break;
        }
    }
}
