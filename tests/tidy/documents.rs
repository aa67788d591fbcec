//! What the documents name has to exist.

use super::{read, repository, tracked};

/// Text between backquotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn the_map_in_the_readme_names_what_exists() {
    let readme = read("README.md");
    let map = readme.split("## The map").nth(1).expect("the README has a map").split("\n## ").next().unwrap();
    let mut named = 0;
    for path in map.lines().filter(|line| line.starts_with('|')).filter_map(|line| quoted(line).next()) {
        named += 1;
        assert!(repository().join(path).exists(), "the map names `{path}`, which does not exist");
    }
    assert!(named >= 30, "the map names only {named} places");
}

#[test]
fn the_attack_ledger_names_tests_that_exist() {
    let ledger = read("tests/README.md");
    let sources: String = tracked()
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| read(&path.to_string_lossy()))
        .collect();
    let table = ledger.split("## The attack ledger").nth(1).expect("tests/README.md has the ledger");
    let mut rows = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let tests: Vec<&str> = quoted(row.rsplit('|').nth(1).unwrap_or_default()).collect();
        assert!(!tests.is_empty(), "no test is named in: {row}");
        for test in tests {
            assert!(
                sources.contains(&format!("fn {test}(")),
                "the ledger names the test `{test}`, which does not exist"
            );
        }
        rows += 1;
    }
    assert!(rows >= 40, "the ledger has only {rows} rows");
}

#[test]
fn commands_in_the_readme_are_those_the_aliases_carry_out() {
    let (readme, aliases) = (read("README.md"), read(".cargo/config.toml"));
    for command in ["demo", "verify"] {
        assert!(readme.contains(&format!("cargo {command}")), "the README does not say `cargo {command}`");
        assert!(aliases.contains(&format!("{command} = ")), "there is no alias for `cargo {command}`");
    }
}
