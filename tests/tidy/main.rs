//! What no compiler checks: the arrows between the rooms, and that what the documents name exists.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests and their helpers may fail loudly")]

mod dependencies;
mod documents;
mod layers;
mod sources;

use std::path::{Path, PathBuf};

/// The repository's folder.
fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files that git tracks or would track, relative to the repository.
fn tracked() -> Vec<PathBuf> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output()
        .expect("git is on the path");
    String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .map(PathBuf::from)
        .filter(|path| repository().join(path).exists())
        .collect()
}
