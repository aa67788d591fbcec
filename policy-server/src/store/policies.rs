//! The published versions: append-only, each with its author and note.

use super::{Store, StoreError};
use crate::clock::now_ms;
use policy::Standing;

/// One published version: the document and who had left at the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    pub version: u64,
    pub text: String,
    pub standing: Standing,
    pub author: String,
    pub note: String,
    pub created_ms: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    version: i64,
    text: String,
    standing: String,
    author: String,
    note: String,
    created_ms: i64,
}

impl Row {
    fn read(self) -> Result<PolicyVersion, StoreError> {
        Ok(PolicyVersion {
            version: self.version.unsigned_abs(),
            text: self.text,
            standing: serde_json::from_str(&self.standing).map_err(StoreError::unreadable("standing"))?,
            author: self.author,
            note: self.note,
            created_ms: self.created_ms,
        })
    }
}

impl Store {
    /// The version in force; `None` only before the first start has finished.
    pub async fn current_policy(&self) -> Result<Option<PolicyVersion>, StoreError> {
        sqlx::query_as::<_, Row>("SELECT * FROM policies ORDER BY version DESC LIMIT 1")
            .fetch_optional(&self.reader)
            .await?
            .map(Row::read)
            .transpose()
    }

    pub async fn policy(&self, version: u64) -> Result<Option<PolicyVersion>, StoreError> {
        sqlx::query_as::<_, Row>("SELECT * FROM policies WHERE version = $1")
            .bind(version.cast_signed())
            .fetch_optional(&self.reader)
            .await?
            .map(Row::read)
            .transpose()
    }

    /// Newest first.
    pub async fn policy_history(&self, limit: u32) -> Result<Vec<PolicyVersion>, StoreError> {
        sqlx::query_as::<_, Row>("SELECT * FROM policies ORDER BY version DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?
            .into_iter()
            .map(Row::read)
            .collect()
    }

    /// Appends the version after `base`. `false`: somebody else published after `base`.
    pub async fn append_policy(
        &self,
        base: u64,
        text: &str,
        standing: &Standing,
        author: &str,
        note: &str,
    ) -> Result<bool, StoreError> {
        let standing = serde_json::to_string(standing).map_err(StoreError::unreadable("standing"))?;
        let done = sqlx::query(
            "INSERT INTO policies (version, text, standing, author, note, created_ms)
             SELECT $1, $2, $3, $4, $5, $6
             WHERE (SELECT COALESCE(MAX(version), 0) FROM policies) = $7",
        )
        .bind((base + 1).cast_signed())
        .bind(text)
        .bind(standing)
        .bind(author)
        .bind(note)
        .bind(now_ms())
        .bind(base.cast_signed())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// A number larger than any given before, on disk before it is used: agents refuse a signature
    /// whose number went back.
    pub async fn next_timestamp_version(&self) -> Result<u64, StoreError> {
        let next: String = sqlx::query_scalar(
            "INSERT INTO facts (name, value) VALUES ('timestamp-version', '1')
             ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(facts.value AS BIGINT) + 1 AS TEXT)
             RETURNING value",
        )
        .fetch_one(&self.writer)
        .await?;
        next.parse().map_err(|_| StoreError::Unreadable { what: "timestamp version", why: next })
    }
}
