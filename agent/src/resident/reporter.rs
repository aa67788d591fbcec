//! Tells the policy server how this device stands: at every change, and often enough not to be
//! taken for dark.

use super::Overview;
use crate::backoff::{Backoff, jittered};
use crate::upstream::Upstream;
use contract::paths;
use contract::report::{DeviceReport, ReportReply};
use std::sync::Arc;
use std::time::Duration;

/// Before the server has said how often it wants to hear.
const DEFAULT_PACE: Duration = Duration::from_secs(20);
/// Whatever it says, no more often and no more seldom than this.
const PACES: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(600);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Detection's first look reads some files; one that takes longer than this has come to grief.
const FIRST_LOOK: Duration = Duration::from_secs(30);
/// Changes that come together are one report.
const SETTLE: Duration = Duration::from_millis(50);

/// Never ends; the resident drops it.
pub(super) async fn run(overview: Arc<Overview>, upstream: Arc<Upstream>) {
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    let mut changes = Changes::of(&overview, &upstream);
    // Before detection has looked, a report would say that all is well, and resolve every alert.
    let _ = tokio::time::timeout(FIRST_LOOK, changes.detected.changed()).await;
    loop {
        changes.mark_seen();
        let said = overview.report();
        let pause = match upstream.post::<ReportReply>(paths::REPORT, &said).await {
            Ok(reply) => {
                backoff.reset();
                pace(&reply)
            }
            Err(error) => {
                tracing::debug!(%error, "report");
                backoff.wait()
            }
        };
        changes.worth_saying(&overview, &said, pause).await;
    }
}

/// A little before the server's own limit, and not all devices at once.
fn pace(reply: &ReportReply) -> Duration {
    let asked = match reply.next_report_ms {
        0 => DEFAULT_PACE,
        asked => Duration::from_millis(asked),
    };
    jittered(asked.mul_f64(0.8)).clamp(*PACES.start(), *PACES.end())
}

/// Every source of the report.
struct Changes {
    policy: tokio::sync::watch::Receiver<crate::sync::PolicyState>,
    spool: tokio::sync::watch::Receiver<crate::audit::spool::SpoolState>,
    stuck: tokio::sync::watch::Receiver<Option<String>>,
    detected: tokio::sync::watch::Receiver<crate::detect::DetectState>,
    contact: tokio::sync::watch::Receiver<crate::upstream::Contact>,
}

impl Changes {
    fn of(overview: &Overview, upstream: &Upstream) -> Self {
        Self {
            policy: overview.policy.clone(),
            spool: overview.spool.clone(),
            stuck: overview.stuck.clone(),
            detected: overview.detected.clone(),
            contact: upstream.contact(),
        }
    }

    fn mark_seen(&mut self) {
        self.policy.mark_unchanged();
        self.spool.mark_unchanged();
        self.stuck.mark_unchanged();
        self.detected.mark_unchanged();
        self.contact.mark_unchanged();
    }

    /// Waits until the state differs from what was said, the server is back, or the pause is over.
    async fn worth_saying(&mut self, overview: &Overview, said: &DeviceReport, pause: Duration) {
        let due = tokio::time::Instant::now() + pause;
        let recovered = self.contact.borrow().recovered;
        loop {
            let open = tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                open = self.policy.changed() => open,
                open = self.spool.changed() => open,
                open = self.stuck.changed() => open,
                open = self.detected.changed() => open,
                open = self.contact.changed() => open,
            };
            if open.is_err() {
                // A part is gone: the resident is ending.
                return tokio::time::sleep_until(due).await;
            }
            tokio::time::sleep(SETTLE).await;
            let is_back = self.contact.borrow().recovered > recovered;
            if is_back || differs(said, &overview.report()) {
                return;
            }
        }
    }
}

/// The depth of the log alone is no news: it moves with every call.
fn differs(said: &DeviceReport, now: &DeviceReport) -> bool {
    let same_depth = DeviceReport { spool_depth: said.spool_depth, ..now.clone() };
    *said != same_depth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::DetectState;
    use crate::enrolment::{Identity, Validity};
    use crate::upstream::fake::{Answer, FakeServer};
    use contract::report::{Finding, Severity};
    use time::OffsetDateTime;
    use tokio::sync::watch;

    /// The server resolves every alert that a report does not list any more.
    #[tokio::test]
    async fn a_restart_says_nothing_before_detection_has_looked() {
        let server = FakeServer::start(|_| Answer::ok(&ReportReply { next_report_ms: 60_000 })).await;
        let upstream = server.upstream();
        let now = OffsetDateTime::now_utc();
        let (detection, detected) = watch::channel(DetectState::default());
        let overview = Overview {
            identity: Identity {
                device_id: "d".to_owned(),
                member: "alice".to_owned(),
                organisation: "acme".to_owned(),
                server: server.address.clone(),
                enrolled_at: now,
            },
            started_at: now,
            certificate: watch::channel(Validity { from: now, until: now }).1,
            policy: watch::channel(crate::sync::PolicyState::default()).1,
            spool: watch::channel(crate::audit::spool::SpoolState::default()).1,
            stuck: watch::channel(None).1,
            contact: upstream.contact(),
            detected,
            since: std::sync::Mutex::default(),
        };
        let reporting = tokio::spawn(run(Arc::new(overview), upstream));
        let first = async {
            loop {
                if let Some(asked) = server.asked.lock().unwrap().first() {
                    return serde_json::from_slice::<DeviceReport>(&asked.body).unwrap();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::pin!(first);
        assert!(tokio::time::timeout(Duration::from_millis(300), &mut first).await.is_err());
        let finding = Finding {
            code: "entry-direct".to_owned(),
            severity: Severity::Warning,
            subject: "claude-code/user/github".to_owned(),
            detail: "a sentence".to_owned(),
            healed: false,
            since_ms: 1,
        };
        detection.send_modify(|state| state.findings = vec![finding.clone()]);
        let report = tokio::time::timeout(Duration::from_secs(20), first).await.unwrap();
        assert_eq!(report.findings, [finding]);
        reporting.abort();
    }

    #[test]
    fn the_servers_pace_is_kept_within_reason() {
        for (asked, low, high) in
            [(60_000, 43.0, 48.0), (0, 14.0, 16.0), (1, 0.2, 0.2), (u64::MAX / 2, 600.0, 600.0)]
        {
            let pace = pace(&ReportReply { next_report_ms: asked }).as_secs_f64();
            assert!((low..=high).contains(&pace), "{asked}: {pace}");
        }
    }

    #[test]
    fn calls_alone_are_no_news_and_a_refused_policy_is() {
        let said = DeviceReport { spool_depth: 1, ..DeviceReport::default() };
        assert!(!differs(&said, &DeviceReport { spool_depth: 9, ..DeviceReport::default() }));
        assert!(differs(&said, &DeviceReport { policy_version: 2, ..DeviceReport::default() }));
    }
}
