//! Signed policy: one response that holds a whole TUF repository, and its verification.
//!
//! Follows the client workflow of the TUF specification (section 5); the numbered steps in
//! [`verify`] are the ones a reader can tick off. The metadata is `tough`'s affair. Delegated roles
//! are never used, and target files go nowhere but into memory.
//!
//! | file in the bundle | what |
//! |---|---|
//! | `metadata/N.root.json` | every root since the first (at least since the oldest trust anchor in the field) |
//! | `metadata/timestamp.json`, `snapshot.json`, `targets.json` | the other roles, without version in the name (`consistent_snapshot` is false) |
//! | `targets/policy.toml`, `targets/standing.json` | what it is all for |

mod again;
mod rejection;
mod transport;
mod trusted;

pub use rejection::Rejection;

use policy::Standing;
use policy::document::MAX_DOCUMENT_BYTES;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use time::OffsetDateTime;
use tough::schema::Targets;
use tough::{ExpirationEnforcement, IntoVec, Limits, Repository, RepositoryLoader, TargetName};
use transport::InMemory;
use trusted::Trusted;
use url::Url;

/// The largest bundle taken, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;
/// Target names in the repository.
pub const POLICY_TARGET: &str = "policy.toml";
pub const STANDING_TARGET: &str = "standing.json";
/// So far may a version be ahead of the one verified before it, or of 0. An organisation does not get
/// there by publishing; whoever has stolen its keys and wants no policy after its own to be taken does.
pub const LONGEST_STEP: u64 = 1_000_000;
/// The version of this shape; an agent refuses one it does not know.
pub const FORMAT: u32 = 1;

const FIRST_ROOT: &str = "metadata/1.root.json";
/// Nobody replaces keys this often between two meetings of agent and server.
const MOST_ROOT_UPDATES: u64 = 1024;
const LARGEST_METADATA: u64 = 1024 * 1024;

/// A TUF repository in one JSON document: file name (as a TUF client would ask for it, with
/// `metadata/` or `targets/` before it) to contents as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    pub files: BTreeMap<String, String>,
}

/// The `custom` member of both targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    pub organisation: String,
    pub format: u32,
    /// The published policy version; the same in both targets.
    pub policy_version: u64,
}

/// A bundle that passed every step of [`verify`] and has moved no floor yet. Dropped, it leaves
/// everything as it was.
pub struct Passed {
    pub verified: Verified,
    trusted: Trusted,
    repository: Repository,
}

impl Passed {
    /// Makes it the one below which nothing is taken again. For a policy that can be applied, and no
    /// other: whoever has signed one that cannot would else shut out every good one after it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn keep(self) -> Result<Verified, Rejection> {
        self.trusted.keep(&self.repository, self.verified.policy_version)?;
        Ok(self.verified)
    }
}

/// What an agent was given at enrolment to verify policy by.
#[derive(Debug, Clone)]
pub struct Anchor {
    pub organisation: String,
    /// TUF root metadata.
    pub root: Vec<u8>,
}

/// A bundle that passed every step.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    pub policy_version: u64,
    pub policy_toml: String,
    pub standing: Standing,
    /// The earliest expiry of its signatures.
    pub expires: OffsetDateTime,
}

/// Verifies a bundle against the anchor and against what was seen before (`trusted`, a folder that
/// only this procedure writes: version floors and the last known time).
///
/// The floors move only when the caller says so ([`Passed::keep`]), after it compiled the policy: a
/// bundle that fails anywhere cannot shut out a later good one. Nor can one that passes: no version
/// may be more than [`LONGEST_STEP`] ahead of the one before it, and keys that were replaced by a
/// newer root take the floors with them that they signed (step 5.3.11 of the specification).
///
/// # Errors
/// The first step that failed.
pub async fn verify(bytes: &[u8], anchor: &Anchor, trusted: &Path) -> Result<Passed, Rejection> {
    // 1. Size and shape.
    let files = InMemory::new(parse(bytes)?);
    let mut trusted = Trusted::open(trusted, anchor)?;
    // 2. to 5. The chain of roots, timestamp, snapshot, targets: signatures, versions, expiry.
    let loaded = load(&files, &trusted.starting_root, Some(trusted.scratch())).await;
    trusted.keep_time()?;
    let repository = match loaded {
        Err(Rejection::Forged(why)) => {
            return Err(foreign(&files, anchor).await.unwrap_or(Rejection::Forged(why)));
        }
        loaded => loaded?,
    };
    // 6. The bytes of both targets: length and hash.
    let policy_toml = read_policy(&repository).await?;
    let standing = read_target(&repository, STANDING_TARGET).await?;
    // 7. Whose policy it is, in which format, and not an older one than was seen.
    let policy_version = check_facts(&repository.targets().signed, anchor)?;
    trusted.check_floor(&repository, policy_version)?;
    // 8. The standing list is understood. (The policy's own text is compiled by the caller.)
    let standing = parse_standing(&standing)?;
    let verified = Verified { policy_version, policy_toml, standing, expires: earliest_expiry(&repository) };
    Ok(Passed { verified, trusted, repository })
}

/// Verifies a bundle that [`verify`] let pass before, where there is nothing to compare it with but
/// the anchor: a guard at its start. Everything but the floors is checked.
///
/// # Errors
/// The first step that failed.
pub async fn verify_again(bytes: &[u8], anchor: &Anchor) -> Result<Verified, Rejection> {
    let bundle = parse(bytes)?;
    match again::read(&bundle, anchor, OffsetDateTime::now_utc()) {
        Some(verified) => Ok(verified),
        None => verify_by_library(bundle, anchor).await,
    }
}

