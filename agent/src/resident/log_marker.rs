//! Remembers outside of the log that there is one. Whoever takes the log away while the resident is
//! stopped takes with it what was not upstream yet; a new log alone would say nothing of that.
//!
//! A log that was put back to an older state is not found here: the policy server's numbers show it.

use crate::audit::spool::Keeper;
use crate::upstream::now_ms;
use contract::report::{Finding, Severity};
use platform::Layout;
use platform::files::{FileError, read_bounded, replace_private};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

const LARGEST: u64 = 4096;
const RETRY: Duration = Duration::from_secs(1);

/// Written once the log is open; of one enrolment.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    device: String,
    begun_ms: i64,
}

#[must_use]
pub fn path(layout: &Layout) -> PathBuf {
    layout.device().join("log.json")
}

/// The finding, where this device had a log and has none. To be asked before the log is opened.
pub fn lost(layout: &Layout, device: &str) -> Option<Finding> {
    let marker: Marker = serde_json::from_slice(&read_bounded(&path(layout), LARGEST).ok()?).ok()?;
    let log = layout.spool();
    let is_there = log.symlink_metadata().is_ok_and(|found| found.len() > 0);
    (marker.device == device && !is_there).then(|| Finding {
        code: "spool-lost".to_owned(),
        severity: Severity::Critical,
        subject: "spool/lost".to_owned(),
        detail: format!(
            "the audit log of this device ({}) was taken away while the resident was stopped: records that had \
             not reached the policy server are gone, and a new log was begun",
            log.display()
        ),
        healed: false,
        since_ms: now_ms(),
    })
}

/// Notes what was lost in the new log, and only then that there is a log again. Never ends.
pub(super) async fn run(layout: Layout, device: String, keeper: Keeper, lost: Option<Finding>) {
    while let Err(error) = keep(&layout, &device, &keeper, lost.as_ref()).await {
        tracing::warn!(error, "spool.marker");
        tokio::time::sleep(RETRY).await;
    }
    std::future::pending::<()>().await;
}

async fn keep(layout: &Layout, device: &str, keeper: &Keeper, lost: Option<&Finding>) -> Result<(), String> {
    match lost {
        Some(finding) => {
            tracing::error!(detail = finding.detail, "spool.lost");
            keeper.note(finding.clone()).await.map_err(|error| error.to_string())?;
        }
        // Answered by a log that is open.
        None => drop(keeper.refusals(0).await.map_err(|error| error.to_string())?),
    }
    mark(layout, device).map_err(|error| error.to_string())
}

fn mark(layout: &Layout, device: &str) -> Result<(), FileError> {
    let marker = Marker { device: device.to_owned(), begun_ms: now_ms() };
    let known = read_bounded(&path(layout), LARGEST).ok();
    let known: Option<Marker> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if known.is_some_and(|known| known.device == device) {
        return Ok(());
    }
    let json = serde_json::json!(marker).to_string();
    replace_private(&path(layout), json.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::spool::Owner;

    /// One life of a resident's log.
    async fn live(layout: &Layout, device: &str) -> Vec<Finding> {
        let owner = Owner { member: "alice".to_owned(), device: device.to_owned() };
        let lost = lost(layout, device);
        let (keeper, log) = Keeper::start(layout.spool(), owner).unwrap();
        keep(layout, device, &keeper, lost.as_ref()).await.unwrap();
        let mut state = keeper.state();
        let findings = match lost {
            Some(_) => state.wait_for(|state| !state.findings.is_empty()).await.unwrap().findings.clone(),
            None => state.borrow().findings.clone(),
        };
        drop((keeper, state));
        log.join().unwrap();
        findings
    }

    fn take_away(layout: &Layout) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(layout.spool().with_extension(format!("sqlite{suffix}")));
        }
    }

    #[tokio::test]
    async fn attack_the_log_is_taken_away_while_the_resident_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(folder.path()).unwrap();
        layout.create().unwrap();
        assert_eq!(live(&layout, "d1").await, [], "a first log is no loss");
        assert_eq!(live(&layout, "d1").await, []);
        take_away(&layout);
        let found = live(&layout, "d1").await;
        assert_eq!((found[0].code.as_str(), found[0].severity), ("spool-lost", Severity::Critical));
        let again = {
            let owner = Owner { member: "alice".to_owned(), device: "d1".to_owned() };
            let (keeper, _log) = Keeper::start(layout.spool(), owner).unwrap();
            keeper.refusals(0).await.unwrap();
            keeper.state().borrow().findings.clone()
        };
        assert_eq!(again, found, "it is told over a restart");
        // An empty file in its place is no log either, and another enrolment's loss is not this one's.
        take_away(&layout);
        std::fs::write(layout.spool(), "").unwrap();
        assert_eq!(lost(&layout, "d2"), None);
        assert!(lost(&layout, "d1").is_some());
    }
}
