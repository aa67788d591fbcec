//! Where alerts are sent besides this console.

use crate::alerts::{self, FAILING_AFTER, WebhookError};
use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::{Problem, sentence};
use crate::console::visit::{Posted, Visit, page, page_again, see};
use crate::console::when::When;
use askama::Template;
use axum::response::Response;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    hooks: Vec<HookRow>,
    /// Of the webhook that was just added.
    secret: Option<String>,
    fault: Option<String>,
}

struct HookRow {
    id: String,
    url: String,
    added: When,
    by: String,
    pending: u64,
    state: Mark,
    trouble: String,
}

#[derive(Deserialize)]
pub struct Wish {
    url: String,
}

#[derive(Deserialize)]
pub struct Which {
    id: String,
}

pub async fn show(visit: Visit) -> Result<Response, Problem> {
    page(&webhooks(&visit, None, None).await?)
}

/// Answers with the page itself, not with a redirect: the secret is shown this once.
pub async fn add(Posted { visit, fields }: Posted<Wish>) -> Result<Response, Problem> {
    match alerts::add_webhook(&visit.app, visit.by(), fields.url.trim(), None).await {
        Ok((_, secret)) => page(&webhooks(&visit, Some(secret), None).await?),
        Err(WebhookError::Store(error)) => Err(error.into()),
        Err(error) => page_again(&webhooks(&visit, None, Some(sentence(&error.to_string()))).await?),
    }
}

pub async fn remove(Posted { visit, fields }: Posted<Which>) -> Result<Response, Problem> {
    alerts::remove_webhook(&visit.app, visit.by(), &fields.id).await?;
    Ok(see("/alerts/webhooks?done=webhook-removed"))
}

async fn webhooks(
    visit: &Visit,
    secret: Option<String>,
    fault: Option<String>,
) -> Result<WebhooksPage, Problem> {
    let hooks = visit.app.store.webhooks().await?;
    Ok(WebhooksPage {
        frame: visit.frame(Some(Place::Alerts)).await?,
        hooks: hooks
            .into_iter()
            .map(|hook| HookRow {
                added: visit.when(hook.created_ms),
                pending: hook.pending.unsigned_abs(),
                state: match hook.failures {
                    0 => Mark::ok("fine"),
                    1..FAILING_AFTER => Mark::warn("trying again"),
                    _ => Mark::bad("failing"),
                },
                trouble: hook.last_error.unwrap_or_default(),
                id: hook.id,
                url: hook.url,
                by: hook.created_by,
            })
            .collect(),
        secret,
        fault,
    })
}
