//! Silence: a device that has not been heard of for too long is dark, and that is an alert.
//!
//! What counts is a request the device made. An open stream does not: the kernel keeps it open for a
//! resident that is stopped or a machine that lost its power.

use crate::app::{App, Shared};
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::store::alerts::NewAlert;
use crate::store::devices::Device;
use contract::report::Severity;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The alert's code.
pub const DARK: &str = "device-dark";

/// When devices were last heard of, kept here between two write-downs.
#[derive(Debug)]
pub struct Presence {
    heard: Mutex<HashMap<String, i64>>,
    /// Nobody is dark for not having been heard while we were not there.
    since_ms: i64,
}

impl Default for Presence {
    fn default() -> Self {
        Self { heard: Mutex::default(), since_ms: now_ms() }
    }
}

impl Presence {
    pub fn heard(&self, device: &str) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(device.to_owned(), now_ms());
    }

    fn take(&self) -> Vec<(String, i64)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

/// Watches for silence until the server stops.
pub async fn watch(app: Shared) {
    let mut stopping = app.stopping.subscribe();
    let mut tick = tokio::time::interval(Duration::from_secs(1).min(app.dark_after));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        app.limits.sweep();
        if let Err(error) = look(&app).await {
            tracing::error!(%error, "looking for silent devices failed");
        }
    }
}

async fn look(app: &App) -> Result<(), StoreError> {
    let contacts = app.presence.take();
    if !contacts.is_empty() {
        app.store.record_contacts(&contacts).await?;
    }
    for (device, _) in &contacts {
        if app.store.set_dark(device, false).await? {
            app.store.resolve_alert(device, DARK, device).await?;
            app.courier.notify_one();
        }
    }
    let limit_ms = i64::try_from(app.dark_after.as_millis()).unwrap_or(i64::MAX);
    let now = now_ms();
    if now - app.presence.since_ms <= limit_ms {
        return Ok(());
    }
    for device in app.store.fallen_silent(now - limit_ms).await? {
        darken(app, &device).await?;
    }
    Ok(())
}

async fn darken(app: &App, device: &Device) -> Result<(), StoreError> {
    let detail = format!(
        "{} of {} has not been heard of for {} seconds: it is switched off, off the network, or its resident was stopped.",
        device.machine.hostname,
        device.member,
        (now_ms() - device.contact_ms) / 1000,
    );
    app.store
        .raise_alert(&NewAlert {
            code: DARK,
            severity: Severity::Warning,
            device: &device.id,
            member: &device.member,
            subject: &device.id,
            detail: &detail,
            since_ms: device.contact_ms,
        })
        .await?;
    app.store.set_dark(&device.id, true).await?;
    app.courier.notify_one();
    tracing::warn!(device = device.id, member = device.member, "device is dark");
    Ok(())
}
