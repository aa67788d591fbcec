//! Enrolment tokens: only their hash, counted atomically.

use super::{Store, StoreError};
use crate::clock::now_ms;
use policy::pattern::Pattern;
use serde::Serialize;

/// An enrolment token as admins see it; the token itself is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct EnrolmentToken {
    pub id: String,
    /// The member its devices will belong to; `null` where the profile or the machine says it.
    pub member: Option<String>,
    /// What a member that the machine names has to fit, one of them; empty: no bound is set.
    #[sqlx(try_from = "String")]
    #[schema(value_type = Vec<String>)]
    pub members: MemberPatterns,
    /// An admin said that the machine may name anybody.
    pub any_member: bool,
    pub uses: i64,
    pub used: i64,
    pub expires_ms: i64,
    pub created_ms: i64,
    pub created_by: String,
    pub withdrawn_ms: Option<i64>,
}

/// `*@acme.example`, in small letters; kept in one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MemberPatterns(pub Vec<String>);

impl From<String> for MemberPatterns {
    fn from(column: String) -> Self {
        Self(column.split_whitespace().map(str::to_owned).collect())
    }
}

impl EnrolmentToken {
    /// May a machine that it enrols belong to this member?
    #[must_use]
    pub fn admits(&self, member: &str) -> bool {
        match &self.member {
            Some(bound) => bound == member,
            None if self.members.0.is_empty() => true,
            None => self.members.0.iter().any(|pattern| Pattern::new(pattern).matches(member)),
        }
    }

    #[must_use]
    pub fn is_usable(&self, now_ms: i64) -> bool {
        self.withdrawn_ms.is_none() && self.expires_ms >= now_ms && self.used < self.uses
    }
}

const TOKENS: &str = "SELECT id, member, members, any_member, uses, used, expires_ms, created_ms, created_by,
    withdrawn_ms FROM enrolment_tokens";

impl Store {
    pub async fn add_enrolment_token(&self, token: &EnrolmentToken, hash: &[u8]) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO enrolment_tokens (id, hash, member, uses, expires_ms, created_ms, created_by,
                 members, any_member)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&token.id)
        .bind(hash)
        .bind(&token.member)
        .bind(token.uses)
        .bind(token.expires_ms)
        .bind(token.created_ms)
        .bind(&token.created_by)
        .bind(token.members.0.join(" "))
        .bind(token.any_member)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    pub async fn enrolment_token(&self, hash: &[u8]) -> Result<Option<EnrolmentToken>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!("{TOKENS} WHERE hash = $1")))
            .bind(hash)
            .fetch_optional(&self.reader)
            .await?)
    }

    pub async fn enrolment_token_by_id(&self, id: &str) -> Result<Option<EnrolmentToken>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!("{TOKENS} WHERE id = $1")))
            .bind(id)
            .fetch_optional(&self.reader)
            .await?)
    }

    /// Newest first.
    pub async fn enrolment_tokens(&self) -> Result<Vec<EnrolmentToken>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!("{TOKENS} ORDER BY created_ms DESC")))
            .fetch_all(&self.reader)
            .await?)
    }

    /// The token by which a device enrolled; `None` where that was before tokens were noted.
    pub async fn token_of_device(&self, device: &str) -> Result<Option<EnrolmentToken>, StoreError> {
        let of = "WHERE id = (SELECT token FROM devices WHERE id = $1)";
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!("{TOKENS} {of}")))
            .bind(device)
            .fetch_optional(&self.reader)
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
