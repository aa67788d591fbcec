//! The people: everybody who ever enrolled a device, and whether their access has ended.

use super::{Store, StoreError};
use crate::clock::now_ms;
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Member {
    pub address: String,
    pub created_ms: i64,
    /// When their access was ended; `null` while they have it.
    pub suspended_ms: Option<i64>,
    /// Devices that are neither revoked nor unenrolled.
    pub devices: i64,
    /// The latest contact of any of their devices.
    pub contact_ms: Option<i64>,
}

const MEMBERS: &str = "SELECT m.address, m.created_ms, m.suspended_ms,
    COUNT(d.id) AS devices, MAX(d.contact_ms) AS contact_ms
    FROM members m LEFT JOIN devices d
      ON d.member = m.address AND d.revoked_ms IS NULL AND d.unenrolled_ms IS NULL
        AND d.removed_ms IS NULL
    GROUP BY m.address, m.created_ms, m.suspended_ms ORDER BY m.address";

impl Store {
    pub async fn members(&self) -> Result<Vec<Member>, StoreError> {
        Ok(sqlx::query_as(MEMBERS).fetch_all(&self.reader).await?)
    }

    pub async fn add_member(&self, address: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO members (address, created_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(address)
            .bind(now_ms())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Sets or clears the end of a member's access; a member nobody has heard of is added.
    pub async fn set_suspended(&self, address: &str, since_ms: Option<i64>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO members (address, created_ms, suspended_ms) VALUES ($1, $2, $3)
             ON CONFLICT (address) DO UPDATE SET suspended_ms = excluded.suspended_ms",
        )
        .bind(address)
        .bind(now_ms())
        .bind(since_ms)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
