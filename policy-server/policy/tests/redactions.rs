//! Which redactions hold for whom, and what their authors are told.

use policy::{Document, Feature, Request, Ruleset, ServerIdentity, Standing};
use time::OffsetDateTime;

const TEXT: &str = r#"
[servers.files]
match = ["npm:files"]
[servers.web]
match = ["npm:web"]
[roles.staff]
members = ["*@acme.example"]

[[redact]]
name = "everywhere"
secrets = true

[[redact]]
name = "files-results"
servers = ["files"]
in = "results"
tools = ["read_*"]
patterns = ['\b\d{16}\b', "(?i)password"]
with = "***"

[[redact]]
name = "staff-arguments"
roles = ["staff"]
in = "arguments"
fields = ["password", "user.*.token", "**.secret"]

[[redact]]
name = "notes"
resources = ["file:///notes/*"]
secrets = true
"#;

fn holding(member: &str, server: &str, feature: Feature, name: &str, of_server: bool) -> Vec<String> {
    let document = Document::parse(TEXT).expect("it parses");
    let rules = Ruleset::compile(&document, &Standing::default(), 1, None).expect("it compiles");
    let server = ServerIdentity::from_canonical(server);
    let now = OffsetDateTime::UNIX_EPOCH;
    let request =
        Request { member, device: "", client: "", server: &server, feature, name, arguments: None, now };
    let found = if of_server { rules.redactions_of_server(&request) } else { rules.redactions(&request) };
    found.iter().map(|redaction| redaction.name.clone()).collect()
}

#[test]
fn a_redaction_holds_for_whom_and_what_it_names() {
    use Feature::{Client, Method, Resource, Tool};
    let (bob, eve) = ("Bob@acme.example", "eve@other.example");
    for (member, server, feature, name, expected) in [
        (bob, "npm:files", Tool, "read_file", &["everywhere", "files-results", "staff-arguments"][..]),
        (bob, "npm:files", Tool, "write_file", &["everywhere", "staff-arguments"]),
        (bob, "npm:web", Tool, "read_file", &["everywhere", "staff-arguments"]),
        (eve, "npm:files", Tool, "read_file", &["everywhere", "files-results"]),
        (eve, "npm:unknown", Tool, "read_file", &["everywhere"]),
        (eve, "npm:files", Resource, "file:///notes/a", &["everywhere", "notes"]),
        (eve, "npm:files", Resource, "FILE:///NOTES/a", &["everywhere", "notes"]),
        (eve, "npm:files", Resource, "file:///other/a", &["everywhere"]),
        (eve, "npm:files", Client, "sampling", &["everywhere"]),
        (eve, "npm:files", Method, "x", &["everywhere"]),
    ] {
        assert_eq!(holding(member, server, feature, name, false), expected, "{member} {server} {name}");
    }
    let all = ["everywhere", "files-results", "notes"];
    assert_eq!(holding(eve, "npm:files", Tool, "unknown", true), all, "a message that belongs to no tool");
}

#[test]
fn an_explanation_names_the_redactions_too() {
    let document = Document::parse(TEXT).expect("it parses");
    let rules = Ruleset::compile(&document, &Standing::default(), 1, None).expect("it compiles");
    let elsewhere = ServerIdentity::from_canonical("npm:elsewhere");
    let request = Request {
        member: "eve@other.example",
        device: "",
        client: "",
        server: &elsewhere,
        feature: Feature::Tool,
        name: "read_file",
        arguments: None,
        now: OffsetDateTime::UNIX_EPOCH,
    };
    assert_eq!(rules.explain_named("files", &request).redactions, ["everywhere", "files-results"]);
    assert_eq!(rules.explain(&request).redactions, ["everywhere"]);
}

#[test]
fn lockdown_redacts_nothing_since_it_lets_nothing_through() {
    let server = ServerIdentity::from_canonical("npm:files");
    let now = OffsetDateTime::UNIX_EPOCH;
    let (feature, name) = (Feature::Tool, "x");
    let request = Request {
        member: "a@b.example",
        device: "",
        client: "",
        server: &server,
        feature,
        name,
        arguments: None,
        now,
    };
    assert!(Ruleset::lockdown("no policy").redactions(&request).is_empty());
}

#[test]
fn the_example_of_the_documentation_is_a_rule() {
    let readme = include_str!("../README.md");
    let example =
        readme.split("```toml").find(|text| text.trim_start().starts_with("[[redact]]")).expect("one");
    let example = example.split("```").next().expect("its end");
    let text = format!("[servers.tracker]\nmatch = ['npm:@acme/tracker']\n{example}");
    let document = Document::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let rule = &document.redactions()[0];
    assert_eq!((rule.fields.len(), rule.patterns.len(), rule.secrets), (2, 1, true));
    assert_eq!(rule.with, "[redacted]");
}
