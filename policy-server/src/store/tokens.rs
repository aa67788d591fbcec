//! Enrolment tokens: only their hash, counted atomically.

use super::{Store, StoreError};
use crate::clock::now_ms;
use serde::Serialize;

/// An enrolment token as admins see it; the token itself is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct EnrolmentToken {
    pub id: String,
    /// The member its devices will belong to; `null` where the profile or the machine says it.
    pub member: Option<String>,
    pub uses: i64,
    pub used: i64,
    pub expires_ms: i64,
    pub created_ms: i64,
    pub created_by: String,
    pub withdrawn_ms: Option<i64>,
}

impl Store {
    pub async fn add_enrolment_token(&self, token: &EnrolmentToken, hash: &[u8]) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO enrolment_tokens (id, hash, member, uses, expires_ms, created_ms, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&token.id)
        .bind(hash)
        .bind(&token.member)
        .bind(token.uses)
        .bind(token.expires_ms)
        .bind(token.created_ms)
        .bind(&token.created_by)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    pub async fn enrolment_token(&self, hash: &[u8]) -> Result<Option<EnrolmentToken>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, member, uses, used, expires_ms, created_ms, created_by, withdrawn_ms
             FROM enrolment_tokens WHERE hash = $1",
        )
        .bind(hash)
        .fetch_optional(&self.reader)
        .await?)
    }

    /// Newest first.
    pub async fn enrolment_tokens(&self) -> Result<Vec<EnrolmentToken>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, member, uses, used, expires_ms, created_ms, created_by, withdrawn_ms
             FROM enrolment_tokens ORDER BY created_ms DESC",
        )
        .fetch_all(&self.reader)
        .await?)
    }

    /// `false`: there is no such token, or it is withdrawn already.
    pub async fn withdraw_enrolment_token(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE enrolment_tokens SET withdrawn_ms = $1 WHERE id = $2 AND withdrawn_ms IS NULL",
        )
        .bind(now_ms())
        .bind(id)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
