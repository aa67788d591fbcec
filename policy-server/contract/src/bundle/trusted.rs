//! What was verified before: the floors below which nothing is taken again.
//!
//! | file in the folder | what |
//! |---|---|
//! | `root.json`, `timestamp.json`, `snapshot.json`, `targets.json` | the metadata last verified, as the TUF client keeps it |
//! | `latest_known_time.json` | the clock at the last verification, passed or not |
//! | `floor.json` | the policy version last verified, and the anchor it all began with |
//!
//! A verification works on a copy; only one that passed every step is moved back, each file by an
//! atomic rename.

use super::{Anchor, LONGEST_STEP, Rejection};
use crate::record::to_hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tough::Repository;
use tough::schema::{RoleType, Root, Signed};

const METADATA: [&str; 4] = ["root.json", "timestamp.json", "snapshot.json", "targets.json"];
const TIME: &str = "latest_known_time.json";
const FLOOR: &str = "floor.json";

#[derive(Debug, Serialize, Deserialize)]
struct Floor {
    policy_version: u64,
    /// SHA-256 of the anchor, hex.
    anchor: String,
}

pub(super) struct Trusted {
    folder: PathBuf,
    scratch: TempDir,
    /// The newest root that is known to continue the anchor, or the anchor.
    pub(super) starting_root: Vec<u8>,
    /// The root that the floors were made under.
    floors_root: Option<Signed<Root>>,
    floor: Option<u64>,
    anchor_digest: String,
}

impl Trusted {
    /// Copies what was verified before. A different anchor that has nothing to do with the one
    /// before it (the machine was enrolled anew) starts from nothing.
    pub(super) fn open(folder: &Path, anchor: &Anchor) -> Result<Self, Rejection> {
        let anchored = serde_json::from_slice::<Signed<Root>>(&anchor.root);
        let anchored = anchored.map_err(|error| Rejection::Anchor(error.to_string()))?;
        let anchor_digest = to_hex(&Sha256::digest(&anchor.root).into());
        let unusable = |error| Rejection::Store(format!("{}: {error}", folder.display()));
        fs::create_dir_all(folder).map_err(unusable)?;
        let known = read(&folder.join("root.json"))?;
        let floor = read(&folder.join(FLOOR))?;
        let floor = floor
            .map(|bytes| serde_json::from_slice::<Floor>(&bytes))
            .transpose()
            .map_err(|error| Rejection::Store(format!("{}: {error}", folder.join(FLOOR).display())))?;
        let known = known.and_then(|bytes| Some((serde_json::from_slice(&bytes).ok()?, bytes)));
        let same_anchor = floor.as_ref().is_some_and(|floor| floor.anchor == anchor_digest);
        let continued = same_anchor || known.as_ref().is_some_and(|(known, _)| continues(&anchored, known));

        let scratch = tempfile::Builder::new().prefix(".verifying-").tempdir_in(folder).map_err(unusable)?;
        let kept: &[&str] = if continued { &[METADATA[1], METADATA[2], METADATA[3], TIME] } else { &[TIME] };
        for name in kept {
            if let Some(bytes) = read(&folder.join(name))? {
                fs::write(scratch.path().join(name), bytes).map_err(Rejection::internal)?;
            }
        }
        // Starting again from the anchor would let an attacker leave newer roots out, and revive a
        // key that was rotated away.
        let starting_root = match &known {
            Some((known, bytes)) if continued && known.signed.version > anchored.signed.version => {
                bytes.clone()
            }
            _ => anchor.root.clone(),
        };
        let floors_root = known.filter(|_| continued).map(|(known, _)| known);
        let floor = floor.filter(|_| continued).map(|floor| floor.policy_version);
        Ok(Self { folder: folder.to_path_buf(), scratch, starting_root, floors_root, floor, anchor_digest })
    }

