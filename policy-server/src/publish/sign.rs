//! The keys in `DIR/keys`, and the one place that signs with them.
//!
//! One key a TUF role, all on this server. That root and targets keys can be kept elsewhere is a matter
//! of whose keys the root names, not of this code.

use super::Signed;
use crate::app::App;
use crate::serve::write_private;
use crate::store::StoreError;
use contract::bundle::{FORMAT, TargetFacts};
use contract::signing::{
    Publication, RoleSpec, RootSpec, SigningError, SigningKey, first_root, sign_repository,
};
use policy::Standing;
use std::io;
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

/// How long the root lasts before it has to be replaced by hand.
const ROOT_LASTS: Duration = Duration::days(5 * 365);
/// Targets and snapshot are signed again with every timestamp, so this is only a backstop.
const TARGETS_LAST: Duration = Duration::days(365);

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("the signing keys in {0} cannot be read or written: {1}")]
    Keys(PathBuf, io::Error),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error("the signed bundle cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs policy with the keys of one folder.
pub struct Signer {
    organisation: String,
    root: String,
    /// Targets, snapshot, timestamp. The root's own key stays on disk.
    keys: Vec<SigningKey>,
}

impl Signer {
    /// Opens the keys of a folder, making them at the first start.
    pub async fn open(folder: &Path, organisation: &str) -> Result<Self, SignError> {
        let root_file = folder.join("root.json");
        if !root_file.exists() {
            make(folder, &root_file).await?;
        }
        let root = read(&root_file)?;
        let keys = ["targets", "snapshot", "timestamp"].map(|role| open_key(folder, role));
        let keys = keys.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self { organisation: organisation.to_owned(), root, keys })
    }

    /// The root metadata that agents verify policy against.
    #[must_use]
    pub fn trust_root(&self) -> &str {
        &self.root
    }

    /// Signs a policy version, for as long as it may be used without a fresher signature. Only the
    /// timestamp's number grows when the same version is signed again.
    pub(super) async fn sign(
        &self,
        app: &App,
        version: u64,
        text: &str,
        standing: &Standing,
        lasts: std::time::Duration,
    ) -> Result<Signed, SignError> {
        let now = OffsetDateTime::now_utc();
        let timestamp_version = app.store.next_timestamp_version().await?;
        let facts =
            TargetFacts { organisation: self.organisation.clone(), format: FORMAT, policy_version: version };
        let bundle = sign_repository(&Publication {
            roots: &[self.root.as_bytes().to_vec()],
            keys: &self.keys,
            policy_toml: text,
            standing,
            facts: &facts,
            version,
            timestamp_version,
            expires: now + TARGETS_LAST,
            timestamp_expires: now + lasts,
        })
        .await?;
        Ok(Signed {
            policy_version: version,
            bytes: serde_json::to_vec(&bundle)?.into(),
            etag: format!("\"{version}.{timestamp_version}\""),
            since: now,
        })
    }
}

async fn make(folder: &Path, root_file: &Path) -> Result<(), SignError> {
    let [root, targets, snapshot, timestamp] = [
        new_key(folder, "root")?,
        new_key(folder, "targets")?,
        new_key(folder, "snapshot")?,
        new_key(folder, "timestamp")?,
    ];
    let metadata = first_root(&RootSpec {
        expires: OffsetDateTime::now_utc() + ROOT_LASTS,
        root: RoleSpec::of(&root),
        targets: RoleSpec::of(&targets),
        snapshot: RoleSpec::of(&snapshot),
        timestamp: RoleSpec::of(&timestamp),
    })
    .await?;
    // Last: a root without its keys would be taken for a finished set.
    write_private(root_file, &metadata).map_err(|error| SignError::Keys(root_file.to_owned(), error))
}

fn new_key(folder: &Path, role: &str) -> Result<SigningKey, SignError> {
    let key = SigningKey::generate()?;
    let file = key_file(folder, role);
    write_private(&file, key.to_pem().as_bytes()).map_err(|error| SignError::Keys(file, error))?;
    Ok(key)
}

fn open_key(folder: &Path, role: &str) -> Result<SigningKey, SignError> {
    Ok(SigningKey::from_pem(&read(&key_file(folder, role))?)?)
}

fn key_file(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}-key.pem"))
}

fn read(file: &Path) -> Result<String, SignError> {
    std::fs::read_to_string(file).map_err(|error| SignError::Keys(file.to_owned(), error))
}
