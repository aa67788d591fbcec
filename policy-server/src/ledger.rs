//! The record as a whole, in the order of its chains: for taking it away so that anybody can verify it,
//! and for the server's own look at what is on its disk.
//!
//! Both are the same lines, and the same verification ([`contract::record::verify`]).

use crate::alerts::STORE_ALTERED;
use crate::app::{App, Shared};
use crate::clock::now_ms;
use crate::ingest::altered_columns;
use crate::store::alerts::NewAlert;
use crate::store::records::{Chain, RecordRow};
use crate::store::{Store, StoreError};
use contract::record::to_hex;
use contract::record::verify::{Line, Problem, Verifier};
use contract::report::Severity;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// Records read at once.
const PAGE: u32 = 500;
/// Between two pages of the server's own look, so that those who work do not feel it.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two looks.
const DAY: Duration = Duration::from_secs(86_400);

/// A way through every log from its first record to its end.
pub struct Walk {
    /// Those still to come, the next one last.
    chains: Vec<Chain>,
    after: u64,
    finished: bool,
}

impl Walk {
    pub async fn begin(store: &Store) -> Result<Self, StoreError> {
        let mut chains = store.chains().await?;
        chains.reverse();
        Ok(Self { chains, after: 0, finished: false })
    }

    /// The next lines of the chained export, `None` at the end.
    pub async fn next(&mut self, store: &Store) -> Result<Option<Vec<String>>, StoreError> {
        let Some(chain) = self.chains.last() else {
            if std::mem::replace(&mut self.finished, true) {
                return Ok(None);
            }
            return Ok(Some(store.astray(PAGE).await?.iter().map(line).collect()));
        };
        let rows = store.chained(chain, self.after, PAGE).await?;
        let mut lines: Vec<String> = rows.iter().map(line).collect();
        if let Some(last) = rows.last().filter(|_| rows.len() == PAGE as usize) {
            self.after = last.sequence;
        } else {
            lines.push(end(chain));
            self.chains.pop();
            self.after = 0;
        }
        Ok(Some(lines))
    }
}

/// One record of the chained export.
#[must_use]
pub fn line(row: &RecordRow) -> String {
    // What does not read as JSON any more stands there as a text, and matches no link.
    let record =
        RawValue::from_string(row.json.clone()).or_else(|_| serde_json::value::to_raw_value(&row.json)).ok();
    let hex = |link: Option<[u8; 32]>| link.as_ref().map(to_hex);
    written(&Line {
        device: row.device.clone(),
        epoch: row.epoch.unwrap_or_default(),
        sequence: Some(row.sequence),
        previous: hex(row.previous_link),
        link: hex(row.link),
        received_ms: Some(row.received_ms),
        altered: altered_columns(row),
        record,
        ..Line::default()
    })
}

fn end(chain: &Chain) -> String {
    written(&Line {
        device: chain.device.clone(),
        epoch: chain.epoch,
        through: Some(chain.through),
        head: Some(to_hex(&chain.head)),
        ..Line::default()
    })
}

fn written(line: &Line) -> String {
    // Texts and numbers only: there is nothing in it that cannot be written.
    serde_json::to_string(line).unwrap_or_default()
}

/// Looks through the whole store at the start and every day after, slowly.
pub async fn watch(app: Shared) {
    let mut stopping = app.stopping.subscribe();
    loop {
        tokio::select! {
            looked = look(&app, PAUSE) => if let Err(error) = looked {
                tracing::error!(%error, "verifying the stored record failed");
            },
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(DAY) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

async fn look(app: &App, pause: Duration) -> Result<(), StoreError> {
    let mut verifier = Verifier::new(false);
    let mut walk = Walk::begin(&app.store).await?;
    while let Some(lines) = walk.next(&app.store).await? {
        for line in &lines {
            verifier.take(line);
        }
        tokio::time::sleep(pause).await;
    }
    let report = verifier.finish();
    tracing::info!(
        records = report.records,
        problems = report.problems.len(),
        "the stored record was verified"
    );
    // Holes in runs come from the devices, and are told when they come.
    let mut by_log: BTreeMap<(String, String), Vec<Problem>> = BTreeMap::new();
    for problem in report.problems.into_iter().filter(|problem| problem.run.is_none()) {
        let log = problem.epoch.unwrap_or(Uuid::nil()).to_string();
        by_log.entry((problem.device.clone(), log)).or_default().push(problem);
    }
    tell(app, &by_log).await
}

/// One alert a log; those that hold no more (a backup was restored) end.
async fn tell(app: &App, by_log: &BTreeMap<(String, String), Vec<Problem>>) -> Result<(), StoreError> {
    let devices = app.store.devices().await?;
    let mut changed = false;
    for device in &devices {
        for alert in app.store.live_alerts_of(&device.id).await? {
            if alert.code == STORE_ALTERED
                && !by_log.contains_key(&(device.id.clone(), alert.subject.clone()))
            {
                changed |= app.store.resolve_alert(&device.id, STORE_ALTERED, &alert.subject).await?;
            }
        }
    }
    for ((device, log), problems) in by_log {
        let member = devices.iter().find(|known| known.id == *device).map_or("", |known| &known.member);
        let more = match problems.len() {
            0 | 1 => String::new(),
            n => format!(" And {} more.", n - 1),
        };
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        let detail = format!("The stored record is not what was received: {first}.{more}");
        tracing::error!(device, log, detail, "the stored record was altered");
        changed |= app
            .store
            .raise_alert(&NewAlert {
                code: STORE_ALTERED,
                severity: Severity::Critical,
                device,
                member,
                subject: log,
                detail: &detail,
                since_ms: now_ms(),
            })
            .await?;
    }
    if changed {
        app.courier.notify_one();
    }
    Ok(())
}
