//! Alerts and their life: open, acknowledged, resolved; how they come to be is in [`raising`]. Every change
//! that a person should hear of writes its webhook deliveries in the same transaction.

mod raising;

use super::{Store, StoreError};
use crate::clock::now_ms;
use contract::report::Severity;
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};

/// Deliveries that wait for one webhook at the most.
pub const MOST_WAITING: i64 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    Open,
    /// Somebody looks after it; it still holds.
    Acknowledged,
    Resolved,
}

impl AlertState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Alert {
    pub id: String,
    /// Stable reason code: `device-dark`, `entry-unwrapped`, `record-chain-broken`, …
    pub code: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// Empty where it concerns no single device.
    pub device: String,
    pub member: String,
    /// What it is about, stable over time.
    pub subject: String,
    /// A whole sentence.
    pub detail: String,
    /// `open`, `acknowledged` or `resolved`.
    pub state: String,
    /// The agent put it right itself: an event, not a state.
    pub healed: bool,
    pub since_ms: i64,
    pub opened_ms: i64,
    pub seen_ms: i64,
    pub resolved_ms: Option<i64>,
    pub acknowledged_ms: Option<i64>,
    pub acknowledged_by: Option<String>,
}

/// What is to be raised.
#[derive(Debug, Clone)]
pub struct NewAlert<'a> {
    pub code: &'a str,
    pub severity: Severity,
    pub device: &'a str,
    pub member: &'a str,
    pub subject: &'a str,
    pub detail: &'a str,
    /// When the matter began; for a healed one, what tells two events apart.
    pub since_ms: i64,
}

#[must_use]
pub fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The body of a webhook's POST, and nothing else an outsider needs to know.
#[derive(Serialize)]
struct Notice<'a> {
    id: &'a str,
    code: &'a str,
    severity: &'a str,
    device: &'a str,
    member: &'a str,
    subject: &'a str,
    detail: &'a str,
    state: &'a str,
    healed: bool,
    at_ms: i64,
}

impl Store {
    /// Resolves the live alert of a matter. `false`: there was none.
    pub async fn resolve_alert(&self, device: &str, code: &str, subject: &str) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut transaction = self.writer.begin().await?;
        let resolved = sqlx::query_as::<_, Alert>(
            "UPDATE alerts SET state = 'resolved', resolved_ms = $1
             WHERE device = $2 AND code = $3 AND subject = $4 AND state <> 'resolved' RETURNING *",
        )
        .bind(now)
        .bind(device)
        .bind(code)
        .bind(subject)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(alert) = &resolved {
            notify(&mut transaction, alert, now).await?;
        }
        transaction.commit().await?;
        Ok(resolved.is_some())
    }

    /// Says something else in the live alert of a matter, where it says this.
    pub async fn reword_alert(
        &self,
        device: &str,
        code: &str,
        subject: &str,
        this: &str,
        instead: &str,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE alerts SET detail = replace(detail, $1, $2)
             WHERE device = $3 AND code = $4 AND subject = $5 AND state <> 'resolved' AND instr(detail, $1) > 0",
        )
        .bind(this)
        .bind(instead)
        .bind(device)
        .bind(code)
        .bind(subject)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The live alerts of one device.
    pub async fn live_alerts_of(&self, device: &str) -> Result<Vec<Alert>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM alerts WHERE device = $1 AND state <> 'resolved'")
            .bind(device)
            .fetch_all(&self.reader)
            .await?)
    }

    /// Newest first; all states where `state` is `None`.
    pub async fn alerts(&self, state: Option<AlertState>, limit: u32) -> Result<Vec<Alert>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT * FROM alerts WHERE $1 IS NULL OR state = $1 ORDER BY opened_ms DESC, id DESC LIMIT $2",
        )
        .bind(state.map(AlertState::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?)
    }

    pub async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM alerts WHERE id = $1").bind(id).fetch_optional(&self.reader).await?)
    }

    /// Alerts that are not resolved, by state.
    pub async fn count_live_alerts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let counted: Vec<(String, i64)> =
            sqlx::query_as("SELECT state, COUNT(*) FROM alerts WHERE state <> 'resolved' GROUP BY state")
                .fetch_all(&self.reader)
                .await?;
        Ok(counted.into_iter().map(|(state, count)| (state, count.unsigned_abs())).collect())
    }

    /// `false`: no open alert has this id.
    pub async fn acknowledge_alert(&self, id: &str, by: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE alerts SET state = 'acknowledged', acknowledged_ms = $1, acknowledged_by = $2
             WHERE id = $3 AND state = 'open'",
        )
        .bind(now_ms())
        .bind(by)
        .bind(id)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Acknowledges what is open, of one code or of all. Gives how many.
    pub async fn acknowledge_alerts(&self, code: Option<&str>, by: &str) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE alerts SET state = 'acknowledged', acknowledged_ms = $1, acknowledged_by = $2
             WHERE state = 'open' AND ($3 IS NULL OR code = $3)",
        )
        .bind(now_ms())
        .bind(by)
        .bind(code)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }
}

/// Writes one delivery a webhook; the courier takes it from there.
async fn notify(
    transaction: &mut Transaction<'_, Sqlite>,
    alert: &Alert,
    now: i64,
) -> Result<(), StoreError> {
    let notice = Notice {
        id: &alert.id,
        code: &alert.code,
        severity: &alert.severity,
        device: &alert.device,
        member: &alert.member,
        subject: &alert.subject,
        detail: &alert.detail,
        state: &alert.state,
        healed: alert.healed,
        at_ms: now,
    };
    let body = serde_json::to_string(&notice).map_err(StoreError::unreadable("alert"))?;
    sqlx::query(
        "INSERT INTO deliveries (webhook, alert, body, created_ms, due_ms) SELECT id, $1, $2, $3, $3 FROM webhooks",
    )
    .bind(&alert.id)
    .bind(body)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    // A target that takes nothing does not fill the disk: the oldest give way.
    sqlx::query(
        "UPDATE deliveries SET abandoned_ms = $1
         WHERE n IN (SELECT n FROM (
             SELECT n, ROW_NUMBER() OVER (PARTITION BY webhook ORDER BY n DESC) AS place
             FROM deliveries WHERE delivered_ms IS NULL AND abandoned_ms IS NULL) AS waiting
             WHERE place > $2)",
    )
    .bind(now)
    .bind(MOST_WAITING)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
