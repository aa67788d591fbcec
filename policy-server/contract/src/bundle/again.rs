//! The same steps in memory, for a bundle with nothing unusual in it: a guard's start waits for them, and the
//! library's own client keeps a folder, and asks a thread for every file of it.
//!
//! Says yes or nothing. What is wrong, or unusual (delegations, versions in the names), is the library's client's
//! to look at and to name. The shapes, their canonical form, signatures and thresholds are the library's here too;
//! what passes here passes there, which the tests try.

use super::{
    Anchor, Bundle, LARGEST_METADATA, MOST_ROOT_UPDATES, POLICY_TARGET, STANDING_TARGET, Verified,
    check_facts, earliest, parse_standing,
};
use policy::document::MAX_DOCUMENT_BYTES;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tough::TargetName;
use tough::schema::{Hashes, Metafile, Role, Root, Signed, Snapshot, Targets, Timestamp};

/// What the bundle says, if every step passes here.
pub(super) fn read(bundle: &Bundle, anchor: &Anchor, now: OffsetDateTime) -> Option<Verified> {
    let root = newest_root(bundle, anchor)?;
    // Timestamp, snapshot, targets: each named by the one before, and signed by the root's keys.
    let timestamp: Signed<Timestamp> = signed(&root, file(bundle, "metadata/timestamp.json")?)?;
    let named = only(&timestamp.signed.meta.values().collect::<Vec<_>>())?;
    timestamp.signed.meta.contains_key("snapshot.json").then_some(())?;
    let snapshot: Signed<Snapshot> = signed(&root, named_file(bundle, "metadata/snapshot.json", named)?)?;
    let named_targets = snapshot.signed.meta.get("targets.json")?;
    let targets: Signed<Targets> =
        signed(&root, named_file(bundle, "metadata/targets.json", named_targets)?)?;
    let versions =
        snapshot.signed.version == named.version && targets.signed.version == named_targets.version;
    let delegates = targets.signed.delegations.as_ref().is_some_and(|some| !some.roles.is_empty());
    (versions && !delegates && !root.signed.consistent_snapshot).then_some(())?;

    let expires = earliest([
        root.signed.expires.as_second(),
        timestamp.signed.expires.as_second(),
        snapshot.signed.expires.as_second(),
        targets.signed.expires.as_second(),
    ]);
    (now < expires).then_some(())?;
    let policy_toml = target(bundle, &targets.signed, POLICY_TARGET)?;
    let standing = target(bundle, &targets.signed, STANDING_TARGET)?;
    (policy_toml.len() <= MAX_DOCUMENT_BYTES).then_some(())?;
    let policy_version = check_facts(&targets.signed, anchor).ok()?;
    let standing = parse_standing(standing).ok()?;
    Some(Verified { policy_version, policy_toml: policy_toml.to_owned(), standing, expires })
}

/// Every root from the anchor on, each signed by the one before and by itself.
fn newest_root(bundle: &Bundle, anchor: &Anchor) -> Option<Signed<Root>> {
    let mut root: Signed<Root> = serde_json::from_slice(&anchor.root).ok()?;
    root.signed.verify_role(&root).ok()?;
    for _ in 0..MOST_ROOT_UPDATES {
        let version = root.signed.version.checked_add(1)?;
        let Some(next) = bundle.files.get(&format!("metadata/{version}.root.json")) else {
            return Some(root);
        };
        let next: Signed<Root> = signed(&root, bounded(next)?)?;
        next.signed.verify_role(&next).ok()?;
        (next.signed.version == version).then_some(())?;
        root = next;
    }
    None
}

fn signed<T: Role + DeserializeOwned>(root: &Signed<Root>, text: &str) -> Option<Signed<T>> {
    let role: Signed<T> = serde_json::from_str(text).ok()?;
    root.signed.verify_role(&role).ok()?;
    Some(role)
}

fn only<'m>(named: &[&'m Metafile]) -> Option<&'m Metafile> {
    match named {
        [one] => Some(one),
        _ => None,
    }
}

fn file<'b>(bundle: &'b Bundle, name: &str) -> Option<&'b str> {
    bounded(bundle.files.get(name)?)
}

fn bounded(text: &str) -> Option<&str> {
    (text.len() as u64 <= LARGEST_METADATA).then_some(text)
}

/// Metadata that the role before it names, of the length and digest that stand there, where they do.
fn named_file<'b>(bundle: &'b Bundle, name: &str, named: &Metafile) -> Option<&'b str> {
    let text = file(bundle, name)?;
    let fits = named.length.is_none_or(|length| text.len() as u64 <= length)
        && named.hashes.as_ref().is_none_or(|hashes| is_of(hashes, text));
    fits.then_some(text)
}

fn target<'b>(bundle: &'b Bundle, targets: &Targets, name: &str) -> Option<&'b str> {
    let target = targets.targets.get(&TargetName::new(name).ok()?)?;
    let text = bundle.files.get(&format!("targets/{name}"))?;
    (text.len() as u64 <= target.length && is_of(&target.hashes, text)).then_some(text)
}

fn is_of(hashes: &Hashes, text: &str) -> bool {
    Sha256::digest(text)[..] == hashes.sha256[..]
}

#[cfg(test)]
mod tests;
