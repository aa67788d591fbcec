//! Taking records in: the chain is checked, a batch is on disk whole or not at all, and only then is the
//! device told that it may forget.

mod runs;

pub use runs::{settle_runs, watch_runs};

use crate::alerts::{CHAIN_BROKEN, LOG_BEGUN_ANEW, MISATTRIBUTED, definitions, door, raise};
use crate::app::App;
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::store::devices::Device;
use crate::store::records::{ChainHead, NewRecord, RecordRow};
use contract::record::{Batch, Durable, from_hex, link};
use contract::report::Severity;
use serde::Deserialize;
use std::borrow::Cow;
use uuid::Uuid;

/// The most records in one batch.
pub const MOST_RECORDS: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the log cannot be continued here: {why}")]
    Broken { why: &'static str, durable: Durable },
    #[error("record {seq} of the log is not a record: {why}")]
    Malformed { seq: u64, why: String },
    #[error("a batch holds at most {MOST_RECORDS} records; send fewer at once")]
    TooLong,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The members of a record that become columns. Everything else is kept as it came and not looked at: a
/// newer agent may say more than we know.
#[derive(Deserialize)]
struct Columns<'a> {
    id: Uuid,
    time_ms: i64,
    run: Uuid,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow)]
    member: Cow<'a, str>,
    #[serde(borrow)]
    device: Cow<'a, str>,
    #[serde(borrow)]
    server: ServerColumn<'a>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    tool: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    decision: Option<Cow<'a, str>>,
    #[serde(default)]
    call: Option<u64>,
}

#[derive(Deserialize)]
struct ServerColumn<'a> {
    #[serde(borrow)]
    identity: Cow<'a, str>,
}

/// Takes a stretch of a device's log. What is here already is skipped, so a batch may come twice.
pub async fn take(app: &App, device: &Device, batch: &Batch) -> Result<Durable, IngestError> {
    if batch.records.len() > MOST_RECORDS {
        return Err(IngestError::TooLong);
    }
    // A second round only where another upload of the same device came between reading and writing.
    for _ in 0..3 {
        let before = app.store.chain_head(&device.id, batch.epoch).await?;
        let durable = Durable { epoch: batch.epoch, through: before.through };
        let checked = match check_chain(batch, &before) {
            Ok(checked) => checked,
            Err(why) => {
                broken(app, device, batch, why).await?;
                return Err(IngestError::Broken { why, durable });
            }
        };
        let Some(Checked { skip, links, after }) = checked else { return Ok(durable) };
        let columns = read_columns(batch, skip)?;
        let rows = rows(device, batch, skip, &columns, &links);
        if app.store.append_records(&device.id, batch.epoch, &before, &after, &rows).await? {
            if before.through == 0 {
                tell_begun_anew(app, device, batch).await?;
            }
            tell_misattributed(app, device, &columns).await?;
            definitions::tell(app, device, &of_kind(&rows, "definition")).await?;
            door::tell(app, device, &of_kind(&rows, "malformed")).await?;
            settle_runs(app, now_ms()).await?;
            return Ok(Durable { epoch: batch.epoch, through: after.through });
        }
    }
    let before = app.store.chain_head(&device.id, batch.epoch).await?;
    Ok(Durable { epoch: batch.epoch, through: before.through })
}

/// What is new of a batch whose chain holds.
struct Checked {
    /// How many of its records are here already.
    skip: usize,
    /// After each of its records, those that are here already too.
    links: Vec<[u8; 32]>,
    /// The chain's end after it.
    after: ChainHead,
}

/// `None` where nothing is new.
fn check_chain(batch: &Batch, before: &ChainHead) -> Result<Option<Checked>, &'static str> {
    if batch.first == 0 {
        return Err("records count from 1");
    }
    if batch.first > before.through + 1 {
        return Err("there is a hole before the first record of the batch");
    }
    let mut head =
        from_hex(&batch.previous).map_err(|_| "the link before the batch is not 64 hexadecimal digits")?;
    let claimed =
        from_hex(&batch.head).map_err(|_| "the link of the last record is not 64 hexadecimal digits")?;
    if batch.first == before.through + 1 && head != before.head {
        return Err("the batch does not follow from the last record that is durable here");
    }
    let mut seq = batch.first - 1;
    let mut links = Vec::with_capacity(batch.records.len());
    for record in &batch.records {
        head = link(&head, record.get().as_bytes());
        links.push(head);
        seq += 1;
        if seq == before.through && head != before.head {
            return Err("a record that is durable here was sent again with another content");
        }
    }
    if head != claimed {
        return Err("the links of the batch do not lead to the head it names");
    }
    if seq <= before.through {
        return Ok(None);
    }
    let skip = usize::try_from(before.through + 1 - batch.first).map_err(|_| "the batch is too long")?;
    Ok(Some(Checked { skip, links, after: ChainHead { through: seq, head } }))
}

