//! The policy that this guard judges by: read from disk, verified here again, compiled.
//!
//! Nothing is believed because the resident said it; its word only makes the guard look again.
//! Where there is no policy that can be believed, everything is refused, and the refusal says why.

mod local;

pub use local::{LocalPolicyError, governed_by, local};

use crate::enrolment::{EnrolmentError, Identity, read_identity};
use contract::bundle::{self, Anchor, MAX_BUNDLE_BYTES, Rejection, Verified};
use platform::Layout;
use platform::files::{FileError, Owner, read_trusted};
use platform::layout::Kind;
use policy::{Document, Problem, Ruleset, ServerIdentity};
use std::cell::Cell;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::Instant;

const LARGEST_ROOT: u64 = 1024 * 1024;
/// So long before signatures run out, the disk is looked at for fresh ones.
const RENEWAL: time::Duration = time::Duration::minutes(10);
const RENEWAL_RETRY: Duration = Duration::from_secs(60);
/// So often the disk is looked at, in case that nobody says that something changed there.
const DISK_CHECK: Duration = Duration::from_secs(2);

/// A ruleset, and for whom it judges.
pub struct InForce {
    pub member: String,
    pub device: String,
    pub ruleset: Ruleset,
}

/// Why no policy is in force. Each is a sentence that a refused developer reads.
#[derive(Debug, thiserror::Error)]
pub enum NotInForce {
    #[error("this machine is not enrolled with your organisation; run `portreeve enroll`")]
    NotEnrolled,
    #[error("no policy has reached this machine yet; run `portreeve status`")]
    NotArrived,
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    #[error("the policy on this machine cannot be read: {0}")]
    File(#[from] FileError),
    #[error("the policy on this machine was not accepted: {0}")]
    Rejected(#[from] Rejection),
    #[error("the policy on this machine cannot be applied: {0}")]
    Unusable(Problem),
}

/// Says that another policy may be in force; the link hears it, the pipeline waits for it.
#[derive(Default)]
pub struct PolicySignal {
    version: Cell<u64>,
    look: Notify,
}

impl PolicySignal {
    /// The resident has that version: worth a look where it is not ours.
    pub fn heard(&self, version: u64) {
        if version != self.version.get() {
            self.look.notify_one();
        }
    }
}

/// The policy of an enrolled machine, as it changes.
pub struct ActivePolicy<'a> {
    layout: &'a Layout,
    signal: &'a PolicySignal,
    /// Where calls to one server only are judged.
    server: Option<ServerIdentity>,
    /// What was last verified; within one enrolment no older one takes its place.
    adopted: Option<Adopted>,
    /// How the files stood when they were last read.
    stamps: Stamps,
    next_check: Instant,
    next_renewal: Instant,
}

/// The last change and the length of each file that decides which policy is in force.
type Stamps = [Option<(SystemTime, u64)>; 3];

struct Adopted {
    of: Identity,
    version: u64,
    expires: OffsetDateTime,
}

/// What stands on disk and passed every step.
struct Found {
    adopted: Adopted,
    ruleset: Ruleset,
}

impl<'a> ActivePolicy<'a> {
    pub fn of(layout: &'a Layout, signal: &'a PolicySignal) -> Self {
        let now = Instant::now();
        Self {
            layout,
            signal,
            server: None,
            adopted: None,
            stamps: Stamps::default(),
            next_check: now,
            next_renewal: now,
        }
    }

    /// For calls to this server and no other: less is compiled, and less is kept.
    #[must_use]
    pub fn for_server(mut self, server: ServerIdentity) -> Self {
        self.server = Some(server);
        self
    }

    /// The policy in force now; the lockdown where there is none.
    pub async fn now(&mut self) -> InForce {
        self.stamps = stamps(self.layout);
        match self.look().await {
            Ok(Found { adopted, ruleset }) => {
                let (member, device) = (adopted.of.member.clone(), adopted.of.device_id.clone());
                self.adopt(adopted);
                InForce { member, device, ruleset }
            }
            Err(why) => self.lockdown(&why),
        }
    }

    /// What is on disk now. Reading and compiling take many times the memory that the rules keep.
    async fn look(&self) -> Result<Found, NotInForce> {
        let found = read(self.layout, self.server.as_ref()).await;
        platform::memory::give_back();
        found
    }

