//! The GET stream of the eras up to 2025-11-25: what the server says unasked.

use crate::transport::arrivals::Arrivals;
use crate::transport::http::exchange::Progress;
use crate::transport::http::session::{Agreed, HttpSession};
use reqwest::StatusCode;
use std::time::Duration;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// How one attempt to listen ended.
enum Heard {
    /// The stream was open for some time.
    Something,
    Nothing,
    /// The session is a new one.
    Anew,
    /// There is no such stream.
    Never,
}

impl HttpSession {
    /// Listens until the server says that it has no such stream (405), or the session is over.
    pub(super) async fn listen(&self, arrivals: &Arrivals) {
        let mut progress = Progress::default();
        let mut agreed = self.agreed();
        let mut delay = FIRST_DELAY;
        while !arrivals.is_closed() {
            let now = self.agreed();
            if now != agreed {
                // Event ids are the session's.
                (agreed, progress) = (now, Progress::default());
            }
            match self.listen_once(&agreed, arrivals, &mut progress).await {
                Heard::Something => delay = progress.retry.unwrap_or(FIRST_DELAY),
                Heard::Nothing => delay = (delay * 2).min(LONGEST_DELAY),
                Heard::Anew => continue,
                Heard::Never => return,
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn listen_once(&self, agreed: &Agreed, arrivals: &Arrivals, progress: &mut Progress) -> Heard {
        let response = match self.get(progress.last_event.as_deref(), agreed).await {
            Ok(response) => response,
            Err(failure) => {
                tracing::debug!(%failure, "the server's stream cannot be opened");
                return Heard::Nothing;
            }
        };
        let status = response.status();
        match &agreed.session {
            _ if status.is_success() => {
                if let Err(failure) = self.pump(response, None, arrivals, progress).await {
                    tracing::debug!(%failure, "the server's stream broke");
                }
                Heard::Something
            }
            Some(stale) if status == StatusCode::NOT_FOUND => match self.renew(stale, arrivals).await {
                Ok(()) => Heard::Anew,
                Err(failure) => {
                    tracing::debug!(%failure, "the server has forgotten the session");
                    Heard::Nothing
                }
            },
            _ if status.is_server_error() => Heard::Nothing,
            _ => {
                tracing::debug!(%status, "the server has no stream of its own");
                Heard::Never
            }
        }
    }
}
