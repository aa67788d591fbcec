//! The audit record: taking it in, and finding it again.

mod chained;
mod runs;

pub use chained::Chain;
pub use runs::Run;

use super::{Store, StoreError};
use crate::clock::now_ms;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::HashMap;
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

/// What the columns are filled from; `json` is the record itself, byte for byte.
#[derive(Debug, Clone)]
pub struct NewRecord<'a> {
    pub id: Uuid,
    pub chain_seq: u64,
    /// Of the chain, after this record.
    pub link: [u8; 32],
    pub time_ms: i64,
    pub member: &'a str,
    pub device: &'a str,
    pub server: &'a str,
    pub tool: Option<&'a str>,
    pub kind: &'a str,
    pub decision: Option<&'a str>,
    pub run: Uuid,
    /// The record's number in its run.
    pub seq: Option<u64>,
    pub call: Option<u64>,
    pub json: &'a str,
}

/// How far one device's log is on our disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    pub through: u64,
    pub head: [u8; 32],
}

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

/// What a filter may ask for.
pub const DECISIONS: [&str; 3] = ["allowed", "refused", "would-refuse"];
pub const KINDS: [&str; 7] = ["started", "stopped", "call", "outcome", "listed", "malformed", "definition"];

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

/// What to look for; everything given must hold. Empty: everything.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams, utoipa::ToSchema,
)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct RecordFilter {
    /// An address, or what stands before its `@`.
    pub member: Option<String>,
    /// A device's id, or its host name.
    pub device: Option<String>,
    /// Part of the server's identity, of its name in the catalogue, or of the client's entry.
    pub server: Option<String>,
    /// A tool; `*` stands for anything.
    pub tool: Option<String>,
    /// `allowed`, `refused` or `would-refuse`.
    #[serde(deserialize_with = "a_decision")]
    pub decision: Option<String>,
    /// `started`, `stopped`, `call`, `outcome`, `listed`, `malformed`, `definition`.
    #[serde(deserialize_with = "a_kind")]
    pub kind: Option<String>,
    /// Unix time in milliseconds, inclusive.
    pub since: Option<i64>,
    /// Unix time in milliseconds, exclusive.
    pub until: Option<i64>,
    /// Text anywhere in the record.
    pub text: Option<String>,
}

impl RecordFilter {
    /// # Errors
    /// A decision or a kind that no record has, with those that there are: a search for it would find
    /// nothing, and that would look like good news.
    pub fn check(self) -> Result<Self, String> {
        known("decision", self.decision.as_deref(), &DECISIONS)?;
        known("kind", self.kind.as_deref(), &KINDS)?;
        Ok(self)
    }
}

fn known(what: &str, asked: Option<&str>, all: &[&str]) -> Result<(), String> {
    match asked {
        Some(asked) if !all.contains(&asked) => {
            Err(format!("there is no {what} {asked:?}; say one of {}", all.join(", ")))
        }
        _ => Ok(()),
    }
}

fn a_decision<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let asked = Option::<String>::deserialize(from)?;
    known("decision", asked.as_deref(), &DECISIONS).map_err(D::Error::custom)?;
    Ok(asked)
}

fn a_kind<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let asked = Option::<String>::deserialize(from)?;
    known("kind", asked.as_deref(), &KINDS).map_err(D::Error::custom)?;
    Ok(asked)
}

/// Where the next page begins: the last record of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordCursor {
    pub time_ms: i64,
    pub n: i64,
}

impl std::fmt::Display for RecordCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.time_ms, self.n)
    }
}

impl std::str::FromStr for RecordCursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a cursor is what the page before gave as `next`";
        let (time_ms, n) = text.split_once('.').ok_or(wrong)?;
        Ok(Self { time_ms: time_ms.parse().map_err(|_| wrong)?, n: n.parse().map_err(|_| wrong)? })
    }
}

/// One page, newest first.
#[derive(Debug, Clone)]
pub struct RecordPage {
    pub records: Vec<RecordRow>,
    /// `None` at the end.
    pub next: Option<RecordCursor>,
}

impl Store {
    /// How far a chain is durable; the start of a new chain where it is not known.
    pub async fn chain_head(&self, device: &str, epoch: Uuid) -> Result<ChainHead, StoreError> {
        let row = sqlx::query("SELECT through, head FROM chains WHERE device = $1 AND epoch = $2")
            .bind(device)
            .bind(epoch.to_string())
            .fetch_optional(&self.reader)
            .await?;
        let Some(row) = row else { return Ok(ChainHead { through: 0, head: [0; 32] }) };
        let head: Vec<u8> = row.try_get(1)?;
        Ok(ChainHead {
            through: row.try_get::<i64, _>(0)?.unsigned_abs(),
            head: head.try_into().map_err(|_| StoreError::Unreadable {
                what: "chain",
                why: "a link is not 32 bytes".into(),
            })?,
        })
    }

