//! What the record tells of definitions that somebody let in on a device, or had forgotten there.

use crate::store::{Store, StoreError};
use contract::record::{Definition, Record};
use sqlx::FromRow;

/// The last word on a definition before another record.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Approval {
    /// `approved` or `forgotten`.
    pub event: String,
    pub digest: String,
    pub time_ms: i64,
}

impl Store {
    /// What was last said, in the order of the record, of what this sighting is about: by the same user, on the
    /// same device, of the same server.
    pub async fn approval_before(
        &self,
        device: &str,
        sighting: &Record,
        it: &Definition,
    ) -> Result<Option<Approval>, StoreError> {
        let part = serde_json::to_value(it.part).map_err(StoreError::unreadable("part of a definition"))?;
        let name = it.tool.as_deref().unwrap_or(&it.name);
        Ok(sqlx::query_as(
            "SELECT json_extract(json, '$.event') AS event, json_extract(json, '$.digest') AS digest, time_ms
             FROM records
             WHERE device = $1 AND server = $2
                 AND kind = 'definition'
                 AND CASE WHEN json_valid(json) THEN json_extract(json, '$.event') END IN ('approved', 'forgotten')
                 AND n < (SELECT MIN(n) FROM records WHERE id = $3)
                 AND json_extract(json, '$.part') = $4
                 AND COALESCE(tool, json_extract(json, '$.name'), '') = $5
                 AND COALESCE(json_extract(json, '$.os_user'), '') = $6
             ORDER BY n DESC LIMIT 1",
        )
        .bind(device)
        .bind(&sighting.server.identity)
        .bind(sighting.id.as_bytes().as_slice())
        .bind(part.as_str().unwrap_or_default())
        .bind(name)
        .bind(&sighting.os_user)
        .fetch_optional(&self.reader)
        .await?)
    }
}