    pub(super) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Not below what was seen before, and not so far above it that little room is left.
    pub(super) fn check_floor(
        &mut self,
        repository: &Repository,
        policy_version: u64,
    ) -> Result<(), Rejection> {
        self.forget_floors_of_replaced_keys(repository);
        match self.floor {
            Some(floor) if policy_version < floor => {
                return Err(Rejection::RolledBack(format!(
                    "policy version {policy_version} was offered, version {floor} was verified before"
                )));
            }
            _ => step("policy", self.floor, policy_version)?,
        }
        for (name, offered) in [
            ("timestamp", repository.timestamp().signed.version),
            ("snapshot", repository.snapshot().signed.version),
            ("targets", repository.targets().signed.version),
        ] {
            let before = self.metadata_floor(&format!("{name}.json"))?;
            step(name, before, offered.get())?;
        }
        Ok(())
    }

    /// Under a root that takes the targets' keys away, nothing that they signed can come back, and
    /// what they were made to sign must not stay in the way. (The library does the same for the
    /// metadata.)
    fn forget_floors_of_replaced_keys(&mut self, repository: &Repository) {
        let keys = |root: &Root| root.roles.get(&RoleType::Targets).map(|keys| keys.keyids.clone());
        let before = self.floors_root.as_ref().and_then(|root| keys(&root.signed)).unwrap_or_default();
        let now = keys(&repository.root().signed).unwrap_or_default();
        if !before.is_empty() && !before.iter().any(|key| now.contains(key)) {
            self.floor = None;
            self.floors_root = None;
        }
    }

    /// The version last verified, of metadata whose floors still hold.
    fn metadata_floor(&self, name: &str) -> Result<Option<u64>, Rejection> {
        if self.floors_root.is_none() {
            return Ok(None);
        }
        let version = |bytes: Vec<u8>| {
            let metadata: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            metadata["signed"]["version"].as_u64()
        };
        Ok(read(&self.folder.join(name))?.and_then(version))
    }

    /// The clock moves on whether or not the bundle is good.
    pub(super) fn keep_time(&self) -> Result<(), Rejection> {
        self.move_back(TIME)
    }

    pub(super) fn keep(&self, repository: &Repository, policy_version: u64) -> Result<(), Rejection> {
        // The library writes the root it ended with; a bundle without a newer one leaves it as it was.
        let root = serde_json::to_vec(repository.root()).map_err(Rejection::internal)?;
        self.write("root.json", &root)?;
        for name in &METADATA[1..] {
            self.move_back(name)?;
        }
        let floor = Floor { policy_version, anchor: self.anchor_digest.clone() };
        self.write(FLOOR, &serde_json::to_vec(&floor).map_err(Rejection::internal)?)
    }

    fn move_back(&self, name: &str) -> Result<(), Rejection> {
        match read(&self.scratch.path().join(name))? {
            Some(bytes) => self.write(name, &bytes),
            None => Ok(()),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Rejection> {
        let written = || {
            let next = self.scratch.path().join("next");
            let mut file = File::create(&next)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&next, self.folder.join(name))
        };
        written().map_err(|error| Rejection::Store(format!("{}: {error}", self.folder.join(name).display())))
    }
}

/// Is one of the two roots the other's successor, or are they the same?
fn continues(anchor: &Signed<Root>, known: &Signed<Root>) -> bool {
    let (older, newer) =
        if anchor.signed.version <= known.signed.version { (anchor, known) } else { (known, anchor) };
    if older.signed.version == newer.signed.version {
        return older.signed == newer.signed;
    }
    older.signed.verify_role(newer).is_ok()
}

fn step(what: &str, before: Option<u64>, offered: u64) -> Result<(), Rejection> {
    let before = before.unwrap_or(0);
    if offered > before.saturating_add(LONGEST_STEP) {
        return Err(Rejection::VersionJump(format!("{what} version {offered} after {before}")));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Rejection> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Rejection::Store(format!("{}: {error}", path.display()))),
    }
}
