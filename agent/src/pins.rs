//! What the servers of this device say their tools are, kept on disk by the server's identity.
//!
//! The record is where a definition is told of; pins follow from it. The resident writes them, guards
//! read them, and with them what stands in segments that no resident has taken: a change is noticed without
//! one too. In a trial, where no resident follows, the guard writes them itself. In a system-wide
//! layout no user can edit them. In a user's own, that user can: it is their own trust at first sight
//! that they would undo, and the record that went upstream does not change with it.

mod book;
mod file;
mod standing;
mod verdict;
mod waiting;
mod watch;

pub use book::{Changed, Entry, Pinned, Stored};
pub use file::PinError;
pub use standing::{HeldBack, Standing, Unreadable};
pub use verdict::{Ruling, Verdict};
pub use watch::watch;

use book::ServerPins;
use contract::record::{Definition, Record, What};
use gate::definitions::{Elsewhere, Known};
use platform::layout::Kind;
use platform::{Layout, account};
use policy::ServerIdentity;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// More servers than anybody has; those beyond are not pinned.
const MAX_SERVERS: usize = 1000;

/// The pins of one user of this device.
#[derive(Debug, Clone)]
pub struct Pins {
    root: PathBuf,
    kind: Kind,
    user: String,
    /// Where this process' own user's guards keep what no resident has taken.
    segments: PathBuf,
}

/// One server, and what is known of it; or why that cannot be read.
#[derive(Debug)]
pub struct Found {
    pub path: PathBuf,
    pub pinned: Result<Pinned, PinError>,
}

impl Pins {
    /// Of the user that this process runs as.
    pub fn of(layout: &Layout) -> Self {
        Self {
            root: layout.pins(),
            kind: layout.kind,
            user: account::own_name(),
            segments: layout.guard_spool.clone(),
        }
    }

