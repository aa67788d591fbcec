//! The arrows of the house: who uses whom, and no others.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// package -> the packages of ours that it may depend on (tests of a package included).
const ARROWS: &[(&str, &[&str])] = &[
    ("mcp", &[]),
    ("policy", &[]),
    ("platform", &[]),
    ("gate", &["mcp", "policy"]),
    ("contract", &["policy"]),
    ("agent", &["contract", "gate", "mcp", "platform", "policy"]),
    ("policy-server", &["contract", "policy"]),
    ("tests", &[]),
    ("bench", &["tests"]),
    ("fuzz", &["agent", "gate", "mcp", "policy"]),
];

/// What a pure package must not even reach for itself: runtimes, sockets, databases.
const PURE: &[&str] = &["mcp", "gate", "policy"];
const IMPURE: &[&str] =
    &["tokio", "hyper", "reqwest", "rusqlite", "sqlx", "notify", "sysinfo", "rustix", "tempfile", "walkdir"];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(super::repository())
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

fn dependencies(kinds: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let names = package["dependencies"].as_array().expect("dependencies").iter();
            let names =
                names.filter(|dependency| kinds.contains(&dependency["kind"].as_str().unwrap_or("normal")));
            (text(&package["name"]), names.map(|dependency| text(&dependency["name"])).collect())
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_arrows_between_our_packages_are_these_and_no_others() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let found = dependencies(&["normal", "build", "dev"]);
    assert_eq!(
        found.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        ours,
        "the packages of the workspace"
    );
    for (name, allowed) in ARROWS {
        let used: BTreeSet<&str> =
            found[*name].iter().map(String::as_str).filter(|used| ours.contains(used)).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(used.is_subset(&allowed), "{name} uses {used:?}, but may only use {allowed:?}");
    }
}

#[test]
fn pure_packages_reach_for_no_runtime_no_socket_and_no_file() {
    let found = dependencies(&["normal", "build"]);
    for name in PURE {
        let reached: Vec<&String> =
            found[*name].iter().filter(|used| IMPURE.contains(&used.as_str())).collect();
        assert!(reached.is_empty(), "{name} is pure, but depends on {reached:?}");
    }
}
