//! What a ruleset says about itself and its decisions, for the command line and the console.

use policy::{Document, Feature, Mode, Request, Ruleset, ServerIdentity, Standing, Verdict};
use time::OffsetDateTime;

const TEXT: &str = r#"[defaults]
mode = "enforce"
heal = false
hide = true

[servers.github]
match = ["npm:@acme/github"]

[roles.engineering]
members = ["*@acme.example"]

[roles.leads]
members = ["alice@acme.example"]

[[grants]]
name = "read"
roles = ["engineering"]
servers = ["github"]
tools = ["get_*"]

[[grants]]
name = "merge"
roles = ["leads"]
servers = ["github"]
tools = ["*"]
when = 'context.args.branch != "main"'

[[grants]]
name = "no-secrets"
roles = ["engineering"]
servers = ["github"]
tools = ["get_secret"]
effect = "deny"
"#;

fn ruleset() -> Ruleset {
    let document = Document::parse(TEXT).expect("it parses");
    Ruleset::compile(&document, &Standing::default(), 12, None).expect("it compiles")
}

fn request<'a>(member: &'a str, server: &'a ServerIdentity, tool: &'a str) -> Request<'a> {
    let now = OffsetDateTime::UNIX_EPOCH;
    Request {
        member,
        device: "",
        client: "",
        server,
        feature: Feature::Tool,
        name: tool,
        arguments: None,
        now,
    }
}

#[test]
fn an_explanation_names_the_grant_its_line_and_what_else_was_considered() {
    let server = ServerIdentity::from_canonical("npm:@acme/github@1.0.0");
    let explained = ruleset().explain(&request("alice@acme.example", &server, "get_secret"));
    assert_eq!(explained.decision.rule, "no-secrets");
    let (grant, place) = explained.grant.expect("a grant decided");
    assert_eq!((grant.as_str(), place.line, place.column), ("no-secrets", 29, 8));
    assert_eq!(explained.server.as_deref(), Some("github"));
    assert_eq!(explained.roles, ["engineering", "leads"]);
    let considered: Vec<_> =
        explained.considered.iter().map(|one| (one.grant.as_str(), one.line, one.denies)).collect();
    assert_eq!(considered, [("read", 16, false), ("merge", 22, false), ("no-secrets", 29, true)]);
    assert_eq!(explained.considered[1].when.as_deref(), Some("context.args.branch != \"main\""));
}

#[test]
fn a_server_can_be_asked_for_by_its_name() {
    let elsewhere = ServerIdentity::from_canonical("npm:left-pad");
    let asked = request("bob@acme.example", &elsewhere, "get_issue");
    assert_eq!(ruleset().explain_named("github", &asked).decision.verdict, Verdict::Allow);
    assert_eq!(ruleset().explain(&asked).decision.rule, "default");
    let unknown = ruleset().explain_named("gitlab", &asked);
    assert_eq!(unknown.decision.reason, "This server is not in your organisation's catalogue.");
    assert_eq!((unknown.server, unknown.grant), (None, None));
}

#[test]
fn an_explanation_and_a_decision_are_the_same() {
    let rules = ruleset();
    let server = ServerIdentity::from_canonical("npm:@acme/github");
    for member in ["alice@acme.example", "bob@acme.example", "eve@other.example"] {
        for tool in ["get_issue", "get_secret", "merge", ""] {
            let asked = request(member, &server, tool);
            assert_eq!(rules.explain(&asked).decision, rules.decide(&asked), "{member} {tool}");
        }
    }
}

#[test]
fn a_ruleset_carries_its_version_and_settings() {
    let rules = ruleset();
    assert_eq!(rules.version(), 12);
    assert!(!rules.settings().heal && rules.settings().hide);
    let silent = Document::parse("").expect("an empty document is a document");
    let silent = Ruleset::compile(&silent, &Standing::default(), 1, None).expect("it compiles");
    assert!(silent.settings().heal && !silent.settings().hide);
    let server = ServerIdentity::from_canonical("npm:x");
    let decision = silent.decide(&request("a@b", &server, "t"));
    assert_eq!(
        (decision.verdict, decision.mode),
        (Verdict::Refuse, Mode::Monitor),
        "it starts in monitor mode"
    );
}

#[test]
fn lockdown_refuses_everything_and_shows_nothing() {
    let rules = Ruleset::lockdown("The policy on this device is damaged.");
    let server = ServerIdentity::from_canonical("npm:@acme/github");
    let asked = request("alice@acme.example", &server, "get_issue");
    let decision = rules.decide(&asked);
    assert_eq!((decision.verdict, decision.mode), (Verdict::Refuse, Mode::Enforce));
    assert_eq!(
        (decision.rule.as_str(), decision.reason.as_str()),
        ("lockdown", "The policy on this device is damaged.")
    );
    assert!(!rules.visible(&asked));
    assert_eq!(rules.server_name(&server), None);
    assert_eq!(rules.version(), 0);
}

#[test]
fn the_document_reads_as_cedar() {
    let text = Document::parse(TEXT).expect("it parses").to_cedar();
    let merge = "@id(\"merge\")\npermit (principal, action == Action::\"call\", resource)\n\
                 when { principal in [Role::\"leads\"] }\nwhen { resource in [Server::\"github\"] }\n\
                 when { context.feature == \"tool\" }\nwhen {\ncontext.args.branch != \"main\"\n};\n";
    assert!(text.contains(merge), "{text}");
    assert!(text.contains("@id(\"no-secrets\")\nforbid ("), "{text}");
}
