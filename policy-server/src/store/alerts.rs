//! Alerts and their life: open, acknowledged, resolved. Every change that a person should hear of
//! writes its webhook deliveries in the same transaction.

use super::{Store, StoreError};
use crate::alerts::{FLOODED, OWN, THE_OTHERS};
use crate::clock::now_ms;
use contract::report::Severity;
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};

/// A device that raises more alerts of one code in an hour has one for all the others.
pub const MOST_OF_A_CODE_AN_HOUR: i64 = 60;
/// The same over all codes that devices report.
pub const MOST_AN_HOUR: i64 = 200;
const HOUR_MS: i64 = 60 * 60 * 1000;

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
    /// Opens an alert, or sees the live one of the same matter again. `true`: it is new.
    pub async fn raise_alert(&self, new: &NewAlert<'_>) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut transaction = self.writer.begin().await?;
        let fresh = raise_within(&mut transaction, new, now).await?;
        transaction.commit().await?;
        Ok(fresh)
    }

    /// Records something that was wrong and is right again: resolved at once, but told all the same.
    /// The same event reported twice is recorded once.
    pub async fn record_healed(&self, new: &NewAlert<'_>) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut transaction = self.writer.begin().await?;
        let known: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM alerts
             WHERE device = $1 AND code = $2 AND subject = $3 AND since_ms = $4 AND healed = 1",
        )
        .bind(new.device)
        .bind(new.code)
        .bind(new.subject)
        .bind(new.since_ms)
        .fetch_one(&mut *transaction)
        .await?;
        let closed = sqlx::query_as::<_, Alert>(
            "UPDATE alerts SET state = 'resolved', healed = 1, resolved_ms = $1, seen_ms = $1, since_ms = $2
             WHERE device = $3 AND code = $4 AND subject = $5 AND state <> 'resolved' RETURNING *",
        )
        .bind(now)
        .bind(new.since_ms)
        .bind(new.device)
        .bind(new.code)
        .bind(new.subject)
        .fetch_optional(&mut *transaction)
        .await?;
        let flooded = match (&closed, known) {
            (None, 0) => flood(&mut transaction, new, now).await?,
            _ => None,
        };
        if let Some(code) = flooded {
            let fresh = raise_for_the_others(&mut transaction, new, code, now).await?;
            transaction.commit().await?;
            return Ok(fresh);
        }
        let event = match (closed, known) {
            (Some(alert), _) => Some(alert),
            (None, 0) => Some(insert(&mut transaction, new, AlertState::Resolved, now).await?),
            (None, _) => None,
        };
        if let Some(alert) = &event {
            notify(&mut transaction, alert, now).await?;
        }
        transaction.commit().await?;
        Ok(event.is_some())
    }

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
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE alerts SET detail = replace(detail, $1, $2)
             WHERE device = $3 AND code = $4 AND subject = $5 AND state <> 'resolved'",
        )
        .bind(this)
        .bind(instead)
        .bind(device)
        .bind(code)
        .bind(subject)
        .execute(&self.writer)
        .await?;
        Ok(())
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

async fn raise_within(
    transaction: &mut Transaction<'_, Sqlite>,
    new: &NewAlert<'_>,
    now: i64,
) -> Result<bool, StoreError> {
    if see_again(transaction, new, now).await? {
        return Ok(false);
    }
    if let Some(code) = flood(transaction, new, now).await? {
        return raise_for_the_others(transaction, new, code, now).await;
    }
    let alert = insert(transaction, new, AlertState::Open, now).await?;
    notify(transaction, &alert, now).await?;
    Ok(true)
}

/// One alert for all that are too many to be told one by one.
async fn raise_for_the_others(
    transaction: &mut Transaction<'_, Sqlite>,
    one: &NewAlert<'_>,
    code: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let detail = format!(
        "More alerts of this device in an hour than are told one by one. The latest, about {}: {}",
        one.subject, one.detail
    );
    let all = NewAlert { code, subject: THE_OTHERS, detail: &detail, ..one.clone() };
    if see_again(transaction, &all, now).await? {
        return Ok(false);
    }
    let alert = insert(transaction, &all, AlertState::Open, now).await?;
    notify(transaction, &alert, now).await?;
    Ok(true)
}

/// `false`: nothing of this matter is live.
async fn see_again(
    transaction: &mut Transaction<'_, Sqlite>,
    new: &NewAlert<'_>,
    now: i64,
) -> Result<bool, StoreError> {
    let seen = sqlx::query(
        "UPDATE alerts SET seen_ms = $1, detail = $2
         WHERE device = $3 AND code = $4 AND subject = $5 AND state <> 'resolved'",
    )
    .bind(now)
    .bind(new.detail)
    .bind(new.device)
    .bind(new.code)
    .bind(new.subject)
    .execute(&mut **transaction)
    .await?;
    Ok(seen.rows_affected() > 0)
}

/// Has this device raised so many of late that one more says nothing? The code under which all the
/// others go then. What the server found out itself does not give way to what a device reports.
async fn flood<'a>(
    transaction: &mut Transaction<'_, Sqlite>,
    new: &NewAlert<'a>,
    now: i64,
) -> Result<Option<&'a str>, StoreError> {
    if new.device.is_empty() || new.subject == THE_OTHERS {
        return Ok(None);
    }
    let of_late: Vec<(String, i64)> = sqlx::query_as(
        "SELECT code, COUNT(*) FROM alerts WHERE device = $1 AND opened_ms > $2 GROUP BY code",
    )
    .bind(new.device)
    .bind(now - HOUR_MS)
    .fetch_all(&mut **transaction)
    .await?;
    let of_code = of_late.iter().find(|(code, _)| code == new.code).map_or(0, |(_, count)| *count);
    if of_code >= MOST_OF_A_CODE_AN_HOUR {
        return Ok(Some(new.code));
    }
    let reported = of_late.iter().filter(|(code, _)| !OWN.contains(&code.as_str()));
    let reported: i64 = reported.map(|(_, count)| count).sum();
    Ok((reported >= MOST_AN_HOUR && !OWN.contains(&new.code)).then_some(FLOODED))
}

async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    new: &NewAlert<'_>,
    state: AlertState,
    now: i64,
) -> Result<Alert, StoreError> {
    let healed = state == AlertState::Resolved;
    Ok(sqlx::query_as(
        "INSERT INTO alerts (id, code, severity, device, member, subject, detail, state, healed, since_ms,
             opened_ms, seen_ms, resolved_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12) RETURNING *",
    )
    .bind(uuid::Uuid::now_v7().to_string())
    .bind(new.code)
    .bind(severity_name(new.severity))
    .bind(new.device)
    .bind(new.member)
    .bind(new.subject)
    .bind(new.detail)
    .bind(state.as_str())
    .bind(healed)
    .bind(new.since_ms)
    .bind(now)
    .bind(healed.then_some(now))
    .fetch_one(&mut **transaction)
    .await?)
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
