//! Where alerts are sent, and what has not arrived there yet.

use super::{Store, StoreError};
use crate::clock::now_ms;
use serde::Serialize;

/// A target of alerts, as admins see it: without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Webhook {
    pub id: String,
    pub url: String,
    pub created_ms: i64,
    pub created_by: String,
    /// Deliveries that have not arrived yet.
    pub pending: i64,
    /// Given up on: too old, or too many before them.
    pub abandoned: i64,
    /// Unsuccessful attempts in a row, since when, and what the last of them met; 0 and `null` where
    /// all is well.
    pub failures: i64,
    pub failing_since_ms: Option<i64>,
    pub last_error: Option<String>,
}

/// One POST that is due.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    pub n: i64,
    pub webhook: String,
    pub url: String,
    pub secret: String,
    pub body: String,
    pub attempts: i64,
}

const WEBHOOKS: &str = "SELECT w.id, w.url, w.created_ms, w.created_by,
    (SELECT COUNT(*) FROM deliveries d
       WHERE d.webhook = w.id AND d.delivered_ms IS NULL AND d.abandoned_ms IS NULL) AS pending,
    (SELECT COUNT(*) FROM deliveries d
       WHERE d.webhook = w.id AND d.delivered_ms IS NULL AND d.abandoned_ms IS NOT NULL) AS abandoned,
    w.failures, w.failing_since_ms,
    (SELECT d.last_error FROM deliveries d
       WHERE d.webhook = w.id AND d.delivered_ms IS NULL AND d.last_error IS NOT NULL AND w.failures > 0
       ORDER BY d.n DESC LIMIT 1) AS last_error
    FROM webhooks w ORDER BY w.created_ms";

impl Store {
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        Ok(sqlx::query_as(WEBHOOKS).fetch_all(&self.reader).await?)
    }

    /// `false`: the address is there already.
    pub async fn add_webhook(&self, id: &str, url: &str, secret: &str, by: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO webhooks (id, url, secret, created_ms, created_by)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(url)
        .bind(secret)
        .bind(now_ms())
        .bind(by)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// By id or by address. What had not arrived there is forgotten with it.
    pub async fn remove_webhook(&self, id_or_url: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM webhooks WHERE id = $1 OR url = $1")
            .bind(id_or_url)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The oldest due delivery of each target: one target's alerts arrive in order, and a dead target
    /// does not hold up the others.
    pub async fn due_deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT d.n, d.webhook, w.url, w.secret, d.body, d.attempts
             FROM deliveries d JOIN webhooks w ON w.id = d.webhook
             WHERE d.due_ms <= $1 AND d.n IN (
                 SELECT MIN(n) FROM deliveries
                 WHERE delivered_ms IS NULL AND abandoned_ms IS NULL GROUP BY webhook)",
        )
        .bind(now_ms())
        .fetch_all(&self.reader)
        .await?)
    }

    /// When the next delivery is due; `None` where nothing is waiting.
    pub async fn next_delivery_ms(&self) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT MIN(due_ms) FROM deliveries WHERE n IN (
                 SELECT MIN(n) FROM deliveries
                 WHERE delivered_ms IS NULL AND abandoned_ms IS NULL GROUP BY webhook)",
        )
        .fetch_one(&self.reader)
        .await?)
    }

    /// Gives up on deliveries that wait since before `before_ms`. Gives how many.
    pub async fn abandon_deliveries(&self, before_ms: i64) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE deliveries SET abandoned_ms = $1
             WHERE created_ms < $2 AND delivered_ms IS NULL AND abandoned_ms IS NULL",
        )
        .bind(now_ms())
        .bind(before_ms)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// Gives how many attempts at this webhook had failed in a row before.
    pub async fn delivered(&self, n: i64) -> Result<i64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("UPDATE deliveries SET delivered_ms = $1, attempts = attempts + 1 WHERE n = $2")
            .bind(now_ms())
            .bind(n)
            .execute(&mut *transaction)
            .await?;
        let webhook = "id = (SELECT webhook FROM deliveries WHERE n = $1)";
        let failures: Option<i64> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT failures FROM webhooks WHERE {webhook}")))
                .bind(n)
                .fetch_optional(&mut *transaction)
                .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE webhooks SET failures = 0, failing_since_ms = NULL WHERE failures > 0 AND {webhook}"
        )))
        .bind(n)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(failures.unwrap_or(0))
    }

    /// An attempt that failed: due again at `due_ms`, or never where that is `None`. Gives how many
    /// failed in a row at this webhook.
    pub async fn not_delivered(&self, n: i64, error: &str, due_ms: Option<i64>) -> Result<i64, StoreError> {
        let now = now_ms();
        let mut transaction = self.writer.begin().await?;
        sqlx::query(
            "UPDATE deliveries SET attempts = attempts + 1, last_error = $1,
                 due_ms = COALESCE($2, due_ms),
                 abandoned_ms = CASE WHEN $2 IS NULL THEN $3 END
             WHERE n = $4",
        )
        .bind(error)
        .bind(due_ms)
        .bind(now)
        .bind(n)
        .execute(&mut *transaction)
        .await?;
        let failures: Option<i64> = sqlx::query_scalar(
            "UPDATE webhooks SET failures = failures + 1, failing_since_ms = COALESCE(failing_since_ms, $1)
             WHERE id = (SELECT webhook FROM deliveries WHERE n = $2) RETURNING failures",
        )
        .bind(now)
        .bind(n)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(failures.unwrap_or(0))
    }
}