    /// The latest other log of this device that holds anything, and how far it is durable.
    pub async fn chain_before(&self, device: &str, epoch: Uuid) -> Result<Option<(String, u64)>, StoreError> {
        let found: Option<(String, i64)> = sqlx::query_as(
            "SELECT epoch, through FROM chains
             WHERE device = $1 AND epoch <> $2 AND through > 0 ORDER BY n DESC LIMIT 1",
        )
        .bind(device)
        .bind(epoch.to_string())
        .fetch_optional(&self.reader)
        .await?;
        Ok(found.map(|(epoch, through)| (epoch, through.unsigned_abs())))
    }

    /// Commits a stretch of a chain, all or nothing. `false`: the chain is not at `before` any more
    /// (another upload of the same device was quicker), and nothing was written.
    pub async fn append_records(
        &self,
        device: &str,
        epoch: Uuid,
        before: &ChainHead,
        after: &ChainHead,
        records: &[NewRecord<'_>],
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query(
            "INSERT INTO chains (device, epoch, through, head) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING",
        )
        .bind(device)
        .bind(epoch.to_string())
        .bind([0_u8; 32].as_slice())
        .execute(&mut *transaction)
        .await?;
        let chain: Option<i64> = sqlx::query_scalar(
            "UPDATE chains SET through = $1, head = $2
             WHERE device = $3 AND epoch = $4 AND through = $5 AND head = $6 RETURNING n",
        )
        .bind(after.through.cast_signed())
        .bind(after.head.as_slice())
        .bind(device)
        .bind(epoch.to_string())
        .bind(before.through.cast_signed())
        .bind(before.head.as_slice())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(chain) = chain else { return Ok(false) };
        let received_ms = now_ms();
        let mut fresh = Vec::with_capacity(records.len());
        // SQLite takes 32,766 variables a statement; 17 columns a record.
        for chunk in records.chunks(500) {
            let repeats = repeats(&mut transaction, chunk).await?;
            insert_records(chain, received_ms, chunk, &repeats)
                .build()
                .persistent(chunk.len() == 500)
                .execute(&mut *transaction)
                .await?;
            fresh.extend(chunk.iter().zip(repeats).filter(|(_, repeat)| !repeat).map(|(record, _)| record));
        }
        runs::note(&mut transaction, &fresh, received_ms).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// One page of what matches, newest first.
    pub async fn search_records(
        &self,
        filter: &RecordFilter,
        after: Option<RecordCursor>,
        limit: u32,
    ) -> Result<RecordPage, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(records!(" WHERE repeat = 0"));
        narrow(&mut query, filter);
        if let Some(after) = after {
            query
                .push(" AND (time_ms, n) < (")
                .push_bind(after.time_ms)
                .push(", ")
                .push_bind(after.n)
                .push(")");
        }
        query.push(" ORDER BY time_ms DESC, n DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let mut records = query
            .build()
            .fetch_all(&self.reader)
            .await?
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, StoreError>>()?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next =
            records.last().filter(|_| more).map(|last| RecordCursor { time_ms: last.time_ms, n: last.n });
        Ok(RecordPage { records, next })
    }

    /// The same page by page from the oldest on, for taking the record away.
    pub async fn records_onward(
        &self,
        filter: &RecordFilter,
        after: Option<RecordCursor>,
        limit: u32,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(records!(" WHERE repeat = 0"));
        narrow(&mut query, filter);
        if let Some(after) = after {
            query
                .push(" AND (time_ms, n) > (")
                .push_bind(after.time_ms)
                .push(", ")
                .push_bind(after.n)
                .push(")");
        }
        query.push(" ORDER BY time_ms, n LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(&self.reader).await?.iter().map(read).collect()
    }

    pub async fn record(&self, id: Uuid) -> Result<Option<RecordRow>, StoreError> {
        sqlx::query(records!(" WHERE id = $1 AND repeat = 0 ORDER BY n LIMIT 1"))
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await?
            .as_ref()
            .map(read)
            .transpose()
    }

    /// A call and its outcome, in the order they were written.
    pub async fn records_of_call(&self, run: Uuid, call: u64) -> Result<Vec<RecordRow>, StoreError> {
        sqlx::query(records!(" WHERE run = $1 AND call = $2 AND repeat = 0 ORDER BY n"))
            .bind(run.as_bytes().as_slice())
            .bind(call.cast_signed())
            .fetch_all(&self.reader)
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// Judged calls since a time, by decision: `[("allowed", 41), …]`.
    pub async fn count_decisions(&self, since_ms: i64) -> Result<Vec<(String, u64)>, StoreError> {
        let counted: Vec<(String, i64)> = sqlx::query_as(
            "SELECT decision, COUNT(*) FROM records
             WHERE time_ms >= $1 AND decision IS NOT NULL AND repeat = 0 GROUP BY decision",
        )
        .bind(since_ms)
        .fetch_all(&self.reader)
        .await?;
        Ok(counted.into_iter().map(|(decision, count)| (decision, count.unsigned_abs())).collect())
    }

    /// Judged calls by hour since a time: (start of the hour in Unix ms, decision, count), oldest first.
    pub async fn hourly_decisions(&self, since_ms: i64) -> Result<Vec<(i64, String, u64)>, StoreError> {
        let counted: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT time_ms - time_ms % 3600000 AS hour, decision, COUNT(*) FROM records
             WHERE time_ms >= $1 AND decision IS NOT NULL AND repeat = 0 GROUP BY hour, decision ORDER BY hour, decision",
        )
        .bind(since_ms)
        .fetch_all(&self.reader)
        .await?;
        Ok(counted
            .into_iter()
            .map(|(hour, decision, count)| (hour, decision, count.unsigned_abs()))
            .collect())
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

/// Which of these are here already, byte for byte. One with a known id and another content is no repeat:
/// it must not be hidden behind the first.
async fn repeats(
    connection: &mut SqliteConnection,
    records: &[NewRecord<'_>],
) -> Result<Vec<bool>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id, json FROM records WHERE repeat = 0 AND id IN (");
    let mut ids = query.separated(", ");
    for record in records {
        ids.push_bind(record.id.as_bytes().to_vec());
    }
    query.push(")");
    let mut known: HashMap<Uuid, Vec<String>> = HashMap::new();
    for row in query.build().persistent(records.len() == 500).fetch_all(connection).await? {
        known.entry(read_id(row.try_get(0)?)?).or_default().push(row.try_get(1)?);
    }
    Ok(records
        .iter()
        .map(|record| {
            let same = known.entry(record.id).or_default();
            let repeat = same.iter().any(|json| json == record.json);
            if !repeat {
                same.push(record.json.to_owned());
            }
            repeat
        })
        .collect())
}

fn insert_records<'a>(
    chain: i64,
    received_ms: i64,
    records: &'a [NewRecord<'a>],
    repeats: &[bool],
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "INSERT INTO records (id, chain, chain_seq, link, received_ms, repeat, time_ms, member, device, server,
             tool, kind, decision, run, seq, call, json) ",
    );
    query.push_values(records.iter().zip(repeats), |mut row, (record, repeat)| {
        row.push_bind(record.id.as_bytes().to_vec())
            .push_bind(chain)
            .push_bind(record.chain_seq.cast_signed())
            .push_bind(record.link.to_vec())
            .push_bind(received_ms)
            .push_bind(*repeat)
            .push_bind(record.time_ms)
            .push_bind(record.member.to_owned())
            .push_bind(record.device.to_owned())
            .push_bind(record.server.to_owned())
            .push_bind(record.tool.map(str::to_owned))
            .push_bind(record.kind.to_owned())
            .push_bind(record.decision.map(str::to_owned))
            .push_bind(record.run.as_bytes().to_vec())
            .push_bind(record.seq.map(u64::cast_signed))
            .push_bind(record.call.map(u64::cast_signed))
            .push_bind(record.json.to_owned());
    });
    query
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &RecordFilter) {
    let given = |wanted: &Option<String>| wanted.clone().filter(|wanted| !wanted.is_empty());
    for (column, wanted) in [("decision", &filter.decision), ("kind", &filter.kind)] {
        if let Some(wanted) = given(wanted) {
            query.push(format!(" AND {column} = ")).push_bind(wanted);
        }
    }
    if let Some(member) = given(&filter.member) {
        query.push(" AND (member = ").push_bind(member.clone());
        if !member.contains('@') {
            query.push(" OR ");
            like(query, "member", format!("{}@%", escape_like(&member)));
        }
        query.push(")");
    }
    if let Some(device) = given(&filter.device) {
        query.push(" AND (device = ").push_bind(device.clone());
        query.push(" OR device IN (SELECT id FROM devices WHERE hostname = ").push_bind(device).push("))");
    }
    if let Some(tool) = given(&filter.tool) {
        query.push(" AND ");
        if tool.contains('*') {
            like(query, "tool", escape_like(&tool).replace('*', "%"));
        } else {
            query.push("tool = ").push_bind(tool);
        }
    }
    if let Some(server) = given(&filter.server) {
        let part = format!("%{}%", escape_like(&server));
        query.push(" AND (");
        like(query, "server", part.clone());
        for name in ["catalogue", "entry"] {
            query.push(" OR ");
            // What was altered on the disk may be no JSON any more, and must not end the search.
            let name = format!("CASE WHEN json_valid(json) THEN json_extract(json, '$.server.{name}') END");
            like(query, &name, part.clone());
        }
        query.push(")");
    }
    if let Some(text) = given(&filter.text) {
        query.push(" AND ");
        like(query, "json", format!("%{}%", escape_like(&text)));
    }
    if let Some(since) = filter.since {
        query.push(" AND time_ms >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" AND time_ms < ").push_bind(until);
    }
}

fn like(query: &mut QueryBuilder<Sqlite>, what: &str, pattern: String) {
    query.push(format!("{what} LIKE ")).push_bind(pattern).push(" ESCAPE '\\'");
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
