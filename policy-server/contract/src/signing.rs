//! The other side of [`crate::bundle`]: keys, roots and signed repositories. Only the policy server
//! (and a test that needs an evil one) calls this; agents never hold a key.

use crate::bundle::{Bundle, POLICY_TARGET, STANDING_TARGET, TargetFacts};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use policy::Standing;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tough::TargetName;
use tough::editor::signed::SignedRole;
use tough::key_source::KeySource;
use tough::schema::{
    Hashes, KeyHolder, Metafile, Role, RoleKeys, RoleType, Root, Signed, Snapshot, Target, Targets, Timestamp,
};
use tough::sign::Sign;
use zeroize::Zeroizing;

const SPECIFICATION: &str = "1.0.0";

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("the signing key cannot be made or read: {0}")]
    Key(String),
    #[error("the trust root cannot be read: {0}")]
    Root(#[from] serde_json::Error),
    #[error("no signature: {0}")]
    Sign(#[from] Box<tough::error::Error>),
    #[error("the root would not be valid: {0}")]
    Threshold(String),
    #[error("{0} cannot be written into signed metadata")]
    Unfit(String),
}

impl From<tough::error::Error> for SigningError {
    fn from(error: tough::error::Error) -> Self {
        Self::Sign(Box::new(error))
    }
}

/// An Ed25519 key that signs. Prints as `[redacted]`, and is wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey {
    pkcs8: Zeroizing<Vec<u8>>,
}

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey([redacted])")
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub fn generate() -> Result<Self, SigningError> {
        let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
            .map_err(|_| SigningError::Key("the machine gives no random numbers".into()))?;
        Ok(Self { pkcs8: document.as_ref().to_vec().into() })
    }

    /// A key from its PKCS #8 PEM.
    ///
    /// # Errors
    /// It is no such key.
    pub fn from_pem(pem: &str) -> Result<Self, SigningError> {
        let inside = pem.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END));
        let inside: Zeroizing<String> =
            inside.unwrap_or_default().split_ascii_whitespace().collect::<String>().into();
        let pkcs8 =
            STANDARD.decode(inside.as_bytes()).map_err(|error| SigningError::Key(error.to_string()))?;
        let key = Self { pkcs8: pkcs8.into() };
        key.pair()?;
        Ok(key)
    }

    /// PKCS #8. A secret.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode(&*self.pkcs8)).into()
    }

    fn pair(&self) -> Result<Ed25519KeyPair, SigningError> {
        Ed25519KeyPair::from_pkcs8(&self.pkcs8).map_err(|error| SigningError::Key(error.to_string()))
    }
}

#[async_trait::async_trait]
impl KeySource for SigningKey {
    async fn as_sign(&self) -> Result<Box<dyn Sign>, Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(Box::new(self.pair()?))
    }

    async fn write(
        &self,
        _: &str,
        _: &str,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Err("a signing key is not written back".into())
    }
}

/// Who may sign for one role: this many of these keys.
#[derive(Debug, Clone)]
pub struct RoleSpec {
    pub keys: Vec<SigningKey>,
    pub threshold: u64,
}

impl RoleSpec {
    /// One key that suffices.
    #[must_use]
    pub fn of(key: &SigningKey) -> Self {
        Self { keys: vec![key.clone()], threshold: 1 }
    }
}

/// What a root says: who may sign what, and until when.
#[derive(Debug, Clone)]
pub struct RootSpec {
    pub expires: OffsetDateTime,
    pub root: RoleSpec,
    pub targets: RoleSpec,
    pub snapshot: RoleSpec,
    pub timestamp: RoleSpec,
}

/// Makes version 1 of the root, signed by its own root keys: the trust anchor.
///
/// # Errors
/// A key cannot be read.
pub async fn first_root(spec: &RootSpec) -> Result<Vec<u8>, SigningError> {
    let root = root_of(spec, 1)?;
    let signed = sign(root.clone(), &root, &spec.root.keys).await?;
    root.verify_role(signed.signed()).map_err(|error| SigningError::Threshold(error.to_string()))?;
    Ok(signed.buffer().clone())
}