fn read_columns(batch: &Batch, skip: usize) -> Result<Vec<Columns<'_>>, IngestError> {
    (batch.first..)
        .zip(&batch.records)
        .skip(skip)
        .map(|(seq, record)| {
            // Exports are lines, and nothing is changed on the way to them.
            if record.get().contains(['\n', '\r']) {
                return Err(IngestError::Malformed { seq, why: "it is not one line".to_owned() });
            }
            serde_json::from_str(record.get())
                .map_err(|error| IngestError::Malformed { seq, why: error.to_string() })
        })
        .collect()
}

/// Who called is what the certificate says, not what the record claims.
fn rows<'a>(
    device: &'a Device,
    batch: &'a Batch,
    skip: usize,
    columns: &'a [Columns<'a>],
    links: &[[u8; 32]],
) -> Vec<NewRecord<'a>> {
    (batch.first..)
        .zip(&batch.records)
        .zip(links)
        .skip(skip)
        .zip(columns)
        .map(|(((chain_seq, json), link), record)| NewRecord {
            id: record.id,
            chain_seq,
            link: *link,
            time_ms: record.time_ms,
            member: &device.member,
            device: &device.id,
            server: &record.server.identity,
            tool: record.tool.as_deref(),
            kind: &record.kind,
            decision: record.decision.as_deref(),
            run: record.run,
            seq: record.seq,
            call: record.call,
            json: json.get(),
        })
        .collect()
}

/// The columns of a stored record that do not say what the record itself says.
pub(crate) fn altered_columns(row: &RecordRow) -> Vec<String> {
    let Ok(said) = serde_json::from_str::<Columns<'_>>(&row.json) else { return vec!["record".to_owned()] };
    let columns = [
        ("id", said.id == row.id),
        ("time", said.time_ms == row.time_ms),
        ("server", said.server.identity == row.server),
        ("tool", said.tool.as_deref() == row.tool.as_deref()),
        ("kind", said.kind == row.kind),
        ("decision", said.decision.as_deref() == row.decision.as_deref()),
    ];
    columns.into_iter().filter(|(_, same)| !same).map(|(name, _)| name.to_owned()).collect()
}

async fn broken(app: &App, device: &Device, batch: &Batch, why: &str) -> Result<(), StoreError> {
    let detail = format!(
        "The log of {} ({}) cannot be continued: {why}. Its records may have been changed or lost on the device.",
        device.machine.hostname, device.member
    );
    raise(app, device, CHAIN_BROKEN, Severity::Critical, &batch.epoch.to_string(), &detail).await
}

fn of_kind<'a>(rows: &[NewRecord<'a>], kind: &str) -> Vec<&'a str> {
    rows.iter().filter(|record| record.kind == kind).map(|record| record.json).collect()
}

/// A device has one log for as long as it is enrolled. Whoever wants one forgotten begins another.
async fn tell_begun_anew(app: &App, device: &Device, batch: &Batch) -> Result<(), StoreError> {
    let Some((epoch, through)) = app.store.chain_before(&device.id, batch.epoch).await? else {
        return Ok(());
    };
    let detail = format!(
        "{} of {} began a new log, which does not follow from the one before it (that one ends here with record {through}, \
         log {epoch}). What was recorded there after that, and not sent, may be lost.",
        device.machine.hostname, device.member
    );
    raise(app, device, LOG_BEGUN_ANEW, Severity::Critical, &batch.epoch.to_string(), &detail).await
}

async fn tell_misattributed(app: &App, device: &Device, columns: &[Columns<'_>]) -> Result<(), StoreError> {
    let foreign = columns.iter().find(|record| record.member != device.member || record.device != device.id);
    let Some(foreign) = foreign else { return Ok(()) };
    let detail = format!(
        "{} of {} sent records in the name of {} on device {}; they are kept under the device that sent them.",
        device.machine.hostname, device.member, foreign.member, foreign.device
    );
    raise(
        app,
        device,
        MISATTRIBUTED,
        Severity::Warning,
        &format!("{}/{}", foreign.member, foreign.device),
        &detail,
    )
    .await
}
