//! From what a device reports to alerts, and from alerts to webhooks.

mod bounds;
mod courier;
pub mod definitions;
pub mod door;
pub mod signature;

pub use bounds::{FLOODED, THE_OTHERS, bounded};
pub use courier::{FAILING_AFTER, deliver};

use crate::app::App;
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::alerts::{Alert, NewAlert};
use crate::store::devices::Device;
use crate::store::webhooks::Webhook;
use contract::report::{DeviceReport, Finding, Severity};
use url::Url;
use uuid::Uuid;

/// Alerts that the server raises itself; a device's report neither opens nor resolves them.
pub const CHAIN_BROKEN: &str = "record-chain-broken";
pub const MISATTRIBUTED: &str = "record-misattributed";
pub const RECORD_GAP: &str = "record-gap";
pub const STORE_ALTERED: &str = "record-store-altered";
pub const UNENROLLED: &str = "device-unenrolled";
pub const SECOND_DEVICE: &str = "second-device";
pub const SUSPENDED_TRIED: &str = "suspended-member-enrolled-try";
pub const REVOKED_ENROLLED_AGAIN: &str = "revoked-device-enrolled-again";
pub const LOG_BEGUN_ANEW: &str = "record-log-begun-anew";
pub const DEFINITION_CHANGED: &str = "definition-changed";
pub const DEFINITION_POISONED: &str = "definition-poisoned";
pub const TOOL_SHADOWED: &str = "tool-shadowed";
pub const DOOR_TRIED: &str = "door-tried";
pub const WEBHOOK_FAILING: &str = "webhook-failing";
pub const OWN: [&str; 13] = [
    crate::fleet::DARK,
    CHAIN_BROKEN,
    MISATTRIBUTED,
    RECORD_GAP,
    STORE_ALTERED,
    UNENROLLED,
    SECOND_DEVICE,
    REVOKED_ENROLLED_AGAIN,
    LOG_BEGUN_ANEW,
    DEFINITION_CHANGED,
    DEFINITION_POISONED,
    TOOL_SHADOWED,
    DOOR_TRIED,
];

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("{0} is not a web address that alerts can be sent to; it begins with https:// or http://")]
    BadAddress(String),
    #[error("alerts are sent to {0} already")]
    Known(String),
    #[error("no randomness is to be had from the operating system")]
    NoRandomness,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings a device's alerts in line with its report: opens what is new, sees again what still holds,
/// resolves what is gone, and records what was healed.
pub async fn apply_report(app: &App, device: &Device, report: &DeviceReport) -> Result<(), StoreError> {
    let mut changed = false;
    let findings = findings(report);
    let live = app.store.live_alerts_of(&device.id).await?;
    for finding in &findings {
        let alert = new_alert(device, finding);
        if finding.healed {
            changed |= app.store.record_healed(&alert).await?;
        } else if !live.iter().any(|known| is_about(known, finding) && known.detail == finding.detail) {
            changed |= app.store.raise_alert(&alert).await?;
        }
    }
    for alert in live.iter().filter(|alert| !OWN.contains(&alert.code.as_str())) {
        let still = |finding: &Finding| is_about(alert, finding) || stands_for(alert, finding);
        if !findings.iter().any(still) {
            changed |= app.store.resolve_alert(&device.id, &alert.code, &alert.subject).await?;
        }
    }
    if changed {
        app.courier.notify_one();
    }
    Ok(())
}

/// What the report says is wrong; a refused policy counts even where the agent lists no finding for it.
fn findings(report: &DeviceReport) -> Vec<Finding> {
    let mut findings = report.findings.clone();
    if let Some(refused) = &report.policy_refused
        && !findings.iter().any(|finding| finding.code == "policy-refused")
    {
        findings.push(Finding {
            code: "policy-refused".into(),
            severity: Severity::Critical,
            subject: refused.code.clone(),
            detail: refused.detail.clone(),
            healed: false,
            since_ms: crate::clock::now_ms(),
        });
    }
    findings
}

