//! One module for each verb.

pub mod configs;
mod definitions;
pub mod doctor;
pub mod door;
pub mod enroll;
pub mod explain;
mod failing;
pub mod hook;
pub mod pins;
pub mod policy;
pub mod run;
pub mod serve;
pub mod status;
mod trials;
pub mod unenroll;
pub mod wrap;

use crate::active_policy::{ActivePolicy, InForce, PolicySignal};
use crate::enrolment::read_identity;
use crate::ipc::ToResident;
use crate::ipc::client::ask;
use ::policy::{Feature, Request, ServerIdentity};
use platform::Layout;
use time::OffsetDateTime;

/// Runs one errand of a command to its end, on this thread.
fn block_on<T>(errand: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(errand))
}

/// The policy in force on this machine; none where it is nobody's (a trial).
async fn in_force(layout: &Layout) -> Option<InForce> {
    if matches!(read_identity(layout), Ok(None)) {
        return None;
    }
    Some(ActivePolicy::of(layout, &PolicySignal::default()).now().await)
}

/// What is asked of policy about a server as a whole.
fn about<'a>(in_force: &'a InForce, server: &'a ServerIdentity) -> Request<'a> {
    Request {
        member: &in_force.member,
        device: &in_force.device,
        client: "",
        server,
        feature: Feature::Tool,
        name: "",
        arguments: None,
        now: OffsetDateTime::now_utc(),
    }
}

/// What is advised where nothing is applied yet: without an organisation every call would be refused.
fn enrol_first(advice: &str) -> String {
    advice.replace("`portreeve configs apply`", "`portreeve enroll && portreeve configs apply`")
}

/// A running resident looks again at once; without one there is nobody to tell.
async fn look_again(layout: &Layout) {
    if let Err(error) = ask(layout, &ToResident::LookAgain).await
        && !error.is_absent()
    {
        tracing::warn!(%error, "the resident was not told");
    }
}
