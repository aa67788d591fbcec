//! The GET stream of the eras up to 2025-11-25: what the server says unasked.

use crate::transport::arrivals::Arrivals;
use crate::transport::http::exchange::Progress;
use crate::transport::http::session::HttpSession;
use std::time::Duration;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

impl HttpSession {
    /// Listens until the server says that it has no such stream (405), or the session is over.
    pub(super) async fn listen(&self, arrivals: &Arrivals) {
        let mut progress = Progress::default();
        let mut delay = FIRST_DELAY;
        while !arrivals.is_closed() {
            match self.get(progress.last_event.as_deref()).await {
                Ok(response) if response.status().is_success() => {
                    if let Err(failure) = self.pump(response, None, arrivals, &mut progress).await {
                        tracing::debug!(%failure, "the server's stream broke");
                    }
                    delay = progress.retry.unwrap_or(FIRST_DELAY);
                }
                Ok(response) if response.status().is_server_error() => {
                    delay = (delay * 2).min(LONGEST_DELAY);
                }
                Ok(response) => {
                    tracing::debug!(status = %response.status(), "the server has no stream of its own");
                    return;
                }
                Err(failure) => {
                    tracing::debug!(%failure, "the server's stream cannot be opened");
                    delay = (delay * 2).min(LONGEST_DELAY);
                }
            }
            tokio::time::sleep(delay).await;
        }
    }
}