/// Makes the successor of a root, signed by the old root's keys and by the new one's.
///
/// # Errors
/// The old root or a key cannot be read.
pub async fn next_root(
    previous: &[u8],
    previous_keys: &[SigningKey],
    spec: &RootSpec,
) -> Result<Vec<u8>, SigningError> {
    let previous: Signed<Root> = serde_json::from_slice(previous)?;
    let root = root_of(spec, previous.signed.version.get() + 1)?;
    let by_old = sign(root.clone(), &previous.signed, previous_keys).await?;
    let by_new = sign(root.clone(), &root, &spec.root.keys).await?;
    let signed = by_new.add_old_signatures(by_old.signed().signatures.clone())?;
    for judge in [&previous.signed, &root] {
        judge.verify_role(signed.signed()).map_err(|error| SigningError::Threshold(error.to_string()))?;
    }
    Ok(signed.buffer().clone())
}

/// One publication.
#[derive(Debug)]
pub struct Publication<'a> {
    /// Every root from the first, oldest first; the last one is in force.
    pub roots: &'a [Vec<u8>],
    /// Keys for targets, snapshot and timestamp; those a role does not name are not used for it.
    pub keys: &'a [SigningKey],
    pub policy_toml: &'a str,
    pub standing: &'a Standing,
    pub facts: &'a TargetFacts,
    /// Of targets and snapshot; must grow with every publication.
    pub version: u64,
    /// May grow alone, when the same policy is signed afresh before its timestamp expires.
    pub timestamp_version: u64,
    /// Of targets and snapshot.
    pub expires: OffsetDateTime,
    pub timestamp_expires: OffsetDateTime,
}

/// Signs a whole repository and puts it into one bundle.
///
/// # Errors
/// A role's threshold cannot be met with the keys given.
pub async fn sign_repository(publication: &Publication<'_>) -> Result<Bundle, SigningError> {
    let roots = publication.roots.iter().map(|root| serde_json::from_slice::<Signed<Root>>(root));
    let roots = roots.collect::<Result<Vec<_>, _>>()?;
    let root = &roots.last().ok_or_else(|| SigningError::Unfit("an empty list of roots".into()))?.signed;
    let standing = serde_json::to_string(publication.standing)?;

    let (version, keys) = (positive(publication.version)?, publication.keys);
    let expires = publication.expires;
    let mut targets = Targets::new(SPECIFICATION.into(), version, expiry(expires)?);
    targets.delegations = None;
    for (name, contents) in [(POLICY_TARGET, publication.policy_toml), (STANDING_TARGET, &standing)] {
        targets.add_target(TargetName::new(name)?, target(contents, publication.facts)?);
    }
    let targets = sign(targets, root, keys).await?;

    let mut snapshot = Snapshot::new(SPECIFICATION.into(), version, expiry(expires)?);
    snapshot.meta.insert("targets.json".into(), metafile(&targets));
    let snapshot = sign(snapshot, root, keys).await?;

    let timestamp_version = positive(publication.timestamp_version)?;
    let timestamp_expires = expiry(publication.timestamp_expires)?;
    let mut timestamp = Timestamp::new(SPECIFICATION.into(), timestamp_version, timestamp_expires);
    timestamp.meta.insert("snapshot.json".into(), metafile(&snapshot));
    let timestamp = sign(timestamp, root, keys).await?;

    let mut files = BTreeMap::from([
        ("metadata/targets.json".to_owned(), text(targets.buffer())?),
        ("metadata/snapshot.json".to_owned(), text(snapshot.buffer())?),
        ("metadata/timestamp.json".to_owned(), text(timestamp.buffer())?),
        (format!("targets/{POLICY_TARGET}"), publication.policy_toml.to_owned()),
        (format!("targets/{STANDING_TARGET}"), standing),
    ]);
    for (root, bytes) in roots.iter().zip(publication.roots) {
        files.insert(format!("metadata/{}.root.json", root.signed.version), text(bytes)?);
    }
    Ok(Bundle { files })
}

