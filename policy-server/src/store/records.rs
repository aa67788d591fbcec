//! The audit record: taking it in, and finding it again.

use super::{Store, StoreError};
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Row as _, Sqlite};
use uuid::Uuid;

/// What the columns are filled from; `json` is the record itself, byte for byte.
#[derive(Debug, Clone)]
pub struct NewRecord<'a> {
    pub id: Uuid,
    pub chain_seq: u64,
    pub time_ms: i64,
    pub member: &'a str,
    pub device: &'a str,
    pub server: &'a str,
    pub tool: Option<&'a str>,
    pub kind: &'a str,
    pub decision: Option<&'a str>,
    pub run: Uuid,
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
    pub json: String,
}

/// What to look for; everything given must hold. Empty: everything.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams, utoipa::ToSchema,
)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct RecordFilter {
    pub member: Option<String>,
    pub device: Option<String>,
    /// Part of the server's identity.
    pub server: Option<String>,
    pub tool: Option<String>,
    /// `allowed`, `refused` or `would-refuse`.
    pub decision: Option<String>,
    /// `started`, `stopped`, `call`, `outcome`, `listed`, `malformed`.
    pub kind: Option<String>,
    /// Unix time in milliseconds, inclusive.
    pub since: Option<i64>,
    /// Unix time in milliseconds, exclusive.
    pub until: Option<i64>,
    /// Text anywhere in the record.
    pub text: Option<String>,
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
        // SQLite takes 32,766 variables a statement; 13 columns a record.
        for chunk in records.chunks(500) {
            insert_records(chain, chunk)
                .build()
                .persistent(chunk.len() == 500)
                .execute(&mut *transaction)
                .await?;
        }
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
        let mut query = QueryBuilder::<Sqlite>::new(RECORDS);
        query.push(" WHERE 1 = 1");
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
        let mut query = QueryBuilder::<Sqlite>::new(RECORDS);
        query.push(" WHERE 1 = 1");
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
        sqlx::query("SELECT n, id, time_ms, member, device, server, tool, kind, decision, json FROM records WHERE id = $1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await?
            .as_ref()
            .map(read)
            .transpose()
    }

    /// A call and its outcome, in the order they were written.
    pub async fn records_of_call(&self, run: Uuid, call: u64) -> Result<Vec<RecordRow>, StoreError> {
        sqlx::query(
            "SELECT n, id, time_ms, member, device, server, tool, kind, decision, json FROM records
             WHERE run = $1 AND call = $2 ORDER BY n",
        )
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
             WHERE time_ms >= $1 AND decision IS NOT NULL GROUP BY decision",
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
             WHERE time_ms >= $1 AND decision IS NOT NULL GROUP BY hour, decision ORDER BY hour, decision",
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

const RECORDS: &str =
    "SELECT n, id, time_ms, member, device, server, tool, kind, decision, json FROM records";

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<RecordRow, StoreError> {
    let id: Vec<u8> = row.try_get("id")?;
    Ok(RecordRow {
        n: row.try_get("n")?,
        id: Uuid::from_slice(&id)
            .map_err(|error| StoreError::Unreadable { what: "record id", why: error.to_string() })?,
        time_ms: row.try_get("time_ms")?,
        member: row.try_get("member")?,
        device: row.try_get("device")?,
        server: row.try_get("server")?,
        tool: row.try_get("tool")?,
        kind: row.try_get("kind")?,
        decision: row.try_get("decision")?,
        json: row.try_get("json")?,
    })
}

fn insert_records<'a>(chain: i64, records: &'a [NewRecord<'a>]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "INSERT INTO records (id, chain, chain_seq, time_ms, member, device, server, tool, kind, decision,
             run, call, json) ",
    );
    query.push_values(records, |mut row, record| {
        row.push_bind(record.id.as_bytes().to_vec())
            .push_bind(chain)
            .push_bind(record.chain_seq.cast_signed())
            .push_bind(record.time_ms)
            .push_bind(record.member.to_owned())
            .push_bind(record.device.to_owned())
            .push_bind(record.server.to_owned())
            .push_bind(record.tool.map(str::to_owned))
            .push_bind(record.kind.to_owned())
            .push_bind(record.decision.map(str::to_owned))
            .push_bind(record.run.as_bytes().to_vec())
            .push_bind(record.call.map(u64::cast_signed))
            .push_bind(record.json.to_owned());
    });
    query.push(" ON CONFLICT DO NOTHING");
    query
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &RecordFilter) {
    let exact = [
        ("member", &filter.member),
        ("device", &filter.device),
        ("tool", &filter.tool),
        ("decision", &filter.decision),
        ("kind", &filter.kind),
    ];
    for (column, wanted) in exact {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| !wanted.is_empty()) {
            query.push(format!(" AND {column} = ")).push_bind(wanted.to_owned());
        }
    }
    for (column, wanted) in [("server", &filter.server), ("json", &filter.text)] {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| !wanted.is_empty()) {
            query
                .push(format!(" AND {column} LIKE "))
                .push_bind(format!("%{}%", escape_like(wanted)))
                .push(" ESCAPE '\\'");
        }
    }
    if let Some(since) = filter.since {
        query.push(" AND time_ms >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" AND time_ms < ").push_bind(until);
    }
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
