//! Bad documents, and what their authors are told: `tests/problems/NAME.toml` with `NAME.txt` beside it.
//!
//! `PORTREEVE_BLESS=1 cargo test -p policy --test problems` writes the texts anew; read the difference.

use policy::{Document, Problem};
use std::path::Path;

/// The faults of parsing, and where there are none those of the document's own tests.
fn problems(text: &str) -> Vec<Problem> {
    match Document::parse(text) {
        Ok(document) => document.run_tests().expect_err("a bad document has a problem"),
        Err(problems) => problems,
    }
}

fn told(text: &str) -> String {
    let mut told = String::new();
    for problem in problems(text) {
        told.push_str(&format!("{}:{}: {}\n", problem.line, problem.column, problem.message));
        if !problem.help.is_empty() {
            told.push_str(&format!("    help: {}\n", problem.help));
        }
        let line = text.lines().nth(problem.line - 1).unwrap_or_default();
        told.push_str(&format!("    | {line}\n    | {}^\n", " ".repeat(problem.column - 1)));
    }
    told
}

#[test]
fn every_fault_is_told_with_line_column_and_help() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/problems");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    assert!(paths.len() > 10, "documents were found");
    let mut failures = Vec::new();
    for path in paths {
        let got = told(&std::fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("txt");
        if std::env::var_os("PORTREEVE_BLESS").is_some() {
            std::fs::write(&expected, &got).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if got != expected {
            failures.push(format!("{}\n--- expected\n{expected}--- got\n{got}", path.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn no_text_makes_the_parser_panic() {
    let sound = include_str!("problems/names.toml");
    for cut in (0..sound.len()).filter(|cut| sound.is_char_boundary(*cut)) {
        let _ = Document::parse(&sound[..cut]);
        let _ = Document::parse(&sound[cut..]);
    }
    for text in [
        "\u{feff}",
        "\0",
        "a",
        "[",
        "grants",
        "grants = 1",
        "[[grants]]\nname = 1",
        "servers.x = 1",
        "\"\" = 1",
    ] {
        assert!(Document::parse(text).is_err() || text == "\u{feff}", "{text:?}");
    }
}
