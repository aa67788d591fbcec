//! What admins did: who, what, when. Append-only.

use super::{Store, StoreError};
use crate::clock::now_ms;
use serde::Serialize;

/// One action of an admin, or of the server itself on an admin's behalf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Deed {
    pub n: i64,
    pub at_ms: i64,
    pub who: String,
    /// Stable, for programs: `policy-published`, `member-offboarded`, …
    pub what: String,
    pub subject: String,
    pub detail: String,
}

impl Store {
    pub async fn add_deed(
        &self,
        who: &str,
        what: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO deeds (at_ms, who, what, subject, detail) VALUES ($1, $2, $3, $4, $5)")
            .bind(now_ms())
            .bind(who)
            .bind(what)
            .bind(subject)
            .bind(detail)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Newest first.
    pub async fn deeds(&self, limit: u32) -> Result<Vec<Deed>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM deeds ORDER BY n DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?)
    }
}
