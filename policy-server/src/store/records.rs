//! The audit record as it lies in the store: one row as it is found again. Taking in is `intake`, finding is `search`.

mod approvals;
mod chained;
mod intake;
mod runs;
mod search;

pub use approvals::Approval;
pub use chained::Chain;
pub use intake::{ChainHead, NewRecord};
pub use runs::Run;
pub use search::{DECISIONS, FATES, KINDS, RecordCursor, RecordFilter, RecordPage};

use super::StoreError;
use serde::Deserialize;
use sqlx::Row as _;
use uuid::Uuid;

/// Records as [`read`] reads them, with what narrows them down.
macro_rules! records {
    ($rest:literal) => {
        concat!(
            "SELECT n, id, time_ms, member, device, server, tool, kind, decision, json, chain_seq,
        link, received_ms,
        (SELECT epoch FROM chains WHERE chains.n = records.chain) AS epoch,
        (SELECT before.id FROM records AS before
            WHERE before.chain = records.chain AND before.chain_seq = records.chain_seq - 1) AS previous,
        (SELECT before.link FROM records AS before
            WHERE before.chain = records.chain AND before.chain_seq = records.chain_seq - 1) AS previous_link
    FROM records",
            $rest
        )
    };
}
use records;

/// One record as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Order of arrival.
    pub n: i64,
    pub id: Uuid,
    pub time_ms: i64,
    pub member: String,
    pub device: String,
    /// The server's identity.
    pub server: String,
    pub tool: Option<String>,
    pub kind: String,
    pub decision: Option<String>,
    /// Which of the device's logs it stands in, and where.
    pub epoch: Option<Uuid>,
    pub sequence: u64,
    /// The record before it in that log.
    pub previous: Option<Uuid>,
    /// The link before it; `None` where that was not kept.
    pub previous_link: Option<[u8; 32]>,
    pub link: Option<[u8; 32]>,
    /// When it came, by our clock.
    pub received_ms: i64,
    pub json: String,
}

/// Whose a record says it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claimed {
    pub member: String,
    pub device: String,
}

impl RecordRow {
    /// Where the record names another member or device than the certificate it came with: whom.
    #[must_use]
    pub fn claimed(&self) -> Option<Claimed> {
        let claimed: Claimed = serde_json::from_str(&self.json).ok()?;
        (claimed.member != self.member || claimed.device != self.device).then_some(claimed)
    }
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<RecordRow, StoreError> {
    let id: Vec<u8> = row.try_get("id")?;
    let previous: Option<Vec<u8>> = row.try_get("previous")?;
    let epoch: Option<String> = row.try_get("epoch")?;
    let sequence = row.try_get::<i64, _>("chain_seq")?.unsigned_abs();
    let previous_link = row.try_get::<Option<Vec<u8>>, _>("previous_link")?.and_then(as_link);
    Ok(RecordRow {
        n: row.try_get("n")?,
        id: read_id(&id)?,
        time_ms: row.try_get("time_ms")?,
        member: row.try_get("member")?,
        device: row.try_get("device")?,
        server: row.try_get("server")?,
        tool: row.try_get("tool")?,
        kind: row.try_get("kind")?,
        decision: row.try_get("decision")?,
        epoch: epoch.and_then(|epoch| epoch.parse().ok()),
        sequence,
        previous: previous.as_deref().map(read_id).transpose()?,
        previous_link: if sequence == 1 { Some(contract::record::START) } else { previous_link },
        link: row.try_get::<Option<Vec<u8>>, _>("link")?.and_then(as_link),
        received_ms: row.try_get("received_ms")?,
        json: row.try_get("json")?,
    })
}

fn read_id(bytes: &[u8]) -> Result<Uuid, StoreError> {
    Uuid::from_slice(bytes)
        .map_err(|error| StoreError::Unreadable { what: "record id", why: error.to_string() })
}

fn as_link(bytes: Vec<u8>) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}
