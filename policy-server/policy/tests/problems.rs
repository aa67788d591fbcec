//! Bad documents, and what their authors are told: `tests/problems/NAME.toml` with `NAME.txt` beside it.
//!
//! `PORTREEVE_BLESS=1 cargo test -p policy --test problems` writes the texts anew; read the difference.

use policy::{Document, Feature, Problem, Request, Ruleset, ServerIdentity, Standing};
use std::path::Path;

/// The faults of parsing, and where there are none those of the document's own tests.
fn problems(text: &str) -> Vec<Problem> {
    match Document::parse(text) {
        Ok(document) => document.run_tests().expect_err("a bad document has a problem"),
        Err(problems) => problems,
    }
}

fn told(text: &str) -> String {
    problems(text).iter().map(|problem| one(text, problem)).collect()
}

fn one(text: &str, problem: &Problem) -> String {
    let Problem { line, column, message, help } = problem;
    let shown = text.lines().nth(line - 1).unwrap_or_default();
    let help = if help.is_empty() { String::new() } else { format!("    help: {help}\n") };
    let indent = " ".repeat(column - 1);
    format!("{line}:{column}: {message}\n{help}    | {shown}\n    | {indent}^\n")
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

fn with_condition(condition: &str) -> Result<Document, Vec<Problem>> {
    Document::parse(&format!(
        "[servers.s]\nmatch = ['npm:x']\n[roles.r]\nmembers = ['*']\n\
         [[grants]]\nname = 'g'\nroles = ['r']\nservers = ['s']\ntools = ['*']\nwhen = '{condition}'"
    ))
}

#[test]
fn attack_a_condition_nested_beyond_reason_is_a_problem_and_not_a_crash() {
    for condition in [
        "(".repeat(100_000),
        format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{}true", "!".repeat(20_000)),
        format!("{}true", "if true then true else ".repeat(2_000)),
        format!("{}1{} == 1", "[".repeat(3_000), "]".repeat(3_000)),
        format!("true{}", " && true".repeat(5_000)),
        format!("context.args{} == 1", ".a".repeat(5_000)),
    ] {
        let problems = with_condition(&condition).expect_err("it is refused");
        assert_eq!(problems[0].line, 10, "{problems:?}");
    }
    // What is let through is as large as it may be, and still no crash.
    let (open, close, sum, chain) = ("(".repeat(16), ")".repeat(16), "+1".repeat(28), " && true".repeat(63));
    for condition in [
        format!("{open}1{sum} == 1{chain}{close}"),
        format!("{}{open}1{sum} == 1{close}", "if true then true else ".repeat(63)),
        format!("{}1{sum} == 1{}", "(true && true && true && ".repeat(16), ")".repeat(16)),
        format!("{}1{}.contains(1)", "[1+1+1, 1+2, ".repeat(16), "]".repeat(16)),
        format!("context.args{} == 1", ".a".repeat(28)),
        format!("[{}\"x\"].contains(context.tool)", "\"https://a.example\", ".repeat(1_500)),
    ] {
        let document = with_condition(&condition).expect("it is let through");
        let rules = Ruleset::compile(&document, &Standing::default(), 1, None).expect("it compiles");
        let server = ServerIdentity::from_canonical("npm:x");
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let (member, device, client, tool) = ("a@x.example", "", "", "t");
        let _ = rules.decide(&Request {
            member,
            device,
            client,
            server: &server,
            feature: Feature::Tool,
            name: tool,
            arguments: None,
            now,
        });
        assert!(!document.to_cedar().is_empty());
    }
}

#[test]
fn a_document_from_windows_has_the_same_lines_and_columns() {
    for name in ["condition", "names", "unknown_keys", "patterns"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/problems/{name}.toml"));
        let unix = std::fs::read_to_string(path).unwrap();
        assert_eq!(problems(&unix.replace('\n', "\r\n")), problems(&unix), "{name}");
    }
}
