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

impl Overview {
    #[must_use]
    pub fn report(&self) -> DeviceReport {
        let policy = self.policy.borrow().clone();
        DeviceReport {
            machine: machine(),
            policy_version: policy.version(),
            policy_refused: policy.refused,
            spool_depth: self.spool.borrow().depth(),
            coverage: self.detected.borrow().coverage.clone(),
            findings: self.findings(),
        }
    }

    #[must_use]
    pub fn status(&self, last_refusal: Option<Record>) -> Status {
        let policy = self.policy.borrow().clone();
        let spool = self.spool.borrow().clone();
        let contact = self.contact.borrow().clone();
        Status {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            resident: Some(ResidentSince { pid: std::process::id(), since: self.started_at }),
            enrolled: Some(EnrolledAs::of(&self.identity, *self.certificate.borrow())),
            connection: Some(Connection { last_contact_ms: contact.last_ms, trouble: contact.trouble }),
            policy: policy.adopted.as_ref().map(PolicyInForce::of),
            access_ended: policy
                .adopted
                .as_ref()
                .and_then(|adopted| AccessEnded::of(&self.identity, adopted)),
            policy_refused: policy.refused,
            heals: policy.adopted.as_ref().is_some_and(|adopted| adopted.settings.heal),
            coverage: Some(self.detected.borrow().coverage.clone()),
            spool_depth: Some(spool.depth()),
            waiting_in_segments: 0,
            last_refusal,
            findings: self.findings(),
        }
    }

    /// What detection found, and what is wrong with the log.
    fn findings(&self) -> Vec<Finding> {
        let mut findings = self.detected.borrow().findings.clone();
        let spool = self.spool.borrow().clone();
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
