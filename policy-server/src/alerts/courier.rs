//! Carries alerts to webhooks: signed, in order for each target, again and again until taken.
//!
//! What is to be carried is in the database before anybody hears of it, so a restart loses nothing.

use super::WEBHOOK_FAILING;
use super::signature::{HEADER, sign};
use crate::app::Shared;
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::store::alerts::NewAlert;
use crate::store::webhooks::Delivery;
use contract::report::Severity;
use std::time::Duration;
use tokio::task::JoinSet;
use url::Url;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// After about three days of attempts an alert is old news,
const ATTEMPTS: i64 = 40;
/// and so is one that waited for so long behind others.
const OLD: Duration = Duration::from_hours(7 * 24);
/// Failures in a row after which a person should hear of it.
pub const FAILING_AFTER: i64 = 5;
const LONGEST_PAUSE: Duration = Duration::from_hours(2);

/// Delivers until the server stops.
pub async fn deliver(app: Shared) {
    // A receiver that redirects is misconfigured, or somebody wants our alerts elsewhere.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_WITHIN)
        .user_agent(concat!("portreeve-server/", env!("CARGO_PKG_VERSION")))
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "alerts cannot be sent"),
    };
    let mut stopping = app.stopping.subscribe();
    loop {
        let pause = match round(&app, &client).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, "alerts could not be sent");
                Duration::from_secs(5)
            }
        };
        tokio::select! {
            () = app.courier.notified() => {}
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// Tries everything that is due, all targets at once. Gives the time until something is due again.
async fn round(app: &Shared, client: &reqwest::Client) -> Result<Duration, StoreError> {
    let given_up =
        app.store.abandon_deliveries(now_ms() - i64::try_from(OLD.as_millis()).unwrap_or(i64::MAX)).await?;
    if given_up > 0 {
        tracing::warn!(given_up, "alerts waited too long for their webhook");
    }
    let mut under_way = JoinSet::new();
    for delivery in app.store.due_deliveries().await? {
        let (app, client) = (app.clone(), client.clone());
        under_way.spawn(async move { attempt(&app, &client, delivery).await });
    }
    while let Some(attempted) = under_way.join_next().await {
        if let Ok(Err(error)) = attempted {
            tracing::error!(%error, "the fate of an alert's delivery could not be written down");
        }
    }
    let wait = app.store.next_delivery_ms().await?.map_or(60_000, |due| (due - now_ms()).clamp(0, 60_000));
    Ok(Duration::from_millis(wait.unsigned_abs()))
}

async fn attempt(app: &Shared, client: &reqwest::Client, delivery: Delivery) -> Result<(), StoreError> {
    let signature = sign(&delivery.secret, now_ms() / 1000, &delivery.body);
    let answer = client
        .post(&delivery.url)
        .header("Content-Type", "application/json")
        .header(HEADER, signature)
        .body(delivery.body.clone())
        .send()
        .await;
    let trouble = match answer {
        Ok(answer) if answer.status().is_success() => return taken(app, &delivery).await,
        Ok(answer) => format!("answered {}", answer.status()),
        // Without the address: it may hold a token.
        Err(error) => error.without_url().to_string(),
    };
    tracing::warn!(
        webhook = delivery.webhook,
        attempt = delivery.attempts + 1,
        trouble,
        "alert not delivered"
    );
    let again = (delivery.attempts + 1 < ATTEMPTS).then(|| now_ms() + pause_ms(delivery.attempts));
    let failures = app.store.not_delivered(delivery.n, &trouble, again).await?;
    if failures >= FAILING_AFTER { tell(app, &delivery, failures, &trouble).await } else { Ok(()) }
}

async fn taken(app: &Shared, delivery: &Delivery) -> Result<(), StoreError> {
    if app.store.delivered(delivery.n).await? >= FAILING_AFTER
        && app.store.resolve_alert("", WEBHOOK_FAILING, &delivery.webhook).await?
    {
        app.courier.notify_one();
    }
    Ok(())
}

/// For the console and for the other webhooks.
async fn tell(app: &Shared, delivery: &Delivery, failures: i64, trouble: &str) -> Result<(), StoreError> {
    let host = Url::parse(&delivery.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let detail = format!(
        "The webhook at {} takes no alerts: {failures} attempts in a row failed, the last with: {trouble}. What waits longer than 7 days is given up.",
        host.unwrap_or_default(),
    );
    let alert = NewAlert {
        code: WEBHOOK_FAILING,
        severity: Severity::Warning,
        device: "",
        member: "",
        subject: &delivery.webhook,
        detail: &detail,
        since_ms: now_ms(),
    };
    if app.store.raise_alert(&alert).await? {
        app.courier.notify_one();
    }
    Ok(())
}

/// 1 s, 2 s, 4 s, … up to two hours.
fn pause_ms(attempts: i64) -> i64 {
    let doubled = 1000_i64 << attempts.clamp(0, 20);
    doubled.min(i64::try_from(LONGEST_PAUSE.as_millis()).unwrap_or(i64::MAX))
}
