//! Raising an alert: a new one, the live one seen again, or one for all the others where a device raises more
//! than anybody reads.

use super::super::{Store, StoreError};
use super::{Alert, AlertState, NewAlert, notify, severity_name};
use crate::alerts::{FLOODED, OWN, THE_OTHERS};
use crate::clock::now_ms;
use sqlx::{Sqlite, Transaction};

/// A device that raises more alerts of one code in an hour has one for all the others.
const MOST_OF_A_CODE_AN_HOUR: i64 = 60;
/// The same over all codes that devices report.
const MOST_AN_HOUR: i64 = 200;
const HOUR_MS: i64 = 60 * 60 * 1000;

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
