//! Carries alerts to webhooks: signed, in order for each target, again and again until taken.
//!
//! What is to be carried is in the database before anybody hears of it, so a restart loses nothing.

use super::signature::{HEADER, sign};
use crate::app::Shared;
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::store::webhooks::Delivery;
use std::time::Duration;
use tokio::task::JoinSet;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// After about three days of attempts an alert is old news.
const ATTEMPTS: i64 = 40;
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
        .body(delivery.body)
        .send()
        .await;
    let trouble = match answer {
        Ok(answer) if answer.status().is_success() => return app.store.delivered(delivery.n).await,
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
    app.store.not_delivered(delivery.n, &trouble, again).await
}

/// 1 s, 2 s, 4 s, … up to two hours.
fn pause_ms(attempts: i64) -> i64 {
    let doubled = 1000_i64 << attempts.clamp(0, 20);
    doubled.min(i64::try_from(LONGEST_PAUSE.as_millis()).unwrap_or(i64::MAX))
}
