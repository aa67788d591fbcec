//! Policy on its way to this machine: heard of on the stream, fetched, verified, compiled, adopted.
//!
//! Whatever fails, the last good policy stays in force and the failure is told upstream. Guards
//! believe nothing of this: they verify what lies on disk again.

mod adopt;
mod intake;
mod stream;

pub use adopt::{Adopted, PolicyState, Refusal, adopt, recall};
pub use intake::Intake;

use crate::backoff::{Backoff, jittered};
use crate::upstream::{CallError, Upstream};
use contract::bundle::MAX_BUNDLE_BYTES;
use contract::paths;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Without word from the stream, look this often.
const FALLBACK: Duration = Duration::from_secs(60);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);

pub struct Sync {
    pub intake: Arc<Intake>,
    pub upstream: Arc<Upstream>,
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
        // Refused or not: the same bytes need not come again, and who has to know is told.
        let _ = self.intake.take(&bytes).await;
        *tag = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
