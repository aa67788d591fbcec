//! Taking the record in: a stretch of one device's chain, all of it or nothing.

use super::super::{Store, StoreError};
use super::{read_id, runs};
use crate::clock::now_ms;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::HashMap;
use uuid::Uuid;

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