    /// Of another user of this machine. What one user's guards saw says nothing to another.
    #[must_use]
    pub fn of_user(&self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self.clone() }
    }

    fn folder(&self) -> PathBuf {
        match self.kind {
            Kind::System => self.root.join(file::name_for(&self.user)),
            Kind::User | Kind::Root => self.root.clone(),
        }
    }

    /// Everything a guard of this server starts from. What cannot be read is said, and counts as unknown.
    pub fn known(&self, server: &ServerIdentity) -> Known {
        let folder = self.folder();
        let index = file::index(&folder).unwrap_or_default();
        let others = index.iter().filter(|(other, _)| !is_same_product(other, server.as_str()));
        let tools = others.flat_map(|(other, names)| names.iter().map(move |name| (name, other.as_str())));
        let elsewhere = Elsewhere::new(tools);
        match file::read(&folder, server.as_str()) {
            Ok(mut pins) => {
                for (record, seen) in waiting::of_server(&self.segments, Some(server.as_str())) {
                    pins.follow(&seen, record.time_ms);
                }
                Known { pins: pins.known(), elsewhere, trouble: None }
            }
            Err(error) => {
                tracing::error!(%error, "what is pinned of this server cannot be read");
                Known { pins: BTreeMap::new(), elsewhere, trouble: Some(error.to_string()) }
            }
        }
    }

    /// Takes in what records say of definitions. A record that comes again changes nothing.
    pub fn follow(&self, records: &[Record]) {
        let mut seen: BTreeMap<(&str, &str), Vec<(&Definition, i64)>> = BTreeMap::new();
        for record in records {
            if let What::Definition(definition) = &record.what {
                let of = (record.os_user.as_str(), record.server.identity.as_str());
                seen.entry(of).or_default().push((definition, record.time_ms));
            }
        }
        for ((user, server), definitions) in seen {
            let pins = self.of_user(user);
            let followed = pins.change(server, |pins| {
                let fresh = |(definition, at): &&(&Definition, i64)| pins.follow(definition, *at);
                Changed { count: definitions.iter().filter(fresh).count(), told: Vec::new() }
            });
            if let Err(error) = followed {
                tracing::error!(%error, server, "pins.not_kept");
            }
        }
    }

    /// What is held back of a server is what is pinned from now on.
    ///
    /// # Errors
    /// See [`PinError`].
    pub fn approve(&self, server: &str, name: Option<&str>) -> Result<Changed, PinError> {
        self.change(server, |pins| pins.approve(name, crate::upstream::now_ms()))
    }

    /// Also what cannot be read goes, where no name is given.
    ///
    /// # Errors
    /// See [`PinError`].
    pub fn forget(&self, server: &str, name: Option<&str>) -> Result<Changed, PinError> {
        let now_ms = crate::upstream::now_ms();
        match self.change(server, |pins| pins.forget(name, now_ms)) {
            Err(PinError::Malformed { .. }) if name.is_none() => {
                let _lock = self.lock()?;
                let nothing = ServerPins::of(Vec::new(), now_ms);
                file::write(&self.folder(), self.kind, server, nothing, MAX_SERVERS)?;
                Ok(Changed { count: 1, told: Vec::new() })
            }
            other => other,
        }
    }

    /// Every server that something is known of, with what no resident has taken yet.
    ///
    /// # Errors
    /// The folder cannot be read. A file that cannot be is among the pins, with its error.
    pub fn all(&self) -> Result<Vec<Found>, PinError> {
        let folder = self.folder();
        let (mut servers, mut found) = (BTreeMap::new(), Vec::new());
        for file::Found { path, pinned } in file::all(&folder)? {
            match pinned {
                Ok((identity, pins)) => drop(servers.insert(identity, (path, pins))),
                Err(error) => found.push(Found { path, pinned: Err(error) }),
            }
        }
        let unreadable: BTreeSet<PathBuf> = found.iter().map(|it| it.path.clone()).collect();
        for (record, seen) in waiting::of_server(&self.segments, None) {
            let identity = record.server.identity;
            let path = file::path(&folder, &identity);
            if !unreadable.contains(&path) {
                let (_, pins) = servers.entry(identity).or_insert((path, ServerPins::default()));
                pins.follow(&seen, record.time_ms);
            }
        }
        let some = servers.into_iter().filter(|(_, (_, pins))| !pins.is_empty());
        found.extend(some.map(|(identity, (path, pins))| Found {
            path,
            pinned: Ok(Pinned { identity, pins: pins.into_entries() }),
        }));
        Ok(found)
    }

    fn lock(&self) -> Result<std::fs::File, PinError> {
        file::lock(&self.root, &self.folder(), self.kind)
    }

    /// Reads, changes and writes one server's pins.
    fn change(
        &self,
        server: &str,
        change: impl FnOnce(&mut ServerPins) -> Changed,
    ) -> Result<Changed, PinError> {
        let folder = self.folder();
        let _lock = self.lock()?;
        let mut pins = file::read(&folder, server)?;
        let changed = change(&mut pins);
        if changed.count > 0 {
            file::write(&folder, self.kind, server, pins, MAX_SERVERS)?;
        }
        Ok(changed)
    }

    /// The files that a guard of this server goes by.
    fn watched(&self, server: &str) -> [PathBuf; 2] {
        let folder = self.folder();
        [file::path(&folder, server), folder.join(file::INDEX)]
    }
}

/// Another version of a package is the same product: its tools shadow nobody's.
fn is_same_product(one: &str, other: &str) -> bool {
    product(one) == product(other)
}

fn product(identity: &str) -> &str {
    let start = identity.find(':').map_or(0, |colon| colon + 1);
    // A scope begins with an `@` of its own.
    let from = (start + 1).min(identity.len());
    let rest = identity.get(from..).unwrap_or_default();
    let end = if identity.starts_with("oci:") {
        // A registry may have a port; a tag stands behind the last slash.
        rest.rfind(':').filter(|tag| !rest[*tag..].contains('/')).or_else(|| rest.find('@'))
    } else {
        rest.find(['@', '=', '+'])
    };
    &identity[..end.map_or(identity.len(), |at| from + at)]
}

/// When and how long a file was written last; `None` where there is none.
fn stamp(path: &Path) -> Option<(std::time::SystemTime, u64)> {
    let found = path.symlink_metadata().ok()?;
    Some((found.modified().ok()?, found.len()))
}

#[cfg(test)]
mod tests;
