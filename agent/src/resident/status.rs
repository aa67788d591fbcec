//! How this machine stands, as `portreeve status` says it: from the resident, or from disk.

use crate::audit::spool;
use crate::clients::{Client, Home};
use crate::enrolment::{Enrolment, Identity, Validity, read_identity};
use crate::resident::sweep;
use crate::steward::{Row, Steward};
use crate::sync::{Adopted, recall};
use contract::bundle::Anchor;
use contract::record::Record;
use contract::report::{Coverage, CoveredServer, Finding, PolicyRefused};
use platform::Layout;
use policy::Mode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// What is `None` is not known, or is not there; the reader's sentence tells which.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub agent_version: String,
    /// Absent where no resident is running.
    pub resident: Option<ResidentSince>,
    pub enrolled: Option<EnrolledAs>,
    /// Known to the resident only.
    pub connection: Option<Connection>,
    pub policy: Option<PolicyInForce>,
    /// The organisation has ended this member's or this device's access: every call is refused.
    #[serde(default)]
    pub access_ended: Option<AccessEnded>,
    pub policy_refused: Option<PolicyRefused>,
    /// A resident runs that puts the guard back wherever somebody takes it off.
    #[serde(default)]
    pub heals: bool,
    /// Absent where this user's configurations cannot be looked at.
    pub coverage: Option<Coverage>,
    /// Records in the device's log that are not upstream; absent where the log cannot be read.
    pub spool_depth: Option<u64>,
    /// Records in segments of this user's guards that no resident has taken.
    pub waiting_in_segments: u64,
    pub last_refusal: Option<Record>,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResidentSince {
    pub pid: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolledAs {
    pub member: String,
    pub device: String,
    pub organisation: String,
    pub server: String,
    /// Absent where the certificate is not ours to read.
    #[serde(with = "time::serde::rfc3339::option")]
    pub certificate_until: Option<OffsetDateTime>,
}

impl EnrolledAs {
    pub(super) fn of(identity: &Identity, certificate: Validity) -> Self {
        Self { certificate_until: Some(certificate.until), ..Self::unread(identity) }
    }

    fn unread(identity: &Identity) -> Self {
        Self {
            member: identity.member.clone(),
            device: identity.device_id.clone(),
            organisation: identity.organisation.clone(),
            server: identity.server.to_string(),
            certificate_until: None,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    /// Unix time in milliseconds; absent where the server has not answered since the start.
    pub last_contact_ms: Option<i64>,
    pub trouble: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PolicyInForce {
    pub version: u64,
    pub mode: Mode,
    #[serde(with = "time::serde::rfc3339")]
    pub adopted_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
}

impl PolicyInForce {
    pub(super) fn of(adopted: &Adopted) -> Self {
        let Adopted { version, mode, since, expires, .. } = *adopted;
        Self { version, mode, adopted_at: since, expires }
    }
}

/// Whose access has ended, by the signed policy on this machine, and whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEnded {
    /// The member's address, or the device's id.
    pub whose: String,
    pub contact: Option<String>,
}

impl AccessEnded {
    #[must_use]
    pub fn of(identity: &Identity, adopted: &Adopted) -> Option<Self> {
        let Identity { member, device_id, .. } = identity;
        let among = |ended: &BTreeSet<String>, one: &str| ended.iter().any(|it| it.eq_ignore_ascii_case(one));
        let whose = if among(&adopted.standing.suspended_members, member) {
            member
        } else if among(&adopted.standing.revoked_devices, device_id) {
            device_id
        } else {
            return None;
        };
        Some(Self { whose: whose.clone(), contact: adopted.contact.clone() })
    }

    /// Whom to ask, as words that follow "ask".
    #[must_use]
    pub fn whom(&self) -> &str {
        self.contact.as_deref().unwrap_or("your IT department")
    }
}

/// What can be said without the resident. Never fails: what cannot be read is left out.
pub async fn from_disk(layout: &Layout) -> Status {
    let identity = read_identity(layout).ok().flatten();
    let enrolment = Enrolment::load(layout).ok().flatten();
    let (adopted, policy_refused) = match policy(layout, identity.as_ref()).await {
        Ok(adopted) => (adopted, None),
        Err(refused) => (None, Some(refused)),
    };
    let of_ours = identity.as_ref().zip(adopted.as_ref());
    let glance = spool::glance(&layout.spool(), 1).ok();
    let waiting = sweep::waiting(&layout.guard_spool);
    let log = glance.as_ref().map(|glance| glance.as_ref().map_or(0, |glance| glance.depth));
    let recorded = glance.flatten().and_then(|glance| glance.refusals.into_iter().next());
    Status {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        resident: None,
        enrolled: match (&identity, enrolment) {
            (Some(identity), Some(enrolment)) => Some(EnrolledAs::of(identity, enrolment.certificate)),
            (Some(identity), None) => Some(EnrolledAs::unread(identity)),
            (None, _) => None,
        },
        connection: None,
        policy: adopted.as_ref().map(PolicyInForce::of),
        access_ended: of_ours.and_then(|(identity, adopted)| AccessEnded::of(identity, adopted)),
        policy_refused,
        heals: false,
        coverage: coverage(layout),
        spool_depth: log,
        waiting_in_segments: waiting.len() as u64,
        last_refusal: sweep::latest_refusals(waiting, recorded.into_iter().collect(), 1).into_iter().next(),
        findings: Vec::new(),
    }
}

/// As the files are now. What went around us before is the resident's to remember.
fn coverage(layout: &Layout) -> Option<Coverage> {
    let steward = Steward::new(layout, &Home::current()?).ok()?;
    let covered = |client: Client, row: &Row| CoveredServer {
        client: client.id().to_owned(),
        scope: row.scope.id().to_owned(),
        project: row.project.clone(),
        entry: row.entry.clone(),
        identity: row.identity.clone(),
        governed: row.is_governed(),
        why: row.why(),
    };
    let looks = steward.look().ok()?;
    let servers = looks.iter().flat_map(|look| look.rows.iter().map(|row| covered(look.client, row)));
    Some(Coverage { servers: servers.collect() })
}

async fn policy(layout: &Layout, identity: Option<&Identity>) -> Result<Option<Adopted>, PolicyRefused> {
    let Some(identity) = identity else { return Ok(None) };
    let Ok(root) = std::fs::read(layout.trust_root()) else { return Ok(None) };
    let anchor = Anchor { organisation: identity.organisation.clone(), root };
    recall(layout, &anchor).await.map_err(|refusal| refusal.to_report())
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::Standing;
    use policy::ruleset::AgentSettings;

    #[test]
    fn access_ends_with_the_member_or_with_the_device_and_for_nobody_else() {
        let identity = Identity {
            device_id: "d1".to_owned(),
            member: "Alice@acme.example".to_owned(),
            organisation: "acme".to_owned(),
            server: url::Url::parse("https://p.acme.example").unwrap(),
            enrolled_at: OffsetDateTime::now_utc(),
        };
        let ended = |member: &str, device: &str| {
            let adopted = Adopted {
                version: 1,
                since: OffsetDateTime::now_utc(),
                expires: OffsetDateTime::now_utc(),
                mode: Mode::Enforce,
                settings: AgentSettings { heal: true, hide: false, door: policy::DoorSettings::default() },
                standing: Standing {
                    suspended_members: [member.to_owned()].into(),
                    revoked_devices: [device.to_owned()].into(),
                },
                contact: Some("it@acme.example".to_owned()),
            };
            AccessEnded::of(&identity, &adopted).map(|ended| ended.whose)
        };
        assert_eq!(ended("bob@acme.example", "d2"), None);
        assert_eq!(ended("alice@acme.example", "d2").as_deref(), Some("Alice@acme.example"));
        assert_eq!(ended("bob@acme.example", "d1").as_deref(), Some("d1"));
    }
}