    fn lockdown(&self, why: &NotInForce) -> InForce {
        tracing::warn!(%why, "no policy is in force, so everything is refused");
        let ruleset = Ruleset::lockdown(why.to_string());
        match read_identity(self.layout) {
            Ok(Some(Identity { member, device_id, .. })) => InForce { member, device: device_id, ruleset },
            Ok(None) | Err(_) => InForce { member: String::new(), device: String::new(), ruleset },
        }
    }

    /// Waits until another ruleset is in force. Safe to drop and call again.
    pub async fn changed(&mut self) -> Ruleset {
        loop {
            self.worth_a_look().await;
            match self.look().await {
                Ok(Found { adopted, ruleset }) if self.is_next(&adopted) => {
                    self.adopt(adopted);
                    return ruleset;
                }
                Ok(_) => {}
                Err(why @ NotInForce::NotEnrolled) if self.adopted.is_some() => {
                    self.adopted = None;
                    self.signal.version.set(0);
                    return Ruleset::lockdown(why.to_string());
                }
                Err(why) => tracing::warn!(%why, "the policy on disk was not taken; the last one stays"),
            }
        }
    }

    /// The resident spoke, or other files stand there (whoever holds up the resident's line does not
    /// hold up the policy), or signatures run out that were made afresh meanwhile. Its times outlive
    /// a call that is dropped, as every message of the guard's does.
    async fn worth_a_look(&mut self) {
        loop {
            let told = tokio::time::timeout_at(self.next_check, self.signal.look.notified()).await.is_ok();
            let (now, stamps) = (Instant::now(), stamps(self.layout));
            self.next_check = now + DISK_CHECK;
            let due = self.runs_out() && now >= self.next_renewal;
            if due {
                self.next_renewal = now + RENEWAL_RETRY;
            }
            if std::mem::replace(&mut self.stamps, stamps) != stamps || told || due {
                return;
            }
        }
    }

    /// By the wall clock, which jumps where a machine slept.
    fn runs_out(&self) -> bool {
        self.adopted.as_ref().is_some_and(|adopted| adopted.expires - OffsetDateTime::now_utc() <= RENEWAL)
    }

    fn is_next(&self, found: &Adopted) -> bool {
        self.adopted.as_ref().is_none_or(|adopted| {
            adopted.of != found.of
                || found.version > adopted.version
                || (found.version == adopted.version && found.expires > adopted.expires)
        })
    }

    fn adopt(&mut self, adopted: Adopted) {
        self.signal.version.set(adopted.version);
        self.adopted = Some(adopted);
    }
}

fn stamps(layout: &Layout) -> Stamps {
    [layout.adopted_policy(), layout.trust_root(), layout.identity()].map(|path| {
        let found = path.symlink_metadata().ok()?;
        Some((found.modified().ok()?, found.len()))
    })
}

async fn read(layout: &Layout, server: Option<&ServerIdentity>) -> Result<Found, NotInForce> {
    let of = read_identity(layout)?.ok_or(NotInForce::NotEnrolled)?;
    let owner = match layout.kind {
        Kind::System => Owner::Administrator,
        Kind::User | Kind::Root => Owner::AdministratorOrSelf,
    };
    let root = read_trusted(&layout.trust_root(), owner, LARGEST_ROOT)?;
    let bytes = match read_trusted(&layout.adopted_policy(), owner, MAX_BUNDLE_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Err(NotInForce::NotArrived),
        Err(error) => return Err(error.into()),
    };
    // The resident keeps the version floors; a guard starts from the anchor each time.
    let anchor = Anchor { organisation: of.organisation.clone(), root };
    let Verified { policy_version: version, policy_toml, standing, expires } =
        bundle::verify_again(&bytes, &anchor).await?;
    let ruleset = server
        .map_or_else(|| Document::parse(&policy_toml), |server| Document::parse_for(&policy_toml, server))
        .and_then(|document| Ruleset::compile(&document, &standing, version, Some(expires)))
        .map_err(|problems| NotInForce::Unusable(first(problems)))?;
    Ok(Found { adopted: Adopted { of, version, expires }, ruleset })
}

fn first(problems: Vec<Problem>) -> Problem {
    problems.into_iter().next().unwrap_or(Problem {
        line: 0,
        column: 0,
        message: "no problem was named".to_owned(),
        help: String::new(),
    })
}
