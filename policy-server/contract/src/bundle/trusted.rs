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

use super::{Anchor, Rejection};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tough::Repository;
use tough::schema::{Root, Signed};

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
    floor: Option<u64>,
    anchor_digest: String,
}

impl Trusted {
    /// Copies what was verified before. A different anchor that has nothing to do with the one
    /// before it (the machine was enrolled anew) starts from nothing.
    pub(super) fn open(folder: &Path, anchor: &Anchor) -> Result<Self, Rejection> {
        let anchored = serde_json::from_slice::<Signed<Root>>(&anchor.root);
        let anchored = anchored.map_err(|error| Rejection::Anchor(error.to_string()))?;
        let anchor_digest = hex(&Sha256::digest(&anchor.root));
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
        let starting_root = match known {
            Some((known, bytes)) if continued && known.signed.version > anchored.signed.version => bytes,
            _ => anchor.root.clone(),
        };
        let floor = floor.filter(|_| continued).map(|floor| floor.policy_version);
        Ok(Self { folder: folder.to_path_buf(), scratch, starting_root, floor, anchor_digest })
    }

    pub(super) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) fn check_floor(&self, policy_version: u64) -> Result<(), Rejection> {
        match self.floor {
            Some(floor) if policy_version < floor => Err(Rejection::RolledBack(format!(
                "policy version {policy_version} was offered, version {floor} was verified before"
            ))),
            _ => Ok(()),
        }
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

fn read(path: &Path) -> Result<Option<Vec<u8>>, Rejection> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Rejection::Store(format!("{}: {error}", path.display()))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
