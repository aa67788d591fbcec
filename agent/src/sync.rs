//! Policy on its way to this machine: heard of on the stream, fetched, verified, compiled, adopted.
//!
//! Whatever fails, the last good policy stays in force and the failure is told upstream. Guards
//! believe nothing of this: they verify what lies on disk again.

mod adopt;
mod stream;

pub use adopt::{Adopted, PolicyState, Refusal, adopt, recall};

use crate::backoff::{Backoff, jittered};
use crate::upstream::{CallError, Upstream};
use contract::bundle::{Anchor, MAX_BUNDLE_BYTES};
use contract::paths;
use platform::Layout;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Without word from the stream, look this often.
const FALLBACK: Duration = Duration::from_secs(60);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);

pub struct Sync {
    pub layout: Layout,
    pub anchor: Anchor,
    pub upstream: Arc<Upstream>,
    pub policy: watch::Sender<PolicyState>,
}

impl Sync {
    /// Never ends; the resident drops it.
    pub async fn run(self) {
        let news = Notify::new();
        news.notify_one();
        tokio::join!(stream::listen(&self.upstream, &news), self.follow(&news));
    }

    /// Fetches at every piece of news, after a failure, and every minute.
    async fn follow(&self, news: &Notify) {
        let mut tag = None;
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        let mut pause = jittered(FALLBACK);
        loop {
            // A timeout that elapsed is the fallback.
            let _ = tokio::time::timeout(pause, news.notified()).await;
            pause = match self.fetch(&mut tag).await {
                Ok(()) => {
                    backoff.reset();
                    jittered(FALLBACK)
                }
                Err(error) => {
                    tracing::debug!(%error, "policy.fetch");
                    backoff.wait()
                }
            };
        }
    }

    async fn fetch(&self, tag: &mut Option<String>) -> Result<(), CallError> {
        let fetched = self.upstream.fetch(paths::POLICY, tag.as_deref(), MAX_BUNDLE_BYTES).await?;
        let Some((next, bytes)) = fetched else { return Ok(()) };
        match adopt(&self.layout, &self.anchor, &bytes).await {
            Ok(adopted) => self.adopted(adopted),
            Err(refusal) => self.refused(&refusal),
        }
        *tag = next;
        Ok(())
    }

    fn adopted(&self, mut adopted: Adopted) {
        let before = self.policy.borrow().adopted.as_ref().map(|before| (before.version, before.since));
        match before {
            // Signed afresh, or fetched anew after a start: in force since it first was.
            Some((version, since)) if version == adopted.version => adopted.since = since,
            _ => tracing::info!(policy.version = adopted.version, "policy.adopted"),
        }
        self.policy.send_modify(|state| {
            state.adopted = Some(adopted);
            state.refused = None;
        });
    }

    fn refused(&self, refusal: &Refusal) {
        let refused = refusal.to_report();
        tracing::warn!(code = %refused.code, detail = %refused.detail, "policy.refused");
        self.policy.send_if_modified(|state| {
            let changed = state.refused.as_ref() != Some(&refused);
            state.refused = Some(refused);
            changed
        });
    }
}

#[cfg(test)]
mod tests;
