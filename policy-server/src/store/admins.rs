//! Admins, their sessions, one-time links and API tokens. Secrets are here as hashes only.

use super::{Store, StoreError};
use crate::clock::now_ms;

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SessionRow {
    pub admin: String,
    pub csrf: String,
    pub created_ms: i64,
    pub seen_ms: i64,
}

impl Store {
    pub async fn add_admin(&self, name: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO admins (name, created_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(now_ms())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The password's argon2 hash; `None` where there is no such admin or no password was set.
    pub async fn password_hash(&self, name: &str) -> Result<Option<String>, StoreError> {
        let found: Option<Option<String>> =
            sqlx::query_scalar("SELECT password_hash FROM admins WHERE name = $1")
                .bind(name)
                .fetch_optional(&self.reader)
                .await?;
        Ok(found.flatten())
    }

    /// Sets a password and ends every session of that admin but the one to keep.
    pub async fn set_password_hash(&self, name: &str, hash: &str, keep: &[u8]) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("UPDATE admins SET password_hash = $1 WHERE name = $2")
            .bind(hash)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE admin = $1 AND hash <> $2")
            .bind(name)
            .bind(keep)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    pub async fn add_login_link(&self, hash: &[u8], admin: &str, expires_ms: i64) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO login_links (hash, admin, expires_ms) VALUES ($1, $2, $3)")
            .bind(hash)
            .bind(admin)
            .bind(expires_ms)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Uses a link up: the row is gone afterwards, whoever asks at the same time.
    pub async fn take_login_link(&self, hash: &[u8]) -> Result<Option<String>, StoreError> {
        let now = now_ms();
        sqlx::query("DELETE FROM login_links WHERE expires_ms < $1").bind(now).execute(&self.writer).await?;
        Ok(sqlx::query_scalar("DELETE FROM login_links WHERE hash = $1 AND expires_ms >= $2 RETURNING admin")
            .bind(hash)
            .bind(now)
            .fetch_optional(&self.writer)
            .await?)
    }

    pub async fn add_session(&self, hash: &[u8], admin: &str, csrf: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (hash, admin, csrf, created_ms, seen_ms) VALUES ($1, $2, $3, $4, $4)",
        )
        .bind(hash)
        .bind(admin)
        .bind(csrf)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    pub async fn session(&self, hash: &[u8]) -> Result<Option<SessionRow>, StoreError> {
        Ok(sqlx::query_as("SELECT admin, csrf, created_ms, seen_ms FROM sessions WHERE hash = $1")
            .bind(hash)
            .fetch_optional(&self.reader)
            .await?)
    }

    pub async fn touch_session(&self, hash: &[u8]) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET seen_ms = $1 WHERE hash = $2")
            .bind(now_ms())
            .bind(hash)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    pub async fn end_session(&self, hash: &[u8]) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(hash).execute(&self.writer).await?;
        Ok(())
    }

    pub async fn add_api_token(&self, id: &str, hash: &[u8], name: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO api_tokens (id, hash, name, created_ms) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(hash)
            .bind(name)
            .bind(now_ms())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The name of the token's owner.
    pub async fn api_token(&self, hash: &[u8]) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT name FROM api_tokens WHERE hash = $1")
            .bind(hash)
            .fetch_optional(&self.reader)
            .await?)
    }
}