fn root_of(spec: &RootSpec, version: u64) -> Result<Root, SigningError> {
    let mut root = Root {
        spec_version: SPECIFICATION.into(),
        consistent_snapshot: false,
        version: positive(version)?,
        expires: expiry(spec.expires)?,
        keys: HashMap::new(),
        roles: HashMap::new(),
        _extra: HashMap::new(),
    };
    let roles = [
        (RoleType::Root, &spec.root),
        (RoleType::Targets, &spec.targets),
        (RoleType::Snapshot, &spec.snapshot),
        (RoleType::Timestamp, &spec.timestamp),
    ];
    for (role, spec) in roles {
        let mut keyids = Vec::new();
        for key in &spec.keys {
            let public = key.pair()?.tuf_key();
            let id = public.key_id().map_err(|error| SigningError::Key(error.to_string()))?;
            root.keys.insert(id.clone(), public);
            keyids.push(id);
        }
        let keys = RoleKeys { keyids, threshold: positive(spec.threshold)?, _extra: HashMap::new() };
        root.roles.insert(role, keys);
    }
    Ok(root)
}

async fn sign<T: Role + Serialize>(
    role: T,
    root: &Root,
    keys: &[SigningKey],
) -> Result<SignedRole<T>, SigningError> {
    let keys: Vec<Box<dyn KeySource>> = keys.iter().map(|key| Box::new(key.clone()) as _).collect();
    let holder = KeyHolder::Root(root.clone());
    Ok(SignedRole::new(role, &holder, &keys, &SystemRandom::new()).await?)
}

fn target(contents: &str, facts: &TargetFacts) -> Result<Target, SigningError> {
    let custom: HashMap<_, _> = match serde_json::to_value(facts)? {
        serde_json::Value::Object(members) => members.into_iter().collect(),
        _ => HashMap::new(),
    };
    let sha256 = Sha256::digest(contents).to_vec().into();
    let hashes = Hashes { sha256, _extra: HashMap::new() };
    Ok(Target { length: contents.len() as u64, hashes, custom, _extra: HashMap::new() })
}

fn metafile<T: Role>(role: &SignedRole<T>) -> Metafile {
    let hashes = Hashes { sha256: role.sha256().to_vec().into(), _extra: HashMap::new() };
    Metafile {
        length: Some(*role.length()),
        hashes: Some(hashes),
        version: role.signed().signed.version(),
        _extra: HashMap::new(),
    }
}

/// The metadata's own time type is taken from its text form, to seconds: what is signed has no
/// fraction.
fn expiry<T: std::str::FromStr>(at: OffsetDateTime) -> Result<T, SigningError> {
    let whole = at.replace_nanosecond(0).ok().and_then(|at| at.format(&Rfc3339).ok());
    whole.and_then(|text| text.parse().ok()).ok_or_else(|| SigningError::Unfit(format!("the date {at}")))
}

fn positive(version: u64) -> Result<NonZeroU64, SigningError> {
    NonZeroU64::new(version).ok_or_else(|| SigningError::Unfit("the number 0".into()))
}

fn text(bytes: &[u8]) -> Result<String, SigningError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| SigningError::Unfit("metadata that is not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_pem_and_is_not_printed() {
        let key = SigningKey::generate().unwrap();
        let read = SigningKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(read.pair().unwrap().tuf_key(), key.pair().unwrap().tuf_key());
        assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let half = SigningKey::generate().unwrap().to_pem()[..60].to_owned();
        for text in ["", "key", &half, &format!("{PEM_BEGIN}\nAAAA\n{PEM_END}")] {
            assert!(SigningKey::from_pem(text).is_err(), "{text}");
        }
    }
}
