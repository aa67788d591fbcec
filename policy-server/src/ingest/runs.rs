//! Holes in the numbers of a run: told when the run has stopped, or when what is missing did not come for
//! a minute, and taken back when it comes after all.

use crate::alerts::RECORD_GAP;
use crate::app::{App, Shared};
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::store::alerts::NewAlert;
use crate::store::records::Run;
use contract::report::Severity;
use std::time::Duration;

/// Records of one run come by several ways; a hole that fills within this time is none.
const GRACE_MS: i64 = 60_000;

/// Looks for holes that are due until the server stops.
pub async fn watch_runs(app: Shared) {
    let mut stopping = app.stopping.subscribe();
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        if let Err(error) = settle_runs(&app, now_ms()).await {
            tracing::error!(%error, "looking for holes in the record failed");
        }
    }
}

/// Tells every hole that is due, and the end of those that were told.
pub async fn settle_runs(app: &App, now_ms: i64) -> Result<(), StoreError> {
    for run in app.store.unsettled_runs(now_ms - GRACE_MS).await? {
        settle(app, &run, now_ms).await?;
    }
    Ok(())
}

async fn settle(app: &App, run: &Run, now_ms: i64) -> Result<(), StoreError> {
    let subject = run.id.to_string();
    let changed = match app.store.numbers_of_run(run).await?.missing() {
        Some(missing) => {
            let hostname = app.store.device(&run.device).await?.map(|device| device.machine.hostname);
            let detail = format!(
                "The run {} on {} of {} ({}) lacks its records {missing}: they were lost or removed on the device.",
                run.id,
                hostname.unwrap_or_default(),
                run.member,
                run.device,
            );
            tracing::warn!(device = run.device, run = %run.id, missing, "records are missing");
            app.store
                .raise_alert(&NewAlert {
                    code: RECORD_GAP,
                    severity: Severity::Critical,
                    device: &run.device,
                    member: &run.member,
                    subject: &subject,
                    detail: &detail,
                    since_ms: now_ms,
                })
                .await?
        }
        None => app.store.resolve_alert(&run.device, RECORD_GAP, &subject).await?,
    };
    if changed {
        app.courier.notify_one();
    }
    app.store.settle_run(run).await
}