fn new_alert<'a>(device: &'a Device, finding: &'a Finding) -> NewAlert<'a> {
    NewAlert {
        code: &finding.code,
        severity: finding.severity,
        device: &device.id,
        member: &device.member,
        subject: &finding.subject,
        detail: &finding.detail,
        since_ms: finding.since_ms,
    }
}

fn is_about(alert: &Alert, finding: &Finding) -> bool {
    finding.code == alert.code && finding.subject == alert.subject
}

/// The alert for what was too much to be told one by one stays for as long as there is any of it.
fn stands_for(alert: &Alert, finding: &Finding) -> bool {
    alert.subject == THE_OTHERS && (alert.code == finding.code || alert.code == FLOODED)
}

/// Raises an alert of the server's own about a device.
pub(crate) async fn raise(
    app: &App,
    device: &Device,
    code: &str,
    severity: Severity,
    subject: &str,
    detail: &str,
) -> Result<(), StoreError> {
    let since_ms = crate::clock::now_ms();
    let alert =
        NewAlert { code, severity, device: &device.id, member: &device.member, subject, detail, since_ms };
    if app.store.raise_alert(&alert).await? {
        tracing::warn!(code, device = device.id, detail, "alert raised");
        app.courier.notify_one();
    }
    Ok(())
}

/// What acknowledging an alert came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledgement {
    Done,
    /// It was acknowledged or resolved before; as it stands.
    Already(Box<Alert>),
    Unknown,
}

/// Somebody looks after it.
pub async fn acknowledge(app: &App, by: &str, id: &str) -> Result<Acknowledgement, StoreError> {
    if app.store.acknowledge_alert(id, by).await? {
        app.store.add_deed(by, "alert-acknowledged", id, "").await?;
        return Ok(Acknowledgement::Done);
    }
    let known = app.store.alert(id).await?;
    Ok(known.map_or(Acknowledgement::Unknown, |alert| Acknowledgement::Already(Box::new(alert))))
}

/// Somebody looks after every open alert, or every one of this code. Gives how many.
pub async fn acknowledge_all(app: &App, by: &str, code: Option<&str>) -> Result<u64, StoreError> {
    let done = app.store.acknowledge_alerts(code, by).await?;
    if done > 0 {
        app.store
            .add_deed(by, "alerts-acknowledged", code.unwrap_or("all"), &format!("{done} alerts"))
            .await?;
    }
    Ok(done)
}

/// Adds a target of alerts. Gives its secret, which is shown this once.
pub async fn add_webhook(
    app: &App,
    by: &str,
    address: &str,
    secret: Option<String>,
) -> Result<(Webhook, String), WebhookError> {
    let bad = || WebhookError::BadAddress(address.to_owned());
    let url = Url::parse(address).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad());
    }
    let secret = match secret.filter(|secret| !secret.is_empty()) {
        Some(secret) => secret,
        None => Secret::generate().map_err(|_| WebhookError::NoRandomness)?.reveal().to_owned(),
    };
    let id = Uuid::now_v7().to_string();
    if !app.store.add_webhook(&id, url.as_str(), &secret, by).await? {
        return Err(WebhookError::Known(url.into()));
    }
    app.store.add_deed(by, "webhook-added", &id, url.host_str().unwrap_or_default()).await?;
    let added = app.store.webhooks().await?.into_iter().find(|webhook| webhook.id == id);
    added.map(|webhook| (webhook, secret)).ok_or_else(bad)
}

/// Removes a target by id or address. `false`: there is none.
pub async fn remove_webhook(app: &App, by: &str, id_or_url: &str) -> Result<bool, StoreError> {
    let known = app.store.webhooks().await?;
    let done = app.store.remove_webhook(id_or_url).await?;
    if done {
        for webhook in known.iter().filter(|known| known.id == id_or_url || known.url == id_or_url) {
            app.store.resolve_alert("", WEBHOOK_FAILING, &webhook.id).await?;
        }
        app.store.add_deed(by, "webhook-removed", id_or_url, "").await?;
    }
    Ok(done)
}
