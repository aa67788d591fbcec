//! The whole present state in one place, as the parts publish it; the status and the report are two
//! ways to say it.

use super::status::{AccessEnded, Connection, EnrolledAs, PolicyInForce, ResidentSince, Status};
use crate::audit::spool::SpoolState;
use crate::detect::DetectState;
use crate::enrolment::{Identity, Validity, machine};
use crate::sync::PolicyState;
use crate::upstream::{Contact, now_ms};
use contract::record::Record;
use contract::report::{DeviceReport, Finding, Severity};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use time::OffsetDateTime;
use tokio::sync::watch;

pub struct Overview {
    pub identity: Identity,
    pub started_at: OffsetDateTime,
    pub certificate: watch::Receiver<Validity>,
    pub policy: watch::Receiver<PolicyState>,
    pub spool: watch::Receiver<SpoolState>,
    /// Why records do not go up although the server answers.
    pub stuck: watch::Receiver<Option<String>>,
    pub contact: watch::Receiver<Contact>,
    pub detected: watch::Receiver<DetectState>,
    /// When each finding of our own was first seen, by its subject.
    pub since: Mutex<BTreeMap<&'static str, i64>>,
}

/// What was published last.
struct State {
    policy: PolicyState,
    spool: SpoolState,
    detected: DetectState,
}

impl Overview {
    #[must_use]
    pub fn report(&self) -> DeviceReport {
        let State { policy, spool, detected } = self.state();
        DeviceReport {
            machine: machine(),
            policy_version: policy.version(),
            policy_refused: policy.refused,
            spool_depth: spool.depth(),
            findings: self.findings(detected.findings, spool),
            coverage: detected.coverage,
        }
    }

    /// Copies, each taken and let go in a statement of its own: whoever holds one look at a watched value
    /// and takes another waits for a writer that waits for the first.
    fn state(&self) -> State {
        let policy = self.policy.borrow().clone();
        let spool = self.spool.borrow().clone();
        let detected = self.detected.borrow().clone();
        State { policy, spool, detected }
    }

    #[must_use]
    pub fn status(&self, last_refusal: Option<Record>) -> Status {
        let State { policy, spool, detected } = self.state();
        let contact = self.contact.borrow().clone();
        let certificate = *self.certificate.borrow();
        Status {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            resident: Some(ResidentSince { pid: std::process::id(), since: self.started_at }),
            enrolled: Some(EnrolledAs::of(&self.identity, certificate)),
            connection: Some(Connection { last_contact_ms: contact.last_ms, trouble: contact.trouble }),
            policy: policy.adopted.as_ref().map(PolicyInForce::of),
            access_ended: policy
                .adopted
                .as_ref()
                .and_then(|adopted| AccessEnded::of(&self.identity, adopted)),
            policy_refused: policy.refused,
            heals: policy.adopted.as_ref().is_some_and(|adopted| adopted.settings.heal),
            coverage: Some(detected.coverage),
            spool_depth: Some(spool.depth()),
            waiting_in_segments: 0,
            last_refusal,
            findings: self.findings(detected.findings, spool),
        }
    }

    /// What detection found, and what is wrong with the log.
    fn findings(&self, mut findings: Vec<Finding>, spool: SpoolState) -> Vec<Finding> {
        findings.extend(spool.findings);
        let stuck = self.stuck.borrow().clone();
        let own = [
            ("spool", Severity::Critical, spool.trouble),
            ("spool/log", Severity::Warning, spool.mishap),
            ("spool/upload", Severity::Warning, stuck),
        ];
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        for (subject, severity, detail) in own {
            let Some(detail) = detail else {
                since.remove(subject);
                continue;
            };
            findings.push(Finding {
                code: "spool-failing".to_owned(),
                severity,
                subject: subject.to_owned(),
                detail,
                healed: false,
                since_ms: *since.entry(subject).or_insert_with(now_ms),
            });
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    fn overview(spool: watch::Receiver<SpoolState>, detected: watch::Receiver<DetectState>) -> Overview {
        let now = OffsetDateTime::now_utc();
        Overview {
            identity: Identity {
                device_id: "d".to_owned(),
                member: "alice".to_owned(),
                organisation: "acme".to_owned(),
                server: "https://127.0.0.1:1/".parse().unwrap(),
                enrolled_at: now,
            },
            started_at: now,
            certificate: watch::channel(Validity { from: now, until: now }).1,
            policy: watch::channel(PolicyState::default()).1,
            spool,
            stuck: watch::channel(None).1,
            contact: watch::channel(Contact::default()).1,
            detected,
            since: Mutex::default(),
        }
    }

    /// Two looks at one watched value in one expression wait for each other as soon as its writer
    /// stands between them: the resident was silent for ever.
    #[test]
    fn a_status_is_answered_while_every_part_publishes() {
        let (spool, spool_seen) = watch::channel(SpoolState::default());
        let (detection, detected) = watch::channel(DetectState::default());
        let overview = overview(spool_seen, detected);
        let enough = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&enough);
        let publishing = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                spool.send_modify(|state| state.head += 1);
                detection.send_modify(|state| state.findings.clear());
            }
        });
        let (done, answered) = mpsc::channel();
        std::thread::spawn(move || {
            for _ in 0..20_000 {
                let _ = (overview.status(None), overview.report());
            }
            let _ = done.send(());
        });
        answered.recv_timeout(Duration::from_secs(60)).expect("an answer to every question");
        enough.store(true, Ordering::Relaxed);
        publishing.join().unwrap();
    }
}
