//! `portreeve unenroll`: the rest of the record sent, configurations as they were, the identity gone.
//!
//! In that order. The server first, because it may not be reached, and then nothing may have changed;
//! the identity last, because as long as an entry runs a guard, the guard needs its policy.

use crate::audit::spool::{Keeper, Owner};
use crate::audit::upload::Uploader;
use crate::cli::UnenrollArgs;
use crate::clients::Home;
use crate::commands::block_on;
use crate::enrolment::{Enrolment, EnrolmentError, remove};
use crate::ipc::ToResident;
use crate::ipc::client::{AskError, ask};
use crate::out::{Exit, Out, Tone};
use crate::resident::sweep;
use crate::steward::{self, Steward};
use crate::upstream::{CallError, Upstream};
use contract::paths;
use platform::Layout;
use platform::ipc::{IpcError, Listener};
use platform::managed::read_managed;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const LAST_UPLOAD: Duration = Duration::from_secs(15);
/// A resident that steps aside sends what it has first.
const STEP_ASIDE: Duration = Duration::from_secs(8);

#[derive(Debug, Default, Serialize)]
struct Done {
    restored_entries: usize,
    not_restored: Vec<String>,
    /// Records that stay on disk, not upstream.
    records_left: u64,
    server_told: bool,
    server_said: Option<String>,
    /// By it the service enrols this machine again.
    profile: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum UnenrolError {
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    #[error(transparent)]
    Steward(#[from] steward::StewardError),
    #[error(
        "{} of your configurations cannot be given back now, so nothing was changed and this machine stays \
         enrolled: {}",
        .0.len(), .0.join("; ")
    )]
    InTheWay(Vec<String>),
    #[error(
        "the policy server has let this machine go, but {} of your configurations could not be given back: {}. \
         Mend that, and run `portreeve unenroll` again",
        .0.len(), .0.join("; ")
    )]
    NotRestored(Vec<String>),
    #[error(
        "the policy server was not told, so nothing was changed and this machine stays enrolled: {0}. \
         `portreeve unenroll --force` \
         goes on without it; {1} records that it does not have stay on disk"
    )]
    NotTold(CallError, u64),
    #[error(transparent)]
    Removal(#[from] crate::enrolment::EnrolError),
    #[error(transparent)]
    Socket(#[from] IpcError),
    #[error(transparent)]
    Resident(#[from] AskError),
    #[error("the system gives no more: {0}")]
    System(#[from] std::io::Error),
}

pub fn run(args: &UnenrollArgs, layout: &Layout, out: Out) -> Exit {
    let done = block_on(unenroll(args, layout, Home::current().as_ref()));
    match done.map_err(UnenrolError::from).and_then(|done| done) {
        Ok(None) => {
            out.problem("this machine is not enrolled; nothing was changed");
            Exit::NotEnrolled
        }
        Ok(Some(done)) => {
            say(out, &done);
            Exit::Done
        }
        Err(error) => {
            out.problem(&error);
            Exit::Failed
        }
    }
}

async fn unenroll(
    args: &UnenrollArgs,
    layout: &Layout,
    home: Option<&Home>,
) -> Result<Option<Done>, UnenrolError> {
    let left = load(args, layout)?;
    if matches!(left, Left::Nothing) {
        return Ok(None);
    }
    let in_residents_place = take_residents_place(layout).await?;
    // What would stand in the way later is said while nothing has changed.
    if let (Some(home), false) = (home, args.force) {
        let obstacles = Steward::new(layout, home)?.obstacles()?;
        if !obstacles.is_empty() {
            return Err(UnenrolError::InTheWay(obstacles));
        }
    }
    let mut done = Done::default();
    if let Left::Whole(enrolment) = left {
        leave(args, layout, &enrolment, &mut done).await?;
    }
    if let Some(home) = home {
        let restored = steward::restore_all(layout, home)?;
        done.restored_entries = restored.entries;
        done.not_restored = restored.failures;
        if !done.not_restored.is_empty() && !args.force {
            return Err(UnenrolError::NotRestored(done.not_restored));
        }
    }
    remove(layout)?;
    done.profile = profile_that_stays(layout);
    drop(in_residents_place);
    Ok(Some(done))
}

/// The server hears what is left of the record, and that this device goes.
async fn leave(
    args: &UnenrollArgs,
    layout: &Layout,
    enrolment: &Enrolment,
    done: &mut Done,
) -> Result<(), UnenrolError> {
    let upstream = Arc::new(enrolment.upstream()?);
    done.records_left = send_the_rest(layout, enrolment, &upstream).await?;
    match upstream.tell(paths::UNENROL).await {
        Ok(()) => done.server_told = true,
        Err(error) if args.force => done.server_said = Some(error.to_string()),
        // It has taken this device out already: there is nobody to tell.
        Err(error) if error.code().is_some_and(|code| code.starts_with("device-")) => {
            done.server_said = Some(error.to_string());
        }
        Err(error) => return Err(UnenrolError::NotTold(error, done.records_left)),
    }
    Ok(())
}

/// What would enrol this machine again, service or hand.
fn profile_that_stays(layout: &Layout) -> Option<PathBuf> {
    match read_managed(layout) {
        Ok(found) => found.map(|found| found.from),
        Err(_) => Some(layout.managed_profile()),
    }
}

/// A resident that goes on would put back what is restored here, raise an alert about it, and hold
/// the log. It steps aside, and where that comes to nothing it takes its place again.
async fn take_residents_place(layout: &Layout) -> Result<Listener, UnenrolError> {
    match ask(layout, &ToResident::Leaving).await {
        Ok(_) => {}
        Err(error) if error.is_absent() => {}
        Err(error) => return Err(error.into()),
    }
    let latest = tokio::time::Instant::now() + STEP_ASIDE;
    loop {
        match Listener::bind(layout) {
            Err(IpcError::AnotherResident { .. }) if tokio::time::Instant::now() < latest => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            bound => return Ok(bound?),
        }
    }
}

/// What is left of an enrolment.
enum Left {
    Nothing,
    Whole(Box<Enrolment>),
    /// Good for nothing but removal.
    Ruins,
}

fn load(args: &UnenrollArgs, layout: &Layout) -> Result<Left, UnenrolError> {
    match Enrolment::load(layout) {
        Ok(None) => Ok(Left::Nothing),
        Ok(Some(enrolment)) => Ok(Left::Whole(Box::new(enrolment))),
        Err(_) if args.force => Ok(Left::Ruins),
        Err(error) => Err(error.into()),
    }
}

/// How many records stay behind.
async fn send_the_rest(
    layout: &Layout,
    enrolment: &Enrolment,
    upstream: &Arc<Upstream>,
) -> Result<u64, UnenrolError> {
    let identity = &enrolment.identity;
    let owner = Owner { member: identity.member.clone(), device: identity.device_id.clone() };
    let (keeper, thread) = Keeper::start(layout.spool(), owner)?;
    for segment in sweep::segments(&layout.guard_spool) {
        sweep::take(&segment, &keeper).await;
    }
    let state = keeper.state();
    let uploader = Uploader { keeper, upstream: Arc::clone(upstream), stuck: watch::Sender::new(None) };
    uploader.flush(LAST_UPLOAD).await;
    drop(uploader);
    // The thread ends with its last handle, and the state it leaves is the last.
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    Ok(state.borrow().depth())
}

fn say(out: Out, done: &Done) {
    out.say(format_args!("{} entries are as they were before Portreeve", done.restored_entries));
    for failure in &done.not_restored {
        out.say(out.tone(Tone::Warn, failure));
    }
    if done.records_left > 0 {
        let left = done.records_left;
        out.say(out.tone(Tone::Warn, format_args!("{left} records are not upstream; they stay on disk")));
    }
    if let Some(said) = &done.server_said {
        out.say(out.tone(Tone::Warn, format_args!("the policy server was not told: {said}")));
    }
    out.say("this machine is no device of the organisation any more");
    if let Some(profile) = &done.profile {
        out.say(out.tone(
            Tone::Warn,
            format_args!(
                "remove the managed profile too ({}), or the service (`portreeve run --enroll`) enrols it again",
                profile.display()
            ),
        ));
    }
    out.value(done);
}

#[cfg(test)]
mod tests;
