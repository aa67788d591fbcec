//! Rules of the house over the sources.

use super::{read, repository, tracked};
use std::collections::BTreeSet;

fn rust_files() -> Vec<(String, String)> {
    tracked()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.to_string_lossy().into_owned())
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

#[test]
fn only_platform_knows_operating_systems() {
    let needles =
        ["cfg(unix", "cfg(windows", "cfg(not(unix", "cfg(not(windows", "target_os", "target_family"];
    let guilty: Vec<String> = rust_files()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("agent/platform/") && !path.ends_with("tidy/sources.rs"))
        // Tests that drive the programs may be about one system.
        .filter(|(path, _)| !path.starts_with("agent/tests/") && !path.starts_with("tests/e2e/"))
        .flat_map(|(path, text)| {
            let lines = text
                .lines()
                .enumerate()
                .filter(|(_, line)| needles.iter().any(|needle| line.contains(needle)));
            lines.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert!(guilty.is_empty(), "OS-specific code belongs in agent/platform:\n{}", guilty.join("\n"));
}

#[test]
fn only_platform_is_unsafe() {
    let guilty: Vec<String> = rust_files()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("agent/platform/") && !path.ends_with("tidy/sources.rs"))
        .filter(|(_, text)| text.contains("allow(unsafe_code") || text.contains("expect(unsafe_code"))
        .map(|(path, _)| path)
        .collect();
    assert!(guilty.is_empty(), "unsafe belongs in agent/platform: {guilty:?}");
}

#[test]
fn no_module_is_a_mod_rs_and_no_drawer_collects_things() {
    let drawers = [
        "common.rs",
        "utils.rs",
        "util.rs",
        "helpers.rs",
        "types.rs",
        "misc.rs",
        "shared.rs",
        "core.rs",
        "manager.rs",
    ];
    let guilty: Vec<String> = rust_files()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| {
            path.ends_with("/mod.rs") || drawers.iter().any(|drawer| path.ends_with(&format!("/{drawer}")))
        })
        .collect();
    assert!(guilty.is_empty(), "{guilty:?}");
}

/// The one reason to ignore a test: it is no test, but a process that another test starts.
#[test]
fn no_test_is_switched_off() {
    let guilty: Vec<String> = rust_files()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("tidy/sources.rs"))
        .flat_map(|(path, text)| {
            let lines = text.lines().filter(|line| line.contains(concat!("#[", "ignore")));
            let bad = lines.filter(|line| !line.contains("ignore = \"started by "));
            bad.map(|line| format!("{path}: {}", line.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert!(guilty.is_empty(), "{guilty:?}");
}

#[test]
fn the_top_level_is_the_eight_names() {
    let eight = [
        "Cargo.lock",
        "Cargo.toml",
        "README.md",
        "agent",
        "mdm-profiles",
        "packaging",
        "policy-server",
        "tests",
    ];
    let seen: BTreeSet<String> = tracked()
        .iter()
        .filter_map(|path| Some(path.components().next()?.as_os_str().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(seen, eight.iter().map(|name| (*name).to_owned()).collect());
    assert!(repository().join(".ci/run").exists());
}

#[test]
fn every_source_file_says_what_it_is() {
    let guilty: Vec<String> = rust_files()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"))
        .filter(|(_, text)| !text.trim_start().starts_with("//!") && !text.trim_start().starts_with("#!["))
        .map(|(path, _)| path)
        .collect();
    assert!(guilty.is_empty(), "these begin without a module header: {guilty:?}");
}
