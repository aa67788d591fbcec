//! The story itself: the mission, lived through once.

mod bypass;
mod enrolment;
mod policy;
mod sessions;

use crate::cast::Cast;
use crate::report::Report;
use anyhow::Result;

/// Tells it to the end, or to the first step that failed.
pub fn tell(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.chapter("IT pushes");
    enrolment::it_pushes(cast, report)?;
    report.chapter("Configurations are rewired");
    enrolment::configurations_are_rewired(cast, report)?;
    report.chapter("A developer uses Claude unchanged");
    sessions::calls(cast, report)?;
    report.chapter("Every call is in the record before it leaves");
    sessions::nothing_is_lost(cast, report)?;
    report.chapter("An admin edits policy");
    policy::an_edit_reaches_the_running_session(cast, report)?;
    policy::a_false_policy_is_refused(cast, report)?;
    report.chapter("Somebody goes around it");
    bypass::bypasses_are_seen_and_healed(cast, report)?;
    bypass::silence_is_seen(cast, report)?;
    report.chapter("Somebody leaves");
    bypass::somebody_leaves(cast, report)?;
    report.chapter("And back again");
    enrolment::everything_is_restored(cast, report)
}
