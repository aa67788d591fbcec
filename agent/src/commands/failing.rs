//! Guarded servers of which nothing comes before somebody mends them: given up, ended at their start, or answering
//! nobody. By what their guards left on disk; of other users' servers it knows nothing.

use crate::ago::{ago, moment};
use crate::transport::standing::{Found, in_folder};
use platform::Layout;
use serde::Serialize;
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime};

/// Of a guard that ended longer ago nobody waits to hear: its entry may be gone.
const TOLD_FOR: Duration = Duration::hours(24);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Failing {
    /// As `portreeve status --server` takes it.
    pub name: String,
    pub identity: String,
    pub why: String,
    pub at_ms: i64,
}

impl Failing {
    pub fn told(&self, now: OffsetDateTime) -> String {
        format!("{} ({}), {}", self.name, self.why, ago(moment(self.at_ms), now))
    }
}

pub(super) fn failing(layout: &Layout, now: OffsetDateTime) -> Vec<Failing> {
    of(&in_folder(&layout.servers()), now)
}

/// What comes newest first. Of an entry only its living guards count, or the last of the dead: whoever mended a
/// server has a newer one.
fn of(all: &[Found], now: OffsetDateTime) -> Vec<Failing> {
    let key = |found: &Found| (found.facts.entry.clone(), found.facts.identity.clone());
    let living: BTreeSet<_> = all.iter().filter(|found| found.guarded).map(key).collect();
    let mut told = BTreeSet::new();
    let mut failing = Vec::new();
    for found in all.iter().filter(|found| found.guarded || !living.contains(&key(found))) {
        let facts = &found.facts;
        let is_last = told.insert(key(found));
        if facts.failing && (is_last || found.guarded) {
            failing.extend(failure(found).filter(|it| found.guarded || now - moment(it.at_ms) < TOLD_FOR));
        }
    }
    failing.dedup_by(|one, other| (&one.name, &one.identity) == (&other.name, &other.identity));
    failing
}

fn failure(found: &Found) -> Option<Failing> {
    let facts = &found.facts;
    let name = if facts.entry.is_empty() { &facts.identity } else { &facts.entry };
    Some(Failing {
        name: name.clone(),
        identity: facts.identity.clone(),
        why: facts.last_error.clone()?,
        at_ms: facts.last_error_ms.unwrap_or(facts.since_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::standing::{Standing, Way};

    fn names(folder: &std::path::Path, now: OffsetDateTime) -> Vec<String> {
        of(&in_folder(folder), now).into_iter().map(|it| it.name).collect()
    }

    #[test]
    fn a_server_that_was_given_up_is_told_of_until_it_was_mended_or_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let now = OffsetDateTime::now_utc();
        let standing = |entry: &str| Standing::in_folder(path, entry, "npm:x", Way::Command);

        let healed = standing("healed");
        healed.ended("it ended once", None);
        healed.begun_anew("anew");
        let given_up = standing("given-up");
        given_up.failing("it ended 4 times");
        let nameless = standing("");
        nameless.failing("no key");
        let mut told = names(path, now);
        told.sort();
        assert_eq!(told, ["given-up", "npm:x"]);

        given_up.end();
        nameless.end();
        healed.end();
        assert_eq!(names(path, now).len(), 2);
        assert!(names(path, now + TOLD_FOR + Duration::minutes(1)).is_empty());

        let mended = standing("given-up");
        mended.error("one call only");
        assert_eq!(names(path, now), ["npm:x"]);
    }
}
