//! One module for each verb.

pub mod configs;
pub mod doctor;
pub mod door;
pub mod enroll;
pub mod explain;
pub mod pins;
pub mod policy;
pub mod run;
pub mod serve;
pub mod status;
pub mod unenroll;
pub mod wrap;

use crate::ipc::ToResident;
use crate::ipc::client::ask;
use platform::Layout;

/// Runs one errand of a command to its end, on this thread.
fn block_on<T>(errand: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(errand))
}

/// A running resident looks again at once; without one there is nobody to tell.
async fn look_again(layout: &Layout) {
    if let Err(error) = ask(layout, &ToResident::LookAgain).await
        && !error.is_absent()
    {
        tracing::warn!(%error, "the resident was not told");
    }
}