/// The same by the library's own client, which has a word for everything that is wrong.
async fn verify_by_library(bundle: Bundle, anchor: &Anchor) -> Result<Verified, Rejection> {
    let repository = load(&InMemory::new(bundle), &anchor.root, None).await?;
    let policy_toml = read_policy(&repository).await?;
    let standing = read_target(&repository, STANDING_TARGET).await?;
    let policy_version = check_facts(&repository.targets().signed, anchor)?;
    let standing = parse_standing(&standing)?;
    Ok(Verified { policy_version, policy_toml, standing, expires: earliest_expiry(&repository) })
}

/// Step 1.
fn parse(bytes: &[u8]) -> Result<Bundle, Rejection> {
    if bytes.len() > MAX_BUNDLE_BYTES {
        return Err(Rejection::Oversized { limit: MAX_BUNDLE_BYTES });
    }
    serde_json::from_slice(bytes).map_err(|error| Rejection::Truncated(error.to_string()))
}

/// Steps 2 to 5.
async fn load(
    files: &InMemory,
    root: &impl AsRef<[u8]>,
    scratch: Option<&Path>,
) -> Result<Repository, Rejection> {
    let base = |folder| Url::parse(&format!("{}{folder}/", transport::BASE)).map_err(Rejection::internal);
    let limits = Limits {
        max_root_size: LARGEST_METADATA,
        max_timestamp_size: LARGEST_METADATA,
        max_snapshot_size: LARGEST_METADATA,
        max_targets_size: LARGEST_METADATA,
        max_root_updates: MOST_ROOT_UPDATES,
    };
    let mut loader = RepositoryLoader::new(root, base("metadata")?, base("targets")?)
        .transport(files.clone())
        .limits(limits)
        .expiration_enforcement(ExpirationEnforcement::Safe);
    if let Some(scratch) = scratch {
        loader = loader.datastore(scratch);
    }
    loader.load().await.map_err(|error| Rejection::from_metadata(&error))
}

/// What another organisation signed rightly for itself is no forgery, and whoever mixed them up is
/// better told so. It is refused all the same, and nothing of it is believed but its name.
async fn foreign(files: &InMemory, anchor: &Anchor) -> Option<Rejection> {
    let own_root = files.get(FIRST_ROOT)?;
    let repository = load(files, own_root, None).await.ok()?;
    match check_facts(&repository.targets().signed, anchor) {
        Err(foreign @ Rejection::ForeignOrganisation { .. }) => Some(foreign),
        _ => None,
    }
}

/// Step 6. A policy that takes a machine minutes to compile is as good as none, so its size is bounded
/// as it is for its author.
async fn read_policy(repository: &Repository) -> Result<String, Rejection> {
    let policy = read_target(repository, POLICY_TARGET).await?;
    if policy.len() > MAX_DOCUMENT_BYTES {
        return Err(Rejection::Oversized { limit: MAX_DOCUMENT_BYTES });
    }
    Ok(policy)
}

async fn read_target(repository: &Repository, name: &str) -> Result<String, Rejection> {
    let target = TargetName::new(name).map_err(|error| Rejection::from_target(name, &error))?;
    let stream =
        repository.read_target(&target).await.map_err(|error| Rejection::from_target(name, &error))?;
    let missing = || Rejection::Malformed(format!("{name} is not among the signed files"));
    let bytes =
        stream.ok_or_else(missing)?.into_vec().await.map_err(|error| Rejection::from_target(name, &error))?;
    String::from_utf8(bytes).map_err(|_| Rejection::Malformed(format!("{name} is not UTF-8")))
}

/// Step 7, but for the floor.
fn check_facts(targets: &Targets, anchor: &Anchor) -> Result<u64, Rejection> {
    let policy = facts_of(targets, POLICY_TARGET)?;
    let standing = facts_of(targets, STANDING_TARGET)?;
    for facts in [&policy, &standing] {
        if facts.organisation != anchor.organisation {
            return Err(Rejection::ForeignOrganisation {
                theirs: facts.organisation.clone(),
                ours: anchor.organisation.clone(),
            });
        }
        if facts.format != FORMAT {
            return Err(Rejection::UnknownFormat { format: facts.format });
        }
    }
    if policy.policy_version != standing.policy_version {
        return Err(Rejection::Mixed(format!(
            "{POLICY_TARGET} is of version {}, {STANDING_TARGET} of {}",
            policy.policy_version, standing.policy_version
        )));
    }
    Ok(policy.policy_version)
}

fn facts_of(targets: &Targets, name: &str) -> Result<TargetFacts, Rejection> {
    let target = targets.targets.iter().find(|(found, _)| found.raw() == name);
    let custom = target.map(|(_, target)| target.custom.clone().into_iter().collect()).unwrap_or_default();
    serde_json::from_value(serde_json::Value::Object(custom))
        .map_err(|error| Rejection::Malformed(format!("what is said of {name}: {error}")))
}

/// Step 8.
fn parse_standing(text: &str) -> Result<Standing, Rejection> {
    serde_json::from_str(text).map_err(|error| Rejection::Malformed(format!("{STANDING_TARGET}: {error}")))
}

fn earliest_expiry(repository: &Repository) -> OffsetDateTime {
    earliest([
        repository.root().signed.expires.as_second(),
        repository.timestamp().signed.expires.as_second(),
        repository.snapshot().signed.expires.as_second(),
        repository.targets().signed.expires.as_second(),
    ])
}

/// Of times in seconds; one that is no time has passed.
fn earliest(seconds: [i64; 4]) -> OffsetDateTime {
    let earliest = seconds.into_iter().min().unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(earliest).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
