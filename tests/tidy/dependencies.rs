//! What the lock file may hold: one crypto provider, no abandoned parser, licences we can ship.

use serde_json::Value;
use std::process::Command;

/// Crates that must not come in, and why.
const BANNED: &[(&str, &str)] = &[
    ("ring", "a second crypto provider beside aws-lc-rs"),
    ("openssl", "a second TLS stack beside rustls"),
    ("native-tls", "a second TLS stack beside rustls"),
    ("eventsource-stream", "panics on a stream that begins with a byte-order mark"),
    ("serde_yaml", "no longer kept"),
    ("rustls-pemfile", "no longer kept (RUSTSEC-2025-0134)"),
];

const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// One package under a licence that is not in the list: file-level copyleft, linked unchanged.
const EXCEPTIONS: &[(&str, &str)] = &[("option-ext", "MPL-2.0")];

fn cargo(args: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(args).arg("--offline").current_dir(super::repository()).output();
    String::from_utf8(output.expect("cargo runs").stdout).expect("cargo prints text")
}

#[test]
fn nothing_banned_is_built_for_any_system() {
    let tree = cargo(&["tree", "--workspace", "--target", "all", "--prefix", "none", "--format", "{p}"]);
    assert!(tree.lines().count() > 100, "cargo tree printed next to nothing");
    for name in tree.lines().filter_map(|line| line.split(' ').next()) {
        let banned = BANNED.iter().find(|(banned, _)| *banned == name);
        assert!(banned.is_none(), "{banned:?}: `cargo tree --target all -i {name}` says who brings it in");
    }
}

#[test]
fn every_licence_is_one_we_can_ship() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1"])).expect("cargo prints JSON");
    for package in metadata["packages"].as_array().expect("packages") {
        let (name, licence) =
            (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or("none"));
        let alternatives = licence.replace('/', " OR ").replace(['(', ')'], "");
        let fits = |choice: &str| choice.split(" AND ").all(|one| LICENCES.contains(&one.trim()));
        let ok = alternatives.split(" OR ").any(fits)
            || alternatives
                .split(" AND ")
                .all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim())));
        assert!(ok || EXCEPTIONS.contains(&(name, licence)), "{name} is under {licence}");
    }
}
