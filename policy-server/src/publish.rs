//! Signing what is in force, keeping the signature fresh, and telling every stream.

mod sign;

pub use sign::{SignError, Signer};

use crate::app::{App, Shared};
use crate::author::PublishError;
use crate::store::policies::PolicyVersion;
use contract::report::StreamEvent;
use policy::Standing;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Mutex, MutexGuard};

/// How long a timestamp signature lasts. An agent that hears of no fresher one for this long stops.
pub const SIGNATURE_LASTS: Duration = Duration::from_hours(7 * 24);

/// The signed bundle that agents fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub policy_version: u64,
    /// The bundle as JSON.
    pub bytes: bytes::Bytes,
    /// With its quotes, as HTTP wants it.
    pub etag: String,
    pub since: OffsetDateTime,
}

pub struct Publisher {
    signer: Signer,
    /// One publish at a time.
    turn: Mutex<()>,
    in_force: RwLock<Option<Arc<Signed>>>,
}

impl Publisher {
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self { signer, turn: Mutex::new(()), in_force: RwLock::new(None) }
    }

    /// The trust root that agents are given at enrolment.
    #[must_use]
    pub fn trust_root(&self) -> &str {
        self.signer.trust_root()
    }

    /// What is in force; `None` only before the first start has finished.
    #[must_use]
    pub fn signed(&self) -> Option<Arc<Signed>> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until nobody else publishes.
    pub async fn turn(&self) -> Turn<'_> {
        Turn { publisher: self, _guard: self.turn.lock().await }
    }

    fn put_in_force(&self, signed: Signed) {
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(signed));
    }
}

/// The right to publish, held by one at a time.
pub struct Turn<'a> {
    publisher: &'a Publisher,
    _guard: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Signs, stores and pushes the version after `base`, in this order: what could not be signed is
    /// not stored, and what could not be stored is not pushed.
    pub(crate) async fn publish(
        &self,
        app: &App,
        base: u64,
        text: &str,
        standing: &Standing,
        by: &str,
        note: &str,
    ) -> Result<(), PublishError> {
        let version = base + 1;
        let signed = self.publisher.signer.sign(app, version, text, standing, SIGNATURE_LASTS).await?;
        if !app.store.append_policy(base, text, standing, by, note).await? {
            let current = app.store.current_policy().await?.map_or(0, |policy| policy.version);
            return Err(PublishError::Conflict { current });
        }
        self.publisher.put_in_force(signed);
        // Nobody listening is no failure: agents ask again when they connect.
        let _ = app.pushes.send(StreamEvent::Policy { version });
        tracing::info!(version, by, "policy published");
        Ok(())
    }

    /// Signs the version in force again: at a start, and before the signature grows old.
    pub async fn sign_again(&self, app: &App) -> Result<(), PublishError> {
        let Some(current) = app.store.current_policy().await? else { return Ok(()) };
        self.publisher.put_in_force(self.sign_version(app, &current, SIGNATURE_LASTS).await?);
        Ok(())
    }

    /// The version in force in a bundle of its own, good for no longer than `lasts`: for machines that
    /// are offline. `None` only before the first start has finished.
    ///
    /// What agents fetch is signed again right after it. Numbers never go back, so a machine that
    /// adopted this one goes on with that one when it is back.
    pub async fn sign_apart(&self, app: &App, lasts: Duration) -> Result<Option<Signed>, PublishError> {
        let Some(current) = app.store.current_policy().await? else { return Ok(None) };
        let apart = self.sign_version(app, &current, lasts).await?;
        self.publisher.put_in_force(self.sign_version(app, &current, SIGNATURE_LASTS).await?);
        Ok(Some(apart))
    }

    async fn sign_version(
        &self,
        app: &App,
        policy: &PolicyVersion,
        lasts: Duration,
    ) -> Result<Signed, SignError> {
        let PolicyVersion { version, text, standing, .. } = policy;
        self.publisher.signer.sign(app, *version, text, standing, lasts).await
    }
}

/// Keeps the signature younger than half its life until the server stops. The policy version stays the
/// same, so agents are not disturbed; they fetch the fresh signature when they next look.
pub async fn keep_fresh(app: Shared) {
    let mut stopping = app.stopping.subscribe();
    let mut tick = tokio::time::interval(Duration::from_mins(10));
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let old = app
            .publisher
            .signed()
            .is_none_or(|signed| OffsetDateTime::now_utc() - signed.since > SIGNATURE_LASTS / 2);
        if old && let Err(error) = app.publisher.turn().await.sign_again(&app).await {
            tracing::error!(%error, "the policy could not be signed again");
        }
    }
}
