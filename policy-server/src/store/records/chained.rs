//! The record in the order of its chains, to be verified from the first link to the last.

use super::{RecordRow, read, records};
use crate::store::{Store, StoreError};
use sqlx::Row as _;
use uuid::Uuid;

/// One log of one device, and how far it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub n: i64,
    pub device: String,
    pub epoch: Uuid,
    pub through: u64,
    pub head: [u8; 32],
}

impl Store {
    pub async fn chains(&self) -> Result<Vec<Chain>, StoreError> {
        sqlx::query("SELECT n, device, epoch, through, head FROM chains ORDER BY device, n")
            .fetch_all(&self.reader)
            .await?
            .iter()
            .map(|row| {
                let unreadable = |why: &str| StoreError::Unreadable { what: "chain", why: why.to_owned() };
                let head: Vec<u8> = row.try_get("head")?;
                Ok(Chain {
                    n: row.try_get("n")?,
                    device: row.try_get("device")?,
                    epoch: row
                        .try_get::<String, _>("epoch")?
                        .parse()
                        .map_err(|_| unreadable("an epoch is not a UUID"))?,
                    through: row.try_get::<i64, _>("through")?.unsigned_abs(),
                    head: head.try_into().map_err(|_| unreadable("a link is not 32 bytes"))?,
                })
            })
            .collect()
    }

    /// What is here of a chain after a place, in its order, and not beyond where `chain` ended.
    pub async fn chained(&self, chain: &Chain, after: u64, limit: u32) -> Result<Vec<RecordRow>, StoreError> {
        sqlx::query(records!(
            " WHERE chain = $1 AND chain_seq > $2 AND chain_seq <= $3 ORDER BY chain_seq LIMIT $4"
        ))
        .bind(chain.n)
        .bind(after.cast_signed())
        .bind(chain.through.cast_signed())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// Records that no log accounts for: beyond the end of theirs, or of none. Nothing of ours writes such.
    pub async fn astray(&self, limit: u32) -> Result<Vec<RecordRow>, StoreError> {
        sqlx::query(records!(
            " WHERE chain_seq < 1 OR chain_seq >
                 COALESCE((SELECT through FROM chains WHERE chains.n = records.chain), 0) ORDER BY n LIMIT $1"
        ))
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(read)
        .collect()
    }
}
